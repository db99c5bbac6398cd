"""Real files as messages: nothing dropped without being counted, every oddity kept."""

import base64
import gzip
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from core.registry import Registry, RegistryEntry
from deploy.replay import devices_of, replay_messages
from deploy.replay_source import ReplayOptions, Tally, as_id
from gateway.chirpstack import ChirpStackSource
from gateway.lorawan import Radio
from gateway.native import NativeSource
from gateway.sessions import SessionTracker
from gateway.source import Row
from gateway.things_stack import ThingsStackSource
from tests.support.require import require

PAYLOADS = Path(__file__).parents[1] / "payloads"
SHARED = Path(os.environ.get("PARTHELAND_SHARED", str(Path(__file__).parents[3] / "shared")))
CHIRPSTACK3, HELIUM = PAYLOADS / "campusiot_chirpstack3.ndjson", PAYLOADS / "campusiot_helium.ndjson"
NETWORK_SERVERS = PAYLOADS / "network_servers.jsonl"
NOW_MS = 1_768_068_000_000


def replayed(path: Path, form: str, options: ReplayOptions | None = None) -> tuple[list[Any], Tally]:
    tally = Tally()
    return list(replay_messages(path, form, options or ReplayOptions(), tally)), tally


def received(path: Path, form: str) -> tuple[list[Row], Radio]:
    """The rows a gateway makes of a replayed capture after its devices were commissioned."""
    entries = [
        RegistryEntry(one.device_id, one.kind, one.device_type or "", one.dev_eui or "", one.town)
        for one in devices_of(path, form, ReplayOptions())
    ]
    radio = Radio(Registry(entries), SessionTracker())
    chirpstack, things_stack, rows = ChirpStackSource(radio), ThingsStackSource(radio), list[Row]()
    for topic, payload in replay_messages(path, form, ReplayOptions(), Tally()):
        source = things_stack if topic.startswith("v3/") else chirpstack
        rows += source.decode(topic, payload, NOW_MS).rows
    return rows, radio


def test_a_chirpstack3_capture_becomes_v4_events_with_its_oddities() -> None:
    messages, tally = replayed(CHIRPSTACK3, "chirpstack3")
    records = [json.loads(line) for line in CHIRPSTACK3.read_text(encoding="utf-8").splitlines()]
    assert len(messages) == tally.lines == len(records)
    events = [json.loads(message.payload) for message in messages]
    assert [event.get("fCnt") for event in events] == [record.get("fCnt") for record in records]
    assert [event["time"] for event in events] == [record["_date"] for record in records]
    told = [base64.b64decode(event["data"]).hex() for event in events if "data" in event]
    assert told == [record["data"] for record in records if "data" in record]
    assert tally.odd["copies of the frame before (same counter, same payload)"] == 1
    assert tally.odd["frames that list a gateway twice"] == 1
    assert tally.sent == Counter(message.topic.rsplit("/", 1)[1] for message in messages)
    assert tally.sent["status"] == sum("margin" in record for record in records) > 0


def test_a_renamed_device_is_one_device() -> None:
    names = {json.loads(line)["deviceName"] for line in CHIRPSTACK3.read_text(encoding="utf-8").splitlines()}
    assert len(names) == 2
    assert [one.dev_eui for one in devices_of(CHIRPSTACK3, "chirpstack3", ReplayOptions())] == ["d1d1e80000000032"]


def test_a_chirpstack3_capture_arrives_at_the_gateway() -> None:
    rows, radio = received(CHIRPSTACK3, "chirpstack3")
    assert len(rows) == radio.counts["up"] == 28
    assert radio.sessions.counts.repeats == 1
    first = rows[0]
    assert (first.seq, first.t_ms, first.values["temperature"]) == (1143, 1_687_511_428_896, 25.19)
    assert (first.values["gateways"], first.values["gateway"]) == (3, "d0fa38a195124ddd671ceb2ee2a7bac5")
    assert min(Counter((row.boot, row.seq) for row in rows).values()) == 1


def test_a_helium_capture_arrives_at_the_gateway() -> None:
    rows, radio = received(HELIUM, "helium")
    _, tally = replayed(HELIUM, "helium")
    assert len(rows) == 82
    copies = tally.odd["copies of the frame before (same counter, same payload)"]
    assert radio.sessions.counts.repeats == copies == 26
    assert tally.odd["frame counters that stepped back"] == 1
    assert len({row.boot for row in rows}) == 2
    assert rows[0].values["humidity"] == 83


