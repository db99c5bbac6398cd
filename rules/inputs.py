"""The columns that expressions are evaluated on: what was reported, what the inventory says, what follows from both."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.kinds import KIND_NUMBER
from rules.feeders import Feeders
from rules.fleet import MIN_W_SHARE, Fleet
from rules.latest import NEVER_MS
from rules.localtime import local_hour
from rules.memories import FROZEN, Memories, kept_key
from rules.memory import Past
from rules.neighbours import FUNCTIONS as ASKED
from rules.nights import Nights, Told
from rules.nominal import Nominal
from rules.reference import Reference
from rules.rows import Rows
from rules.seats import Seated

Numbers = NDArray[np.float64]

SETTLED_S = 900.0
"""Discharge lamps take minutes to run up: what is drawn earlier is no habit. (Shared knowledge, domain A3.)"""
FROZEN_S = 1500.0
USUAL_V = (214.0, 246.0)
"""What a choke draws at other voltages is no habit either."""
HOUR_MS = 3_600_000.0


class Inputs:
    """A piece of rows of devices of one kind; making it advances the memories, once for each piece."""

    def __init__(self, rows: Rows, fleet: Fleet, nights: Nights, feeders: Feeders, memories: Memories) -> None:
        self.rows = rows
        self.fleet = fleet
        self.nights = nights
        self.feeders = feeders
        self._memories = memories
        self._columns: dict[str, Numbers] = {}
        self._calls: dict[tuple[str, str, float], Numbers] = {}
        self._pasts: dict[tuple[str, str, int], Past] = {}
        interval_ms = fleet.interval_ms[rows.device]
        self._same = {
            key: same.memory.take(same.seats.rows(rows), [rows.column(name) for name in key], interval_ms)
            for key, same in memories.frozen.items()
            if self._concerns(same) and any(name in rows.values for name in key)
        }
        for key, kept in memories.kept.items():
            if self._concerns(kept):
                self._pasts[key] = kept.memory.take(kept.seats.rows(rows), rows.column(key[1]))
        self._advance(memories)

    def _concerns(self, memory: Seated[Any]) -> bool:
        """Whether a memory is for devices of this kind."""
        kind = memory.seats.kind
        return kind is None or (len(self.rows) > 0 and self.fleet.kind[self.rows.device[0]] == KIND_NUMBER[kind])

    def _advance(self, memories: Memories) -> None:
        tilt, stays, reference = memories.tilt, memories.stays, memories.reference
        if tilt is not None and self._concerns(tilt) and "tilt_deg" in self.rows.values:
            rows = tilt.seats.rows(self.rows)
            self._columns["tilt_change_deg"] = tilt.memory.take(rows, self.rows.column("tilt_deg"))
        if stays is not None and self._concerns(stays) and "occupied" in self.rows.values:
            usual_s, stay_s = stays.memory.take(stays.seats.rows(self.rows), self.rows.column("occupied"))
            self._columns |= {"usual_stay_s": usual_s, "stay_s": stay_s}
        if memories.starts is not None and self._concerns(memories.starts):
            rows = memories.starts.seats.rows(self.rows)
            self._columns["starts"] = memories.starts.memory.take(rows, self.rows.column("uptime_s"))
        if memories.miscount is not None and self._concerns(memories.miscount):
            rows = memories.miscount.seats.rows(self.rows)
            found = memories.miscount.memory.take(rows, self.fleet.watched[self.rows.device])
            self._columns |= dict(zip(("miscount", "miscount_sigma"), found, strict=True))
        if self._concerns(memories.nominal) and "power_w" in self.rows.values:
            self._columns["full_w"] = self._full_w(memories.nominal)
        if reference is not None and self._concerns(reference) and "power_w" in self.rows.values:
            self._columns["reference_w"] = self._reference_w(reference)

    def _full_w(self, nominal: Seated[Nominal]) -> Numbers:
        """The inventory's nominal power, or what a lamp without one has been seen to draw."""
        told = self.fleet.nominal_w[self.rows.device]
        row = np.flatnonzero(np.isnan(told))
        if not len(row):
            return told
        some = self.some(row)
        with np.errstate(all="ignore"):
            commanded = some.column("commanded_pct")
            settled = (commanded >= some.column("min_dim_pct")) & (some.told.since_step_s > SETTLED_S)
            said = np.where(
                settled, some.column("power_w") / (MIN_W_SHARE + (1 - MIN_W_SHARE) * some.dim_share()), np.nan
            )
        told = told.copy()
        told[row] = nominal.memory.take(nominal.seats.rows(some.rows), some.night, said)
        return told

    def dim_share(self) -> Numbers:
        """f8[k]: how far the commanded step is from the lowest to 100 %, 0..1."""
        low_pct = self.fleet.min_dim_pct[self.rows.device]
        share: Numbers = np.clip((self.column("commanded_pct") - low_pct) / np.maximum(100.0 - low_pct, 1.0), 0.0, 1.0)
        return share

    def _reference_w(self, reference: Seated[Reference]) -> Numbers:
        commanded, expected = self.column("commanded_pct"), self.column("expected_w")
        with np.errstate(all="ignore"):
            volts = self.column("voltage_v")
            settled = (expected > 0) & (self.told.since_step_s > SETTLED_S) & (self.same_s(FROZEN) < FROZEN_S)
            settled &= np.isnan(volts) | ((volts > USUAL_V[0]) & (volts < USUAL_V[1]))
            share = np.where(settled, self.column("power_w") / expected, np.nan)
        rows = reference.seats.rows(self.rows)
        return reference.memory.take(rows, self.night, share, commanded) * expected

    @cached_property
    def told(self) -> Told:
        """What the profiles tell."""
        return self.nights.at(self.rows.device, self.rows.t_ms)

    @cached_property
    def night(self) -> NDArray[np.int32]:
        """i4[k]: the night of each row."""
        return self.nights.night(self.rows.t_ms)

    def some(self, rows: NDArray[np.int64]) -> SomeInputs:
        """The same columns for some of the rows; what has not been worked out for all is worked out for these."""
        return SomeInputs(self, rows)

    def known(self, name: str) -> Numbers | None:
        """f8[k]: a column that has been worked out already."""
        return self._columns.get(name)

    def same_s(self, values: tuple[str, ...]) -> Numbers:
        """f8[k]: for how long these values have been identical."""
        found = self._same.get(values)
        return np.zeros(len(self.rows)) if found is None else found

    def column(self, name: str) -> Numbers:
        """f8[k]: a reported value, a number of the inventory, or what follows; NaN = not known."""
        found = self._columns.get(name)
        if found is None:
            found = self._columns[name] = self._make(name)
        return found

    def _make(self, name: str) -> Numbers:
        if name in DERIVED:
            return DERIVED[name](self)
        if name in self.fleet.attributes:
            return self.fleet.attributes[name][self.rows.device]
        return self.rows.column(name)

    def call(self, function: str, name: str, argument: float) -> Numbers:
        """f8[k]: a function of what was before, or of what the neighbours say."""
        found = self._calls.get((function, name, argument))
        if found is None:
            found = self._calls[function, name, argument] = self._call(function, name, argument)
        return found

    def _call(self, function: str, name: str, argument: float) -> Numbers:
        if function in ASKED:
            return self._ask_neighbours(function, name, argument)
        past = self._pasts.get(kept_key(function, name, argument))
        found = np.full(len(self.rows), np.nan)
        if past is not None:
            now = np.flatnonzero(past.row >= 0)
            found[past.row[now]] = CALLS[function](past, argument)[now]
        return found

    def _ask_neighbours(self, function: str, name: str, argument: float) -> Numbers:
        key = f"{function}({name}, {argument})"
        if key not in self._columns:
            assert self._memories.neighbours is not None, "the court looks for such calls"
            self._columns[key] = self._memories.neighbours.ask(self.rows, function, name, argument)
        return self._columns[key]

    def _expected_w(self) -> Numbers:
        device, full_w = self.rows.device, self.column("full_w")
        low_w = self.fleet.min_w[device]
        low_w = np.minimum(np.where(np.isnan(low_w), full_w * MIN_W_SHARE, low_w), full_w)
        is_off = self.column("commanded_pct") < self.fleet.min_dim_pct[device]
        return np.where(is_off, 0.0, low_w + (full_w - low_w) * self.dim_share())

    def _feed_w(self) -> Numbers:
        phases = np.stack([self.column(f"power_l{phase}_w") for phase in (1, 2, 3)])
        found: Numbers = np.where(np.isnan(phases).all(axis=0), np.nan, np.nansum(phases, axis=0))
        return found

    def _commanded_pct(self) -> Numbers:
        told = self.column("dim_pct")
        missing = np.isnan(told)
        return np.where(missing, self.told.dim_pct, told) if missing.any() else told


