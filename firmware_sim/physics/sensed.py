"""What bay sensors make of the cars: sticking, flapping, neighbours that shine through, restarts, snow."""

from __future__ import annotations

import numpy as np

from firmware_sim.physics.coupling import FELT_SHARE, WAYS, coupled
from firmware_sim.physics.faults import Fault, Sort, draw_times
from firmware_sim.physics.plan import (
    BAY_FAULTS,
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    SECOND_MS,
    USUAL_BAYS,
    Doubles,
    Numbers,
    Plan,
)
from firmware_sim.physics.restarts import KEEPS_RESTARTING_PER_DAY, RESTARTS_PER_DAY, Restarts, with_ghosts
from firmware_sim.physics.snow import draw_snow, snowed_in
from firmware_sim.physics.stays import Changes, sorted_changes

SORTS = {
    "bay_stuck": Sort(9.0),
    "bay_flapping": Sort(0.2, lasts_h=(6, 96)),
    "bay_neighbour": Sort(20.0, FELT_SHARE, WAYS),
    "bay_reboot": Sort(1.0, KEEPS_RESTARTING_PER_DAY),
    "battery_low": Sort(6.0, (3.0, 12.0)),
    "silent": Sort(1.0),
}


def draw_bay_faults(
    plan: Plan, site: Numbers, ids: list[str], true: Changes, outdoor_c: Doubles, rng: np.random.Generator
) -> tuple[list[Fault], list[Fault]]:
    """Faults on distinct bays and snow on car parks; and single restarts, which are none."""
    bays = rng.permutation(len(site)).tolist()
    wanted = {name: plan.count(name) for name in BAY_FAULTS if name in SORTS}
    wanted["battery_low"] = round(plan.counts.get("battery_low", 0) * len(site) / USUAL_BAYS / 2)
    wanted["silent"] = round(plan.counts.get("silent", 0) * len(site) / USUAL_BAYS / 4)
    faults: list[Fault] = []
    for name, count in wanted.items():
        for _ in range(min(count, len(bays) // 2)):
            rows = _pair(bays, site) if name == "bay_neighbour" else [bays.pop()]
            if rows:
                faults.append(_fault(name, rows, ids, plan, true, rng))
    faults += draw_snow(plan, site, outdoor_c, rng)
    if not plan.events:
        return faults, []
    events = []
    for bay in rng.choice(len(site), rng.poisson(RESTARTS_PER_DAY * len(site) * plan.days)).tolist():
        start_ms = plan.start_ms + int(rng.uniform(0, plan.days) * DAY_MS)
        events.append(Fault("bay_restart", ids[bay], np.array([bay]), start_ms, start_ms + 10 * MINUTE_MS))
    return faults, events


def _pair(bays: list[int], site: Numbers) -> list[int]:
    """The next bay without a fault whose neighbour has none either, and that; they are taken off the list."""
    free = set(bays)
    for bay in reversed(bays):
        for beside in (bay + 1, bay - 1):
            if beside in free and site[beside] == site[bay]:
                bays.remove(bay)
                bays.remove(beside)
                return [bay, beside]
    return []


def _fault(name: str, rows: list[int], ids: list[str], plan: Plan, true: Changes, rng: np.random.Generator) -> Fault:
    sort = SORTS[name]
    start_ms, end_ms = draw_times(sort, plan, rng)
    low, high = sort.sizes
    size = float(np.exp(rng.uniform(np.log(low), np.log(high)))) if low else 0.0
    seen_ms = true.next_ms(rows[0], start_ms) if name == "bay_stuck" else start_ms
    fault = Fault(name, ids[rows[0]], np.array(rows), start_ms, end_ms, size, observable_ms=seen_ms)
    fault.variant = str(rng.choice(sort.variants))
    return fault


def reported_changes(
    plan: Plan, true: Changes, happenings: list[Fault], restarts: Restarts, rng: np.random.Generator
) -> Changes:
    """The changes the sensors report; those of a second or less apart are seen all the same."""
    told = true
    for event in happenings:
        if event.name == "bay_neighbour":
            told = coupled(plan, told, true, event, rng)
    told = with_ghosts(told, restarts, rng)
    told = snowed_in(told, true, [event for event in happenings if event.name == "bay_snow"], rng)
    for event in happenings:
        if event.name == "bay_flapping":
            told = _flapping(plan, told, event, rng)
    for event in happenings:
        if event.name == "bay_stuck":
            told = _held(told, true, int(event.rows[0]), event.start_ms, event.end_ms, None)
    return told


def _held(told: Changes, true: Changes, row: int, start_ms: int, end_ms: int | None, as_state: bool | None) -> Changes:
    """The bay keeps a state (None = the one it has) until the end, then it sees again."""
    last_ms = 2**41 if end_ms is None else end_ms
    hidden = (told.bay == row) & (told.t_ms >= start_ms) & (told.t_ms < last_ms)
    rest = Changes(told.bay[~hidden], told.t_ms[~hidden], told.occupied[~hidden])
    times, states = [], []
    bay = np.array([row])
    before = bool(rest.at(bay, np.array([start_ms]))[0])
    if as_state is not None and as_state != before:
        times.append(start_ms)
        states.append(as_state)
    if end_ms is not None:
        now = bool(true.at(bay, np.array([end_ms]))[0])
        if now != (before if as_state is None else as_state):
            times.append(end_ms)
            states.append(now)
    return _with(rest, row, times, states)


def _flapping(plan: Plan, told: Changes, fault: Fault, rng: np.random.Generator) -> Changes:
    """Spells of ten minutes and more, an hour or two apart, in which the state flips each half minute or so."""
    row, now_ms, last_ms = int(fault.rows[0]), fault.start_ms, fault.until_ms(plan.end_ms)
    times: list[int] = []
    states: list[bool] = []
    while now_ms < last_ms:
        flips = 2 * int(rng.integers(12, 40))
        spell = now_ms + np.cumsum(rng.uniform(12, 45, flips) * SECOND_MS).astype(np.int64)
        true = bool(told.at(np.array([row]), np.array([now_ms]))[0])
        times += spell.tolist()
        states += [bool(number % 2) == true for number in range(flips)]
        now_ms = int(spell[-1]) + int(rng.uniform(0.5, 3) * HOUR_MS)
    return _with(told, row, times, states)


def _with(told: Changes, row: int, times: list[int], states: list[bool]) -> Changes:
    if not times:
        return told
    bay = np.concatenate([told.bay, np.full(len(times), row)])
    t_ms = np.concatenate([told.t_ms, np.array(times, np.int64)])
    return sorted_changes(bay, t_ms, np.concatenate([told.occupied, np.array(states, np.bool_)]))
