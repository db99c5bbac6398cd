"""The grammar of the inventory's column `profile`."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.profile import Profile, ProfileError, Step, parse_profile

DEFAULT_NIGHT = (Step(100, sun="dusk"), Step(0, sun="dawn"))
MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY, SATURDAY, SUNDAY = range(7)


@pytest.mark.parametrize("text", [None, "", "  ", "100@dusk;0@dawn"])
def test_an_empty_profile_is_full_light_from_dusk_to_dawn(text: str | None) -> None:
    assert parse_profile(text) == Profile((DEFAULT_NIGHT,) * 7)


def test_clock_times_are_minutes_from_midnight() -> None:
    night = parse_profile("100@dusk;50@23:00;37.5@05:30;0@dawn").nights[MONDAY]
    assert night == (Step(100, sun="dusk"), Step(50, minute=1380), Step(37.5, minute=330), Step(0, sun="dawn"))


def test_a_part_with_weekdays_holds_for_its_days_only() -> None:
    nights = parse_profile("Fr-Sa:100@dusk;0@01:00|Mo-Th:80@dusk;0@dawn").nights
    assert nights[FRIDAY] == nights[SATURDAY] == (Step(100, sun="dusk"), Step(0, minute=60))
    assert all(nights[day][0] == Step(80, sun="dusk") for day in (MONDAY, TUESDAY, WEDNESDAY, THURSDAY))


def test_days_nobody_names_have_the_default() -> None:
    assert parse_profile("Mo-Sa:50@dusk;0@dawn").nights[SUNDAY] == DEFAULT_NIGHT


def test_a_part_without_days_holds_for_all_days_no_other_part_names_wherever_it_stands() -> None:
    first, last = "50@dusk;0@dawn|Fr:100@dusk;0@dawn", "Fr:100@dusk;0@dawn|50@dusk;0@dawn"
    assert parse_profile(first) == parse_profile(last)
    assert parse_profile(first).nights[SUNDAY][0].dim_pct == 50


@pytest.mark.parametrize(
    ("german", "english"),
    [("Mo-Do", "Mo-Th"), ("Di", "Tu"), ("Mi", "We"), ("So", "Su"), ("Di,Do-Fr", "tu,TH-fr"), ("Sa-So", "Sa - Su ")],
)
def test_german_and_english_names_of_days_mean_the_same(german: str, english: str) -> None:
    steps = ":100@dusk;0@00:30"
    assert parse_profile(german + steps) == parse_profile(english + steps)


def test_a_range_of_days_may_run_over_the_end_of_the_week() -> None:
    nights = parse_profile("Sa-Mo:10@dusk;0@dawn").nights
    assert [nights[day][0].dim_pct for day in range(7)] == [10, 100, 100, 100, 100, 10, 10]


@pytest.mark.parametrize(
    ("text", "column", "reason"),
    [
        ("100@dusk;5O@23:00;0@dawn", 10, "'5O@23:00' is no step; expected e.g. 100@dusk"),
        ("100@dusk;101@23:00", 10, "101 is more than 100 percent"),
        ("100@dusk;50@24:00", 13, "24:00 is no time; expected 00:00 … 23:59"),
        ("100@dusk;50@23:60", 13, "23:60 is no time"),
        ("100@dusk;;0@dawn", 10, "a step is missing"),
        ("100@dusk;0@dawn;", 17, "a step is missing"),
        ("-5@dusk", 1, "is no step"),
        ("100@sunset", 1, "is no step"),
        ("100@dusk;50@dusk", 10, "second step at the same instant"),
        ("Fr-Xx:100@dusk", 4, "'Xx' is no weekday; expected one of Mo Di Mi"),
        ("Freitag:100@dusk", 1, "'Freitag' is no weekday"),
        ("Fr-:100@dusk", 1, "'Fr-' names no days"),
        ("Fr-Sa:100@dusk|Sa:50@dusk", 16, "names a day that has its steps already"),
        ("100@dusk|50@dusk", 10, "a second part without days"),
        ("Fr:", 4, "a step is missing"),
        ("|100@dusk", 1, "a step is missing"),
        (";".join(["100@dusk"] * 60), 501, "longer than 500 characters"),
    ],
)
def test_what_is_no_profile_is_refused_with_its_place_and_reason(text: str, column: int, reason: str) -> None:
    with pytest.raises(ProfileError, match=r"\(character \d+\)$") as caught:
        parse_profile(text)
    assert reason in str(caught.value)
    assert caught.value.column == column


@given(st.text(alphabet="MoDiTuFrSaSu,-:;|@0159 duskawn٣²", max_size=60))
@settings(deadline=None)
def test_no_text_makes_the_parser_fail_otherwise_than_with_a_profile_error(text: str) -> None:
    try:
        profile = parse_profile(text)
    except ProfileError as error:
        assert 1 <= error.column <= len(text) + 1
    else:
        assert len(profile.nights) == 7
