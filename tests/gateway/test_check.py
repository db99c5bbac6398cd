"""What a device may say: believed, kept out with a reason, or refused whole."""

import math

import numpy as np
import pytest

from core.kinds import KINDS, VALUES, Form
from core.reading import Quality, Scalar
from gateway import check as check_module
from gateway.check import VALUES_PER_READING_MAX, Checked, ClockLimits, check
from gateway.source import Row
from tests.support.records import T0_MS

LIMITS = ClockLimits()


def row(values: dict[str, Scalar | None], kind: str = "lamp", t_ms: int | None = T0_MS, seq: int = 1) -> Row:
    return Row("L1", kind, t_ms, 1, seq, values)


def judge(*rows: Row, limits: ClockLimits = LIMITS) -> Checked:
    return check(rows, [T0_MS + 100] * len(rows), limits)


def test_good_values_are_kept_as_they_are() -> None:
    said: dict[str, Scalar | None] = {"power_w": 35.2, "relay_closed": True, "gateway": "gw-7", "tilt_deg": None}
    checked = judge(row(said))
    assert checked.readings.value_dicts() == [{"power_w": 35.2, "relay_closed": True, "gateway": "gw-7"}]
    assert (checked.doubts, checked.row.tolist(), checked.readings.quality.tolist()) == ([], [0], [Quality.GOOD])


def test_nothing_is_judged_to_be_nothing() -> None:
    assert len(judge().readings) == 0


@pytest.mark.parametrize(
    ("kind", "name", "said", "code", "reason"),
    [
        ("lamp", "power_w", 99_999.0, "out_of_range", "power_w is 99999.0, expected -50 to 5000 W"),
        ("lamp", "power_w", math.inf, "out_of_range", "power_w is inf"),
        ("lamp", "power_w", "35", "wrong_type", "power_w is '35', expected a number"),
        ("lamp", "power_w", True, "wrong_type", "power_w is True, expected a number"),
        ("lamp", "relay_closed", 0.5, "wrong_type", "relay_closed is 0.5, expected true or false"),
        ("lamp", "relay_closed", "yes", "wrong_type", "relay_closed is 'yes', expected true or false"),
        ("lamp", "gateway", 7.0, "wrong_type", "gateway is 7.0, expected a text"),
        ("lamp", "gateway", "g" * 65, "bad_gateway_id", "expected an id"),
        ("lamp", "gateway", "bad id!", "bad_gateway_id", "gateway is 'bad id!', expected an id"),
        ("sos", "event", "e" * 65, "too_long", "event has 65 characters, expected at most 64"),
        ("lamp", "watts", 35.0, "unknown_value", "'watts' is no value of kind 'lamp' (it said 35.0)"),
        ("lamp", "occupied", True, "unknown_value", "'occupied' is no value of kind 'lamp'"),
        ("lamp", "", 1.0, "unknown_value", "'' is no value"),
        ("lamp", "power_w\0", 1.0, "unknown_value", "is no value of kind 'lamp'"),
        ("other", "x", math.inf, "out_of_range", "x is inf"),
        ("other", "x", -math.inf, "out_of_range", "x is -inf"),
        ("other", "x", "text", "wrong_type", "x is 'text', expected a number"),
        ("other", "x" * 65, 1.0, "unknown_value", "is no value of kind 'other'"),
        ("other", "line\nbreak", 1.0, "unknown_value", "is no value of kind 'other'"),
        ("counter", "entries", -1.0, "out_of_range", "entries is -1.0, expected 0 to 9.0072e+15"),
    ],
)
def test_a_value_that_can_not_be_is_kept_out_with_its_reason(
    kind: str, name: str, said: Scalar, code: str, reason: str
) -> None:
    checked = judge(row({"battery_pct": 80.0, name: said}, kind), row({"battery_pct": 70.0}, kind))
    assert checked.readings.value_dicts() == [{"battery_pct": 80.0}, {"battery_pct": 70.0}]
    assert checked.readings.quality.tolist() == [Quality.SUSPICIOUS, Quality.GOOD]
    ((found_row, found_code, found_reason, whole),) = [
        (doubt.row, doubt.code, doubt.reason, doubt.whole) for doubt in checked.doubts
    ]
    assert (found_row, found_code, whole) == (0, code, False)
    assert reason in found_reason


@pytest.mark.parametrize("kind", KINDS)
def test_every_value_of_every_kind_is_taken_at_both_ends_of_its_range(kind: str) -> None:
    for value in VALUES[kind].values():
        for end in (value.low, value.high):
            forms: dict[Form, Scalar] = {Form.NUMBER: end, Form.FLAG: bool(end), Form.TEXT: "gw-7"}
            said = forms[value.form]
            assert judge(row({value.name: said}, kind)).doubts == []


