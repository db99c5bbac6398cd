"""The state machine of a rule over many devices at once: runs of bad and of good samples, and what they open and close.

A sample is bad, good or not judged. Bad samples in a row make a run; a good one ends it, and so does a pause of more
than `max_gap`. A run that is long enough opens an episode; while it is open, a run of good samples that is long enough
closes it. What is not judged changes nothing.

State is kept only of devices that have a run or an episode: in a healthy town, next to none. What follows does not
depend on how the readings are cut into pieces: a run that goes on from the piece before comes in as one more sample,
in front, with the weight of all it stands for.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rules.rows import Rows, among, last_true


@dataclass(frozen=True)
class Limits:
    """What it takes, for d devices: `for_ms`, `max_gap_ms`, `clear_ms`, `sooner_ms` i8[n] over all devices."""

    for_ms: NDArray[np.int64]
    samples: int
    nights: int
    max_gap_ms: NDArray[np.int64]
    clear_ms: NDArray[np.int64]
    clear_samples: int
    sooner_ms: NDArray[np.int64] | None = None
    sooner_samples: int = 1


@dataclass(frozen=True, eq=False)
class Runs:
    """The state: a devices with a run or an open episode, sorted.

    `is_open`, `is_bad` (what the last judged sample was) bool[a] · `start_ms`, `last_ms` i8[a] first and last sample of
    the run, `samples`, `nights` i4[a] in it,
    `night` i4[a] that of its last · `sooner_ms` i8[a], `sooner_samples` i4[a] the same of the quicker way ·
    `since_ms` i8[a] begin of the open episode.
    """

    device: NDArray[np.int64]
    is_open: NDArray[np.bool_]
    is_bad: NDArray[np.bool_]
    start_ms: NDArray[np.int64]
    last_ms: NDArray[np.int64]
    samples: NDArray[np.int32]
    nights: NDArray[np.int32]
    night: NDArray[np.int32]
    sooner_ms: NDArray[np.int64]
    sooner_samples: NDArray[np.int32]
    since_ms: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.device)

    def where(self, keep: NDArray[np.bool_]) -> Runs:
        """Some of them."""
        return Runs(*(getattr(self, one.name)[keep] for one in fields(self)))

    def without(self, devices: NDArray[np.int64]) -> Runs:
        """All but those of some devices (sorted)."""
        mine = among(self.device, devices)
        return self.where(~mine) if mine.any() else self

    def with_those_of(self, other: Runs, devices: NDArray[np.int64]) -> Runs:
        """These, but for some devices what others are."""
        mine, theirs = among(self.device, devices), among(other.device, devices)
        if not mine.any() and not theirs.any():
            return self
        return self.where(~mine).joined(other.where(theirs))

    def open_on(self, devices: NDArray[np.int64]) -> set[int]:
        """Those of the devices that have an open episode."""
        return set(self.device[self.is_open & among(self.device, devices)].tolist())

    def joined(self, other: Runs) -> Runs:
        """These and others, sorted; no device may be in both."""
        both = Runs(*(np.concatenate((getattr(self, one.name), getattr(other, one.name))) for one in fields(self)))
        order = np.argsort(both.device, kind="stable")
        return Runs(*(getattr(both, one.name)[order] for one in fields(both)))


def no_runs() -> Runs:
    """A state in which nothing is going on."""
    times, counts, flags = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.bool_)
    return Runs(times, flags, flags, times, times, counts, counts, counts, times, counts, times)


@dataclass(frozen=True, eq=False)
class Marks:
    """What happened: `row` i8[m] the row that decided · `opens` bool[m], else it closes · `since_ms` i8[m]."""

    row: NDArray[np.int64]
    opens: NDArray[np.bool_]
    since_ms: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.row)


NO_MARKS = Marks(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.bool_), np.zeros(0, dtype=np.int64))


@dataclass(frozen=True, eq=False)
class Judged:
    """The rows that say something to a rule: `row` i8[j] into the rows, in order · `t_ms` i8[j] the instant of which it
    is said · `bad` bool[j], else good · `sooner` bool[j] bad enough for the quicker way · `night` i4[j].
    """

    row: NDArray[np.int64]
    t_ms: NDArray[np.int64]
    bad: NDArray[np.bool_]
    sooner: NDArray[np.bool_]
    night: NDArray[np.int32]


def advance(runs: Runs, rows: Rows, judged: Judged, limits: Limits) -> Outcome:
    """The state after the judged rows, and what happened."""
    if not len(judged.row):
        return Outcome(runs, NO_MARKS, NO_MARKS)
    return _Course(_with_what_went_before(runs, rows, judged), limits).outcome(runs)


@dataclass(frozen=True, eq=False)
class Outcome:
    """The new state; the marks; and where runs of bad samples begin and end (`opens` = begin)."""

    runs: Runs
    marks: Marks
    unrest: Marks


@dataclass(frozen=True, eq=False)
class _Samples:
    """The judged rows, each device's state in front of its own: s in all. `row` -1 = it is a state."""

    row: NDArray[np.int64]
    device: NDArray[np.int64]
    start_ms: NDArray[np.int64]
    last_ms: NDArray[np.int64]
    bad: NDArray[np.bool_]
    weight: NDArray[np.int64]
    nights: NDArray[np.int64]
    night: NDArray[np.int32]
    sooner: NDArray[np.bool_]
    sooner_start_ms: NDArray[np.int64]
    sooner_weight: NDArray[np.int64]
    was_open: NDArray[np.bool_]
    since_ms: NDArray[np.int64]


