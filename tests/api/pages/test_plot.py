"""Curves: gaps stay gaps, axes have round numbers, words say what the picture shows."""

import pytest

from api.pages.plot import HOUR_MS, Limit, Span, day_span, hours_span, nice_ticks, plot_of, week_span
from ingest.store import StoredReading
from tests.support.frames import T0

SPAN = Span(T0, T0 + 10 * HOUR_MS, ("a", "b", "c", "d", "e"))


def said(hour: float, **values: float | bool | str) -> StoredReading:
    t_ms = T0 + round(hour * HOUR_MS)
    return StoredReading("NAU-L1", "lamp", t_ms, t_ms, 1, 1, "good", dict(values))


def test_a_gap_is_not_bridged_and_a_lonely_reading_is_a_dot() -> None:
    readings = [
        said(0, power_w=0.0),
        said(0.25, power_w=40.0),
        said(5, power_w=20.0),
        said(9, power_w=40.0),
        said(9.5, power_w=0.0),
    ]
    plot = plot_of(readings, "lamp", "power_w", SPAN, 900)
    assert plot.line.count("M") == 2
    assert plot.dots.count("M") == 1
    assert plot.y_labels == ("40", "30", "20", "10", "0")


def test_what_is_missing_is_not_zero() -> None:
    plot = plot_of(
        [said(1, power_w=40.0), said(1.2, dim_pct=5.0), said(1.4, power_w=40.0)], "lamp", "power_w", SPAN, 900
    )
    assert plot.count == 2
    assert "zwischen 40 W und 40 W" in plot.description


def test_limits_and_marks_are_drawn_where_they_belong() -> None:
    plot = plot_of(
        [said(1, power_w=10.0)], "lamp", "power_w", SPAN, 900, [Limit("Nennleistung", 40.0)], [T0 + 5 * HOUR_MS, 0]
    )
    assert plot.limits == ((0, "Nennleistung: 40 W"),)
    assert plot.marks == (500,)


def test_a_flag_is_a_step_between_yes_and_no() -> None:
    plot = plot_of([said(1, lamp_failure=False), said(1.2, lamp_failure=True)], "lamp", "lamp_failure", SPAN, 900)
    assert plot.y_labels == ("ja", "nein")
    assert "H" in plot.line


def test_no_readings_make_an_empty_plot_with_words() -> None:
    plot = plot_of([], "lamp", "power_w", SPAN, 900)
    assert (plot.line, plot.dots, plot.count) == ("", "", 0)
    assert "keine Messwerte" in plot.description


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([0.0, 36.0], (0, 10, 20, 30, 40)),
        ([228.0, 232.0], (228, 229, 230, 231, 232)),
        ([5.0], (0, 2, 4, 6)),
        ([-94.0, -90.0], (-94, -93, -92, -91, -90)),
        ([0.0], (0, 0.25, 0.5, 0.75, 1.0)),
        ([], (0, 0.25, 0.5, 0.75, 1.0)),
    ],
)
def test_axes_have_round_numbers(values: list[float], ticks: tuple[float, ...]) -> None:
    assert nice_ticks(values) == pytest.approx(ticks)


def test_spans_end_on_whole_hours_and_local_midnights() -> None:
    assert day_span(T0 + 5 * 60_000).labels == ("20:00", "02:00", "08:00", "14:00", "20:00")
    assert week_span(T0).labels == ("So 04.", "Mo 05.", "Di 06.", "Mi 07.", "Do 08.", "Fr 09.", "Sa 10.")
    assert hours_span(T0, 12).from_ms == T0 - 12 * HOUR_MS
