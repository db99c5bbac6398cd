"""A repair: from then on a lamp is learned anew, and nothing is compared with what it was."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path

import pytest

from rules.backtest import backtest
from rules.edges import Edge, Opening
from rules.load import built_in
from rules.repairs import Repair
from tests.rules.platform import Desk, desk
from tests.rules.test_explain import table
from tests.rules.town import MINUTE_MS, T0, Said, lamp, snapshot, story

DAY_MS = 86_400_000
STEP_MS = 60 * MINUTE_MS
LAMP = lamp(1, lat=51.33, lon=12.61, interval_s=3600)
WELL, DARK, STRONGER = 40.0, 0.5, 52.0
USUAL = 4
"""So many nights it burns as it should; then it is dark for one, and somebody comes."""
RULES = built_in(date(2026, 1, 10)).rules


def nights(watts: Sequence[float], first: int = 0) -> list[Said]:
    """Ten hours of each night, a sample each hour, from the night `first` on."""
    return [
        Said(LAMP.device_id, T0 + night * DAY_MS + at * STEP_MS, {"power_w": power + at % 3 / 10, "dim_pct": 100.0})
        for night, power in enumerate(watts, first)
        for at in range(11)
    ]


def after_a_dark_night(centre: Desk) -> int:
    """The number of the ticket, at noon after the night in which the lamp was dark."""
    centre.commission([LAMP])
    centre.tell(nights([WELL] * USUAL + [DARK]))
    centre.clock.ms = T0 + USUAL * DAY_MS + 18 * 3_600_000
    centre.rules.tick()
    (ticket,) = [one for one in centre.rules.tickets.page()[0] if one.rule == "lamp_out"]
    return ticket.id


def found(centre: Desk) -> set[str]:
    return {one.rule for one in centre.rules.findings.page()}


def ratio(centre: Desk) -> float:
    """What has been learned of the lamp at full light: its power over that of the inventory."""
    return float(centre.rules.live.learned(LAMP.device_id)["reference"]["ratio"][-1])


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Desk]:
    with desk(tmp_path / "centre") as centre:
        yield centre


@pytest.mark.parametrize("said", [["done"], ["accept", "done"], ["start", "close"], ["done", "close"]])
def test_a_lamp_that_was_repaired_with_a_stronger_one_is_well(yard: Desk, said: list[str]) -> None:
    number = after_a_dark_night(yard)
    for action in said:
        yard.rules.tickets.act(number, action, "anna")
    yard.tell(nights([STRONGER] * 5, USUAL + 1))
    assert "power_high" not in found(yard)
    assert ratio(yard) == pytest.approx(STRONGER / WELL, abs=0.01)


@pytest.mark.parametrize("said", [None, "false_alarm", "duplicate", "unsolvable", "note"])
def test_a_lamp_at_which_nothing_was_done_keeps_what_was_learned(yard: Desk, said: str | None) -> None:
    number = after_a_dark_night(yard)
    for action in [said] if said else []:
        yard.rules.tickets.act(number, action, "anna", "Da war nichts.")
    yard.tell(nights([STRONGER] * 5, USUAL + 1))
    assert "power_high" in found(yard)
    assert ratio(yard) == pytest.approx(1.0, abs=0.01)


def test_once_it_has_been_learned_anew_too_much_is_too_much_again(yard: Desk) -> None:
    yard.rules.tickets.act(after_a_dark_night(yard), "done", "anna")
    yard.tell(nights([STRONGER] * 6 + [STRONGER * 1.3] * 4, USUAL + 1))
    assert "power_high" in found(yard)


def test_what_was_found_by_the_old_lamp_ends_with_the_repair_and_says_so(yard: Desk) -> None:
    yard.commission([LAMP])
    yard.tell(nights([WELL] * USUAL + [STRONGER] * 3))
    (ticket,) = [one for one in yard.rules.tickets.page()[0] if one.rule == "power_high"]
    yard.clock.ms += 3_600_000
    yard.rules.tickets.act(ticket.id, "done", "anna")
    yard.tell(nights([STRONGER] * 3, USUAL + 3))
    (one,) = [one for one in yard.rules.findings.page() if one.rule == "power_high"]
    assert (one.closed_ms is not None, one.close_reason) == (
        True,
        "Als repariert gemeldet; was gewöhnlich ist, wird neu gelernt.",
    )
    whole = yard.rules.tickets.ticket(ticket.id)
    assert whole is not None and whole.status == "closed"


def repaired(folder: Path, saved: int | None, crashed: int | None) -> tuple[list[tuple[object, ...]], float]:
    """What is found of a lamp that was repaired, and what is learned of it; a snapshot and a crash before some step."""
    with desk(folder) as centre:
        number = after_a_dark_night(centre)
        steps: list[Callable[[], object]] = [
            lambda: centre.rules.tickets.act(number, "done", "anna"),
            lambda: centre.tell(nights([STRONGER], USUAL + 1)),
            lambda: centre.tell(nights([STRONGER] * 4, USUAL + 2)),
        ]
        for at, step in enumerate(steps):
            if at == saved:
                centre.rules.save()
            if at == crashed:
                centre.crash()
            step()
        kept = [(one.rule, one.since_ms, one.opened_ms, one.closed_ms) for one in centre.rules.findings.page()]
        return sorted(kept, key=str), ratio(centre)


@pytest.mark.parametrize(("saved", "crashed"), [(0, 1), (0, 2), (1, 1), (1, 2), (2, 2), (None, 1), (None, 2)])
def test_a_restart_after_a_repair_changes_nothing(tmp_path: Path, saved: int | None, crashed: int) -> None:
    found, learned = repaired(tmp_path / "crashing", saved, crashed)
    assert (found, learned) == repaired(tmp_path / "calm", None, None)
    assert [rule for rule, *_ in found] == ["lamp_out"]
    assert learned == pytest.approx(STRONGER / WELL, abs=0.01)


def test_a_backtest_minds_the_repairs_that_were_told(yard: Desk) -> None:
    yard.rules.tickets.act(after_a_dark_night(yard), "done", "anna")
    said = nights([WELL] * USUAL + [DARK] + [STRONGER] * 5)
    yard.tell(nights([STRONGER] * 5, USUAL + 1))
    repairs = yard.rules.tickets.repairs()
    assert [(one.device_id, one.at_ms) for one in repairs] == [(LAMP.device_id, T0 + USUAL * DAY_MS + 18 * 3_600_000)]

    def rules_found(repairs: Sequence[Repair]) -> set[str]:
        return {one.opening.rule for one in backtest(snapshot([LAMP]), table(said), RULES, repairs=repairs)}

    assert "power_high" not in rules_found(repairs)
    assert "power_high" in rules_found([])


def test_in_whatever_pieces_readings_come_a_repair_falls_between_the_same_two() -> None:
    repairs = [Repair(LAMP.device_id, T0 + 6 * DAY_MS + 12 * 3_600_000), Repair(LAMP.device_id, T0 + 9 * DAY_MS)]
    said = nights([WELL] * 6 + [STRONGER] * 7 + [WELL] * 4)

    def edges(pieces: Sequence[Sequence[Said]]) -> list[tuple[object, ...]]:
        one = story(LAMP, own=RULES)
        one.engine.repaired(repairs)
        for piece in pieces:
            one.hear_at_once(*piece)
        return told_of(one.settle().edges)

    one_by_one = edges([[one] for one in said])
    assert edges([said]) == one_by_one
    assert edges([said[at : at + 77] for at in range(0, len(said), 77)]) == one_by_one
    late = [*said[:150], *said[151:230], said[150], *said[230:]]
    assert [edge[:3] for edge in edges([[one] for one in late])] == [edge[:3] for edge in one_by_one]


def told_of(edges: Sequence[Edge]) -> list[tuple[object, ...]]:
    return [
        ("opens", one.rule, one.since_ms) if isinstance(one, Opening) else ("closes", one.rule, one.episode, one.reason)
        for one in edges
    ]
