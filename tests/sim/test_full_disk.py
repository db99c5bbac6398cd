"""A disk that is really full: nobody is told that anything is safe, readers go on, and with room all goes on."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from core.clock import ManualClock
from core.mqtt import Message
from core.sqlite import Database, StorageFull
from gateway.check import ClockLimits
from gateway.intake import Intake
from gateway.native import NativeSource
from gateway.spool import MIB, Spool
from ingest.accept import Accept
from ingest.journal import Journal, JournalLimits
from ingest.quarantine import Quarantine
from tests.sim.world import KINDS, KnownDevices
from tests.support.records import T0_MS, frame, native_message, reading, uplink_message
from tests.support.small_disk import fill, mounted

BIG = "x" * 20_000
FRAMES = 400


class Ballast:
    """Fills a disk, and gives it back when somebody has waited for room twice."""

    def __init__(self, disk: Path, leave_bytes: int) -> None:
        self.disk, self.waits, self.filled = disk, 0, 0
        self.leave_bytes = leave_bytes
        self.again()

    def again(self) -> None:
        self.file = fill(self.disk, self.leave_bytes)
        self.filled += 1

    def wait(self, seconds: float) -> bool:
        self.waits += 1
        if self.waits % 2 == 0:
            self.file.unlink()
        assert self.waits < 100, "there is room again, but it does not go on"
        return True


def test_the_centre_waits_for_room_and_holds_everything_once_over_many_segments(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=24m") as disk:
        journal = Journal(disk / "journal", ManualClock(T0_MS), JournalLimits(segment_bytes=300_000))
        journal.open()
        ballast, told, heads = Ballast(disk, 200_000), 0, list[int]()

        def acknowledge(messages: Sequence[Message]) -> None:
            nonlocal told
            told += len(messages)
            heads.append(journal.head)

        accept = Accept(journal, KnownDevices(KINDS), lambda topic, payload: True, acknowledge, ballast.wait)
        for seq in range(1, FRAMES + 1):
            held = replace(frame(reading(seq=seq, t_ms=T0_MS + seq), (), seq), raws=(BIG.encode(),))
            accept.handle([uplink_message(held)])
            if not ballast.file.exists() and seq % 60 == 0:
                ballast.again()
        assert (told, heads, ballast.waits >= 4) == (FRAMES, list(range(1, FRAMES + 1)), True)
        for _ in range(2):
            assert len(journal.segments) > 5
            assert journal.read_device("L1", 0).seq.tolist() == list(range(1, FRAMES + 1))
            assert (journal.books.counts["accepted"], journal.books.counts["records"]) == (FRAMES, FRAMES)
            if ballast.file.exists():
                ballast.file.unlink()
            journal.close()
            journal = Journal(disk / "journal", ManualClock(T0_MS), JournalLimits(segment_bytes=300_000))
            journal.open()
        journal.close()


def test_the_gateway_waits_for_room_and_acknowledges_only_what_it_holds(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=16m") as disk:
        spool = Spool(Database(disk / "spool.db"), ManualClock(T0_MS), 64 * MIB)
        spool.open()
        ballast, held = Ballast(disk, 500_000), list[int]()

        def acknowledge(messages: Sequence[Message]) -> None:
            held.append(spool.database.execute("SELECT count(*) FROM frame")[0][0])

        sources = [(lambda topic: True, NativeSource())]
        intake = Intake(
            "gw1", "telemetry", sources, spool, spool.clock, ClockLimits(), acknowledge, wait_for_room=ballast.wait
        )
        for seq in range(1, 101):
            intake.handle([native_message(seq=seq, firmware=BIG)])
        assert (held, ballast.waits, intake.full) == (list(range(1, 101)), 2, False)
        spool.close()


def test_the_quarantine_takes_nothing_half_while_there_is_no_room(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=4m") as disk:
        journal = Journal(tmp_path / "journal", ManualClock(T0_MS), JournalLimits())
        journal.open()
        quarantine = Quarantine(Database(disk / "quarantine.db"))
        quarantine.open()
        accept = Accept(journal, KnownDevices({}), lambda topic, payload: True, lambda messages: None)
        accept.handle([uplink_message(frame(reading(seq=seq), (), seq)) for seq in range(1, 2001)])
        ballast = fill(disk)
        failures = 0
        while quarantine.position() < journal.head:
            blocks = journal.read(quarantine.position(), 3000)
            try:
                quarantine.take(blocks, blocks[-1].next)
            except StorageFull:
                assert (quarantine.position(), quarantine.counts()) == (0, {})
                failures += 1
                ballast.unlink(missing_ok=True)
        assert (failures, quarantine.counts()) == (1, {"unknown_device": 2000})
        quarantine.close()
        journal.close()
