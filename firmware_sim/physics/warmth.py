"""Temperatures of drivers, which follow the load within the hour, and poles in the wind."""

from __future__ import annotations

import numpy as np

from firmware_sim.physics.cells import Cells
from firmware_sim.physics.models import HOT_C
from firmware_sim.physics.nights import ambient_c
from firmware_sim.physics.plan import Doubles, Floats, Plan

WARMING_S = 1_900.0


def weather(plan: Plan) -> tuple[Doubles, Doubles]:
    """For each slot the outdoor temperature in °C, and how strongly gusts shake (0 calm … 7 storm)."""
    rng = plan.random("weather")
    at_ms = plan.start_ms + np.arange(plan.slots) * plan.interval_ms
    drift = np.zeros((plan.slots, 2))
    kicks = rng.normal(0.0, 1.0, (plan.slots, 2))
    fade = np.exp(-plan.interval_s / np.array([60.0, 14.0]) / 3600)
    for slot in range(1, plan.slots):
        drift[slot] = fade * drift[slot - 1] + np.sqrt(1 - fade**2) * kicks[slot]
    return ambient_c(at_ms) + 3.2 * drift[:, 0], np.clip(np.exp(0.75 * drift[:, 1]), 0.0, 7.0)


def driver_c(cells: Cells, watts: Floats, outdoor_c: Doubles) -> Floats:
    """The true driver temperature of each cell; writes into a driver_hot fault when it first is too hot."""
    load = np.minimum(watts / cells.plate("nominal_w"), 1.2)
    warm = np.empty(cells.shape, np.float32)
    share = np.float32(1.0 - np.exp(-cells.plan.interval_s / WARMING_S))
    state = load[:, 0].copy()
    for slot in range(cells.plan.slots):
        state += share * (load[:, slot] - state)
        warm[:, slot] = state
    heat = outdoor_c.astype(np.float32)[None, :] + cells.plate("rise_c") * warm
    for fault, row, span in cells.spans("driver_hot"):
        loaded = warm[row, span] > 0.9 * warm[row, span].max()
        rise_c = (fault.size - np.median(heat[row, span][loaded])) / np.median(warm[row, span][loaded])
        heat[row, span] += np.float32(max(rise_c, 15.0)) * warm[row, span]
        hot = np.flatnonzero((heat[row, span] > HOT_C) & cells.speaks[row, span])
        fault.observable_ms = int(cells.t_ms[row, span][hot[0]]) if len(hot) else None
    return heat


def tilt_deg(cells: Cells, gusts: Doubles) -> Floats:
    """The true tilt off the commissioning zero; two or three degrees on a stormy night."""
    shaken = cells.rng.random(cells.shape, dtype=np.float32) * gusts.astype(np.float32)[None, :] * cells.own("sway")
    tilt = np.abs(cells.own("tilt_zero_deg") + shaken + cells.normal(0.12))
    for fault, row, span in cells.spans("pole_tilt"):
        tilt[row, span] += fault.size
    return np.asarray(tilt, np.float32)
