"""What neighbours say: the same as looking at all that was known a minute after, however readings come."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from math import comb, exp

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.fleet import make_fleet
from rules.load import load_text
from rules.nearby import NEIGHBOURS_MAX, neighbours_of
from rules.neighbours import (
    ANSWER,
    LEAST,
    NO_ANSWER,
    P_CHANCE,
    P_ECHO,
    Neighbours,
)
from rules.rows import ALLOWANCE_MS, Rows, in_order
from tests.rules.town import MINUTE_MS, T0, Said, Story, bay, lamp, readings, snapshot, story

HOUR_MS = 60 * MINUTE_MS
BAYS = [bay(number) for number in range(5)]
FLEET = make_fleet(snapshot(BAYS))
CALLS = [("neighbours", "occupied", 0.0), ("turnover", "occupied", 3600.0), ("onsets", "occupied", 1800.0)]
Word = tuple[int, int, int, float]
"""Bay, minute, how many minutes late, state."""
words_st = st.lists(
    st.tuples(
        st.integers(0, 4), st.integers(0, 300), st.sampled_from([0, 0, 0, 1, 7, 200]), st.sampled_from([0.0, 1.0])
    ),
    max_size=60,
    unique_by=lambda word: word[:2],
)


def rows_of(words: Sequence[Word]) -> Rows:
    device = np.array([word[0] for word in words], dtype=np.int64)
    t_ms = T0 + np.array([word[1] for word in words], dtype=np.int64) * MINUTE_MS
    received_ms = t_ms + np.array([word[2] for word in words], dtype=np.int64) * MINUTE_MS
    order = in_order(device, t_ms)
    said = np.array([word[3] for word in words])
    return Rows(device[order], t_ms[order], received_ms[order], {"occupied": said[order]})


def in_pieces(words: Sequence[Word], cuts: Sequence[int]) -> list[Rows]:
    """The rows by the minute in which they became known, cut at these minutes."""
    if not words:
        return []
    rows = rows_of(words)
    edges = [T0 + cut * MINUTE_MS for cut in sorted({*cuts, 10_000})]
    piece = np.searchsorted(edges, rows.own_known_ms)
    return [rows.take(np.flatnonzero(piece == number)) for number in range(len(edges))]


def asked_of(words: Sequence[Word], cuts: Sequence[int]) -> dict[tuple[str, int, int], float]:
    """{(function, bay, instant): answer} for each word, asked in the piece in which it became known."""
    neighbours = Neighbours(CALLS)
    neighbours.refresh(FLEET)
    found: dict[tuple[str, int, int], float] = {}
    for rows in in_pieces(words, cuts):
        neighbours.listen(rows)
        for call in CALLS:
            answers = neighbours.ask(rows, *call).tolist()
            keys = zip(rows.device.tolist(), rows.t_ms.tolist(), strict=True)
            found |= {(call[0], *key): answer for key, answer in zip(keys, answers, strict=True)}
    return found


def heard_of(words: Sequence[Word], device: int, t_ms: int) -> list[Word]:
    """What counts of a bay's words at an instant: known a minute after it, each younger than all before it."""
    known = [(T0 + w[1] * MINUTE_MS + max(w[2] * MINUTE_MS, ALLOWANCE_MS), w) for w in words if w[0] == device]
    counted: list[Word] = []
    for known_ms, word in sorted(known):
        if known_ms <= t_ms + ALLOWANCE_MS and all(word[1] > before[1] for before in counted):
            counted.append(word)
    return counted


def last_word(words: Sequence[Word], device: int, t_ms: int) -> float | None:
    counted = heard_of(words, device, t_ms)
    is_fresh = bool(counted) and t_ms - T0 - counted[-1][1] * MINUTE_MS <= 2.5 * HOUR_MS
    return counted[-1][3] if is_fresh else None


def same(found: float, expected: float) -> bool:
    return found == pytest.approx(expected, nan_ok=True)


@settings(max_examples=120, deadline=None)
@given(words=words_st, cuts=st.lists(st.integers(0, 600), max_size=6))
def test_the_median_is_that_of_what_was_known_a_minute_after(words: list[Word], cuts: list[int]) -> None:
    found = asked_of(words, cuts)
    for device, minute, _, _ in words:
        t_ms = T0 + minute * MINUTE_MS
        said = [last_word(words, other, t_ms) for other in range(5) if other != device]
        known = [one for one in said if one is not None]
        expected = float(np.median(known)) if len(known) >= LEAST else np.nan
        assert same(found["neighbours", device, t_ms], expected)


