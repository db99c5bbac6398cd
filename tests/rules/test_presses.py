"""Rules about words of buttons: a press is told at once whatever else holds, a test that does not come is overdue."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from core.device import Device
from core.kinds import SOS_EVENTS
from rules.presses import QUIET_EVENTS, calls
from rules.spec import Rule
from rules.windows import Window
from tests.rules.town import MINUTE_MS, T0, Said, Story, rules, snapshot, story

BUTTON = Device(device_id="NAU-S1", kind="sos", town="naunhof", interval_s=3600)
DAY_MIN = 1440


def own() -> Mapping[str, Rule]:
    return {name: rule for name, rule in rules().items() if name.startswith("sos_")}


def word(event: str, minute: float, late_min: float = 0) -> Said:
    late_ms = int(late_min * MINUTE_MS) + 200
    t_ms = T0 + int(minute * MINUTE_MS)
    return Said("NAU-S1", t_ms, {"event": event}, kind="sos", seq=int(minute * 60) + 1, late_ms=late_ms)


def presses(told: Story) -> list[tuple[str, int]]:
    """(rule, minute of its begin) of what began."""
    return [(rule, minute) for rule, _, minute in told.opened() if rule == "sos_press"]


def test_a_press_opens_and_presses_within_ten_minutes_join_it() -> None:
    told = story(BUTTON, own=own()).hear(word("press", 0), word("press", 8), word("long_press", 17)).settle()
    assert presses(told) == [("sos_press", 0)]
    told.hear(word("press", 28)).settle()
    assert presses(told) == [("sos_press", 0), ("sos_press", 28)]
    assert [(rule, subject) for rule, subject, _ in told.closed()] == [("sos_press", "NAU-S1")]


@pytest.mark.parametrize("event", sorted({*SOS_EVENTS, "nobody_knows_this"}))
def test_every_word_but_the_quiet_ones_is_a_call(event: str) -> None:
    told = story(BUTTON, own=own()).hear(word(event, 0)).settle()
    assert bool(presses(told)) == (event not in QUIET_EVENTS) == calls("press", event)


@pytest.mark.parametrize("stage", ["planned", "installed", "maintenance", "live"])
def test_no_stage_mutes_a_press(stage: str) -> None:
    assert presses(story(replace(BUTTON, stage=stage), own=own()).hear(word("press", 0)).settle())


def test_no_window_mutes_a_press() -> None:
    told = story(BUTTON, own=own())
    told.engine.judgement.windows = (Window("platform", T0 - 1, T0 + DAY_MIN * MINUTE_MS),)
    told.engine.refresh(snapshot([BUTTON], version=2), T0)
    assert presses(told.hear(word("press", 3)).settle())


@pytest.mark.parametrize("late_min", [0.5, 30, 60 * 20])
def test_a_press_that_comes_late_is_told_all_the_same(late_min: float) -> None:
    told = story(BUTTON, own=own()).hear(word("heartbeat", 5), word("press", 3, late_min)).settle()
    assert presses(told) == [("sos_press", 3)]


def test_a_press_said_twice_is_one() -> None:
    assert len(presses(story(BUTTON, own=own()).hear(word("press", 0), word("press", 0, 3)).settle())) == 1


def test_a_snapshot_knows_of_an_open_press() -> None:
    first, second = story(BUTTON, own=own()).hear(word("press", 0)).settle(), story(BUTTON, own=own())
    second.engine.restore(first.engine.to_bytes(1), snapshot([BUTTON]))
    second.clock_ms = first.clock_ms
    assert presses(second.hear(word("press", 6)).settle()) == []


def test_a_test_that_does_not_come_for_thirty_days_is_overdue_until_it_comes() -> None:
    told = story(BUTTON, own=own()).hear(word("test", 0))
    for day in range(1, 32):
        told.hear(word("heartbeat", day * DAY_MIN)).settle()
        overdue = [rule for rule, _, _ in told.opened()]
        assert overdue == (["sos_test_overdue"] if day >= 30 else []), day
    told.hear(word("test", 32 * DAY_MIN)).settle(10)
    assert [rule for rule, _, _ in told.closed()] == ["sos_test_overdue"]


def test_a_button_that_is_out_of_service_needs_no_test() -> None:
    told = story(replace(BUTTON, stage="maintenance"), own=own()).tick(T0 + 40 * DAY_MIN * MINUTE_MS)
    assert list(told.opened()) == []
