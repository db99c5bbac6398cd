"""What devices said of one value, kept for some days in the order in which it could be known: for those beside them.

A word counts from the end of the allowance on, or from its receipt if that was later; a word that is older than what
the device had said before does not count at all. So what anybody had last said at an instant never changes afterwards,
in whatever order and pieces words come, and however late somebody asks.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rules.latest import NEVER_MS
from rules.rows import Rows

SURE_INTERVALS = 2.5
"""When a value changed is known if the word before came no longer ago."""
WIDTH_MS = 1 << 36
"""Devices follow each other in one line of time with this distance, so that one search serves all: two years."""

Times = NDArray[np.int64]


class WordLog:
    """w words by device and time. `device`, `known_ms` (from when on it counts), `t_ms` i8[w] · `value` f8[w] ·
    `is_sure` bool[w]: another value than before, and when it changed is known.

    `spoke` i8[d] the devices that ever said it, sorted: `newest_ms` i8[d], `newest` f8[d] the last word of each that
    counted. `changes` = only what differs from the word
    before is kept. What is older than `keep_ms` is dropped, but for each device's last word.
    """

    def __init__(self, changes: bool, keep_ms: int) -> None:
        self.changes = changes
        self.keep_ms = keep_ms
        self.device = np.zeros(0, dtype=np.int64)
        self.known_ms = np.zeros(0, dtype=np.int64)
        self.t_ms = np.zeros(0, dtype=np.int64)
        self.value = np.zeros(0)
        self.is_sure = np.zeros(0, dtype=np.bool_)
        self.spoke = np.zeros(0, dtype=np.int64)
        self.newest_ms = np.zeros(0, dtype=np.int64)
        self.newest = np.zeros(0)
        self._index()

    def refresh(self, interval_ms: NDArray[np.int64]) -> None:
        """Take in the intervals i8[n] that all devices promise."""
        self.interval_ms = interval_ms

    def forget(self, devices: NDArray[np.int64]) -> None:
        """As if these had never said anything."""
        others = ~np.isin(self.spoke, devices)
        self.spoke, self.newest_ms, self.newest = self.spoke[others], self.newest_ms[others], self.newest[others]
        self._keep(~np.isin(self.device, devices))

    def _welcome(self, device: Times) -> None:
        """Room for those of these devices that have said nothing yet."""
        new = np.setdiff1d(device, self.spoke)
        at = np.searchsorted(self.spoke, new)
        self.spoke = np.insert(self.spoke, at, new)
        self.newest_ms, self.newest = np.insert(self.newest_ms, at, NEVER_MS), np.insert(self.newest, at, np.nan)

    def take(self, rows: Rows, column: NDArray[np.float64]) -> None:
        """Take in a column of rows that all have become known since the last ones."""
        row = np.flatnonzero(~np.isnan(column))
        self._welcome(rows.device[row])
        order = row[np.lexsort((rows.t_ms[row], rows.own_known_ms[row], rows.device[row]))]
        order = order[self._counts(rows.device[order], rows.t_ms[order])]
        if not len(order):
            return
        device, t_ms, value = rows.device[order], rows.t_ms[order], column[order]
        first = np.append(True, device[1:] != device[:-1])
        place = np.searchsorted(self.spoke, device)
        before = np.where(first, self.newest[place], np.append(np.nan, value[:-1]))
        before_ms = np.where(first, self.newest_ms[place], np.append(NEVER_MS, t_ms[:-1]))
        is_new = before != value  # NaN differs from everything
        is_sure = is_new & ~np.isnan(before) & (t_ms - before_ms <= SURE_INTERVALS * self.interval_ms[device])
        last = np.append(first[1:], True)
        self.newest[place[last]], self.newest_ms[place[last]] = value[last], t_ms[last]
        kept = is_new if self.changes else np.ones(len(order), dtype=np.bool_)
        self._insert(device[kept], rows.own_known_ms[order][kept], t_ms[kept], value[kept], is_sure[kept])

    def _counts(self, device: Times, t_ms: Times) -> NDArray[np.bool_]:
        """Which words are younger than all of their device before; in the order in which they are known."""
        if not len(device):
            return np.zeros(0, dtype=np.bool_)
        first = np.append(True, device[1:] != device[:-1])
        step = np.cumsum(first) * (int(t_ms.max()) + 2)
        newest_ms = self.newest_ms[np.searchsorted(self.spoke, device)]
        highest = np.maximum.accumulate(np.where(first, np.maximum(t_ms, newest_ms), t_ms) + step)
        before = np.where(first, newest_ms, np.append(NEVER_MS, highest[:-1]) - step)
        found: NDArray[np.bool_] = t_ms > before
        return found

    def _insert(
        self, device: Times, known_ms: Times, t_ms: Times, value: NDArray[np.float64], is_sure: NDArray[np.bool_]
    ) -> None:
        at = np.searchsorted(self.device, device, side="right")
        self.device, self.known_ms = np.insert(self.device, at, device), np.insert(self.known_ms, at, known_ms)
        self.t_ms, self.value = np.insert(self.t_ms, at, t_ms), np.insert(self.value, at, value)
        self.is_sure = np.insert(self.is_sure, at, is_sure)
        oldest_ms = int(self.known_ms.max(initial=0)) - self.keep_ms
        is_last = np.append(self.device[1:] != self.device[:-1], True)
        is_needed = np.append(self.known_ms[1:] >= oldest_ms, True)  # the last one before is still in force then
        self._keep((self.known_ms >= oldest_ms) | is_last | is_needed)

    def _keep(self, kept: NDArray[np.bool_]) -> None:
        if not kept.all():
            for name in ("device", "known_ms", "t_ms", "value", "is_sure"):
                setattr(self, name, getattr(self, name)[kept])
        self._index()

    def _index(self) -> None:
        """Make ready for look-ups."""
        self.origin_ms = int(min(self.t_ms.min(initial=2**62), self.known_ms.min(initial=2**62)))
        self._by_known = self.device * WIDTH_MS + self.known_ms - self.origin_ms
        self._by_t = self.device * WIDTH_MS + self.t_ms - self.origin_ms
        self._sure = np.append(0, np.cumsum(self.is_sure))

    def begin(self, device: Times) -> Times:
        """The place of the first word of each of these devices."""
        found: Times = np.searchsorted(self._by_known, device * WIDTH_MS)
        return found

    def known_by(self, device: Times, at_ms: Times) -> Times:
        """The place behind the last word of each device that counted at an instant."""
        return self._behind(self._by_known, device, at_ms)

    def said_by(self, device: Times, at_ms: Times) -> Times:
        """The place behind the last word of each device up to an instant, by its own time."""
        return self._behind(self._by_t, device, at_ms)

    def _behind(self, keys: Times, device: Times, at_ms: Times) -> Times:
        key = device * WIDTH_MS + np.clip(at_ms - self.origin_ms, -1, WIDTH_MS - 1)
        found: Times = np.searchsorted(keys, key, side="right")
        return found

    def sure_between(self, begin: Times, end: Times) -> Times:
        """How many sure changes there are from one place up to another of the same device."""
        found: Times = self._sure[np.maximum(begin, end)] - self._sure[begin]
        return found

    def state(self) -> dict[str, NDArray[np.generic]]:
        """The log as columns, for snapshots."""
        return {name: column for name, column in vars(self).items() if name in COLUMNS}

    def restore(self, columns: dict[str, NDArray[np.generic]]) -> None:
        """Become what `state` gave."""
        for name in COLUMNS & columns.keys():
            setattr(self, name, columns[name].copy())
        self._index()


COLUMNS = frozenset({"device", "known_ms", "t_ms", "value", "is_sure", "spoke", "newest_ms", "newest"})
