"""What arrives of the region as columns: loss, backfill, parking, buttons, files, the command."""

import csv
from pathlib import Path

import numpy as np
import pytest

from firmware_sim.cli import main
from firmware_sim.moments import parse_time_ms
from firmware_sim.physics.files import write_played
from firmware_sim.physics.plan import DAY_MS, HOUR_MS, Plan
from firmware_sim.physics.play import play
from firmware_sim.physics.played import Played

SMALL = Plan(lamps=60, bays=20, buttons=5, days=3, seed=11)


def same(one: Played, other: Played) -> bool:
    columns = all(np.array_equal(one.values[name], other.values[name], equal_nan=True) for name in one.values)
    return columns and np.array_equal(one.received_ms, other.received_ms) and one.truth == other.truth


def test_the_same_seed_gives_the_same_bytes_and_another_one_others(tmp_path: Path) -> None:
    write_played(play(SMALL), tmp_path / "a")
    write_played(play(SMALL), tmp_path / "b")
    for path in sorted((tmp_path / "a").iterdir()):
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name
    assert not same(play(SMALL), play(Plan(lamps=60, bays=20, buttons=5, days=3, seed=12)))


@pytest.mark.parametrize("loss", [0.0, 0.10, 0.28])
def test_so_much_is_lost_as_was_asked_for_and_not_everywhere_the_same(loss: float) -> None:
    plan = Plan(lamps=400, days=10, seed=4, loss=loss, counts={}, events=False)
    run = play(plan)
    lamps = [n for n, row in enumerate(run.inventory) if row["kind"] == "lamp" and row["supply"] == "permanent"]
    share = 1 - np.bincount(run.device, minlength=len(run.device_ids))[lamps] / plan.slots
    assert share.mean() == pytest.approx(loss, abs=0.02)
    assert (share.max() > 1.5 * loss) and (share.min() < 0.7 * loss or loss == 0)


def test_loss_comes_in_bursts() -> None:
    plan = Plan(lamps=300, days=10, seed=4, loss=0.10, counts={}, events=False)
    run = play(plan)
    lamps = {n for n, row in enumerate(run.inventory) if row["kind"] == "lamp" and row["supply"] == "permanent"}
    order = np.lexsort((run.t_ms, run.device))
    device, t_ms = run.device[order], run.t_ms[order]
    missed = np.round(np.diff(t_ms) / plan.interval_ms)[(np.diff(device) == 0) & np.isin(device[1:], list(lamps))] - 1
    # Evenly spread, four in a row would be a thousandth of the gaps.
    assert np.mean(missed[missed > 0] >= 4) > 0.01


def test_what_a_cut_off_gateway_kept_arrives_later_and_out_of_order() -> None:
    run = play(Plan(lamps=400, days=12, seed=2, loss=0.05, counts={}))
    outages = [row for row in run.events if row["fault"] == "backhaul_outage"]
    assert outages
    late = (run.received_ms - run.t_ms) > HOUR_MS
    assert late.any()
    ends = np.array([parse_time_ms(row["end"]) for row in outages])
    after = run.received_ms[late][:, None] - ends
    assert ((after >= 0) & (after < HOUR_MS)).any(axis=1).all()
    assert (np.diff(run.t_ms[late]) < 0).any()
    assert (np.diff(run.received_ms) >= 0).all()


def test_announced_rounds_have_windows_around_them() -> None:
    run = play(Plan(lamps=600, days=30, seed=6, counts={}))
    rounds = [row for row in run.events if row["fault"] == "maintenance"]
    assert len(rounds) == len(run.windows) > 0
    for row, window in zip(rounds, run.windows, strict=True):
        assert window["scope"] == row["subject"]
        assert parse_time_ms(window["from"]) < parse_time_ms(row["start"])
        assert parse_time_ms(row["end"]) < parse_time_ms(window["to"])


