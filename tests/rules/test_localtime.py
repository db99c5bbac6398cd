"""Clock time for columns of instants, against the standard library one by one."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.localtime import DAY_MS, FIRST_MS, LAST_MS, local_day, local_hour, local_ms, offset_ms, utc_ms

HOUR_MS = 3_600_000
# Half an hour of summer time; days without midnight; a quarter hour in the offset; a month of it given up each year.
ZONES = ("Europe/Berlin", "Australia/Lord_Howe", "America/Sao_Paulo", "Asia/Kathmandu", "Africa/Casablanca", "UTC")
INSTANTS = st.lists(st.integers(FIRST_MS, LAST_MS - 1), max_size=20)
CLOCKS = st.lists(st.integers(DAY_MS // 60_000, LAST_MS // 60_000 - 1440), max_size=20)


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def clock_ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def offset_of(zone: str, t_ms: int) -> int:
    offset = datetime.fromtimestamp(t_ms // 1000, ZoneInfo(zone)).utcoffset()
    return int((offset or timedelta()).total_seconds() * 1000)


@pytest.mark.parametrize("zone", ZONES)
@given(instants=INSTANTS)
def test_the_offset_is_that_of_the_zone_at_any_instant(zone: str, instants: list[int]) -> None:
    found = offset_ms(np.array(instants, dtype=np.int64), zone)
    assert found.tolist() == [offset_of(zone, t_ms) for t_ms in instants]


@pytest.mark.parametrize("zone", ZONES)
@given(minutes=CLOCKS)
def test_a_clock_time_is_the_instant_the_standard_library_takes_it_for(zone: str, minutes: list[int]) -> None:
    clocks = [datetime(1970, 1, 1) + timedelta(minutes=minute) for minute in minutes]  # a clock, no instant
    expected = [int(clock.replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000) for clock in clocks]
    assert utc_ms(np.array(minutes, dtype=np.int64) * 60_000, zone).tolist() == expected


def test_summer_time_begins_and_ends_to_the_millisecond() -> None:
    edges = [ms("2026-03-29T01:00:00Z"), ms("2026-10-25T01:00:00Z")]
    t_ms = np.array([edge + step for edge in edges for step in (-1, 0)])
    assert (offset_ms(t_ms) / HOUR_MS).tolist() == [1, 2, 2, 1]


def test_a_clock_time_that_comes_twice_is_the_first() -> None:
    clocks = np.array([clock_ms(f"2026-10-25T{text}") for text in ("01:59", "02:00", "02:30", "02:59", "03:00")])
    expected = ["00:59", "00:00", "00:30", "00:59", "02:00"]
    expected_days = ["24T23:59", *(f"25T{text}" for text in expected[1:])]
    assert utc_ms(clocks).tolist() == [ms(f"2026-10-{text}:00Z") for text in expected_days]


def test_a_clock_time_that_is_left_out_is_an_hour_later() -> None:
    clocks = np.array([clock_ms(f"2026-03-29T{text}") for text in ("01:59", "02:00", "02:30", "03:00", "03:30")])
    expected = ["00:59", "01:00", "01:30", "01:00", "01:30"]
    assert utc_ms(clocks).tolist() == [ms(f"2026-03-29T{text}:00Z") for text in expected]


@given(INSTANTS)
def test_there_and_back_is_the_same_instant_or_the_first_of_the_two_with_that_clock_time(instants: list[int]) -> None:
    t_ms = np.array(instants, dtype=np.int64)
    back_ms = t_ms - utc_ms(local_ms(t_ms))
    assert set(back_ms.tolist()) <= {0, HOUR_MS}


def test_hour_and_date_are_those_of_the_clock_in_the_town() -> None:
    t_ms = np.array([ms("2026-06-30T21:59:59Z"), ms("2026-06-30T22:00:00Z"), ms("2026-01-10T23:30:00Z")])
    assert local_hour(t_ms) == pytest.approx([23 + 3599 / 3600, 0.0, 0.5])
    dates = [str(np.datetime64(int(day), "D")) for day in local_day(t_ms)]
    assert dates == ["2026-06-30", "2026-07-01", "2026-01-11"]


@given(INSTANTS)
def test_an_hour_is_never_24(instants: list[int]) -> None:
    hours = local_hour(np.array(instants, dtype=np.int64))
    assert ((hours >= 0) & (hours < 24)).all()


def test_before_1970_and_after_2100_the_nearest_offset_goes_on() -> None:
    t_ms = np.array([ms("1900-07-01T12:00:00Z"), ms("2500-07-01T12:00:00Z"), 10**17])
    assert (offset_ms(t_ms) / HOUR_MS).tolist() == [1, 1, 1]


def test_a_zone_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(ZoneInfoNotFoundError, match="Europe/Naunhof"):
        offset_ms(np.zeros(1, dtype=np.int64), "Europe/Naunhof")
