"""Tests that stand in rule files: they run through the real engine, and say where and what when they fail."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from deploy.cli import main
from rules.load import load_text
from rules.spec import Expect, Rule
from rules.testing import devices_of, run_test, run_tests

HOT = """
[rule.hot]
title_de = "Vorschaltgerät zu heiß"
kind = "state"
select = 'kind == "lamp" and nominal_w > 20'
when = 'driver_temp_c > limit_c'
clear = 'driver_temp_c < 80'
for = "20m"
min_samples = 2
params = { limit_c = 85 }
sentence_de = "Es hat {driver_temp_c}."
[[rule.hot.override]]
model = "COOL"
params = { limit_c = 60 }
author = "R. Vogt"
reason = "the maker says so"
[[rule.hot.test]]
says = "twenty minutes of heat, and then it is well again"
device = { nominal_w = 40 }
start = 2026-01-10T18:00:00Z
step = "15m"
series = { driver_temp_c = "50x4 90x4 _ ! 50x6" }
expect = [
  { at = 2026-01-10T19:15:00Z, open = false },
  { at = 2026-01-10T19:30:00Z, open = true },
  { at = 2026-01-10T20:15:00Z, open = true },
  { at = 2026-01-10T20:30:00Z, open = false },
]
"""
SILENT = """
[rule.silent]
title_de = "Meldet sich nicht"
kind = "absence"
select = 'kind == "lamp"'
params = { false_per_year = 0.001, misses_min = 4, misses_max = 96 }
[[rule.silent.test]]
says = "silence is told though only one device is there"
start = 2026-01-10T18:00:00Z
step = "15m"
series = { power_w = "40x20 !x60" }
expect = [{ at = 2026-01-10T22:00:00Z, open = false }, { at = 2026-01-11T14:00:00Z, open = true }]
"""
NEVER = SILENT.replace("rule.silent", "rule.never_reported").replace("40x20 !x60", "!x80")


def rule_of(text: str) -> Rule:
    book = load_text(text, date(2026, 1, 1), "mine.toml")
    assert book.problems == []
    (rule,) = book.rules.values()
    return rule


@pytest.mark.parametrize("text", [HOT, SILENT, NEVER], ids=["heat", "silence", "never"])
def test_what_holds_says_nothing(text: str) -> None:
    assert run_tests([rule_of(text)]) == []


def test_a_failure_names_rule_test_instant_expected_and_got() -> None:
    rule = rule_of(HOT.replace("19:30:00Z, open = true", "19:30:00Z, open = false"))
    (failure,) = run_tests([rule])
    assert str(failure) == (
        "mine.toml:17: hot: twenty minutes of heat, and then it is well again: at 2026-01-10T19:30:00.000Z "
        "expected closed, got open (it was open 2026-01-10T19:31:00.000Z – 2026-01-10T20:31:00.000Z)"
    )


def test_what_never_opens_is_told_so() -> None:
    (failure, _) = run_tests([rule_of(HOT.replace("90x4", "70x4"))])
    assert failure.got == "closed (it was open never)"


def test_an_override_for_the_model_of_the_test_counts() -> None:
    cool = HOT.replace("90x4", "70x4").replace("nominal_w = 40 }", 'nominal_w = 40, model = "COOL" }')
    assert run_tests([rule_of(cool)]) == []


def test_series_that_end_too_early_fail() -> None:
    rule = rule_of(HOT)
    late = replace(rule.tests[0], expect=(Expect(rule.tests[0].start_ms + 16 * 900_000 + 1, False),))
    (failure,) = run_test(rule, late)
    assert failure.got == "series that end at 2026-01-10T22:00:00.000Z: lengthen them with _ or !"


def test_a_device_that_the_rule_does_not_select_fails() -> None:
    (failure,) = run_tests([rule_of(HOT.replace("nominal_w = 40", "nominal_w = 10"))])
    assert (failure.at_ms, failure.expected) == (None, "a device that the rule selects")


def test_the_device_has_what_the_test_says_and_reports_as_often_as_the_series() -> None:
    rule = rule_of(HOT.replace("nominal_w = 40 }", 'nominal_w = 40, capacity = 3, supply = "switched_dusk" }'))
    (device,) = devices_of(rule, rule.tests[0])
    assert (device.kind, device.interval_s, device.capacity, device.supply) == ("lamp", 900, 3, "switched_dusk")


def test_the_command_tells_each_failure_and_ends_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "hot.toml"
    path.write_text(HOT, encoding="utf-8")
    assert main(["rules", "test", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "tests: 1, all right\n"
    path.write_text(HOT.replace("open = true", "open = false"), encoding="utf-8")
    assert main(["rules", "test", str(path)]) == 1
    said = capsys.readouterr()
    assert [line.split(": ")[1] for line in said.out.splitlines()] == ["hot", "hot"]
    assert said.err.endswith("tests: 1, failures: 2, problems in the files: 0\n")


def test_no_test_at_all_is_no_success(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "hot.toml"
    path.write_text(HOT.partition("[[rule.hot.test]]")[0], encoding="utf-8")
    assert main(["rules", "test", "--json", str(path)]) == 1
    said = capsys.readouterr()
    assert said.out == '{"tests": 0, "failures": [], "untested": ["hot"], "problems": []}\n'
    assert "there is no test" in said.err


def test_a_broken_rule_does_not_pass(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "hot.toml"
    path.write_text(HOT + HOT.replace("rule.hot", "rule.other").replace("driver_temp_c > ", "driver_temp > "))
    assert main(["rules", "test", str(path)]) == 1
    assert "there is no driver_temp" in capsys.readouterr().err


LINE = """
[rule.circuit_down]
title_de = "Strang ausgefallen"
kind = "group"
select = 'kind == "lamp"'
group = { by = "circuit", min = 3, share = 0.6 }
params = { false_per_year = 0.0005, members_min = 3, members_share = 0.6 }
[[rule.circuit_down.test]]
says = "one of two circuits is cut"
start = 2026-01-10T18:00:00Z
step = "15m"
devices = [
  { count = 4, cabinet = "C1", circuit = "A", series = { power_w = "40x40 !x12" } },
  { count = 4, cabinet = "C1", circuit = "B", series = { power_w = "40x52" } },
]
expect = [{ at = 2026-01-11T06:00:00Z, open = true, on = "circuit:C1/A" }]
"""


def test_several_devices_are_tested_together_and_each_has_a_name() -> None:
    rule = rule_of(LINE)
    assert run_tests([rule]) == []
    devices = devices_of(rule, rule.tests[0])
    assert [one.device_id for one in devices] == [f"device-{number}" for number in range(1, 9)]
    assert [one.circuit for one in devices] == ["A"] * 4 + ["B"] * 4


def test_an_expectation_about_one_subject_is_not_met_by_another() -> None:
    (failure,) = run_tests([rule_of(LINE.replace('on = "circuit:C1/A"', 'on = "circuit:C1/B"'))])
    assert (failure.expected, failure.got) == ("open on circuit:C1/B", "closed (it was open never)")


def test_a_subject_that_is_not_in_the_test_proves_nothing() -> None:
    (failure,) = run_tests([rule_of(LINE.replace('open = true, on = "circuit:C1/A"', 'open = false, on = "C1/A"'))])
    assert (failure.got, failure.expected[:35]) == ("C1/A", "on to be one of device-1, device-2,")


def test_words_are_reported_as_numbers_are() -> None:
    text = """