class SomeInputs(Inputs):
    """Some rows of a piece whose memories have been advanced already."""

    def __init__(self, whole: Inputs, chosen: NDArray[np.int64]) -> None:
        self.whole = whole
        self.chosen = chosen
        self.rows = whole.rows.times_of(chosen)
        self.fleet, self.nights, self.feeders = whole.fleet, whole.nights, whole.feeders
        self._memories = whole._memories
        self._columns: dict[str, Numbers] = {}

    def _make(self, name: str) -> Numbers:
        known = self.whole.known(name)
        if known is not None:
            return known[self.chosen]
        if name in DERIVED or name in self.fleet.attributes:
            return super()._make(name)
        return self.whole.rows.column(name)[self.chosen]

    def same_s(self, values: tuple[str, ...]) -> Numbers:
        """f8[k]: for how long these values have been identical."""
        return self.whole.same_s(values)[self.chosen]

    def call(self, function: str, name: str, argument: float) -> Numbers:
        """f8[k]: a function of what was before, or of what the neighbours say."""
        if function in ASKED:
            return self._ask_neighbours(function, name, argument)
        return self.whole.call(function, name, argument)[self.chosen]


DERIVED: dict[str, Callable[[Inputs], Numbers]] = {
    "commanded_pct": Inputs._commanded_pct,
    "profile_pct": lambda inputs: inputs.told.dim_pct,
    "steady_s": lambda inputs: inputs.told.since_step_s,
    "switch_s": lambda inputs: inputs.told.to_step_s,
    "expected_w": Inputs._expected_w,
    "full_w": lambda inputs: inputs.fleet.nominal_w[inputs.rows.device],
    "frozen_s": lambda inputs: inputs.same_s(FROZEN),
    "sun_deg": lambda inputs: inputs.nights.sun_deg(inputs.rows.device, inputs.rows.t_ms),
    "feed_w": Inputs._feed_w,
    "lamps_w": lambda inputs: inputs.feeders.lamps_w(inputs.rows.device, inputs.rows.t_ms, inputs.nights),
    "lamps_full_w": lambda inputs: inputs.feeders.lamps_full_w(inputs.rows.device),
    "hour_h": lambda inputs: local_hour(inputs.rows.t_ms),
}


