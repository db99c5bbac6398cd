"""Stage two: what happened on single lamps becomes findings, each blamed on the first thing that explains it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

import pytest

from core.device import Device
from rules.edges import Closing, Opening
from rules.load import load_text
from rules.spec import Rule
from rules.windows import Window
from tests.rules.town import MINUTE_MS, T0, Said, Story, lamp, snapshot, story

STEP_MS = 15 * MINUTE_MS
HOUR_MS = 60 * MINUTE_MS
LINE = [lamp(number, cabinet="C1", circuit="1") for number in range(5)]
BESIDE = [lamp(number, cabinet="C1", circuit="2") for number in range(5, 8)]
REGION = [*LINE, *BESIDE]
RULES = """
[rule.lamp_out]
title_de = "Lampe dunkel"
kind = "state"
select = 'kind == "lamp"'
when = 'power_w < 5'
clear = 'power_w > 20'
for = "20m"
min_samples = 2
clear_samples = 2
late = "1h"
inhibited_by = ["voltage_low"]
{group}

[rule.voltage_low]
title_de = "Spannung zu niedrig"
kind = "state"
select = 'kind == "lamp"'
when = 'voltage_v < 207'
clear = 'voltage_v > 209'
"""
GROUP = 'group = { by = "circuit", min = 3, share = 0.6 }'


def own(group: str = "") -> Mapping[str, Rule]:
    book = load_text(RULES.format(group=group), date(2026, 1, 10))
    assert book.problems == []
    return book.rules


def said(device: Device, step: float, watts: float, volts: float = 230.0, late_ms: int = 500) -> Said:
    t_ms = T0 + int(step * STEP_MS)
    return Said(device.device_id, t_ms, {"power_w": watts, "voltage_v": volts}, seq=int(step * 4) + 1, late_ms=late_ms)


def play(told: Story, steps: range, dark: Sequence[Device] = (), low: Sequence[Device] = ()) -> Story:
    """Everybody speaks at each of these steps; some are dark, some have too little voltage."""
    for step in steps:
        told.hear_at_once(
            *[said(one, step, 0.5 if one in dark else 40.0, 200.0 if one in low else 230.0) for one in REGION]
        )
        told.tick(T0 + step * STEP_MS + 7 * MINUTE_MS)
    return told


def names(told: Story) -> list[tuple[str, str]]:
    return [(rule, subject) for rule, subject, _ in told.opened()]


def ends(told: Story) -> list[tuple[str, str]]:
    return [(rule, subject) for rule, subject, _ in told.closed()]


def test_many_on_a_line_are_one_finding_with_its_members() -> None:
    told = play(story(*REGION, own=own(GROUP)), range(8), dark=LINE[:4])
    (opening,) = told.edges
    assert isinstance(opening, Opening)
    assert (opening.rule, opening.subject) == ("lamp_out", "circuit:C1/1")
    assert opening.members == tuple(one.device_id for one in LINE[:4])
    assert opening.since_ms == T0


def test_a_few_on_a_line_have_a_finding_each() -> None:
    told = play(story(*REGION, own=own(GROUP)), range(8), dark=LINE[:2])
    assert sorted(names(told)) == [("lamp_out", one.device_id) for one in LINE[:2]]


def test_who_joins_a_line_later_has_no_finding_of_its_own() -> None:
    told = play(story(*REGION, own=own(GROUP)), range(8), dark=LINE[:4])
    play(told, range(8, 16), dark=LINE)
    assert names(told) == [("lamp_out", "circuit:C1/1")]


def test_one_that_was_dark_before_keeps_its_own() -> None:
    told = play(story(*REGION, own=own(GROUP)), range(8), dark=LINE[:1])
    play(told, range(8, 16), dark=LINE)
    assert names(told) == [("lamp_out", LINE[0].device_id), ("lamp_out", "circuit:C1/1")]
    play(told, range(16, 24), dark=LINE[:1])
    assert ends(told) == [("lamp_out", "circuit:C1/1")]


def test_what_is_left_of_a_line_gets_its_own_afterwards() -> None:
    told = play(story(*REGION, own=own(GROUP)), range(8), dark=LINE)
    play(told, range(8, 20), dark=LINE[2:3])
    assert names(told) == [("lamp_out", "circuit:C1/1"), ("lamp_out", LINE[2].device_id)]
    assert ends(told) == [("lamp_out", "circuit:C1/1")]


def test_what_is_explained_is_not_told_and_what_outlasts_that_is() -> None:
    me = LINE[0]
    told = play(story(*REGION, own=own()), range(8), dark=[me], low=[me])
    assert names(told) == [("voltage_low", me.device_id)]
    play(told, range(8, 16), dark=[me])
    assert names(told)[1:] == [("lamp_out", me.device_id)]


def test_what_ends_while_it_is_explained_was_never_told() -> None:
    me = LINE[0]
    told = play(story(*REGION, own=own()), range(8), dark=[me], low=[me])
    play(told, range(8, 16))
    assert {rule for rule, _ in names(told)} == {rule for rule, _ in ends(told)} == {"voltage_low"}


@pytest.mark.parametrize(("fresh", "is_told"), [(False, False), (True, True)])
def test_what_came_late_is_told_when_fresh_samples_say_the_same(fresh: bool, is_told: bool) -> None:
    me = LINE[0]
    came_ms = T0 + 6 * HOUR_MS
    late = [replace(said(me, step, 0.5), late_ms=came_ms - T0 - step * STEP_MS) for step in range(8)]
    told = story(*REGION, own=own()).hear_at_once(*late).settle()
    assert names(told) == []
    if fresh:
        told.hear(said(me, 25, 0.5))
    told.tick(came_ms + HOUR_MS)
    assert bool(names(told)) == is_told


def test_what_came_late_and_is_over_is_not_told() -> None:
    me = LINE[0]
    came_ms = T0 + 6 * HOUR_MS
    late = [replace(said(me, step, 0.5), late_ms=came_ms - T0 - step * STEP_MS) for step in range(8)]
    told = story(*REGION, own=own()).hear_at_once(*late).settle()
    told.hear(said(me, 25, 40.0), said(me, 26, 40.0)).tick(came_ms + 2 * HOUR_MS)
    assert told.edges == []


def test_nothing_is_judged_in_a_window_and_what_goes_on_after_it_is() -> None:
    told = story(*REGION, own=own())
    window = Window("circuit:C1/1", T0, T0 + 10 * STEP_MS, "Wartung")
    told.engine.judgement.windows = (window,)
    told.engine.refresh(snapshot(REGION, version=2), T0)
    play(told, range(10), dark=[LINE[0], BESIDE[0]])
    assert names(told) == [("lamp_out", BESIDE[0].device_id)]
    play(told, range(10, 16), dark=[LINE[0], BESIDE[0]])
    assert [(rule, subject, minute) for rule, subject, minute in told.opened()][1:] == [
        ("lamp_out", LINE[0].device_id, 150)
    ]


def test_an_end_tells_why() -> None:
    told = play(play(story(*REGION, own=own()), range(6), dark=LINE[:1]), range(6, 12))
    (_, closing) = told.edges
    assert isinstance(closing, Closing)
    assert closing.reason == "Die Messwerte sind wieder in Ordnung."


def test_a_changed_inventory_forgets_nothing_of_what_explains() -> None:
    """The circuit is down; a lamp somewhere else is commissioned; what the circuit explains is explained as before."""
    beside = [lamp(number, cabinet="C2", circuit="1") for number in range(20, 40)]
    told = story(*LINE, *beside)
    for step in range(120):
        speaking = beside if step > 90 else [*LINE, *beside]
        told.hear_at_once(
            *[Said(one.device_id, T0 + step * STEP_MS, {"temp_c": 5.0}, seq=step + 1) for one in speaking]
        )
        told.tick(T0 + step * STEP_MS + 2 * MINUTE_MS)
    assert "circuit_down" in {rule for rule, _ in names(told)}
    covered = told.engine.judgement.blame.covered["circuit_down"].sum()
    told.engine.refresh(snapshot([*LINE, *beside, lamp(99)], version=2), told.clock_ms)
    assert told.engine.judgement.blame.covered["circuit_down"].sum() == covered == len(LINE)
