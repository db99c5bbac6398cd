"""Car parks: how full they want to be over a week, the bays that come and go, and the sensor in each bay."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from random import Random

from firmware_sim import sky
from firmware_sim.device import Device, Reading
from firmware_sim.payloads import Values
from firmware_sim.profile import LOCAL

HOUR_MS = 3_600_000
LOOK_AHEAD_MS = HOUR_MS // 2
"""Demand is looked at afresh this often while a bay is free."""


@dataclass(frozen=True)
class Demand:
    """One sort of car park: share of bays taken by hour (0..23) on weekdays and at weekends, and how long cars stay."""

    weekday: tuple[float, ...]
    weekend: tuple[float, ...]
    stay_h: float

    def share(self, at_ms: int) -> float:
        """The share of taken bays that this hour tends to, 0.02..0.95, linear between full hours."""
        local = datetime.fromtimestamp(at_ms / 1000, LOCAL)
        hours = self.weekend if local.weekday() >= 5 else self.weekday
        here, there = hours[local.hour], hours[(local.hour + 1) % 24]
        return min(0.95, max(0.02, here + (there - here) * local.minute / 60))


def _day(night: float, peaks: dict[int, float]) -> tuple[float, ...]:
    """Twenty-four shares: the night's level, a peak at each given hour, falling by half each two hours beside it."""
    return tuple(
        max([night, *(peak * 0.5 ** (abs(hour - at) / 2.5) for at, peak in peaks.items())]) for hour in range(24)
    )


# Levels and stays are assumptions; the shapes are those of commuters, shoppers, bathers and residents.
DEMANDS = {
    "station": Demand(_day(0.08, {8: 0.9, 10: 0.92, 12: 0.9, 14: 0.85, 16: 0.6}), _day(0.06, {12: 0.25}), 7.0),
    "centre": Demand(_day(0.12, {10: 0.85, 16: 0.8}), _day(0.12, {10: 0.8, 19: 0.4}), 0.8),
    "lake": Demand(_day(0.03, {17: 0.35}), _day(0.04, {14: 0.9, 16: 0.85}), 3.0),
    "residents": Demand(_day(0.75, {20: 0.9, 12: 0.35}), _day(0.8, {20: 0.9}), 9.0),
}


class Bay(Device):
    """A bay with its sensor: reports each change and, an hour after the last report, that it is still there.

    The cars are there whether or not the sensor sees them: while `stuck` the sensor keeps its last state, and
    `first_unseen_ms` is when a car first came or went unseen.
    """

    kind = "parking"

    def __init__(self, device_id: str, town: str, rng: Random, start_ms: int, interval_ms: int, demand: Demand) -> None:
        super().__init__(device_id, town, rng, start_ms, interval_ms)
        self.demand = demand
        self.keeps_backlog = True
        self.stuck = False
        self.first_unseen_ms: int | None = None
        self.taken = rng.random() < demand.share(start_ms)
        self.occupied = self.taken
        self._habit = rng.gauss(1.0, 0.12)
        self._battery_v = rng.uniform(3.4, 3.64)
        self._change_ms = self._next_change_ms(start_ms, started=True)
        self._heartbeat_ms = self.next_wake_ms
        self._plan()

    def wake(self, now_ms: int) -> list[Reading]:
        """A reading on a change of state or when the heartbeat is due."""
        while self._change_ms <= now_ms:
            self._pass_change()
        if not self.stuck and self.taken != self.occupied:
            self.occupied = self.taken
            return [self._report(now_ms)]
        if now_ms >= self._heartbeat_ms:
            return [self._report(now_ms)]
        self._plan()
        return []

    def power_up(self, now_ms: int) -> None:
        """After a reboot the sensor measures afresh and reports soon."""
        super().power_up(now_ms)
        self._heartbeat_ms = self.next_wake_ms

    def _report(self, now_ms: int) -> Reading:
        self._heartbeat_ms = now_ms + self.interval_ms + self.rng.randrange(60_000)
        self._plan()
        self._battery_v -= 2e-6
        values: Values = {
            "occupied": self.occupied,
            "temp_c": round(sky.ambient_c(now_ms) + self.rng.gauss(1.0, 0.7)),
            "battery_v": round(self._battery_v * 50) / 50,
        }
        return self.reading(now_ms, values)

    def _plan(self) -> None:
        # A magnetic sensor waits some seconds before it believes a change.
        self.next_wake_ms = min(self._heartbeat_ms, self._change_ms + self.rng.randrange(4_000, 20_000))

    def _pass_change(self) -> None:
        changed_ms = self._change_ms
        if self.taken or self.rng.random() < self._arrival_share(changed_ms):
            self.taken = not self.taken
            if self.stuck and self.first_unseen_ms is None:
                self.first_unseen_ms = changed_ms
        self._change_ms = self._next_change_ms(changed_ms, started=False)

    def _arrival_share(self, at_ms: int) -> float:
        """Chance that a free bay is taken within one look-ahead, so that in balance the demanded share is taken."""
        share = min(0.95, self.demand.share(at_ms) * self._habit)
        rate_per_h = share / (1 - share) / self.demand.stay_h
        return 1 - math.exp(-rate_per_h * LOOK_AHEAD_MS / HOUR_MS)

    def _next_change_ms(self, from_ms: int, started: bool) -> int:
        """When the car leaves, or, while free, the next moment at which one may come."""
        if not self.taken:
            return from_ms + self.rng.randrange(LOOK_AHEAD_MS // 4, LOOK_AHEAD_MS * 7 // 4)
        stay_h = self.rng.lognormvariate(math.log(self.demand.stay_h) - 0.32, 0.8)
        stay_ms = max(90_000, int(stay_h * HOUR_MS))
        return from_ms + (self.rng.randrange(stay_ms) if started else stay_ms)
