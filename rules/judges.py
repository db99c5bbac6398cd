"""Stage one, rule by rule: columns in, events out. A judge knows one rule, its state, and nothing of other devices.

`state` and `frozen` rules look at every sample; `schedule` rules at the mean of a night (rules/nightly.py); `count`
rules at changes (rules/counting.py).
"""

from __future__ import annotations

from datetime import date
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from core.kinds import VALUES
from rules.evaluate import TRUE, UNKNOWN, TruthOf, compile_truth
from rules.events import CALMS, CLOSES, OPENS, STIRS, Event
from rules.expression import And, Node, names
from rules.fleet import Fleet
from rules.inputs import Inputs
from rules.machine import Judged, Limits, Marks, Runs, advance, no_runs
from rules.rows import Rows
from rules.rule_columns import Param, RuleColumns, params_of, selected, trees_of
from rules.spec import Rule

Flags = NDArray[np.bool_]


class Judge(Protocol):
    """One rule at work."""

    rule: Rule

    def refresh(self, fleet: Fleet, today: date) -> None:
        """Take in an inventory, new or changed."""

    def take(self, inputs: Inputs, may: Flags) -> list[Event]:
        """What follows from a piece of rows; `may` bool[k]: the device is in service and in no maintenance window."""

    def forget(self, devices: NDArray[np.int64]) -> None:
        """As if these had never been judged."""

    def state(self) -> dict[str, NDArray[Any]]:
        """The state as columns, for snapshots."""

    def restore(self, state: dict[str, NDArray[Any]]) -> None:
        """Become what `state` gave."""

    def put(self, devices: NDArray[np.int64], state: dict[str, NDArray[Any]]) -> None:
        """Become what `state` gave as far as some devices (sorted) are concerned."""

    def open_on(self, devices: NDArray[np.int64]) -> set[int]:
        """Those of the devices that have an open episode."""