def test_a_reading_of_which_nothing_is_left_is_refused_whole() -> None:
    checked = judge(row({"power_w": 1e9}), row({"power_w": 35.0}, seq=2), row({"watts": 1.0}, seq=3))
    assert (checked.readings.seq.tolist(), checked.row.tolist()) == ([2], [1])
    assert [(doubt.row, doubt.whole) for doubt in checked.doubts] == [(0, True), (2, True)]


def test_an_empty_reading_is_a_sign_of_life_and_is_kept() -> None:
    checked = judge(row({}), row({"power_w": None}, seq=2))
    assert (checked.readings.value_dicts(), checked.doubts) == ([{}, {}], [])


def test_a_press_is_kept_whatever_else_the_button_says() -> None:
    checked = judge(row({"press_id": -7.0, "nonsense": 1.0}, "sos"))
    assert checked.readings.value_dicts() == [{}]
    assert [doubt.whole for doubt in checked.doubts] == [False, False]


@pytest.mark.parametrize("t_ms", [T0_MS + 300_101, 0, -(2**53), 2**53, 1_420_070_399_999])
def test_an_absurd_clock_gives_the_time_of_receipt_and_says_so(t_ms: int) -> None:
    readings = judge(row({"power_w": 35.0}, t_ms=t_ms), row({"power_w": 35.0}, seq=2)).readings
    assert readings.t_ms.tolist() == [T0_MS + 100, T0_MS]
    assert readings.quality.tolist() == [Quality.CLOCK_SUSPECT, Quality.GOOD]


@pytest.mark.parametrize("t_ms", [T0_MS + 300_100, 1_420_070_400_000, None])
def test_a_clock_within_its_limits_is_believed(t_ms: int | None) -> None:
    readings = judge(row({"power_w": 35.0}, t_ms=t_ms)).readings
    assert readings.t_ms.tolist() == [T0_MS + 100 if t_ms is None else t_ms]
    assert readings.quality.tolist() == [Quality.GOOD]


def test_how_far_back_a_clock_may_be_can_be_limited() -> None:
    readings = judge(row({"power_w": 35.0}, t_ms=T0_MS - 90_000), limits=ClockLimits(behind_ms=60_000)).readings
    assert readings.quality.tolist() == [Quality.CLOCK_SUSPECT]


def test_an_absurd_clock_stays_the_mark_of_a_reading_that_also_has_a_bad_value() -> None:
    readings = judge(row({"power_w": 1e9, "dim_pct": 50.0}, t_ms=0)).readings
    assert readings.quality.tolist() == [Quality.CLOCK_SUSPECT]


def test_of_too_many_values_the_first_are_taken_and_the_rest_is_said() -> None:
    many: dict[str, Scalar | None] = {f"n{number}": float(number) for number in range(VALUES_PER_READING_MAX + 10)}
    checked = judge(row(many, "other"), row({"n1": 1.0}, "other", seq=2))
    assert [len(values) for values in checked.readings.value_dicts()] == [VALUES_PER_READING_MAX, 1]
    assert [(doubt.row, doubt.code) for doubt in checked.doubts] == [(0, "too_many_values")]


def test_ten_thousand_invented_names_are_no_memory_that_stays() -> None:
    before = check_module._limits_of.cache_info().currsize
    for batch in range(4):
        names = [f"b{batch}n{number}" for number in range(10_000)]
        checked = judge(*[row(dict.fromkeys(names[at : at + 50], 1.0), "other", seq=at) for at in range(0, 10_000, 50)])
        assert (len(checked.readings.numbers), checked.doubts) == (10_000, [])
    assert check_module._limits_of.cache_info().currsize == before


def test_more_names_in_a_batch_than_two_bytes_can_count_are_judged() -> None:
    rows = [row({f"r{number}n{at}": 1.0 for at in range(64)}, "lamp", seq=number) for number in range(1100)]
    checked = judge(*rows, row({"power_w": 35.0}, seq=5000))
    assert checked.readings.seq.tolist() == [5000]
    assert len(checked.doubts) == 64 * 1100


def test_nan_is_not_reported_and_not_zero() -> None:
    checked = judge(row({"power_w": math.nan, "dim_pct": 50.0, "relay_closed": True}))
    assert checked.readings.value_dicts() == [{"dim_pct": 50.0, "relay_closed": True}]
    assert np.isnan(checked.readings.column("power_w")).all()


@pytest.mark.parametrize(("event", "quality"), [("press", Quality.GOOD), ("explode", Quality.SUSPICIOUS)])
def test_an_event_that_we_do_not_know_may_be_a_press_and_is_kept_as_suspicious(event: str, quality: Quality) -> None:
    checked = check([Row("S1", "sos", T0_MS, 1, 1, {"event": event, "press_id": 3})], [T0_MS], ClockLimits())
    assert checked.readings.value_dicts() == [{"event": event, "press_id": 3.0}]
    assert checked.readings.quality.tolist() == [quality]
    assert checked.doubts == []
