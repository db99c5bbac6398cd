"""Payload decoders against our golden vectors and the manufacturers' public ones."""

import json
from pathlib import Path
from typing import Any

import pytest

from core.device_types import DEVICE_TYPES
from core.kinds import VALUES
from gateway.codecs import DECODERS, decode_payload
from gateway.source import Refused

PAYLOADS = Path(__file__).parents[1] / "payloads"
OURS: list[dict[str, Any]] = json.loads((PAYLOADS / "partheland_lorawan.json").read_text(encoding="utf-8"))
BOSCH = [json.loads(line) for line in (PAYLOADS / "bosch_tps110.jsonl").read_text(encoding="utf-8").splitlines()]
BOSCH_NAMES = {"occupied": "occupied", "temperature_C": "temp_c"}


@pytest.mark.parametrize("vector", OURS, ids=lambda vector: f"{vector['device_type']}-{vector['hex']}")
def test_our_own_devices_payloads_are_read_as_the_firmware_meant_them(vector: dict[str, Any]) -> None:
    device_type = DEVICE_TYPES[vector["device_type"]]
    values = decode_payload(device_type, vector["f_port"], bytes.fromhex(vector["hex"]))
    assert values == pytest.approx(vector["values"])
    assert {name: type(value) is bool for name, value in values.items()} == {
        name: type(value) is bool for name, value in vector["values"].items()
    }
    assert device_type.kind == vector["kind"]
    assert set(values) <= set(VALUES[device_type.kind])


@pytest.mark.parametrize("vector", [v for v in BOSCH if v["fPort"] != 9], ids=lambda vector: vector["id"])
def test_bosch_tps110_is_read_as_its_public_vectors_say(vector: dict[str, Any]) -> None:
    values = decode_payload(DEVICE_TYPES["bosch-tps110"], vector["fPort"], bytes.fromhex(vector["bytes_hex"]))
    started = {"uptime_s": 0} if vector["fPort"] == 3 else {}
    own = {BOSCH_NAMES[name]: truth for name, truth in vector["truth"].items() if name in BOSCH_NAMES}
    assert values == own | started


def test_an_unknown_sos_event_is_kept_as_unknown() -> None:
    values = decode_payload(DEVICE_TYPES["partheland-sos-1"], 30, bytes.fromhex("0109001155"))
    assert values == {"event": "unknown_9", "press_id": 17, "battery_pct": 85}


@pytest.mark.parametrize(
    ("device_type", "f_port", "payload", "code"),
    [
        ("partheland-lamp-1", 10, "01", "bad_length"),
        ("partheland-lamp-1", 10, "02" + "00" * 15, "unknown_version"),
        ("partheland-lamp-1", 11, "01" * 16, "unknown_f_port"),
        ("partheland-bay-1", 20, "0101", "bad_length"),
        ("partheland-sos-1", 30, "010100110055", "bad_length"),
        ("bosch-tps110", 9, "01", "unknown_f_port"),
        ("bosch-tps110", 1, "0101", "bad_length"),
        ("native", 10, "01", "wrong_device_type"),
    ],
)
def test_bytes_a_type_does_not_send_are_refused_with_a_reason(
    device_type: str, f_port: int, payload: str, code: str
) -> None:
    with pytest.raises(Refused) as refused:
        decode_payload(DEVICE_TYPES[device_type], f_port, bytes.fromhex(payload))
    assert refused.value.code == code


def test_every_decoder_belongs_to_a_device_type() -> None:
    assert {row.decoder for row in DEVICE_TYPES.values() if row.decoder} == set(DECODERS)
