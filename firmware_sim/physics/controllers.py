"""What differs from one controller to the next: its clock, its rhythm, its sensors, its memory, its luck on the air."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from firmware_sim.physics.plan import Flags, Floats, Instants, Plan
from firmware_sim.physics.region import Region


@dataclass(frozen=True)
class Controllers:
    """One entry for each lamp. Times in ms; `loss` is its share of messages lost on the air."""

    phase_ms: Instants
    dusk_shift_ms: Instants
    clock_ms: Instants
    no_clock: Flags
    tells_tilt: Flags
    tells_failure: Flags
    gasps: Flags
    tilt_zero_deg: Floats
    sway: Floats
    volts_off: Floats
    meter_gain: Floats
    energy_wh: Floats
    loss: Floats


def build_controllers(plan: Plan, region: Region) -> Controllers:
    """The controllers of the region's lamps."""
    rng = plan.random("controllers")
    count = len(region.lamps)
    clock_s = rng.normal(0.0, 1.5, count)
    clock_s[rng.random(count) < 0.01] *= 60.0  # a quartz nobody sets
    mains = region.lamps.circuit >= 0
    return Controllers(
        phase_ms=rng.integers(0, plan.interval_ms, count),
        dusk_shift_ms=np.round(rng.normal(0.0, 30.0, count) * 1000).astype(np.int64),
        clock_ms=np.round(clock_s * 1000).astype(np.int64),
        no_clock=rng.random(count) < 0.005,
        tells_tilt=(rng.random(count) < 0.4) & mains,
        tells_failure=(rng.random(count) < 0.25) & mains,
        gasps=(rng.random(count) < 0.2) & mains,
        tilt_zero_deg=np.abs(rng.normal(0.0, 0.4, count)).astype(np.float32),
        sway=rng.uniform(0.1, 0.35, count).astype(np.float32),
        volts_off=rng.normal(0.0, 0.8, count).astype(np.float32),
        meter_gain=rng.normal(1.0, 0.008, count).astype(np.float32),
        energy_wh=rng.uniform(0.0, 400_000.0, count).astype(np.float32),
        loss=loss_shares(plan.loss, count, rng),
    )


def loss_shares(mean: float, count: int, rng: np.random.Generator) -> Floats:
    """Some stand behind a hill: shares around the mean, from a fifth of it to three times as much, never above 0.8."""
    if mean <= 0 or count == 0:
        return np.zeros(count, np.float32)
    shares = mean * rng.lognormal(0.0, 0.5, count)
    for _ in range(4):
        shares = np.clip(shares * (mean / shares.mean()), mean / 5, min(0.8, mean * 3))
    return shares.astype(np.float32)
