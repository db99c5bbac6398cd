"""Streets without controllers: a cabinet switches them all by its profile, and its meter is all there is to see.

Most German street lights are switched like this (shared knowledge, domain A4: group control at the cabinet).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from firmware_sim.outlines import TOWNS
from firmware_sim.physics.cabinet_faults import while_open
from firmware_sim.physics.faults import SORTS, Fault, draw_times
from firmware_sim.physics.inventory_rows import device_row
from firmware_sim.physics.mains import cabinet_volts
from firmware_sim.physics.nights import FULL_NIGHT, HALF_NIGHT, Nights, lay_out
from firmware_sim.physics.plan import DAY_MS, STREET_FAULTS, Doubles, Floats, Plan
from firmware_sim.physics.played import Batch

PER_LAMPS = 50
"""One such cabinet for so many lamps with controllers."""
STANDBY_W = 6.0
LOSS = 0.005


@dataclass(frozen=True)
class Streets:
    """One entry for each cabinet: its id, town (an index), nominal power and what it is told."""

    ids: list[str]
    town: np.ndarray[tuple[int], np.dtype[np.int64]]
    nominal_w: Doubles
    profiles: list[str]
    nights: list[Nights]


def build_streets(plan: Plan) -> Streets:
    """The cabinets of the plan's seed."""
    rng = plan.random("streets")
    count = plan.lamps // PER_LAMPS
    town = rng.integers(0, len(TOWNS), count)
    profiles = [str(rng.choice([FULL_NIGHT, HALF_NIGHT])) for _ in range(count)]
    places = [TOWNS[one].centre for one in town.tolist()]
    nights = [
        lay_out(profile, place, plan.start_ms, plan.end_ms) for profile, place in zip(profiles, places, strict=True)
    ]
    ids = [f"{TOWNS[one].prefix}-S{number + 1:03d}" for number, one in enumerate(town.tolist())]
    return Streets(ids, town, rng.uniform(400.0, 4_000.0, count), profiles, nights)


def street_rows(plan: Plan, streets: Streets) -> list[dict[str, str]]:
    """The inventory: the nominal power of a cabinet is that of what it switches."""
    return [
        device_row({
            "device_id": name, "kind": "cabinet", "model": "Gruppensteuerung", "owner": TOWNS[town].owner,
            "town": TOWNS[town].town, "name": f"Schaltschrank {name}", "lat": TOWNS[town].centre[0],
            "lon": TOWNS[town].centre[1], "cabinet": name, "supply": "permanent", "interval_s": plan.interval_s,
            "nominal_w": round(nominal_w), "profile": profile,
        })
        for name, town, nominal_w, profile in zip(
            streets.ids, streets.town.tolist(), streets.nominal_w.tolist(), streets.profiles, strict=True
        )
    ]  # fmt: skip


def draw_street_faults(plan: Plan, streets: Streets) -> list[Fault]:
    """Contactors that stay open (the street is dark) or closed, and loads that somebody hung on; one a cabinet."""
    rng = plan.random("street faults")
    free = rng.permutation(len(streets.ids)).tolist()
    faults = []
    for name in STREET_FAULTS:
        wanted = plan.count(name) - (plan.count(name) // 2 if name == "unexpected_load" else 0)
        for _ in range(min(wanted, len(free))):
            sort = SORTS[name]
            street = free.pop()
            start_ms, end_ms = draw_times(sort, plan, rng)
            fault = Fault(name, streets.ids[street], np.zeros(0, dtype=np.int64), start_ms, end_ms)
            fault.size, fault.variant = float(rng.uniform(*sort.sizes)), str(rng.choice(sort.variants))
            nights = streets.nights[street]
            fault.observable_ms = (
                nights.next_plain_night_ms(start_ms) if name == "feed_dead" else nights.next_day_ms(start_ms)
            )
            faults.append(fault)
    return faults


def street_batch(plan: Plan, streets: Streets, faults: list[Fault], first_device: int) -> Batch:
    """One reading an interval for each meter."""
    rng = plan.random("street meters")
    count = len(streets.ids)
    base = plan.start_ms + np.arange(plan.slots, dtype=np.int64) * plan.interval_ms
    t_ms = base[None, :] + rng.integers(0, plan.interval_ms, (count, 1))
    share = rng.dirichlet((8.0, 8.0, 8.0), count)
    watts = np.stack([
        _drawn(t_ms[row], nights, streets.nominal_w[row], [one for one in faults if one.subject == streets.ids[row]])
        for row, nights in enumerate(streets.nights)
    ]) if count else np.zeros(t_ms.shape)  # fmt: skip
    at = np.flatnonzero(rng.random(t_ms.shape) >= min(LOSS, plan.loss))
    volts = cabinet_volts(plan, count, "street mains")
    values: dict[str, Floats] = {}
    for phase in range(3):
        power = watts * share[:, phase : phase + 1] * (1 + rng.normal(0, 0.004, t_ms.shape)) + STANDBY_W / 3
        values[f"power_l{phase + 1}_w"] = power.astype(np.float32).ravel()[at]
        values[f"voltage_l{phase + 1}_v"] = volts[:, phase].ravel()[at]
    received_ms = t_ms.ravel()[at] + rng.integers(200, 3_000, len(at))
    device = np.repeat(np.arange(count), plan.slots) + first_device
    return Batch(device[at], t_ms.ravel()[at], received_ms, values)


def _drawn(
    t_ms: np.ndarray[tuple[int], np.dtype[np.int64]], nights: Nights, nominal_w: float, faults: list[Fault]
) -> Doubles:
    """What flows: the lamps as the contactor lets them, and what else hangs on the line."""
    closed = nights.dims_pct[nights.index(t_ms)] > 0
    closed = np.where(while_open(t_ms, [one for one in faults if one.name == "feed_dead"]), False, closed)
    stuck = [one for one in faults if one.name == "unexpected_load" and one.variant == "contactor"]
    closed = np.where(while_open(t_ms, stuck), True, closed)
    taps = [one for one in faults if one.name == "unexpected_load" and one.variant == "tap"]
    foreign = sum((while_open(t_ms, [one]) * one.size * nominal_w for one in taps), start=np.zeros(len(t_ms)))
    aging = 0.97 - 0.02 * (t_ms - t_ms[0]) / (365 * DAY_MS)
    return np.asarray(closed * nominal_w * aging + foreign, np.float64)
