"""A hundred thousand damaged, spliced and invented payloads: refused or read, and what was read can be sealed."""

from collections import Counter
from random import Random

import numpy as np
import pytest

from core import frame as frames
from core.frame import Frame
from gateway.check import ClockLimits, check
from gateway.native import NativeSource
from gateway.source import Refused, Row
from tests.support.records import T0_MS, refusal
from tests.support.soak import rounds

pytestmark = pytest.mark.slow

PAYLOADS = rounds(100_000)
BATCH = 200
TOPIC = "partheland/naunhof/{}/F-1/up"
SEEDS = (
    b'{"t": 1768068000000, "boot": 3, "seq": 812, "values": {"power_w": 35.2, "dim_pct": 100, "relay_closed": true}}',
    b'[{"boot":1,"seq":1,"values":{"occupied":true,"temp_c":-3.5}},{"boot":1,"seq":2,"values":{"gateway":"gw-7"}}]',
    b'{"t":1768068000000,"boot":1,"seq":9,"values":{"event":"press","press_id":17,"battery_pct":88},"ack":true}',
    b'{"boot":0,"seq":0,"values":{"n1":1e300,"n2":-1e-300,"n3":0}}',
)
TOKENS = (
    b"null", b"true", b"-1", b"1e308", b"1e999", b"NaN", b"Infinity", b"9007199254740993", b"99999999999999999999999",
    b"[", b"]", b"{", b"}", b",", b":", b'"', b'"t":', b'"values":{', b'"power_w":', b'""', b"\\u0000", b"\\ud800",
    b"\\", b"\0", b"\xff", b"\xf0\x9f\x92\xa1", b"0x10", b"-0", b"[[[[[[[[", b'{"a":', b'"event":"' + b"x" * 300 + b'"',
)  # fmt: skip


def damage(chance: Random, payload: bytes) -> bytes:
    """The payload with one to four things wrong."""
    changed = bytearray(payload)
    for _ in range(chance.randrange(1, 5)):
        at = chance.randrange(len(changed) + 1)
        match chance.randrange(5):
            case 0:
                changed[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                changed[at:at] = chance.choice(TOKENS)
            case 2:
                del changed[at : at + chance.randrange(1, 20)]
            case 3:
                other = chance.choice(SEEDS)
                changed[at : at + chance.randrange(20)] = other[chance.randrange(len(other)) :][: chance.randrange(40)]
            case _:
                digits = [place for place, byte in enumerate(changed) if 48 <= byte <= 57]
                for place in digits[:1] if chance.random() < 0.3 else digits[-3:]:
                    changed[place] = chance.randrange(48, 58)
    return bytes(changed)


def test_nothing_but_a_refusal_comes_out_and_what_was_read_can_be_sealed() -> None:
    chance, source, codes = Random(2026), NativeSource(), Counter[str]()
    kinds = ("lamp", "parking", "sos", "other", "counter")
    rows: list[Row] = []
    for number in range(PAYLOADS):
        random_bytes = number % 20 == 0
        payload = chance.randbytes(chance.randrange(60)) if random_bytes else damage(chance, chance.choice(SEEDS))
        try:
            decoded = source.decode(TOPIC.format(chance.choice(kinds)), payload, T0_MS)
        except Refused as refused:
            codes[refused.code] += 1
            continue
        rows += decoded.rows
        codes.update(refused.code for refused in decoded.refused)
        if len(rows) >= BATCH:
            codes.update(sealed_and_opened(rows))
            rows = []
    assert codes.keys() >= {"bad_json", "bad_message", "unknown_value", "wrong_type", "out_of_range", "readings"}
    assert codes["readings"] > PAYLOADS // 20


def sealed_and_opened(rows: list[Row]) -> list[str]:
    """Check and seal a batch, open it again; a word for each doubt, and one for each reading that was kept."""
    checked = check(rows, [T0_MS] * len(rows), ClockLimits())
    readings = checked.readings
    assert np.isfinite(readings.numbers).all()
    message = np.zeros(len(readings), dtype=np.uint32)
    doubts = tuple(refusal(doubt.code) for doubt in checked.doubts)
    found = frames.decode(frames.encode(Frame("gw1", 1, 1, "telemetry", readings, message, (b"",), doubts)))
    assert found.readings.value_dicts() == readings.value_dicts()
    return [*(doubt.code for doubt in checked.doubts), *["readings"] * len(readings)]
