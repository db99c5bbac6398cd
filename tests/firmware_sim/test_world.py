import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest

from firmware_sim.device import first_boot
from firmware_sim.faults import Fault
from firmware_sim.settings import Life, Radio, Shares
from firmware_sim.world import Message, World
from tests.firmware_sim.conftest import HOUR_MS, QUIET, START_MS, MakeWorld


def objects(message: Message) -> list[dict[str, Any]]:
    """The reading objects in a native message; none in a LoRaWAN event."""
    if not message.topic.startswith("partheland/"):
        return []
    document = json.loads(message.payload)
    return document if isinstance(document, list) else [document]


def readings(world: World) -> Iterator[tuple[str, dict[str, Any]]]:
    for message in world.messages():
        for reading in objects(message):
            yield message.device_id, reading


def ups(world: World) -> Iterator[tuple[Message, dict[str, Any]]]:
    for message in world.messages():
        if message.topic.endswith("/event/up"):
            yield message, json.loads(message.payload)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(make_world: MakeWorld) -> None:
    rough = Radio(loss=0.1, lorawan_loss=0.2, duplicate=0.05, reorder=0.02, dropout=0.01)
    first, again, other = (list(make_world(seed=seed, radio=rough).messages()) for seed in (4, 4, 5))
    assert first == again
    assert [message.payload for message in first] != [message.payload for message in other]


def test_messages_come_in_order_of_arrival(make_world: MakeWorld) -> None:
    arrivals = [message.at_ms for message in make_world(radio=Radio(reorder=0.1, duplicate=0.1)).messages()]
    assert arrivals == sorted(arrivals)
    assert arrivals[0] >= START_MS


def test_piece_by_piece_the_messages_are_the_same_as_at_once(make_world: MakeWorld) -> None:
    rough = Radio(loss=0.1, reorder=0.05, duplicate=0.05)
    whole, pieces = make_world(hours=3, radio=rough), make_world(hours=3, radio=rough)
    found = []
    for minutes in range(0, 24 * 60, 7):
        until_ms = START_MS + minutes * 60_000
        found += list(pieces.due(until_ms))
        assert found[-1:] == [] or found[-1].at_ms <= until_ms
    assert found == list(whole.messages())
    assert pieces.next_ms() is None


def test_sequence_numbers_are_contiguous_from_one_within_each_boot(make_world: MakeWorld) -> None:
    fault = Fault("reboot", "BOR-L0001", START_MS + 5 * HOUR_MS)
    seqs: dict[tuple[str, int], list[int]] = defaultdict(list)
    for device_id, reading in readings(make_world(faults=[fault], shares=Shares(lorawan=0.0))):
        seqs[device_id, reading["boot"]].append(reading["seq"])
    assert all(sorted(set(found)) == list(range(1, max(found) + 1)) for found in seqs.values())
    assert len([boot for device_id, boot in seqs if device_id == "BOR-L0001"]) == 2


def test_native_messages_have_the_contracts_form(make_world: MakeWorld) -> None:
    kinds = {}
    shares = Shares(lorawan=0.0, lorawan_buttons=0.0, no_clock=0.0, bad_clock=0.0)
    for message in make_world(hours=2, shares=shares).messages():
        prefix, town, kind, device_id, direction = message.topic.split("/")
        assert (prefix, direction, device_id) == ("partheland", "up", message.device_id)
        assert town in ("borsdorf", "brandis", "grosspoesna", "naunhof", "belgershain", "parthenstein", "machern")
        [reading] = objects(message)
        assert list(reading) == ["t", "boot", "seq", "values"]
        assert abs(reading["t"] - message.at_ms) < 60_000
        assert b": " not in message.payload
        kinds[kind] = set(reading["values"])
    assert kinds["cabinet"] == {
        "power_l1_w", "power_l2_w", "power_l3_w", "voltage_l1_v", "voltage_l2_v", "voltage_l3_v", "door_open",
        "rcd_open",
    }  # fmt: skip
    assert kinds["counter"] == {"entries", "exits"}
    assert kinds["parking"] == {"occupied", "temp_c", "battery_v"}
    assert kinds["sos"] == {"event", "press_id", "battery_pct"}
    assert kinds["lamp"] >= {
        "power_w", "voltage_v", "current_a", "power_factor", "dim_pct", "energy_wh", "driver_temp_c",
    }  # fmt: skip


def test_devices_report_as_often_as_they_promise(make_world: MakeWorld) -> None:
    counts: dict[str, int] = defaultdict(int)
    for device_id, _ in readings(make_world(shares=Shares(lorawan=0.0, switched_dusk=0.0, switched_halfnight=0.0))):
        counts[device_id] += 1
    assert all(94 <= count <= 96 for device_id, count in counts.items() if "-L" in device_id or "-C" in device_id)
    assert all(count >= 23 for device_id, count in counts.items() if "-P" in device_id or "-S" in device_id)
    assert [count for device_id, count in counts.items() if "-Z" in device_id] == pytest.approx([286], abs=3)


def test_loss_duplicates_and_reordering_in_a_fleet_are_near_what_was_asked_for(make_world: MakeWorld) -> None:
    radio = Radio(loss=0.1, lorawan_loss=0.1, duplicate=0.05, reorder=0.02, dropout=0.0)
    world = make_world(hours=72, lamps=150, bays=0, radio=radio, shares=Shares(lorawan=0.0))
    arrived: dict[tuple[str, int], list[int]] = defaultdict(list)
    for device_id, reading in readings(world):
        arrived[device_id, reading["boot"]].append(reading["seq"])
    late = sum(
        seq < max(seqs[: at + 1]) and seq not in seqs[:at] for seqs in arrived.values() for at, seq in enumerate(seqs)
    )
    distinct = sum(len(set(seqs)) for seqs in arrived.values())
    assert world.tally.lost / world.tally.sent == pytest.approx(0.1, rel=0.12)
    assert world.tally.doubled / distinct == pytest.approx(0.05, rel=0.12)
    assert late / distinct == pytest.approx(0.02, rel=0.25)


