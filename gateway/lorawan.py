"""What all LoRaWAN network servers share: an uplink, who sent it, which session it belongs to, what it says.

A source per network server (chirpstack, things_stack) reads its JSON into an `Uplink`; the rest happens here, in the
order of `Radio.take`: identity first, so that an undecodable frame keeps its place in the device's sequence.
"""

from __future__ import annotations

import binascii
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from core.device_types import OBJECT, find_device_type
from core.kinds import KIND_NUMBER
from core.reading import Scalar
from core.registry import Registry, RegistryEntry, normal_eui
from core.town import is_id
from gateway.codecs import decode_payload
from gateway.object_values import object_values
from gateway.sessions import SessionTracker
from gateway.source import PAYLOAD_BYTES_MAX, Decoded, Refused, Row

# Base64 of this length that looks like hex by chance: less than one frame in a million million.
_HEX = re.compile(r"[0-9a-f]{16,}|[0-9A-F]{16,}")


class Hearing(NamedTuple):
    """One gateway's reception of a frame; None = not told."""

    gateway: str
    rssi_dbm: float | None
    snr_db: float | None


@dataclass(frozen=True)
class Uplink:
    """One frame as a network server tells it. `data` (base64) is '' or `f_port` 0 when the device sent no values.

    `session_key` tells the device's radio sessions apart ('' = not told); `decoded` is the server's own decoding.
    """

    session_key: str
    f_cnt: int
    f_port: int
    data: str
    decoded: Mapping[str, Any] | None
    t_ms: int | None
    hearings: Sequence[Hearing]


class Radio:
    """The devices and their sessions, shared by the sources of all network servers. `counts` = events by name."""

    def __init__(self, registry: Registry, sessions: SessionTracker) -> None:
        self.registry = registry
        self.sessions = sessions
        self.counts: Counter[str] = Counter()

    def find(self, dev_eui: str, name: str = "") -> RegistryEntry:
        """The commissioned device. Raises Refused "unknown_device" with its EUI, or else its name, as device_id."""
        entry = self.registry.find(dev_eui, name)
        if entry is not None and entry.kind in KIND_NUMBER:
            return entry
        if entry is not None:
            reason = f"kind '{entry.kind}' is not known to this gateway: bring it to the centre's version"
            raise Refused("unknown_kind", reason, entry.device_id)
        heard = normal_eui(dev_eui) or name or dev_eui
        raise Refused("unknown_device", f"'{heard[:80]}' is heard but not commissioned: add it to the inventory", heard)

    def take(self, entry: RegistryEntry, uplink: Uplink, received_ms: int) -> Decoded:
        """The reading of one frame; without values of the device when it sent none. Raises Refused."""
        fingerprint = f"{uplink.f_port} {uplink.data}".encode()
        identity = self.sessions.identify(
            entry.device_id,
            uplink.session_key,
            uplink.f_cnt,
            fingerprint,
            uplink.t_ms,
            received_ms,
            lose_nothing=entry.kind == "sos",
        )
        self.counts["up"] += 1
        values = radio_values(uplink.hearings)
        if uplink.f_port and uplink.data:
            # What our own receivers measured is not the device's to say; it also comes first, before any limit.
            values = {**values, **_values(entry, uplink), **values}
        return Decoded([Row(entry.device_id, entry.kind, uplink.t_ms, identity.boot, identity.seq, values)], [])

    def join(self, entry: RegistryEntry, session_key: str, t_ms: int | None, received_ms: int) -> Decoded:
        """A device's new session: no reading."""
        self.sessions.join(entry.device_id, session_key, t_ms, received_ms)
        return self.pass_over("join")

    def pass_over(self, event: str) -> Decoded:
        """An event that is accepted and counted and holds no reading."""
        self.counts[event] += 1
        return Decoded([], [])


def _values(entry: RegistryEntry, uplink: Uplink) -> dict[str, Scalar]:
    """The values of a frame. Raises Refused with the device's id and kind: a button's broken frame may be a press."""
    device_type = find_device_type(entry.device_type)
    try:
        data = parse_base64(uplink.data)
        if device_type is None:
            raise Refused("unknown_device_type", f"device type '{entry.device_type}' is not known to this gateway")
        if device_type.name != OBJECT:
            return decode_payload(device_type, uplink.f_port, data)
        if uplink.decoded is None:
            reason = "the network server decoded nothing; give it a codec, or the device its type in the inventory"
            raise Refused("not_decoded", reason)
        return object_values(entry.kind, uplink.decoded)
    except Refused as refused:
        raise replace(refused, device_id=entry.device_id, kind=entry.kind) from None


def radio_values(hearings: Sequence[Hearing]) -> dict[str, Scalar]:
    """How the frame was heard: by how many gateways (one that lists twice counts once), and by the best one how."""
    if not hearings:
        return {}
    values: dict[str, Scalar] = {"gateways": len({hearing.gateway for hearing in hearings})}
    best = max(hearings, key=_strength_dbm)
    if is_id(best.gateway):
        values["gateway"] = best.gateway
    if best.rssi_dbm is not None:
        values["rssi_dbm"] = best.rssi_dbm
    if best.snr_db is not None:
        values["snr_db"] = best.snr_db
    return values


def _strength_dbm(hearing: Hearing) -> float:
    """Strength of the signal alone: below the noise, what is received is mostly noise."""
    if hearing.rssi_dbm is None:
        return float("-inf")
    return hearing.rssi_dbm + min(hearing.snr_db or 0.0, 0.0)


def hearing_of(gateway: str, rssi: float | None, snr: float | None) -> Hearing:
    """A reception as network servers tell it: they leave out zeros, so one missing number beside the other is 0."""
    if rssi is None and snr is None:
        return Hearing(gateway, None, None)
    return Hearing(gateway, rssi or 0.0, snr or 0.0)


def parse_time_ms(text: object) -> int | None:
    """Unix ms of an RFC 3339 time with up to nanoseconds, however absurd; None when it is none."""
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
        return None if moment.tzinfo is None else round(moment.timestamp() * 1000)
    except (ValueError, OverflowError):
        return None


def parse_base64(text: str) -> bytes:
    """The bytes of a network server's base64. Raises Refused, also for hex, which often is valid base64 too."""
    if looks_like_hex(text):
        raise Refused("hex_data", f"the data '{text[:40]}' is hex; expected base64")
    try:
        return binascii.a2b_base64(text.encode("ascii"), strict_mode=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise Refused("bad_base64", f"the data '{text[:40]}' is not base64: {error}") from None


def looks_like_hex(text: str) -> bool:
    """Whether a text is hex rather than base64: hex digits of one case only, and at least a quarter of them 0 to 9."""
    if _HEX.fullmatch(text) is None or len(text) % 2:
        return False
    return 4 * sum(character.isdigit() for character in text) >= len(text)


def parse_json(payload: bytes, decoder: msgspec.json.Decoder[Any], expected: str) -> Any:
    """The message, typed by the decoder. Raises Refused with what was expected."""
    if len(payload) > PAYLOAD_BYTES_MAX:
        raise Refused("too_large", f"{len(payload)} bytes; a message has at most {PAYLOAD_BYTES_MAX}")
    try:
        return decoder.decode(payload)
    except msgspec.ValidationError as error:
        raise Refused("bad_message", f"{error}; expected {expected}") from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Refused("bad_json", f"{error}; expected {expected}") from None
