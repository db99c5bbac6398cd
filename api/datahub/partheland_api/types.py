"""The types of the format: the word in a path, the name in an answer, and which of our devices are of it."""

from __future__ import annotations

from core.device import Device

REGION_TYPES = {
    "sensebox": "SenseBoxDevice",
    "waterlevel": "WaterLevelDevice",
    "temperature": "TemperatureDevice",
    "moisture": "MoistureDevice",
}
OUR_TYPES = {
    "lamp": "StreetLightDevice",
    "cabinet": "CabinetDevice",
    "parking": "ParkingSpaceDevice",
    "counter": "ParkingCounterDevice",
    "sos": "SosDevice",
    "other": "OtherDevice",
}
TYPES = {**REGION_TYPES, **OUR_TYPES}
GATEWAY = "gateway"
MEASURING = frozenset({*REGION_TYPES, "other"})
HIDDEN_STAGES = frozenset({"planned", "retired"})


def word_of(device: Device) -> str:
    """The word of a device's type; `gateway` for those that stand under /geojson/gateways.

    A device of kind `other` is of the region's own type when its device_type says so.
    """
    if device.kind == "other":
        named = (device.device_type or "").casefold()
        return named if named in REGION_TYPES else "other"
    return device.kind


def is_shown(device: Device) -> bool:
    """Whether it stands outside: not planned, not retired."""
    return device.stage not in HIDDEN_STAGES
