"""Cabinets' meters: power of each phase as the sum of what hangs on it, voltages, on their own supply."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from firmware_sim.physics.cabinet_faults import moved, while_open
from firmware_sim.physics.cells import Cells
from firmware_sim.physics.faults import Fault
from firmware_sim.physics.plan import Floats, Instants, Plan
from firmware_sim.physics.played import Batch
from firmware_sim.physics.radio import arrivals
from firmware_sim.physics.receivers import place_receivers
from firmware_sim.physics.region import Region

METER_W = 4.0


def add_power(cells: Cells, watts: Floats, totals: Floats) -> None:
    """Add a block's power to the totals (cabinet and phase, slot)."""
    lamps = cells.region.lamps
    rows = cells.rows[lamps.circuit[cells.rows] >= 0]
    if not len(rows):
        return
    key = cells.region.circuits.cabinet[lamps.circuit[rows]] * 3 + lamps.phase[rows]
    low, high = int(key.min()), int(key.max()) + 1
    member = (key[None, :] == np.arange(low, high)[:, None]).astype(np.float32)
    totals[low:high] += member @ watts[rows - cells.first]


def cabinet_batch(
    plan: Plan, region: Region, totals: Floats, volts: Floats, faults: Sequence[Fault], first_device: int
) -> Batch:
    """One reading an interval for each cabinet; meters sit on a good line and lose one message in two hundred."""
    rng = plan.random("cabinets")
    count = len(region.cabinet_ids)
    base = plan.start_ms + np.arange(plan.slots, dtype=np.int64) * plan.interval_ms
    t_ms = base[None, :] + rng.integers(0, plan.interval_ms, (count, 1))
    lat, lon = cabinet_places(region)
    heard = place_receivers(lat, lon, region.gateway_places, rng)
    loss = np.full(count, min(0.005, plan.loss), np.float32)
    sent = arrivals(t_ms, heard, loss, (), lambda row, start, end: slice(0, 0), rng)
    at = np.flatnonzero(sent.arrives)
    values: dict[str, Floats] = {}
    by_phase = totals.reshape(count, 3, plan.slots)
    foreign_w = _foreign_w(region, t_ms, faults)
    for phase in range(3):
        power = by_phase[:, phase] * (1 + rng.normal(0, 0.002, t_ms.shape)) + METER_W / 3
        power += foreign_w if phase == 0 else 0.0
        values[f"power_l{phase + 1}_w"] = power.astype(np.float32).ravel()[at]
        seen = _at_meter(region, volts[:, phase], phase, t_ms, faults) + rng.normal(0, 0.2, t_ms.shape)
        values[f"voltage_l{phase + 1}_v"] = seen.astype(np.float32).ravel()[at]
    for name in ("rcd_open", "door_open"):
        values[name] = _flags(region, t_ms, [one for one in faults if one.name == name]).ravel()[at]
    device = np.repeat(np.arange(count), plan.slots) + first_device
    return Batch(device[at], t_ms.ravel()[at], sent.received_ms.ravel()[at], values)


def _at_meter(region: Region, volts: Floats, phase: int, t_ms: Instants, faults: Sequence[Fault]) -> Floats:
    """The voltage of one phase (cabinet, slot): a neutral that is broken before the meter shows there."""
    seen = volts.copy()
    for fault in faults:
        if fault.name == "neutral_break" and fault.variant == "feed":
            row = region.cabinet_ids.index(fault.subject.removeprefix("cabinet:"))
            now = while_open(t_ms[row], [fault])
            seen[row, now] = moved(seen[row, now], phase, fault)
    return seen


def _foreign_w(region: Region, t_ms: Instants, faults: Sequence[Fault]) -> Floats:
    """What somebody hung on the line (cabinet, slot): a share of what the lamps draw at 100 %."""
    lamps, found = region.lamps, np.zeros(t_ms.shape, np.float32)
    mains = lamps.circuit >= 0
    full_w = np.bincount(region.circuits.cabinet[lamps.circuit[mains]], weights=lamps.plate("nominal_w")[mains])
    for fault in faults:
        if fault.name == "unexpected_load" and fault.subject in region.cabinet_ids:
            row = region.cabinet_ids.index(fault.subject)
            found[row, while_open(t_ms[row], [fault])] += np.float32(fault.size * full_w[row])
    return found


def _flags(region: Region, t_ms: Instants, faults: Sequence[Fault]) -> Floats:
    """1 where a cabinet has one of these faults (cabinet, slot)."""
    found = np.zeros(t_ms.shape, np.float32)
    for fault in faults:
        row = region.cabinet_ids.index(fault.subject)
        found[row, while_open(t_ms[row], [fault])] = 1.0
    return found


def cabinet_places(region: Region) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], ...]:
    """Latitudes and longitudes: beside the first lamp of the first circuit."""
    first = region.circuits.first[np.searchsorted(region.circuits.cabinet, np.arange(len(region.cabinet_ids)))]
    return region.lamps.lat[first], region.lamps.lon[first]
