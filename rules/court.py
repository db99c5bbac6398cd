"""Stage one over all rules: rows in, events out. Who may be judged is asked once for all of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.kinds import KINDS
from rules.counting import CountJudge
from rules.evaluate import kept_argument
from rules.events import CALMS, REPAIRED, Event
from rules.expression import Call, Name, names, walk
from rules.feeders import make_feeders
from rules.fleet import Fleet
from rules.inputs import Inputs
from rules.judges import Judge, StateJudge
from rules.memories import FROZEN, LEARNED, Memories
from rules.memories import Call as Kept
from rules.memory import aside
from rules.nightly import NightJudge
from rules.nights import Nights
from rules.presses import EventJudge
from rules.repairs import Repaired
from rules.rows import Rows, Words
from rules.rule_columns import kinds_of, trees_of
from rules.spec import Rule
from rules.vocabulary import FUNCTIONS, Function

log = logging.getLogger(__name__)

JUDGES: dict[str, Callable[[Rule], Judge]] = {
    "state": StateJudge,
    "frozen": StateJudge,
    "group": StateJudge,
    "count": CountJudge,
    "schedule": NightJudge,
}
EVERYTHING, SAMPLES, WORDS = "everything", "samples", "words"
ALWAYS_NEEDED = frozenset({
    "power_w", "dim_pct", "battery_pct", "tilt_deg", "occupied", "power_l1_w", "power_l2_w", "power_l3_w", "uptime_s",
    "entries", "exits", "occupied_count",
})  # fmt: skip
"""Values that are looked at beside what rules name."""
ERRORS_MAX = 5
"""A rule that failed so often is set aside; the others go on."""


@dataclass(frozen=True, eq=False)
class CourtState:
    """What all judges and memories held at an instant: {judge or memory: {column: array}}; `places` {memory: i4[n]}."""

    judges: dict[str, dict[str, NDArray[Any]]]
    memories: dict[str, dict[str, NDArray[Any]]]
    places: dict[str, NDArray[np.int32]]


class Court:
    """The rules that look at samples, their state and what they remember. `aside` {rule: why} those set aside."""

    def __init__(self, rules: Mapping[str, Rule], words: Words) -> None:
        self.judges: dict[str, Judge] = {
            name: EventJudge(rule, words) if rule.kind == "event" else JUDGES[rule.kind](rule)
            for name, rule in sorted(rules.items())
            if rule.kind == "event" or (rule.kind in JUDGES and (rule.kind != "group" or rule.when is not None))
        }
        for name in {name for rule in rules.values() for name in rule.together}:
            judge = self.judges.get(name)
            if isinstance(judge, StateJudge):
                judge.tells_unrest = True
        own = [judge.rule for judge in self.judges.values()]
        kept, asked = _calls(own, lambda one: one.kept), _calls(own, lambda one: one.asks)
        self.memories = Memories(_names(own), kept, [rule.values for rule in own if rule.values], asked)
        self.needs = values_needed(own)
        self.repaired = Repaired()
        self.errors: dict[str, int] = {}
        self.aside: dict[str, str] = {}

    def refresh(self, fleet: Fleet, nights: Nights, today: date) -> None:
        """Take in an inventory, new or changed."""
        self.fleet, self.nights, self.feeders = fleet, nights, make_feeders(fleet, nights)
        for judge in self.judges.values():
            judge.refresh(fleet, today)
        self.memories.refresh(fleet)
        self.repaired.refresh(fleet)
        self.by_kind = {
            kind: [judge for judge in self.judges.values() if kind in kinds_of(judge.rule)]
            for kind in range(len(KINDS))
        }

    def listen(self, rows: Rows) -> None:
        """Rows that have become known, before they are judged: what neighbours say of each other."""
        if self.memories.neighbours is not None:
            self.memories.neighbours.listen(rows)

    def take(
        self, rows: Rows, may: NDArray[np.bool_], last_ms: NDArray[np.int64], what: str = EVERYTHING
    ) -> list[Event]:
        """What follows from rows sorted by device and time; `may` bool[k]: the device may be judged at that time;
        `last_ms` i8[n] the newest sample of each device before them: at a repair since then it is learned anew.

        `what` leaves out the rules about words (SAMPLES), or all others (WORDS).
        """
        found: list[Event] = []
        for repaired, chosen in self.repaired.pieces(rows, last_ms):
            piece = rows if chosen is None else rows.take(chosen)
            found += self._learn_anew(repaired, piece)
            found += self._take(piece, may if chosen is None else may[chosen], what)
        return found

    def _learn_anew(self, devices: NDArray[np.int64], rows: Rows) -> list[Event]:
        """These were repaired before these rows of theirs, and what was found by what they were like is void."""
        if not len(devices):
            return []
        self.memories.learn_anew(devices)
        row = rows.starts[np.searchsorted(rows.present, devices)]
        instants = list(zip(devices.tolist(), *(column[row].tolist() for column in _instants(rows)), strict=True))
        found: list[Event] = []
        for name, judge in self.judges.items():
            if not LEARNED.isdisjoint(_names([judge.rule])):
                judge.forget(devices)
                for device, known, t, came in instants:
                    found += [Event(known, name, device, what, t, came, t, {}) for what in (CALMS, REPAIRED)]
        return found

    def _take(self, rows: Rows, may: NDArray[np.bool_], what: str) -> list[Event]:
        found: list[Event] = []
        for number, rows_of_kind, may_of_kind in _by_kind(self.fleet.kind[rows.device], rows, may):
            inputs = Inputs(rows_of_kind, self.fleet, self.nights, self.feeders, self.memories)
            for judge in self.by_kind[number]:
                if judge.rule.name not in self.aside and what in (EVERYTHING, _looks_at(judge)):
                    found += self._ask(judge, inputs, may_of_kind)
        return found

    def _ask(self, judge: Judge, inputs: Inputs, may: NDArray[np.bool_]) -> list[Event]:
        """One rule's events; a rule that fails says nothing this time, and after a few times nothing any more."""
        try:
            with np.errstate(all="ignore"):
                return judge.take(inputs, may)
        except (ArithmeticError, ValueError, IndexError, KeyError, TypeError, AssertionError) as error:
            name = judge.rule.name
            self.errors[name] = self.errors.get(name, 0) + 1
            log.exception("rule %s failed, %s time(s)", name, self.errors[name])
            if self.errors[name] >= ERRORS_MAX:
                self.aside[name] = f"{type(error).__name__}: {error}"
            return []

    def state(self) -> CourtState:
        """A copy of everything, to go back to; what all devices have lies on disk, for it is hardly ever looked at."""
        judges = {
            name: {key: column.copy() for key, column in judge.state().items()} for name, judge in self.judges.items()
        }
        memories = {
            name: {key: aside(column) for key, column in memory.arrays().items()}
            for name, memory in self.memories.every().items()
        }
        return CourtState(judges, memories, {name: memory.seats.of for name, memory in self.memories.every().items()})

    def put(self, devices: NDArray[np.int64], state: CourtState) -> None:
        """Become what it was then as far as some devices (sorted) are concerned."""
        if not len(devices):
            return
        for name, judge in self.judges.items():
            judge.put(devices, state.judges[name])
        for name, memory in self.memories.every().items():
            memory.put_back(devices, state.memories[name], state.places[name])

    def forget(self, devices: NDArray[np.int64]) -> None:
        """As if these devices had never said anything."""
        for judge in self.judges.values():
            judge.forget(devices)
        for memory in self.memories.every().values():
            memory.forget(devices)
        if self.memories.neighbours is not None:
            self.memories.neighbours.forget(devices)


