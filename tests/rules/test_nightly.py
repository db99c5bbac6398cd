"""Rules that look at whole nights: the mean of each, judged when the next one begins."""

from collections.abc import Sequence
from datetime import date
from itertools import pairwise

from hypothesis import example, given, settings
from hypothesis import strategies as st

from rules.load import load_text
from rules.spec import Rule
from tests.rules.columns import cuts_st, pieces
from tests.rules.town import MINUTE_MS, T0, Said, Story, lamp, story

LAMPS = [lamp(number) for number in range(2)]
RULE = """
[rule.energy_drift]
title_de = "Verbrauch weicht ab"
kind = "schedule"
select = 'kind == "lamp"'
value = 'power_w'
when = 'value > 30'
clear = 'value < 25'
nights = 2
max_gap = "60h"
"""
Sample = tuple[int, int, float]
STEPS = 12
"""Samples a night, one each half hour from 19:00 on."""


def own() -> dict[str, Rule]:
    book = load_text(RULE, date(2026, 1, 10))
    assert book.problems == []
    return book.rules


def nights_of(means: Sequence[float | None], device: int = 0) -> list[Sample]:
    """One value for each night; None = it says nothing in that night."""
    return [
        (device, night * 1440 + step * 30, watts)
        for night, watts in enumerate(means)
        if watts is not None
        for step in range(STEPS)
    ]


def played(samples: Sequence[Sample], cuts: Sequence[int] = ()) -> Story:
    """What comes of it, in these pieces."""
    told = story(*LAMPS, own=own())
    for piece in pieces(samples, cuts):
        said = [
            Said(LAMPS[device].device_id, T0 + minute * MINUTE_MS, {"power_w": watts}, seq=minute + 1, late_ms=0)
            for device, minute, watts in piece
        ]
        told.hear_at_once(*said)
    return told.settle()


def nights_told(told: Story) -> list[tuple[str, int]]:
    """(begins or ends, night in which that was seen)."""
    return [
        ("begins", (edge.opened_ms - T0) // MINUTE_MS // 1440)
        if hasattr(edge, "opened_ms")
        else ("ends", (edge.closed_ms - T0) // MINUTE_MS // 1440)
        for edge in told.edges
    ]


def test_two_bad_nights_are_one_finding_that_is_seen_when_the_third_begins() -> None:
    assert nights_told(played(nights_of([40.0, 40.0, 40.0, 40.0]))) == [("begins", 2)]


def test_one_bad_night_is_none() -> None:
    assert nights_told(played(nights_of([40.0, 20.0, 40.0, 20.0, 20.0]))) == []


def test_a_good_night_ends_it_when_the_next_one_begins() -> None:
    assert nights_told(played(nights_of([40.0, 40.0, 40.0, 20.0, 20.0]))) == [("begins", 2), ("ends", 4)]


def test_a_night_of_which_little_is_known_says_nothing() -> None:
    few = [(0, minute, watts) for minute, watts in [(2880, 1.0), (2910, 1.0)]]
    told = played([*nights_of([40.0, 40.0]), *few, *nights_of([None, None, None, 40.0, 40.0])])
    assert nights_told(told) == [("begins", 2)]


def test_the_mean_that_decided_is_told() -> None:
    (opening,) = played(nights_of([40.0, 36.0, 10.0])).edges
    assert opening.facts["value"] == 36.0  # type: ignore[union-attr]  # it is an opening


watts_st = st.lists(st.sampled_from([40.0, 40.0, 27.0, 20.0, None]), min_size=3, max_size=7)


@settings(max_examples=60, deadline=None)
@given(first=watts_st, second=watts_st, cuts=cuts_st)
@example(first=[40.0, 40.0, None, None, 40.0], second=[40.0, 40.0, 40.0], cuts=[])
def test_in_whatever_pieces_readings_come(
    first: list[float | None], second: list[float | None], cuts: list[int]
) -> None:
    samples = nights_of(first) + nights_of(second, device=1)
    expected = sorted(repr(edge) for edge in played(samples, range(0, 200, 7)).edges)
    assert sorted(repr(edge) for edge in played(samples, cuts).edges) == expected
    begins = {"begins" if hasattr(edge, "opened_ms") else "ends" for edge in played(nights_of(first)).edges}
    assert ("begins" in begins) == ever_bad(first)


def ever_bad(means: Sequence[float | None]) -> bool:
    """Whether two nights in a row are bad and another follows, with no more than a night of silence between."""
    run, last = 0, None
    over = [(night, watts) for night, watts in enumerate(means) if watts is not None]
    for (night, watts), _ in pairwise(over):
        if watts > 30:
            goes_on = last is not None and night - last <= 2
            run = run + 1 if goes_on else 1
            last = night
        elif watts < 25:
            run, last = 0, None
        if run >= 2:
            return True
    return False
