"""Occupancy: each bay free, occupied or unknown, each site the sum of its bays or what its barriers know.

Missing is not zero: a bay that has not spoken for 2.5 of its intervals is unknown, not free, and free + occupied +
unknown = capacity, always. Unknown is also what nobody should believe: a bay with an open finding of DOUBTING, all bays
of a site with snow on its sensors, and a bay whose sensor has just started, until its next change or for half an hour;
and a site whose barriers have counted so long that nobody knows any more how far they are off.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rules.barriers import Barriers, capacity_of
from rules.batch import Batch
from rules.fleet import Fleet
from rules.latest import NEVER_MS, LatestValues, grown
from rules.records import BAY_STATES, AudienceState, BayState, SiteState

FRESH_INTERVALS = 2.5
DOUBTING = frozenset({"bay_stuck", "bay_flapping", "bay_neighbour", "bay_reboot", "bay_snow", "counter_drift"})
"""The rules whose findings say that a bay's or a counter's word is worth nothing."""
SIGMA_MOST_SHARE = 0.1
"""A count that is off by more of the capacity is not shown. (Shared knowledge, domain A7.)"""
STARTING_MS, GHOST_MS = 30 * 60_000, 60_000
"""A sensor that has just started may take an empty bay for an occupied one; what it says in the first minute, when it
looks for its zero, is no change. (Shared knowledge, domain A7.)"""
FREE, OCCUPIED, UNKNOWN = (BAY_STATES.index(word) for word in ("free", "occupied", "unknown"))


@dataclass(eq=False)
class Occupancy:
    """n devices. `taken` f4[n] 1 occupied, 0 free, NaN never said; `since_ms` i8[n] since when it is so;
    `last_ms` i8[n] when it was last said, both event time · `started_ms` i8[n] the sensor's last start, as far as it
    tells · `doubted` bool[n] whose word is worth nothing just now.
    """

    taken: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, dtype=np.float32))
    since_ms: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    last_ms: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    started_ms: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    doubted: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))

    barriers: Barriers = field(default_factory=Barriers)

    def grow(self, length: int) -> None:
        """Room for so many devices."""
        self.barriers.grow(length)
        self.taken = grown(self.taken, length, np.nan)
        self.since_ms = grown(self.since_ms, length, NEVER_MS)
        self.last_ms = grown(self.last_ms, length, NEVER_MS)
        self.started_ms = grown(self.started_ms, length, NEVER_MS)
        self.doubted = grown(self.doubted, length, False)

    def advance(self, batch: Batch, fleet: Fleet) -> NDArray[np.int32]:
        """Take in a batch; the numbers of the sites about which something was said."""
        bays = np.flatnonzero(fleet.of_kind("parking")[batch.device])
        said = batch.readings.column("occupied") if len(bays) else np.zeros(0)
        for rows in batch.rounds(bays[~np.isnan(said[bays])] if len(bays) else bays):
            device, t_ms = batch.device[rows], batch.readings.t_ms[rows]
            newer = t_ms > self.last_ms[device]
            changed = newer & (self.taken[device] != said[rows])  # NaN differs from everything
            self.since_ms[device] = np.where(changed, t_ms, self.since_ms[device])
            self.taken[device] = np.where(newer, said[rows], self.taken[device])
            self.last_ms[device] = np.where(newer, t_ms, self.last_ms[device])
        self._note_starts(batch, bays)
        self.barriers.advance(batch, fleet)
        of_sites = fleet.of_kind("parking")[batch.device] | fleet.of_kind("counter")[batch.device]
        touched: NDArray[np.int32] = np.unique(fleet.site[batch.device[of_sites]])
        return touched[touched >= 0]

    def _note_starts(self, batch: Batch, bays: NDArray[np.intp]) -> None:
        """When the sensors started that say how long they have been up."""
        if not len(bays) or "uptime_s" not in batch.readings.names:
            return
        up_s = batch.readings.column("uptime_s")[bays]
        told = bays[~np.isnan(up_s)]
        since_ms = batch.readings.t_ms[told] - np.rint(up_s[~np.isnan(up_s)] * 1000).astype(np.int64)
        np.maximum.at(self.started_ms, batch.device[told], since_ms)

    def states(self, fleet: Fleet, now_ms: int) -> NDArray[np.uint8]:
        """u1[n]: index into BAY_STATES for each device; what is no bay is unknown.

        What counts is when it was measured, not when it came: an old measurement is old however late it arrives.
        """
        fresh = (self.last_ms != NEVER_MS) & (now_ms - self.last_ms <= FRESH_INTERVALS * fleet.interval_ms)
        settled = (now_ms - self.started_ms > STARTING_MS) | (self.since_ms > self.started_ms + GHOST_MS)
        known = fresh & fleet.live & ~np.isnan(self.taken) & settled & ~self.doubted
        return np.where(known, np.where(self.taken == 1, OCCUPIED, FREE), UNKNOWN).astype(np.uint8)

    def bay(self, fleet: Fleet, number: int, state: int) -> BayState:
        """One bay as people see it."""
        device = fleet.devices[number]
        said = self.last_ms[number] != NEVER_MS
        return BayState(
            device_id=device.device_id,
            state=BAY_STATES[state],
            since_ms=int(self.since_ms[number]) if said else None,
            measured_ms=int(self.last_ms[number]) if said else None,
            audience=device.audience,
        )

    def sites(self, fleet: Fleet, latest: LatestValues, now_ms: int) -> list[SiteState]:
        """Every site, in the order of the fleet's `sites`."""
        states = self.states(fleet, now_ms)
        bays = fleet.of_kind("parking") & (fleet.site >= 0) & fleet.in_use
        counters = fleet.of_kind("counter") & (fleet.site >= 0) & fleet.in_use
        return [
            self._of_bays(fleet, place, np.flatnonzero(bays & (fleet.site == place)), states)
            if (bays & (fleet.site == place)).any()
            else _of_barriers(fleet, place, np.flatnonzero(counters & (fleet.site == place)), latest, self, now_ms)
            for place in range(len(fleet.sites))
        ]

    def _of_bays(self, fleet: Fleet, place: int, numbers: NDArray[np.intp], states: NDArray[np.uint8]) -> SiteState:
        site = fleet.sites[place]
        groups: dict[str, list[int]] = {}
        for number in numbers.tolist():
            counts = groups.setdefault(fleet.devices[number].audience or "", [0, 0, 0])
            counts[states[number]] += 1
        free, occupied, unknown = (sum(counts[state] for counts in groups.values()) for state in range(3))
        measured = self.last_ms[numbers]
        known = states[numbers] != UNKNOWN
        # Bays that have no sensor are unknown; more sensors than the site says it has places are all counted.
        capacity = max(site.capacity or 0, len(numbers))
        return SiteState(
            town=site.town,
            site=site.site,
            capacity=capacity,
            free=free,
            occupied=occupied,
            unknown=unknown + capacity - len(numbers),
            measured_ms=int(measured[known].max()) if known.any() else _none_if_never(int(measured.max())),
            is_stale=not known.any(),
            audiences=tuple(
                AudienceState(name, sum(counts), counts[FREE], counts[OCCUPIED], counts[UNKNOWN])
                for name, counts in sorted(groups.items())
            ),
        )


