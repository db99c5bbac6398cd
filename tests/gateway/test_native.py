"""Our own JSON: what can be read becomes rows, anything else is refused with its reason and nothing breaks."""

import gc
import random
import tracemalloc

import msgspec
import pytest

from gateway import native
from gateway.native import BACKFILL_MAX, NativeSource
from gateway.source import PAYLOAD_BYTES_MAX, Decoded, Refused, Row

TOPIC = "partheland/borsdorf/lamp/BOR-0042/up"
SOURCE = NativeSource()
GOOD = b'{"t": 1768068000000, "boot": 3, "seq": 812, "values": {"power_w": 35.2, "dim_pct": 100}}'
ROW = Row("BOR-0042", "lamp", 1_768_068_000_000, 3, 812, {"power_w": 35.2, "dim_pct": 100.0})


def decode(payload: bytes, topic: str = TOPIC) -> Decoded:
    return SOURCE.decode(topic, payload, 0)


def refused(payload: bytes, topic: str = TOPIC) -> Refused:
    with pytest.raises(Refused) as caught:
        decode(payload, topic)
    return caught.value


def test_a_message_is_one_row() -> None:
    assert decode(GOOD) == Decoded([ROW], [], False)


def test_a_list_is_a_backfill_and_its_order_stays() -> None:
    rows = decode(b"[" + b",".join([GOOD, GOOD.replace(b"812", b"813")]) + b"]").rows
    assert rows == [ROW, ROW._replace(seq=813)]


def test_a_device_without_a_clock_tells_no_time() -> None:
    (row,) = decode(b'{"boot": 0, "seq": 0, "values": {}}').rows
    assert (row.t_ms, row.boot, row.seq) == (None, 0, 0)


def test_a_device_may_ask_to_be_told() -> None:
    assert decode(b'{"boot":1,"seq":1,"values":{},"ack":true}').ack_wanted
    assert decode(b'[{"boot":1,"seq":1,"values":{}},{"boot":1,"seq":2,"values":{},"ack":true}]').ack_wanted


def test_members_that_we_do_not_know_are_no_reason_to_refuse() -> None:
    assert decode(GOOD[:-1] + b', "firmware": "2.1"}').rows == [ROW]


def test_of_a_key_that_stands_twice_the_last_one_counts() -> None:
    (row,) = decode(b'{"boot":1,"seq":1,"values":{"power_w":1,"power_w":2}}').rows
    assert row.values == {"power_w": 2.0}


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"", "bad_json"),
        (b"{", "bad_json"),
        (b"\xff\xfe\x00", "bad_json"),
        (GOOD + b"}", "bad_json"),
        (b'{"boot":1,"seq":1,"values":{"power_w":NaN}}', "bad_json"),
        (b'{"boot":1,"seq":1,"values":{"power_w":Infinity}}', "bad_json"),
        (b'{"boot":1,"seq":1,"values":{"event":"\xff"}}', "bad_json"),
        (b'{"boot":1,"seq":1,"values":{"event":"\\ud800"}}', "bad_json"),
        (b"[" * 30_000, "bad_json"),
        (b'{"values":' + b'{"a":' * 12_000, "bad_message"),
        (b"null", "bad_message"),
        (b"42", "bad_message"),
        (b'"text"', "bad_message"),
        (b"{}", "bad_message"),
        (b'{"boot":1,"seq":1}', "bad_message"),
        (b'{"boot":"1","seq":1,"values":{}}', "bad_message"),
        (b'{"boot":1,"seq":-1,"values":{}}', "bad_message"),
        (b'{"boot":1,"seq":1.5,"values":{}}', "bad_message"),
        (b'{"boot":true,"seq":1,"values":{}}', "bad_message"),
        (b'{"boot":1,"seq":99999999999999999999999999,"values":{}}', "bad_message"),
        (b'{"t":"2026-01-10","boot":1,"seq":1,"values":{}}', "bad_message"),
        (b'{"boot":1,"seq":1.5,"values":{}}', "bad_message"),
        (b"[]", "bad_message"),
        (b'{"boot":1,"seq":1,"values":[1]}', "bad_message"),
        (b'{"boot":1,"seq":1,"values":{"a":[1]}}', "bad_message"),
        (b'{"boot":1,"seq":1,"values":{"a":{"b":1}}}', "bad_message"),
        (b'{"boot":1,"seq":1,"values":{"a":1e999}}', "bad_message"),
        (b'{"boot":1,"seq":1,"values":{"a":' + b"9" * 400 + b"}}", "bad_message"),
        (b" " * (PAYLOAD_BYTES_MAX + 1), "too_large"),
        (b"[" + b",".join([b"1"] * (BACKFILL_MAX + 1)) + b"]", "too_many_entries"),
    ],
)
def test_what_can_not_be_read_is_refused_with_code_device_and_reason(payload: bytes, code: str) -> None:
    answer = refused(payload)
    assert (answer.code, answer.device_id, answer.kind) == (code, "BOR-0042", "lamp")
    assert len(answer.reason) > 10
    assert decode(GOOD).rows == [ROW]


