"""A frame: one sealed batch of a gateway's records, as the spool keeps it, the uplink sends it, the journal stores it.

A record is a reading or a refusal (what the gateway could not take, with its raw bytes and the reason). Every record
has (gateway, epoch, seq): the frame's readings come first with `first_seq`, `first_seq + 1`, …, then its refusals.
Raw bytes are kept once per message; a backfill message holds several readings.

Bytes: b"PLF1", CRC-32 of the rest (4 bytes, big-endian), msgpack of `_Wire`. Numbers inside are little-endian.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import msgspec
import numpy as np
from numpy.typing import NDArray

from core.kinds import KINDS
from core.reading import Quality, Readings

MAGIC = b"PLF1"
HEADER_BYTES = 8
LANES = ("sos", "telemetry")  # in the order in which they are sent


class FrameError(ValueError):
    """These bytes are no frame, or a damaged one; the text says what was found."""


class Refusal(msgspec.Struct, array_like=True, frozen=True):
    """What could not be taken, and why. `device_id` and `kind` are '' when they are not known.

    `code` is the reason as a short word for counting; `reason` is the sentence for a person; `scope` is "message"
    when nothing of it was stored, "value" when one value was kept out and the rest of the reading stored.
    """

    code: str
    reason: str
    scope: str
    topic: str
    device_id: str
    kind: str
    received_ms: int
    raw: bytes


@dataclass(frozen=True, eq=False)
class Frame:
    """A sealed batch. `message` u4[n] gives each reading's index into `raws` (the payloads as they came)."""

    gateway: str
    epoch: int
    first_seq: int
    lane: str
    readings: Readings
    message: NDArray[np.uint32]
    raws: tuple[bytes, ...]
    refusals: tuple[Refusal, ...] = ()

    def __len__(self) -> int:
        return len(self.readings) + len(self.refusals)

    @property
    def last_seq(self) -> int:
        """The sequence number of the last record."""
        return self.first_seq + len(self) - 1


class _Wire(msgspec.Struct, array_like=True):
    gateway: str
    epoch: int
    first_seq: int
    lane: str
    device_ids: str
    kind: bytes
    t_ms: bytes
    received_ms: bytes
    boot: bytes
    seq: bytes
    quality: bytes
    names: list[str]
    number_row: bytes
    number_name: bytes
    numbers: bytes
    text_row: bytes
    text_name: bytes
    texts: list[str]
    message: bytes
    raw_lengths: bytes
    raw: bytes
    refusals: list[Refusal]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Wire)


def encode(frame: Frame) -> bytes:
    """The frame's bytes."""
    readings = frame.readings
    wire = _Wire(
        gateway=frame.gateway,
        epoch=frame.epoch,
        first_seq=frame.first_seq,
        lane=frame.lane,
        device_ids="\n".join(readings.device_ids),
        kind=readings.kind.tobytes(),
        t_ms=readings.t_ms.tobytes(),
        received_ms=readings.received_ms.tobytes(),
        boot=readings.boot.tobytes(),
        seq=readings.seq.tobytes(),
        quality=readings.quality.tobytes(),
        names=list(readings.names),
        number_row=readings.number_row.tobytes(),
        number_name=readings.number_name.tobytes(),
        numbers=readings.numbers.tobytes(),
        text_row=readings.text_row.tobytes(),
        text_name=readings.text_name.tobytes(),
        texts=list(readings.texts),
        message=frame.message.astype(np.uint32).tobytes(),
        raw_lengths=np.array([len(raw) for raw in frame.raws], dtype=np.uint32).tobytes(),
        raw=b"".join(frame.raws),
        refusals=list(frame.refusals),
    )
    body = _encoder.encode(wire)
    return MAGIC + zlib.crc32(body).to_bytes(4, "big") + body


def decode(data: bytes) -> Frame:
    """The frame of these bytes. Raises FrameError when they are cut, damaged, or contradict themselves."""
    if data[:4] != MAGIC:
        raise FrameError(f"a frame begins with {MAGIC!r}, these {len(data)} bytes with {data[:4]!r}")
    body = memoryview(data)[HEADER_BYTES:]
    expected = int.from_bytes(data[4:HEADER_BYTES], "big")
    found = zlib.crc32(body)
    if found != expected:
        raise FrameError(f"checksum {found:08x} of {len(data)} bytes, expected {expected:08x}: the frame is damaged")
    try:
        wire = _decoder.decode(body)
        return _unpack(wire)
    except (msgspec.MsgspecError, ValueError) as error:
        raise FrameError(f"the frame's checksum holds but its content does not: {error}") from error


