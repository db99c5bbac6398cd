"""What bay sensors make of the cars: sticking, flapping, neighbours that shine through, restarts, snow."""

from __future__ import annotations

import numpy as np

from firmware_sim.physics.faults import Fault, Sort, draw_times
from firmware_sim.physics.plan import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, USUAL_BAYS, Doubles, Numbers, Plan
from firmware_sim.physics.stays import Changes, sorted_changes

SORTS = {
    "bay_stuck": Sort(9.0),
    "bay_flapping": Sort(0.2, lasts_h=(6, 96)),
    "battery_low": Sort(6.0),
    "silent": Sort(1.0),
}
SNOW_C = 0.5
SNOWED_SHARE = 0.75
INTERFERED_SHARE = 0.04
RESTARTS_PER_DAY = 0.01


def draw_bay_faults(
    plan: Plan, site: Numbers, ids: list[str], true: Changes, outdoor_c: Doubles, rng: np.random.Generator
) -> tuple[list[Fault], list[Fault]]:
    """Faults on distinct bays; and snow, interference and restarts, which are none."""
    bays = rng.permutation(len(site)).tolist()
    wanted = {name: plan.count(name) for name in ("bay_stuck", "bay_flapping")}
    wanted["battery_low"] = round(plan.counts.get("battery_low", 0) * len(site) / USUAL_BAYS / 2)
    wanted["silent"] = round(plan.counts.get("silent", 0) * len(site) / USUAL_BAYS / 4)
    faults = []
    for name, count in wanted.items():
        for _ in range(min(count, len(bays) // 2)):
            bay = bays.pop()
            start_ms, end_ms = draw_times(SORTS[name], plan, rng)
            seen_ms = true.next_ms(bay, start_ms) if name == "bay_stuck" else start_ms
            size = float(rng.uniform(3, 12))
            faults.append(Fault(name, ids[bay], np.array([bay]), start_ms, end_ms, size, observable_ms=seen_ms))
    if not plan.events:
        return faults, []
    events = _snow(plan, site, outdoor_c, rng)
    pairs = [bay for bay in bays if bay + 1 < len(site) and site[bay] == site[bay + 1]]
    for bay in pairs[: round(len(site) * INTERFERED_SHARE)]:
        events.append(Fault("interference", ids[bay], np.array([bay]), plan.start_ms, plan.end_ms))
    for bay in rng.choice(len(site), rng.poisson(RESTARTS_PER_DAY * len(site) * plan.days)).tolist():
        start_ms = plan.start_ms + int(rng.uniform(0, plan.days) * DAY_MS)
        events.append(Fault("bay_restart", ids[bay], np.array([bay]), start_ms, start_ms + 10 * MINUTE_MS))
    return faults, events


def _snow(plan: Plan, site: Numbers, outdoor_c: Doubles, rng: np.random.Generator) -> list[Fault]:
    """On one of the first freezing mornings, on half of the car parks."""
    times = plan.start_ms + np.arange(plan.slots) * plan.interval_ms
    freezing = times[(outdoor_c < SNOW_C) & (times % DAY_MS // HOUR_MS == 4) & (times < plan.end_ms - 2 * DAY_MS)]
    if not len(freezing) or not len(site):
        return []
    start_ms = int(rng.choice(freezing))
    snowed = [
        np.flatnonzero(site == number)
        for number in rng.permutation(int(site.max()) + 1)[: (int(site.max()) + 2) // 2].tolist()
    ]
    end_ms = start_ms + int(rng.uniform(8, 18) * HOUR_MS)
    return [Fault("snow", f"site-{int(site[rows[0]])}", rows, start_ms, end_ms) for rows in snowed]


def reported_changes(
    plan: Plan, true: Changes, happenings: list[Fault], site: Numbers, rng: np.random.Generator
) -> Changes:
    """The changes the sensors report; those of a second or less apart are seen all the same."""
    told = true
    for event in happenings:
        if event.name == "snow":
            rows = event.rows[rng.random(len(event.rows)) < SNOWED_SHARE]
            for row in rows.tolist():
                told = _held(told, true, row, event.start_ms + int(rng.uniform(0, 50) * MINUTE_MS), event.end_ms, True)
        elif event.name == "interference":
            told = _shining_through(told, int(event.rows[0]), rng)
        elif event.name == "bay_flapping":
            told = _flapping(plan, told, event, rng)
        elif event.name == "bay_restart":
            told = _restarted(told, int(event.rows[0]), event.start_ms, rng)
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


def _shining_through(told: Changes, row: int, rng: np.random.Generator) -> Changes:
    """A free bay takes the car that manoeuvres next to it for its own, for a minute."""
    moves = told.t_ms[told.bay == row + 1]
    begin = moves + rng.integers(0, 5 * SECOND_MS, len(moves))
    end = begin + rng.integers(20 * SECOND_MS, 90 * SECOND_MS, len(moves))
    bay = np.full(len(moves), row)
    free = ~told.at(bay, begin) & ~told.at(bay, end)
    free &= np.diff(begin, prepend=0) > 3 * MINUTE_MS
    times = [*begin[free].tolist(), *end[free].tolist()]
    return _with(told, row, times, [True] * int(free.sum()) + [False] * int(free.sum()))


def _restarted(told: Changes, row: int, start_ms: int, rng: np.random.Generator) -> Changes:
    """After a restart an empty bay is taken for occupied until the sensor has found its zero."""
    end_ms = start_ms + int(rng.uniform(2, 10) * MINUTE_MS)
    free = ~told.at(np.array([row, row]), np.array([start_ms, end_ms]))
    return _with(told, row, [start_ms, end_ms], [True, False]) if free.all() else told


def _with(told: Changes, row: int, times: list[int], states: list[bool]) -> Changes:
    if not times:
        return told
    bay = np.concatenate([told.bay, np.full(len(times), row)])
    t_ms = np.concatenate([told.t_ms, np.array(times, np.int64)])
    return sorted_changes(bay, t_ms, np.concatenate([told.occupied, np.array(states, np.bool_)]))
