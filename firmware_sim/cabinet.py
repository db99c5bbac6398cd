"""The street cabinet: where circuits begin, three phases, and the controller in it that measures their sum."""

from __future__ import annotations

import math
from random import Random
from typing import Protocol

from firmware_sim.device import Device, Reading

PHASES = ("L1", "L2", "L3")


class Load(Protocol):
    """Something on a phase that draws power."""

    def power_w(self, now_ms: int) -> float:
        """What it draws at that instant."""


class Supply:
    """The mains at one cabinet: each phase's voltage as a smooth function of time, 225..237 V, no state."""

    def __init__(self, rng: Random) -> None:
        self._waves = {
            phase: (231.0 + rng.gauss(0.0, 1.2), rng.uniform(0, 2 * math.pi), rng.uniform(0, 2 * math.pi))
            for phase in PHASES
        }

    def voltage_v(self, phase: str, now_ms: int) -> float:
        """The voltage of that phase at that instant: a daily swing of 1.5 V and a faster one of 0.8 V."""
        mean_v, slow, fast = self._waves[phase]
        hours = now_ms / 3_600_000
        return mean_v + 1.5 * math.sin(hours * 0.2618 + slow) + 0.8 * math.sin(hours * 2.1 + fast)


class Cabinet(Device):
    """Reports power and voltage per phase, door and residual-current switch."""

    kind = "cabinet"

    def __init__(self, device_id: str, town: str, rng: Random, start_ms: int, interval_ms: int, supply: Supply) -> None:
        super().__init__(device_id, town, rng, start_ms, interval_ms)
        self.supply = supply
        self.keeps_backlog = True
        self.loads: dict[str, list[Load]] = {phase: [] for phase in PHASES}

    def wake(self, now_ms: int) -> list[Reading]:
        """One reading of the three phases."""
        self.next_slot()
        values: dict[str, float | bool | str] = {}
        for phase in PHASES:
            power_w = sum(load.power_w(now_ms) for load in self.loads[phase])
            values[f"power_{phase.lower()}_w"] = round(power_w * self.rng.gauss(1.0, 0.002), 1)
        for phase in PHASES:
            values[f"voltage_{phase.lower()}_v"] = round(self.supply.voltage_v(phase, now_ms), 1)
        return [self.reading(now_ms, values | {"door_open": False, "rcd_open": False})]