def pack(datas: Sequence[bytes]) -> bytes:
    """Several frames in one message: each with its length in 4 bytes, big-endian, before it."""
    return b"".join([part for data in datas for part in (len(data).to_bytes(4, "big"), data)])


def unpack(payload: bytes) -> list[bytes]:
    """The frames of one message. Raises FrameError when the lengths do not add up."""
    datas, at = [], 0
    while at < len(payload):
        end = at + 4 + int.from_bytes(payload[at : at + 4], "big")
        if end > len(payload):
            raise FrameError(f"a frame of {end - at - 4} bytes is announced, {len(payload) - at - 4} are there")
        datas.append(payload[at + 4 : end])
        at = end
    return datas


def _unpack(wire: _Wire) -> Frame:
    device_ids = tuple(wire.device_ids.split("\n")) if wire.device_ids else ()
    readings = Readings(
        device_ids=device_ids,
        kind=np.frombuffer(wire.kind, np.uint8),
        t_ms=np.frombuffer(wire.t_ms, np.int64),
        received_ms=np.frombuffer(wire.received_ms, np.int64),
        boot=np.frombuffer(wire.boot, np.int64),
        seq=np.frombuffer(wire.seq, np.int64),
        quality=np.frombuffer(wire.quality, np.uint8),
        names=tuple(wire.names),
        number_row=np.frombuffer(wire.number_row, np.uint32),
        number_name=np.frombuffer(wire.number_name, np.uint32),
        numbers=np.frombuffer(wire.numbers, np.float64),
        text_row=np.frombuffer(wire.text_row, np.uint32),
        text_name=np.frombuffer(wire.text_name, np.uint32),
        texts=tuple(wire.texts),
    )
    message = np.frombuffer(wire.message, np.uint32)
    _check_lengths(readings, message)
    ends = [0, *np.cumsum(np.frombuffer(wire.raw_lengths, np.uint32), dtype=np.int64).tolist()]
    if ends[-1] != len(wire.raw):
        raise ValueError(f"raw messages of {ends[-1]} bytes are announced, {len(wire.raw)} are there")
    raws = tuple([wire.raw[start:end] for start, end in pairwise(ends)])
    frame = Frame(wire.gateway, wire.epoch, wire.first_seq, wire.lane, readings, message, raws, tuple(wire.refusals))
    _check_content(frame)
    return frame


def _check_lengths(readings: Readings, message: NDArray[np.uint32]) -> None:
    count = len(readings)
    columns = (readings.kind, readings.t_ms, readings.received_ms, readings.boot, readings.seq, readings.quality)
    if any(len(column) != count for column in (*columns, message)):
        raise ValueError(f"columns of different length beside {count} device ids")
    if count and (readings.kind.max() >= len(KINDS) or readings.quality.max() > max(Quality)):
        raise ValueError("a kind or quality that this version does not know: update the centre before its gateways")
    if not len(readings.number_row) == len(readings.number_name) == len(readings.numbers):
        raise ValueError("number columns of different length")
    if not len(readings.text_row) == len(readings.text_name) == len(readings.texts):
        raise ValueError("text columns of different length")


def _check_content(frame: Frame) -> None:
    """Whatever is an index points at something, whatever is counted is in its range: nothing later has to ask."""
    readings = frame.readings
    count, names = len(readings), len(readings.names)
    indices = (
        ("number_row", readings.number_row, count),
        ("number_name", readings.number_name, names),
        ("text_row", readings.text_row, count),
        ("text_name", readings.text_name, names),
        ("message", frame.message, len(frame.raws)),
    )
    for name, column, end in indices:
        if len(column) and column.max() >= end:
            raise ValueError(f"{name} {column.max()} is beyond the {end} that there are")
    if count and min(readings.boot.min(), readings.seq.min()) < 0:
        raise ValueError("boot and seq count from 0")
    if not len(frame) or frame.first_seq < 1 or frame.epoch < 1:
        raise ValueError(f"epoch {frame.epoch}, first_seq {frame.first_seq}, {len(frame)} records: expected 1 or more")
    if frame.lane not in LANES:
        raise ValueError(f"lane '{frame.lane}' is none of {', '.join(LANES)}")