def _with_what_went_before(runs: Runs, rows: Rows, judged: Judged) -> _Samples:
    device, t_ms = rows.device[judged.row], judged.t_ms
    place = np.searchsorted(device, runs.device)
    there = place < len(device)
    there[there] = device[place[there]] == runs.device[there]
    carried = runs.where(there)
    ones, zeros = np.ones(len(device), dtype=np.int64), np.zeros(len(device), dtype=np.int64)
    order = np.argsort(np.concatenate((carried.device, device)), kind="stable")

    def both(before: NDArray[Any], now: NDArray[Any]) -> NDArray[Any]:
        return np.concatenate((before, now))[order]

    return _Samples(
        row=both(np.full(len(carried), -1), judged.row),
        device=both(carried.device, device),
        start_ms=both(carried.start_ms, t_ms),
        last_ms=both(carried.last_ms, t_ms),
        bad=both(carried.is_bad, judged.bad),
        weight=both(carried.samples, ones),
        nights=both(carried.nights, zeros),
        night=both(carried.night, judged.night),
        sooner=both(carried.sooner_samples > 0, judged.sooner),
        sooner_start_ms=both(carried.sooner_ms, t_ms),
        sooner_weight=both(carried.sooner_samples, ones),
        was_open=both(carried.is_open, np.zeros(len(device), dtype=np.bool_)),
        since_ms=both(carried.since_ms, zeros),
    )


