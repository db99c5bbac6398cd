"""What devices send that no one can use: a reason, a count, visible over HTTP; and the next message goes through."""

import json
from collections.abc import Iterator

import pytest

from tests.support.fleet import Fleet, lamp_message, topic_of
from tests.support.platform import Platform, until

T_MS = 1_768_068_000_000
LAMP = topic_of("L1")
GOOD = json.loads(lamp_message(1, T_MS))

# (why, topic, payload, code in the quarantine, whether a reading is kept all the same)
BAD: list[tuple[str, str, bytes | str, str, bool]] = [
    ("no JSON", LAMP, b"\x00\xff\xfe", "bad_json", False),
    ("cut JSON", LAMP, lamp_message(2, T_MS)[:-3], "bad_json", False),
    ("NaN", LAMP, '{"t": 1, "boot": 1, "seq": 3, "values": {"power_w": NaN}}', "bad_json", False),
    ("a list of numbers", LAMP, "[1, 2]", "bad_message", False),
    ("no counter", LAMP, json.dumps({"t": T_MS, "boot": 1, "values": {"power_w": 1}}), "bad_message", False),
    ("text for a number", LAMP, lamp_message(4, T_MS + 4, power_w="bright", dim_pct=50), "wrong_type", True),
    ("true for a number", LAMP, lamp_message(5, T_MS + 5, power_w=True, dim_pct=50), "wrong_type", True),
    ("out of range", LAMP, lamp_message(6, T_MS + 6, power_w=1e9, dim_pct=50), "out_of_range", True),
    ("nothing left", LAMP, lamp_message(7, T_MS + 7, power_w=1e9), "out_of_range", False),
    ("unknown name", LAMP, lamp_message(8, T_MS + 8, brightness=7, dim_pct=50), "unknown_value", True),
    ("70 kB", LAMP, lamp_message(9, T_MS + 9)[:-1] + " " * 70_000 + "}", "too_large", False),
    ("deep nesting", LAMP, "[" * 30_000, "bad_json", False),
    ("unknown town", topic_of("L1", town="leipzig"), lamp_message(10, T_MS), "unknown_town", False),
    ("unknown kind", topic_of("L1", kind="toaster"), lamp_message(11, T_MS), "unknown_kind", False),
    ("bad id", topic_of("Lö"), lamp_message(12, T_MS), "bad_device_id", False),
    ("not commissioned", topic_of("L2"), lamp_message(13, T_MS), "unknown_device", False),
    ("another kind", topic_of("L1", kind="parking"), lamp_message(14, T_MS, occupied=True), "wrong_kind", False),
]


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    found = Platform(tmp_path_factory.mktemp("bad") / "platform")
    try:
        found.start()
        found.commission(["L1,lamp,naunhof", "S1,sos,naunhof"])
        yield found
    finally:
        found.stop()


@pytest.fixture
def fleet(platform: Platform) -> Iterator[Fleet]:
    found = Fleet(platform.broker.port)
    yield found
    found.stop()


def test_each_kind_of_bad_input_is_kept_with_its_reason_and_blocks_nothing(platform: Platform, fleet: Fleet) -> None:
    for _, topic, payload, _, _ in BAD:
        fleet.publish(topic, payload)
    fleet.publish(LAMP, lamp_message(100, T_MS + 100))
    fleet.settle()
    kept = sum(is_kept for *_, is_kept in BAD)
    until("the good ones are there", lambda: platform.get("/api/v1/readings/count?device_id=L1")["count"] == kept + 1)
    until("everything is read", platform.drained)
    answer = platform.get("/api/v1/quarantine?limit=100")
    found = {(item["code"], item["topic"] or item["device_id"]) for item in answer["items"]}
    for why, topic, _, code, _ in BAD:
        speaker = topic.split("/")[3] if code in ("unknown_device", "wrong_kind") else topic
        assert (code, speaker) in found, f"{why}: expected {code} of {speaker} in {found}"
    refused = len(BAD) + 1  # both entries of the list of numbers
    assert sum(answer["counts"].values()) == refused
    assert all(item["reason"] and item["raw"] for item in answer["items"])
    assert [heard["device_id"] for heard in answer["heard"]] == ["L2"]
    report = platform.get("/api/v1/verify")
    assert report["ok"], report["problems"]
    assert report["quarantined"] == refused


def test_an_old_retained_press_is_no_event(platform: Platform, fleet: Fleet) -> None:
    platform.gateway.kill()
    press = json.dumps({"t": T_MS, "boot": 1, "seq": 1, "values": {"event": "press", "press_id": 1}})
    fleet.publish(topic_of("S1", "sos"), press, retain=True)
    fleet.settle()
    platform.gateway.start()
    platform.wait_ready()
    # The message itself came through the session that stood, once; what the broker replays as retained is refused.
    until("it was refused as retained", lambda: "retained" in platform.get("/api/v1/quarantine")["counts"])
    until("the press is there", lambda: platform.get("/api/v1/readings/count?device_id=S1")["count"] == 1)
    fleet.publish(topic_of("S1", "sos"), b"", retain=True)
    fleet.settle()


def test_a_device_whose_clock_is_absurd_is_believed_but_for_its_clock(platform: Platform, fleet: Fleet) -> None:
    for seq, t_ms in ((200, 0), (201, 4_102_444_800_000), (202, -5)):
        fleet.publish(LAMP, lamp_message(seq, t_ms))
    fleet.settle()
    wanted = {200, 201, 202}

    def suspects() -> set[int]:
        items = platform.get("/api/v1/readings?device_id=L1&limit=1000")["items"]
        return {item["seq"] for item in items if item["quality"] == "clock_suspect" and item["t"] == item["received"]}

    until("they are stored with the time of receipt", lambda: suspects() == wanted)
    assert "clock_suspect" not in platform.get("/api/v1/quarantine")["counts"]


def test_a_message_beyond_the_brokers_limit_ends_only_its_own_connection(platform: Platform, fleet: Fleet) -> None:
    giant = Fleet(platform.broker.port, "giant")
    giant.publish(LAMP, b"x" * 2_000_000)
    fleet.publish(LAMP, lamp_message(300, T_MS + 300))
    fleet.settle()
    until(
        "the next device is heard",
        lambda: any(item["seq"] == 300 for item in platform.get("/api/v1/readings?device_id=L1&limit=1000")["items"]),
    )
    giant.stop()
