"""A counting barrier: totals of cars in and out since its boot, every five minutes."""

from __future__ import annotations

import math
from random import Random

from firmware_sim.device import Device, Reading
from firmware_sim.parking import HOUR_MS, Demand


class Counter(Device):
    """Counts the cars of a car park of `capacity` spaces; after a reboot the totals begin at 0 again."""

    kind = "counter"

    def __init__(
        self, device_id: str, town: str, rng: Random, start_ms: int, interval_ms: int, demand: Demand, capacity: int
    ) -> None:
        super().__init__(device_id, town, rng, start_ms, interval_ms)
        self.demand = demand
        self.capacity = capacity
        self.keeps_backlog = True
        self.inside = round(capacity * demand.share(start_ms))
        self._entries = 0
        self._exits = 0
        self._counted_ms = start_ms

    def wake(self, now_ms: int) -> list[Reading]:
        """One reading with both totals."""
        self._let_cars_pass(now_ms)
        self.next_slot()
        return [self.reading(now_ms, {"entries": self._entries, "exits": self._exits})]

    def power_up(self, now_ms: int) -> None:
        """The totals are not kept over a reboot."""
        super().power_up(now_ms)
        self._entries = self._exits = 0

    def _let_cars_pass(self, now_ms: int) -> None:
        hours = (now_ms - self._counted_ms) / HOUR_MS
        self._counted_ms = now_ms
        leaving = sum(self.rng.random() < 1 - math.exp(-hours / self.demand.stay_h) for _ in range(self.inside))
        wanted = self.capacity * self.demand.share(now_ms)
        arriving = self._poisson(wanted * (1 - math.exp(-hours / self.demand.stay_h)))
        arriving = min(arriving, self.capacity - self.inside + leaving)
        self.inside += arriving - leaving
        self._entries += arriving
        self._exits += leaving

    def _poisson(self, mean: float) -> int:
        """A Poisson number for means up to a few hundred (Knuth)."""
        limit, count, product = math.exp(-min(mean, 500.0)), 0, self.rng.random()
        while product > limit:
            count += 1
            product *= self.rng.random()
        return count
