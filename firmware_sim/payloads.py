"""The binary payloads of our LoRaWAN firmware, version 1, big-endian, and back again.

    lamp  fPort 10, 16 bytes  u8 version  u8 flags (0 relay_closed, 1 lamp_failure, 2 supply_lost)  u8 dim_pct
                              u16 power 0.1 W  u16 voltage 0.1 V  u16 current 1 mA  i8 driver_temp_c
                              u32 energy_wh  u16 burning_h
    bay   fPort 20, 4 bytes   u8 version  u8 flags (0 occupied)  i8 temp_c  u8 battery_v in 0.02 V
    sos   fPort 30, 5 bytes   u8 version  u8 event (1 press … 7 tamper)  u16 press_id  u8 battery_pct

A number too large for its field stays at the field's end; u16 press_id and u32 energy_wh wrap, they count.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

Value = float | bool | str
Values = dict[str, Value]

VERSION = 1
SOS_EVENTS = ("press", "long_press", "double_press", "cancel", "test", "heartbeat", "tamper")

LAMP_TYPE, BAY_TYPE, SOS_TYPE = "partheland-lamp-1", "partheland-bay-1", "partheland-sos-1"
PORTS = {LAMP_TYPE: 10, BAY_TYPE: 20, SOS_TYPE: 30}
KINDS = {LAMP_TYPE: "lamp", BAY_TYPE: "parking", SOS_TYPE: "sos"}

_LAMP = struct.Struct(">BBBHHHbIH")
_BAY = struct.Struct(">BBbB")
_SOS = struct.Struct(">BBHB")


def encode(device_type: str, values: Mapping[str, Value]) -> bytes:
    """The payload of one reading; a KeyError names a value that this device type must report and did not."""
    if device_type == LAMP_TYPE:
        return _encode_lamp(values)
    if device_type == BAY_TYPE:
        temp_c, battery = _scaled(values["temp_c"], 1, -128, 127), _scaled(values["battery_v"], 50, 0, 255)
        return _BAY.pack(VERSION, int(bool(values["occupied"])), temp_c, battery)
    if device_type == SOS_TYPE:
        event = SOS_EVENTS.index(str(values["event"])) + 1
        press_id = int(values["press_id"]) & 0xFFFF
        return _SOS.pack(VERSION, event, press_id, _scaled(values["battery_pct"], 1, 0, 100))
    raise _unknown(device_type)


def _encode_lamp(values: Mapping[str, Value]) -> bytes:
    flags = sum(bool(values[name]) << bit for bit, name in enumerate(("relay_closed", "lamp_failure", "supply_lost")))
    return _LAMP.pack(
        VERSION,
        flags,
        _scaled(values["dim_pct"], 1, 0, 100),
        _scaled(values["power_w"], 10, 0, 0xFFFF),
        _scaled(values["voltage_v"], 10, 0, 0xFFFF),
        _scaled(values["current_a"], 1000, 0, 0xFFFF),
        _scaled(values["driver_temp_c"], 1, -128, 127),
        int(values["energy_wh"]) & 0xFFFFFFFF,
        _scaled(values["burning_h"], 1, 0, 0xFFFF),
    )


def decode(device_type: str, payload: bytes) -> Values:
    """The values in a payload; a ValueError says which length or version was expected and what came."""
    layouts = {LAMP_TYPE: _LAMP, BAY_TYPE: _BAY, SOS_TYPE: _SOS}
    if device_type not in layouts:
        raise _unknown(device_type)
    layout = layouts[device_type]
    if len(payload) != layout.size or payload[0] != VERSION:
        raise ValueError(
            f"{device_type} payload must be {layout.size} bytes of version {VERSION}, got {payload.hex()!r}"
        )
    fields = layout.unpack(payload)
    if device_type == LAMP_TYPE:
        return _decode_lamp(fields)
    if device_type == BAY_TYPE:
        return {"occupied": bool(fields[1] & 1), "temp_c": fields[2], "battery_v": round(fields[3] * 0.02, 2)}
    if not 1 <= fields[1] <= len(SOS_EVENTS):
        raise ValueError(f"{device_type} event must be 1..{len(SOS_EVENTS)}, got {fields[1]}")
    return {"event": SOS_EVENTS[fields[1] - 1], "press_id": fields[2], "battery_pct": fields[3]}


def _decode_lamp(fields: tuple[int, ...]) -> Values:
    _, flags, dim_pct, power, voltage, current, driver_temp_c, energy_wh, burning_h = fields
    return {
        "relay_closed": bool(flags & 1),
        "lamp_failure": bool(flags & 2),
        "supply_lost": bool(flags & 4),
        "dim_pct": dim_pct,
        "power_w": round(power / 10, 1),
        "voltage_v": round(voltage / 10, 1),
        "current_a": round(current / 1000, 3),
        "driver_temp_c": driver_temp_c,
        "energy_wh": energy_wh,
        "burning_h": burning_h,
    }


def _scaled(value: Value, factor: int, low: int, high: int) -> int:
    return max(low, min(high, round(float(value) * factor)))


def _unknown(device_type: str) -> ValueError:
    return ValueError(f"device type {device_type!r} has no payload; expected one of {', '.join(PORTS)}")