@settings(max_examples=120, deadline=None)
@given(words=words_st, cuts=st.lists(st.integers(0, 600), max_size=6))
def test_all_answers_are_the_same_in_whatever_pieces_words_come(words: list[Word], cuts: list[int]) -> None:
    whole, cut = asked_of(words, []), asked_of(words, cuts)
    assert whole.keys() == cut.keys()
    assert all(same(cut[key], whole[key]) for key in whole)


def quarter_hours(states: str, devices: Sequence[int]) -> list[Word]:
    return [(device, 15 * at, 0, float(state)) for device in devices for at, state in enumerate(states)]


def test_turnover_counts_changes_and_onsets_what_is_new_and_still_so() -> None:
    words = quarter_hours("0101011", [1, 2, 3]) + quarter_hours("0000000", [0, 4])
    found = asked_of(words, [])
    at_ms = T0 + 90 * MINUTE_MS
    assert found["turnover", 0, at_ms] == 3.0  # the median of 3, 3, 3 and 0: in the last hour those at 45, 60 and 75
    assert found["onsets", 0, at_ms] == pytest.approx(3 / 4)
    assert found["onsets", 0, T0 + 60 * MINUTE_MS] == 0.0


def test_a_first_word_and_one_after_a_long_silence_are_no_onsets() -> None:
    words = [(device, minute, 0, state) for device in range(5) for minute, state in ((0, 0.0), (299, 1.0))]
    assert asked_of(words, [])["onsets", 0, T0 + 299 * MINUTE_MS] == 0.0
    assert asked_of([(device, 0, 0, 1.0) for device in range(5)], [])["onsets", 0, T0] == 0.0


# -- in the engine -----------------------------------------------------------------------------------------------------

RULES = load_text(
    """
[rule.alone]
title_de = "Anders als die Nachbarn"
kind = "state"
select = 'kind == "parking"'
when = 'occupied == 1 and neighbours(occupied) == 0'
[rule.lively]
title_de = "Nebenan ist viel los"
kind = "state"
select = 'kind == "parking"'
when = 'turnover(occupied, "90m") >= 2 and onsets(occupied, "60m") > 0'
[rule.echo]
title_de = "Folgt dem Nachbarn"
kind = "state"
select = 'kind == "parking"'
when = 'echoes(occupied, "5m") > 4'
clear = 'echoes(occupied, "5m") < 2'
""",
    date(2026, 1, 10),
)


def told(said: Sequence[Said], cuts: Sequence[int]) -> Story:
    """Each reading reaches us when it was received, and the clock goes on in steps of these minutes."""
    found, now_ms, place = story(*BAYS, own=RULES.rules), T0, 0
    waiting = list(said)
    while now_ms < T0 + 10 * HOUR_MS:
        now_ms += cuts[place % len(cuts)] * MINUTE_MS
        place += 1
        came = [one for one in waiting if one.t_ms + one.late_ms <= now_ms]
        waiting = [one for one in waiting if one.t_ms + one.late_ms > now_ms]
        if came:
            found.engine.advance(found.engine.batch(readings(came)))
        found.tick(now_ms)
    return found


def edges_of(found: Story) -> list[str]:
    return sorted(repr(edge) for edge in found.edges)


def said_of(words: Sequence[Word], late_ms: Sequence[int]) -> list[Said]:
    return [
        Said(BAYS[who].device_id, T0 + at * MINUTE_MS, {"occupied": bool(state)}, "parking", at + 1, late_ms=late)
        for (who, at, _, state), late in zip(words, late_ms, strict=True)
    ]


