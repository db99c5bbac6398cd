"""The rules across restarts: whatever dies whenever, each fault has its one finding and its one ticket."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from rules.records import Finding, Ticket
from tests.rules.platform import Desk, desk
from tests.rules.town import T0, Said, lamp, lamp_series
from tests.support.soak import rounds

LAMPS = [lamp(number) for number in range(1, 5)]
STEP_MS = 900_000

Seen = tuple[list[tuple[object, ...]], list[tuple[object, ...]]]


def night(seed: int) -> list[list[Said]]:
    """Four lamps for 24 steps; some are dark for a while. One group of readings for each step."""
    rng = np.random.default_rng(seed)
    steps: list[list[Said]] = [[] for _ in range(24)]
    for one in LAMPS:
        begin, length = int(rng.integers(0, 18)), int(rng.integers(0, 12))
        watts = [0.5 if begin <= at < begin + length else 40.0 for at in range(24)]
        for at, said in enumerate(lamp_series(one.device_id, watts)):
            steps[at].append(said)
    return steps


def seen(centre: Desk) -> Seen:
    """Findings and tickets without their numbers."""

    def finding(one: Finding) -> tuple[object, ...]:
        return one.rule, one.subject, one.since_ms, one.opened_ms, one.closed_ms, one.text_de

    def ticket(one: Ticket) -> tuple[object, ...]:
        whole = centre.rules.tickets.ticket(one.id)
        assert whole is not None
        return one.rule, one.subject, one.status, [(step.action, step.at_ms) for step in whole.steps]

    return sorted(map(finding, centre.rules.findings.page())), sorted(
        map(ticket, centre.rules.tickets.page()[0]), key=str
    )


def undisturbed(folder: Path, steps: Sequence[Sequence[Said]]) -> Seen:
    """What comes of it when nothing dies."""
    with desk(folder) as centre:
        centre.commission(LAMPS)
        for said in steps:
            centre.hear(said)
        return seen(centre)


@pytest.mark.parametrize("seed", range(rounds(3)))
def test_a_crash_and_a_snapshot_at_any_point_leave_the_same_findings_and_tickets(tmp_path: Path, seed: int) -> None:
    steps = night(seed)
    rng = np.random.default_rng(1000 + seed)
    with desk(tmp_path / "crashing") as centre:
        centre.commission(LAMPS)
        for said in steps:
            centre.hear(said)
            if rng.random() < 0.3:
                centre.rules.save()
            if rng.random() < 0.3:
                centre.crash()
        found = seen(centre)
    assert found == undisturbed(tmp_path / "calm", steps)
    assert found[0], "a night without a fault shows nothing"


def test_a_snapshot_older_than_the_database_does_no_harm(tmp_path: Path) -> None:
    steps = night(1)
    with desk(tmp_path / "crashing") as centre:
        centre.commission(LAMPS)
        for at, said in enumerate(steps):
            centre.hear(said)
            if at == 3:
                centre.rules.save()
                shutil.copy(centre.rules.path, tmp_path / "old")
        shutil.copy(tmp_path / "old", centre.rules.path)
        before = seen(centre)
        centre.crash()
        assert seen(centre) == before == undisturbed(tmp_path / "calm", steps)


def test_a_damaged_snapshot_means_reading_the_journal_again(tmp_path: Path) -> None:
    steps = night(2)
    with desk(tmp_path / "crashing") as centre:
        centre.commission(LAMPS)
        for said in steps:
            centre.hear(said)
        before = seen(centre)
        centre.rules.save()
        centre.rules.path.write_bytes(centre.rules.path.read_bytes()[:-100])
        centre.crash()
        assert seen(centre) == before


def test_a_database_that_can_not_be_written_is_waited_for_and_nothing_is_left_out(tmp_path: Path) -> None:
    steps = night(1)
    with desk(tmp_path / "full") as centre:
        centre.commission(LAMPS)
        with centre.database.write() as connection:
            connection.exec_driver_sql(
                "CREATE TRIGGER full BEFORE INSERT ON finding BEGIN SELECT RAISE(FAIL, 'full'); END"
            )
        refusals: list[float] = []

        def wait(seconds: float) -> bool:
            refusals.append(seconds)
            with centre.database.write() as connection:
                connection.exec_driver_sql("DROP TRIGGER IF EXISTS full")
            return False

        centre.rules._stopping.wait = wait  # type: ignore[method-assign,assignment]  # stands for the time that passes
        for said in steps:
            centre.hear(said)
        assert len(refusals) == 1
        assert seen(centre) == undisturbed(tmp_path / "calm", steps)


def test_silence_is_judged_only_when_all_is_read_and_the_way_to_us_stands(tmp_path: Path) -> None:
    with desk(tmp_path / "centre") as centre:
        centre.commission(LAMPS)
        for at in range(60):
            centre.hear([Said(one.device_id, T0 + at * STEP_MS, {"power_w": 40.0}, seq=at + 1) for one in LAMPS[1:]])
        centre.clock.ms += 72 * 3_600_000
        centre.rules.hears = lambda: False
        centre.rules.tick()
        centre.rules.hears = lambda: True
        centre.rules.tick()  # listens from here on
        assert centre.rules.findings.page() == []
        centre.clock.ms += 72 * 3_600_000
        centre.rules.tick()
        assert {one.rule for one in centre.rules.findings.page()} == {"silent"}
        assert len(centre.rules.findings.page()) == 3


def test_silence_is_judged_although_a_busy_journal_is_never_read_to_its_very_end(tmp_path: Path) -> None:
    with desk(tmp_path / "centre") as centre:
        centre.commission(LAMPS)
        for at in range(60):
            centre.hear([Said(one.device_id, T0 + at * STEP_MS, {"power_w": 40.0}, seq=at + 1) for one in LAMPS])
        centre.rules.tick()
        for at in range(60, 300):
            centre.clock.ms = T0 + at * STEP_MS
            centre.journal_in([Said(LAMPS[0].device_id, T0 + at * STEP_MS, {"power_w": 40.0}, seq=at + 1)])
            centre.rules.take()
            centre.journal_in([Said(LAMPS[1].device_id, T0 + at * STEP_MS, {"power_w": 40.0}, seq=at + 1)])
            centre.rules.tick()  # the last one is still unread
        silent = sorted(one.subject for one in centre.rules.findings.page(rule="silent"))
        assert silent == [one.device_id for one in LAMPS[2:]]


def test_who_is_far_behind_judges_no_silence(tmp_path: Path) -> None:
    with desk(tmp_path / "centre") as centre:
        centre.commission(LAMPS)
        for at in range(60):
            centre.hear([Said(one.device_id, T0 + at * STEP_MS, {"power_w": 40.0}, seq=at + 1) for one in LAMPS])
        centre.rules.tick()
        for at in range(60, 300):
            centre.clock.ms = T0 + at * STEP_MS
            centre.journal_in([Said(one.device_id, T0 + at * STEP_MS, {"power_w": 40.0}, seq=at + 1) for one in LAMPS])
            centre.rules.tick()
        assert centre.rules.findings.page(rule="silent") == []


def test_a_device_that_was_commissioned_a_moment_ago_is_heard_at_once(tmp_path: Path) -> None:
    with desk(tmp_path / "centre") as centre:
        centre.commission(LAMPS)
        centre.hear([Said(LAMPS[0].device_id, T0, {"power_w": 40.0}, seq=1)])
        centre.commission([lamp(9)])
        centre.journal_in([Said("NAU-L00009", T0, {"power_w": 40.0}, seq=1)])
        centre.rules.take(refresh=False)
        found = centre.rules.live.latest("NAU-L00009")
        assert found is not None and found.values == {"power_w": 40.0}
