"""Spans of time as rule files write them."""

import numpy as np
import pytest

from rules.spans import Span, SpanError, parse_span


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("90s", Span(90)),
        ("20m", Span(1200)),
        ("1.5h", Span(5400)),
        (" 7 d ", Span(604_800)),
        ("0s", Span()),
        ("interval", Span(0, 1)),
        ("2.5*interval", Span(0, 2.5)),
        ("10m + 2 * interval", Span(600, 2)),
        ("2 * interval + 10m", Span(600, 2)),
    ],
)
def test_a_span_is_seconds_and_intervals(text: str, span: Span) -> None:
    assert parse_span(text) == span
    assert parse_span(str(span)) == span


@pytest.mark.parametrize(
    "text", ["", "20", "m", "-5m", "+5m", "5m+5m", "1e9s", "nan s", "5 m s", "５m", "9" * 12 + "s"]
)
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(SpanError):
        parse_span(text)


def test_a_span_in_intervals_is_as_long_as_the_device_is_slow() -> None:
    assert parse_span("10m + 2.5 * interval").ms(np.array([900_000, 3_600_000])).tolist() == [2_850_000, 9_600_000]
