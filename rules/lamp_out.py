"""lamp_out: a lamp that is told to burn and draws next to nothing.

    expected_w(dim) = min_w + (nominal_w − min_w) · (dim − min_dim) / (100 − min_dim)

Bad = dimmed up to at least its lowest step and power below 25 % of what is expected there, or the lamp itself reports
its failure. It opens after 20 minutes and two samples of that in a row, and closes after two samples above 60 %.
In the dark hours of its profile nothing is judged: an open one stays open. (shared knowledge, domain A3.)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rules.batch import Batch
from rules.edges import Closing, Edge, Opening
from rules.fleet import Fleet
from rules.latest import NEVER_MS, grown
from rules.records import Evidence

RULE = "lamp_out"
LOW_SHARE, CLEAR_SHARE = 0.25, 0.60
FOR_MS = 20 * 60_000
SAMPLES_MIN = 2
GAP_INTERVALS_MAX = 2.5
LATE_MS_MAX = 2 * 3_600_000
"""A sample that came later than this tells of the past: it neither raises nor clears."""
MENDED = "Die Lampe brennt wieder."


def expected_w(fleet: Fleet, device: NDArray[np.int64], dim_pct: NDArray[np.float64]) -> NDArray[np.float64]:
    """f8[k]: what these lamps should draw at these steps; NaN when their nominal power is not known."""
    low_pct, full_w = fleet.min_dim_pct[device], fleet.nominal_w[device]
    low_w = np.minimum(fleet.min_w[device], full_w)
    share = (dim_pct - low_pct) / np.maximum(100.0 - low_pct, 1.0)
    return low_w + (full_w - low_w) * np.clip(share, 0.0, 1.0)


@dataclass(eq=False)
class LampOut:
    """n devices. `last_ms` i8[n] the newest sample that was judged; `bad_since_ms` i8[n] begin of the run of bad ones,
    -1 = none; `bad`, `good` u2[n] samples in a row; `open_since_ms` i8[n] begin of the open episode, -1 = none.
    """

    last_ms: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    bad_since_ms: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    open_since_ms: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    bad: NDArray[np.uint16] = field(default_factory=lambda: np.zeros(0, dtype=np.uint16))
    good: NDArray[np.uint16] = field(default_factory=lambda: np.zeros(0, dtype=np.uint16))

    def grow(self, length: int) -> None:
        """Room for so many devices."""
        for name in ("last_ms", "bad_since_ms", "open_since_ms"):
            setattr(self, name, grown(getattr(self, name), length, NEVER_MS))
        self.bad, self.good = grown(self.bad, length, 0), grown(self.good, length, 0)

    def advance(self, batch: Batch, fleet: Fleet) -> Iterator[Edge]:
        """What follows from a batch."""
        lamps = np.flatnonzero(fleet.of_kind("lamp")[batch.device] & fleet.live[batch.device])
        if not len(lamps):
            return
        power_w, dim_pct = batch.readings.column("power_w"), batch.readings.column("dim_pct")
        failure = batch.readings.column("lamp_failure")
        for rows in batch.rounds(lamps):
            yield from self._step(batch, fleet, rows, power_w[rows], dim_pct[rows], failure[rows] == 1)

    def _step(
        self,
        batch: Batch,
        fleet: Fleet,
        rows: NDArray[np.int64],
        power_w: NDArray[np.float64],
        dim_pct: NDArray[np.float64],
        failure: NDArray[np.bool_],
    ) -> Iterator[Edge]:
        """One sample of each device."""
        readings, device = batch.readings, batch.device[rows]
        t_ms = readings.t_ms[rows]
        wanted_w = expected_w(fleet, device, dim_pct)
        on = dim_pct >= np.maximum(fleet.min_dim_pct[device], 1.0)
        bad = on & (failure | (power_w < LOW_SHARE * wanted_w))
        good = on & ~failure & (power_w > CLEAR_SHARE * wanted_w)
        usable = (t_ms > self.last_ms[device]) & (readings.received_ms[rows] - t_ms <= LATE_MS_MAX)
        self._count(device, t_ms, bad & usable, good & usable, usable, fleet)
        is_open = self.open_since_ms[device] != NEVER_MS
        long_enough = (self.bad[device] >= SAMPLES_MIN) & (t_ms - self.bad_since_ms[device] >= FOR_MS)
        opens = bad & usable & ~is_open & long_enough
        closes = good & usable & is_open & (self.good[device] >= SAMPLES_MIN) & (t_ms > self.open_since_ms[device])
        for place in np.flatnonzero(opens).tolist():
            yield self._opening(batch, fleet, int(rows[place]), power_w[place], dim_pct[place], wanted_w[place])
        for place in np.flatnonzero(closes).tolist():
            yield self._closing(fleet, int(device[place]), int(t_ms[place]), MENDED)

    def _count(
        self,
        device: NDArray[np.int64],
        t_ms: NDArray[np.int64],
        bad: NDArray[np.bool_],
        good: NDArray[np.bool_],
        usable: NDArray[np.bool_],
        fleet: Fleet,
    ) -> None:
        gap = t_ms - self.last_ms[device] > GAP_INTERVALS_MAX * fleet.interval_ms[device]
        begins = bad & (gap | (self.bad[device] == 0))
        self.bad[device] = np.where(
            usable, np.where(bad, np.where(begins, 1, self.bad[device] + 1), 0), self.bad[device]
        )
        self.good[device] = np.where(usable, np.where(good, self.good[device] + 1, 0), self.good[device])
        self.bad_since_ms[device] = np.where(begins, t_ms, self.bad_since_ms[device])
        self.last_ms[device] = np.where(usable, t_ms, self.last_ms[device])

    def _opening(
        self, batch: Batch, fleet: Fleet, row: int, power_w: float, dim_pct: float, wanted_w: float
    ) -> Opening:
        number = int(batch.device[row])
        device_id, t_ms = fleet.devices[number].device_id, int(batch.readings.t_ms[row])
        since_ms = int(self.bad_since_ms[number])
        self.open_since_ms[number] = since_ms
        evidence = [
            Evidence(device_id, t_ms, "power_w", float(power_w)),
            Evidence(device_id, t_ms, "dim_pct", float(dim_pct)),
        ]
        facts = {
            "power_w": float(power_w),
            "dim_pct": float(dim_pct),
            "expected_w": float(wanted_w),
            "limit_w": float(wanted_w) * LOW_SHARE,
            "samples": float(self.bad[number]),
        }
        opened_ms = int(batch.readings.received_ms[row])
        kept = tuple(one for one in evidence if one.value == one.value)  # NaN = not reported
        return Opening(RULE, device_id, str(since_ms), number, since_ms, opened_ms, facts, evidence=kept)

    def _closing(self, fleet: Fleet, number: int, closed_ms: int, reason: str) -> Closing:
        episode = str(int(self.open_since_ms[number]))
        self.open_since_ms[number] = NEVER_MS
        self.bad[number] = 0
        return Closing(RULE, fleet.devices[number].device_id, episode, closed_ms, reason)

    def end_all(self, fleet: Fleet, gone: NDArray[np.bool_], now_ms: int, reason: str) -> Iterator[Edge]:
        """Close what is open on these devices (bool[n]): they are not in service any more."""
        for number in np.flatnonzero(gone & (self.open_since_ms != NEVER_MS)).tolist():
            yield self._closing(fleet, number, now_ms, reason)