def test_a_v3_event_as_its_web_log_shows_it_is_unwrapped() -> None:
    rows, _ = received(NETWORK_SERVERS, "chirpstack3")
    (row,) = rows
    assert (row.device_id, row.seq, row.t_ms) == ("Test_codec_LCU_1_1", 3, 1_719_841_426_876)
    assert row.values["data_dimming_source_0_dimming_level_percent"] == 0


def test_messages_of_the_things_stack_go_to_its_topics() -> None:
    messages, tally = replayed(NETWORK_SERVERS, "ttn3")
    assert [message.topic for message in messages] == ["v3/app1/devices/dev1/join", "v3/app1/devices/dev1/up"]
    assert sum(tally.unusable.values()) == 5
    rows, radio = received(NETWORK_SERVERS, "ttn3")
    assert (len(rows), radio.counts["join"]) == (1, 1)


def test_recorded_v4_messages_keep_their_topic(tmp_path: Path) -> None:
    event = {"deviceInfo": {"devEui": "0101010101010101", "deviceName": "Test device"}, "devAddr": "00189440"}
    topic = "application/17c8/device/0101010101010101/event/join"
    file = tmp_path / "recorded.jsonl"
    file.write_text("\n".join(json.dumps(one) for one in ({"topic": topic, "payload": event}, event, {"a": 1})))
    messages, tally = replayed(file, "chirpstack4")
    assert [message.topic for message in messages] == [
        topic,
        "application/replay/device/0101010101010101/event/join",
    ]
    assert sum(tally.unusable.values()) == 1


@pytest.mark.parametrize("form", ["chirpstack3", "chirpstack4", "helium", "ttn3"])
def test_lines_that_are_no_records_are_counted_and_never_stop_the_replay(tmp_path: Path, form: str) -> None:
    file = tmp_path / "odd.ndjson"
    odd: list[object] = [
        [], 1, None, "x", {}, {"fCnt": 1}, {"devEUI": 5, "rxInfo": 7, "fCnt": 1}, {"dev_eui": "a" * 16, "fcnt": 1},
        {"dev_eui": "a" * 16, "fcnt": 1, "hotspots": [1]}, {"devEUI": "a" * 16, "fCnt": 1, "rxInfo": [None]},
        {"dev_eui": "a" * 16, "reported_at": "x"}, {"deviceInfo": 3}, {"end_device_ids": [1], "uplink_message": 1},
        {"deviceInfo": {"devEui": "a" * 16}, "rxInfo": 5}, {"end_device_ids": {"device_id": "d"}, "uplink_message": 1},
    ]  # fmt: skip
    file.write_text("\n".join(["{", "[" * 50_000, *[json.dumps(one) for one in odd]]))
    messages, tally = replayed(file, form)
    assert tally.lines == 2 + len(odd) == len(messages) + sum(tally.unusable.values())


OCCUPANCY = """SystemCodeNumber,Capacity,Occupancy,LastUpdated
NIA North,480,61,2016-10-04 07:59:42
NIA North,480,-2,2016-10-04 08:25:42
NIA North,480,61,2016-10-04 07:59:42
NIA North,480,62,2016-10-04 07:59:42
BHMBCCMKT01,577,580,2016-12-04 07:59:42
BHMBCCMKT01,577,many,2016-12-04 08:59:42
BHMBCCMKT01,577,5,yesterday
"""


def test_car_park_counts_become_native_messages_where_a_repeat_has_the_same_number(tmp_path: Path) -> None:
    file = tmp_path / "birmingham.csv"
    file.write_text(OCCUPANCY)
    messages, tally = replayed(file, "occupancy")
    rows = [NativeSource().decode(topic, payload, NOW_MS).rows[0] for topic, payload in messages]
    assert [(row.device_id, row.boot, row.seq, row.values["occupied_count"]) for row in rows] == [
        ("NIA_North", 1, 1, 61),
        ("NIA_North", 1, 2, -2),
        ("NIA_North", 1, 1, 61),
        ("NIA_North", 1, 3, 62),
        ("BHMBCCMKT01", 1, 1, 580),
    ]
    assert [rows[0].t_ms, rows[4].t_ms] == [1_475_560_782_000, 1_480_834_782_000]  # summer and winter time
    assert {what.split(" ")[0]: count for what, count in tally.odd.items()} == {
        "exact": 1,
        "lines": 1,
        "negative": 1,
        "counts": 1,
    }
    assert sum(tally.unusable.values()) == 2
    assert tally.devices["NIA_North"].capacity == 480