def test_a_stuck_bay_keeps_its_state_and_a_flapping_one_floods() -> None:
    counts = {"bay_stuck": 17, "bay_flapping": 17}
    plan = Plan(lamps=0, bays=120, days=40, seed=3, loss=0.05, events=False, counts=counts)
    run = play(plan)
    for row in run.truth:
        begin_ms = parse_time_ms(row["start"])
        end_ms = parse_time_ms(row["end"]) if row["end"] else plan.end_ms
        own = run.device == run.device_ids.index(row["subject"])
        during = own & (run.t_ms >= begin_ms) & (run.t_ms < end_ms)
        if row["fault"] == "bay_stuck":
            assert len(np.unique(run.values["occupied"][during])) <= 1
            assert during.sum() > 0.5 * (end_ms - begin_ms) / HOUR_MS
        if row["fault"] == "bay_flapping":
            times = np.sort(run.t_ms[during])
            assert (times[7:] - times[:-7] < 10 * 60_000).any()


def test_healthy_bays_do_not_change_more_than_six_times_in_ten_minutes() -> None:
    run = play(Plan(lamps=0, bays=80, days=20, seed=8, counts={}))
    order = np.lexsort((run.t_ms, run.device))
    device, t_ms, occupied = run.device[order], run.t_ms[order], run.values["occupied"][order]
    changed = np.flatnonzero((np.diff(device) == 0) & (np.diff(occupied) != 0)) + 1
    quick = (t_ms[changed][6:] - t_ms[changed][:-6] < 10 * 60_000) & (device[changed][6:] == device[changed][:-6])
    assert not quick.any()


def test_a_forgotten_button_is_not_tested_for_more_than_thirty_days() -> None:
    plan = Plan(lamps=0, buttons=40, days=60, seed=3, loss=0.28)
    run = play(plan)
    tests = run.texts["event"].codes == run.texts["event"].words.index("test")
    overdue = {row["subject"] for row in run.truth if row["fault"] == "sos_test_overdue"}
    assert 0 < len(overdue) < 40
    for number, name in enumerate(run.device_ids):
        if not name[4:].startswith("S"):
            continue
        times = np.sort(run.t_ms[tests & (run.device == number)])
        longest = np.diff(np.concatenate([times, [plan.end_ms]])).max() / DAY_MS
        assert (longest > 30) == (name in overdue)


def test_presses_are_never_lost() -> None:
    run = play(Plan(lamps=0, buttons=60, days=30, seed=3, loss=0.28))
    presses = run.texts["event"].codes == run.texts["event"].words.index("press")
    truth = [row for row in run.truth if row["fault"] == "sos_press"]
    assert 0 < len(truth) <= presses.sum()


def test_the_files_hold_what_was_played(tmp_path: Path) -> None:
    run = play(SMALL)
    assert write_played(run, tmp_path) == len(run)
    with (tmp_path / "readings.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(run)
    for number in (0, len(rows) // 2, len(rows) - 1):
        row = rows[number]
        assert row["device_id"] == run.device_ids[run.device[number]]
        assert int(row["t"]) == run.t_ms[number]
        assert int(row["received"]) == run.received_ms[number]
        power_w = run.values["power_w"][number]
        assert row["power_w"] == "" if np.isnan(power_w) else float(row["power_w"]) == power_w
    arrays = np.load(tmp_path / "readings.npz")
    assert np.array_equal(arrays["value_power_w"], run.values["power_w"], equal_nan=True)


def test_the_command_writes_the_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--lamps", "40", "--bays", "0", "--for", "36h", "--seed", "2", "--loss", "0.28"]
    assert main(["--out", str(tmp_path), "--physics", *options]) == 0
    assert "readings" in capsys.readouterr().out
    names = {"inventory.csv", "sites.csv", "readings.csv", "readings.npz", "windows.csv", "truth.csv", "events.csv"}
    assert {path.name for path in tmp_path.iterdir()} == names


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--loss", "2"], "loss must be a share of 0..0.8"),
        (["--lamps", "-1"], "0 or more"),
        (["--for", "1m"], "at least four readings"),
        (["--seed", "-1"], "seed must be 0 or more"),
        (["--counters", "2"], "--counters does not go with --physics"),
    ],
)
def test_bad_input_is_one_clear_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], says: str
) -> None:
    assert main(["--out", str(tmp_path), "--physics", *options]) == 1
    assert says in capsys.readouterr().err