[rule.sos_press]
title_de = "Notruf"
kind = "event"
select = 'kind == "sos"'
event = "press"
[[rule.sos_press.test]]
says = "a press, after two heartbeats"
start = 2026-01-10T18:00:00Z
step = "1h"
series = { event = "heartbeatx2 press" }
expect = [{ at = 2026-01-10T19:00:00Z, open = false }, { at = 2026-01-10T20:00:00Z, open = true }]
"""
    assert run_tests([rule_of(text)]) == []
    assert [one.at_ms for one in run_tests([rule_of(text.replace('press"\n[[', 'cancel"\n[['))])] != []


@pytest.mark.parametrize(
    ("wrong", "right", "place", "said"),
    [
        ("count = 4, cabinet", "count = 0, cabinet", "13:13", "count is 0. Fix: write a whole number 1 … 200"),
        ("count = 4, cabinet", "counts = 4, cabinet", "13:5", "there is no key counts here"),
        (', series = { power_w = "40x40 !x12" }', "", "13:3", "series is missing"),
        ("40x52", "40x50", "12:11", "series of different lengths: 52, 50"),
        ('power_w = "40x52"', 'watts = "40x52"', "14:66", "devices of this rule report no watts"),
        ('power_w = "40x52"', 'power_w = "40x52 ?"', "14:68", "power_w: '?' is no step"),
        ('step = "15m"', 'step = "15m"\nseries = { power_w = "40x52" }', "12:10", "series stands beside devices"),
        ("count = 4, cabinet", "count = 150, cabinet", "12:11", "more than 200 devices"),
        ('on = "circuit:C1/A"', "on = 7", "16:58", "on is 7. Fix: write a text in quotes"),
    ],
)
def test_what_is_wrong_with_several_devices_is_told_with_its_place(
    wrong: str, right: str, place: str, said: str
) -> None:
    text = LINE.replace(wrong, right)
    assert text != LINE
    problems = [str(one) for one in load_text(text, date(2026, 1, 1), "mine.toml").problems]
    assert any(one.startswith(f"mine.toml:{place}: ") and said in one for one in problems), problems