def test_a_message_of_exactly_64_kib_is_taken() -> None:
    assert decode(GOOD + b" " * (PAYLOAD_BYTES_MAX - len(GOOD))).rows == [ROW]


@pytest.mark.parametrize(
    ("topic", "code", "device_id"),
    [
        ("partheland/borsdorf/lamp/up", "bad_topic", ""),
        ("partheland/borsdorf/lamp/L1/down", "bad_topic", ""),
        (repr(b"partheland/bors\xffdorf/lamp/L1/up"), "bad_topic", ""),
        ("partheland/borsdorf/lamp/" + "x" * 60_000 + "/up", "bad_topic", ""),
        ("partheland/borsdorf/lamp//up", "bad_device_id", ""),
        ("partheland/borsdorf/lamp/L 1/up", "bad_device_id", ""),
        ("partheland/borsdorf/lamp/L1\n/up", "bad_device_id", ""),
        ("partheland/borsdorf/lamp/" + "x" * 65 + "/up", "bad_device_id", ""),
        ("partheland/leipzig/lamp/L1/up", "unknown_town", "L1"),
        ("partheland/borsdorf/toaster/L1/up", "unknown_kind", "L1"),
    ],
)
def test_a_topic_that_names_nobody_we_may_hear_is_refused(topic: str, code: str, device_id: str) -> None:
    answer = refused(GOOD, topic)
    assert (answer.code, answer.device_id) == (code, device_id)
    assert len(answer.reason) < 500


def test_a_list_with_good_and_bad_entries_gives_both() -> None:
    entries = [GOOD, b"7", b'{"boot":1}', GOOD.replace(b"35.2", b'"\xff"'), GOOD.replace(b"812", b"813"), b"null"]
    decoded = decode(b"[" + b",".join(entries) + b"]")
    assert [row.seq for row in decoded.rows] == [812, 813]
    assert [one.reason.split(":")[0] for one in decoded.refused] == ["entry 1", "entry 2", "entry 3", "entry 5"]
    assert {one.device_id for one in decoded.refused} == {"BOR-0042"}


@pytest.mark.parametrize("t", [b"1e300", b"99999999999999999999", b"9007199254740993", b"-1e99"])
def test_a_time_beyond_every_calendar_is_no_reason_to_refuse_a_message(t: bytes) -> None:
    (row,) = decode(b'{"t":' + t + b',"boot":1,"seq":1,"values":{}}').rows
    assert row.t_ms is not None
    assert abs(row.t_ms) == 2**53


def test_whole_numbers_may_be_written_with_a_point() -> None:
    (row,) = decode(b'{"t":1768068000000.0,"boot":3.0,"seq":9002.0,"values":{}}').rows
    assert (row.t_ms, row.boot, row.seq) == (1768068000000, 3, 9002)


def test_a_flood_of_long_topics_does_not_fill_the_memory() -> None:
    tracemalloc.start()
    for number in range(500):
        refused(GOOD, f"partheland/borsdorf/lamp/{number}{'x' * 60_000}/up")
    gc.collect()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 2_000_000
    assert native._speaker.cache_parameters()["maxsize"] == 200_000


def test_what_is_refused_can_be_raised_again_and_again_for_a_topic_that_is_remembered() -> None:
    first, second = refused(GOOD, "partheland/borsdorf/toaster/T/up"), refused(GOOD, "partheland/borsdorf/toaster/T/up")
    assert first is not second
    assert first.reason == second.reason


def test_random_bytes_are_refused_or_read_and_never_anything_else() -> None:
    chance = random.Random(11)
    for _ in range(3000):
        payload = chance.randbytes(chance.randrange(40))
        assert refused(payload).code in {"bad_json", "bad_message"}
    assert msgspec.json.decode(GOOD)["seq"] == 812