@settings(max_examples=40, deadline=None)
@given(words=words_st, seed=st.integers(0, 2**16), cuts=st.lists(st.integers(1, 90), min_size=1, max_size=6))
def test_order_pieces_duplicates_and_delay_within_the_allowance_change_nothing(
    words: list[Word], seed: int, cuts: list[int]
) -> None:
    rng = np.random.default_rng(seed)
    in_order = told(sorted(said_of(words, [0] * len(words)), key=lambda one: one.t_ms), [5])
    delayed = said_of(words, rng.integers(0, 60_000, len(words)).tolist())
    rng.shuffle(delayed)
    assert edges_of(told([*delayed, *delayed[: len(delayed) // 2]], [*cuts, 600])) == edges_of(in_order)


@settings(max_examples=40, deadline=None)
@given(words=words_st, cuts=st.lists(st.integers(1, 200), min_size=1, max_size=6))
def test_what_comes_late_gives_the_same_in_whatever_pieces_it_is_judged(words: list[Word], cuts: list[int]) -> None:
    said = said_of(words, [word[2] * MINUTE_MS for word in words])
    assert edges_of(told(said, [*cuts, 7])) == edges_of(told(said, [1]))


@settings(max_examples=20, deadline=None)
@given(words=words_st, cut=st.integers(0, 60))
def test_a_snapshot_at_any_point_is_the_same_engine(words: list[Word], cut: int) -> None:
    said = sorted(said_of(words, [500] * len(words)), key=lambda one: one.t_ms)
    whole = story(*BAYS, own=RULES.rules).hear(*said).settle(40)
    first, second = story(*BAYS, own=RULES.rules).hear(*said[:cut]), story(*BAYS, own=RULES.rules)
    second.engine.restore(first.engine.to_bytes(cut), snapshot(BAYS))
    second.clock_ms = first.clock_ms
    second.hear(*said[cut:]).settle(40)
    assert repr([*first.edges, *second.edges]) == repr(whole.edges)


def test_the_rules_of_these_tests_do_fire() -> None:
    assert RULES.problems == []
    busy = quarter_hours("011010100110100101", [1, 2, 3]) + quarter_hours("1" * 18, [4])
    busy += [(0, 15 * at + late, 0, state) for at in range(18) for late, state in ((2, float(at > 0)), (9, 0.0))]
    opened = {rule for rule, _, _ in told(said_of(busy, [500] * len(busy)), [5]).opened()}
    assert opened == {"alone", "lively", "echo"}


# -- who is beside whom ------------------------------------------------------------------------------------------------


def test_neighbours_are_the_nearest_of_the_same_site_in_service() -> None:
    row = [bay(number, lat=51.3 + number * 3e-5, lon=12.6) for number in range(30)]
    fleet = make_fleet(snapshot([*row[:9], replace(row[9], stage="maintenance"), *row[10:], bay(99, site="anger")]))
    live = np.flatnonzero(fleet.live)
    beside, number = neighbours_of(fleet, live), fleet.number
    place = {fleet.devices[device].device_id: at for at, device in enumerate(live.tolist())}
    assert beside[place[row[10].device_id], :3].tolist() == [
        number[one.device_id] for one in (row[11], row[8], row[12])
    ]
    assert (beside[place["NAU-P00099"]] == -1).all()
    assert len(set(beside[place[row[0].device_id]].tolist())) == NEIGHBOURS_MAX


def test_lamps_are_beside_those_of_their_circuit() -> None:
    lamps = [lamp(number, cabinet="C", circuit=str(number % 2)) for number in range(6)]
    fleet = make_fleet(snapshot(lamps))
    assert sorted(set(neighbours_of(fleet, np.flatnonzero(fleet.live))[0].tolist()) - {-1}) == [2, 4]


# -- the statistics of echoes ------------------------------------------------------------------------------------------


def changes_until_alarm(p: float, limit: float) -> float:
    """How many changes of the neighbour pass on average until Page's sum of answers with chance `p` reaches a limit."""
    grid = 0.01
    up, down, size = round(ANSWER / grid), -round(NO_ANSWER / grid), round(limit / grid)
    rank = np.arange(size)
    matrix = np.eye(size)
    matrix[rank, np.maximum(rank - down, 0)] -= 1 - p
    goes_on = rank[rank + up < size]
    matrix[goes_on, goes_on + up] -= p
    return float(np.linalg.solve(matrix, np.ones(size))[0])


def test_chance_raises_an_alarm_more_seldom_than_lorden_says() -> None:
    assert changes_until_alarm(P_CHANCE, 14.0) > exp(14.0)
    years_of_a_bay = changes_until_alarm(P_CHANCE, 14.0) / (48 * 365 * 4)
    assert years_of_a_bay > 120
    assert changes_until_alarm(0.011, 14.0) / (48 * 365 * 4) > 10_000


def test_a_bay_that_answers_is_noticed_within_two_dozen_changes() -> None:
    assert changes_until_alarm(P_ECHO, 14.0) < 24
    assert changes_until_alarm(0.7, 14.0) < 10
    assert comb(24, 7) * P_CHANCE**7 < 1e-4  # seven answers in two dozen are no chance