def _delta(past: Past, argument: float) -> Numbers:
    return past.value - past.back(1)


def _rate(past: Past, argument: float) -> Numbers:
    with np.errstate(all="ignore"):
        found: Numbers = (past.value - past.back(1)) / ((past.t_ms - past.back_ms(1)) / HOUR_MS)
    return found


def _gap(past: Past, argument: float) -> Numbers:
    t_ms = past.back_ms(1)
    found: Numbers = np.where(t_ms == NEVER_MS, np.nan, (past.t_ms - t_ms) / 1000.0)
    return found


def _median(past: Past, argument: float) -> Numbers:
    window = np.stack([past.value, *(past.back(back) for back in range(1, int(argument)))])
    window.sort(axis=0)  # what is not known goes to the end
    known = np.sum(~np.isnan(window), axis=0)
    middle = np.arange(len(past.value))
    found: Numbers = (window[(known - 1) // 2, middle] + window[known // 2, middle]) / 2
    return found


def _changed(past: Past) -> NDArray[np.bool_]:
    before = past.back(1)
    changed: NDArray[np.bool_] = (past.row < 0) | np.isnan(before) | (before != past.value)
    return changed


def _age(past: Past, argument: float) -> Numbers:
    newest = np.maximum.accumulate(np.where(_changed(past), np.arange(len(past.row)), 0))
    age_s: Numbers = (past.t_ms - past.t_ms[newest]) / 1000.0
    return age_s


def _changes(past: Past, span_s: float) -> Numbers:
    if not len(past.row):
        return np.zeros(0)
    before = past.back(1)
    count = np.cumsum(_changed(past) & ~np.isnan(before))
    origin, span_ms = int(past.t_ms.min()), int(span_s * 1000)
    width = int(past.t_ms.max()) - origin + span_ms + 2
    key = past.device * width + (past.t_ms - origin)
    first = np.searchsorted(key, np.maximum(key - span_ms, past.device * width), side="right")
    found: Numbers = (count - np.append(0, count)[first]).astype(np.float64)
    return found


CALLS: dict[str, Callable[[Past, float], Numbers]] = {
    "delta": _delta,
    "rate": _rate,
    "gap": _gap,
    "age": _age,
    "changes": _changes,
    "median_of": _median,
}
