"""LoRaWAN as our program sees it: uplinks wrapped in the JSON events of a ChirpStack v4 server.

A device joins once per power-up: a `join` event, a new address, frame counter 0. Which gateways hear it follows from
distance; a frame is only lost to a broken gateway if no other one hears the device.
"""

from __future__ import annotations

import base64
import math
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from json import JSONEncoder
from random import Random

from firmware_sim.outlines import Point, distance_m
from firmware_sim.payloads import PORTS

GATEWAYS_PER_FRAME_MAX = 4
SENSITIVITY_DBM = -121.0
NOISE_DBM = -115.0
CHANNELS_HZ = tuple(range(867_100_000, 868_500_001, 200_000))

_NAMESPACE = uuid.UUID("6f1d1f0e-6c1b-4f0e-9a53-70617274686c")
_encode = JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


@dataclass(slots=True)
class RadioGateway:
    """A receiver on a roof; `down` while it is broken or cut off."""

    gateway_id: str
    town: str
    place: Point
    down: bool = False


@dataclass(frozen=True, slots=True)
class Reception:
    """How strongly one gateway hears one device on average."""

    gateway: RadioGateway
    rssi_dbm: float


def receptions(place: Point, gateways: Sequence[RadioGateway], rng: Random) -> list[Reception]:
    """The gateways that hear a device there, best first, at most four; the best is always among them.

    Log-distance path loss with exponent 3 from -60 dBm at 50 m, and 5 dB of shadowing for each pair.
    """
    heard = []
    for gateway in gateways:
        metres = max(20.0, distance_m(place, gateway.place))
        heard.append(Reception(gateway, -60.0 - 30.0 * math.log10(metres / 50.0) + rng.gauss(0.0, 5.0)))
    heard.sort(key=lambda reception: -reception.rssi_dbm)
    return [one for at, one in enumerate(heard) if at == 0 or one.rssi_dbm > SENSITIVITY_DBM][:GATEWAYS_PER_FRAME_MAX]


@dataclass(slots=True)
class Session:
    """One LoRaWAN device as the network server knows it: identity, address, frame counter, who hears it."""

    dev_eui: str
    device_id: str
    town: str
    kind: str
    device_type: str
    receptions: Sequence[Reception]
    rng: Random
    dev_addr: str = ""
    f_cnt: int = -1
    join_pending: bool = False
    _info: dict[str, object] = field(default_factory=dict)

    def join(self) -> None:
        """Start a new radio session: new address, frame counter from 0; the server tells with the first uplink."""
        self.dev_addr = f"{0x26000000 | self.rng.getrandbits(24):08x}"
        self.f_cnt = -1
        self.join_pending = True

    def next_f_cnt(self) -> int:
        """The counter of the next frame, from 0 after a join."""
        self.f_cnt += 1
        return self.f_cnt

    def hearing(self) -> list[Reception]:
        """The gateways that hear this frame; empty when all of them are down."""
        working = [reception for reception in self.receptions if not reception.gateway.down]
        margin_db = self.rng.uniform(0.0, 6.0)
        return [one for at, one in enumerate(working) if at == 0 or one.rssi_dbm - margin_db > SENSITIVITY_DBM]

    def topic(self, event: str) -> str:
        """The server's topic for one of this device's events."""
        return f"application/{_application_id(self.kind)}/device/{self.dev_eui}/event/{event}"

    def join_event(self, at_ms: int) -> bytes:
        """The payload of the join event."""
        return _encode(self._head(at_ms) | {"devAddr": self.dev_addr}).encode()

    def up_event(self, at_ms: int, f_cnt: int, data: bytes, confirmed: bool, heard: list[Reception]) -> bytes:
        """The payload of the up event; `heard` must not be empty. Like the server, gateway parts leave out zeros."""
        assert heard, "a frame that no gateway heard reaches no server"
        rng = self.rng
        spreading_factor = 7 + min(5, max(0, int((-105.0 - heard[0].rssi_dbm) / 3.0)))
        received = [_rx_info(one, rng) for one in heard]
        received.sort(key=lambda info: -int(str(info["rssi"])))
        return _encode(
            self._head(at_ms)
            | {
                "devAddr": self.dev_addr,
                "adr": True,
                "dr": 12 - spreading_factor,
                "fCnt": f_cnt,
                "fPort": PORTS[self.device_type],
                "confirmed": confirmed,
                "data": base64.b64encode(data).decode(),
                "rxInfo": received,
                "txInfo": {
                    "frequency": CHANNELS_HZ[rng.getrandbits(3)],
                    "modulation": {
                        "lora": {"bandwidth": 125_000, "spreadingFactor": spreading_factor, "codeRate": "CR_4_5"}
                    },
                },
                "regionConfigId": "eu868",
            }
        ).encode()

    def _head(self, at_ms: int) -> dict[str, object]:
        if not self._info:
            self._info = {
                "tenantId": str(uuid.uuid5(_NAMESPACE, "tenant")),
                "tenantName": "Partheland",
                "applicationId": _application_id(self.kind),
                "applicationName": f"partheland-{self.kind}",
                "deviceProfileId": str(uuid.uuid5(_NAMESPACE, self.device_type)),
                "deviceProfileName": self.device_type,
                "deviceName": self.device_id,
                "devEui": self.dev_eui,
                "deviceClassEnabled": "CLASS_A",
                "tags": {"town": self.town},
            }
        return {"deduplicationId": _uuid4(self.rng), "time": _rfc3339(at_ms), "deviceInfo": self._info}


def _rx_info(reception: Reception, rng: Random) -> dict[str, object]:
    rssi_dbm = round(reception.rssi_dbm + rng.gauss(0.0, 2.0))
    snr_db = max(-20.0, min(12.0, round((rssi_dbm - NOISE_DBM + rng.gauss(0.0, 1.5)) * 4) / 4))
    info: dict[str, object] = {
        "gatewayId": reception.gateway.gateway_id,
        "uplinkId": rng.getrandbits(32),
        "rssi": min(-1, rssi_dbm),
    }
    if snr_db != 0.0:
        info["snr"] = snr_db
    return info


def _application_id(kind: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, f"application {kind}"))


def _uuid4(rng: Random) -> str:
    digits = f"{rng.getrandbits(128):032x}"
    variant = "89ab"[int(digits[16], 16) % 4]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def _rfc3339(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")


def dev_eui(rng: Random) -> str:
    """A device address (16 hex digits) that looks like one maker's."""
    return f"70b3d57ed{rng.getrandbits(28):07x}"
