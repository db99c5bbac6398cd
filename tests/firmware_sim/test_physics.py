"""The region as columns: lamps, lines, truth."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest

from firmware_sim.moments import parse_time_ms
from firmware_sim.physics.plan import DAY_MS, FAULTS, HOUR_MS, LAMP_FAULTS, Plan
from firmware_sim.physics.play import play
from firmware_sim.physics.played import Played

Mask = npt.NDArray[np.bool_]
MONTH = Plan(lamps=900, days=30, seed=7, loss=0.10)
QUIET = Plan(lamps=300, days=4, seed=3, loss=0.0, counts={}, events=False)


@cache
def played(plan_name: str = "month") -> Played:
    return play(MONTH if plan_name == "month" else QUIET)


def of_device(run: Played, device_id: str, from_ms: int = 0, to_ms: int = 2**62) -> Mask:
    number = run.device_ids.index(device_id)
    return np.asarray((run.device == number) & (run.t_ms >= from_ms) & (run.t_ms < to_ms), np.bool_)


def span(row: Mapping[str, str], plan: Plan = MONTH) -> tuple[int, int]:
    return parse_time_ms(row["observable_from"]), parse_time_ms(row["end"]) if row["end"] else plan.end_ms


def shown(fault: str) -> list[dict[str, str]]:
    rows = [row for row in played().truth if row["fault"] == fault and row["observable_from"]]
    assert rows
    return rows


def nominal_w(run: Played, device_id: str) -> float:
    return float(run.inventory[run.device_ids.index(device_id)]["nominal_w"])


def lit(run: Played, mask: Mask) -> Mask:
    return mask & (run.values["dim_pct"] > 0)


def test_a_lamp_at_half_light_draws_about_what_its_plate_says_for_it() -> None:
    run = played("quiet")
    for row in run.inventory:
        if row["model"] != "Lindau LED 36":
            continue
        half = of_device(run, row["device_id"]) & (run.values["dim_pct"] == 50)
        if half.any():
            expected = 5.6 + (36.0 - 5.6) * 40 / 90
            assert np.median(run.values["power_w"][half]) == pytest.approx(expected, rel=0.09)
            return
    raise AssertionError("no such lamp burns at half light")


def test_by_day_a_lamp_draws_only_its_standby() -> None:
    run = played("quiet")
    idle = run.values["dim_pct"] == 0
    assert idle.sum() > 1000
    assert np.nanmax(run.values["power_w"][idle]) < 2.0


def test_a_discharge_lamp_runs_up_within_minutes() -> None:
    run = played("quiet")
    chokes = [row["device_id"] for row in run.inventory if row["model"].startswith(("Koffer", "Pilz"))]
    mask = np.isin(run.device, [run.device_ids.index(name) for name in chokes])
    share = run.values["power_w"][mask] / np.array([nominal_w(run, run.device_ids[d]) for d in run.device[mask]])
    burning = share[share > 0.3]
    assert 0.0 < np.mean(burning < 0.85) < 0.1
    assert np.median(burning) == pytest.approx(1.0, abs=0.06)


def test_without_loss_faults_and_events_every_lamp_on_permanent_supply_speaks_each_interval() -> None:
    run = played("quiet")
    for row in run.inventory:
        if row["supply"] == "permanent" and row["kind"] == "lamp":
            count = int(of_device(run, row["device_id"]).sum())
            # A restart swallows a reading now and then.
            assert QUIET.slots - 5 <= count <= QUIET.slots


def test_lamps_on_switched_lines_are_silent_while_their_profile_is_off() -> None:
    run = played("quiet")
    switched = [row["device_id"] for row in run.inventory if row["supply"].startswith("switched")]
    assert switched
    mask = np.isin(run.device, [run.device_ids.index(name) for name in switched])
    hours = (run.t_ms[mask] % DAY_MS) / HOUR_MS
    assert not ((hours > 8) & (hours < 15)).any()
    assert mask.sum() > 50 * len(switched)


def test_a_dark_lamp_draws_nearly_nothing_while_told_to_burn() -> None:
    run = played()
    for row in shown("lamp_out"):
        during = lit(run, of_device(run, row["subject"], *span(row)))
        watts = run.values["power_w"][during]
        assert not len(watts) or watts.max() < 0.12 * nominal_w(run, row["subject"]) + 1.5
    assert any(lit(run, of_device(run, row["subject"], *span(row))).any() for row in shown("lamp_out"))


@pytest.mark.parametrize(("fault", "low", "high"), [("lamp_partial", 0.2, 0.85), ("power_high", 1.15, 2.0)])
def test_weak_and_strong_lamps_differ_from_what_they_drew_before(fault: str, low: float, high: float) -> None:
    run = played()
    compared = 0
    for row in shown(fault):
        start_ms = parse_time_ms(row["start"])
        full = run.values["dim_pct"] == 100
        before = of_device(run, row["subject"], 0, start_ms - HOUR_MS) & full
        during = of_device(run, row["subject"], *span(row)) & full
        if before.sum() > 20 and during.sum() > 20:
            compared += 1
            ratio = np.median(run.values["power_w"][during]) / np.median(run.values["power_w"][before])
            assert low < ratio < high
    assert compared


def test_a_day_burner_burns_in_full_sun() -> None:
    run = played()
    for row in shown("day_burner"):
        seen_ms, end_ms = span(row)
        for device_id in row["members"].split(";")[:3]:
            during = of_device(run, device_id, seen_ms, min(end_ms, seen_ms + 2 * HOUR_MS))
            during &= run.values["supply_lost"] != 1
            watts = run.values["power_w"][during]
            assert not len(watts) or np.median(watts) > 0.5 * nominal_w(run, device_id)


def test_what_is_not_switched_on_is_told_to_be_dark_at_night() -> None:
    run = played()
    row = next(row for row in shown("not_on") if not row["subject"].startswith("circuit:"))
    seen_ms, _ = span(row)
    during = of_device(run, row["subject"], seen_ms, seen_ms + 20 * 60_000)
    assert (run.values["dim_pct"][during] == 0).all()


@pytest.mark.parametrize(("fault", "value", "low", "high"), [
    ("pf_low", "power_factor", 0.0, 0.85),
    ("voltage_low", "voltage_v", 160.0, 207.0),
    ("voltage_high", "voltage_v", 253.0, 290.0),
    ("pole_tilt", "tilt_deg", 5.0, 90.0),
    ("battery_low", "battery_pct", 0.0, 30.0),
])  # fmt: skip
def test_the_truth_agrees_with_the_columns(fault: str, value: str, low: float, high: float) -> None:
    run = played()
    for row in shown(fault):
        device_id = row["members"].split(";")[0]
        during = of_device(run, device_id, *span(row))
        if fault == "pf_low":
            during &= run.values["power_w"] > 0.7 * nominal_w(run, device_id)
        seen = run.values[value][during]
        seen = seen[np.isfinite(seen)]
        assert not len(seen) or (np.mean((seen > low) & (seen < high)) > 0.97)


def test_a_hot_driver_is_too_hot_from_the_observable_instant_on() -> None:
    run = played()
    hottest = []
    for row in shown("driver_hot"):
        seen_ms, _ = span(row)
        during = of_device(run, row["subject"], seen_ms, seen_ms + 2 * HOUR_MS)
        hottest += [float(run.values["driver_temp_c"][during].max())] if during.any() else []
    assert len(hottest) > 2
    assert np.median(hottest) > 78


def test_a_cycling_lamp_goes_on_and_off_while_told_to_burn() -> None:
    run = played()
    changed = 0
    for row in shown("cycling"):
        during = of_device(run, row["subject"], *span(row))
        bright = run.values["power_w"][during] > 0.3 * nominal_w(run, row["subject"])
        changed += int(np.abs(np.diff(bright.astype(int))).sum() > 50)
    assert changed == len(shown("cycling"))


def test_a_frozen_meter_repeats_its_digits() -> None:
    run = played()
    for row in shown("frozen"):
        during = of_device(run, row["subject"], *span(row))
        during &= run.values["supply_lost"] != 1  # a dying line's last gasp comes from a capacitor, not from the meter
        for value in ("power_w", "voltage_v"):
            assert len(np.unique(run.values[value][during])) == 1


def test_what_does_not_go_out_burns_in_the_hours_its_plan_leaves_out() -> None:
    run = played()
    for row in shown("not_off"):
        during = of_device(run, row["subject"], *span(row))
        burning = run.values["power_w"][during] > 0.5 * nominal_w(run, row["subject"])
        told = np.nan_to_num(run.values["dim_pct"][during], nan=0.0) > 0
        assert (burning & ~told).sum() > 20


def test_a_wrong_clock_or_plan_changes_the_steps_and_neither_dusk_nor_dawn() -> None:
    right = Plan(lamps=300, days=8, seed=3, loss=0.0, counts={}, events=False)
    wrong = replace(right, counts={"off_schedule": 5})
    told, plan = play(wrong), play(right)
    assert {row["fault"] for row in told.truth} == {"off_schedule"}
    for lamp in (name for row in told.truth for name in row["members"].split(";")):
        mine = [of_device(run, lamp) for run in (told, plan)]
        steps, planned = (run.values["dim_pct"][part] for run, part in zip((told, plan), mine, strict=True))
        np.testing.assert_array_equal(steps > 0, planned > 0)
        assert (steps != planned).sum() >= 4


def test_energy_drifts_against_the_power() -> None:
    run = played()
    for row in shown("energy_drift"):
        at = np.flatnonzero(of_device(run, row["subject"], *span(row)))
        at = at[np.argsort(run.t_ms[at])]
        counted = np.diff(run.values["energy_wh"][at])
        watts, gaps_h = run.values["power_w"][at], np.diff(run.t_ms[at]) / HOUR_MS
        steady = (counted >= 0) & (gaps_h < 0.6) & (np.abs(np.diff(watts)) < 0.05 * watts[1:])
        ratio = counted[steady].sum() / (watts[1:] * gaps_h)[steady].sum()
        assert abs(ratio - 1) > 0.08


@pytest.mark.parametrize("fault", ["silent", "never_reported", "circuit_down", "phase_down"])
def test_what_is_silent_says_nothing(fault: str) -> None:
    run = played()
    for row in shown(fault):
        for device_id in row["members"].split(";")[:5]:
            begin_ms, end_ms = span(row)
            # Clocks differ by minutes, and a dying line may gasp.
            said = of_device(run, device_id, begin_ms + 4 * 60_000, end_ms - 4 * 60_000)
            assert said.sum() == 0


def test_nothing_arrives_through_a_gateway_that_is_down_and_only_its_own_lamps_are_silent() -> None:
    run = played()
    for row in shown("gateway_down"):
        begin_ms, end_ms = span(row)
        code = run.texts["gateway"].words.index(row["subject"].removeprefix("gateway:"))
        within = (run.received_ms > begin_ms + 60_000) & (run.received_ms < end_ms)
        assert not (within & (run.texts["gateway"].codes == code) & (run.t_ms >= begin_ms)).any()


def test_members_of_lines_are_what_the_inventory_says() -> None:
    run = played()
    rows = {row["device_id"]: row for row in run.inventory}
    for truth in run.truth:
        if truth["subject"].startswith(("circuit:", "phase:")):
            path = truth["subject"].split(":")[1].split("/")
            columns = ("cabinet", "circuit", "phase")[: len(path)]
            expected = {
                name for name, row in rows.items() if row["kind"] == "lamp" and [row[c] for c in columns] == path
            }
            assert set(truth["members"].split(";")) == expected


def test_faults_of_lamps_hit_each_lamp_once_and_begin_before_they_are_seen_and_end() -> None:
    own = [row["subject"] for row in played().truth if row["fault"] in LAMP_FAULTS and ":" not in row["subject"]]
    assert len(own) == len(set(own))
    for row in played().truth:
        times = [row["start"], row["observable_from"], row["end"]]
        given = [parse_time_ms(text) for text in times if text]
        assert given == sorted(given)


def test_every_sort_of_fault_can_be_asked_for() -> None:
    run = play(Plan(lamps=700, bays=60, buttons=20, days=40, seed=5))
    assert {row["fault"] for row in run.truth} - {"sos_press"} == set(FAULTS)
    none = play(Plan(lamps=100, days=2, counts={}, seed=5))
    assert none.truth == []
