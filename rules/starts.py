"""How often a device started anew lately: from the time it says it has been up, 0 in the message of its start.

Whose start message was lost is seen in the next message: what it has been up for is less than the time since then.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rules.latest import NEVER_MS, grown
from rules.rows import Rows

WITHIN_MS = 24 * 3_600_000
KEPT = 16
"""More starts than that within a day are counted as so many."""
JITTER_MS = 90_000
"""Two starts nearer than that are one: devices count whole minutes, and their clocks run apart."""


class Starts:
    """n devices: `started_ms` i8[n] the last start · `times_ms` i8[n, 16] when the last ones were told."""

    def __init__(self) -> None:
        self.started_ms = np.zeros(0, dtype=np.int64)
        self.times_ms = np.zeros((0, KEPT), dtype=np.int64)

    def grow(self, devices: int) -> None:
        """Room for so many devices."""
        self.started_ms = grown(self.started_ms, devices, NEVER_MS)
        more = np.full((max(devices - len(self.times_ms), 0), KEPT), NEVER_MS, dtype=np.int64)
        self.times_ms = np.concatenate((self.times_ms, more))

    def forget(self, devices: NDArray[np.int64]) -> None:
        """Nothing is known of these any more."""
        self.started_ms[devices], self.times_ms[devices] = NEVER_MS, NEVER_MS

    def take(self, rows: Rows, uptime_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """f8[k]: how many starts were told within 24 hours; NaN until a device has said how long it is up."""
        said = ~np.isnan(uptime_s)
        begins = np.flatnonzero(rows.is_first)[np.cumsum(rows.is_first) - 1]
        so_far = np.cumsum(said) - (np.cumsum(said) - said)[begins]
        is_known = (self.started_ms[rows.device] != NEVER_MS) | (so_far > 0)
        row = np.flatnonzero(said)
        told = row[self._starts(rows.device[row], rows.t_ms[row] - np.rint(uptime_s[row] * 1000).astype(np.int64))]
        count = self._count(rows, told)
        found: NDArray[np.float64] = np.where(is_known, np.minimum(count, KEPT), np.nan)
        return found

    def _starts(self, device: NDArray[np.int64], started_ms: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of these tell of another start than those before of the same device; that of the first is not one."""
        if not len(device):
            return np.zeros(0, dtype=np.bool_)
        first = np.append(True, device[1:] != device[:-1])
        step = np.cumsum(first) * (int(started_ms.max()) + 2)
        newest = np.where(first, np.maximum(started_ms, self.started_ms[device]), started_ms)
        highest_ms = np.maximum.accumulate(newest + step) - step
        before_ms = np.where(first, self.started_ms[device], np.append(NEVER_MS, highest_ms[:-1]))
        last = np.append(first[1:], True)
        self.started_ms[device[last]] = highest_ms[last]
        found: NDArray[np.bool_] = (before_ms != NEVER_MS) & (started_ms > before_ms + JITTER_MS)
        return found

    def _count(self, rows: Rows, told: NDArray[np.int64]) -> NDArray[np.int64]:
        """i8[k]: how many starts of its device were told within 24 hours before each row; `told` i8[s] are new."""
        whose = np.concatenate((np.repeat(rows.present, KEPT), rows.device[told]))
        at_ms = np.concatenate((self.times_ms[rows.present].ravel(), rows.t_ms[told]))
        order = np.lexsort((at_ms, whose))
        whose, at_ms = whose[order], at_ms[order]
        width = int(rows.t_ms.max(initial=0)) + WITHIN_MS + 2
        begin, key = rows.device * width, whose * width + at_ms
        since = np.maximum(begin + rows.t_ms - WITHIN_MS, begin + NEVER_MS)
        count: NDArray[np.int64] = np.searchsorted(key, begin + rows.t_ms, "right") - np.searchsorted(
            key, since, "right"
        )
        ends = np.flatnonzero(np.append(whose[1:] != whose[:-1], True)[: len(whose)])
        self.times_ms[whose[ends]] = at_ms[ends[:, None] - np.arange(KEPT - 1, -1, -1)]
        return count
