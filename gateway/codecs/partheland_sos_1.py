"""Our own SOS button, fPort 30, big-endian: u8 version 1 · u8 event · u16 press id · u8 battery %."""

from __future__ import annotations

from struct import Struct

from core.kinds import SOS_EVENTS
from core.reading import Scalar
from gateway.codecs.layout import check_version, unpack

_LAYOUT = Struct(">BBHB")
_EVENTS = dict(enumerate(SOS_EVENTS, start=1))


def decode(f_port: int, data: bytes) -> dict[str, Scalar]:
    """Every value of one uplink. A number we have no word for is still somebody at a button: `unknown_<number>`."""
    version, event, press_id, battery_pct = unpack(_LAYOUT, data, "sos")
    check_version(version, 1, "sos")
    return {"event": _EVENTS.get(event, f"unknown_{event}"), "press_id": press_id, "battery_pct": battery_pct}
