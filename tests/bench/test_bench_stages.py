"""What each stage of the way costs, one process, no network: `make bench`. µs of CPU a reading, in groups of 530
readings (50 ms at 10,600 messages/s) and of 10 (a small town's busiest moments), from 100,000 devices that have been
heard before; what a device costs the first time is printed beside it.
"""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from core import frame as frames
from core.clock import RealClock
from core.frame import Frame
from core.mqtt import Message
from core.sqlite import Database
from core.topics import uplink_topic
from gateway.check import ClockLimits, check
from gateway.intake import Intake
from gateway.native import NativeSource
from gateway.source import Row
from gateway.spool import Spool
from ingest.accept import Accept
from ingest.duck import DuckStore
from ingest.feed import JournalFeed
from ingest.journal import Journal, JournalLimits
from tests.bench.load import device_name
from tests.bench.processes import machine

pytestmark = pytest.mark.bench
DEVICES = 100_000
READINGS = DEVICES
T_MS = 1_768_068_000_000
VALUES = b'{"power_w":35.2,"voltage_v":230.1,"current_a":0.16,"dim_pct":100,"driver_temp_c":31.0}'


class Everyone:
    """An inventory in which everybody is a lamp."""

    def kind_of(self, device_id: str) -> str | None:
        return "lamp"

    def capacity_of(self, device_id: str) -> int | None:
        return None


def messages(group: int, seq: int) -> list[list[Message]]:
    every = [
        Message(
            f"partheland/naunhof/lamp/{device_name(number)}/up",
            b'{"t":%d,"boot":3,"seq":%d,"values":%s}' % (T_MS + number, seq, VALUES),
            number % 65_535 + 1,
            1,
            False,
        )
        for number in range(READINGS)
    ]
    return [every[start : start + group] for start in range(0, READINGS, group)]


def cost(name: str, work: Callable[[int], object]) -> None:
    """Do it twice, for messages 0 and 1 of every device, and print what each time cost."""
    spent = []
    for seq in (0, 1):
        started_s, wall_s = time.process_time(), time.monotonic()
        work(seq)
        spent += [time.process_time() - started_s, time.monotonic() - wall_s]
    first_us, _, again_us, wall_us = [seconds / READINGS * 1e6 for seconds in spent]
    print(f"  {name:36}{again_us:6.2f} µs CPU, {wall_us:6.2f} with the disk; first contact {first_us:6.2f} CPU")


@pytest.mark.parametrize("group", [530, 10])
def test_the_stages(tmp_path: Path, group: int) -> None:
    print(f"\nmachine: {machine()}; groups of {group}")
    clock, source = RealClock(), NativeSource()
    batches = [messages(group, seq) for seq in (0, 1)]
    rows: list[list[list[Row]]] = [[], []]
    sealed: list[list[Frame]] = [[], []]

    def decode(seq: int) -> None:
        rows[seq] = [
            [row for one in batch for row in source.decode(one.topic, one.payload, 0).rows] for batch in batches[seq]
        ]

    def seal(seq: int) -> None:
        for number, (group_rows, batch) in enumerate(zip(rows[seq], batches[seq], strict=True)):
            readings = check(group_rows, [T_MS] * len(group_rows), ClockLimits()).readings
            index, raws = np.arange(len(batch), dtype=np.uint32), tuple(one.payload for one in batch)
            sealed[seq].append(Frame("gw1", 1 + seq, number * group + 1, "telemetry", readings, index, raws))

    cost("decode", decode)
    cost("columns and check", seal)
    cost("seal a frame", lambda seq: [frames.encode(one) for one in sealed[seq]])
    spool = Spool(Database(tmp_path / "spool.db"), clock, 2**40)
    spool.open()
    intake = Intake("gw1", "telemetry", [(lambda topic: True, source)], spool, clock, ClockLimits(), lambda acked: None)
    cost("gateway in all, without MQTT", lambda seq: all_of(intake.handle, batches[seq]))
    spool.close()
    the_centre(tmp_path, sealed)


def the_centre(folder: Path, sealed: list[list[Frame]]) -> None:
    topic = uplink_topic("gw1", "telemetry")
    uplinks = [[Message(topic, frames.pack([frames.encode(one)]), 1, 0, False) for one in held] for held in sealed]
    journal = Journal(folder / "journal", RealClock(), JournalLimits())
    journal.open()
    accept = Accept(journal, Everyone(), lambda topic, payload: True, lambda acked: None)
    cost("centre to the journal, without MQTT", lambda seq: all_of(accept.handle, [[one] for one in uplinks[seq]]))
    store, feed = DuckStore(folder / "readings.duckdb"), JournalFeed(journal)
    store.open()
    cost("journal to DuckDB, 5,000 a write", lambda seq: drain(store, feed, (seq + 1) * READINGS))
    assert journal.books.counts["accepted"] == 2 * READINGS
    assert store.position() == journal.head
    store.close()
    journal.close()


def drain(store: DuckStore, feed: JournalFeed, end: int) -> None:
    position = store.position()
    while position < end:
        readings, position = feed.read(position, 5000)
        store.write(readings, position)


def all_of(handle: Callable[[list[Message]], None], batches: list[list[Message]]) -> None:
    for batch in batches:
        handle(batch)
