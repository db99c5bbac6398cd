"""Rules of kind `schedule`: they look at the mean of a value over each whole night, and count nights.

A night is judged when the first sample of the next one arrives; what is said of it is said as of the noon that ends it,
so silence after it does not count as a gap. Sums are whole thousandths, so that the pieces in which readings come make
no difference.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rules.evaluate import TRUE, compile_number, compile_truth
from rules.events import CALMS, CLOSES, OPENS, STIRS, Event
from rules.expression import names
from rules.fleet import Fleet
from rules.inputs import Inputs
from rules.judges import Flags, events_of
from rules.latest import grown
from rules.machine import Judged, Limits, Runs, advance, no_runs
from rules.nights import NO_NIGHT
from rules.rows import Rows, by_night, in_turns
from rules.rule_columns import Param, RuleColumns, params_of, selected
from rules.spec import Rule

SCALE = 1000
SAMPLES_MIN = 4
"""A night with fewer samples says nothing about its mean."""


class NightJudge:
    """n devices: `night` u2[n] being summed up, `total` i4[n], `count` u2[n]; and the runs of bad nights."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        assert rule.value is not None and rule.when is not None and rule.clears is not None, "rules.load sees to it"
        self._where = None if rule.where is None else compile_truth(rule.where)
        self._value = compile_number(rule.value)
        self._when, self._clear = compile_truth(rule.when), compile_truth(rule.clears)
        self.told = sorted(names(rule.value) - rule.params.keys())
        self.runs = no_runs()
        self.night = np.zeros(0, dtype=np.uint16)
        self.total = np.zeros(0, dtype=np.int32)
        self.count = np.zeros(0, dtype=np.uint16)

    def refresh(self, fleet: Fleet, today: date) -> None:
        """Take in an inventory, new or changed."""
        self.selected = selected(self.rule, fleet)
        self.params: dict[str, Param] = params_of(self.rule, fleet, today)
        self.night = grown(self.night, len(fleet), NO_NIGHT)
        self.total, self.count = grown(self.total, len(fleet), 0), grown(self.count, len(fleet), 0)
        self.limits = Limits(
            for_ms=self.rule.lasts.ms(fleet.interval_ms),
            samples=self.rule.min_samples,
            nights=self.rule.nights,
            max_gap_ms=self.rule.max_gap.ms(fleet.interval_ms),
            clear_ms=self.rule.lasts_clear.ms(fleet.interval_ms),
            clear_samples=self.rule.clear_samples,
        )

    def take(self, inputs: Inputs, may: Flags) -> list[Event]:
        """What follows from a piece of rows; `may` bool[k]: the device may be judged."""
        rows, columns = inputs.rows, RuleColumns(inputs, self.params)
        gate = may & self.selected[rows.device]
        if self._where is not None:
            gate &= self._where(columns) == TRUE
        value = np.where(gate, self._value(columns), np.nan)
        over, night, mean = self._sum_up(rows, inputs.night, value)
        if not len(over):
            return []
        judged_by = RuleColumns(inputs.some(over), self.params, mean)
        bad = self._when(judged_by) == TRUE
        good = ~bad & (self._clear(judged_by) == TRUE)
        told = np.flatnonzero(bad | good)
        ended_ms = inputs.nights.ended_ms(night[told])
        never = np.zeros(len(told), dtype=np.bool_)
        outcome = advance(self.runs, rows, Judged(over[told], ended_ms, bad[told], never, night[told]), self.limits)
        self.runs = outcome.runs
        found = events_of(self.rule, inputs, outcome.marks, (CLOSES, OPENS), self.told, self.params)
        at = dict(zip(over.tolist(), mean.tolist(), strict=True))
        for event, row in zip(found, outcome.marks.row.tolist(), strict=True):
            assert isinstance(event.values, dict)
            event.values["value"] = at[row]
        return found + events_of(self.rule, inputs, outcome.unrest, (CALMS, STIRS), [], self.params)

    def _sum_up(
        self, rows: Rows, night: NDArray[np.int32], value: NDArray[np.float64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float64]]:
        """(rows i8[m], nights i4[m], means f8[m]) of the nights that are over, at the first row of the next."""
        piece, first = by_night(rows.device, night)
        known = np.flatnonzero(~np.isnan(value))
        total = np.bincount(piece[known], np.rint(value[known] * SCALE), len(first)).astype(np.int32)
        count = np.bincount(piece[known], minlength=len(first)).astype(np.uint16)
        device = rows.device[first]
        found: list[tuple[NDArray[Any], ...]] = []
        for mine in in_turns(device):
            which = device[mine]
            another = self.night[which] != night[first[mine]]
            over = mine[another & (self.count[which] >= SAMPLES_MIN)]
            done = device[over]
            found.append(
                (first[over], self.night[done].astype(np.int32), self.total[done] / (self.count[done] * float(SCALE)))
            )
            self.total[which[another]], self.count[which[another]] = 0, 0
            self.night[which] = night[first[mine]]
            self.total[which] += total[mine]
            self.count[which] += count[mine]
        if not found:
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int32), np.zeros(0)
        row, nights, mean = (np.concatenate(column) for column in zip(*found, strict=True))
        order = np.argsort(row)
        return row[order], nights[order], mean[order]

    def forget(self, devices: NDArray[np.int64]) -> None:
        """As if these had never been judged."""
        self.runs = self.runs.without(devices)
        self.night[devices], self.total[devices], self.count[devices] = NO_NIGHT, 0, 0

    def put(self, devices: NDArray[np.int64], state: dict[str, NDArray[Any]]) -> None:
        """Become what `state` gave as far as some devices are concerned."""
        runs = {name.removeprefix("runs."): column for name, column in state.items() if name.startswith("runs.")}
        self.runs = self.runs.with_those_of(Runs(**runs), devices)
        self.night[devices], self.total[devices], self.count[devices] = NO_NIGHT, 0, 0
        known = devices[devices < len(state["night"])]
        self.night[known], self.total[known] = state["night"][known], state["total"][known]
        self.count[known] = state["count"][known]

    def open_on(self, devices: NDArray[np.int64]) -> set[int]:
        """Those of the devices that have an open episode."""
        return self.runs.open_on(devices)

    def state(self) -> dict[str, NDArray[Any]]:
        """The state as columns, for snapshots."""
        sums = {"night": self.night, "total": self.total, "count": self.count}
        return {**{f"runs.{name}": column for name, column in vars(self.runs).items()}, **sums}

    def restore(self, state: dict[str, NDArray[Any]]) -> None:
        """Become what `state` gave."""
        self.night, self.total, self.count = state["night"], state["total"], state["count"]
        runs = {name.removeprefix("runs."): column for name, column in state.items() if name.startswith("runs.")}
        self.runs = Runs(**runs)
