"""What lamps are told, and when they have power. The simulator lays profiles out in its own way: both must agree."""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from core.profile import ProfileError
from firmware_sim.profile import Timeline
from firmware_sim.profile import parse_profile as parse_as_the_lamp
from rules.localtime import LAST_MS
from rules.nights import BLOCK_MS, BLOCKS_MAX, ORIGIN_MS, STEADY_S_MAX, Nights, Told
from rules.timetable import SHORTEST_MS

LAT, LON = 51.30, 12.58
BERLIN = ZoneInfo("Europe/Berlin")
MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
HALF_NIGHT = "100@dusk;0@23:00;100@05:00;0@dawn"
PROFILES = (
    "",
    "100@dusk;50@23:00;100@05:00;0@dawn",
    HALF_NIGHT,
    "Fr-Sa:100@dusk;0@01:00|Mo-Th:100@dusk;30@22:30;80@04:15",
    "Su,We:100@dusk;0@00:00;100@06:00;0@dawn|60@dusk;20@21:00;60@04:30;0@dawn",
    "Sa-Mo:10@dusk;0@dawn",
    "50@17:00;100@dusk;0@dawn",
    "100@dusk;50@17:00;0@dawn",
    "100@dusk;70@02:30;0@dawn",
    "100@dusk;70@02:00;40@02:59;20@03:00;0@dawn",
    "0@dusk;100@05:00;0@dawn",
    "10@dawn;100@dusk;50@12:00;60@11:59",
    "37.5@22:00;0@02:00",
    "100@dusk;80@21:30;60@21:15;40@21:00;0@04:59;90@04:00;5@dawn",
)
SWITCHED = ("switched_dusk", "switched_halfnight")


def ms(text: str) -> int:
    """Unix ms of a local time; of a time with an offset, of that."""
    moment = datetime.fromisoformat(text)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=BERLIN)).timestamp() * 1000)


def nights_of(*profiles: str | None, supply: Sequence[str | None] | None = None, lat: float = LAT) -> Nights:
    count = len(profiles)
    return Nights(profiles, np.full(count, lat), np.full(count, LON), supply or [None] * count)


def told(profile: str | None, *times: str) -> Told:
    t_ms = np.array([ms(text) for text in times])
    return nights_of(profile).at(np.zeros(len(t_ms), dtype=np.int64), t_ms)


def every(step_ms: int, start_ms: int, end_ms: int) -> NDArray[np.int64]:
    return np.arange(start_ms, end_ms, step_ms, dtype=np.int64)


def same(count: int, device: int = 0) -> NDArray[np.int64]:
    return np.full(count, device, dtype=np.int64)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("place", [(51.30, 12.58), (51.22, 12.70), (47.50, 8.70)])
def test_for_a_year_it_is_what_the_lamps_themselves_make_of_the_profile(
    profile: str, place: tuple[float, float]
) -> None:
    start_ms, end_ms = ms("2026-01-01T00:00"), ms("2027-01-01T00:00")
    t_ms = np.concatenate([every(HOUR_MS, start_ms + minute * MINUTE_MS, end_ms) for minute in (0, 1, 7, 23, 31, 59)])
    nights = Nights([profile], np.array([place[0]]), np.array([place[1]]), [None])
    answer = nights.at(same(len(t_ms)), t_ms)
    timeline = Timeline(parse_as_the_lamp(profile), *place, start_ms)
    lamp_pct = np.array([timeline.dim_pct(int(at)) for at in t_ms])
    # Two formulas for the sun: dusk and dawn may differ by seconds, levels may not.
    judged = answer.to_step_s > 10
    assert judged.mean() > 0.9
    assert (answer.dim_pct == lamp_pct)[judged].all()


