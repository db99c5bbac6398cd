"""What counting barriers know: not how many cars stand inside, but how that number changed since we count.

A barrier says entries and exits since its start. How many stood inside before, nobody told. Since there are never fewer
than none and never more than the capacity, the lowest and the highest balance seen so far narrow it down:

    balance − lowest  ≤  occupied  ≤  capacity − (highest − balance)

What lies between is unknown and is shown so. Missed cars make the bounds contradict each other in the end: then the car
park is taken for full or empty, and the count is sure again for a while. In between it is off by `sigma_of` cars, and
whoever shows it must not when that is too many. (A recount by people, bays with sensors and a correction at night come
with the parking engine; each makes the count `sure` as well.)
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rules.batch import Batch
from rules.fleet import Fleet
from rules.latest import NEVER_MS, grown
from rules.passages import Numbers, clamped, passed, sigma


@dataclass(eq=False)
class Barriers:
    """n devices, of which the counters matter. `boot` f8[n] the start of its last word, NaN = never heard ·
    `told_ms` i8[n] when that was · `entries`, `exits` f8[n] what it said · `inside` f8[n] entries minus exits since its
    first word · at the first barrier of each site `lowest`, `highest` f8[n] of the site's balance, and `passages` f8[n]
    since its count was sure.
    """

    boot: Numbers = field(default_factory=lambda: np.zeros(0))
    told_ms: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    entries: Numbers = field(default_factory=lambda: np.zeros(0))
    exits: Numbers = field(default_factory=lambda: np.zeros(0))
    inside: Numbers = field(default_factory=lambda: np.zeros(0))
    lowest: Numbers = field(default_factory=lambda: np.zeros(0))
    highest: Numbers = field(default_factory=lambda: np.zeros(0))
    passages: Numbers = field(default_factory=lambda: np.zeros(0))

    def grow(self, length: int) -> None:
        """Room for so many devices."""
        self.boot = grown(self.boot, length, np.nan)
        self.told_ms = grown(self.told_ms, length, NEVER_MS)
        for name in ("entries", "exits", "inside", "lowest", "highest", "passages"):
            setattr(self, name, grown(getattr(self, name), length, 0.0))

    def advance(self, batch: Batch, fleet: Fleet) -> None:
        """Take in a batch."""
        rows = np.flatnonzero(fleet.of_kind("counter")[batch.device] & (fleet.site[batch.device] >= 0))
        if not len(rows):
            return
        entries, exits = batch.readings.column("entries"), batch.readings.column("exits")
        for each in batch.rounds(rows[~np.isnan(entries[rows] - exits[rows])]):
            device, boot = batch.device[each], batch.readings.boot[each].astype(np.float64)
            # A message of an earlier start, or an older one of this start, tells nothing that is not known.
            later = (boot == self.boot[device]) & (batch.readings.t_ms[each] > self.told_ms[device])
            fresh = np.isnan(self.boot[device]) | (boot > self.boot[device]) | later
            each, device, boot = each[fresh], device[fresh], boot[fresh]
            gone_by = self._count(device, boot, entries[each], exits[each])
            self.told_ms[device] = batch.readings.t_ms[each]
            self._narrow(fleet, device, gone_by)

    def _count(self, device: NDArray[np.int64], boot: Numbers, entries: Numbers, exits: Numbers) -> Numbers:
        """Take in what these say; f8[m] how many have passed since their last words."""
        came, left, _ = passed((self.entries[device], self.exits[device]), (entries, exits))
        anew, is_first = boot > self.boot[device], np.isnan(self.boot[device])
        came = np.where(is_first, 0.0, np.where(anew, entries, came))
        left = np.where(is_first, 0.0, np.where(anew, exits, left))
        self.boot[device], self.entries[device], self.exits[device] = boot, entries, exits
        self.inside[device] += came - left
        found: Numbers = came + left
        return found

    def _narrow(self, fleet: Fleet, device: NDArray[np.int64], gone_by: Numbers) -> None:
        balance, slot = self._balances(fleet)
        np.add.at(self.passages, slot[fleet.site[device]], gone_by)
        sites = np.unique(fleet.site[device])
        heard = slot[sites]
        capacity = np.array([capacity_of(fleet, place) for place in sites.tolist()], dtype=np.float64)
        found = clamped(self.lowest[heard], self.highest[heard], balance[sites], capacity)
        self.lowest[heard], self.highest[heard], off = found
        self.sure(heard[off != 0])

    def sure(self, firsts: NDArray[np.int64]) -> None:
        """The counts of the sites of these first barriers are right now, whatever was missed before."""
        self.passages[firsts] = 0.0

    def _balances(self, fleet: Fleet) -> tuple[Numbers, NDArray[np.int64]]:
        """f8[s] of each site, and i8[s] the number of its first barrier, -1 = it has none."""
        counters = np.flatnonzero(fleet.of_kind("counter") & (fleet.site >= 0) & fleet.in_use)
        count = len(fleet.sites)
        balance: Numbers = np.bincount(fleet.site[counters], self.inside[counters], count).astype(np.float64)
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

    def sigma_of(self, fleet: Fleet, place: int) -> float:
        """By how many cars the count of a site is off, one standard deviation; 0 where no barrier counts."""
        first = int(self._balances(fleet)[1][place])
        return float(sigma(self.passages[[first]])[0]) if first >= 0 else 0.0


def capacity_of(fleet: Fleet, place: int) -> int:
    """The spaces of a site with barriers: what the inventory says of the site, or else of its barriers."""
    if fleet.sites[place].capacity:
        return int(fleet.sites[place].capacity or 0)
    counters = np.flatnonzero(fleet.of_kind("counter") & (fleet.site == place) & fleet.in_use)
    return sum(fleet.devices[number].capacity or 0 for number in counters.tolist())
