"""Bosch Parking Lot Sensor TPS110. Written from the public test vectors (Apache-2.0 and MIT) in its tests.

fPort 1 change and 2 heartbeat: u8 state (bit 0 occupied), heartbeats of newer firmware add i8 °C · fPort 3 start-up:
17 bytes, the last one is the state · fPort 6 debugging, nothing we keep.
"""

from __future__ import annotations

from core.reading import Scalar
from gateway.source import Refused

CHANGE, HEARTBEAT, STARTUP, DEBUG = 1, 2, 3, 6
_LENGTHS = {CHANGE: (1,), HEARTBEAT: (1, 2), STARTUP: (17,), DEBUG: (10,)}


def decode(f_port: int, data: bytes) -> dict[str, Scalar]:
    """Whether the bay is occupied and, in newer heartbeats, the temperature; a start-up says that it is up for 0 s;
    nothing for debugging frames.
    """
    if len(data) not in _LENGTHS[f_port]:
        expected = " or ".join(str(length) for length in _LENGTHS[f_port])
        raise Refused("bad_length", f"TPS110 payload on fPort {f_port} must be {expected} bytes, got {len(data)}")
    if f_port == DEBUG:
        return {}
    if f_port == STARTUP:
        return {"occupied": bool(data[16] & 1), "uptime_s": 0}
    values: dict[str, Scalar] = {"occupied": bool(data[0] & 1)}
    if len(data) > 1:
        values["temp_c"] = int.from_bytes(data[1:2], "big", signed=True)
    return values
