"""What goes wrong with lamps and lines, drawn by the seed: whom it hits, when, how badly, and until when.

A lamp has at most one fault of its own. A circuit has at most one; a cut feeder may well have faulty lamps on it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from firmware_sim.physics.controllers import Controllers
from firmware_sim.physics.nights import DIMMED_INDEXES, HALF_NIGHT_INDEX, WEEKEND_INDEX
from firmware_sim.physics.plan import DAY_MS, HOUR_MS, LAMP_FAULTS, LINE_FAULTS, Flags, Numbers, Plan
from firmware_sim.physics.region import Region

PHASES = ("L1", "L2", "L3")
CIRCUIT_WIDE_SHARE = 0.25
"""So many of the faults that can take a lamp or a whole circuit take the circuit."""
CIRCUIT_WIDE = ("day_burner", "not_on", "voltage_low", "voltage_high")
PHASE_LAMPS_LEAST = 3


@dataclass(eq=False)
class Fault:
    """One fault, or one event of normal life. `rows` are the lamps it takes; `end_ms` None = until after the play.

    `size` is how bad (its meaning stands at the sort), `variant` which of several ways, `angle_deg` where to;
    `observable_ms` is found later.
    """

    name: str
    subject: str
    rows: Numbers
    start_ms: int
    end_ms: int | None = None
    size: float = 0.0
    variant: str = ""
    angle_deg: float = 0.0
    observable_ms: int | None = None
    members: tuple[str, ...] = ()

    def until_ms(self, last_ms: int) -> int:
        """Its end, or the given instant when it lasts longer."""
        return last_ms if self.end_ms is None else min(self.end_ms, last_ms)


@dataclass(frozen=True)
class Sort:
    """One sort: the least time it must show to be found, how long it lasts, whether somebody mends it by day.

    `sizes` is the range of severity. `lasts_h` is the range of hours when it ends by itself; without it people mend it,
    within days and in working hours, or nobody does.
    """

    least_days: float
    sizes: tuple[float, float] = (0.0, 0.0)
    variants: tuple[str, ...] = ("",)
    lasts_h: tuple[float, float] | None = None
    whom: Callable[[Region, Controllers], Flags] = field(default=lambda region, controllers: region.lamps.circuit >= 0)


def _permanent(region: Region, controllers: Controllers) -> Flags:
    return np.asarray((region.lamps.circuit >= 0) & (region.lamps.supply == 0), np.bool_)


def _telling(name: str) -> Callable[[Region, Controllers], Flags]:
    return lambda region, controllers: (region.lamps.circuit >= 0) & (region.lamps.plate(name) > 0)


def _half_night(region: Region, controllers: Controllers) -> Flags:
    """Lamps that are off for hours at night and that have power then."""
    off = np.isin(region.lamps.profile, (HALF_NIGHT_INDEX, WEEKEND_INDEX))
    return np.asarray(off & _permanent(region, controllers), np.bool_)


def dimmed(region: Region, controllers: Controllers) -> Flags:
    """Lamps with steps in the night that tell what they are told."""
    dims = np.isin(region.lamps.profile, DIMMED_INDEXES) & (region.lamps.plate("tells_dim") > 0)
    return np.asarray(dims & _permanent(region, controllers), np.bool_)


SORTS = {
    "lamp_out": Sort(0.7, (0.0, 0.04)),  # share of the light's power that is still drawn
    "lamp_partial": Sort(4.0, (0.3, 0.78), whom=lambda r, c: (r.lamps.circuit >= 0) & (r.lamps.plate("magnetic") == 0)),
    "power_high": Sort(4.0, (1.22, 1.6), ("wrong_lamp", "wrong_lamp", "tap")),
    "day_burner": Sort(1.2, variants=("relay", "photocell"), whom=_permanent),
    "not_on": Sort(1.8, (60.0, 150.0), ("off", "off", "late"),
                   whom=lambda r, c: _permanent(r, c) & (r.lamps.plate("tells_dim") > 0)),
    "cycling": Sort(2.5, (0.3, 0.55)),  # share of the time it is off
    "pf_low": Sort(6.0, (0.45, 0.8), whom=_telling("tells_factor")),  # factor on the power factor
    "driver_hot": Sort(1.5, (88.0, 104.0), whom=_telling("tells_heat")),  # °C when it carries its load
    "voltage_low": Sort(0.3, (176.0, 203.0), lasts_h=(6, 120)),
    "voltage_high": Sort(0.3, (257.0, 274.0), lasts_h=(6, 120)),
    "pole_tilt": Sort(2.0, (12.0, 70.0), ("hit", "hit", "lean"),
                      whom=lambda r, c: (r.lamps.circuit >= 0) & c.tells_tilt),
    "silent": Sort(1.6, whom=lambda r, c: np.ones(len(r.lamps), np.bool_)),
    "never_reported": Sort(1.0, whom=lambda r, c: np.ones(len(r.lamps), np.bool_)),
    "frozen": Sort(2.0, whom=_permanent),
    "energy_drift": Sort(10.0, (1.14, 1.5), ("counts_more", "counts_less"), whom=_telling("counts_energy")),
    "not_off": Sort(3.0, whom=_half_night),
    "off_schedule": Sort(3.0, (1.0, 3.0), ("early", "late", "program"), whom=dimmed),  # hours the clock is wrong
    "neutral_break": Sort(0.1, (50.0, 85.0), ("feed", "feed", "line"), lasts_h=(3, 30)),  # V the star point has moved
    "rcd_open": Sort(0.1, lasts_h=(2.5, 60)),
    "door_open": Sort(0.2, lasts_h=(1.6, 40)),
    "feed_dead": Sort(1.6, lasts_h=(40, 110)),
    "unexpected_load": Sort(1.6, (0.3, 0.9), ("contactor", "tap"), lasts_h=(40, 150)),  # share of the full power
    "circuit_down": Sort(0.1, lasts_h=(2.5, 60)),
    "phase_down": Sort(0.1, lasts_h=(2.5, 60)),
    "gateway_down": Sort(0.1, lasts_h=(1.5, 14)),
}  # fmt: skip


def draw_times(sort: Sort, plan: Plan, rng: np.random.Generator) -> tuple[int, int | None]:
    """Start and end of one fault; nine in ten begin early enough to be found before the play ends."""
    late = rng.random() < 0.1
    room_days = max(plan.days * 0.1, plan.days - (0.0 if late else 1.25 * sort.least_days))
    start_ms = plan.start_ms + int(DAY_MS * rng.uniform(min(0.3, room_days / 4), room_days))
    if sort.lasts_h:
        low, high = np.log(sort.lasts_h[0]), np.log(sort.lasts_h[1])
        end_ms = start_ms + int(HOUR_MS * np.exp(rng.uniform(low, high)))
    elif rng.random() < 0.4:
        return start_ms, None
    else:
        earliest_ms = start_ms + int(DAY_MS * (1.2 * sort.least_days + rng.exponential(4.0)))
        end_ms = earliest_ms // DAY_MS * DAY_MS + DAY_MS + int(HOUR_MS * rng.uniform(7.0, 13.0))
    return start_ms, end_ms if end_ms < plan.end_ms else None


def draw_faults(plan: Plan, region: Region, controllers: Controllers) -> list[Fault]:
    """The faults of lamps and circuits (not those of gateways and batteries), in a fixed order."""
    rng = plan.random("faults")
    circuits = list(rng.permutation(len(region.circuits.first)))
    faults: list[Fault] = []
    for name in LINE_FAULTS:
        faults += [_line_fault(name, region, plan, rng, circuit) for circuit in _take(name, region, circuits, plan)]
    for name in CIRCUIT_WIDE:
        wide = round(plan.count(name) * CIRCUIT_WIDE_SHARE)
        faults += [
            _wide_fault(name, region, plan, rng, circuit) for circuit in _take(name, region, circuits, plan, wide)
        ]
    taken = np.zeros(len(region.lamps), np.bool_)
    for fault in faults:
        taken[fault.rows] |= fault.name in CIRCUIT_WIDE
    # Whom few can have goes first.
    for name in sorted(LAMP_FAULTS, key=lambda name: int(SORTS[name].whom(region, controllers).sum())):
        faults += _lamp_faults(name, region, controllers, plan, rng, taken)
    return faults


def _take(name: str, region: Region, circuits: list[int], plan: Plan, wanted: int | None = None) -> list[int]:
    """The next free circuits that can have this fault; they are taken off the list."""
    known = region.circuits
    sizes, supply = known.last - known.first, known.supply
    dims = np.add.reduceat(region.lamps.plate("tells_dim"), known.first) / sizes if len(sizes) else sizes
    fits = {
        "phase_down": sizes >= 3 * PHASE_LAMPS_LEAST,
        "not_on": (supply == 0) & (dims > 0.6),
    }.get(name, np.ones(len(sizes), np.bool_))
    wanted = plan.count(name) if wanted is None else wanted
    chosen = [circuit for circuit in circuits if fits[circuit]][: min(wanted, max(1, len(fits) // 4))]
    circuits[:] = [circuit for circuit in circuits if circuit not in chosen]
    return chosen


def _line_fault(name: str, region: Region, plan: Plan, rng: np.random.Generator, circuit: int) -> Fault:
    rows = region.circuits.rows(circuit)
    start_ms, end_ms = _over_a_night(region, rows, plan, draw_times(SORTS[name], plan, rng))
    if name == "circuit_down":
        return Fault(name, region.circuit_subject(circuit), rows, start_ms, end_ms)
    phase = int(rng.integers(3))
    subject = f"phase:{region.circuit_path(circuit)}/{PHASES[phase]}"
    return Fault(name, subject, rows[region.lamps.phase[rows] == phase], start_ms, end_ms)


def _wide_fault(name: str, region: Region, plan: Plan, rng: np.random.Generator, circuit: int) -> Fault:
    sort = SORTS[name]
    rows = region.circuits.rows(circuit)
    start_ms, end_ms = _over_a_night(region, rows, plan, draw_times(sort, plan, rng))
    size, variant = float(rng.uniform(*sort.sizes)), str(rng.choice(sort.variants))
    return Fault(name, region.circuit_subject(circuit), rows, start_ms, end_ms, size, variant)


def _over_a_night(region: Region, rows: Numbers, plan: Plan, times: tuple[int, int | None]) -> tuple[int, int | None]:
    """By day nobody notices that a switched line is dead or odd: it stays so a night longer."""
    start_ms, end_ms = times
    if end_ms is None or region.lamps.supply[rows[0]] == 0:
        return start_ms, end_ms
    end_ms += 30 * HOUR_MS
    return start_ms, end_ms if end_ms < plan.end_ms else None


def _lamp_faults(
    name: str, region: Region, controllers: Controllers, plan: Plan, rng: np.random.Generator, taken: Flags
) -> list[Fault]:
    sort = SORTS[name]
    single = plan.count(name) - (round(plan.count(name) * CIRCUIT_WIDE_SHARE) if name in CIRCUIT_WIDE else 0)
    can = sort.whom(region, controllers) & ~taken
    weights = can * np.where((name == "cycling") & (region.lamps.plate("magnetic") > 0), 8.0, 1.0)
    single = min(single, int(can.sum()), max(1, len(region.lamps) // 40))
    if single == 0:
        return []
    faults = []
    for row in rng.choice(len(weights), single, replace=False, p=weights / weights.sum()).tolist():
        taken[row] = True
        start_ms, end_ms = _over_a_night(region, np.array([row]), plan, draw_times(sort, plan, rng))
        if name == "never_reported" or (name == "lamp_out" and rng.random() < 0.1):
            start_ms = plan.start_ms
        if name == "never_reported" and rng.random() < 0.75:
            end_ms = None
        size, variant = float(rng.uniform(*sort.sizes)), str(rng.choice(sort.variants))
        if variant == "counts_less":
            size = 1.0 / size
        if variant == "lean":
            size = float(rng.uniform(6.5, 9.5))
        faults.append(Fault(name, region.lamp_ids[row], np.array([row]), start_ms, end_ms, size, variant))
    return faults
