"""Our own parking bay sensor, fPort 20: u8 version 1 · u8 flags (bit 0 occupied) · i8 °C · u8 battery in 0.02 V."""

from __future__ import annotations

from struct import Struct

from core.reading import Scalar
from gateway.codecs.layout import check_version, unpack

_LAYOUT = Struct(">BBbB")


def decode(f_port: int, data: bytes) -> dict[str, Scalar]:
    """Every value of one uplink."""
    version, flags, temp_c, battery = unpack(_LAYOUT, data, "bay")
    check_version(version, 1, "bay")
    return {"occupied": bool(flags & 1), "temp_c": temp_c, "battery_v": battery / 50}