def _by_kind(
    kind: NDArray[np.uint8], rows: Rows, may: NDArray[np.bool_]
) -> Iterator[tuple[int, Rows, NDArray[np.bool_]]]:
    """The rows of each kind; without copying them where they stand together, which they mostly do."""
    if not len(kind):
        return
    changes = np.flatnonzero(kind[1:] != kind[:-1]) + 1
    begins, ends = [0, *changes.tolist()], [*changes.tolist(), len(kind)]
    if len(begins) == len({int(kind[begin]) for begin in begins}):
        for begin, end in zip(begins, ends, strict=True):
            yield int(kind[begin]), rows.piece(begin, end), may[begin:end]
        return
    for number in np.unique(kind).tolist():
        chosen = np.flatnonzero(kind == number)
        yield number, rows.take(chosen), may[chosen]


def _instants(rows: Rows) -> tuple[NDArray[np.int64], ...]:
    return rows.known_ms, rows.t_ms, rows.received_ms


def _looks_at(judge: Judge) -> str:
    return WORDS if isinstance(judge, EventJudge) else SAMPLES


def values_needed(rules: Iterable[Rule]) -> frozenset[str]:
    """The names of all that these rules look at, values among them."""
    rules = list(rules)
    return frozenset(_names(rules) | {name for rule in rules for name in rule.values} | set(FROZEN) | ALWAYS_NEEDED)


def _names(rules: Iterable[Rule]) -> set[str]:
    return {name for rule in rules for tree in trees_of(rule) for name in names(tree)}


def _calls(rules: Iterable[Rule], sort: Callable[[Function], bool]) -> set[Kept]:
    found: set[Kept] = set()
    for rule in rules:
        for tree in trees_of(rule):
            for node in walk(tree):
                if isinstance(node, Call) and sort(FUNCTIONS[node.function]):
                    assert isinstance(node.arguments[0], Name), "rules.units lets no other pass"
                    found.add((node.function, node.arguments[0].name, kept_argument(node)))
    return found
