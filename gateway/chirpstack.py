"""ChirpStack v4: application/{application}/device/{devEui}/event/{event}, JSON.

Traps (events.md and integration.proto of chirpstack-docs, and real messages): a server before 2022-12 leaves out
fCnt 0; rxInfo leaves out snr 0; fPort 0 and data "" mean that the device sent no values; numbers in `object` are
doubles; `time` comes unchecked from any gateway's GPS and may say 1980; ChirpStack v3 uses the same topics.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from core.registry import RegistryEntry, normal_eui
from gateway.lorawan import Radio, Uplink, hearing_of, parse_json, parse_time_ms
from gateway.source import Decoded, Refused

FILTER = "application/+/device/+/event/+"
OTHER_EVENTS = frozenset({"status", "ack", "txack", "log", "location", "integration"})
EXPECTED = "a ChirpStack v4 event in JSON (not protobuf: set json=true in the server's MQTT integration)"
Counter32 = Annotated[int, Meta(ge=0, le=2**32 - 1)]
Port = Annotated[int, Meta(ge=0, le=255)]


class _DeviceInfo(Struct, rename="camel"):
    dev_eui: str = ""
    device_name: str = ""


class _Head(Struct, rename="camel"):
    device_info: _DeviceInfo | None = None
    dev_addr: str | None = None
    time: Any = None
    devEUI: Any = None  # noqa: N815 - a name of ChirpStack v3


class _RxInfo(Struct, rename="camel"):
    gateway_id: str = ""
    rssi: float | None = None
    snr: float | None = None


class _Up(_Head, rename="camel"):
    f_cnt: Counter32 | None = None
    f_port: Port | None = None
    data: str | None = None
    object: dict[str, Any] | None = None
    rx_info: list[_RxInfo] | None = None


_up_decoder = msgspec.json.Decoder(_Up)
_head_decoder = msgspec.json.Decoder(_Head)


class ChirpStackSource:
    """The devices of a ChirpStack v4 server."""

    name = "chirpstack"

    def __init__(self, radio: Radio, filters: tuple[str, ...] = (FILTER,)) -> None:
        self.radio = radio
        self.filters = filters

    def decode(self, topic: str, payload: bytes, received_ms: int) -> Decoded:
        """One reading for an `up` event, none for the others. Raises Refused, with device and kind once known."""
        parts = topic.split("/")
        dev_eui = normal_eui(parts[3]) if len(parts) == 6 else ""
        if not dev_eui:
            raise Refused("bad_topic", f"'{topic[:200]}' is not application/APP/device/DEVEUI/event/EVENT")
        entry = self.radio.registry.find(dev_eui)
        try:
            return self._decode_event(parts[5], dev_eui, entry, payload, received_ms)
        except Refused as refused:
            if not refused.device_id:
                refused.device_id, refused.kind = (entry.device_id, entry.kind) if entry else (dev_eui, "")
            raise

    def _decode_event(
        self, event: str, dev_eui: str, entry: RegistryEntry | None, payload: bytes, received_ms: int
    ) -> Decoded:
        if event not in ("up", "join"):
            return self.radio.pass_over(event if event in OTHER_EVENTS else "unknown_event")
        message = parse_json(payload, _up_decoder if event == "up" else _head_decoder, EXPECTED)
        _check_speaker(message, dev_eui)
        entry = self.radio.find(dev_eui, message.device_info.device_name if message.device_info else "")
        key, t_ms = (message.dev_addr or "").lower(), parse_time_ms(message.time)
        if event == "join":
            return self.radio.join(entry, key, t_ms, received_ms)
        hearings = [hearing_of(one.gateway_id, one.rssi, one.snr) for one in message.rx_info or ()]
        uplink = Uplink(
            key, message.f_cnt or 0, message.f_port or 0, message.data or "", message.object, t_ms, hearings
        )
        return self.radio.take(entry, uplink, received_ms)


def _check_speaker(message: _Head, dev_eui: str) -> None:
    if message.devEUI is not None and message.device_info is None:
        raise Refused("chirpstack_v3", f"this is an event of ChirpStack v3; expected {EXPECTED}")
    if message.device_info is not None and normal_eui(message.device_info.dev_eui) not in ("", dev_eui):
        said = message.device_info.dev_eui[:40]
        raise Refused("wrong_speaker", f"the message says it is from {said}, its topic says {dev_eui}")
