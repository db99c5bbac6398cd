"""What lamps are told, do, draw and count."""

from __future__ import annotations

import numpy as np

from firmware_sim.physics.cells import Cells
from firmware_sim.physics.faults import Fault
from firmware_sim.physics.nights import Nights
from firmware_sim.physics.plan import HOUR_MS, MINUTE_MS, SECOND_MS, Floats
from firmware_sim.physics.region import Region

ENDLESS_S = 1e6
RUN_UP_S = 110.0
CHOKE_EXPONENT = 1.6
"""A lamp on a choke draws with about this power of the voltage."""
REBOOTS_PER_DAY = 0.02


def give_orders(cells: Cells) -> None:
    """What is switched besides the profile: rounds, tests, stuck relays, photocells, clocks that went wrong."""
    for event, row, span in cells.spans("maintenance", "daytime_test"):
        cells.told_pct[row, span] = cells.lit_pct[row, span] = 100.0
        cells.lit_s[row, span] = (cells.t_ms[row, span] - event.start_ms) / SECOND_MS
        cells.steady_s[row, span] = cells.lit_s[row, span]
        cells.energised[row, span] = True
    for fault, row, span in cells.spans("day_burner"):
        idle = cells.told_pct[row, span] <= 0
        cells.lit_pct[row, span][idle] = 100.0
        cells.lit_s[row, span] = ENDLESS_S
        cells.energised[row, span] = True
        if fault.variant == "photocell":
            cells.told_pct[row, span][idle] = 100.0
    _stray_from_plans(cells)
    for fault, row, span in cells.spans("not_on"):
        late = cells.lit_s[row, span] < fault.size * MINUTE_MS / SECOND_MS
        dark = late if fault.variant == "late" else np.ones_like(late)
        cells.told_pct[row, span][dark] = cells.lit_pct[row, span][dark] = 0.0


def _stray_from_plans(cells: Cells) -> None:
    """Clocks and programs that are wrong: dusk and dawn come from a photocell, the steps between from the clock."""
    for fault, row, span in cells.spans("off_schedule"):
        other, late_ms = other_plan(cells.region, fault, int(cells.rows[row]))
        told = other.dims_pct[other.index(cells.t_ms[row, span] - late_ms)]
        lit = (cells.told_pct[row, span] > 0) & (told > 0)
        cells.told_pct[row, span][lit] = cells.lit_pct[row, span][lit] = told[lit]
    for _, row, span in cells.spans("not_off"):
        nights, at_ms = cells.region.full_night_of(int(cells.rows[row])), cells.t_ms[row, span]
        piece = nights.index(at_ms)
        left_out = (cells.told_pct[row, span] <= 0) & (nights.dims_pct[piece] > 0)
        cells.lit_pct[row, span][left_out] = 100.0
        cells.lit_s[row, span][left_out] = (at_ms - nights.on_ms[piece])[left_out] / SECOND_MS


def other_plan(region: Region, fault: Fault, lamp: int) -> tuple[Nights, int]:
    """By which nights a lamp goes instead of its own, and by how many ms they are late."""
    if fault.variant == "program":
        return region.full_night_of(lamp), 0
    late_h = fault.size if fault.variant == "late" else -fault.size
    return region.nights_of(lamp), round(late_h) * HOUR_MS


def cut_lines(cells: Cells) -> None:
    """No voltage, no message; what restarts misses one."""
    for _, row, span in cells.spans("circuit_down", "phase_down"):
        cells.energised[row, span] = False
    reboots = cells.rng.random(cells.shape, dtype=np.float32) < REBOOTS_PER_DAY * cells.plan.interval_s / 86_400
    for fault in cells.faults:
        if fault.name == "blip":
            rows = fault.rows[(fault.rows >= cells.first) & (fault.rows < cells.last)] - cells.first
            slot = min((fault.start_ms - cells.plan.start_ms) // cells.plan.interval_ms, cells.plan.slots - 1)
            reboots[rows, slot] |= cells.rng.random(len(rows)) < 0.3
    cells.reboots = reboots & cells.energised
    cells.speaks = cells.energised & ~reboots
    for _, row, span in cells.spans("silent", "never_reported"):
        cells.speaks[row, span] = False


def light_w(cells: Cells, volts: Floats) -> Floats:
    """The true power of each cell, controller included."""
    standby, nominal, least = cells.own("standby_w"), cells.plate("nominal_w"), cells.plate("min_w")
    least_pct = np.minimum(cells.plate("min_dim_pct"), 99.0)
    share = np.asarray(np.maximum(cells.lit_pct - least_pct, 0.0) / (100.0 - least_pct), np.float32)
    np.power(share, cells.plate("curve"), out=share)
    share *= nominal - least
    share += least - standby
    share *= cells.own("tolerance") * cells.plate("clo")
    choke = np.flatnonzero(cells.plate("magnetic")[:, 0] > 0)
    share[choke] *= (volts[choke] / 230.0) ** CHOKE_EXPONENT * (1.0 - 0.45 * np.exp(-cells.lit_s[choke] / RUN_UP_S))
    share[cells.lit_pct <= 0] = 0.0
    _break_lights(cells, share)
    share += standby
    share[~cells.energised] = 0.0
    return share


def _break_lights(cells: Cells, watts: Floats) -> None:
    for fault, row, span in cells.spans("lamp_out", "lamp_partial"):
        watts[row, span] *= fault.size
    for fault, row, span in cells.spans("power_high"):
        if fault.variant == "tap":
            nominal = cells.plate("nominal_w")[row, 0]
            watts[row, span] += (fault.size - 1.0) * nominal * (cells.lit_pct[row, span] > 0)
        else:
            watts[row, span] *= fault.size
    for fault, row, span in cells.spans("cycling"):
        watts[row, span] *= _cycle(cells, fault.size, row, span)


def _cycle(cells: Cells, off_share: float, row: int, span: slice) -> Floats:
    """A lamp at its end: burns for some minutes, goes out, cools, strikes again and runs up."""
    period_s = cells.rng.uniform(11, 42) * 60
    turns = (cells.t_ms[row, span] - cells.t_ms[row, span.start]) / SECOND_MS / period_s
    walk = np.cumsum(cells.rng.normal(0.0, 0.15, int(turns[-1]) + 2))
    within = (turns + walk[turns.astype(np.int64)]) % 1.0
    burning = within < 1.0 - off_share
    return np.where(burning, 1.0 - 0.4 * np.exp(-within * period_s / RUN_UP_S), 0.02).astype(np.float32)


def energy_wh(cells: Cells, watts: Floats) -> Floats:
    """The counter of each cell: exact over one switching between two readings; some forget at a restart."""
    gap_s = np.diff(cells.t_ms, axis=1, prepend=cells.t_ms[:, :1] - cells.plan.interval_ms) / np.float32(SECOND_MS)
    since_s = np.minimum(gap_s, np.maximum(cells.steady_s, 0.0))
    before = np.concatenate([watts[:, :1], watts[:, :-1]], axis=1)
    added = (before * (gap_s - since_s) + watts * since_s) / 3600.0
    for fault, row, span in cells.spans("energy_drift"):
        added[row, span] *= fault.size
    counter = np.cumsum(added * cells.own("meter_gain"), axis=1, dtype=np.float64) + cells.own("energy_wh")
    forgetful = cells.plate("forgets_energy")[:, 0] > 0
    for row, slot in np.argwhere(cells.reboots & forgetful[:, None]).tolist():
        counter[row, slot:] -= counter[row, slot]
    return np.asarray(np.floor(counter), np.float32)
