"""Readings, frames and messages as tests need them: one line each, everything else has a value that will do."""

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from core import frame as frames
from core.frame import Frame, Refusal
from core.mqtt import Message
from core.reading import Readings, Scalar, from_rows
from core.topics import uplink_topic

T0_MS = 1_768_068_000_000


def reading(
    device_id: str = "L1",
    boot: int = 1,
    seq: int = 1,
    t_ms: int = T0_MS,
    kind: str = "lamp",
    values: Mapping[str, Scalar | None] | None = None,
) -> Readings:
    """One reading; a lamp with 35 W unless told otherwise."""
    said = {"power_w": 35.0} if values is None else values
    return from_rows([device_id], [kind], [t_ms], [t_ms + 500], [boot], [seq], [said])


def refusal(code: str = "bad_json", scope: str = "message", raw: bytes = b"{", device_id: str = "") -> Refusal:
    """Something that could not be taken."""
    return Refusal(code, f"because of {code}", scope, "partheland/borsdorf/lamp/L1/up", device_id, "", T0_MS, raw)


def frame(
    readings: Readings | None = None,
    refusals: Sequence[Refusal] = (),
    first_seq: int = 1,
    gateway: str = "gw1",
    epoch: int = 1,
    lane: str = "telemetry",
) -> Frame:
    """A frame; each reading came in a message of its own. Without readings it holds refusals only."""
    held = reading().select(np.array([False])) if readings is None else readings
    raws = tuple(f"raw {row}".encode() for row in range(len(held)))
    message = np.arange(len(held), dtype=np.uint32)
    return Frame(gateway, epoch, first_seq, lane, held, message, raws, tuple(refusals))


def uplink_message(*held: Frame, mid: int = 1) -> Message:
    """The message that carries these frames of one gateway to the centre."""
    topic = uplink_topic(held[0].gateway, held[0].lane)
    return Message(topic, frames.pack([frames.encode(one) for one in held]), mid, 1, False)


def native_message(
    device_id: str = "L1",
    kind: str = "lamp",
    payload: object = None,
    mid: int = 1,
    retain: bool = False,
    **said: object,
) -> Message:
    """What a device publishes: `payload` as it is (bytes) or as JSON, or a reading with what is `said` in it."""
    default = {"t": T0_MS, "boot": 1, "seq": 1, "values": {"power_w": 35.2}}
    body = (
        payload
        if isinstance(payload, bytes)
        else msgspec.json.encode({**default, **said} if payload is None else payload)
    )
    return Message(f"partheland/borsdorf/{kind}/{device_id}/up", body, mid, 1, retain)
