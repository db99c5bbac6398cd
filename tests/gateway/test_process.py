"""Which session speaks for a topic: each message belongs to exactly one lane."""

import pytest

from gateway.process import _is_sos


@pytest.mark.parametrize(
    ("topic", "is_sos"),
    [
        ("partheland/borsdorf/sos/B-1/up", True),
        ("partheland/borsdorf/lamp/B-1/up", False),
        ("partheland/borsdorf/lamp/sos/up", False),
        ("partheland/sos/lamp/B-1/up", False),
    ],
)
def test_only_what_the_sos_session_hears_passes_the_other_lane_by(topic: str, is_sos: bool) -> None:
    assert _is_sos(topic) == is_sos
