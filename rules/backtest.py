"""The same rules over what is on file: columns of readings in, findings out, the same bytes each time.

The clock is that of the readings: what was not yet received is not yet known. Readings go through in pieces of a few
hours, which makes no difference to what is found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from core.beside import beside, can_be_beside
from core.inventory import Snapshot
from rules.absence import TICK_MS
from rules.edges import Edge, Opening
from rules.events import Event
from rules.fleet import NONE, make_fleet, town_of
from rules.judgement import Judgement
from rules.latest import NEVER_MS
from rules.repairs import Repair
from rules.rows import ALLOWANCE_MS, Rows, Words, in_order
from rules.spec import Rule
from rules.windows import Window

PIECE_MS = 6 * 3_600_000
HEARD = ("battery_pct",)
"""All that stage two looks at besides who spoke when and through whom (Rows.heard)."""
WORTH_A_PROCESS = 200_000
"""So many readings take longer than a second process takes to begin."""
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Table:
    """k readings in any order. `device` i4[k] into `device_ids` · `t_ms`, `received_ms` i8[k] · `values` {name: f8[k]},
    NaN = not reported · `texts` {name: (words, i4[k] numbers of words, -1 = not reported)}.
    """

    device_ids: Sequence[str]
    device: NDArray[np.int32]
    t_ms: NDArray[np.int64]
    received_ms: NDArray[np.int64]
    values: Mapping[str, NDArray[np.float64]]
    texts: Mapping[str, tuple[Sequence[str], NDArray[np.int32]]] = field(default_factory=dict)


@dataclass
class Found:
    """A finding as a backtest tells it."""

    opening: Opening
    town: str | None
    priority: str
    text_de: str
    closed_ms: int | None = None
    close_reason: str | None = None


def backtest(
    snapshot: Snapshot,
    table: Table,
    rules: Mapping[str, Rule],
    windows: Sequence[Window] = (),
    until_ms: int | None = None,
    progress: Callable[[int], None] = lambda at_ms: None,
    repairs: Sequence[Repair] = (),
) -> list[Found]:
    """The findings of these rules on these readings, by (opened, rule, subject), with announced work and repairs.

    Devices that the inventory does not have are left out. The clock stops at `until_ms`, or with the last reading.
    `progress` is told how far the clock has come.
    """
    fleet = make_fleet(snapshot)
    words = Words()
    pieces = Pieces(table, fleet.numbers(table.device_ids), words)
    if not len(pieces.order):
        return []
    judgement = Judgement(rules, words, windows, pieces.history)
    pieces.names = sorted(judgement.court.needs & table.values.keys())
    edges: list[Edge] = list(judgement.refresh(fleet, pieces.begin_ms))
    judgement.repaired(repairs)
    end_ms = pieces.end_ms if until_ms is None else until_ms
    for piece_end_ms, rows, events in _judged(judgement, pieces, end_ms):
        edges += judgement.blame_for(events, rows, min(piece_end_ms, end_ms))
        progress(piece_end_ms)
    return _paired(edges, judgement)


def _judged(judgement: Judgement, pieces: Pieces, end_ms: int) -> Iterator[tuple[int, Rows, list[Event]]]:
    """(end of each piece, its rows, what stage one says of them); stage one never looks at what stage two makes of it.

    Where a second process can be had, stage one goes on there, and the rows here are no more than who spoke when.
    """

    def events() -> Iterator[list[Event]]:
        return (judgement.judge(rows, at_ms) for at_ms, rows in _ahead(pieces.each(end_ms)))

    if not can_be_beside() or len(pieces.order) < WORTH_A_PROCESS:
        for at_ms, rows in _ahead(pieces.each(end_ms)):
            yield at_ms, rows, judgement.judge(rows, at_ms)
        return
    said = beside(events)
    yield from (
        (at_ms, rows, next(said))
        for at_ms, rows in pieces.each(end_ms, [name for name in HEARD if name in pieces.names])
    )


def _ahead(each: Iterator[T]) -> Iterator[T]:
    """The same, but while one is used the next is made, in a thread: numpy lets go of the interpreter."""
    with ThreadPoolExecutor(1) as ahead:
        future = ahead.submit(next, each, None)
        while (found := future.result()) is not None:
            future = ahead.submit(next, each, None)
            yield found


class Pieces:
    """The rows of a table by the time they became known, a few hours at a time.

    `order` i8[m] the rows of devices that are ours, as they became known; `device` i4[m], `known_ms` i8[m] in it.
    """

    def __init__(self, table: Table, number: NDArray[np.int64], words: Words) -> None:
        self.table = table
        self.texts = {
            name: (np.array([words.of(word) for word in known] or [NONE], dtype=np.int32), codes)
            for name, (known, codes) in table.texts.items()
        }
        known_ms = np.maximum(table.t_ms + ALLOWANCE_MS, table.received_ms)
        device = number.astype(np.int32)[table.device]
        self.order = np.argsort(known_ms, kind="stable")
        if (number == NONE).any():
            self.order = self.order[device[self.order] != NONE]
        self.known_ms, self.device = known_ms[self.order], device[self.order]
        self.names = sorted(table.values)

    @property
    def begin_ms(self) -> int:
        """When the first reading was taken."""
        return int(self.table.t_ms[self.order].min())

    @property
    def end_ms(self) -> int:
        """When the last reading was received."""
        return int(self.table.received_ms[self.order].max())

    def each(self, end_ms: int, names: Sequence[str] | None = None) -> Iterator[tuple[int, Rows]]:
        """(end of the piece, its rows) up to `end_ms`; `names` of the values, None = all that are needed."""
        begin, at_ms = 0, self.begin_ms // TICK_MS * TICK_MS
        while at_ms < end_ms:
            at_ms = min(at_ms + PIECE_MS, end_ms)
            end = int(np.searchsorted(self.known_ms, at_ms + (ALLOWANCE_MS if at_ms == end_ms else 0), side="right"))
            yield at_ms, self._rows(self.order[begin:end], self.device[begin:end], names)
            begin = end

    def history(self, devices: NDArray[np.int64], after_ms: NDArray[np.int64], until_ms: NDArray[np.int64]) -> Rows:
        """The rows of some devices after an instant each, as far as they were known until another."""
        after, until = np.full((2, int(devices.max()) + 2), NEVER_MS)
        after[devices], until[devices] = after_ms, until_ms
        # Nothing is known before it was taken, and until = never takes none of the devices that nobody asks for.
        begin = int(np.searchsorted(self.known_ms, int(after_ms.min()) + ALLOWANCE_MS))
        end = int(np.searchsorted(self.known_ms, int(until_ms.max()), side="right"))
        device = np.minimum(self.device[begin:end], len(after) - 1)
        chosen = np.flatnonzero(self.known_ms[begin:end] <= until[device])
        chosen = chosen[self.table.t_ms[self.order[begin + chosen]] > after[device[chosen]]]
        return self._rows(self.order[begin + chosen], device[chosen])

    def _rows(self, chosen: NDArray[np.int64], device: NDArray[np.int32], names: Sequence[str] | None = None) -> Rows:
        table = self.table
        place = in_order(device, table.t_ms[chosen])
        chosen = chosen[place]
        return Rows(
            device=device[place].astype(np.int64),
            t_ms=table.t_ms[chosen],
            received_ms=table.received_ms[chosen],
            values=_told({name: table.values[name][chosen] for name in (self.names if names is None else names)}),
            texts={
                name: np.where(codes[chosen] >= 0, known[codes[chosen]], NONE).astype(np.int32)
                for name, (known, codes) in self.texts.items()
            },
        )


def _told(values: Mapping[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    return {name: column for name, column in values.items() if not np.isnan(column).all()}


def _paired(edges: Iterable[Edge], judgement: Judgement) -> list[Found]:
    """Openings with their closings. An episode that is found again after it was closed late is one finding."""
    found: dict[tuple[str, str, str], Found] = {}
    for edge in edges:
        key = (edge.rule, edge.subject, edge.episode)
        if isinstance(edge, Opening):
            town = town_of(edge, judgement.fleet)
            rule = judgement.rules[edge.rule]
            found.setdefault(key, Found(edge, town, rule.priority, ""))
        elif key in found and found[key].closed_ms is None:
            found[key].closed_ms, found[key].close_reason = edge.closed_ms, edge.reason
    return sorted(found.values(), key=lambda one: (one.opening.opened_ms, one.opening.rule, one.opening.subject))
