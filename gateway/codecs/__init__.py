"""Payload decoders: one file per device type, each with `decode(f_port, data)`.

A decoder gets a port its device type lists (core.device_types) and at least one byte. It returns values under the
names of core.kinds, and raises Refused with a sentence when the bytes are not what the type sends.
"""

from __future__ import annotations

from collections.abc import Callable

from core.device_types import DeviceType
from core.reading import Scalar
from gateway.codecs import bosch_tps110, partheland_bay_1, partheland_lamp_1, partheland_sos_1
from gateway.source import Refused

Decoder = Callable[[int, bytes], dict[str, Scalar]]

DECODERS: dict[str, Decoder] = {
    "partheland_lamp_1": partheland_lamp_1.decode,
    "partheland_bay_1": partheland_bay_1.decode,
    "partheland_sos_1": partheland_sos_1.decode,
    "bosch_tps110": bosch_tps110.decode,
}


def decode_payload(device_type: DeviceType, f_port: int, data: bytes) -> dict[str, Scalar]:
    """The values in a device's bytes. Raises Refused, without the device's id: the caller knows it."""
    if device_type.decoder not in DECODERS:
        raise Refused(
            "wrong_device_type",
            f"device type '{device_type.name}' sends no LoRaWAN bytes; give the device its real type in the inventory",
        )
    if f_port not in device_type.f_ports:
        known = ", ".join(str(port) for port in sorted(device_type.f_ports))
        raise Refused("unknown_f_port", f"fPort {f_port} of {device_type.name} is not known; expected one of {known}")
    return DECODERS[device_type.decoder](f_port, data)
