"""What all network servers share, and noise: whatever comes, only Refused may come out."""

import base64
import json
import random
from collections import Counter

import pytest

from core.registry import Registry, RegistryEntry
from gateway.chirpstack import ChirpStackSource
from gateway.lorawan import Hearing, Radio, looks_like_hex, parse_base64, parse_time_ms, radio_values
from gateway.object_values import clean_name, object_values
from gateway.sessions import SessionTracker
from gateway.source import Refused, Source
from gateway.things_stack import ThingsStackSource
from tests.gateway import test_chirpstack as chirpstack_examples
from tests.gateway import test_things_stack as things_stack_examples

NOISE = 100_000
NOW_MS = 1_768_068_010_000


@pytest.mark.parametrize(
    ("text", "t_ms"),
    [
        ("2022-07-18T09:34:15.775023242+00:00", 1_658_136_855_775),
        ("2022-07-18T11:34:15.775+02:00", 1_658_136_855_775),
        ("2022-07-18T09:34:15Z", 1_658_136_855_000),
        ("9999-12-31T23:59:59.999999999Z", 253_402_300_800_000),
        ("2022-07-18T09:34:15", None),
        ("2022-02-30T00:00:00Z", None),
        ("", None),
        (None, None),
        ({}, None),
    ],
)
def test_times_are_read_to_the_millisecond_or_not_at_all(text: object, t_ms: int | None) -> None:
    assert parse_time_ms(text) == t_ms


def test_hex_is_told_from_base64_even_where_it_is_both() -> None:
    assert looks_like_hex("50270c048b920a000f040203fbba0601")
    assert not looks_like_hex(base64.b64encode(bytes(24)).decode())  # only the letter A
    rng = random.Random(7)
    texts = [base64.b64encode(rng.randbytes(rng.randint(1, 51))).decode() for _ in range(20_000)]
    assert sum(looks_like_hex(text) for text in texts) == 0
    assert sum(not looks_like_hex(rng.randbytes(rng.randint(12, 51)).hex()) for _ in range(20_000)) == 0


def test_base64_is_read_strictly() -> None:
    assert parse_base64("qg==") == b"\xaa"
    for text in ("qg", "qg==\n", "q g==", "qg==qg=="):
        with pytest.raises(Refused):
            parse_base64(text)


def test_the_gateway_that_heard_the_signal_best_is_named() -> None:
    near_noise, clear = Hearing("a", -100.0, -12.0), Hearing("b", -105.0, 8.0)
    assert radio_values([near_noise, clear, Hearing("c", None, None)])["gateway"] == "b"


def test_a_gateway_id_that_is_none_is_left_out() -> None:
    assert radio_values([Hearing("a b", -100.0, 1.0)]) == {"gateways": 1, "rssi_dbm": -100.0, "snr_db": 1.0}


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("_[03] Voltage Battery/Input [V]", "03_voltage_battery_input_v"),
        ("_Message type", "message_type"),
        ("_Größe", "gr_e"),
        ("_%", "value"),
        ("_" + "x" * 100, "x" * 64),
    ],
)
def test_names_are_made_storable(path: str, name: str) -> None:
    assert clean_name(path) == name


def test_of_a_decoded_object_numbers_and_flags_are_values_and_plain_text_is_not() -> None:
    decoded = {
        "battery": "87%", "volt": "2.8(low battery)", "height": "3,5 m", "battery_pct": "CHARGING",
        "firmware": "1.0.22", "serial": "51123456", "at": "2024-07-01T13:43:42.000Z", "step": "01:00", "reason": "day",
        "huge": 10**30, "on": False, "count": 3,
    }  # fmt: skip
    assert object_values("other", decoded) == {
        "battery": "87%", "volt": "2.8(low battery)", "height": "3,5 m", "battery_pct": "CHARGING",
        "on": False, "count": 3,
    }  # fmt: skip


def test_of_two_values_with_one_name_the_first_stays() -> None:
    assert object_values("other", {"Temp": 1, "temp": 2}) == {"temp": 1}


def test_an_object_beyond_all_measure_is_refused() -> None:
    deep: dict[str, object] = {}
    for _ in range(50):
        deep = {"a": deep}
    for decoded, code in ((deep, "too_deep"), ({f"v{n}": n for n in range(300)}, "too_many_values")):
        with pytest.raises(Refused) as refused:
            object_values("other", decoded)
        assert refused.value.code == code