def test_our_own_occupancy_columns_and_another_time_zone(tmp_path: Path) -> None:
    file = tmp_path / "occupancy.csv.gz"
    file.write_bytes(gzip.compress(b"site,t,occupied,capacity\nmarkt,2026-01-10 12:00,3,\nmarkt,1768068000000,4,9\n"))
    messages, tally = replayed(file, "occupancy", ReplayOptions(town="brandis", timezone="UTC"))
    assert [json.loads(message.payload)["t"] for message in messages] == [1_768_046_400_000, 1_768_068_000_000]
    assert messages[0].topic == "partheland/brandis/counter/markt/up"
    assert tally.devices["markt"].capacity == 9


READINGS = """device_id,t,received,power_w,relay_closed,event
NAU-L1,2026-01-10T18:00:00Z,2026-01-10T18:00:01Z,35.2,true,
NAU-L1,1768068000000,,35.2,true,
NAU-L1,1768068060000,,,,
NAU-L2,yesterday,,1,,
a b,1768068060000,,1,,
"""


def test_readings_become_native_messages_of_their_kind(tmp_path: Path) -> None:
    file = tmp_path / "readings.csv"
    file.write_text(READINGS)
    messages, tally = replayed(file, "readings", ReplayOptions(kinds={"NAU-L1": "lamp", "NAU-L2": "lamp"}))
    assert [json.loads(message.payload) for message in messages] == [
        {"t": 1_768_068_000_000, "boot": 1, "seq": 1, "values": {"power_w": 35.2, "relay_closed": True}},
        {"t": 1_768_068_000_000, "boot": 1, "seq": 1, "values": {"power_w": 35.2, "relay_closed": True}},
        {"t": 1_768_068_060_000, "boot": 1, "seq": 2, "values": {}},
    ]
    assert tally.unusable == {"t is no time": 1, "device_id is no id": 1}
    unknown = "the device is in no inventory: import it, or give --kind or --inventory"
    assert replayed(file, "readings")[1].unusable[unknown] == 4


def test_readings_with_boot_and_seq_keep_them(tmp_path: Path) -> None:
    file = tmp_path / "export.csv"
    file.write_text("device_id,t,boot,seq,quality,power_w\nNAU-L1,1768068000000,3,812,good,35.2\n")
    (message,), _ = replayed(file, "readings", ReplayOptions(kind="lamp"))
    assert json.loads(message.payload) == {
        "t": 1_768_068_000_000, "boot": 3, "seq": 812, "values": {"power_w": 35.2},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "found"), [("NIA North", "NIA_North"), ("Parkplatz Süd/2", "Parkplatz_S_d_2"), ("  ", ""), ("ä", "")]
)
def test_names_become_ids(text: str, found: str) -> None:
    assert as_id(text) == found


def test_the_real_files_are_sent_whole() -> None:
    files = {
        "chirpstack3": (SHARED / "data/lorawan/d1d1e80000000032_campusiot.ndjson.gz", 9786),
        "helium": (SHARED / "data/lorawan/ems-tourperret-A81758FFFE04B1C1.ndjson.gz", 12_614),
        "occupancy": (SHARED / "data/birmingham/parking_birmingham_20161004_20161107.csv", 15_966),
    }
    for form, (path, lines) in files.items():
        require("shared", path.exists(), f"{path} does not exist: set PARTHELAND_SHARED to the folder of the real data")
        messages, tally = replayed(path, form)
        assert (len(messages), tally.lines, tally.unusable) == (lines, lines, {})
    with files["occupancy"][0].open(encoding="utf-8") as table:
        text = table.read().splitlines()[1:]
    assert tally.odd["exact repeats of a line (sent with the same seq)"] == len(text) - len(set(text))
    assert tally.odd["negative counts"] == sum(int(line.split(",")[2]) < 0 for line in text)
    above = sum(int(line.split(",")[2]) > int(line.split(",")[1]) for line in text)
    assert tally.odd["counts above the capacity"] == above
