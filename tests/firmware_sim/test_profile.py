from datetime import date, datetime

import pytest

from firmware_sim import sky
from firmware_sim.moments import parse_time_ms
from firmware_sim.profile import LOCAL, Timeline, night_steps, parse_profile

PLACE = (51.30, 12.58)
MIDWINTER, MIDSUMMER = date(2026, 12, 21), date(2026, 6, 21)
USUAL = "100@dusk;50@23:00;100@05:00;0@dawn"


def clock(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, LOCAL).strftime("%d %H:%M")


def steps(text: str, evening: date) -> list[tuple[str, float]]:
    return [(clock(at_ms), dim_pct) for at_ms, dim_pct in night_steps(parse_profile(text), evening, *PLACE)]


def test_a_winter_night_has_all_its_steps() -> None:
    assert steps(USUAL, MIDWINTER) == [("21 16:23", 100), ("21 23:00", 50), ("22 05:00", 100), ("22 07:52", 0)]


def test_steps_after_dawn_are_void() -> None:
    assert steps(USUAL, MIDSUMMER) == [("21 21:51", 100), ("21 23:00", 50), ("22 04:32", 0)]


def test_an_empty_profile_burns_from_dusk_to_dawn() -> None:
    assert steps("", MIDWINTER) == [("21 16:23", 100), ("22 07:52", 0)]


def test_without_a_dawn_step_the_light_goes_off_at_dawn() -> None:
    assert steps("80@dusk", MIDWINTER)[-1] == ("22 07:52", 0)


def test_a_dawn_step_may_keep_an_underpass_lit() -> None:
    assert steps("100@dusk;60@dawn", MIDWINTER)[-1] == ("22 07:52", 60)


def test_a_clock_step_before_dusk_waits_for_dusk() -> None:
    assert steps("100@dusk;50@21:00;0@dawn", MIDSUMMER)[:2] == [("21 21:51", 100), ("21 21:51", 50)]


def test_weekdays_choose_the_profile_by_the_evening_on_which_the_night_begins() -> None:
    profile = parse_profile("Fr-Sa:100@dusk;0@01:00|Su,Mo-Th:100@dusk;0@23:00")
    friday = night_steps(profile, date(2026, 12, 18), *PLACE)
    sunday = night_steps(profile, date(2026, 12, 20), *PLACE)
    assert clock(friday[1][0]) == "19 01:00"
    assert clock(sunday[1][0]) == "20 23:00"


def test_ranges_run_over_the_end_of_the_week() -> None:
    profile = parse_profile("Sa-Mo:30@dusk")
    assert [night[0].dim_pct for night in profile] == [30, 100, 100, 100, 100, 30, 30]


def test_a_part_without_days_holds_for_the_other_days() -> None:
    profile = parse_profile("100@dusk;50@22:00|Fr:80@dusk")
    assert [night[0].dim_pct for night in profile] == [100, 100, 100, 100, 80, 100, 100]


@pytest.mark.parametrize(
    "text",
    ["100", "100@noon", "101@dusk", "50@24:00", "50@7:60", "Xx:100@dusk", "Fr-Sa:", ";", "-5@dusk", "1@dusk|2@dusk",
     "Fr:1@dusk|Th-Sa:2@dusk"],
)  # fmt: skip
def test_what_is_no_profile_is_refused_with_its_part(text: str) -> None:
    with pytest.raises(ValueError, match=r"profile (step|part)"):
        parse_profile(text)


def test_the_night_of_the_spring_change_is_an_hour_shorter() -> None:
    night = night_steps(parse_profile("100@dusk;50@23:00;100@05:00;0@dawn"), date(2026, 3, 28), *PLACE)
    assert night[2][0] - night[1][0] == 5 * 3_600_000


def test_the_night_of_the_autumn_change_is_an_hour_longer() -> None:
    night = night_steps(parse_profile(USUAL), date(2026, 10, 24), *PLACE)
    assert night[2][0] - night[1][0] == 7 * 3_600_000


def test_a_step_in_the_missing_hour_comes_an_hour_later_and_in_the_doubled_hour_at_its_first() -> None:
    spring = night_steps(parse_profile("100@dusk;0@02:30"), date(2026, 3, 28), *PLACE)
    autumn = night_steps(parse_profile("100@dusk;0@02:30"), date(2026, 10, 24), *PLACE)
    assert spring[1][0] == parse_time_ms("2026-03-29T03:30:00+02:00")
    assert autumn[1][0] == parse_time_ms("2026-10-25T02:30:00+02:00")


def test_the_timeline_answers_for_any_instant_and_its_pieces_fill_the_time() -> None:
    start_ms = parse_time_ms("2026-12-21T12:00:00Z")
    timeline = Timeline(parse_profile(USUAL), *PLACE, start_ms)
    assert timeline.dim_pct(start_ms) == 0
    assert timeline.dim_pct(parse_time_ms("2026-12-21T22:30:00+01:00")) == 100
    assert timeline.dim_pct(parse_time_ms("2026-12-22T03:00:00+01:00")) == 50
    pieces = list(timeline.segments(start_ms, start_ms + 5 * sky.DAY_MS))
    assert sum(duration_ms for duration_ms, _ in pieces) == 5 * sky.DAY_MS
    assert {dim_pct for _, dim_pct in pieces} == {0, 50, 100}


def test_the_timeline_finds_when_the_light_comes_on_next() -> None:
    start_ms = parse_time_ms("2026-12-21T12:00:00Z")
    timeline = Timeline(parse_profile("0@dusk;100@23:00;0@dawn"), *PLACE, start_ms)
    assert timeline.next_on_ms(start_ms) == parse_time_ms("2026-12-21T23:00:00+01:00")
    lit_ms = parse_time_ms("2026-12-22T01:00:00+01:00")
    assert timeline.next_on_ms(lit_ms) == lit_ms
    with pytest.raises(ValueError, match="never"):
        Timeline(parse_profile("0@dusk"), *PLACE, start_ms).next_on_ms(start_ms)
