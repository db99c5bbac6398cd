"""Snow and ice on the sensors of a car park: most of its bays become occupied within the hour, whatever stands there.

It snows when it freezes, at any hour, every week or so. A covered sensor sees nothing of the cars that come and go; it
sees again when the snow has melted or been cleared, not all at the same minute. No snow falls in the first eight days:
what is usual at a car park nobody can know then.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from firmware_sim.physics.faults import Fault
from firmware_sim.physics.plan import DAY_MS, HOUR_MS, MINUTE_MS, Doubles, Instants, Numbers, Plan
from firmware_sim.physics.stays import Changes, sorted_changes

SNOW_C = 0.5
FIRST_DAYS = 8.0
EVERY_DAYS = (4.0, 9.0)
SITES_SHARE = 0.6
COVERED_SHARE = 0.75
COVERED_MIN, CLEARED_MIN = 50.0, 90.0
LIES_H = (8.0, 18.0)
SEEN_SHARE = 0.4
"""It can be seen once so many of a car park's bays have become occupied by it. (Shared knowledge, domain A7.)"""


@dataclass(frozen=True)
class Covered:
    """Sensors under snow: which bay, from when to when, and by which snowfall."""

    bay: Numbers
    begin_ms: Instants
    end_ms: Instants
    fall: Numbers


def draw_snow(plan: Plan, site: Numbers, outdoor_c: Doubles, rng: np.random.Generator) -> list[Fault]:
    """The snowfalls, one fault for each car park that they hit; `rows` are all its bays."""
    times = plan.start_ms + np.arange(plan.slots) * plan.interval_ms
    freezing = times[(outdoor_c < SNOW_C) & (times > plan.start_ms + FIRST_DAYS * DAY_MS)]
    falls: list[Fault] = []
    next_ms = 0.0
    while len(freezing := freezing[freezing >= next_ms]) and len(site) and plan.count("bay_snow"):
        near = freezing[freezing < freezing[0] + DAY_MS]
        start_ms = int(rng.choice(near))
        next_ms = start_ms + rng.uniform(*EVERY_DAYS) * DAY_MS
        for number in np.flatnonzero(rng.random(int(site.max()) + 1) < SITES_SHARE).tolist():
            rows = np.flatnonzero(site == number)
            end_ms = start_ms + int(rng.uniform(*LIES_H) * HOUR_MS)
            if end_ms + 2 * HOUR_MS < plan.end_ms:
                falls.append(Fault("bay_snow", f"site-{number}", rows, start_ms, end_ms))
    return falls


def covered_by(falls: list[Fault], rng: np.random.Generator) -> Covered:
    """Which sensors the snow covers, and from when to when."""
    bays, begins, ends, which = [np.zeros(0, np.int64)], [np.zeros(0)], [np.zeros(0)], [np.zeros(0, np.int64)]
    for number, fall in enumerate(falls):
        rows = fall.rows[rng.random(len(fall.rows)) < COVERED_SHARE]
        bays.append(rows)
        begins.append(fall.start_ms + rng.uniform(0, COVERED_MIN, len(rows)) * MINUTE_MS)
        ends.append((fall.end_ms or fall.start_ms) + rng.uniform(0, CLEARED_MIN, len(rows)) * MINUTE_MS)
        which.append(np.full(len(rows), number))
    begin_ms, end_ms = np.concatenate(begins).astype(np.int64), np.concatenate(ends).astype(np.int64)
    return Covered(np.concatenate(bays), begin_ms, end_ms, np.concatenate(which))


def snowed_in(told: Changes, true: Changes, falls: list[Fault], rng: np.random.Generator) -> Changes:
    """What covered sensors say; writes into each fault when it can first be seen."""
    under = covered_by(falls, rng)
    free = ~told.at(under.bay, under.begin_ms)
    for number, fall in enumerate(falls):
        turned = np.sort(under.begin_ms[free & (under.fall == number)])
        needed = int(np.ceil(SEEN_SHARE * len(fall.rows)))
        fall.observable_ms = int(turned[needed - 1]) if len(turned) >= needed else None
    first, last = told.place(under.bay, under.begin_ms) + 1, told.place(under.bay, under.end_ms) + 1
    ends = np.zeros(len(told.bay) + 1, np.int64)
    np.add.at(ends, first, 1)
    np.add.at(ends, last, -1)
    seen = np.cumsum(ends)[:-1] == 0
    leaves = ~true.at(under.bay, under.end_ms)
    on, off = np.ones(int(free.sum()), np.bool_), np.zeros(int(leaves.sum()), np.bool_)
    return sorted_changes(
        np.concatenate([told.bay[seen], under.bay[free], under.bay[leaves]]),
        np.concatenate([told.t_ms[seen], under.begin_ms[free], under.end_ms[leaves]]),
        np.concatenate([told.occupied[seen], on, off]),
    )
