"""Bays that feel the car beside them: a weak sensor, a steel plate, a car that stands askew.

Two ways. `passing`: who drives into the bay beside it or out of it comes over this one, for one or two minutes.
`stray`: the field of the parked car reaches over for as long as it stands. Not every car is felt, and what two sensors
say of one car lies a few seconds apart, the one or the other first.
"""

from __future__ import annotations

import numpy as np

from firmware_sim.physics.faults import Fault
from firmware_sim.physics.plan import SECOND_MS, Flags, Instants, Numbers, Plan
from firmware_sim.physics.stays import Changes, sorted_changes

WAYS = ("passing", "passing", "stray")
FELT_SHARE = (0.55, 1.0)
APART_MS = 4 * SECOND_MS
PASSING_S = (20.0, 90.0)


def coupled(plan: Plan, told: Changes, true: Changes, fault: Fault, rng: np.random.Generator) -> Changes:
    """What the disturbed bay `rows[0]` says, of the cars of `rows[1]` as well; writes into the fault when it shows."""
    row, beside = (int(one) for one in fault.rows)
    begin, end = _felt(true, beside, fault, plan, rng)
    own = told.bay == row
    from_ms, to_ms = _stays(told.t_ms[own], told.occupied[own])
    free = ~told.at(np.full(len(begin), row), begin - APART_MS)
    fault.observable_ms = int(begin[free].min()) if free.any() else None
    t_ms, occupied = _either(np.concatenate([from_ms, begin]), np.concatenate([to_ms, end]))
    return sorted_changes(
        np.concatenate([told.bay[~own], np.full(len(t_ms), row)]),
        np.concatenate([told.t_ms[~own], t_ms]),
        np.concatenate([told.occupied[~own], occupied]),
    )


def _felt(true: Changes, beside: int, fault: Fault, plan: Plan, rng: np.random.Generator) -> tuple[Instants, Instants]:
    """When the disturbed sensor begins and ends to see a car that stands or moves beside it."""
    mine = true.bay == beside
    moves, arrives = true.t_ms[mine], true.occupied[mine]
    felt = (moves >= fault.start_ms) & (moves < fault.until_ms(plan.end_ms)) & (rng.random(len(moves)) < fault.size)
    begin = moves + rng.integers(-APART_MS, APART_MS, len(moves))
    if fault.variant == "passing":
        lasts = rng.uniform(*PASSING_S, len(moves)) * SECOND_MS
        return begin[felt], (begin + lasts.astype(np.int64))[felt]
    arrival = np.flatnonzero(felt & arrives)
    arrival = arrival[arrival + 1 < len(moves)]
    return begin[arrival], begin[arrival + 1]


def _stays(t_ms: Instants, occupied: Flags) -> tuple[Instants, Instants]:
    """From when to when a bay is occupied; the last stay may be open."""
    begins = np.flatnonzero(occupied)
    ends = np.append(t_ms, 2**41)[begins + 1]
    return t_ms[begins], ends


def _either(begin: Instants, end: Instants) -> tuple[Instants, Flags]:
    """The changes of a state that is on while any of several spans lasts."""
    t_ms = np.concatenate([begin, end])
    steps: Numbers = np.concatenate([np.ones(len(begin), np.int64), np.full(len(end), -1)])
    order = np.lexsort((-steps, t_ms))
    t_ms, level = t_ms[order], np.cumsum(steps[order])
    before = level - steps[order]
    changes = ((before == 0) & (level == 1)) | ((before == 1) & (level == 0))
    changes &= t_ms < 2**41
    return t_ms[changes], level[changes] > 0
