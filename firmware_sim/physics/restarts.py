"""Bay sensors that start anew: once in a while a healthy one, again and again a faulty one.

A sensor tells of its start, and in its heartbeats how long it has been up. Until it has found its zero again it takes
an empty bay for an occupied one: minutes, and then it says that the car is gone that never was there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from firmware_sim.physics.faults import Fault
from firmware_sim.physics.plan import DAY_MS, MINUTE_MS, SECOND_MS, Doubles, Instants, Numbers, Plan
from firmware_sim.physics.stays import KEY_MS, Changes, sorted_changes

RESTARTS_PER_DAY = 0.01
KEEPS_RESTARTING_PER_DAY = (6.0, 60.0)
GHOST_MIN = (2.0, 10.0)
GHOST_SHARE = 0.8
"""So many starts over an empty bay bring forth a car."""
UP_DAYS_MAX = 400.0


@dataclass(frozen=True)
class Restarts:
    """Starts by bay and time; `up_since_ms` for each bay when it started before the play."""

    bay: Numbers
    t_ms: Instants
    up_since_ms: Instants

    def uptime_s(self, bay: Numbers, t_ms: Instants) -> Doubles:
        """How long these bays have been up at these instants, in whole seconds."""
        keys = self.bay * KEY_MS + self.t_ms % KEY_MS
        at = np.searchsorted(keys, bay * KEY_MS + t_ms % KEY_MS, side="right") - 1
        known = (at >= 0) & (self.bay[at] == bay) if len(self.bay) else np.zeros(len(bay), np.bool_)
        since_ms = np.where(known, self.t_ms[at] if len(self.t_ms) else 0, self.up_since_ms[bay])
        return np.asarray((t_ms - since_ms) // SECOND_MS, np.float64)


def draw_restarts(plan: Plan, bays: int, happenings: list[Fault], rng: np.random.Generator) -> Restarts:
    """All starts of the play: one of each event `bay_restart`, many of each fault `bay_reboot`."""
    parts = [np.zeros((0, 2), np.int64)]
    for fault in happenings:
        row = int(fault.rows[0])
        if fault.name == "bay_restart":
            parts.append(np.array([[row, fault.start_ms]]))
        elif fault.name == "bay_reboot":
            last_ms = fault.until_ms(plan.end_ms)
            count = 1 + rng.poisson(fault.size * (last_ms - fault.start_ms) / DAY_MS)
            times = np.sort(rng.integers(fault.start_ms, last_ms, count))
            fault.observable_ms = int(times[0])
            parts.append(np.stack([np.full(count, row), times], axis=1))
    rows = np.concatenate(parts)
    rows = rows[np.lexsort((rows[:, 1], rows[:, 0]))]
    rows = rows[np.append(True, (np.diff(rows[:, 0]) != 0) | (np.diff(rows[:, 1]) > MINUTE_MS))[: len(rows)]]
    up_since_ms = plan.start_ms - (rng.uniform(0.1, UP_DAYS_MAX, bays) * DAY_MS).astype(np.int64)
    return Restarts(rows[:, 0], rows[:, 1], up_since_ms)


def with_ghosts(told: Changes, restarts: Restarts, rng: np.random.Generator) -> Changes:
    """The changes with the cars that were not there after starts over empty bays."""
    bay, start_ms = restarts.bay, restarts.t_ms
    ghost_ms = (rng.uniform(*GHOST_MIN, len(bay)) * MINUTE_MS).astype(np.int64)
    next_ms = np.where(np.append(bay[1:] != bay[:-1], True), 2**62, np.append(start_ms[1:], 2**62))[: len(bay)]
    begin = start_ms + rng.integers(2, 20, len(bay)) * SECOND_MS
    end = np.minimum(begin + ghost_ms, next_ms - SECOND_MS)
    empty = ~told.at(bay, start_ms) & (told.place(bay, start_ms) == told.place(bay, end)) & (begin < end)
    empty &= rng.random(len(bay)) < GHOST_SHARE
    bay, times = np.tile(bay[empty], 2), np.concatenate([begin[empty], end[empty]])
    on = np.repeat([True, False], int(empty.sum()))
    return sorted_changes(
        np.concatenate([told.bay, bay]), np.concatenate([told.t_ms, times]), np.concatenate([told.occupied, on])
    )
