"""A changed number on the history: what would be new or gone, on whom, and the lines that make it last."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from itertools import count

import pytest

from rules.backtest import Table
from rules.history import Asked
from rules.load import built_in, over_library
from rules.permanent import lines_for
from rules.plain_words import PlainWords
from rules.preview import Limits, Preview, PreviewError, TooLongError, changed, drawn, preview
from rules.spec import Rule
from tests.rules.test_explain import STEP_MS, table
from tests.rules.town import T0, lamp, lamp_series, snapshot

RULES = built_in(date(2026, 1, 10)).rules
DEVICES = [lamp(1), lamp(2)]
SPAN_MS = (T0, T0 + 12 * STEP_MS)
LIMITS = Limits(1000, 60.0)


def look(after: Rule, limits: Limits = LIMITS, seconds: float = 0.0) -> Preview:
    said = [*lamp_series("NAU-L00001", [40.0] * 3 + [0.5] * 8), *lamp_series("NAU-L00002", [35.2] * 11)]
    asked: list[Asked] = []
    times = count()

    def read(wanted: Sequence[Asked]) -> Table:
        asked.extend(wanted)
        ids = {device_id for one in wanted for device_id in one.device_ids}
        return table([one for one in said if one.device_id in ids])

    found = preview(after, RULES, snapshot(DEVICES), read, SPAN_MS, limits, lambda: next(times) * seconds)
    assert [one.kind for one in asked] == ["lamp"]
    return found


def test_a_lower_limit_tells_less_and_a_higher_one_more() -> None:
    less = look(changed(RULES["lamp_out"], {"low_share": 0.001}))
    assert [row["subject"] for row in less.comparison.gone if row["rule"] == "lamp_out"] == ["NAU-L00001"]
    more = look(changed(RULES["lamp_out"], {"low_share": 0.9, "clear_share": 0.95}))
    assert [row["subject"] for row in more.comparison.new if row["rule"] == "lamp_out"] == ["NAU-L00002"]
    assert (more.devices, more.of, more.readings) == (2, 2, 22)


def test_the_same_numbers_change_nothing() -> None:
    found = look(changed(RULES["lamp_out"], {}))
    assert (found.comparison.new, found.comparison.gone, found.comparison.moved) == ((), (), ())
    assert found.comparison.same >= 1
    assert found.before.hash == found.after.hash


def test_it_is_stopped_when_it_takes_too_long() -> None:
    with pytest.raises(TooLongError):
        look(changed(RULES["lamp_out"], {}), Limits(1000, 1.0), seconds=10.0)


@pytest.mark.parametrize("params", [{"nothing": 1.0}, {"low_share": float("nan")}, {"low_share": 1e30}])
def test_numbers_that_make_no_sense_are_refused(params: dict[str, float]) -> None:
    with pytest.raises(PreviewError, match="expected"):
        changed(RULES["lamp_out"], params)


def test_of_a_large_region_whole_lines_are_drawn_the_same_each_time() -> None:
    devices = [lamp(number, cabinet=f"C{number // 10}", circuit="1") for number in range(100)]
    chosen = drawn(devices, lambda _: 10.0, 350.0)
    assert len(chosen) == 30
    by_line: dict[str | None, int] = {}
    for one in chosen:
        by_line[one.cabinet] = by_line.get(one.cabinet, 0) + 1
    assert set(by_line.values()) == {10}
    assert drawn(devices[::-1], lambda _: 10.0, 350.0) == chosen


@pytest.mark.parametrize("name", sorted(name for name, rule in RULES.items() if rule.params))
def test_the_lines_to_keep_a_changed_number_make_exactly_that_rule(name: str) -> None:
    first = next(iter(RULES[name].params))
    after = changed(RULES[name], {first: RULES[name].params[first].value * 1.3})
    lines = lines_for(after)
    assert lines is not None
    assert over_library(lines, date(2026, 1, 10)).rules[name].hash == after.hash


def test_lines_of_a_file_that_has_changed_since_are_not_offered() -> None:
    rule = RULES["lamp_out"]
    assert lines_for(replace(rule, min_samples=99)) is None
    assert lines_for(replace(rule, source=replace(rule.source, file="/nowhere/x.toml"))) is None


@pytest.mark.parametrize("name", sorted(RULES))
def test_every_rule_has_plain_words(name: str) -> None:
    plain = PlainWords(RULES[name], {one.name: one.title_de for one in RULES.values()})
    said = plain.looks_for()
    assert said.startswith("Löst ")
    assert said.endswith(".")
    for word in ("_w", "_pct", "_deg", "None"):
        assert word not in said


def test_words_of_a_rule_name_its_numbers() -> None:
    plain = PlainWords(RULES["voltage_low"])
    assert plain.looks_for() == "Löst aus, wenn gilt: Spannung unter 207 V."
    assert plain.lasting() == "25 Minuten lang, in 3 Messwerten in Folge"
    assert plain.about() == "Lampen"
    assert PlainWords(RULES["silent"]).about() == "alle Geräte"