@pytest.mark.parametrize("days", [("2026-03-28", "2026-03-30"), ("2026-10-24", "2026-10-26")])
@pytest.mark.parametrize("profile", PROFILES)
def test_the_nights_of_23_and_25_hours_are_those_of_the_lamps_too(profile: str, days: tuple[str, str]) -> None:
    t_ms = every(20_000, ms(f"{days[0]}T12:00"), ms(f"{days[1]}T12:00"))
    answer = nights_of(profile).at(same(len(t_ms)), t_ms)
    timeline = Timeline(parse_as_the_lamp(profile), LAT, LON, int(t_ms[0]))
    judged = answer.to_step_s > 10
    assert (answer.dim_pct == [timeline.dim_pct(int(at)) for at in t_ms])[judged].all()


def test_a_step_after_midnight_belongs_to_the_night_begun_the_day_before() -> None:
    # 2026-01-09 is a Friday.
    answer = told("Fr:100@dusk;50@05:00|20@dusk", "2026-01-09T04:59", "2026-01-09T22:00", "2026-01-10T05:30")
    assert answer.dim_pct.tolist() == [20, 100, 50]


def test_a_step_at_dawn_or_later_is_void() -> None:
    answer = told("100@dusk;50@05:00;0@dawn", "2026-06-21T03:00", "2026-06-21T05:30", "2026-12-21T05:30")
    assert answer.dim_pct.tolist() == [100, 0, 50]


def test_a_step_written_after_dusk_waits_for_it() -> None:
    answer = told("100@dusk;50@21:00", "2026-06-21T21:30", "2026-06-21T22:30", "2026-12-21T20:00", "2026-12-21T21:30")
    assert answer.dim_pct.tolist() == [0, 50, 100, 50]


def test_a_step_that_nothing_is_written_ahead_of_goes_by_the_clock() -> None:
    answer = told("50@17:00;100@dusk", "2026-06-21T16:59", "2026-06-21T17:00", "2026-06-21T22:30")
    assert answer.dim_pct.tolist() == [0, 50, 100]


def test_in_october_a_step_takes_effect_at_the_first_of_two_such_times_in_march_an_hour_later() -> None:
    october = told("100@dusk;50@02:30", "2026-10-25T02:29:59+02:00", "2026-10-25T02:30+02:00", "2026-10-25T02:10+01:00")
    assert october.dim_pct.tolist() == [100, 50, 50]
    march = told("100@dusk;50@02:30", "2026-03-29T03:29:59+02:00", "2026-03-29T03:30+02:00")
    assert march.dim_pct.tolist() == [100, 50]


def test_seconds_are_counted_from_the_last_and_to_the_nearest_change() -> None:
    answer = told("100@dusk;50@23:00;100@01:00", "2026-01-10T23:00", "2026-01-10T23:20", "2026-01-11T00:50")
    assert answer.since_step_s.tolist() == [0, 1200, 6600]
    assert answer.to_step_s.tolist() == [0, 1200, 600]


def test_a_step_that_changes_nothing_is_no_change() -> None:
    answer = told("100@dusk;100@23:00;100@01:00", "2026-01-10T23:20")
    assert answer.since_step_s[0] > 5 * 3600


def test_a_change_further_away_than_a_profile_repeats_is_told_as_that_far() -> None:
    answer = told("0@dusk;0@dawn", "2026-01-10T23:20")
    assert (answer.since_step_s[0], answer.to_step_s[0]) == (STEADY_S_MAX, STEADY_S_MAX)
    weekly = told("Fr:100@dusk;0@dawn|0@dusk", "2026-01-16T12:00")
    assert 6 * 86_400 < weekly.since_step_s[0] < 7 * 86_400


def test_only_a_switched_supply_is_without_power_and_only_at_level_0() -> None:
    t_ms = np.array([ms("2026-01-10T12:00"), ms("2026-01-10T22:00"), ms("2026-01-10T23:30")])
    supplies = (None, "permanent", *SWITCHED)
    nights = nights_of(*[HALF_NIGHT] * 4, supply=supplies)
    powered = [nights.is_powered(same(3, device), t_ms).tolist() for device in range(4)]
    assert powered == [[True] * 3, [True] * 3, [False, True, False], [False, True, False]]


