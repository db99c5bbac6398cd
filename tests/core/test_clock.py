"""The clock: the only way to know the time."""

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.clock import Clock, LapseClock, ManualClock, RealClock, iso, parse_instant_ms

JANUARY_MS = 1_768_068_000_000  # 2026-01-10T18:00:00Z


@dataclass
class FakeReal(RealClock):
    ms: int = 0

    def now_ms(self) -> int:
        return self.ms

    def monotonic_s(self) -> float:
        return self.ms / 1000


def test_the_real_clock_is_somewhere_after_this_was_written_and_never_runs_backwards() -> None:
    clock: Clock = RealClock()
    before_s = clock.monotonic_s()
    assert clock.now_ms() > JANUARY_MS - 366 * 86_400_000
    assert clock.monotonic_s() >= before_s


def test_a_lapse_clock_starts_at_its_start_and_runs_as_many_times_as_fast() -> None:
    real = FakeReal(ms=5_000)
    clock = LapseClock(start_ms=JANUARY_MS, speed=60, origin_ms=5_000, real=real)
    assert clock.now_ms() == JANUARY_MS
    real.ms += 1_500
    assert clock.now_ms() == JANUARY_MS + 90_000


def test_lapse_clocks_that_share_an_origin_agree_however_late_one_of_them_is_made() -> None:
    real = FakeReal(ms=1_000)
    first = LapseClock(JANUARY_MS, 10, origin_ms=1_000, real=real)
    real.ms = 61_000
    second = LapseClock(JANUARY_MS, 10, origin_ms=1_000, real=real)
    assert first.now_ms() == second.now_ms() == JANUARY_MS + 600_000


def test_durations_stay_real_in_time_lapse() -> None:
    real = FakeReal(ms=2_000)
    assert LapseClock(JANUARY_MS, 1000, origin_ms=0, real=real).monotonic_s() == 2.0


def test_a_manual_clock_moves_both_times_together() -> None:
    clock = ManualClock(ms=1_000)
    clock.advance(2.5)
    assert (clock.now_ms(), clock.monotonic_s()) == (3_500, 3.5)


def test_a_manual_clock_refuses_to_run_backwards() -> None:
    with pytest.raises(AssertionError, match="backwards"):
        ManualClock().advance(-1)


@pytest.mark.parametrize(
    "text",
    ["2026-01-10T18:00:00Z", "2026-01-10T18:00", "2026-01-10 19:00:00+01:00", " 1768068000000 "],
)
def test_an_instant_is_read_from_iso_8601_and_from_unix_ms(text: str) -> None:
    assert parse_instant_ms(text) == JANUARY_MS


@pytest.mark.parametrize("text", ["", "yesterday", "10.01.2026", "2026-13-01"])
def test_what_is_no_instant_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected e\.g\. 2026-01-10T18:00:00Z or Unix ms"):
        parse_instant_ms(text)


@given(st.integers(min_value=0, max_value=4_102_444_800_000))
@settings(deadline=None)
def test_what_iso_writes_is_read_back_to_the_same_millisecond(ms: int) -> None:
    assert parse_instant_ms(iso(ms)) == ms
