"""Spool and journal under several threads at once: nothing lost, nothing doubled, nobody waits for ever."""

from collections.abc import Callable
from pathlib import Path

import msgspec

from core import frame as frames
from core.clock import ManualClock, RealClock
from core.frame import LANES, Frame
from core.guarded import guarded_thread
from core.mqtt import Message
from core.sqlite import Database
from core.topics import ack_topic
from gateway.check import ClockLimits
from gateway.intake import Intake
from gateway.native import NativeSource
from gateway.spool import MIB, Spool
from gateway.uplink import Uplink, Window
from ingest.accept import Accept
from ingest.feed import JournalFeed
from ingest.journal import Journal, JournalLimits
from tests.sim.world import KnownDevices
from tests.support.records import T0_MS, frame, native_message, reading, uplink_message

FRAMES = 150
JOIN_S = 60.0


def run_together(*bodies: Callable[[], None]) -> list[BaseException]:
    """All at once in threads of their own; what they raised."""
    raised: list[BaseException] = []
    threads = [guarded_thread(f"body {number}", body, raised.append) for number, body in enumerate(bodies)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(JOIN_S)
    assert not any(thread.is_alive() for thread in threads), "a thread waits for ever"
    return raised


def test_two_lanes_write_while_a_store_reads_and_others_look(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal", ManualClock(T0_MS), JournalLimits(segment_bytes=5000))
    journal.open()
    kinds = {"L1": "lamp", "B1": "sos"}
    accept = {lane: Accept(journal, KnownDevices(kinds), lambda *_: True, lambda messages: None) for lane in LANES}
    found: list[tuple[str, int]] = []

    def write(lane: str, device_id: str) -> None:
        for seq in range(1, FRAMES + 1):
            made = frame(reading(device_id, 1, seq, T0_MS + seq, kinds[device_id], {}), (), seq, lane, 1, lane)
            accept[lane].handle([uplink_message(made), uplink_message(made)])

    def read() -> None:
        position, feed = 0, JournalFeed(journal)
        while position < 2 * FRAMES:
            feed.wait(position, 1.0)
            readings, position = feed.read(position, 30)
            found.extend(zip(readings.device_ids, readings.seq.tolist(), strict=True))

    def look() -> None:
        while journal.head < 2 * FRAMES:
            journal.read_device("L1", T0_MS)
            journal.prune(0)

    raised = run_together(lambda: write("sos", "B1"), lambda: write("telemetry", "L1"), read, look)
    assert raised == []
    assert sorted(found) == [(device, seq) for device in ("B1", "L1") for seq in range(1, FRAMES + 1)]
    assert {device: seqs_in_order(found, device) for device in kinds} == dict.fromkeys(kinds, True)
    journal.close()


def seqs_in_order(found: list[tuple[str, int]], device_id: str) -> bool:
    return [seq for one, seq in found if one == device_id] == list(range(1, FRAMES + 1))


def test_two_lanes_fill_the_spool_while_the_uplink_empties_it(tmp_path: Path) -> None:
    spool = Spool(Database(tmp_path / "spool.db"), ManualClock(T0_MS), 64 * MIB)
    spool.open()
    held: set[int] = set()
    failures: list[BaseException] = []
    answers: list[Message] = []

    def publish(topic: str, payload: bytes, qos: int) -> bool:
        for one in frames_of(payload):
            held.update(range(one.first_seq, one.last_seq + 1))
            said = {"epoch": one.epoch, "ranges": [(one.first_seq, one.last_seq)]}
            answers.append(Message(ack_topic("gw1"), msgspec.json.encode(said), 0, 0, False))
        return True

    uplink = Uplink("gw1", spool, Window(8, 0.2), publish, RealClock(), 100_000, failures.append)

    def take(lane: str, kind: str) -> None:
        sources = [(lambda topic: True, NativeSource())]
        intake = Intake("gw1", lane, sources, spool, spool.clock, ClockLimits(), lambda messages: None)
        for seq in range(FRAMES):
            intake.handle([native_message(lane, kind, seq=seq, values={})])
            uplink.wake()

    def answer() -> None:
        while len(held) < 2 * FRAMES or spool.depth()[0]:
            if answers:
                uplink.handle([answers.pop(0)])

    uplink.start()
    raised = run_together(lambda: take("sos", "sos"), lambda: take("telemetry", "lamp"), answer)
    uplink.stop()
    spool.tidy()
    assert (raised, failures, held) == ([], [], set(range(1, 2 * FRAMES + 1)))
    assert spool.database.execute("SELECT count(*) FROM frame") == [(0,)]
    spool.close()


def frames_of(payload: bytes) -> list[Frame]:
    return [frames.decode(data) for data in frames.unpack(payload)]
