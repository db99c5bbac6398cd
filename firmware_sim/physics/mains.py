"""The voltage at each lamp: the transformer's mood over the day, the line's drop under load, loose neutrals, sags."""

from __future__ import annotations

import numpy as np

from firmware_sim.physics.cabinet_faults import moved
from firmware_sim.physics.cells import Cells
from firmware_sim.physics.plan import DAY_MS, HOUR_MS, Floats, Plan

SAG_SHARE = 1e-5


def cabinet_volts(plan: Plan, cabinets: int, name: str = "mains") -> Floats:
    """(cabinet, phase, slot): 231 V, a swing over the day, slow wandering, each phase a little apart."""
    rng = plan.random(name)
    at_ms = plan.start_ms + np.arange(plan.slots) * plan.interval_ms
    swing = -2.5 * np.cos(2 * np.pi * ((at_ms % DAY_MS) / DAY_MS - 0.13)) - 1.5 * np.cos(4 * np.pi * at_ms / DAY_MS)
    volts = 231.5 + rng.normal(0.0, 2.2, (cabinets, 1, 1)) + rng.normal(0.0, 0.8, (cabinets, 3, 1)) + swing
    for hours in (1.3, 3.1, 7.7):
        turns = at_ms / (hours * HOUR_MS) + rng.random((cabinets, 1, 1))
        volts += rng.uniform(0.3, 1.4, (cabinets, 1, 1)) * np.sin(2 * np.pi * turns)
    return np.clip(volts, 216.0, 247.0).astype(np.float32)


def lamp_volts(cells: Cells, at_cabinets: Floats) -> Floats:
    """The true voltage of each cell; solar lamps stand on 230 here and report none."""
    lamps, circuits = cells.region.lamps, cells.region.circuits
    rows = cells.rows
    mains = lamps.circuit[rows] >= 0
    volts = np.full(cells.shape, 230.0, np.float32)
    cabinet = circuits.cabinet[lamps.circuit[rows[mains]]]
    volts[mains] = at_cabinets[cabinet, lamps.phase[rows[mains]]]
    place = rows[mains] - circuits.first[lamps.circuit[rows[mains]]]
    volts[mains] -= (0.05 * place)[:, None].astype(np.float32) * (cells.lit_pct[mains] / 100.0)
    volts += cells.own("volts_off")
    volts += cells.normal(0.35)
    sags = cells.rng.random(cells.shape, dtype=np.float32) < SAG_SHARE
    volts[sags] = cells.rng.uniform(160.0, 204.0, int(sags.sum()))
    for fault, row, span in cells.spans("voltage_low", "voltage_high"):
        # `size` is where it stays beyond nearly always, whatever the transformer does.
        usual = np.quantile(volts[row, span], 0.95 if fault.name == "voltage_low" else 0.05)
        volts[row, span] += np.float32(fault.size - usual)
    for fault, row, span in cells.spans("neutral_break"):
        volts[row, span] = moved(volts[row, span], int(lamps.phase[rows[row]]), fault)
    return volts
