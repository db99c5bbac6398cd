import json
from datetime import date
from pathlib import Path
from random import Random

import pytest

from firmware_sim import sky
from firmware_sim.faults import FAULT_SORTS, Fault
from firmware_sim.lamp import Lamp
from firmware_sim.moments import iso, parse_time_ms
from firmware_sim.settings import FaultCounts, Life, Shares
from firmware_sim.truth import TRUTH_COLUMNS, draw_faults, read_faults, write_truth
from firmware_sim.world import World
from tests.firmware_sim.conftest import HOUR_MS, START_MS, MakeWorld

LAMP = "BOR-L0001"
PERMANENT = Shares(lorawan=0.0, switched_dusk=0.0, switched_halfnight=0.0, no_clock=0.0, bad_clock=0.0)
NATIVE_BUTTONS = Shares(lorawan_buttons=0.0)
DUSK_MS = sky.dusk_ms(date(2026, 1, 10), 51.347926, 12.538822)


def powers(world: World, device_id: str = LAMP) -> list[tuple[int, float, float]]:
    """(t, power_w, dim_pct) of a native lamp."""
    found = []
    for message in world.messages():
        if message.device_id == device_id:
            reading = json.loads(message.payload)
            found.append((reading["t"], reading["values"]["power_w"], reading["values"]["dim_pct"]))
    return found


def truth(world: World) -> list[dict[str, str]]:
    """The truth's rows after the run."""
    for _ in world.messages():
        pass
    return [dict(zip(TRUTH_COLUMNS, row, strict=True)) for row in world.truth()]


def test_a_healthy_lamp_draws_its_plate_power_when_lit_and_hardly_any_when_not(make_world: MakeWorld) -> None:
    world = make_world(shares=PERMANENT)
    lamp = world.fleet.devices[LAMP]
    assert isinstance(lamp, Lamp)
    for _, power_w, dim_pct in powers(world):
        assert power_w == pytest.approx(lamp.rating.power_w(dim_pct), rel=0.08, abs=0.8)


def test_a_dark_lamp_draws_half_a_watt_and_its_fault_shows_from_dusk(make_world: MakeWorld) -> None:
    world = make_world(shares=PERMANENT, faults=[Fault("lamp_out", LAMP, START_MS + HOUR_MS)])
    assert all(power_w < 1 for t_ms, power_w, dim_pct in powers(world) if t_ms > START_MS + HOUR_MS)
    [row] = world.truth()
    assert row == ("lamp_out", LAMP, LAMP, iso(START_MS + HOUR_MS), "", iso(DUSK_MS))


def test_a_lamp_that_fails_while_lit_is_seen_at_once(make_world: MakeWorld) -> None:
    [row] = truth(make_world(shares=PERMANENT, faults=[Fault("lamp_out", LAMP, START_MS + 6 * HOUR_MS)]))
    assert row["observable_from"] == row["start"]


def test_a_lamp_mended_before_dusk_was_never_seen_dark(make_world: MakeWorld) -> None:
    fault = Fault("lamp_out", LAMP, START_MS, START_MS + HOUR_MS)
    assert [row["observable_from"] for row in truth(make_world(shares=PERMANENT, faults=[fault]))] == [""]


def test_a_run_that_ends_before_dusk_did_not_see_it_either(make_world: MakeWorld) -> None:
    world = make_world(hours=2, shares=PERMANENT, faults=[Fault("lamp_out", LAMP, START_MS)])
    assert [row["observable_from"] for row in truth(world)] == [""]


def test_a_day_burner_burns_by_day_and_is_seen_once_the_sun_is_up(make_world: MakeWorld) -> None:
    start_ms = START_MS + 10 * HOUR_MS
    world = make_world(shares=PERMANENT, faults=[Fault("day_burner", LAMP, start_ms)])
    lamp = world.fleet.devices[LAMP]
    assert isinstance(lamp, Lamp)
    by_day = [power_w for t_ms, power_w, dim_pct in powers(world) if t_ms > start_ms and dim_pct == 0]
    assert by_day
    assert min(by_day) > 0.8 * lamp.rating.nominal_w
    seen_ms = parse_time_ms(world.truth()[0][5])
    place = (lamp.timeline.lat, lamp.timeline.lon)
    assert sky.sun_elevation_deg(seen_ms, *place) == pytest.approx(3.0, abs=0.01)


