"""The rules across restarts: whatever dies whenever, each fault has its one finding and its one ticket."""

import shutil
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from core.device import Device, Site
from rules.records import Finding, Ticket
from tests.rules.platform import Desk, desk
from tests.rules.town import T0, Said, bay, lamp, lamp_series
from tests.support.platform import until
from tests.support.soak import rounds

LAMPS = [lamp(number) for number in range(1, 5)]
MARKT = Site(site="markt", town="naunhof", name="Markt", capacity=2)
STEP_MS = 900_000
ALIVE = {"voltage_v": 230.0}
"""What a lamp says that tells nothing but that it speaks."""

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
        centre.settle()
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
        centre.settle()
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
        centre.settle()
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
        centre.settle()
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
        centre.settle()
        assert len(refusals) == 1
        assert seen(centre) == undisturbed(tmp_path / "calm", steps)


def speak(centre: Desk, devices: Sequence[Device], begin: int, end: int) -> None:
    """Each of these says something at every step from one to another."""
    for at in range(begin, end):
        centre.hear([Said(one.device_id, T0 + at * STEP_MS, ALIVE, seq=at + 1) for one in devices])


def test_silence_is_judged_only_when_all_is_read_and_the_way_to_us_stands(tmp_path: Path) -> None:
    with desk(tmp_path / "centre") as centre:
        centre.commission(LAMPS)
        speak(centre, LAMPS, 0, 60)
        centre.rules.hears = lambda: False
        centre.wait(72 * 60)
        centre.rules.hears = lambda: True
        centre.wait(0)  # listens from here on
        assert centre.rules.findings.page() == []
        speak(centre, LAMPS[:1], 60 + 72 * 4, 60 + 96 * 4)
        assert {one.rule for one in centre.rules.findings.page()} == {"silent"}
        assert len(centre.rules.findings.page()) == 3


def test_silence_is_judged_although_a_busy_journal_is_never_read_to_its_very_end(tmp_path: Path) -> None:
    with desk(tmp_path / "centre") as centre:
        centre.commission(LAMPS)
        for at in range(60):
            centre.hear([Said(one.device_id, T0 + at * STEP_MS, ALIVE, seq=at + 1) for one in LAMPS])
        centre.rules.tick()
        for at in range(60, 300):
            centre.clock.ms = T0 + at * STEP_MS
            centre.journal_in([Said(LAMPS[0].device_id, T0 + at * STEP_MS, ALIVE, seq=at + 1)])
            centre.rules.take()
            centre.journal_in([Said(LAMPS[1].device_id, T0 + at * STEP_MS, ALIVE, seq=at + 1)])
            centre.rules.tick()  # the last one is still unread
        silent = sorted(one.subject for one in centre.rules.findings.page(rule="silent"))
        assert silent == [one.device_id for one in LAMPS[2:]]


def test_who_is_far_behind_judges_no_silence(tmp_path: Path) -> None:
    with desk(tmp_path / "centre") as centre:
        centre.commission(LAMPS)
        for at in range(60):
            centre.hear([Said(one.device_id, T0 + at * STEP_MS, ALIVE, seq=at + 1) for one in LAMPS])
        centre.rules.tick()
        for at in range(60, 300):
            centre.clock.ms = T0 + at * STEP_MS
            centre.journal_in([Said(one.device_id, T0 + at * STEP_MS, ALIVE, seq=at + 1) for one in LAMPS])
            centre.rules.tick()
        assert centre.rules.findings.page(rule="silent") == []


def test_who_was_away_blames_nobody_for_what_was_said_meanwhile(tmp_path: Path) -> None:
    """The centre stands still for a day; what the gateway kept comes when it is back."""
    with desk(tmp_path / "centre") as centre:
        centre.commission(LAMPS)
        speak(centre, LAMPS, 0, 60)
        centre.settle()
        centre.rules.save()
        centre.clock.ms += 86_400_000
        centre.crash()
        kept = [Said(one.device_id, T0 + at * STEP_MS, ALIVE, seq=at + 1) for at in range(60, 156) for one in LAMPS]
        centre.journal_in(kept)
        centre.rules.take()
        centre.settle()
        speak(centre, LAMPS, 156, 166)
        assert centre.rules.findings.page() == []


def test_what_a_gateway_kept_for_hours_tells_of_the_past_and_is_no_news(tmp_path: Path) -> None:
    """The lamp was dark for two hours while its gateway could not reach us, and burns again."""
    device_id = LAMPS[0].device_id
    with desk(tmp_path / "centre") as centre:
        centre.commission(LAMPS)
        centre.hear(lamp_series(device_id, [40.0] * 4))
        speak(centre, LAMPS[1:], 4, 25)
        dark = lamp_series(device_id, [*[None] * 4, *[0.5] * 8, *[40.0] * 12])
        for begin in (0, 5, 12):  # in several frames
            centre.journal_in(dark[begin : {0: 5, 5: 12, 12: 20}[begin]])
            centre.rules.take()
            centre.settle()
        speak(centre, LAMPS[1:], 25, 30)
        assert centre.rules.findings.page() == []