def test_after_a_time_without_network_a_device_sends_a_backfill_oldest_first(make_world: MakeWorld) -> None:
    fault = Fault("offline", "BOR-L0001", START_MS + HOUR_MS, START_MS + 4 * HOUR_MS)
    world = make_world(hours=6, faults=[fault], shares=Shares(lorawan=0.0, no_clock=0.0, bad_clock=0.0))
    messages = [message for message in world.messages() if message.device_id == "BOR-L0001"]
    [backfill] = [objects(message) for message in messages if message.payload.startswith(b"[")]
    assert len(backfill) == 12
    times = [reading["t"] for reading in backfill]
    assert times == sorted(times)
    assert not any(START_MS + 1.1 * HOUR_MS < message.at_ms < START_MS + 4 * HOUR_MS for message in messages)
    assert sorted(seq["seq"] for message in messages for seq in objects(message)) == list(range(1, 25))


def test_lorawan_sessions_begin_with_a_join_and_count_frames_from_zero(make_world: MakeWorld) -> None:
    fault = Fault("reboot", "BOR-L0001", START_MS + 5 * HOUR_MS)
    world = make_world(faults=[fault], shares=Shares(lorawan=1.0, switched_dusk=0.0, switched_halfnight=0.0))
    events = [message for message in world.messages() if message.device_id == "BOR-L0001"]
    assert [message.topic.rpartition("/")[2] for message in events].count("join") == 2
    assert events[0].topic.endswith("/event/join")
    counters: dict[str, list[int]] = defaultdict(list)
    for message in events:
        event = json.loads(message.payload)
        counters[event["devAddr"]] += [event["fCnt"]] if "fCnt" in event else []
    assert len(counters) == 2
    assert all(found == list(range(len(found))) for found in counters.values())


def test_a_dead_gateway_silences_only_the_devices_that_nobody_else_hears(make_world: MakeWorld) -> None:
    world = make_world(hours=7, lamps=200, shares=Shares(lorawan=1.0, switched_dusk=0.0, switched_halfnight=0.0))
    gateway = max(world.fleet.gateways.values(), key=lambda one: len(world.fleet.heard_only_by(one)))
    start_ms, end_ms = START_MS + 3 * HOUR_MS, START_MS + 6 * HOUR_MS
    fault = Fault("gateway_down", f"gateway:{gateway.gateway_id}", start_ms, end_ms)
    world = make_world(
        hours=7, lamps=200, faults=[fault], shares=Shares(lorawan=1.0, switched_dusk=0.0, switched_halfnight=0.0)
    )
    members = set(world.faults[0].members)
    assert members
    speaking, gateways = set(), set()
    for message, event in ups(world):
        if start_ms + 60_000 < message.at_ms < end_ms:
            speaking.add(message.device_id)
            gateways |= {info["gatewayId"] for info in event["rxInfo"]}
    assert not speaking & members
    assert gateway.gateway_id not in gateways
    lamps = {device.device_id for device in world.fleet.devices.values() if device.kind == "lamp"}
    assert speaking >= lamps - members


def test_without_a_broker_presses_are_acknowledged_once_they_arrive(make_world: MakeWorld) -> None:
    world = make_world(buttons=20, lamps=0, bays=0, radio=QUIET, life=Life(presses_per_button_day=12.0))
    presses = [
        (device_id, reading["boot"], reading["seq"])
        for device_id, reading in readings(world)
        if reading["values"].get("event") not in ("heartbeat", None)
    ]
    assert len(presses) > 100
    assert len(set(presses)) == len(presses)


def test_on_a_bad_line_presses_are_repeated_until_they_arrive(make_world: MakeWorld) -> None:
    bad = Radio(loss=0.6, lorawan_loss=0.6, duplicate=0.0, reorder=0.0)
    world = make_world(
        buttons=20, lamps=0, bays=0, radio=bad, life=Life(presses_per_button_day=12.0), shares=Shares(lorawan_buttons=0)
    )
    arrived: dict[str, set[int]] = defaultdict(set)
    for device_id, reading in readings(world):
        if reading["values"].get("event") not in ("heartbeat", None):
            arrived[device_id].add(reading["values"]["press_id"])
    missing = sum(max(ids) - len(ids) for ids in arrived.values())
    assert sum(len(ids) for ids in arrived.values()) > 100
    assert missing == 0


def test_wrong_and_missing_clocks_exist_and_are_very_wrong(make_world: MakeWorld) -> None:
    def error_ms(message: Message) -> float | None:
        [reading] = objects(message)
        return reading["t"] - message.at_ms if "t" in reading else None

    world = make_world(hours=1, shares=Shares(lorawan=0.0, no_clock=0.3, bad_clock=0.3))
    errors = [error_ms(message) for message in world.messages() if "/lamp/" in message.topic]
    assert None in errors
    assert any(error is not None and error > 9e10 for error in errors)
    assert any(error is not None and error < -9e10 for error in errors)


def test_a_later_run_does_not_repeat_the_numbers_of_an_earlier_one(make_world: MakeWorld) -> None:
    boots = {reading["boot"] for _, reading in readings(make_world(hours=1))}
    assert boots == {first_boot(START_MS)}
    assert first_boot(START_MS + 60_000) > first_boot(START_MS)
