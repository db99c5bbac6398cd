"""From the true state to the values a controller reports: noise, resolution, what it has no sensor for, hung meters."""

from __future__ import annotations

import numpy as np

from firmware_sim.physics.cells import Cells
from firmware_sim.physics.plan import SECOND_MS, Flags, Floats
from firmware_sim.physics.solar import battery_pct

METERED = ("power_w", "voltage_v", "current_a", "power_factor", "energy_wh")
GASP_S = 15.0


def lamp_values(
    cells: Cells, watts: Floats, volts: Floats, heat: Floats, tilt: Floats, energy: Floats
) -> dict[str, Floats]:
    """The values of each cell; NaN = not reported. Gasps of dying lines become messages of their own."""
    power = watts * (1.0 + cells.normal(0.004)) * cells.own("meter_gain") + cells.normal(0.04)
    power = _stepped(np.maximum(power, 0.0), cells.plate("step_w"))
    voltage = _stepped(volts, cells.plate("lumps_v"))
    factor = _factor(cells, watts)
    values = {
        "power_w": power,
        "voltage_v": voltage,
        "current_a": np.round(watts / np.maximum(volts * factor, 1.0), 3),
        "power_factor": np.round(factor, 2),
        "dim_pct": cells.told_pct,
        "energy_wh": energy,
        "driver_temp_c": np.round(heat + cells.normal(0.5)),
        "tilt_deg": np.round(tilt, 1),
        "lamp_failure": np.zeros(cells.shape, np.float32),
        "supply_lost": np.zeros(cells.shape, np.float32),
        "battery_pct": battery_pct(cells),
    }
    for _, row, span in cells.spans("lamp_out"):
        values["lamp_failure"][row, span] = cells.lit_pct[row, span] > 0
    _hang(cells, values)
    _gasp(cells, values)
    for name, told in _told(cells).items():
        values[name][~told] = np.nan
    return values


def _stepped(true: Floats, step: Floats) -> Floats:
    return np.asarray(np.round(true / step) * step, np.float32)


def _factor(cells: Cells, watts: Floats) -> Floats:
    """Power factor: drivers lose theirs when dimmed; chokes are compensated, until the capacitor dies."""
    load = np.clip(watts / cells.plate("nominal_w"), 0.0, 1.0)
    rest = (1.0 - load) ** 2
    factor = 0.12 + 0.85 * (1.0 - rest * rest)
    choke = np.flatnonzero(cells.plate("magnetic")[:, 0] > 0)
    factor[choke] = np.where(load[choke] > 0.3, 0.915, 0.2)
    factor += cells.normal(0.006)
    for fault, row, span in cells.spans("pf_low"):
        factor[row, span] *= fault.size
    return np.asarray(np.clip(factor, 0.02, 1.0), np.float32)


def _hang(cells: Cells, values: dict[str, Floats]) -> None:
    """A hung meter repeats its last digits; command, temperature and tilt come from elsewhere and live on."""
    for _, row, span in cells.spans("frozen"):
        before = max(span.start - 1, 0)
        for name in METERED:
            values[name][row, span] = values[name][row, before]


def _gasp(cells: Cells, values: dict[str, Floats]) -> None:
    """Some controllers have a capacitor for one last message when the voltage goes."""
    gasps = cells.own("gasps")[:, 0]
    for fault, row, span in cells.spans("circuit_down", "phase_down"):
        slot = span.start
        if gasps[row] and slot > 0 and cells.speaks[row, slot - 1] and cells.energised[row, slot - 1]:
            last_ms = fault.start_ms + int(cells.rng.uniform(0.05, GASP_S) * SECOND_MS)
            cells.t_ms[row, slot] = min(last_ms, int(cells.t_ms[row, slot]))
            cells.speaks[row, slot] = True
            values["supply_lost"][row, slot] = 1.0
            values["power_w"][row, slot] = 0.0
            for name in ("voltage_v", "current_a", "power_factor"):
                values[name][row, slot] = np.nan


def _told(cells: Cells) -> dict[str, Flags]:
    """Which lamps report a value at all."""
    mains = cells.own("circuit")[:, 0] >= 0
    told = {
        "voltage_v": mains,
        "dim_pct": cells.plate("tells_dim")[:, 0] > 0,
        "power_factor": cells.plate("tells_factor")[:, 0] > 0,
        "current_a": cells.plate("tells_current")[:, 0] > 0,
        "energy_wh": cells.plate("counts_energy")[:, 0] > 0,
        "driver_temp_c": cells.plate("tells_heat")[:, 0] > 0,
        "tilt_deg": cells.own("tells_tilt")[:, 0],
        "lamp_failure": cells.own("tells_failure")[:, 0],
        "supply_lost": cells.own("gasps")[:, 0],
        "battery_pct": ~mains,
    }
    return {name: np.asarray(flags, np.bool_) for name, flags in told.items()}
