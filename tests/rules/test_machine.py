"""Runs, episodes and pieces: many devices at once give what one sample after the other gives."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.machine import Judged, Limits, Runs, advance, no_runs
from rules.rows import Rows

MINUTE = 60_000
DEVICES = 3
USUAL = {
    "for_min": 20,
    "samples": 2,
    "nights": 1,
    "gap_min": 90,
    "clear_min": 0,
    "clear_samples": 1,
    "sooner_min": 0,
}


@dataclass(frozen=True)
class Sample:
    device: int
    t_min: int
    state: str  # bad, sooner (bad, and bad enough for the quick way), good, other


@dataclass
class OneByOne:
    """The same state machine for one device, written plainly: what the columns are compared with."""

    for_min: int
    samples: int
    nights: int
    gap_min: int
    clear_min: int
    clear_samples: int
    sooner_min: int
    is_open: bool = field(default=False, init=False)
    run: list[Sample] = field(default_factory=list, init=False)
    quick: list[Sample] = field(default_factory=list, init=False)
    since: int = field(default=0, init=False)

    def take(self, one: Sample) -> tuple[bool, int] | None:
        """(opens, since) when something happens."""
        if one.state == "other":
            return None
        bad = one.state != "good"
        goes_on = bool(self.run) and (self.run[-1].state != "good") == bad
        too_long = bool(self.run) and one.t_min - self.run[-1].t_min > self.gap_min
        last_was_quick = bool(self.run) and self.run[-1].state == "sooner"
        self.run = [*self.run, one] if goes_on and not (bad and too_long) else [one]
        if one.state == "sooner":
            self.quick = [*self.quick, one] if last_was_quick and not too_long else [one]
        lasts = one.t_min - self.run[0].t_min
        if bad and not self.is_open:
            nights = len({(each.t_min // 1440) for each in self.run})
            slow = lasts >= self.for_min and len(self.run) >= self.samples and nights >= self.nights
            soon = one.state == "sooner" and one.t_min - self.quick[0].t_min >= self.sooner_min
            if slow or soon:
                self.is_open, self.since = True, self.run[0].t_min
                return True, self.since
        if not bad and self.is_open and lasts >= self.clear_min and len(self.run) >= self.clear_samples:
            self.is_open = False
            return False, self.since
        return None


limits_st = st.fixed_dictionaries(
    {
        "for_min": st.sampled_from([0, 20, 60, 1500]),
        "samples": st.integers(1, 4),
        "nights": st.integers(1, 3),
        "gap_min": st.sampled_from([30, 200, 3000]),
        "clear_min": st.sampled_from([0, 30]),
        "clear_samples": st.integers(1, 3),
        "sooner_min": st.sampled_from([0, 15]),
    }
)
samples_st = st.lists(
    st.tuples(
        st.integers(0, DEVICES - 1), st.integers(1, 300), st.sampled_from(["bad", "bad", "sooner", "good", "other"])
    ),
    max_size=60,
)


def played(steps: list[tuple[int, int, str]]) -> list[Sample]:
    """Samples in the order of time; a step is the minutes since the one before, in 15s."""
    clock, found = 0, []
    for device, minutes, state in steps:
        clock += minutes if minutes < 250 else minutes * 10
        found.append(Sample(device, clock, state))
    return found


def columns(values: dict[str, int]) -> Limits:
    def every(minutes: int) -> np.ndarray:
        return np.full(DEVICES, minutes * MINUTE, dtype=np.int64)

    return Limits(
        for_ms=every(values["for_min"]),
        samples=values["samples"],
        nights=values["nights"],
        max_gap_ms=every(values["gap_min"]),
        clear_ms=every(values["clear_min"]),
        clear_samples=values["clear_samples"],
        sooner_ms=every(values["sooner_min"]),
    )


def piece(runs: Runs, samples: list[Sample], limits: Limits) -> tuple[Runs, list[tuple[int, int, bool, int]]]:
    ordered = sorted(samples, key=lambda one: (one.device, one.t_min))
    t_ms = np.array([one.t_min * MINUTE for one in ordered], dtype=np.int64)
    rows = Rows(np.array([one.device for one in ordered], dtype=np.int64), t_ms, t_ms, {})
    row = np.array([place for place, one in enumerate(ordered) if one.state != "other"], dtype=np.int64)
    judged = Judged(
        row=row,
        t_ms=t_ms[row],
        bad=np.array([ordered[place].state != "good" for place in row], dtype=np.bool_),
        sooner=np.array([ordered[place].state == "sooner" for place in row], dtype=np.bool_),
        night=np.array([ordered[place].t_min // 1440 for place in row], dtype=np.int32),
    )
    outcome = advance(runs, rows, judged, limits)
    marks = outcome.marks
    told = [
        (ordered[row].t_min, ordered[row].device, bool(opens), int(since) // MINUTE)
        for row, opens, since in zip(marks.row.tolist(), marks.opens, marks.since_ms, strict=True)
    ]
    return outcome.runs, told


@settings(max_examples=400, deadline=None)
@given(steps=samples_st, values=limits_st, cuts=st.lists(st.integers(0, 60), max_size=5))
def test_columns_in_any_pieces_give_what_one_sample_after_the_other_gives(
    steps: list[tuple[int, int, str]], values: dict[str, int], cuts: list[int]
) -> None:
    samples = played(steps)
    machines = [OneByOne(**values) for _ in range(DEVICES)]
    expected = []
    for one in samples:
        happened = machines[one.device].take(one)
        if happened is not None:
            expected.append((one.t_min, one.device, *happened))
    runs, found = no_runs(), []
    edges = sorted({0, *[cut for cut in cuts if cut < len(samples)], len(samples)})
    for begin, end in pairwise(edges):
        runs, told = piece(runs, samples[begin:end], columns(values))
        found += told
    assert sorted(found) == sorted(expected)
    assert {int(device) for device, is_open in zip(runs.device, runs.is_open, strict=True) if is_open} == {
        number for number, machine in enumerate(machines) if machine.is_open
    }


def test_a_healthy_town_needs_no_state() -> None:
    limits = columns(USUAL)
    runs, told = piece(no_runs(), [Sample(0, minute, "good") for minute in range(0, 900, 15)], limits)
    assert told == [] and len(runs) == 0


def test_where_a_run_begins_and_ends_is_told_for_those_who_count_neighbours() -> None:
    limits = columns(USUAL)
    ordered = [Sample(0, 0, "good"), Sample(0, 15, "bad"), Sample(0, 30, "bad"), Sample(0, 45, "good")]
    t_ms = np.array([one.t_min * MINUTE for one in ordered], dtype=np.int64)
    rows = Rows(np.zeros(4, dtype=np.int64), t_ms, t_ms, {})
    bad = np.array([one.state == "bad" for one in ordered])
    judged = Judged(np.arange(4), t_ms, bad, np.zeros(4, dtype=np.bool_), np.zeros(4, dtype=np.int32))
    unrest = advance(no_runs(), rows, judged, limits).unrest
    assert list(zip(unrest.row.tolist(), unrest.opens.tolist(), strict=True)) == [(1, True), (3, False)]
