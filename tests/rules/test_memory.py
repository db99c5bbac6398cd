"""What is remembered between pieces: in whatever pieces rows come, the same as looking at the whole past each time."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.memory import LastKnown, Same, Zero, arrays_of
from rules.rows import Rows
from rules.starts import JITTER_MS, WITHIN_MS, Starts
from rules.stays import FIRST_S, LONGEST_S, PERCENTILE, SILENT_MS, STEP, Stays
from tests.rules.columns import MINUTE_MS, cuts_st, pieces, rows_of

DEVICES = 3
INTERVAL_MS = np.full(DEVICES, 15 * MINUTE_MS, dtype=np.int64)
Sample = tuple[int, int, float]
value = st.sampled_from([1.0, 1.0, 2.0, 3.0, np.nan])
samples_st = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3000), value), max_size=60, unique_by=lambda s: s[:2])


def past_of(samples: Sequence[Sample], device: int, minute: int) -> list[Sample]:
    """What a device had said of known values until then, in order."""
    mine = [one for one in samples if one[0] == device and one[1] <= minute and not np.isnan(one[2])]
    return sorted(mine, key=lambda one: one[1])


def collected(
    samples: Sequence[Sample], cuts: Sequence[int], take: Callable[[Rows], np.ndarray]
) -> dict[tuple[int, int], float]:
    """{(device, minute): what the memory gave}."""
    found: dict[tuple[int, int], float] = {}
    for piece in pieces(samples, cuts):
        rows = rows_of(piece)
        given_back = take(rows)
        keys = zip(rows.device.tolist(), (rows.t_ms // MINUTE_MS).tolist(), strict=True)
        found |= dict(zip(keys, given_back.tolist(), strict=True))
    return found


def same(found: float, expected: float) -> bool:
    return found == pytest.approx(expected, nan_ok=True)


@settings(max_examples=80, deadline=None)
@given(samples=samples_st, cuts=cuts_st, back=st.integers(1, 4), changes=st.booleans(), timed=st.booleans())
def test_the_last_known_values_are_those_before(
    samples: list[Sample], cuts: list[int], back: int, changes: bool, timed: bool
) -> None:
    memory = LastKnown(4, changes, timed)
    memory.grow(DEVICES)

    def take(rows: Rows) -> np.ndarray:
        past = memory.take(rows, rows.column("value"))
        found = np.full(len(rows), np.nan)
        now = past.row >= 0
        found[past.row[now]] = past.back(back)[now]
        return found

    found = collected(samples, cuts if not changes else [], take)
    for device, minute, said in samples:
        before = past_of(samples, device, minute)
        expected = before[-1 - back][2] if not np.isnan(said) and len(before) > back else np.nan
        assert same(found[device, minute], expected)


@settings(max_examples=80, deadline=None)
@given(samples=samples_st, cuts=cuts_st)
def test_of_changes_only_those_are_kept(samples: list[Sample], cuts: list[int]) -> None:
    memory = LastKnown(3, changes=True)
    memory.grow(DEVICES)
    for piece in pieces(samples, cuts):
        rows = rows_of(piece)
        memory.take(rows, rows.column("value"))
    for device in range(DEVICES):
        past = past_of(samples, device, 10_000)
        changed = [one for place, one in enumerate(past) if place == 0 or past[place - 1][2] != one[2]][-3:]
        kept = [number for number in memory.values[device].tolist() if not np.isnan(number)]
        assert kept == [one[2] for one in changed]


@settings(max_examples=80, deadline=None)
@given(samples=samples_st, cuts=cuts_st)
def test_values_stand_still_for_as_long_as_samples_prove_it(samples: list[Sample], cuts: list[int]) -> None:
    memory = Same()
    memory.grow(DEVICES)

    def take(rows: Rows) -> np.ndarray:
        return memory.take(rows, [rows.column("value"), rows.column("value")], INTERVAL_MS[rows.device])

    found = collected(samples, cuts, take)
    for device, minute, said in samples:
        run = 0
        first = minute
        mine = sorted((one for one in samples if one[0] == device and one[1] <= minute), key=lambda one: -one[1])
        for one in mine:
            if np.isnan(said) or one[2] != said:
                break
            run, first = run + 1, one[1]
        expected = 0.0 if not run else min(minute - first, (run - 1) * 2 * 15) * 60.0
        assert same(found[device, minute], expected)


@settings(max_examples=80, deadline=None)
@given(samples=samples_st, cuts=cuts_st)
def test_the_zero_of_a_pole_is_the_mean_of_its_first_samples(samples: list[Sample], cuts: list[int]) -> None:
    memory = Zero()
    memory.grow(DEVICES)
    found = collected(samples, cuts, lambda rows: memory.take(rows, rows.column("value")))
    for device, minute, said in samples:
        before = past_of(samples, device, minute)
        learned = len(before) > Zero.SAMPLES and not np.isnan(said)
        expected = said - float(np.mean([one[2] for one in before[: Zero.SAMPLES]])) if learned else np.nan
        assert same(found[device, minute], expected)


occupied_st = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 6000), st.sampled_from([0.0, 1.0, np.nan])),
    max_size=60,
    unique_by=lambda s: s[:2],
)


@settings(max_examples=80, deadline=None)
@given(samples=occupied_st, cuts=cuts_st)
def test_how_long_a_bay_stays_is_learned_from_stay_to_stay(samples: list[Sample], cuts: list[int]) -> None:
    memory = Stays()
    memory.grow(DEVICES)
    usual, stay = dict[tuple[int, int], float](), dict[tuple[int, int], float]()
    for piece in pieces(samples, cuts):
        rows = rows_of(piece)
        keys = list(zip(rows.device.tolist(), (rows.t_ms // MINUTE_MS).tolist(), strict=True))
        usual_s, stay_s = memory.take(rows, rows.column("value"))
        usual |= dict(zip(keys, usual_s.tolist(), strict=True))
        stay |= dict(zip(keys, stay_s.tolist(), strict=True))
    for device in range(DEVICES):
        for minute, expected_usual, expected_stay in one_bay(past_of(samples, device, 10_000)):
            assert usual[device, minute] == pytest.approx(expected_usual, rel=1e-5)
            assert same(stay[device, minute], expected_stay)


def one_bay(said: list[Sample]) -> list[tuple[int, float, float]]:
    """(minute, usual, stay) after each word of one bay."""
    usual, state, changed, seen, found = [FIRST_S, FIRST_S], None, 0, None, []
    for _, minute, occupied in said:
        if seen is not None and (minute - seen) * MINUTE_MS > SILENT_MS:
            state = None
        seen = minute
        if state is not None and state != occupied:
            longer = (minute - changed) * 60 > np.float32(usual[int(state)])
            step = STEP * PERCENTILE if longer else -STEP * (1 - PERCENTILE)
            usual[int(state)] = float(np.float32(min(usual[int(state)] * np.exp(step), LONGEST_S)))
        if state != occupied:
            state, changed = occupied, minute
        found.append((minute, usual[int(occupied)], (minute - changed) * 60.0))
    return found


@pytest.mark.parametrize("make", [lambda: LastKnown(2), Same, Zero, Stays])
def test_a_device_that_is_forgotten_is_as_new(make: Callable[[], LastKnown | Same | Zero | Stays]) -> None:
    memory, fresh = make(), make()
    memory.grow(2)
    fresh.grow(2)
    rows = rows_of([(0, minute, float(minute % 2)) for minute in range(20)])
    if isinstance(memory, Same):
        memory.take(rows, [rows.column("value")] * 2, INTERVAL_MS[rows.device])
    elif isinstance(memory, Zero | LastKnown | Stays):
        memory.take(rows, rows.column("value"))
    memory.forget(np.array([0]))
    left = {name: column.tolist() for name, column in arrays_of(memory).items() if name != "seen_ms"}
    assert repr(left) == repr({name: column.tolist() for name, column in arrays_of(fresh).items() if name != "seen_ms"})


uptimes_st = st.lists(
    st.tuples(st.integers(0, 2), st.integers(9000, 15_000), st.sampled_from([np.nan, 0.0, 60.0, 3600.0, 90_000.0])),
    max_size=60,
    unique_by=lambda s: s[:2],
)


@settings(max_examples=80, deadline=None)
@given(samples=uptimes_st, cuts=cuts_st)
def test_starts_within_a_day_are_counted_also_those_told_later_only(samples: list[Sample], cuts: list[int]) -> None:
    memory = Starts()
    memory.grow(DEVICES)
    found = collected(samples, cuts, lambda rows: memory.take(rows, rows.column("value")))
    for device, minute, _ in samples:
        said = past_of(samples, device, minute)
        started_ms = [at * MINUTE_MS - uptime_s * 1000 for _, at, uptime_s in said]
        told = [
            at
            for place, (_, at, _) in enumerate(said)
            if place and started_ms[place] > max(started_ms[:place]) + JITTER_MS
        ]
        lately = [at for at in told if (minute - at) * MINUTE_MS < WITHIN_MS]
        assert same(found[device, minute], float(min(len(lately), 16)) if said else np.nan)