class _Course:
    """One pass over the samples of all devices."""

    def __init__(self, samples: _Samples, limits: Limits) -> None:
        self.samples = samples
        self.limits = limits
        self.is_state = samples.row < 0
        self.first = np.append(True, samples.device[1:] != samples.device[:-1])
        pause_ms = np.append(0, samples.start_ms[1:] - samples.last_ms[:-1])
        self.too_long = pause_ms > limits.max_gap_ms[samples.device]
        same = np.append(False, samples.bad[1:] == samples.bad[:-1]) & ~self.first
        self.begins = ~same | (samples.bad & self.too_long)
        self.begin = last_true(self.begins)

    def outcome(self, runs: Runs) -> Outcome:
        """The new state and what happened."""
        samples = self.samples
        opening = self._openings()
        marks = np.flatnonzero(opening | self._closings() | self.is_state)
        is_state, device = self.is_state[marks], samples.device[marks]
        kind = np.where(is_state, samples.was_open[marks], opening[marks])
        before = np.append(False, kind[:-1] & (device[1:] == device[:-1]))
        happened = ~is_state & (kind != before)
        since_ms = np.where(is_state, samples.since_ms[marks], samples.start_ms[self.begin[marks]])
        since_ms = since_ms[last_true((happened | is_state) & kind)]  # a closing has that of what it closes
        told = Marks(samples.row[marks[happened]], kind[happened], since_ms[happened])
        return Outcome(self._state_after(runs, marks, kind, since_ms), told, self._unrest())

    def _openings(self) -> NDArray[np.bool_]:
        samples, limits = self.samples, self.limits
        lasting_ms = samples.last_ms - samples.start_ms[self.begin]
        opening = lasting_ms >= limits.for_ms[samples.device]
        opening &= self._count(samples.weight, self.begin) >= limits.samples
        if limits.nights > 1:
            opening &= self._nights() >= limits.nights
        if limits.sooner_ms is not None:
            begin = self._sooner_begin()
            sooner_ms = samples.last_ms - samples.sooner_start_ms[begin]
            opening |= (
                samples.sooner
                & (sooner_ms >= limits.sooner_ms[samples.device])
                & (self._count(samples.sooner_weight, begin) >= limits.sooner_samples)
            )
        return opening & samples.bad & ~self.is_state

    def _closings(self) -> NDArray[np.bool_]:
        samples, limits = self.samples, self.limits
        lasting_ms = samples.last_ms - samples.start_ms[self.begin]
        closing = ~samples.bad & ~self.is_state & (lasting_ms >= limits.clear_ms[samples.device])
        closing &= self._count(samples.weight, self.begin) >= limits.clear_samples
        return closing

    def _nights(self) -> NDArray[np.int64]:
        samples = self.samples
        another = np.append(True, samples.night[1:] != samples.night[:-1]) | self.begins
        return self._count(np.where(self.is_state, samples.nights, another), self.begin)

    def _sooner_begin(self) -> NDArray[np.int64]:
        sooner = self.samples.sooner
        goes_on = np.append(False, sooner[1:] & sooner[:-1]) & ~self.first & ~self.too_long
        return last_true(~goes_on)

    def _count(self, weight: NDArray[np.int64], begin: NDArray[np.int64]) -> NDArray[np.int64]:
        """i8[s]: the weight from the begin of each sample's run up to it."""
        total = np.cumsum(weight)
        found: NDArray[np.int64] = total - total[begin] + weight[begin]
        return found

    def _state_after(
        self, runs: Runs, marks: NDArray[np.int64], kind: NDArray[np.bool_], since_ms: NDArray[np.int64]
    ) -> Runs:
        samples = self.samples
        last = np.flatnonzero(np.append(self.first[1:], True))
        is_open, since = np.zeros(len(last), dtype=np.bool_), np.zeros(len(last), dtype=np.int64)
        mark = np.searchsorted(marks, last, side="right") - 1
        has = np.flatnonzero(mark >= 0)
        has = has[samples.device[marks[mark[has]]] == samples.device[last[has]]]
        is_open[has], since[has] = kind[mark[has]], since_ms[mark[has]]
        sooner_begin, quick = self._sooner_begin(), samples.sooner[last]
        after = Runs(
            device=samples.device[last],
            is_open=is_open,
            is_bad=samples.bad[last],
            start_ms=samples.start_ms[self.begin[last]],
            last_ms=samples.last_ms[last],
            samples=self._count(samples.weight, self.begin)[last].astype(np.int32),
            nights=self._nights()[last].astype(np.int32),
            night=samples.night[last],
            sooner_ms=np.where(quick, samples.sooner_start_ms[sooner_begin[last]], 0),
            sooner_samples=np.where(quick, self._count(samples.sooner_weight, sooner_begin)[last], 0).astype(np.int32),
            since_ms=np.where(is_open, since, 0),
        )
        return runs.without(after.device).joined(after.where(after.is_open | after.is_bad))

    def _unrest(self) -> Marks:
        samples = self.samples
        begins = self.begins & samples.bad & ~self.is_state
        was_bad = np.append(False, samples.bad[:-1]) & ~self.first
        ends = ~samples.bad & ~self.is_state & was_bad
        found = np.flatnonzero(begins | ends)
        return Marks(samples.row[found], samples.bad[found], samples.start_ms[found])