def test_a_day_burner_on_a_switched_line_is_never_seen(make_world: MakeWorld) -> None:
    shares = Shares(lorawan=0.0, switched_dusk=1.0, switched_halfnight=0.0)
    [row] = truth(make_world(shares=shares, faults=[Fault("day_burner", LAMP, START_MS)]))
    assert row["observable_from"] == ""


def test_a_switched_lamp_speaks_only_while_lit_and_starts_anew_each_evening(make_world: MakeWorld) -> None:
    shares = Shares(lorawan=0.0, switched_dusk=1.0, switched_halfnight=0.0)
    world = make_world(hours=48, shares=shares)
    found = [json.loads(one.payload) for one in world.messages() if one.device_id == LAMP]
    assert all(reading["values"]["dim_pct"] > 0 for reading in found)
    assert len({reading["boot"] for reading in found}) == 2
    assert min(reading["seq"] for reading in found) == 1


def test_a_silent_switched_lamp_is_missed_from_dusk_on(make_world: MakeWorld) -> None:
    shares = Shares(lorawan=0.0, switched_dusk=1.0, switched_halfnight=0.0)
    [row] = truth(make_world(shares=shares, faults=[Fault("silent", LAMP, START_MS + HOUR_MS)]))
    assert row["observable_from"] == iso(DUSK_MS)


def test_a_silent_device_says_nothing_and_comes_back_with_a_new_boot(make_world: MakeWorld) -> None:
    start_ms, end_ms = START_MS + 2 * HOUR_MS, START_MS + 5 * HOUR_MS
    world = make_world(shares=PERMANENT, faults=[Fault("silent", LAMP, start_ms, end_ms)])
    found = [json.loads(one.payload) for one in world.messages() if one.device_id == LAMP]
    assert not any(start_ms + 5_000 < reading["t"] < end_ms for reading in found)
    boots = sorted({reading["boot"] for reading in found})
    assert boots[1] == boots[0] + 1


def test_a_dead_circuit_takes_all_its_lamps_and_their_load_on_the_cabinet(make_world: MakeWorld) -> None:
    start_ms, end_ms = START_MS + 6 * HOUR_MS, START_MS + 9 * HOUR_MS
    faults = [Fault("circuit_down", "circuit:BOR-C01/1", start_ms, end_ms)]
    world = make_world(shares=PERMANENT, faults=faults)
    members = set(world.faults[0].members)
    cabinet_w = []
    for message in world.messages():
        reading = json.loads(message.payload)
        if isinstance(reading, dict) and start_ms + 5_000 < reading.get("t", 0) < end_ms:
            assert message.device_id not in members
            if message.device_id == "BOR-C01":
                cabinet_w.append(reading["values"]["power_l1_w"])
    [row] = world.truth()
    assert row[2].split(";") == sorted(members)
    assert row[5] == iso(start_ms)
    circuits = [circuit for circuit in world.fleet.circuits if circuit.startswith("circuit:BOR-C01/")]
    assert circuits == ["circuit:BOR-C01/1"]
    assert set(cabinet_w) == {0.0}


def test_when_the_voltage_is_back_every_lamp_has_started_anew_once(make_world: MakeWorld) -> None:
    faults = [Fault("circuit_down", "circuit:BOR-C01/1", START_MS + HOUR_MS, START_MS + 5 * HOUR_MS)]
    world = make_world(shares=PERMANENT, faults=faults)
    boots: dict[str, list[int]] = {member: [] for member in world.faults[0].members}
    for message in world.messages():
        if message.device_id in boots:
            boots[message.device_id].append(json.loads(message.payload)["boot"])
    assert all(sorted(set(found)) == [found[0], found[0] + 1] for found in boots.values())


def test_a_stuck_bay_keeps_its_state_and_is_seen_when_a_car_moved(make_world: MakeWorld) -> None:
    world = make_world(bays=20, shares=PERMANENT)
    bay = next(device.device_id for device in world.fleet.devices.values() if device.kind == "parking")
    start_ms = START_MS + HOUR_MS
    world = make_world(bays=20, shares=PERMANENT, faults=[Fault("bay_stuck", bay, start_ms)])
    found = [json.loads(one.payload) for one in world.messages() if one.device_id == bay]
    assert len({reading["values"]["occupied"] for reading in found if reading["t"] > start_ms + 30_000}) == 1
    [row] = world.truth()
    assert start_ms < parse_time_ms(row[5]) < START_MS + 24 * HOUR_MS