@given(
    profile=st.sampled_from(PROFILES),
    start_ms=st.integers(ms("2023-06-01T00:00"), ms("2028-06-01T00:00")),
    span_ms=st.integers(0, 3 * DAY_MS),
)
@settings(max_examples=60, deadline=None)
def test_time_with_power_grows_by_the_time_that_is_powered(profile: str, start_ms: int, span_ms: int) -> None:
    nights = nights_of(profile, profile, supply=["switched_dusk", "permanent"])
    t_ms = every(30_000, start_ms, start_ms + span_ms + 30_000)
    for device in (0, 1):
        powered_ms = np.rint(nights.powered_s_of(same(len(t_ms), device), t_ms) * 1000)
        is_powered = nights.is_powered(same(len(t_ms), device), t_ms)
        grown_ms = np.diff(powered_ms)
        steady = is_powered[:-1] == is_powered[1:]
        assert ((grown_ms >= 0) & (grown_ms <= 30_000)).all()
        # No profile here has a pause so short that it begins and ends between two looks.
        assert (grown_ms[steady] == np.where(is_powered[:-1], 30_000, 0)[steady]).all()


def test_time_with_power_over_years_is_what_the_lamps_themselves_make_of_it() -> None:
    nights = nights_of(HALF_NIGHT, supply=["switched_halfnight"])
    start_ms, end_ms = ms("2023-07-01T12:00"), ms("2026-07-01T12:00")
    timeline = Timeline(parse_as_the_lamp(HALF_NIGHT), LAT, LON, start_ms)
    lit_ms = [length_ms for length_ms, dim_pct in timeline.segments(start_ms, end_ms) if dim_pct > 0]
    lamp_h, long_h = sum(lit_ms) / HOUR_MS, sum(one for one in lit_ms if one >= SHORTEST_MS) / HOUR_MS
    (from_s,), (until_s,) = nights.powered_s(start_ms), nights.powered_s(end_ms)
    assert (until_s - from_s) / 3600 == pytest.approx(long_h, abs=0.2)
    assert 10 < lamp_h - long_h < 30, "in June some minutes before dawn, too few to speak in"
    # The domain notes have 1887 h a year for this profile, with a formula of their own.
    assert lamp_h / 3 == pytest.approx(1887, abs=10)


def test_time_with_power_is_the_same_by_group_and_by_device() -> None:
    nights = nights_of("", HALF_NIGHT, HALF_NIGHT, supply=[None, "switched_dusk", None])
    at_ms = ms("2026-11-22T01:00")
    by_device = nights.powered_s_of(np.arange(3), same(3, at_ms))
    assert (nights.powered_s(at_ms)[nights.group] == by_device).all()
    assert by_device[0] == by_device[2] == (at_ms - ORIGIN_MS) / 1000


def test_time_with_power_stands_still_before_1970_and_after_2100() -> None:
    nights = nights_of("")
    assert nights.powered_s(-(10**15)) == nights.powered_s(0)
    assert nights.powered_s(10**15) == nights.powered_s(LAST_MS)


def test_an_answer_does_not_depend_on_what_was_asked_before() -> None:
    random = np.random.default_rng(3)
    device, t_ms = random.integers(0, len(PROFILES), 3000), random.integers(0, LAST_MS, 3000)
    together = nights_of(*PROFILES).at(device, t_ms)
    nights = nights_of(*PROFILES)
    for rows in np.array_split(random.permutation(300), 100):
        alone = nights.at(device[rows], t_ms[rows])
        for name in ("dim_pct", "since_step_s", "to_step_s", "is_powered"):
            assert (getattr(alone, name) == getattr(together, name)[rows]).all()


