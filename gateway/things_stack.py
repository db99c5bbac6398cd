"""The Things Stack v3: v3/{application}[@{tenant}]/devices/{device}/up and …/join, JSON.

Traps (data-formats of lorawan-stack-docs): every 0, "" and false is left out (f_cnt, f_port, rssi, snr); EUIs are
upper case; the frequency is a string; a message without frm_payload may still carry values that a decoder made up;
`simulated` messages come from the server's console; the outer received_at is later than the network server's.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from core.registry import RegistryEntry
from gateway.lorawan import Hearing, Radio, Uplink, hearing_of, parse_json, parse_time_ms
from gateway.source import Decoded, Refused

FILTERS = ("v3/+/devices/+/up", "v3/+/devices/+/join")
EXPECTED = "a message of The Things Stack v3 in JSON"
Counter32 = Annotated[int, Meta(ge=0, le=2**32 - 1)]
Port = Annotated[int, Meta(ge=0, le=255)]


class _DeviceIds(Struct):
    device_id: str = ""
    dev_eui: str = ""
    dev_addr: str = ""


class _GatewayIds(Struct):
    gateway_id: str = ""
    eui: str = ""


class _PacketBroker(Struct):
    forwarder_gateway_id: str = ""
    forwarder_gateway_eui: str = ""


class _RxMetadata(Struct):
    gateway_ids: _GatewayIds | None = None
    packet_broker: _PacketBroker | None = None
    rssi: float | None = None
    snr: float | None = None


class _UplinkMessage(Struct):
    session_key_id: str = ""
    f_cnt: Counter32 = 0
    f_port: Port = 0
    frm_payload: str = ""
    decoded_payload: dict[str, Any] | None = None
    rx_metadata: list[_RxMetadata] | None = None
    received_at: Any = None


class _JoinAccept(Struct):
    session_key_id: str = ""
    received_at: Any = None


class _Message(Struct):
    end_device_ids: _DeviceIds | None = None
    uplink_message: _UplinkMessage | None = None
    join_accept: _JoinAccept | None = None
    received_at: Any = None
    simulated: bool = False


_decoder = msgspec.json.Decoder(_Message)


class ThingsStackSource:
    """The devices of a The Things Stack v3 server."""

    name = "things_stack"

    def __init__(self, radio: Radio, filters: tuple[str, ...] = FILTERS) -> None:
        self.radio = radio
        self.filters = filters

    def decode(self, topic: str, payload: bytes, received_ms: int) -> Decoded:
        """One reading for an uplink, none for a join. Raises Refused, with device and kind once known."""
        parts = topic.split("/")
        if len(parts) != 5 or parts[0] != "v3" or parts[4] not in ("up", "join"):
            raise Refused("bad_topic", f"'{topic[:200]}' is not v3/APPLICATION/devices/DEVICE/up or …/join")
        name, entry = parts[3], self.radio.registry.find(parts[3], parts[3])
        try:
            message = parse_json(payload, _decoder, EXPECTED)
            ids = message.end_device_ids or _DeviceIds()
            if ids.device_id not in ("", name):
                said = ids.device_id[:80]
                raise Refused("wrong_speaker", f"the message says it is from {said}, its topic says {name[:80]}")
            entry = self.radio.find(ids.dev_eui, name)
            return self._decode_message(parts[4], message, ids, entry, received_ms)
        except Refused as refused:
            if entry is not None and not refused.device_id:
                refused.device_id, refused.kind = entry.device_id, entry.kind
            raise

    def _decode_message(
        self, event: str, message: _Message, ids: _DeviceIds, entry: RegistryEntry, received_ms: int
    ) -> Decoded:
        uplink, join = message.uplink_message, message.join_accept
        if message.simulated:
            raise Refused("simulated", "made in the network server's console, not sent by the device")
        if event == "join" and join is not None:
            key, t_ms = _session(join, message, ids)
            return self.radio.join(entry, key, t_ms, received_ms)
        if event == "up" and uplink is not None:
            key, t_ms = _session(uplink, message, ids)
            hearings = [_hearing(one) for one in uplink.rx_metadata or ()]
            frame = Uplink(key, uplink.f_cnt, uplink.f_port, uplink.frm_payload, uplink.decoded_payload, t_ms, hearings)
            return self.radio.take(entry, frame, received_ms)
        missing = "join_accept" if event == "join" else "uplink_message"
        raise Refused("bad_message", f"a message on …/{event} has no {missing}; expected {EXPECTED}")


def _session(part: _UplinkMessage | _JoinAccept, message: _Message, ids: _DeviceIds) -> tuple[str, int | None]:
    """What tells the session apart, and the network server's time of the message."""
    t_ms = parse_time_ms(part.received_at)
    return part.session_key_id or ids.dev_addr.lower(), parse_time_ms(message.received_at) if t_ms is None else t_ms


def _hearing(one: _RxMetadata) -> Hearing:
    """A reception; gateways of other networks all have the id of the packet broker and their own beside it."""
    ids, broker = one.gateway_ids or _GatewayIds(), one.packet_broker
    gateway = ids.gateway_id or ids.eui.lower()
    if broker is not None:
        gateway = broker.forwarder_gateway_id or broker.forwarder_gateway_eui.lower() or gateway
    return hearing_of(gateway, one.rssi, one.snr)
