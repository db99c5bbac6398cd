"""What goes wrong at cabinets and is told by their meters: broken neutrals, residual currents, doors, foreign loads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from firmware_sim.physics.controllers import Controllers
from firmware_sim.physics.faults import SORTS, Fault, draw_times
from firmware_sim.physics.plan import HOUR_MS, Flags, Floats, Numbers, Plan
from firmware_sim.physics.region import Region

APART_MS = 48 * HOUR_MS
"""Two faults of the same cabinet lie so far apart: what both do nobody could tell apart."""
RCD_TRIPS_SHARE = 0.6
"""So many of the tripped residual-current devices took a circuit with lamps with them; behind the others hangs a clock,
a shelter or a socket.
"""
PHASE_DEG = (0.0, -120.0, 120.0)
MAINS_V = 230.0
PLAN_SHARE = 0.15
"""Fewer lamps with a wrong plan are somebody's wish."""
VOLTAGE = ("voltage_low", "voltage_high")
A = TypeVar("A", bound=np.floating)


def draw_cabinet_faults(plan: Plan, region: Region, controllers: Controllers, others: Sequence[Fault]) -> list[Fault]:
    """Broken neutrals (of all a cabinet feeds, or of a circuit), wrong plans, tripped devices, doors, foreign loads."""
    rng = plan.random("cabinet faults")
    if not region.cabinet_ids:
        return []
    found: list[Fault] = []
    for _ in range(plan.count("neutral_break")):
        found += _broken_neutral(plan, region, [*others, *found], rng)
    found += _wrong_plans(plan, region, controllers, rng)
    cut = [fault for fault in others if fault.name == "circuit_down"]
    tripped: list[Fault] = []
    for one in cut[: round(plan.count("rcd_open") * RCD_TRIPS_SHARE)]:
        trip = _at(region, _cabinet_of(region, one), "rcd_open", one.start_ms, one.end_ms)
        tripped += [trip] if not any(trip.subject == known.subject and _close(trip, known) for known in tripped) else []
    found += tripped
    for name, wanted in (
        ("rcd_open", plan.count("rcd_open") - len(tripped)),
        ("door_open", plan.count("door_open")),
        ("unexpected_load", plan.count("unexpected_load") // 2),
    ):
        for _ in range(wanted):
            burning = [one for one in others if one.name == "day_burner" and name == "unexpected_load"]
            found += _at_meter(name, plan, region, found, burning, rng)
    return found


def moved(volts: np.ndarray[tuple[int, ...], np.dtype[A]], phase: Numbers | int, fault: Fault) -> Floats:
    """The voltages that are left between phase and neutral when the star point moves `size` V towards `angle_deg`."""
    angle = np.deg2rad(np.asarray(PHASE_DEG)[phase])
    towards = np.deg2rad(fault.angle_deg)
    east = volts * np.cos(angle) - fault.size * np.cos(towards)
    north = volts * np.sin(angle) - fault.size * np.sin(towards)
    return np.asarray(np.hypot(east, north), np.float32)


def shows(volts: Floats) -> bool:
    """Whether somebody has too much and somebody too little of these voltages (EN 50160: 207 to 253 V)."""
    return bool(volts.min() < 202 and volts.max() > 258)


def _broken_neutral(plan: Plan, region: Region, others: Sequence[Fault], rng: np.random.Generator) -> list[Fault]:
    sort = SORTS["neutral_break"]
    start_ms, end_ms = draw_times(sort, plan, rng)
    variant = str(rng.choice(sort.variants))
    circuits = region.circuits
    for circuit in rng.permutation(len(circuits.first)).tolist():
        cabinet = int(circuits.cabinet[circuit])
        mine = [circuit] if variant == "line" else np.flatnonzero(circuits.cabinet == cabinet).tolist()
        rows = np.concatenate([circuits.rows(one) for one in mine])
        fault = Fault("neutral_break", f"cabinet:{region.cabinet_ids[cabinet]}", rows, start_ms, end_ms)
        fault.variant, fault.size = variant, float(rng.uniform(*sort.sizes))
        fault.angle_deg = float(rng.uniform(0, 360))
        here = _all_rows(region, cabinet)
        near = [
            one
            for one in others
            if one.name != "off_schedule"
            and len(one.rows) > (one.name not in VOLTAGE)
            and np.isin(one.rows, here).any()
        ]
        always = (region.lamps.supply[rows] == 0).all()
        at_phases = moved(np.full(3, MAINS_V, np.float32), np.arange(3), fault)
        if always and shows(at_phases) and not any(_close(fault, one) for one in near):
            return [fault]
    return []


def _wrong_plans(plan: Plan, region: Region, controllers: Controllers, rng: np.random.Generator) -> list[Fault]:
    """Programs that were lost or clocks set wrongly for most of the dimmed lamps of a cabinet; one a cabinet."""
    sort = SORTS["off_schedule"]
    found: list[Fault] = []
    can = sort.whom(region, controllers)
    for cabinet in rng.permutation(len(region.cabinet_ids)).tolist():
        all_rows = _all_rows(region, cabinet)
        rows = all_rows[can[all_rows] & (rng.random(len(all_rows)) < rng.uniform(0.5, 1.0))]
        if len(found) < plan.count("off_schedule") and len(rows) >= max(4, PLAN_SHARE * len(all_rows)):
            fault = Fault("off_schedule", f"cabinet:{region.cabinet_ids[cabinet]}", rows, *draw_times(sort, plan, rng))
            fault.size, fault.variant = float(rng.uniform(*sort.sizes)), str(rng.choice(sort.variants))
            found.append(fault)
    return found


def _all_rows(region: Region, cabinet: int) -> Numbers:
    """The lamps behind one cabinet."""
    mine = np.flatnonzero(region.circuits.cabinet == cabinet).tolist()
    return np.concatenate([region.circuits.rows(one) for one in mine])


def _close(fault: Fault, other: Fault) -> bool:
    return fault.start_ms - APART_MS < other.until_ms(2**62) and other.start_ms < fault.until_ms(2**62) + APART_MS


def _at_meter(
    name: str,
    plan: Plan,
    region: Region,
    others: Sequence[Fault],
    burning: Sequence[Fault],
    rng: np.random.Generator,
) -> list[Fault]:
    """At a cabinet that has none of the sort at that time, nor a circuit that burns; none when there is no such one."""
    sort = SORTS[name]
    start_ms, end_ms = draw_times(sort, plan, rng)
    for cabinet in rng.permutation(len(region.cabinet_ids)).tolist():
        fault = _at(region, cabinet, name, start_ms, end_ms)
        fault.size, fault.variant = float(rng.uniform(*sort.sizes)), sort.variants[-1]
        own = [one for one in others if one.name == name and one.subject == fault.subject]
        own += [one for one in burning if len(one.rows) > 1 and np.isin(one.rows, _all_rows(region, cabinet)).any()]
        if not any(_close(fault, one) for one in own):
            return [fault]
    return []


def _at(region: Region, cabinet: int, name: str, start_ms: int, end_ms: int | None) -> Fault:
    fault = Fault(name, region.cabinet_ids[cabinet], np.zeros(0, dtype=np.int64), start_ms, end_ms)
    by_day = region.nights_of(int(_all_rows(region, cabinet)[0])).next_day_ms
    fault.observable_ms = by_day(start_ms) if name == "unexpected_load" else start_ms
    return fault


def _cabinet_of(region: Region, cut: Fault) -> int:
    return int(region.circuits.cabinet[region.lamps.circuit[cut.rows[0]]])


def while_open(t_ms: np.ndarray[tuple[int, ...], np.dtype[np.int64]], faults: Sequence[Fault]) -> Flags:
    """Where one of these faults lasts."""
    found = np.zeros(t_ms.shape, np.bool_)
    for fault in faults:
        found |= (t_ms >= fault.start_ms) & (t_ms < fault.until_ms(2**62))
    return found
