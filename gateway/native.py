"""Native devices: partheland/{town}/{kind}/{device_id}/up with JSON as in DESIGN.md, one object or a backfill list."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Annotated

import msgspec
from msgspec import Meta, Raw, Struct

from core.kinds import KIND_NUMBER
from core.topics import NATIVE_FILTER, NativeTopic, parse_native
from core.town import TOWN_IDS, is_id
from gateway.source import PAYLOAD_BYTES_MAX, Decoded, Refused, Row

BACKFILL_MAX = 2000
TOPIC_CHARACTERS_MAX = 200  # MQTT allows 65,535; the topics that are remembered must not fill the memory
INSTANT_MAX = 2**53  # beyond every calendar: such a time is absurd, and the check takes the time of receipt
# Many firmwares write whole numbers as 812.0: JSON knows one kind of number.
Count = Annotated[int, Meta(ge=0, le=2**53)] | Annotated[float, Meta(ge=0, le=2**53)]


class NativeMessage(Struct):
    """One message object. `t` Unix ms; `ack` asks for …/down {"ack": …} after the spool's commit."""

    boot: Count
    seq: Count
    values: dict[str, float | bool | str | None]
    t: int | float | None = None
    ack: bool = False


_decoder = msgspec.json.Decoder(NativeMessage | list[Raw])
_entry_decoder = msgspec.json.Decoder(NativeMessage)


@lru_cache(maxsize=200_000)
def _speaker(topic: str) -> NativeTopic | Refused:
    """Who speaks on this topic, or why nobody may; remembered, because devices repeat themselves."""
    parts = parse_native(topic)
    if parts is None:
        return _no_topic(topic)
    if not is_id(parts.device_id):
        return Refused("bad_device_id", f"'{parts.device_id[:80]}' is no id: A-Z a-z 0-9 _ -, 1 to 64 characters")
    if parts.town not in TOWN_IDS:
        return Refused("unknown_town", f"'{parts.town[:80]}' is none of the towns", parts.device_id, "")
    if parts.kind not in KIND_NUMBER:
        return Refused("unknown_kind", f"'{parts.kind[:80]}' is no kind of device", parts.device_id, "")
    return parts


def _no_topic(topic: str) -> Refused:
    return Refused("bad_topic", f"'{topic[:200]}' is not partheland/TOWN/KIND/DEVICE_ID/up")


class NativeSource:
    """The devices that speak our own JSON."""

    name = "native"

    def __init__(self, filters: tuple[str, ...] = (NATIVE_FILTER,)) -> None:
        self.filters = filters

    def decode(self, topic: str, payload: bytes, received_ms: int) -> Decoded:
        """One row per message object. Raises Refused when topic or JSON can't be read."""
        speaker = _speaker(topic) if len(topic) <= TOPIC_CHARACTERS_MAX else _no_topic(topic)
        if isinstance(speaker, Refused):
            raise replace(speaker)
        if len(payload) > PAYLOAD_BYTES_MAX:
            reason = f"{len(payload)} bytes; a message has at most {PAYLOAD_BYTES_MAX}"
            raise Refused("too_large", reason, speaker.device_id, speaker.kind)
        try:
            message = _decoder.decode(payload)
            if isinstance(message, NativeMessage):
                return Decoded([_row(speaker, message)], [], message.ack)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise _refuse(speaker, error) from None
        return _decode_backfill(speaker, message)


def _row(speaker: NativeTopic, message: NativeMessage) -> Row:
    t = None if message.t is None else int(min(max(message.t, -INSTANT_MAX), INSTANT_MAX))
    boot, seq = _whole("boot", message.boot), _whole("seq", message.seq)
    return Row(speaker.device_id, speaker.kind, t, boot, seq, message.values)


def _whole(name: str, number: float) -> int:
    if number != int(number):
        raise msgspec.ValidationError(f"`{name}` is {number}, expected a whole number")
    return int(number)


def _refuse(speaker: NativeTopic, error: Exception) -> Refused:
    code = "bad_message" if isinstance(error, msgspec.ValidationError) else "bad_json"
    expected = 'expected {"t": ms, "boot": n, "seq": n, "values": {name: number}} or a list of such objects'
    return Refused(code, f"{error}; {expected}", speaker.device_id, speaker.kind)


def _decode_backfill(speaker: NativeTopic, entries: list[Raw]) -> Decoded:
    """Each entry by itself: one that can't be read does not take the others with it."""
    if not entries:
        raise Refused("bad_message", "an empty list says nothing", speaker.device_id, speaker.kind)
    if len(entries) > BACKFILL_MAX:
        reason = f"{len(entries)} entries in one message; send at most {BACKFILL_MAX} at a time"
        raise Refused("too_many_entries", reason, speaker.device_id, speaker.kind)
    rows, refused, ack_wanted = [], [], False
    for number, entry in enumerate(entries):
        try:
            message = _entry_decoder.decode(entry)
            rows.append(_row(speaker, message))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            answer = _refuse(speaker, error)
            refused.append(Refused(answer.code, f"entry {number}: {answer.reason}", speaker.device_id, speaker.kind))
            continue
        ack_wanted = ack_wanted or message.ack
    return Decoded(rows, refused, ack_wanted)
