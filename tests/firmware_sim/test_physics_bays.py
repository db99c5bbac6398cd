"""Bays that feel their neighbours, sensors that keep restarting, snow: the play shows what the truth says."""

import numpy as np

from firmware_sim.moments import parse_time_ms
from firmware_sim.physics.plan import DAY_MS, HOUR_MS, Plan
from firmware_sim.physics.play import play
from firmware_sim.physics.played import Played


def bays_with(fault: str, count: int) -> tuple[Plan, Played]:
    plan = Plan(lamps=0, bays=120, days=40, seed=3, loss=0.0, events=False, counts={fault: count})
    return plan, play(plan)


def changes_of(run: Played, device_id: str) -> tuple[np.ndarray, np.ndarray]:
    """Instants and new states of the changes that a bay told of."""
    own = np.flatnonzero(run.device == run.device_ids.index(device_id))
    own = own[np.argsort(run.t_ms[own], kind="stable")]
    occupied = run.values["occupied"][own]
    changed = np.flatnonzero(np.diff(occupied)) + 1
    return run.t_ms[own][changed], occupied[changed]


def test_a_bay_that_feels_its_neighbour_becomes_occupied_within_seconds_of_its_cars() -> None:
    plan, run = bays_with("bay_neighbour", 40)
    assert len(run.truth) >= 10
    for row in run.truth:
        subject, beside = row["members"].split(";")
        assert subject == row["subject"]
        onset_ms = changes_of(run, subject)[0][changes_of(run, subject)[1] == 1]
        theirs_ms = changes_of(run, beside)[0]
        begin_ms = parse_time_ms(row["start"])
        end_ms = parse_time_ms(row["end"]) if row["end"] else plan.end_ms
        apart_ms = np.abs(onset_ms[:, None] - theirs_ms).min(axis=1)
        during = (onset_ms >= begin_ms) & (onset_ms < end_ms)
        assert np.mean(apart_ms[during] <= 5_000) > 0.2
        assert np.mean(apart_ms[~during] <= 5_000) < 0.1


def test_a_sensor_that_keeps_restarting_says_so_and_reports_cars_that_are_not_there() -> None:
    plan, run = bays_with("bay_reboot", 30)
    faulty = {row["subject"]: row for row in run.truth}
    for name in (row["device_id"] for row in run.inventory if row["kind"] == "parking"):
        own = run.device == run.device_ids.index(name)
        starts = run.t_ms[own & (run.values["uptime_s"] == 0)]
        assert bool(len(starts)) == (name in faulty)
    row = next(iter(faulty.values()))
    begin_ms = parse_time_ms(row["start"])
    end_ms = parse_time_ms(row["end"]) if row["end"] else plan.end_ms
    times, states = changes_of(run, row["subject"])
    short = (np.diff(times) < HOUR_MS / 5) & (states[:-1] == 1) & (times[:-1] >= begin_ms) & (times[:-1] < end_ms)
    assert short.sum() > (end_ms - begin_ms) / DAY_MS


def test_snow_falls_when_it_freezes_and_most_bays_of_a_site_become_occupied_and_stay_so() -> None:
    plan, run = bays_with("bay_snow", 1)
    seen = [row for row in run.truth if row["observable_from"]]
    assert len(seen) >= 10
    for row in seen:
        members = row["members"].split(";")
        begin_ms, end_ms = parse_time_ms(row["start"]), parse_time_ms(row["end"])
        assert begin_ms >= plan.start_ms + 8 * DAY_MS
        moved = [changes_of(run, name) for name in members]
        became = sum(((t >= begin_ms) & (t < begin_ms + HOUR_MS) & (state == 1)).any() for t, state in moved)
        assert became >= 0.4 * len(members)
        under = [((t >= begin_ms + HOUR_MS) & (t < end_ms)).sum() for t, _ in moved]
        assert np.mean(np.array(under) == 0) > 0.5
    cold = run.values["temp_c"][(run.t_ms >= begin_ms) & (run.t_ms < begin_ms + HOUR_MS)]
    assert np.nanmedian(cold) < 1.5


def test_no_snow_falls_in_summer() -> None:
    assert (
        play(Plan(lamps=0, bays=120, days=40, seed=3, start_ms=1_780_000_000_000, counts={"bay_snow": 1})).truth == []
    )
