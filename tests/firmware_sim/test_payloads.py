import json
import struct
from pathlib import Path
from typing import Any

import pytest

from firmware_sim import payloads
from firmware_sim.payloads import BAY_TYPE, LAMP_TYPE, PORTS, SOS_TYPE

GOLDEN: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent.parent / "payloads" / "partheland_lorawan.json").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("vector", GOLDEN, ids=lambda vector: vector["hex"])
def test_golden_vectors_go_round(vector: dict[str, Any]) -> None:
    device_type = vector["device_type"]
    assert payloads.encode(device_type, vector["values"]).hex() == vector["hex"]
    assert payloads.decode(device_type, bytes.fromhex(vector["hex"])) == vector["values"]
    assert (PORTS[device_type], payloads.KINDS[device_type]) == (vector["f_port"], vector["kind"])


def test_the_golden_file_covers_each_type_and_each_sos_event() -> None:
    assert {vector["device_type"] for vector in GOLDEN} == set(PORTS)
    events = {vector["values"]["event"] for vector in GOLDEN if vector["kind"] == "sos"}
    assert events == set(payloads.SOS_EVENTS)


def test_the_lamp_payload_has_the_layout_of_the_data_sheet() -> None:
    by_hand = struct.pack(">BBBHHHbIH", 1, 0b011, 70, 251, 2307, 113, -3, 5000, 12)
    assert len(by_hand) == 16
    values = payloads.decode(LAMP_TYPE, by_hand)
    assert values["power_w"] == 25.1
    assert values["current_a"] == 0.113
    assert (values["relay_closed"], values["lamp_failure"], values["supply_lost"]) == (True, True, False)
    assert payloads.encode(LAMP_TYPE, values) == by_hand


def test_what_does_not_fit_stays_at_the_end_of_its_field_and_counters_wrap() -> None:
    bay: payloads.Values = {"occupied": True, "temp_c": 300.0, "battery_v": 9.9}
    assert payloads.encode(BAY_TYPE, bay).hex() == "01017fff"
    press: payloads.Values = {"event": "press", "press_id": 65_537, "battery_pct": 120}
    assert payloads.encode(SOS_TYPE, press).hex() == "0101000164"


@pytest.mark.parametrize(
    ("device_type", "payload"),
    [(BAY_TYPE, ""), (BAY_TYPE, "0101"), (BAY_TYPE, "0200f9b3"), (SOS_TYPE, "0100001158"), (SOS_TYPE, "0108001158")],
)
def test_a_payload_of_wrong_length_version_or_event_is_refused(device_type: str, payload: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        payloads.decode(device_type, bytes.fromhex(payload))


def test_an_unknown_device_type_is_named() -> None:
    with pytest.raises(ValueError, match="fridge"):
        payloads.decode("fridge", b"")
    with pytest.raises(ValueError, match="fridge"):
        payloads.encode("fridge", {})
