"""Scoring on hand-made cases."""

import math
from typing import Any

import pytest

from firmware_sim.moments import iso
from firmware_sim.physics.plan import Plan
from firmware_sim.physics.play import play
from firmware_sim.physics.played import Played
from tests.detection import campaign
from tests.detection.__main__ import load_judge, parse_seeds
from tests.detection.limits import DAY_MS, HOUR_MS, LIMITS
from tests.detection.score import NOTHING, score, wilson
from tests.detection.tables import BEGIN, END, confusion_table, replaced, scores_table, shown_delay

T0 = 1_768_046_400_000
UNTIL_MS = T0 + 30 * DAY_MS


def case(
    fault: str, subject: str, start_h: float, end_h: float | None = None, seen_h: float | None = -1.0, members: str = ""
) -> dict[str, str]:
    seen = start_h if seen_h == -1.0 else seen_h
    times = [iso(None if hours is None else T0 + int(hours * HOUR_MS)) for hours in (start_h, end_h, seen)]
    return {"fault": fault, "subject": subject, "members": members or subject, "start": times[0], "end": times[1],
            "observable_from": times[2]}  # fmt: skip


def finding(
    rule: str, subject: str, opened_h: float, closed_h: float | None = None, since_h: float | None = None
) -> dict[str, Any]:
    since = opened_h if since_h is None else since_h
    return {"rule": rule, "subject": subject, "since": iso(T0 + int(since * HOUR_MS)),
            "opened_at": T0 + int(opened_h * HOUR_MS),
            "closed_at": None if closed_h is None else iso(T0 + int(closed_h * HOUR_MS))}  # fmt: skip


def numbers(
    truth: list[dict[str, str]], findings: list[dict[str, Any]], name: str, events: Any = ()
) -> tuple[int, ...]:
    tally = score(truth, findings, UNTIL_MS, events).tallies[name]
    return tally.truth, tally.found, tally.missed, tally.false, tally.repeats, tally.uncounted


def test_a_finding_of_the_same_name_and_subject_in_its_time_finds_a_fault_and_its_delay_counts_from_observable() -> (
    None
):
    table = score([case("lamp_out", "A", 10, 100, seen_h=16)], [finding("lamp_out", "A", 16.5, 102)], UNTIL_MS)
    tally = table.tallies["lamp_out"]
    assert (tally.truth, tally.found, tally.false) == (1, 1, 0)
    assert tally.delay_ms(0.5) == HOUR_MS / 2
    assert table.confusion["lamp_out", "lamp_out"] == 1


def test_a_fault_that_nobody_found_is_missed() -> None:
    assert numbers([case("lamp_out", "A", 10)], [], "lamp_out") == (1, 0, 1, 0, 0, 0)


def test_another_subject_another_rule_or_another_time_is_false() -> None:
    truth = [case("lamp_out", "A", 100, 150)]
    assert numbers(truth, [finding("lamp_out", "B", 110)], "lamp_out") == (1, 0, 1, 1, 0, 0)
    assert numbers(truth, [finding("silent", "A", 110)], "silent")[3] == 1
    assert numbers(truth, [finding("lamp_out", "A", 10, 20)], "lamp_out") == (1, 0, 1, 1, 0, 0)
    assert numbers(truth, [finding("lamp_out", "A", 200, 220)], "lamp_out") == (1, 0, 1, 1, 0, 0)


def test_a_finding_that_was_open_before_the_fault_began_knew_nothing_of_it() -> None:
    assert numbers([case("lamp_out", "A", 100)], [finding("lamp_out", "A", 50)], "lamp_out") == (1, 0, 1, 1, 0, 0)


def test_a_finding_may_begin_within_the_grace_after_the_end() -> None:
    truth = [case("lamp_out", "A", 100, 150)]
    assert numbers(truth, [finding("lamp_out", "A", 170, 180)], "lamp_out") == (1, 1, 0, 0, 0, 0)


def test_further_findings_of_one_fault_are_false_and_named_repeats_when_they_follow_each_other() -> None:
    truth = [case("silent", "A", 10, 300)]
    following = [finding("silent", "A", 20, 30), finding("silent", "A", 40, 50)]
    assert numbers(truth, following, "silent") == (1, 1, 0, 1, 1, 0)
    beside = [finding("silent", "A", 20, 60), finding("silent", "A", 40, 50)]
    assert numbers(truth, beside, "silent") == (1, 1, 0, 1, 0, 0)


def test_two_faults_of_one_lamp_need_two_findings() -> None:
    truth = [case("silent", "A", 10, 60), case("silent", "A", 200, 260)]
    assert numbers(truth, [finding("silent", "A", 20, 61)], "silent") == (2, 1, 1, 0, 0, 0)
    both = [finding("silent", "A", 20, 61), finding("silent", "A", 210, 262)]
    assert numbers(truth, both, "silent") == (2, 2, 0, 0, 0, 0)


def test_what_could_not_be_seen_or_only_shortly_counts_neither_as_missed_nor_as_false() -> None:
    unseen = [case("lamp_out", "A", 10, 12, seen_h=None)]
    assert numbers(unseen, [], "lamp_out") == (0, 0, 0, 0, 0, 1)
    assert numbers(unseen, [finding("lamp_out", "A", 11)], "lamp_out") == (0, 0, 0, 0, 0, 1)
    short = [case("lamp_partial", "A", 10, 10 + LIMITS["lamp_partial"].least_ms / HOUR_MS - 1)]
    assert numbers(short, [finding("lamp_partial", "A", 40)], "lamp_partial") == (0, 0, 0, 0, 0, 1)
    at_the_end = [case("lamp_partial", "A", 29 * 24)]
    assert numbers(at_the_end, [], "lamp_partial") == (0, 0, 0, 0, 0, 1)


