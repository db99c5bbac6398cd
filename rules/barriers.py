"""What counting barriers know: not how many cars stand inside, but how that number changed since we count.

A barrier says entries and exits since its start. How many stood inside before, nobody told. Since there are never fewer
than none and never more than the capacity, the lowest and the highest balance seen so far narrow it down:

    balance − lowest  ≤  occupied  ≤  capacity − (highest − balance)

What lies between is unknown and is shown so. Missed cars make the bounds contradict each other in the end; then both
follow the balance. (Recounts, drift and its correction come with the parking engine.)
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rules.batch import Batch
from rules.fleet import Fleet
from rules.latest import grown


@dataclass(eq=False)
class Barriers:
    """n devices, of which the counters matter. `boot` f8[n] the start that `inside` counts from, NaN = never heard;
    `inside`, `before` f8[n] entries minus exits in this start and in all before it; `lowest`, `highest` f8[n] of the
    site's balance, at the first barrier of each site.
    """

    boot: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    inside: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    before: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    lowest: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    highest: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))

    def grow(self, length: int) -> None:
        """Room for so many devices."""
        self.boot = grown(self.boot, length, np.nan)
        for name in ("inside", "before", "lowest", "highest"):
            setattr(self, name, grown(getattr(self, name), length, 0.0))

    def advance(self, batch: Batch, fleet: Fleet) -> None:
        """Take in a batch."""
        rows = np.flatnonzero(fleet.of_kind("counter")[batch.device] & (fleet.site[batch.device] >= 0))
        if not len(rows):
            return
        change = batch.readings.column("entries") - batch.readings.column("exits")
        for each in batch.rounds(rows[~np.isnan(change[rows])]):
            device, boot = batch.device[each], batch.readings.boot[each].astype(np.float64)
            # A message of an earlier start tells nothing that the next start did not begin with.
            fresh = ~(boot < self.boot[device])
            device, boot, now = device[fresh], boot[fresh], change[each][fresh]
            restarted = boot > self.boot[device]
            self.before[device] += np.where(restarted, self.inside[device], 0.0)
            self.inside[device], self.boot[device] = now, boot
            self._widen(fleet, np.unique(fleet.site[device]))

    def _widen(self, fleet: Fleet, sites: NDArray[np.int32]) -> None:
        balance, slot = self._balances(fleet)
        heard = slot[sites]
        self.lowest[heard] = np.minimum(self.lowest[heard], balance[sites])
        self.highest[heard] = np.maximum(self.highest[heard], balance[sites])

    def _balances(self, fleet: Fleet) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """f8[s] of each site, and i8[s] the number of its first barrier, -1 = it has none."""
        counters = np.flatnonzero(fleet.of_kind("counter") & (fleet.site >= 0) & fleet.in_use)
        count = len(fleet.sites)
        weights = self.inside[counters] + self.before[counters]
        balance: NDArray[np.float64] = np.bincount(fleet.site[counters], weights, count).astype(np.float64)
        slot = np.full(count, -1, dtype=np.int64)
        slot[fleet.site[counters[::-1]]] = counters[::-1]
        return balance, slot

    def bounds(self, fleet: Fleet, place: int, capacity: int) -> tuple[int, int] | None:
        """How many stand inside at least and at most; None when no barrier of the site has counted yet."""
        balance, slot = self._balances(fleet)
        first = int(slot[place])
        if first < 0 or np.isnan(self.boot[first]):
            return None
        now = float(balance[place])
        at_least = min(max(now - float(self.lowest[first]), 0.0), capacity)
        at_most = min(max(capacity - (float(self.highest[first]) - now), at_least), capacity)
        return round(at_least), round(at_most)
