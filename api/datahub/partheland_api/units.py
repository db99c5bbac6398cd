"""What our values are called in the region's API, and in which unit.

Codes: UN/CEFACT Recommendation 20, revision 14 (2020). The region's own names keep the codes that the region gives
them, also where Recommendation 20 means something else by them (DB is "dry pound" there, HPA "hectolitre of pure
alcohol", LX "linear yard per pound", UV nothing): its readers know them so. Ours are right: 2N is decibel.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

ONE = "C62"
SENSORS = {
    "temperature": "CEL",
    "noise": "DB",
    "humidity": "P1",
    "pressure": "HPA",
    "water_level": "MMT",
    "pm10": "GQ",
    "pm2_5": "GQ",
    "uv": "UV",
    "illuminance": "LX",
}
"""What a location may be asked for, with its unit."""

RELEASED = ("town", "site", "audience")
INTERNAL = (
    "device_type", "model", "owner", "street", "pole", "cabinet", "circuit", "phase", "supply", "nominal_w",
    "interval_s", "stage",
)  # fmt: skip
"""Columns of the inventory that are attributes, for everybody and for who has a key."""

# A name that a device made up may become the key of an answer only when it can't be taken for anything else.
_HARMLESS = re.compile(r"[a-z][a-z0-9_]{0,63}")
_TAKEN = frozenset({*RELEASED, *INTERNAL, "id", "type", "name", "location", "status", "displayname", "gateway"})


@dataclass(frozen=True, slots=True)
class Name:
    """The name in the region's API; `unit` '' = nobody told us. `is_released` False = only with a key."""

    name: str
    unit: str
    is_released: bool = True


_COMMON = {
    "battery_v": Name("battery", "VLT"),
    "battery_pct": Name("battery_level", "P1"),
    "rssi_dbm": Name("rssi", "DBM", False),
    "snr_db": Name("snr", "2N", False),
    "gateways": Name("gateways", ONE, False),
}
_LAMP = {
    "power_w": Name("power", "WTT"),
    "voltage_v": Name("voltage", "VLT"),
    "current_a": Name("current", "AMP"),
    "power_factor": Name("power_factor", ONE),
    "dim_pct": Name("dimming_level", "P1"),
    "energy_wh": Name("energy", "WHR"),
    "burning_h": Name("burning_time", "HUR"),
    "driver_temp_c": Name("temperature_case", "CEL"),
    "tilt_deg": Name("tilt", "DD"),
    "relay_closed": Name("relay_closed", ONE),
    "lamp_failure": Name("lamp_failure", ONE),
    "supply_lost": Name("supply_lost", ONE),
}
_CABINET = {
    **{f"power_l{phase}_w": Name(f"power_l{phase}", "WTT") for phase in (1, 2, 3)},
    **{f"voltage_l{phase}_v": Name(f"voltage_l{phase}", "VLT") for phase in (1, 2, 3)},
    **{f"current_l{phase}_a": Name(f"current_l{phase}", "AMP") for phase in (1, 2, 3)},
    "energy_wh": Name("energy", "WHR"),
    "door_open": Name("door_open", ONE, False),  # who must not get in need not know that it is open
    "rcd_open": Name("rcd_open", ONE, False),
}
_PARKING = {
    "occupied": Name("occupied", ONE),
    "temp_c": Name("temperature_case", "CEL", False),  # the region's `temperature` is that of the air
    "battery_v": Name("battery", "VLT", False),
    "battery_pct": Name("battery_level", "P1", False),
    "uptime_s": Name("uptime", "SEC", False),
}
_COUNTER = {name: Name(name, ONE) for name in ("entries", "exits", "occupied_count")}
_OTHER = {
    **{name: Name(name, unit) for name, unit in SENSORS.items()},
    **{name: Name(name, "CEL") for name in ("temperature_1", "temperature_2", "temperature_case", "water_temperature")},
    "noise_max": Name("noise_max", "DB"),
    "pm10_max": Name("pm10_max", "GQ"),
    "pm2_5_max": Name("pm2_5_max", "GQ"),
    "distance": Name("distance", "MMT"),
    "distance_to_ground": Name("distance_to_ground", "MMT"),
    "battery": Name("battery", "VLT"),
    "temp_c": Name("temperature", "CEL"),
    "soil_moisture": Name("soil_moisture", "P1"),
    "soil_temperature": Name("soil_temperature", "CEL"),
}

NAMES: dict[str, dict[str, Name]] = {
    "lamp": {**_COMMON, **_LAMP},
    "cabinet": {**_COMMON, **_CABINET},
    "parking": {**_COMMON, **_PARKING},
    "counter": {**_COMMON, **_COUNTER},
    "gateway": {},
    "sos": {},
    "other": {**_COMMON, **_OTHER},
}
"""By kind and our name. SOS has none: position and online is all that anybody gets."""


def name_of(kind: str, name: str) -> Name | None:
    """How a value is called there; None when it is not shown. One that only its device knows has no unit."""
    known = NAMES[kind].get(name)
    if known is None and kind == "other" and name not in _TAKEN and _HARMLESS.fullmatch(name):
        return Name(name, "", False)
    return known
