"""Rules of kind `count`: something that changes to and fro too often, like a lamp that goes out and comes back.

Two changes, out and back, already are a suspicion, until all is quiet for as long as `within`.

A sample is off (`when`), on (`clear`) or neither. `count` changes between the two within `within` open an episode; a
time without any (`clear_for`) closes it. On is what is usual: only devices that were off lately have a state.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rules.evaluate import TRUE, compile_truth
from rules.events import CALMS, CLOSES, OPENS, STIRS, Event
from rules.expression import names
from rules.fleet import Fleet
from rules.inputs import Inputs
from rules.judges import Flags, events_of
from rules.latest import NEVER_MS
from rules.machine import Marks
from rules.rule_columns import Param, RuleColumns, params_of, selected, trees_of
from rules.spec import Rule

Times = NDArray[np.int64]


class CountJudge:
    """State: a devices, sorted. `off`, `is_open` bool[a] · `last_ms`, `since_ms` i8[a] · `changed_ms` i8[a, count], the
    newest last, NEVER_MS = none.
    """

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        assert rule.when is not None and rule.clears is not None, "rules.load lets no count rule pass without them"
        self._where = None if rule.where is None else compile_truth(rule.where)
        self._off, self._on = compile_truth(rule.when), compile_truth(rule.clears)
        self.told = sorted({name for tree in trees_of(rule) for name in names(tree)} - rule.params.keys())
        self.restore(_nothing(rule.count))

    def refresh(self, fleet: Fleet, today: date) -> None:
        """Take in an inventory, new or changed."""
        self.selected = selected(self.rule, fleet)
        self.params: dict[str, Param] = params_of(self.rule, fleet, today)
        self.within_ms = self.rule.within.ms(fleet.interval_ms)
        self.clear_ms = np.maximum(self.rule.lasts_clear.ms(fleet.interval_ms), self.within_ms)
        self.max_gap_ms = self.rule.max_gap.ms(fleet.interval_ms)

    def take(self, inputs: Inputs, may: Flags) -> list[Event]:
        """What follows from a piece of rows; `may` bool[k]: the device may be judged."""
        rows, columns = inputs.rows, RuleColumns(inputs, self.params)
        gate = may & self.selected[rows.device]
        off = gate & (self._off(columns) == TRUE)
        chosen = rows.rows_of(np.union1d(np.unique(rows.device[off]), self.device))
        if not len(chosen):
            return []
        if self._where is not None:
            gate[chosen] &= self._where(RuleColumns(inputs.some(chosen), self.params)) == TRUE
            off &= gate
        on = gate[chosen] & (self._on(RuleColumns(inputs.some(chosen), self.params)) == TRUE)
        row = chosen[off[chosen] | on]
        if not len(row):
            return []
        marks, unrest = self._advance(row, rows.device[row], rows.t_ms[row], off[row])
        found = events_of(self.rule, inputs, marks, (CLOSES, OPENS), self.told, self.params)
        return found + events_of(self.rule, inputs, unrest, (CALMS, STIRS), [], self.params)

    def _advance(self, row: Times, device: Times, t_ms: Times, off: Flags) -> tuple[Marks, Marks]:
        first = np.append(True, device[1:] != device[:-1])
        begin = np.flatnonzero(first)
        here = device[begin]
        before = self._before(here)
        was_off, last_ms = np.append(False, off[:-1]), np.append(0, t_ms[:-1])
        was_off[begin], last_ms[begin] = before["off"], np.where(before["last_ms"] < 0, t_ms[begin], before["last_ms"])
        # Who was on may have no state, so nobody knows since when: only going on again may come too late to count.
        changed = (off != was_off) & (off | (t_ms - last_ms <= self.max_gap_ms[device]))
        place = np.cumsum(first) - 1
        changes = _Changes(place, t_ms, changed, before["changed_ms"])
        opens = np.zeros(len(row), dtype=np.bool_)
        opens[changes.row] = changes.span_ms <= self.within_ms[device[changes.row]]
        newest_ms = changes.newest_ms(place)
        closes = ~off & ~opens & (newest_ms != NEVER_MS) & (t_ms - newest_ms >= self.clear_ms[device])
        first_ms = np.zeros(len(row), dtype=np.int64)
        first_ms[changes.row] = changes.first_ms
        marks, is_open, since_ms = _edges(place, opens, closes, before["is_open"], before["since_ms"], first_ms)
        last = np.append(begin[1:], len(row)) - 1
        after = {
            "device": here,
            "off": off[last],
            "is_open": is_open,
            "last_ms": t_ms[last],
            "since_ms": np.where(is_open, since_ms, 0),
            "changed_ms": changes.kept,
        }
        self._keep(after, newest_ms[last])
        quiet = (newest_ms != NEVER_MS) & (t_ms - newest_ms >= self.within_ms[device])
        quiet &= last_ms - newest_ms < self.within_ms[device]  # said once
        stirs = np.zeros(len(row), dtype=np.bool_)
        stirs[changes.row] = changes.second_ms <= self.within_ms[device[changes.row]]
        unrest = np.flatnonzero(quiet | stirs)
        return Marks(row[marks.row], marks.opens, marks.since_ms), Marks(row[unrest], stirs[unrest], t_ms[unrest])

    def _before(self, devices: Times) -> dict[str, NDArray[Any]]:
        """The state of some devices; that of one without any is that nothing was."""
        place = np.searchsorted(self.device, devices)
        there = place < len(self.device)
        there[there] = self.device[place[there]] == devices[there]
        found = {
            name: np.zeros((len(devices), *column.shape[1:]), column.dtype) for name, column in self.state().items()
        }
        found["last_ms"][:] = found["changed_ms"][:] = NEVER_MS
        for name, column in self.state().items():
            found[name][there] = column[place[there]]
        return found

    def _keep(self, after: dict[str, NDArray[Any]], newest_ms: Times) -> None:
        lately = after["last_ms"] - newest_ms <= self.within_ms[after["device"]]
        keep = after["is_open"] | after["off"] | lately
        others = ~np.isin(self.device, after["device"])
        both = {name: np.concatenate((column[others], after[name][keep])) for name, column in self.state().items()}
        order = np.argsort(both["device"], kind="stable")
        self.restore({name: column[order] for name, column in both.items()})

    def forget(self, devices: Times) -> None:
        """As if these had never been judged."""
        others = ~np.isin(self.device, devices)
        self.restore({name: column[others] for name, column in self.state().items()})

    def put(self, devices: Times, state: dict[str, NDArray[Any]]) -> None:
        """Become what `state` gave as far as some devices are concerned."""
        self.forget(devices)
        mine = np.isin(state["device"], devices)
        both = {name: np.concatenate((column, state[name][mine])) for name, column in self.state().items()}
        order = np.argsort(both["device"], kind="stable")
        self.restore({name: column[order] for name, column in both.items()})

    def open_on(self, devices: Times) -> set[int]:
        """Those of the devices that have an open episode."""
        return set(self.device[self.is_open & np.isin(self.device, devices)].tolist())

    def state(self) -> dict[str, NDArray[Any]]:
        """The state as columns, for snapshots."""
        return {
            "device": self.device,
            "off": self.off,
            "is_open": self.is_open,
            "last_ms": self.last_ms,
            "since_ms": self.since_ms,
            "changed_ms": self.changed_ms,
        }

    def restore(self, state: dict[str, NDArray[Any]]) -> None:
        """Become what `state` gave."""
        self.device, self.off, self.is_open = state["device"], state["off"], state["is_open"]
        self.last_ms, self.since_ms, self.changed_ms = state["last_ms"], state["since_ms"], state["changed_ms"]


def _nothing(count: int) -> dict[str, NDArray[Any]]:
    times, flags = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.bool_)
    changed_ms = np.zeros((0, count), dtype=np.int64)
    return {
        "device": times,
        "off": flags,
        "is_open": flags,
        "last_ms": times,
        "since_ms": times,
        "changed_ms": changed_ms,
    }


class _Changes:
    """The changes among the samples, the ones from before in front of each device's own.

    `row` the samples that are changes · `span_ms` from the change `count` − 1 earlier up to it · `first_ms` that one ·
    `second_ms` from the change before.
    """

    def __init__(self, place: Times, t_ms: Times, changed: Flags, before_ms: Times) -> None:
        devices, count = before_ms.shape
        self.row = np.flatnonzero(changed)
        old = np.repeat(np.arange(devices), count)
        order = np.argsort(np.concatenate((old, place[self.row])), kind="stable")
        self._place = np.concatenate((old, place[self.row]))[order]
        self._t_ms = np.concatenate((before_ms.ravel(), t_ms[self.row]))[order]
        is_new = np.concatenate((np.zeros(len(old), dtype=np.bool_), np.ones(len(self.row), dtype=np.bool_)))[order]
        at = np.flatnonzero(is_new)
        self.first_ms = self._t_ms[at - (count - 1)]  # each device has `count` old ones in front
        far = np.int64(2**62)
        self.span_ms = np.where(self.first_ms == NEVER_MS, far, t_ms[self.row] - self.first_ms)
        last_ms = self._t_ms[at - 1]
        self.second_ms = np.where(last_ms == NEVER_MS, far, t_ms[self.row] - last_ms)
        ends = np.flatnonzero(np.append(self._place[1:] != self._place[:-1], True))
        self.kept = self._t_ms[ends[:, None] - np.arange(count - 1, -1, -1)]
        self._before_ms = before_ms[:, -1]
        self._changed, self._all_ms = changed, t_ms

    def newest_ms(self, place: Times) -> Times:
        """i8[k]: at each sample, when the newest change was; NEVER_MS = none."""
        first = np.append(True, place[1:] != place[:-1])
        newest = np.maximum.accumulate(np.where(self._changed | first, np.arange(len(place)), 0))
        found: Times = np.where(self._changed[newest], self._all_ms[newest], self._before_ms[place])
        return found


def _edges(
    place: Times, opens: Flags, closes: Flags, was_open: Flags, was_since_ms: Times, first_ms: Times
) -> tuple[Marks, Flags, Times]:
    """The marks that change something, and for each device whether it is open in the end and since when."""
    marks = np.flatnonzero(opens | closes)
    devices = len(was_open)
    order = np.argsort(np.concatenate((np.arange(devices), place[marks])), kind="stable")
    kind = np.concatenate((was_open, opens[marks]))[order]
    where = np.concatenate((np.arange(devices), place[marks]))[order]
    row = np.concatenate((np.full(devices, -1), marks))[order]
    value = np.concatenate((was_since_ms, first_ms[marks]))[order]
    before = np.append(False, kind[:-1])
    happened = (row >= 0) & (kind != before)
    is_source = kind & (happened | (row < 0))
    since_ms = value[np.maximum.accumulate(np.where(is_source, np.arange(len(kind)), 0))]
    last = np.flatnonzero(np.append(where[1:] != where[:-1], True))
    return Marks(row[happened], kind[happened], since_ms[happened]), kind[last], since_ms[last]