def test_a_lamp_that_is_still_dark_when_its_gateway_is_back_has_its_finding(tmp_path: Path) -> None:
    device_id = LAMPS[0].device_id
    with desk(tmp_path / "centre") as centre:
        centre.commission(LAMPS)
        watts = [*[40.0] * 4, *[0.5] * 24]
        centre.hear(lamp_series(device_id, watts[:4]))
        speak(centre, LAMPS[1:], 4, 25)
        centre.journal_in(lamp_series(device_id, [*[None] * 4, *watts[4:20]]))
        centre.rules.take()
        centre.settle()
        assert centre.rules.findings.page() == [], "the newest of it is more than an hour old"
        centre.tell(lamp_series(device_id, [*[None] * 24, *watts[24:]]))
        centre.wait(5)
        (found,) = centre.rules.findings.page()
        assert (found.rule, found.since_ms) == ("lamp_out", T0 + 4 * STEP_MS)


def test_a_start_right_after_a_finding_leaves_it_open(tmp_path: Path) -> None:
    """It was told at the full minute; the last word came half a minute before."""
    with desk(tmp_path / "centre") as centre:
        centre.commission(LAMPS)
        centre.tell(lamp_series(LAMPS[0].device_id, [0.5] * 3))
        centre.crash()
        (found,) = centre.rules.findings.page()
        assert (found.rule, found.closed_ms) == ("lamp_out", None)
        centre.wait(10)
        (found,) = centre.rules.findings.page()
        assert found.closed_ms is None


def test_silence_that_a_start_knows_nothing_of_ends_and_is_the_same_finding_when_it_is_seen_again(
    tmp_path: Path,
) -> None:
    with desk(tmp_path / "centre") as centre:
        centre.commission(LAMPS)
        speak(centre, LAMPS, 0, 30)
        centre.rules.save()
        speak(centre, LAMPS[1:], 30, 130)
        (before,) = centre.rules.findings.page()
        centre.rules.path.unlink()
        with centre.database.write() as connection:  # as if the state had been lost in the very moment
            connection.exec_driver_sql("UPDATE finding SET episode = episode")
        centre.crash()
        speak(centre, LAMPS[1:], 130, 260)
        (after,) = centre.rules.findings.page()
        assert (after.id, after.rule, after.subject, after.closed_ms) == (before.id, "silent", LAMPS[0].device_id, None)
        assert len(centre.rules.tickets.page()[0]) == 1


def test_a_restart_ends_no_finding_on_devices_that_are_still_mute(tmp_path: Path) -> None:
    line = [lamp(number, cabinet="NAU-C1", circuit="2") for number in range(1, 6)]
    others = [lamp(number, cabinet="NAU-C1", circuit="3") for number in range(11, 21)]
    with desk(tmp_path / "centre") as centre:
        centre.commission([*line, *others])
        speak(centre, [*line, *others], 0, 30)
        speak(centre, others, 30, 50)
        assert [one.rule for one in centre.rules.findings.page()] == ["circuit_down"]
        centre.rules.save()
        centre.crash()
        speak(centre, others, 50, 60)
        (found,) = centre.rules.findings.page()
        assert (found.rule, found.closed_ms) == ("circuit_down", None)


def test_a_press_is_a_case_and_no_restart_ends_it(tmp_path: Path) -> None:
    button = Device(device_id="NAU-S1", kind="sos", town="naunhof", interval_s=3600)
    with desk(tmp_path / "centre") as centre:
        centre.commission([*LAMPS, button])
        centre.hear([Said("NAU-S1", T0, {"event": "press", "press_id": 1.0}, kind="sos", seq=1)])
        stopping = threading.Event()
        watch = threading.Thread(target=lambda: centre.rules.sos.run(stopping))
        watch.start()
        until("the case is there", lambda: len(centre.rules.cases.page()[0]) == 1, 20)
        stopping.set()
        watch.join()
        centre.settle()
        centre.crash()
        centre.settle()
        (found,) = centre.rules.findings.page()
        assert (found.rule, found.closed_ms) == ("sos_press", None)
        assert centre.rules.tickets.page()[0] == []


def test_a_device_that_was_commissioned_a_moment_ago_is_heard_at_once(tmp_path: Path) -> None:
    with desk(tmp_path / "centre") as centre:
        centre.commission(LAMPS)
        centre.hear([Said(LAMPS[0].device_id, T0, {"power_w": 40.0}, seq=1)])
        centre.commission([lamp(9)])
        centre.journal_in([Said("NAU-L00009", T0, {"power_w": 40.0}, seq=1)])
        centre.rules.take(refresh=False)
        found = centre.rules.live.latest("NAU-L00009")
        assert found is not None and found.values == {"power_w": 40.0}


def test_a_start_makes_each_car_park_news_to_who_was_here_before_and_to_nobody_else(tmp_path: Path) -> None:
    with desk(tmp_path) as centre:
        centre.commission([bay(1)], [MARKT])
        centre.tell([Said(bay(1).device_id, T0, {"occupied": True}, "parking")])
        before = centre.rules.newest_site_news()
        centre.settle()
        assert centre.rules.newest_site_news() == before, "a minute later nothing is new"
        centre.rules.save()
        centre.crash()
        first = centre.rules.newest_site_news()
        centre.settle()
        assert centre.rules.site_news(0) == ([("naunhof", "markt")], first), "who was here before"
        assert centre.rules.site_news(first) == ([], first), "who comes now"
