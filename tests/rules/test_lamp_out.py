from dataclasses import replace

import pytest

from rules.edges import Opening
from tests.rules.town import MINUTE_MS, T0, Said, lamp, lamp_series, story

L1 = lamp(1)


def test_a_lamp_that_is_dark_for_half_an_hour_is_found_with_its_onset() -> None:
    told = story(L1).hear(*lamp_series(L1.device_id, [40, 40, 0.5, 0.5, 0.5, 0.5]))
    assert list(told.opened()) == [("lamp_out", L1.device_id, 30)]
    assert list(told.closed()) == []


def test_the_finding_says_what_was_measured_and_what_was_expected() -> None:
    told = story(L1).hear(*lamp_series(L1.device_id, [0.5, 0.5, 0.5], dim_pct=50))
    (edge,) = told.edges
    assert isinstance(edge, Opening)
    # 5 W at 10 %, 40 W at 100 %: 20.6 W at 50 %.
    assert edge.facts["expected_w"] == pytest.approx(5 + 35 * 40 / 90)
    assert edge.facts["limit_w"] == pytest.approx(edge.facts["expected_w"] / 4)
    assert [(one.name, one.value) for one in edge.evidence] == [("power_w", 0.5), ("dim_pct", 50.0)]


def test_one_dark_sample_is_not_enough_and_neither_are_two_within_a_few_minutes() -> None:
    assert not list(story(L1).hear(*lamp_series(L1.device_id, [40, 0.5, 40, 40])).opened())
    assert not list(story(L1).hear(*lamp_series(L1.device_id, [0.5, 0.5, 0.5], step_min=5)).opened())


def test_a_dimmed_lamp_is_not_dark() -> None:
    assert not list(story(L1).hear(*lamp_series(L1.device_id, [5.0] * 6, dim_pct=10)).opened())


def test_a_lamp_that_is_told_to_be_off_is_not_dark() -> None:
    assert not list(story(L1).hear(*lamp_series(L1.device_id, [0.5] * 6, dim_pct=0)).opened())


def test_what_a_lamp_does_not_say_is_not_judged() -> None:
    without_dim = [Said(L1.device_id, T0 + at * 15 * MINUTE_MS, {"power_w": 0.5}, seq=at + 1) for at in range(6)]
    assert not list(story(L1).hear(*without_dim).opened())
    assert not list(story(replace(L1, nominal_w=None, min_w=None)).hear(*lamp_series(L1.device_id, [0.5] * 6)).opened())


def test_a_lamp_that_reports_its_own_failure_is_believed() -> None:
    own = [
        Said(L1.device_id, T0 + at * 15 * MINUTE_MS, {"lamp_failure": True, "dim_pct": 100.0}, seq=at + 1)
        for at in range(3)
    ]
    assert list(story(L1).hear(*own).opened()) == [("lamp_out", L1.device_id, 0)]


def test_two_good_samples_end_it_one_does_not() -> None:
    told = story(L1).hear(*lamp_series(L1.device_id, [0.5, 0.5, 0.5, 40, 0.5, 40, 40]))
    assert list(told.closed()) == [("lamp_out", L1.device_id, 90)]


def test_the_day_in_between_does_not_end_it() -> None:
    night = lamp_series(L1.device_id, [0.5, 0.5, 0.5])
    day = [
        Said(L1.device_id, T0 + (3 + at) * 15 * MINUTE_MS, {"power_w": 0.4, "dim_pct": 0.0}, seq=4 + at)
        for at in range(40)
    ]
    told = story(L1).hear(*night, *day)
    assert list(told.closed()) == []


def test_a_gap_longer_than_two_intervals_begins_the_run_anew() -> None:
    told = story(L1).hear(*lamp_series(L1.device_id, [0.5, None, None, None, 0.5, 0.5]))
    assert list(told.opened()) == []


def test_readings_of_yesterday_raise_nothing_and_clear_nothing() -> None:
    late = [replace(one, late_ms=5 * 3_600_000) for one in lamp_series(L1.device_id, [0.5] * 6)]
    assert list(story(L1).hear(*late).opened()) == []
    told = story(L1).hear(*lamp_series(L1.device_id, [0.5, 0.5, 0.5]))
    told.hear(
        *[replace(one, late_ms=9 * 3_600_000, t_ms=one.t_ms + 3_600_000) for one in lamp_series(L1.device_id, [40] * 3)]
    )
    assert list(told.closed()) == []


@pytest.mark.parametrize("stage", ["planned", "installed", "maintenance", "retired"])
def test_only_live_lamps_are_judged(stage: str) -> None:
    assert not list(story(replace(L1, stage=stage)).hear(*lamp_series(L1.device_id, [0.5] * 6)).opened())