class StateJudge:
    """A rule of kind `state`, `frozen`, or `group` with a condition on each device.

    `tells_unrest` = what was seen goes with runs of bad samples too, for a rule that this one is a part of.
    """

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.tells_unrest = False
        self.runs = no_runs()
        self._where = [compile_truth(part) for part in _conditions(rule.where)]
        self._when = _compiled(rule.when)
        self._clear = _compiled(rule.clears)
        self._sooner = _compiled(rule.sooner.when if rule.sooner is not None else None)
        self.told = sorted({name for tree in trees_of(rule) for name in names(tree)} - rule.params.keys())

    def refresh(self, fleet: Fleet, today: date) -> None:
        """Take in an inventory, new or changed."""
        rule = self.rule
        self.selected = selected(rule, fleet)
        self.params: dict[str, Param] = params_of(rule, fleet, today)
        sooner = rule.sooner
        self.limits = Limits(
            for_ms=rule.lasts.ms(fleet.interval_ms) if rule.kind != "frozen" else np.zeros(len(fleet), dtype=np.int64),
            samples=rule.min_samples,
            nights=rule.nights,
            max_gap_ms=rule.max_gap.ms(fleet.interval_ms),
            clear_ms=np.maximum(rule.lasts_clear.ms(fleet.interval_ms), rule.hold.ms(fleet.interval_ms)),
            clear_samples=rule.clear_samples,
            sooner_ms=None if sooner is None else sooner.lasts.ms(fleet.interval_ms),
            sooner_samples=1 if sooner is None else sooner.min_samples,
        )
        self.frozen_s = rule.lasts.ms(fleet.interval_ms) / 1000.0

    def take(self, inputs: Inputs, may: Flags) -> list[Event]:
        """What follows from a piece of rows.

        What is bad comes first, because next to nothing is: only for those rows, and for devices with a state, is
        asked whether they may be judged, and whether they are good.
        """
        rows = inputs.rows
        suspect, quick = self._suspect(inputs)
        at = np.flatnonzero(suspect)
        at = self._gated(inputs, at[may[at] & self.selected[rows.device[at]]])
        chosen = self._chosen(rows, at)
        if not len(chosen):
            return []
        bad = _marked(at, rows)[chosen]
        good = may[chosen] & self.selected[rows.device[chosen]] & ~bad & self._good(inputs, chosen)
        good = _marked(self._gated(inputs, chosen[good]), rows)[chosen]
        told = np.flatnonzero(bad | good)
        row = chosen[told]
        night = inputs.night[row] if self.rule.nights > 1 else np.zeros(len(row), dtype=np.int32)
        judged = Judged(row, rows.t_ms[row], bad[told], bad[told] & quick[row], night)
        outcome = advance(self.runs, rows, judged, self.limits)
        self.runs = outcome.runs
        found = self._events(inputs, self._from_onset(outcome.marks), (CLOSES, OPENS), told=True)
        return found + self._events(inputs, outcome.unrest, (CALMS, STIRS), told=self.tells_unrest)

    def _from_onset(self, marks: Marks) -> Marks:
        """What stands still has done so before it was noticed."""
        if self.rule.kind != "frozen":
            return marks
        return Marks(marks.row, marks.opens, marks.since_ms - int(self.rule.lasts.seconds * 1000))

    def _gated(self, inputs: Inputs, row: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those of some rows that say anything to this rule; a condition is asked only where those before it hold."""
        for condition in self._where:
            if not len(row):
                break
            truth = condition(RuleColumns(inputs.some(row), self.params))
            row = row[np.broadcast_to(truth == TRUE, len(row))]
        return row

    def _suspect(self, inputs: Inputs) -> tuple[Flags, Flags]:
        """(bool[k], bool[k]): bad, and bad enough for the quicker way, if the row says anything at all."""
        rows = inputs.rows
        if self.rule.kind == "frozen":
            bad = inputs.same_s(self.rule.values) >= self.frozen_s[rows.device]
            return bad, np.zeros(len(bad), dtype=np.bool_)
        assert self._when is not None, "rules.load lets no state rule pass without `when`"
        columns = RuleColumns(inputs, self.params)
        truth = np.broadcast_to(self._when(columns), len(rows))
        bad = truth >= UNKNOWN if self.rule.missing == "raise" else truth == TRUE
        if self._sooner is None:
            return bad, np.zeros(len(bad), dtype=np.bool_)
        quick = np.broadcast_to(self._sooner(columns) == TRUE, len(rows))
        return bad | quick, quick

    def _good(self, inputs: Inputs, chosen: NDArray[np.int64]) -> Flags:
        if self.rule.kind == "frozen":
            changed: Flags = inputs.same_s(self.rule.values)[chosen] == 0.0
            return changed
        assert self._clear is not None, "a rule with `when` has its contrary"
        truth = self._clear(RuleColumns(inputs.some(chosen), self.params))
        good: Flags = truth >= UNKNOWN if self.rule.missing == "clear" else truth == TRUE
        return np.broadcast_to(good, len(chosen)).copy()

    def _chosen(self, rows: Rows, bad: NDArray[np.int64]) -> NDArray[np.int64]:
        """The rows of the devices that anything can happen to: those with bad rows, and those with a state."""
        devices = np.unique(rows.device[bad])
        if len(self.runs):
            devices = np.union1d(devices, self.runs.device)
        return rows.rows_of(devices)

    def _events(self, inputs: Inputs, marks: Marks, words: tuple[str, str], told: bool) -> list[Event]:
        return events_of(self.rule, inputs, marks, words, self.told if told else [], self.params)

    def forget(self, devices: NDArray[np.int64]) -> None:
        """As if these had never been judged."""
        self.runs = self.runs.without(devices)

    def state(self) -> dict[str, NDArray[Any]]:
        """The state as columns, for snapshots."""
        return dict(vars(self.runs))

    def restore(self, state: dict[str, NDArray[Any]]) -> None:
        """Become what `state` gave."""
        self.runs = Runs(**state)

    def put(self, devices: NDArray[np.int64], state: dict[str, NDArray[Any]]) -> None:
        """Become what `state` gave as far as some devices are concerned."""
        self.runs = self.runs.with_those_of(Runs(**state), devices)

    def open_on(self, devices: NDArray[np.int64]) -> set[int]:
        """Those of the devices that have an open episode."""
        return self.runs.open_on(devices)


def _marked(row: NDArray[np.int64], rows: Rows) -> Flags:
    """bool[k]: true at some of the rows."""
    found = np.zeros(len(rows), dtype=np.bool_)
    found[row] = True
    return found


def _conditions(tree: Node | None) -> tuple[Node, ...]:
    """What must hold, all of it."""
    if tree is None:
        return ()
    return tree.parts if isinstance(tree, And) else (tree,)


def _compiled(tree: Node | None) -> TruthOf | None:
    return None if tree is None else compile_truth(tree)


def events_of(
    rule: Rule, inputs: Inputs, marks: Marks, words: tuple[str, str], told: list[str], params: dict[str, Param]
) -> list[Event]:
    """One event for each mark; `words` are what it is called when it does not open, and when it does."""
    if not len(marks):
        return []
    rows, row = inputs.rows, marks.row
    some = inputs.some(row)
    seen = {name: some.column(name).tolist() for name in told if name != "value"}
    seen |= {
        name: (param[rows.device[row]].tolist() if isinstance(param, np.ndarray) else [float(param)] * len(row))
        for name, param in params.items()
        if told
    }
    columns = zip(
        rows.known_ms[row].tolist(),
        rows.device[row].tolist(),
        marks.opens.tolist(),
        rows.t_ms[row].tolist(),
        rows.received_ms[row].tolist(),
        marks.since_ms.tolist(),
        strict=True,
    )
    return [
        Event(known, rule.name, device, words[opens], t, received, since, {name: seen[name][at] for name in seen})
        for at, (known, device, opens, t, received, since) in enumerate(columns)
    ]


def reported(rule: Rule) -> list[str]:
    """The names of what devices report that a rule looks at: what evidence shows."""
    used = {name for tree in trees_of(rule) for name in names(tree)} | set(rule.values)
    return sorted(name for name in used if any(name in VALUES[kind] for kind in rule.device_kinds))
