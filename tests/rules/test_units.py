"""Units: what fits together, and what is told before a rule sees a reading."""

import pytest

from core.kinds import VALUES, Form
from rules.expression import ExpressionError
from rules.parse import parse
from rules.units import check_number, check_select, check_truth, device_kinds, scope_of, unit_of_name
from rules.vocabulary import ATTRIBUTES, DERIVED

LAMP = scope_of(frozenset({"lamp"}))
PARAMS = {"low_share": "", "limit_w": "W", "low_v": "V", "cold_c": "°C", "full_pct": "%", "night_h": "h", "long_s": "s"}


@pytest.mark.parametrize(
    ("source", "unit"),
    [
        ("power_w", "W"),
        ("power_w + 5", "W"),
        ("5 - power_w", "W"),
        ("-power_w", "W"),
        ("2 * 3", ""),
        ("low_share * expected_w", "W"),
        ("expected_w * low_share / 2", "W"),
        ("power_w / reference_w", ""),
        ("power_w / 2", "W"),
        ("voltage_v * current_a", "W"),
        ("current_a * voltage_v * power_factor", "W"),
        ("power_w / voltage_v", "A"),
        ("power_w / current_a", "V"),
        ("power_w * night_h", "Wh"),
        ("energy_wh / night_h", "W"),
        ("energy_wh / power_w", "h"),
        ("expected_w * (dim_pct / full_pct)", "W"),
        ("min(power_w, limit_w, 3)", "W"),
        ("max(1, 2)", ""),
        ("abs(tilt_change_deg)", "°"),
        ("delta(energy_wh)", "Wh"),
        ("rate(energy_wh)", "W"),
        ("rate(driver_temp_c)", "°C/h"),
        ("rate(power_factor)", "/h"),
        ("age(power_w)", "s"),
        ("changes(relay_closed, '1h')", ""),
        ("median_of(voltage_v, 3)", "V"),
        ("burning_h", "h"),
    ],
)
def test_an_expression_has_the_unit_its_parts_give(source: str, unit: str) -> None:
    assert check_number(parse(source), LAMP, PARAMS) == unit


@pytest.mark.parametrize(
    "source",
    [
        "power_w < low_share * expected_w or lamp_failure == 1",
        "not known(tilt_deg) and 0 < power_w < limit_w",
        "rate(driver_temp_c) > 20",
        "age(power_w) > long_s",
        "True",
        "sun_deg < -7 and steady_s > 900 and nominal_w > 20",
    ],
)
def test_conditions_that_fit_are_taken(source: str) -> None:
    check_truth(parse(source), LAMP, PARAMS)


