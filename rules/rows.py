"""Readings made ready for the rules: one row each, sorted by device and time, values as columns.

What a row says is known from the end of the allowance on, or from its receipt if that was later: whatever arrives in
another order within the allowance makes the same rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.reading import Readings
from rules.fleet import NONE, Fleet

ALLOWANCE_MS = 60_000
"""So long a reading may take without anybody noticing: 99 % of LoRaWAN messages need 10 s (Basford et al. 2020)."""


@dataclass(frozen=True, eq=False)
class Rows:
    """k readings, sorted by (device, t), no two of one device at one instant.

    `device` i8[k] number in the fleet · `t_ms`, `received_ms` i8[k] · `values` {name: f8[k]}, NaN = not reported ·
    `texts` {name: i4[k]} numbers of words, -1 = not reported.
    """

    device: NDArray[np.int64]
    t_ms: NDArray[np.int64]
    received_ms: NDArray[np.int64]
    values: Mapping[str, NDArray[np.float64]]
    texts: Mapping[str, NDArray[np.int32]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.device)

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """i8[d]: the first row of each device that has rows."""
        if not len(self.device):
            return np.zeros(0, dtype=np.int64)
        found: NDArray[np.int64] = np.append(0, np.flatnonzero(self.device[1:] != self.device[:-1]) + 1)
        return found

    @cached_property
    def present(self) -> NDArray[np.int64]:
        """i8[d]: the devices that have rows, in their order."""
        return self.device[self.starts]

    @cached_property
    def is_first(self) -> NDArray[np.bool_]:
        """bool[k]: the first row of its device."""
        first = np.zeros(len(self), dtype=np.bool_)
        first[self.starts] = True
        return first

    @cached_property
    def own_known_ms(self) -> NDArray[np.int64]:
        """i8[k]: when this row was known."""
        return np.maximum(self.t_ms + ALLOWANCE_MS, self.received_ms)

    @cached_property
    def known_ms(self) -> NDArray[np.int64]:
        """i8[k]: when this row and all before it of the same device were known."""
        known = self.own_known_ms
        falls = (known[1:] < known[:-1]) & ~self.is_first[1:]
        return running_max(known, self.is_first) if falls.any() else known

    @cached_property
    def out_of_order(self) -> NDArray[np.bool_]:
        """bool[k]: a row that was known before another one of its device that is older."""
        found: NDArray[np.bool_] = self.own_known_ms < self.known_ms
        return found

    def heard(self) -> Rows:
        """The same rows with no more than who spoke when, and who heard it."""
        texts = {name: column for name, column in self.texts.items() if name in ("gateway", "event")}
        values = {name: column for name, column in self.values.items() if name == "battery_pct"}
        return Rows(self.device, self.t_ms, self.received_ms, values, texts)

    def times_of(self, rows: NDArray[np.int64]) -> Rows:
        """Some of the rows, still in order, without values and texts."""
        return Rows(self.device[rows], self.t_ms[rows], self.received_ms[rows], {})

    def take(self, rows: NDArray[np.int64]) -> Rows:
        """Some of the rows, still in order."""
        return Rows(
            device=self.device[rows],
            t_ms=self.t_ms[rows],
            received_ms=self.received_ms[rows],
            values={name: column[rows] for name, column in self.values.items()},
            texts={name: column[rows] for name, column in self.texts.items()},
        )

    def piece(self, begin: int, end: int) -> Rows:
        """The rows from `begin` up to `end`, without copying them."""
        return Rows(
            device=self.device[begin:end],
            t_ms=self.t_ms[begin:end],
            received_ms=self.received_ms[begin:end],
            values={name: column[begin:end] for name, column in self.values.items()},
            texts={name: column[begin:end] for name, column in self.texts.items()},
        )

    def rows_of(self, devices: NDArray[np.int64]) -> NDArray[np.int64]:
        """The rows of some devices (sorted, each once), in order."""
        place = np.searchsorted(self.present, devices)
        there = place < len(self.present)
        place = place[there]
        place = place[self.present[place] == devices[there]]
        ends = np.append(self.starts[1:], len(self))
        return ranges(self.starts[place], ends[place])

    def column(self, name: str) -> NDArray[np.float64]:
        """The values of one name; NaN where nobody reported it."""
        found = self.values.get(name)
        return np.full(len(self), np.nan) if found is None else found


def ranges(starts: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """All the numbers of several half-open ranges, one range after the other."""
    sizes = ends - starts
    total = int(sizes.sum())
    if not total:
        return np.zeros(0, dtype=np.int64)
    before = np.cumsum(sizes) - sizes
    found: NDArray[np.int64] = np.arange(total, dtype=np.int64) + np.repeat(starts - before, sizes)
    return found


def among(device: NDArray[np.int64], devices: NDArray[np.int64]) -> NDArray[np.bool_]:
    """bool[k]: which of the one are among the others, which are sorted."""
    if not len(devices):
        return np.zeros(len(device), dtype=np.bool_)
    place = np.minimum(np.searchsorted(devices, device), len(devices) - 1)
    found: NDArray[np.bool_] = devices[place] == device
    return found


def running_max(numbers: NDArray[np.int64], is_first: NDArray[np.bool_]) -> NDArray[np.int64]:
    """i8[k]: the greatest number up to each place, begun anew at each first."""
    if not len(numbers):
        return numbers
    step = int(numbers.max() - numbers.min()) + 1
    offset = np.cumsum(is_first) * step  # one after the other, so one running maximum serves all
    found: NDArray[np.int64] = np.maximum.accumulate(numbers + offset) - offset
    return found


def last_true(flags: NDArray[np.bool_]) -> NDArray[np.int64]:
    """i8[n]: at each place, the newest place up to it where the flag is true (the first place if none is)."""
    found: NDArray[np.int64] = np.maximum.accumulate(np.where(flags, np.arange(len(flags)), 0))
    return found


def in_turns(device: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """The places i8[m] in groups of at most one for each device: everyone's first, then everyone's second, and so on.

    `device` i8[k], those of one device together.
    """
    if not len(device):
        return
    starts = np.flatnonzero(np.append(True, device[1:] != device[:-1]))
    if len(starts) == len(device):
        yield np.arange(len(device))
        return
    rank = np.arange(len(device)) - np.repeat(starts, np.diff(np.append(starts, len(device))))
    yield from np.split(np.argsort(rank, kind="stable"), np.cumsum(np.bincount(rank))[:-1])


def by_night(device: NDArray[np.int64], night: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(i8[k], i8[m]): in which of the m pieces each row is, and each piece's first row; a piece is one device's night.

    `device`, `night` [k] in the order of rows.
    """
    begins = np.append(True, (device[1:] != device[:-1]) | (night[1:] != night[:-1]))[: len(device)]
    return np.cumsum(begins) - 1, np.flatnonzero(begins)


