"""Solar stations: a battery that fills by day, empties at night, and makes the station thrifty when it is low."""

from __future__ import annotations

import numpy as np

from firmware_sim.physics.cells import Cells
from firmware_sim.physics.faults import Fault
from firmware_sim.physics.plan import DAY_MS, Floats, Instants, Plan
from firmware_sim.physics.region import Region

LOW_PCT = 20.0
THRIFTY = ((35.0, 4), (15.0, 8))
"""Below this charge only each so-many-th reading is sent."""
SINK_DAYS = 6.0


def draw_batteries(plan: Plan, region: Region, taken: set[int]) -> list[Fault]:
    """battery_low of solar lamps that have no other fault; `size` is the charge it sinks to."""
    rng = plan.random("batteries")
    free = [row for row in np.flatnonzero(region.lamps.circuit < 0).tolist() if row not in taken]
    wanted = min(plan.count("battery_low"), len(free) * 2 // 3)
    faults = []
    for row in rng.permutation(free)[:wanted].tolist():
        start_ms = plan.start_ms + int(
            rng.uniform(0.02, max(0.1, 1 - (SINK_DAYS + 2) / plan.days)) * plan.days * DAY_MS
        )
        end_ms = start_ms + int(rng.uniform(SINK_DAYS + 2, 20) * DAY_MS) if rng.random() < 0.6 else None
        fault = Fault("battery_low", region.lamp_ids[row], np.array([row]), start_ms, end_ms, float(rng.uniform(4, 12)))
        faults.append(fault)
    return faults


def battery_pct(cells: Cells) -> Floats:
    """The charge of each solar cell (0 elsewhere). A failing one sinks within days to its `size`; then the station
    is called faulty from the instant it first is low, which this writes into the fault. Thrifty stations skip readings.
    """
    charge = np.zeros(cells.shape, np.float32)
    solar = np.flatnonzero(cells.own("circuit")[:, 0] < 0)
    if not len(solar):
        return charge
    swing = 7.0 * np.sin(2 * np.pi * ((cells.t_ms[solar] % DAY_MS) / DAY_MS - 0.45))
    level = cells.rng.uniform(36.0, 88.0, (len(solar), 1))
    charge[solar] = np.clip(level + swing + cells.rng.normal(0.0, 0.5, swing.shape), 24.0, 100.0)
    for fault, row, span in cells.spans("battery_low"):
        charge[row, span] = _sinking(charge[row, span], cells.t_ms[row, span], fault)
        low = np.flatnonzero(charge[row, span] < LOW_PCT)
        fault.observable_ms = int(cells.t_ms[row, span][low[0]]) if len(low) else None
    charge = np.round(charge)
    slot = np.arange(cells.plan.slots)[None, :]
    for below_pct, every in THRIFTY:
        skipped = (charge[solar] < below_pct) & (slot % every != 0)
        cells.speaks[solar] &= ~skipped
    return charge


def _sinking(charge: Floats, t_ms: Instants, fault: Fault) -> Floats:
    done = np.minimum((t_ms - fault.start_ms) / (SINK_DAYS * DAY_MS), 1.0)
    return np.asarray(
        np.maximum(charge * (1 - done) + (fault.size + (charge - charge.mean()) * 0.3) * done, 1.0), np.float32
    )
