"""Rules that count changes: many devices in any pieces give what one sample after the other gives."""

from collections.abc import Sequence
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.load import load_text
from rules.spec import Rule
from tests.rules.columns import cuts_st, pieces
from tests.rules.town import MINUTE_MS, T0, Said, lamp, story

LAMPS = [lamp(number) for number in range(3)]
COUNT, WITHIN, CLEAR, GAP = 4, 60, 120, 90
RULE = f"""
[rule.cycling]
title_de = "Flackert"
kind = "count"
select = 'kind == "lamp"'
when = 'power_w < 5'
clear = 'power_w > 20'
count = {COUNT}
within = "{WITHIN}m"
clear_for = "{CLEAR}m"
max_gap = "{GAP}m"
"""
Sample = tuple[int, int, float]


def own() -> dict[str, Rule]:
    book = load_text(RULE, date(2026, 1, 10))
    assert book.problems == []
    return book.rules


def one_by_one(samples: Sequence[Sample]) -> list[tuple[int, int, bool]]:
    """(device, minute, begins) of all that happens."""
    found = []
    for device in range(len(LAMPS)):
        was_off, last, changes, is_open = False, 0, list[int](), False
        for _, minute, watts in sorted(one for one in samples if one[0] == device):
            if 5 <= watts <= 20:
                continue
            off = watts < 5
            happens = False
            if off != was_off and (off or minute - last <= GAP):
                changes.append(minute)
                happens = len(changes) >= COUNT and minute - changes[-COUNT] <= WITHIN
            if happens and not is_open:
                is_open = True
                found.append((device, minute, True))
            elif is_open and not happens and not off and minute - changes[-1] >= CLEAR:
                is_open = False
                found.append((device, minute, False))
            was_off, last = off, minute
    return found


samples_st = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 400), st.sampled_from([0.5, 0.5, 40.0, 40.0, 10.0])),
    max_size=70,
    unique_by=lambda one: one[:2],
)


@settings(max_examples=150, deadline=None)
@given(samples=samples_st, cuts=cuts_st)
def test_any_pieces_give_what_one_sample_after_the_other_gives(samples: list[Sample], cuts: list[int]) -> None:
    told = story(*LAMPS, own=own())
    for piece in pieces(samples, cuts):
        said = [
            Said(LAMPS[device].device_id, T0 + minute * MINUTE_MS, {"power_w": watts}, seq=minute + 1, late_ms=0)
            for device, minute, watts in piece
        ]
        told.hear_at_once(*said).settle(0)
    told.settle()
    found = [(LAMPS.index(lamp(int(subject[-5:]))), minute - 1, True) for _, subject, minute in opened_at(told.edges)]
    found += [(LAMPS.index(lamp(int(subject[-5:]))), minute - 1, False) for _, subject, minute in told.closed()]
    assert sorted(found) == sorted(one_by_one(samples))


def opened_at(edges: Sequence[object]) -> list[tuple[str, str, int]]:
    """(rule, subject, minute it was told)."""
    return [
        (edge.rule, edge.subject, (edge.opened_ms - T0) // MINUTE_MS)  # type: ignore[attr-defined]  # an opening
        for edge in edges
        if hasattr(edge, "opened_ms")
    ]


@pytest.mark.parametrize(("every", "is_told"), [(15, True), (25, False)])
def test_four_changes_must_fall_within_the_hour(every: int, is_told: bool) -> None:
    watts = [40.0, 0.5, 40.0, 0.5, 40.0, 0.5]
    said = [
        Said(LAMPS[0].device_id, T0 + at * every * MINUTE_MS, {"power_w": power}, seq=at + 1)
        for at, power in enumerate(watts)
    ]
    told = story(*LAMPS, own=own()).hear(*said).settle()
    assert bool(list(told.opened())) == is_told
