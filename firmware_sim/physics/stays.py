"""Cars that come and go: for each bay the instants at which its true state changes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from firmware_sim.physics.plan import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, Doubles, Flags, Instants, Numbers, Plan


@dataclass(frozen=True)
class Demand:
    """Who parks: arrivals per hour at a free bay from one hour of the day to another, and how long they stay."""

    name: str
    from_hour: int
    to_hour: int
    per_hour: float
    at_weekends: float
    stay_h: float
    spread: float


DEMANDS = (
    Demand("station", 5, 10, 0.5, 0.25, 8.0, 0.35),
    Demand("centre", 8, 18, 0.9, 0.6, 0.7, 0.8),
    Demand("residents", 14, 21, 0.35, 0.8, 9.5, 0.45),
    Demand("lake", 9, 17, 0.25, 2.5, 2.6, 0.5),
)
NIGHT_PER_HOUR = 0.012
IN_COMPANY_SHARE = 0.04
LONG_STAY_SHARE = 0.004
LONG_STAY_H = (18.0, 23.0)
KEY_MS = 1 << 42
"""Bays follow each other in one line of time with this distance, so that one search serves all."""


@dataclass(frozen=True)
class Changes:
    """True or reported changes of all bays, by bay and time: `occupied` is the state from `t_ms` on."""

    bay: Numbers
    t_ms: Instants
    occupied: Flags

    def place(self, bay: Numbers, t_ms: Instants) -> Numbers:
        """The place of the last change up to these instants, in the line of all bays; -1 = none."""
        return np.searchsorted(_keys(self.bay, self.t_ms), _keys(bay, t_ms), side="right") - 1

    def at(self, bay: Numbers, t_ms: Instants) -> Flags:
        """The state of these bays at these instants; free before the first change."""
        at = self.place(bay, t_ms)
        known = (at >= 0) & (self.bay[at] == bay)
        return np.asarray(known & self.occupied[at], np.bool_)

    def next_ms(self, bay: int, t_ms: int) -> int | None:
        """The first change of a bay after an instant; None when there is none."""
        own = self.t_ms[self.bay == bay]
        later = own[own > t_ms]
        return int(later[0]) if len(later) else None


def _keys(bay: Numbers, t_ms: Instants) -> Instants:
    return np.asarray(bay * KEY_MS + t_ms % KEY_MS, np.int64)


def sorted_changes(bay: Numbers, t_ms: Instants, occupied: Flags) -> Changes:
    """The changes in order."""
    order = np.lexsort((t_ms, bay))
    return Changes(bay[order], t_ms[order], occupied[order])


def draw_changes(plan: Plan, demand_of_bay: Numbers, rng: np.random.Generator) -> Changes:
    """The stays of all bays, from two days before the start on."""
    bays: list[Numbers] = []
    times: list[Instants] = []
    states: list[Flags] = []
    for number, demand in enumerate(DEMANDS):
        mine = np.flatnonzero(demand_of_bay == number)
        hours_ms, arrivals = _expected_arrivals(plan, demand)
        now_ms = np.full(len(mine), float(hours_ms[0]))
        while len(mine) and now_ms.min() < plan.end_ms:
            due = np.interp(now_ms, hours_ms, arrivals) + rng.standard_exponential(len(mine))
            arrive_ms = np.where(due < arrivals[-1], np.interp(due, arrivals, hours_ms), plan.end_ms + DAY_MS)
            stay_h = demand.stay_h * rng.lognormal(0.0, demand.spread, len(mine))
            stay_h = np.clip(stay_h, 0.05, 3.0 * demand.stay_h + 2.0)
            long = rng.random(len(mine)) < LONG_STAY_SHARE
            stay_h[long] = np.maximum(stay_h[long], rng.uniform(*LONG_STAY_H, int(long.sum())))
            now_ms = arrive_ms + stay_h * HOUR_MS
            bays += [mine, mine]
            times += [arrive_ms.astype(np.int64), now_ms.astype(np.int64)]
            states += [np.ones(len(mine), np.bool_), np.zeros(len(mine), np.bool_)]
    changes = sorted_changes(np.concatenate(bays), np.concatenate(times), np.concatenate(states))
    changes = _in_company(changes, demand_of_bay, rng)
    played = changes.t_ms < plan.end_ms
    return Changes(changes.bay[played], changes.t_ms[played], changes.occupied[played])


def _in_company(changes: Changes, demand_of_bay: Numbers, rng: np.random.Generator) -> Changes:
    """Two cars that belong together take bays side by side, seconds apart, where the next one is free for so long."""
    arrival = np.flatnonzero(changes.occupied[:-1] & (rng.random(len(changes.bay) - 1) < IN_COMPANY_SHARE))
    beside = changes.bay[arrival] + 1
    arrival = arrival[(beside < len(demand_of_bay))]
    beside = changes.bay[arrival] + 1
    apart_ms = rng.integers(-20 * SECOND_MS, 20 * SECOND_MS, (2, len(arrival)))
    begin, end = changes.t_ms[arrival] + apart_ms[0], changes.t_ms[arrival + 1] + apart_ms[1]
    fits = (changes.bay[arrival + 1] == changes.bay[arrival]) & (begin < end)
    fits &= demand_of_bay[beside] == demand_of_bay[changes.bay[arrival]]
    fits &= ~changes.at(beside, begin) & (changes.place(beside, begin) == changes.place(beside, end + 5 * MINUTE_MS))
    bay, times = np.tile(beside[fits], 2), np.concatenate([begin[fits], end[fits]])
    on = np.repeat([True, False], int(fits.sum()))
    return sorted_changes(
        np.concatenate([changes.bay, bay]),
        np.concatenate([changes.t_ms, times]),
        np.concatenate([changes.occupied, on]),
    )


def _expected_arrivals(plan: Plan, demand: Demand) -> tuple[Doubles, Doubles]:
    """Hours from two days before the start, and how many arrivals a bay that is always free expects until then."""
    hours_ms = np.arange(plan.start_ms - 2 * DAY_MS, plan.end_ms + DAY_MS, HOUR_MS, dtype=np.float64)
    hour = hours_ms // HOUR_MS % 24
    weekday = (hours_ms // DAY_MS + 3) % 7
    busy = (hour >= demand.from_hour) & (hour < demand.to_hour)
    rate = np.where(busy, demand.per_hour * np.where(weekday >= 5, demand.at_weekends, 1.0), NIGHT_PER_HOUR)
    return hours_ms, np.concatenate([[0.0], np.cumsum(rate)[:-1]])