def noisy(seed: bytes, rng: random.Random) -> bytes:
    """A real message with a few bytes, or a piece of it, changed: mostly still JSON, often with another meaning."""
    data = bytearray(seed)
    for _ in range(rng.randint(1, 4)):
        place = rng.randrange(len(data))
        what = rng.randrange(5)
        if what == 0:
            data[place] = rng.randrange(256)
        elif what == 1:
            del data[place : place + rng.randint(1, 30)]
        elif what == 2:
            data[place:place] = rng.choice(
                [b"null", b"-1", b"1e999", b"[]", b"{}", b'"', b"9" * 40, b"true", b"\\ud800"]
            )
        elif what == 3:
            data[place : place + 4] = rng.choice([b"null", b"0", b"-0.5", b'""', b"[[[[", b"1E5"])
        else:
            start = rng.randrange(len(data))
            data[place:place] = data[start : start + 20]
        if not data:
            data += b" "
    return bytes(data)


STRANGE: list[object] = [
    None, True, -1, 0, 2**32, 2**70, 1e300, -0.5, "", "x", "NaN", "\x00", "0001-01-01T00:00:00Z", "ff" * 20, [], {},
    [[{}]],
]  # fmt: skip


def altered(node: object, rng: random.Random) -> object:
    """The same JSON with one place of it replaced, taken away or moved: valid JSON that no server writes."""
    if rng.random() < 0.15 or not isinstance(node, dict | list) or not node:
        return rng.choice(STRANGE)
    if isinstance(node, list):
        place = rng.randrange(len(node))
        return [*node[:place], altered(node[place], rng), *node[place:]]
    key = rng.choice(list(node))
    rest = {name: value for name, value in node.items() if name != key or rng.random() < 0.9}
    return rest | {key if rng.random() < 0.9 else "object": altered(node[key], rng)}


def noise(number: int, seeds: list[bytes], rng: random.Random) -> bytes:
    if number % 10 == 0:
        return rng.randbytes(rng.randint(0, 60))
    seed = rng.choice(seeds)
    return noisy(seed, rng) if number % 2 else json.dumps(altered(json.loads(seed), rng)).encode()


def sources() -> list[tuple[Source, str, list[bytes]]]:
    entries = [
        *chirpstack_examples.ENTRIES,
        RegistryEntry("NAU-1", "other", "", things_stack_examples.EUI, "naunhof"),
    ]
    radio = Radio(Registry(entries), SessionTracker())
    decoded = {"a": 1, "b": {"c": [1.5, True, "2.8(low)"]}}
    events = [chirpstack_examples.up(), chirpstack_examples.up(object=decoded)]
    messages = [things_stack_examples.up(f_port=1), json.dumps(things_stack_examples.JOIN["payload"]).encode()]
    lamp, pump = chirpstack_examples.topic(), chirpstack_examples.topic("70b3d57ed0009999")
    return [
        (ChirpStackSource(radio), lamp, events),
        (ChirpStackSource(radio), pump, [chirpstack_examples.up("70b3d57ed0009999", object=decoded)]),
        (ChirpStackSource(radio), chirpstack_examples.topic(event="join"), [chirpstack_examples.up()]),
        (ThingsStackSource(radio), things_stack_examples.UP["topic"], messages),
        (ThingsStackSource(radio), things_stack_examples.JOIN["topic"], messages),
    ]


def test_whatever_comes_becomes_a_reading_or_is_refused() -> None:
    rng, outcome = random.Random(20_261_122), Counter[str]()
    every = sources()
    for number in range(NOISE):
        source, topic, seeds = rng.choice(every)
        payload = noise(number, seeds, rng)
        try:
            decoded = source.decode(topic, payload, NOW_MS)
        except Refused as refused:
            outcome[refused.code] += 1
            continue
        outcome["rows"] += len(decoded.rows)
        for row in decoded.rows:
            assert all(isinstance(value, float | int | str) for value in row.values.values())
            assert 0 <= row.seq < 2**53
            assert row.t_ms is None or abs(row.t_ms) < 2**53
    assert outcome["rows"] > NOISE // 10
    assert outcome["bad_json"] > NOISE // 10
    assert outcome["bad_message"] > 0