def test_timetables_far_from_what_is_asked_are_forgotten() -> None:
    nights = nights_of(*PROFILES)
    for block in range(-20, 20):
        nights.dim_pct(same(1), same(1, ORIGIN_MS + block * BLOCK_MS))
    assert sorted(nights._timetables) == list(range(20 - BLOCKS_MAX, 20))


@pytest.mark.parametrize("t_ms", [-(10**14), 0, LAST_MS, 10**16])
def test_no_instant_is_too_far(t_ms: int) -> None:
    levels = {float(nights_of("").dim_pct(same(1), same(1, t_ms + hour * HOUR_MS))[0]) for hour in range(24)}
    assert levels == {0.0, 100.0}


@pytest.mark.parametrize(
    ("lat", "month", "levels"), [(69.0, "06", {0.0}), (75.0, "12", {100.0}), (90.0, "12", {100.0})]
)
def test_where_the_sun_stays_up_lamps_stay_off_where_it_stays_down_they_stay_on(
    lat: float, month: str, levels: set[float]
) -> None:
    t_ms = every(7 * MINUTE_MS, ms(f"2026-{month}-10T12:00"), ms(f"2026-{month}-20T12:00"))
    assert set(nights_of("", lat=lat).dim_pct(same(len(t_ms)), t_ms).tolist()) == levels


@pytest.mark.parametrize(
    ("noon", "next_noon", "length_h"),
    [
        ("2026-01-10T12:00", "2026-01-11T12:00", 24),
        ("2026-03-28T12:00", "2026-03-29T12:00", 23),
        ("2026-10-24T12:00", "2026-10-25T12:00", 25),
    ],
)
def test_a_night_lasts_from_noon_to_noon_by_the_clock(noon: str, next_noon: str, length_h: int) -> None:
    t_ms = every(MINUTE_MS, ms(noon), ms(next_noon))
    night = nights_of("").night(t_ms)
    assert len(t_ms) == length_h * 60
    assert {str(np.datetime64(int(number), "D")) for number in night} == {noon[:10]}
    edges = nights_of("").night(np.array([ms(noon) - 1, ms(next_noon)]))
    assert (edges - night[0]).tolist() == [-1, 1]


def test_lamps_that_are_told_the_same_are_one_group() -> None:
    profiles = ["", None, "100@dusk;0@dawn", "Fr:50@dusk", "Fr: 50@dusk ", "", ""]
    lat = np.array([51.30, 51.305, 51.30, 51.30, 51.30, 51.36, 51.30])
    supply = [None, "permanent", None, None, None, None, "switched_dusk"]
    group = Nights(profiles, lat, np.full(7, LON), supply).group
    assert group.dtype == np.int32
    assert group[0] == group[1] == group[2]
    assert group[3] == group[4]
    assert len(set(group.tolist())) == 4


def test_a_lamp_without_a_place_is_in_the_middle_of_the_others() -> None:
    nights = Nights(["", "", ""], np.array([51.2, np.nan, 51.4]), np.array([12.4, np.nan, 12.6]), [None] * 3)
    assert (nights.lat[1], nights.lon[1]) == pytest.approx((51.3, 12.5))
    assert Nights([""], np.array([np.nan]), np.array([np.nan]), [None]).lat[0] == LAT


def test_the_sun_is_that_of_the_place() -> None:
    nights = Nights(["", ""], np.array([51.3, 52.3]), np.full(2, LON), [None, None])
    noon = same(2, ms("2026-06-21T13:10"))
    assert nights.sun_deg(np.arange(2), noon) == pytest.approx([90 - 51.3 + 23.44, 90 - 52.3 + 23.44], abs=0.1)


def test_a_text_that_is_no_profile_is_refused() -> None:
    with pytest.raises(ProfileError, match="is no step"):
        nights_of("100@sunset")


def test_nobody_and_nothing_asked_are_answered_with_nothing() -> None:
    nobody = Nights([], np.zeros(0), np.zeros(0), [])
    assert len(nobody.powered_s(0)) == 0
    assert len(nights_of("").dim_pct(same(0), same(0))) == 0