def in_order(
    device: NDArray[np.integer[Any]], t_ms: NDArray[np.int64], tie: NDArray[np.int64] | None = None
) -> NDArray[np.int64]:
    """The rows by (device, t), of several of one device at one instant only the last (by `tie`, then as given)."""
    order = np.argsort(t_ms, kind="stable") if tie is None else np.lexsort((tie, t_ms))
    order = order[_stable(device[order])]
    if not len(order):
        return order
    last = np.append((device[order[1:]] != device[order[:-1]]) | (t_ms[order[1:]] != t_ms[order[:-1]]), True)
    chosen: NDArray[np.int64] = order[last]
    return chosen


def concat_rows(parts: Sequence[Rows]) -> Rows:
    """Several pieces as one, sorted anew; a column that a piece does not have is unknown there."""
    parts = [part for part in parts if len(part)]
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return NO_ROWS
    device = np.concatenate([part.device for part in parts])
    t_ms = np.concatenate([part.t_ms for part in parts])
    order = in_order(device, t_ms)
    names = sorted({name for part in parts for name in part.values})
    texts = sorted({name for part in parts for name in part.texts})
    none = [np.full(len(part), NONE, dtype=np.int32) for part in parts]
    return Rows(
        device=device[order],
        t_ms=t_ms[order],
        received_ms=np.concatenate([part.received_ms for part in parts])[order],
        values={name: np.concatenate([part.column(name) for part in parts])[order] for name in names},
        texts={
            name: np.concatenate([part.texts.get(name, empty) for part, empty in zip(parts, none, strict=True)])[order]
            for name in texts
        },
    )


_EMPTY = np.zeros(0, dtype=np.int64)
NO_ROWS = Rows(_EMPTY, _EMPTY, _EMPTY, {}, {})


def _stable(numbers: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """The order of numbers, equal ones as they come; 16-bit ones numpy sorts by counting, ten times as fast."""
    small = len(numbers) > 0 and int(numbers.max()) < 2**16 and int(numbers.min()) >= 0
    return np.argsort(numbers.astype(np.uint16) if small else numbers, kind="stable")


class Words:
    """Texts as numbers: the ids of gateways and the names of events."""

    def __init__(self) -> None:
        self.number: dict[str, int] = {}
        self.words: list[str] = []

    def take(self, words: Sequence[str]) -> None:
        """Begin with these, in their order."""
        self.words[:] = words
        self.number.clear()
        self.number.update({word: number for number, word in enumerate(words)})

    def of(self, word: str) -> int:
        """The number of a word, a new one when it is new."""
        found = self.number.get(word)
        if found is None:
            found = self.number[word] = len(self.words)
            self.words.append(word)
        return found


def rows_of_readings(readings: Readings, fleet: Fleet, words: Words) -> Rows:
    """The readings of known devices as rows."""
    device = fleet.numbers(readings.device_ids)
    rows = np.flatnonzero(device != NONE)
    rows = rows[in_order(device[rows], readings.t_ms[rows], readings.seq[rows])]
    return Rows(
        device=device[rows],
        t_ms=readings.t_ms[rows],
        received_ms=readings.received_ms[rows],
        values={name: readings.column(name)[rows] for name in _names(readings, readings.number_name)},
        texts={name: _numbered(readings, name, words)[rows] for name in _names(readings, readings.text_name)},
    )


def _names(readings: Readings, numbers: NDArray[np.uint32]) -> list[str]:
    return [readings.names[number] for number in np.unique(numbers).tolist()]


def _numbered(readings: Readings, name: str, words: Words) -> NDArray[np.int32]:
    chosen = np.flatnonzero(readings.text_name == readings.names.index(name))
    wide = np.full(len(readings), NONE, dtype=np.int32)
    said = [readings.texts[number] for number in chosen.tolist()]
    number_of = {word: words.of(word) for word in dict.fromkeys(said)}
    wide[readings.text_row[chosen]] = [number_of[word] for word in said]
    return wide
