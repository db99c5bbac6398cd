"""Frames: what is sealed comes out again, and nothing that was damaged does."""

import zlib
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import frame as frames
from core.frame import LANES, Frame, FrameError, Refusal
from core.kinds import KINDS
from core.reading import Readings, concat, from_rows
from tests.support.records import frame, reading, refusal

COUNT = st.integers(0, 2**53)
VALUES = st.dictionaries(
    st.text(max_size=8), st.one_of(st.floats(allow_nan=False), st.booleans(), st.text(max_size=8)), max_size=3
)
ROW = st.tuples(st.sampled_from(["L1", "P-2", "x" * 64]), st.sampled_from(KINDS), COUNT, COUNT, COUNT, VALUES)
REFUSAL = st.builds(
    Refusal,
    st.text(),
    st.text(),
    st.sampled_from(["message", "value"]),
    st.text(),
    st.text(),
    st.text(),
    COUNT,
    st.binary(),
)
RAWS = st.lists(st.binary(max_size=20), min_size=1, max_size=3)


def build(rows: list[Any], refusals: list[Refusal], raws: list[bytes], first_seq: int, lane: str) -> Frame:
    ids, kinds, times, boots, seqs, values = zip(*rows, strict=True) if rows else ((),) * 6
    readings = from_rows(ids, kinds, times, times, boots, seqs, values)
    message = np.arange(len(rows), dtype=np.uint32) % len(raws)
    return Frame("gw1", 1, first_seq, lane, readings, message, tuple(raws) if rows else (), tuple(refusals))


def said(readings: Readings) -> list[object]:
    columns = (readings.kind, readings.t_ms, readings.received_ms, readings.boot, readings.seq, readings.quality)
    return [readings.device_ids, *(column.tolist() for column in columns), readings.value_dicts()]


@given(st.lists(ROW, max_size=6), st.lists(REFUSAL, max_size=4), RAWS, st.integers(1, 2**40), st.sampled_from(LANES))
def test_what_is_sealed_comes_out_again(
    rows: list[Any], refusals: list[Refusal], raws: list[bytes], first_seq: int, lane: str
) -> None:
    sealed = build(rows, refusals or [refusal()], raws, first_seq, lane)
    found = frames.decode(frames.encode(sealed))
    assert said(found.readings) == said(sealed.readings)
    assert (found.raws, found.message.tolist()) == (sealed.raws, sealed.message.tolist())
    assert found.refusals == sealed.refusals
    assert (found.gateway, found.epoch, found.first_seq, found.lane) == ("gw1", 1, first_seq, lane)
    assert found.last_seq == first_seq + len(rows) + len(sealed.refusals) - 1


def test_a_frame_of_refusals_alone_is_a_frame() -> None:
    found = frames.decode(frames.encode(frame(refusals=[refusal(raw=b"\xff{")])))
    assert (len(found), len(found.readings), found.refusals[0].raw) == (1, 0, b"\xff{")


SMALL = frames.encode(frame(reading(values={"power_w": 35.2, "gateway": "gw-7"}), [refusal()]))


def test_every_single_flipped_bit_is_noticed() -> None:
    for bit in range(len(SMALL) * 8):
        damaged = bytearray(SMALL)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(FrameError):
            frames.decode(bytes(damaged))


def test_every_cut_is_noticed() -> None:
    for length in range(len(SMALL)):
        with pytest.raises(FrameError):
            frames.decode(SMALL[:length])
    with pytest.raises(FrameError):
        frames.decode(SMALL + b"\0")


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_anything_behind_a_right_checksum_is_a_frame_or_refused(body: bytes) -> None:
    with pytest.raises(FrameError):
        frames.decode(frames.MAGIC + zlib.crc32(body).to_bytes(4, "big") + body)


def wire(position: int, value: object) -> bytes:
    """A small frame with one field of the wire exchanged and the checksum made right again."""
    fields = msgspec.msgpack.decode(SMALL[8:])
    fields[position] = value
    body = msgspec.msgpack.encode(fields)
    return frames.MAGIC + zlib.crc32(body).to_bytes(4, "big") + body


@pytest.mark.parametrize(
    ("position", "value", "why"),
    [
        (1, 0, "epoch 0"),
        (2, 0, "first_seq 0"),
        (3, "express", "lane 'express' is none of sos, telemetry"),
        (5, b"\x63", "a kind or quality that this version does not know"),
        (5, b"\0\0", "different length"),
        (6, b"\0", "buffer size"),
        (8, (-1).to_bytes(8, "little", signed=True), "count from 0"),
        (9, (-1).to_bytes(8, "little", signed=True), "count from 0"),
        (10, b"\x07", "a kind or quality that this version does not know"),
        (12, (5).to_bytes(4, "little"), "number_row 5"),
        (13, (5).to_bytes(4, "little"), "number_name 5"),
        (15, (5).to_bytes(4, "little"), "text_row 5"),
        (16, (5).to_bytes(4, "little"), "text_name 5"),
        (18, (5).to_bytes(4, "little"), "message 5"),
        (19, (500).to_bytes(4, "little"), "raw messages of 500 bytes"),
        (20, b"", "are there"),
    ],
)
def test_a_frame_that_contradicts_itself_is_refused_with_the_reason(position: int, value: object, why: str) -> None:
    with pytest.raises(FrameError, match=why):
        frames.decode(wire(position, value))


def test_a_frame_without_records_is_refused() -> None:
    with pytest.raises(FrameError, match="0 records"):
        frames.decode(frames.encode(frame()))


def test_frames_travel_together_and_come_apart_again() -> None:
    datas = [SMALL, b"", frames.encode(frame(concat([reading(), reading(seq=2)])))]
    assert frames.unpack(frames.pack(datas)) == datas
    assert frames.unpack(b"") == []


@pytest.mark.parametrize("cut", [1, 3, 4, 5, 20])
def test_a_message_that_was_cut_is_refused(cut: int) -> None:
    with pytest.raises(FrameError, match="is announced"):
        frames.unpack(frames.pack([SMALL, SMALL])[:-cut] if cut > 4 else frames.pack([SMALL]) + bytes([9] * cut))


def test_a_frame_counts_its_readings_first_and_then_its_refusals() -> None:
    three = replace(frame(concat([reading(), reading(seq=2)]), [refusal()]), first_seq=10)
    assert (len(three), three.last_seq) == (3, 12)
