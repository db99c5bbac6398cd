"""What the rules must remember of each device between two pieces of readings, as columns over all devices.

Each memory takes in a piece of rows once and gives a column for it; the same rows in other pieces give the same column.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rules.latest import NEVER_MS, grown
from rules.rows import Rows, last_true


class Memory(Protocol):
    """Columns over all devices: every array among its attributes has one row for each."""

    def grow(self, devices: int) -> None:
        """Room for so many devices."""

    def forget(self, devices: NDArray[np.int64]) -> None:
        """As if these had never said anything: for a device that was exchanged."""


def arrays_of(memory: object) -> dict[str, NDArray[Any]]:
    """The columns of a memory by name, for snapshots."""
    return {name: value for name, value in vars(memory).items() if isinstance(value, np.ndarray)}


def aside(column: NDArray[Any]) -> NDArray[Any]:
    """A copy in a file of its own that nobody else sees and that goes with it: it takes memory only when looked at."""
    if not column.size:
        return column.copy()
    with tempfile.TemporaryFile() as file:
        column.tofile(file)
        return np.memmap(file, dtype=column.dtype, mode="r", shape=column.shape)


@dataclass(frozen=True, eq=False)
class Past:
    """Known values, each device's newest ones from before in front of its own: s in all, sorted by device and time.

    `row` i8[s] -1 = from before · `device` i8[s] · `t_ms` i8[s] · `value` f8[s].
    """

    row: NDArray[np.int64]
    device: NDArray[np.int64]
    t_ms: NDArray[np.int64]
    value: NDArray[np.float64]

    def back(self, steps: int) -> NDArray[np.float64]:
        """f8[s]: the value so many samples earlier of the same device; NaN for none."""
        found = np.full(len(self.row), np.nan)
        found[steps:] = np.where(self._same(steps), self.value[: max(len(self.row) - steps, 0)], np.nan)
        return found

    def back_ms(self, steps: int) -> NDArray[np.int64]:
        """i8[s]: when that was; NEVER_MS for none."""
        found = np.full(len(self.row), NEVER_MS, dtype=np.int64)
        found[steps:] = np.where(self._same(steps), self.t_ms[: max(len(self.row) - steps, 0)], NEVER_MS)
        return found

    def _same(self, steps: int) -> NDArray[np.bool_]:
        same: NDArray[np.bool_] = self.device[steps:] == self.device[: max(len(self.row) - steps, 0)]
        return same


class LastKnown:
    """The last `size` values of a name for each device, or only those that differ from the one before (`changes`).

    With their times, or (not `timed`) without: what was before then has the time NEVER_MS.
    """

    def __init__(self, size: int, changes: bool = False, timed: bool = True) -> None:
        self.size = size
        self.changes = changes
        self.values = np.zeros((0, size))
        self.times_ms = np.zeros((0, size if timed else 0), dtype=np.int64)

    def grow(self, devices: int) -> None:
        """Room for so many devices."""
        more = devices - len(self.values)
        if more > 0:
            self.values = np.concatenate((self.values, np.full((more, self.size), np.nan)))
            empty = np.full((more, self.times_ms.shape[1]), NEVER_MS, dtype=np.int64)
            self.times_ms = np.concatenate((self.times_ms, empty))

    def forget(self, devices: NDArray[np.int64]) -> None:
        """Nothing is known of these any more."""
        self.values[devices], self.times_ms[devices] = np.nan, NEVER_MS

    def take(self, rows: Rows, column: NDArray[np.float64]) -> Past:
        """Take in a column; the past of each of its known values."""
        row = np.flatnonzero(~np.isnan(column))
        device = rows.device[row]
        begins = np.flatnonzero(device[1:] != device[:-1]) + 1
        starts = np.append(0, begins)[: len(device)]
        present = device[starts]
        values = self.values[present]
        known = ~np.isnan(values)
        count = known.sum(axis=1)
        # Each device's own come after those that it and the devices in front have from before.
        own = np.arange(len(device)) + np.repeat(np.cumsum(count), np.diff(np.append(starts, len(device))))
        is_before = np.ones(len(device) + int(count.sum()), dtype=np.bool_)
        is_before[own] = False
        before_ms = self.times_ms[present][known] if self.times_ms.shape[1] else np.int64(NEVER_MS)

        def both(before: Any, now: NDArray[Any]) -> NDArray[Any]:
            found = np.empty(len(is_before), dtype=now.dtype)
            found[is_before], found[own] = before, now
            return found

        past = Past(
            row=both(-1, row),
            device=both(np.repeat(present, count), device),
            t_ms=both(before_ms, rows.t_ms[row]),
            value=both(values[known], column[row]),
        )
        self._keep(past)
        return past

    def _keep(self, past: Past) -> None:
        chosen = np.arange(len(past.row))
        if self.changes:
            before = past.back(1)
            chosen = chosen[(past.row < 0) | np.isnan(before) | (before != past.value)]
        device = past.device[chosen]
        if not len(device):
            return
        ends = np.flatnonzero(np.append(device[1:] != device[:-1], True))
        begins = np.append(0, ends[:-1] + 1)
        for back in range(self.size):
            place = ends - back
            there = place >= begins
            where = device[ends[there]]
            self.values[where, self.size - 1 - back] = past.value[chosen[place[there]]]
            if self.times_ms.shape[1]:
                self.times_ms[where, self.size - 1 - back] = past.t_ms[chosen[place[there]]]


class Same:
    """For how long several values have been identical, all digits: `frozen_s` is this of voltage, current and power.

    Two samples that happen to be the same with hours between them prove nothing about those hours: a sample speaks for
    two intervals at most.
    """

    def __init__(self) -> None:
        self.digits = np.zeros(0, dtype=np.uint32)
        self.since_ms = np.zeros(0, dtype=np.int64)
        self.count = np.zeros(0, dtype=np.uint16)

    def grow(self, devices: int) -> None:
        """Room for so many devices."""
        self.digits = grown(self.digits, devices, 0)
        self.since_ms = grown(self.since_ms, devices, NEVER_MS)
        self.count = grown(self.count, devices, 0)

    def forget(self, devices: NDArray[np.int64]) -> None:
        """Nothing is known of these any more."""
        self.digits[devices], self.since_ms[devices], self.count[devices] = 0, NEVER_MS, 0

    def take(
        self, rows: Rows, columns: Sequence[NDArray[np.float64]], interval_ms: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """f8[k]: seconds for which the values have been the same; 0 where fewer than two of them are reported.

        `interval_ms` i8[k].
        """
        if not len(rows):
            return np.zeros(0)
        digits = _digits(columns)
        before = np.append(0, digits[:-1])
        before[rows.starts] = self.digits[rows.present]
        goes_on = (digits == before) & (digits != 0)
        since_ms, count = rows.t_ms.copy(), np.ones(len(rows), dtype=np.int64)
        found = np.zeros(len(rows))
        same = np.flatnonzero(goes_on)  # few are
        if len(same):
            begin = last_true(~goes_on | rows.is_first)[same]
            device, is_older = rows.device[same], goes_on[begin]
            since_ms[same] = np.where(is_older, self.since_ms[device], rows.t_ms[begin])
            count[same] = same - begin + np.where(is_older, self.count[device] + 1, 1)
            proven_ms = np.minimum(rows.t_ms[same] - since_ms[same], (count[same] - 1) * 2 * interval_ms[same])
            found[same] = proven_ms / 1000.0
        last = np.append(rows.starts[1:], len(rows)) - 1
        self.digits[rows.present], self.since_ms[rows.present] = digits[last], since_ms[last]
        self.count[rows.present] = np.minimum(count[last], 2**15)
        return found


def _digits(columns: Sequence[NDArray[np.float64]]) -> NDArray[np.uint32]:
    """u4[k]: a number that differs when any digit does; 0 where fewer than two values are known."""
    mixed = np.zeros(len(columns[0]), dtype=np.uint64)
    known = np.zeros(len(mixed), dtype=np.uint8)
    for column in columns:
        told = ~np.isnan(column)
        known += told
        bits = np.where(told, column + 0.0, 0.0).view(np.uint64)
        mixed = (mixed ^ bits) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
    folded = (mixed >> np.uint64(32)).astype(np.uint32) | np.uint32(1)
    return np.where(known >= 2, folded, np.uint32(0))


class Zero:
    """The mean of a device's first samples, in hundredths: the tilt a pole had when its sensor was mounted."""

    SAMPLES = 8

    def __init__(self) -> None:
        self.total = np.zeros(0, dtype=np.int32)
        self.count = np.zeros(0, dtype=np.uint8)

    def grow(self, devices: int) -> None:
        """Room for so many devices."""
        self.total, self.count = grown(self.total, devices, 0), grown(self.count, devices, 0)

    def forget(self, devices: NDArray[np.int64]) -> None:
        """Nothing is known of these any more."""
        self.total[devices], self.count[devices] = 0, 0

    def take(self, rows: Rows, column: NDArray[np.float64]) -> NDArray[np.float64]:
        """f8[k]: the value less its zero; NaN as long as the zero is being learned."""
        row = np.flatnonzero(~np.isnan(column))
        device = rows.device[row]
        learning = self.count[device] < self.SAMPLES
        if learning.any():
            first = np.append(True, device[1:] != device[:-1])
            begin = np.maximum.accumulate(np.where(first, np.arange(len(device)), 0))
            rank = self.count[device] + np.arange(len(device)) - begin
            learns = rank < self.SAMPLES
            np.add.at(self.total, device[learns], np.rint(column[row[learns]] * 100).astype(np.int32))
            np.add.at(self.count, device[learns], 1)
            row, device = row[~learns], device[~learns]
        found = np.full(len(rows), np.nan)
        found[row] = column[row] - self.total[device] / (100.0 * self.SAMPLES)
        return found
