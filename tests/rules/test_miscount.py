"""Totals of barriers: what passed between two words, when a balance contradicts itself, and how far off it can be."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.miscount import Miscount
from rules.passages import clamped, passed, sigma
from rules.rows import Rows

HOUR_MS = 3_600_000


def one(*numbers: float) -> tuple[np.ndarray, np.ndarray]:
    return np.array([numbers[0]], dtype=np.float64), np.array([numbers[1]], dtype=np.float64)


def judged(entries: list[float], exits: list[float], capacity: float, cuts: tuple[int, ...] = ()) -> list[float]:
    """What a counter has miscounted after each of its words, an hour apart, taken in in these pieces."""
    memory = Miscount()
    memory.grow(1)
    found: list[float] = []
    for begin, end in zip((0, *cuts), (*cuts, len(entries)), strict=True):
        t_ms = np.arange(begin, end) * HOUR_MS
        values = {"entries": np.array(entries[begin:end]), "exits": np.array(exits[begin:end])}
        rows = Rows(np.zeros(end - begin, dtype=np.int64), t_ms, t_ms, values)
        found += memory.take(rows, np.full(end - begin, capacity))[0].tolist()
    return found


@pytest.mark.parametrize(
    ("before", "now", "found"),
    [
        ((100, 90), (107, 92), (7, 2)),
        ((300, 290), (4, 1), (4, 1)),  # set to 0 at night: four came since
        ((65_530, 900), (6, 903), (12, 3)),  # a register of 16 bits
        ((9_998, 9_999), (3, 2), (5, 3)),  # both had four digits
        ((500, 200), (500, 40), (500, 40)),  # one alone fell far: they began anew
    ],
)
def test_totals_that_fall_have_wrapped_or_begun_anew(
    before: tuple[float, float], now: tuple[float, float], found: tuple[float, float]
) -> None:
    assert tuple(float(side[0]) for side in passed(one(*before), one(*now))[:2]) == found


def test_a_balance_higher_than_full_lifts_the_lowest_and_one_below_empty_sinks_the_highest() -> None:
    low, high, now = np.array([-10.0] * 3), np.array([20.0] * 3), np.array([33.0, -25.0, 5.0])
    found = [part.tolist() for part in clamped(low, high, now, np.array([40.0, 40.0, 40.0]))]
    assert found == [[-7.0, -25.0, -10.0], [33.0, 15.0, 20.0], [3.0, -5.0, 0.0]]
    assert clamped(low, high, now, np.array([np.nan, 0.0, np.nan]))[2].tolist() == [0.0, 0.0, 0.0]


def test_sigma_is_that_of_the_shared_knowledge() -> None:
    days = np.array([1.0, 7.0, 30.0])
    assert np.round(sigma(2 * 300 * days), 1).tolist() == [2.4, 6.4, 13.3]


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=4, max_size=40),
    cut=st.integers(1, 3),
)
def test_in_whatever_pieces_they_come_totals_say_the_same(steps: list[tuple[int, int]], cut: int) -> None:
    entries, exits = (np.cumsum(side).astype(float).tolist() for side in zip(*steps, strict=True))
    assert judged(entries, exits, 20.0, (cut,)) == judged(entries, exits, 20.0)


def test_what_is_over_full_at_noon_and_under_empty_at_night_comes_out_at_nothing() -> None:
    noons = [50.0 * (hour // 2 + hour % 2) for hour in range(21)]
    nights = [50.0 * (hour // 2) for hour in range(21)]
    assert judged(noons, nights, 40.0)[-1] == 0
    assert judged(noons, [exits * 0.9 for exits in nights], 40.0)[-1] > 30


def test_what_may_have_left_between_the_last_word_and_a_reset_at_night_is_not_held_against_the_counter() -> None:
    entries = [0.0, 20.0, 40.0] * 12
    exits = [0.0, 0.0, 30.0] * 12  # ten leave unseen before midnight, thirty in the two hours before
    assert judged(entries, exits, 40.0)[-1] == 0


def test_who_tells_how_many_are_inside_is_not_counted_after() -> None:
    memory = Miscount()
    memory.grow(1)
    t_ms = np.arange(2) * HOUR_MS
    values = {"entries": np.array([0.0, 90.0]), "exits": np.zeros(2), "occupied_count": np.array([0.0, 12.0])}
    found = memory.take(Rows(np.zeros(2, dtype=np.int64), t_ms, t_ms, values), np.full(2, 40.0))
    assert np.isnan(found[0]).all()
