"""Our own lamp controller, fPort 10, big-endian.

u8 version 1 · u8 flags (bit 0 relay closed, 1 lamp failure, 2 supply lost) · u8 dim % · u16 power 0.1 W ·
u16 voltage 0.1 V · u16 current 1 mA · i8 driver temperature °C · u32 energy Wh · u16 burning hours
"""

from __future__ import annotations

from struct import Struct

from core.reading import Scalar
from gateway.codecs.layout import check_version, unpack

_LAYOUT = Struct(">BBBHHHbIH")


def decode(f_port: int, data: bytes) -> dict[str, Scalar]:
    """Every value of one uplink."""
    version, flags, dim_pct, power, voltage, current, driver_temp_c, energy_wh, burning_h = unpack(
        _LAYOUT, data, "lamp"
    )
    check_version(version, 1, "lamp")
    return {
        "relay_closed": bool(flags & 1),
        "lamp_failure": bool(flags & 2),
        "supply_lost": bool(flags & 4),
        "dim_pct": dim_pct,
        "power_w": power / 10,
        "voltage_v": voltage / 10,
        "current_a": current / 1000,
        "driver_temp_c": driver_temp_c,
        "energy_wh": energy_wh,
        "burning_h": burning_h,
    }