def test_reboots_and_lost_networks_are_no_faults(make_world: MakeWorld) -> None:
    faults = [Fault("reboot", LAMP, START_MS + HOUR_MS), Fault("offline", LAMP, START_MS, START_MS + HOUR_MS)]
    assert truth(make_world(faults=faults)) == []


@pytest.mark.parametrize(
    ("name", "subject"),
    [("lamp_out", "BOR-C01"), ("silent", "BOR-L9999"), ("circuit_down", "BOR-C01"), ("gateway_down", "gateway:x"),
     ("bay_stuck", LAMP), ("earthquake", LAMP)],
)  # fmt: skip
def test_a_fault_that_can_not_be_is_refused(make_world: MakeWorld, name: str, subject: str) -> None:
    with pytest.raises(ValueError, match=r"there is no|unknown fault"):
        make_world(faults=[Fault(name, subject, START_MS)])


def test_the_seed_chooses_a_handful_of_faults_on_distinct_subjects(make_world: MakeWorld) -> None:
    world = make_world(lamps=900, bays=60, buttons=20)
    end_ms = START_MS + 24 * HOUR_MS

    def drawn(seed: int) -> list[Fault]:
        return draw_faults(world.fleet, FaultCounts(), Random(seed), START_MS, end_ms)

    faults = drawn(1)
    assert {fault.name for fault in faults} == set(FAULT_SORTS) - {"offline", "sos_press"}
    touched = [name for fault in faults for name in FAULT_SORTS[fault.name].members(world.fleet, fault.subject)]
    assert len(touched) == len(set(touched))
    assert all(START_MS < fault.start_ms < end_ms for fault in faults)
    assert drawn(1) == faults != drawn(2)


def test_a_truth_file_has_the_contracts_columns_and_can_be_played_again(make_world: MakeWorld, tmp_path: Path) -> None:
    faults = [Fault("lamp_out", LAMP, START_MS), Fault("silent", "BOR-L0002", START_MS, START_MS + HOUR_MS)]
    world = make_world(shares=PERMANENT, faults=faults)
    rows = world.truth()
    write_truth(tmp_path / "truth.csv", rows)
    text = (tmp_path / "truth.csv").read_text(encoding="utf-8")
    assert text.splitlines()[0] == "fault,subject,members,start,end,observable_from"
    again = make_world(shares=PERMANENT, faults=read_faults(tmp_path / "truth.csv"))
    assert again.truth() == rows


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("fault,subject\n", "column end, start is missing"),
        ("fault,subject,start,end\nflood,X,2026-01-10T12:00:00Z,\n", "line 2: unknown fault 'flood'"),
        ("fault,subject,start,end\nsilent,X,yesterday,\n", "line 2: 'yesterday' is no instant"),
        ("fault,subject,start,end\nsilent,X,1768046400000,1768046400000\n", "line 2: end must be after start"),
    ],
)
def test_a_wrong_fault_file_is_refused_with_line_and_reason(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "faults.csv").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=says):
        read_faults(tmp_path / "faults.csv")


def test_a_missing_fault_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        read_faults(tmp_path / "none.csv")


def test_somebody_presses_a_button_when_the_fault_file_says_so(make_world: MakeWorld) -> None:
    button = "NAU-S01"
    pressed_ms = START_MS + HOUR_MS
    world = make_world(hours=3, buttons=14, life=Life(presses_per_button_day=0), shares=NATIVE_BUTTONS,
                       faults=[Fault("sos_press", button, pressed_ms)])  # fmt: skip
    presses = [json.loads(one.payload) for one in world.messages() if b'"press"' in one.payload]
    assert {one["values"]["press_id"] for one in presses} == {1}
    assert presses[0]["t"] == pytest.approx(pressed_ms, abs=2_000)
    assert world.truth() == [("sos_press", button, button, iso(pressed_ms), "", iso(pressed_ms))]


def test_only_a_button_can_be_pressed(make_world: MakeWorld) -> None:
    with pytest.raises(ValueError, match="there is no SOS button 'BOR-L0001'"):
        make_world(faults=[Fault("sos_press", LAMP, START_MS)])