@pytest.mark.parametrize(
    ("source", "column", "said"),
    [
        ("power_w > voltage_v", 11, "W and V compared by >. Fix: compare and add only what has the same unit"),
        ("power_w + voltage_v > 5", 11, "W and V in one sum"),
        ("power_w > low_share", 11, "W and a number without unit compared by >. Fix: end the param's name with _w"),
        ("low_share > power_w", 13, "a number without unit and W"),
        ("min(power_w, voltage_v) > 5", 14, r"W and V in min\(\)"),
        ("night_h > steady_s", 11, "h and s compared by >. Fix: use the same unit for both: 1 h = 3600 s"),
        ("power_w * power_w > 5", 1, r"W \* W has no unit we know"),
        ("5 / power_w > 1", 1, "a number without unit / W has no unit we know"),
        ("power_w * dim_pct > 5", 1, "divide the % by a param in % first"),
        ("rate(driver_temp_c) > cold_c", 23, "°C/h and °C compared"),
        ("power_w / 0 > 5", 11, "divided by 0"),
        ("pwer_w > 5", 1, "there is no pwer_w. Fix: did you mean power_w?"),
        ("nan == 1", 1, "there is no nan"),
        ("__builtins__ == 1", 1, "there is no __builtins__"),
        ("model == 1", 1, "there is no model. Fix: attributes that are texts stand in select only"),
        ("gateway == 1", 1, "there is no gateway"),
        ("stay_s > 5", 1, "there is no stay_s"),
        ("lamp_failure", 1, "a number where a condition is expected. Fix: compare it: lamp_failure == 1"),
        ("power_w + 1", 1, "a number where a condition is expected"),
        ("not 1", 5, "a number where a condition is expected"),
        ("(power_w > 5) + 1 > 1", 2, "a condition where a number is expected"),
        ("power_w == True", 12, "a condition where a number is expected"),
        ("known(power_w) > 1", 1, "a condition where a number is expected"),
        ("power_w == 'x'", 12, "a text where a number is expected"),
        ("kind in ('lamp',)", 1, "`in` compares texts"),
        ("abs('1h') > 1", 5, "a text where a number is expected"),
        ("delta(power_w + 1) > 1", 7, r"delta\(\) remembers one value"),
        ("delta(limit_w) > 1", 7, r"delta\(\) remembers one value"),
        ("delta(delta(power_w)) > 1", 7, r"delta\(\) remembers one value"),
        ("changes(relay_closed, 3) > 1", 23, r"the second argument of changes\(\) does not fit"),
        ("changes(relay_closed, 'soon') > 1", 23, r"changes\(\) needs a span of time"),
        ("changes(relay_closed, '0s') > 1", 23, "not zero"),
        ("changes(relay_closed, '2 * interval') > 1", 23, "the same span for every device"),
        ("median_of(power_w, 10) > 1", 20, "with 2 to 9"),
        ("median_of(power_w, 2.5) > 1", 20, "with 2 to 9"),
        ("median_of(power_w, '3') > 1", 20, "with 2 to 9"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_column_and_a_remedy(source: str, column: int, said: str) -> None:
    with pytest.raises(ExpressionError, match=said) as caught:
        check_truth(parse(source), LAMP, PARAMS)
    assert caught.value.column == column


def test_every_name_of_the_platform_has_the_unit_its_suffix_says() -> None:
    rows = [(v.name, v.unit) for values in VALUES.values() for v in values.values() if v.form is not Form.TEXT]
    rows += [(row.name, row.unit) for row in DERIVED.values()] + [(row.name, row.unit) for row in ATTRIBUTES.values()]
    assert {name: unit_of_name(name) for name, _ in rows} == dict(rows)


def test_a_param_without_a_known_suffix_has_no_unit() -> None:
    assert [unit_of_name(name) for name in ("low_share", "w", "false_per_year", "_w", "low_l1_v")] == [
        "",
        "",
        "",
        "",
        "V",
    ]


def test_the_scope_of_a_rule_is_what_its_devices_report() -> None:
    assert {"power_w", "expected_w", "nominal_w", "sun_deg"} <= LAMP.keys()
    assert {"stay_s", "entries", "gateway", "model"} & LAMP.keys() == set()
    assert {"power_l1_w", "sun_deg"} <= scope_of(frozenset({"cabinet"})).keys()


@pytest.mark.parametrize(
    ("source", "kinds"),
    [
        ('kind == "lamp" and nominal_w > 20', {"lamp"}),
        ('kind in ("lamp", "cabinet")', {"lamp", "cabinet"}),
        ('kind == "lamp" and (kind == "sos" or town == "naunhof")', {"lamp"}),
        ('kind == "lamp" and kind == "sos"', set()),
        (
            'not kind == "lamp" and kind != "gateway" and kind not in ["other", "counter"]',
            {"cabinet", "parking", "sos"},
        ),
    ],
)
def test_the_kinds_of_a_select_are_those_it_can_take(source: str, kinds: set[str]) -> None:
    tree = parse(source)
    check_select(tree)
    assert device_kinds(tree) == kinds


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ('kind == "lapm"', "no kind is 'lapm'. Fix: did you mean lamp?"),
        ('town in ("naunhof", "leipzig")', "no town is 'leipzig'"),
        ('knid == "lamp"', "there is no attribute knid. Fix: did you mean kind?"),
        ("power_w > 5", "there is no attribute power_w"),
        ("kind == 5", "kind is a text"),
        ('kind < "lamp"', "a text can't stand here"),
        ('nominal_w == "40"', "nominal_w is a number"),
        ("nominal_w > min_w", "nominal_w is a number"),
        ("kind == model", "kind is a text"),
        ('"lamp" == kind', "no condition over attributes"),
        ("kind", "no condition over attributes"),
        ("known(5)", "no condition over attributes"),
        ("abs(nominal_w) > 5", "no condition over attributes"),
        ("known(modle)", "there is no attribute modle"),
    ],
)
def test_a_select_over_anything_but_attributes_is_refused(source: str, said: str) -> None:
    with pytest.raises(ExpressionError, match=said):
        check_select(parse(source))
