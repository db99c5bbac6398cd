"""Device types as data: one row says what a type is, how often it speaks and how its payload is read.

A new type is a row here and, when it has a payload of its own, one function in `gateway/codecs/`; `decoder` is that
function's name there. Nothing else in the platform knows types.
"""

from __future__ import annotations

from dataclasses import dataclass

OBJECT = "object"
NATIVE = "native"


@dataclass(frozen=True)
class DeviceType:
    """One type. `kind` is '' when the type serves every kind; `interval_s` 0 = the inventory must say it.

    `decoder` is a name in gateway.codecs.DECODERS, or '' when there are no bytes to decode. `f_ports` are the LoRaWAN
    ports the decoder knows; what comes on another port is refused, not guessed.
    """

    name: str
    kind: str
    german: str
    interval_s: int
    decoder: str = ""
    f_ports: frozenset[int] = frozenset()


DEVICE_TYPES: dict[str, DeviceType] = {
    row.name: row
    for row in (
        DeviceType(NATIVE, "", "Gerät mit eigener MQTT-Verbindung", 0),
        DeviceType(OBJECT, "", "LoRaWAN-Gerät, vom Netzwerkserver dekodiert", 0),
        DeviceType(
            "partheland-lamp-1", "lamp", "Lampensteuerung Partheland 1", 900, "partheland_lamp_1", frozenset({10})
        ),
        DeviceType(
            "partheland-bay-1", "parking", "Stellplatzsensor Partheland 1", 3600, "partheland_bay_1", frozenset({20})
        ),
        DeviceType("partheland-sos-1", "sos", "Notrufknopf Partheland 1", 21_600, "partheland_sos_1", frozenset({30})),
        DeviceType(
            "bosch-tps110", "parking", "Stellplatzsensor Bosch TPS110", 86_400, "bosch_tps110", frozenset({1, 2, 3, 6})
        ),
    )
}


def find_device_type(name: str) -> DeviceType | None:
    """The type of this name; '' is `object`; None when there is no such type."""
    return DEVICE_TYPES.get(name or OBJECT)