def test_a_finding_on_a_member_of_a_group_fault_is_false_and_seen_in_the_confusion() -> None:
    truth = [case("circuit_down", "circuit:C/K1", 10, 30, members="A;B;C"), case("lamp_out", "B", 1)]
    findings = [
        finding("circuit_down", "circuit:C/K1", 10.5, 30), finding("circuit_down", "A", 11, 30),
        finding("silent", "C", 12, 30), finding("lamp_out", "B", 5),
    ]  # fmt: skip
    table = score(truth, findings, UNTIL_MS)
    assert (table.tallies["circuit_down"].found, table.tallies["circuit_down"].false) == (1, 1)
    assert table.tallies["silent"].false == 1
    assert (table.tallies["lamp_out"].found, table.tallies["lamp_out"].false) == (1, 0)
    assert table.confusion["circuit_down", "silent"] == 1
    assert table.confusion["circuit_down", "lamp_out"] == 0


def test_a_finding_where_nothing_was_wrong_stands_in_its_own_line() -> None:
    table = score([], [finding("silent", "A", 5)], UNTIL_MS)
    assert table.confusion[NOTHING, "silent"] == 1
    assert math.isnan(table.tallies["silent"].recall()[0])
    assert "| silent | 0 | 0 | 0 | 1 |" in scores_table(table)
    assert f"| {NOTHING} | 1 |" in confusion_table(table)


def test_a_gateway_cut_off_from_the_centre_may_be_called_down_but_its_devices_not_silent() -> None:
    events = [case("backhaul_outage", "gateway:g", 10, 16, members="A")]
    table = score([], [finding("gateway_down", "gateway:g", 11, 16), finding("silent", "A", 12, 16)], UNTIL_MS, events)
    assert (table.tallies["gateway_down"].false, table.tallies["gateway_down"].excused) == (0, 1)
    assert table.tallies["silent"].false == 1


def test_wilson_intervals_are_the_textbook_ones() -> None:
    assert wilson(0, 0)[0] != wilson(0, 0)[0]
    assert wilson(8, 10) == pytest.approx((0.8, 0.4902, 0.9433), abs=1e-4)
    assert wilson(300, 300)[1] == pytest.approx(0.9874, abs=1e-4)


def test_tables_of_several_plays_add_up() -> None:
    one = score([case("silent", "A", 1)], [finding("silent", "A", 3)], UNTIL_MS)
    one.add(score([case("silent", "A", 1)], [finding("silent", "A", 5), finding("silent", "B", 5)], UNTIL_MS))
    tally = one.tallies["silent"]
    assert (tally.truth, tally.found, tally.false) == (2, 2, 1)
    assert tally.delay_ms(0.5) == 3 * HOUR_MS


def test_delays_are_shown_in_what_fits() -> None:
    assert [shown_delay(ms) for ms in (math.nan, 60_000, 5 * HOUR_MS, 3 * DAY_MS)] == ["–", "1 min", "5.0 h", "3.0 d"]


def test_tables_replace_what_stands_between_the_markers() -> None:
    page = f"# Detection\n{BEGIN}\nold\n{END}\nafter\n"
    assert replaced(page, "new") == f"# Detection\n{BEGIN}\n\nnew\n\n{END}\nafter\n"
    with pytest.raises(ValueError, match="no markers"):
        replaced("# Detection\n", "new")


def test_tuning_and_report_have_no_seed_in_common() -> None:
    assert not set(campaign.TUNING_SEEDS) & set(campaign.REPORT_SEEDS)
    assert len(campaign.REPORT_SEEDS) == 20
    assert parse_seeds("1-3,7") == [1, 2, 3, 7]
    with pytest.raises(ValueError, match="names no seeds"):
        parse_seeds("some")
    with pytest.raises(ValueError, match="there is no judge"):
        load_judge("tests.detection.score:nobody")


def test_a_judge_that_knows_the_truth_has_full_marks_and_gets_no_truth() -> None:
    plan = Plan(lamps=250, days=20, seed=2)
    known = play(plan).truth

    def all_knowing(inventory: list[dict[str, str]], played: Played) -> list[dict[str, Any]]:
        assert inventory
        assert played.truth == []
        return [
            {"rule": row["fault"], "subject": row["subject"], "since": row["start"],
             "opened_at": row["observable_from"] or row["start"], "closed_at": row["end"] or None}
            for row in known
        ]  # fmt: skip

    table = campaign.judged(all_knowing, plan)
    assert sum(tally.truth for tally in table.tallies.values()) > 10
    assert all(tally.missed == tally.false == 0 for tally in table.tallies.values())


def test_a_judge_that_says_nothing_misses_everything() -> None:
    sizes = campaign.Sizes(lamps=100, days=10, bays=20, buttons=5, parking_days=10)
    told: list[str] = []
    table = campaign.run(lambda inventory, played: [], sizes, (1, 2), 0.1, told.append)
    assert sum(tally.found for tally in table.tallies.values()) == 0
    assert len(told) == 2
    assert table.device_days == 2 * 10 * (100 + 20 + 20 // 8 + 5)  # a counting barrier for eight bays
