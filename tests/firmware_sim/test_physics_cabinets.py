"""What goes wrong at cabinets: the physics shows in the readings of their meters and of the lamps behind them."""

from functools import cache

import numpy as np
import numpy.typing as npt

from firmware_sim.moments import parse_time_ms
from firmware_sim.physics.plan import CABINET_FAULTS, STREET_FAULTS, Plan
from firmware_sim.physics.play import play
from firmware_sim.physics.played import Played

Column = npt.NDArray[np.float32]
COUNTS = dict.fromkeys((*CABINET_FAULTS, *STREET_FAULTS), 6)


@cache
def played() -> Played:
    return play(Plan(lamps=600, days=20, counts=COUNTS, seed=11, events=False))


def during(device_id: str, row: dict[str, str], name: str) -> Column:
    """What a device says of one value while a fault lasts."""
    run = played()
    from_ms = parse_time_ms(row["start"])
    to_ms = parse_time_ms(row["end"]) if row["end"] else 2**62
    mine = (run.device == run.device_ids.index(device_id)) & (run.t_ms >= from_ms) & (run.t_ms < to_ms)
    values: Column = run.values[name][mine]
    told: Column = values[~np.isnan(values)]
    return told


def total_w(row: dict[str, str]) -> Column:
    """What its meter counts on all phases."""
    phases = [during(row["subject"], row, f"power_l{phase}_w") for phase in (1, 2, 3)]
    found: Column = np.sum(np.stack(phases), axis=0)
    return found


def shown(fault: str) -> list[dict[str, str]]:
    found = [row for row in played().truth if row["fault"] == fault]
    assert found
    return found


def inventory(device_id: str) -> dict[str, str]:
    return next(row for row in played().inventory if row["device_id"] == device_id)


def test_a_broken_neutral_gives_some_phases_too_much_and_others_too_little() -> None:
    for row in shown("neutral_break"):
        volts = {
            phase: np.concatenate([
                during(lamp, row, "voltage_v")
                for lamp in row["members"].split(";")
                if inventory(lamp)["phase"] == phase
            ])
            for phase in ("L1", "L2", "L3")
        }  # fmt: skip
        means = [float(one.mean()) for one in volts.values() if len(one)]
        assert max(means) > 250
        assert min(means) < 210


def test_a_meter_before_the_break_sees_it() -> None:
    spreads = []
    for row in shown("neutral_break"):
        cabinet = row["subject"].removeprefix("cabinet:")
        phases = [during(cabinet, row, f"voltage_l{phase}_v").mean() for phase in (1, 2, 3)]
        spreads.append(max(phases) - min(phases))
    assert all(spread < 15 or spread > 45 for spread in spreads)
    assert max(spreads) > 45


def test_doors_and_tripped_devices_are_told_while_they_last() -> None:
    for name in ("rcd_open", "door_open"):
        for row in shown(name):
            assert (during(row["subject"], row, name) == 1).all()
    run = played()
    told = run.values["door_open"] == 1
    cabinets = {run.device_ids[number] for number in np.unique(run.device[told]).tolist()}
    assert cabinets == {row["subject"] for row in shown("door_open")}


def test_a_street_whose_contactor_stays_open_draws_nothing_all_night() -> None:
    for row in shown("feed_dead"):
        assert total_w(row).max() < 20


def test_a_foreign_load_never_lets_the_meter_rest() -> None:
    for row in shown("unexpected_load"):
        assert total_w(row).min() > 20