def _of_barriers(
    fleet: Fleet, place: int, numbers: NDArray[np.intp], latest: LatestValues, known: Occupancy, now_ms: int
) -> SiteState:
    """A site whose barriers count: occupied_count where they say it, otherwise what their balance leaves possible."""
    site = fleet.sites[place]
    capacity = capacity_of(fleet, place)
    heard = latest.t_ms[numbers]
    measured_ms = _none_if_never(int(latest.t_ms[numbers].max())) if len(numbers) else None
    limit_ms = FRESH_INTERVALS * fleet.interval_ms[numbers]
    is_fresh = bool(len(numbers)) and bool(((heard != NEVER_MS) & (now_ms - heard <= limit_ms)).all())
    told = _told(numbers, latest)
    barriers = known.barriers
    bounds = barriers.bounds(fleet, place, capacity) if told is None else (told, told)
    is_off = told is None and barriers.sigma_of(fleet, place) > SIGMA_MOST_SHARE * capacity
    if bounds is None or not is_fresh or is_off or known.doubted[numbers].any():
        return SiteState(site.town, site.site, capacity, 0, 0, capacity, measured_ms, True)
    at_least, at_most = (min(max(bound, 0), capacity) for bound in bounds)
    return SiteState(
        site.town, site.site, capacity, capacity - at_most, at_least, at_most - at_least, measured_ms, False
    )


def _told(numbers: NDArray[np.intp], latest: LatestValues) -> int | None:
    """The sum of `occupied_count`, when every barrier says it."""
    values, times = latest.numbers.get("occupied_count", (None, None))
    if values is None or times is None or (times[numbers] == NEVER_MS).any():
        return None
    return round(float(values[numbers].sum()))


def _none_if_never(ms: int) -> int | None:
    return None if ms == NEVER_MS else ms
