"""The power goes at any write: what spool and journal had promised is there, and they go on where they were."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from random import Random

import numpy as np
import pytest

from core import frame as frames
from core.clock import ManualClock
from core.frame import LANES, Frame
from core.reading import Readings, concat
from core.sqlite import Database, StorageDamaged, StorageError
from gateway.spool import MIB, Entry, Spool
from ingest.books import Verdict
from ingest.journal import Entry as JournalEntry
from ingest.journal import Journal, JournalLimits
from tests.support.power_cut_vfs import PowerCutVFS
from tests.support.records import T0_MS, frame, reading, refusal
from tests.support.soak import rounds

# One statement may meet the dead disk several times; apsw can raise only one of these errors and mentions the others.
pytestmark = [pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"), pytest.mark.slow]
SEEDS = rounds(60)
CUTS = 5
WRITES_BEFORE_CUT_MAX = 120


@pytest.fixture(params=["forgets", "tears"])
def disks(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Iterator[tuple[PowerCutVFS, Path]]]:
    """A fresh disk with a folder for each seed."""
    made: list[PowerCutVFS] = []

    def make() -> Iterator[tuple[PowerCutVFS, Path]]:
        for seed in range(SEEDS):
            made.append(PowerCutVFS(f"power-{request.param}-{seed}", Random(seed), request.param == "tears"))
            folder = tmp_path / f"seed-{seed}"
            folder.mkdir()
            yield made[-1], folder

    yield make()
    for disk in made:
        disk.unregister()


def some_readings(chance: Random, seq: int) -> Readings:
    values = {"power_w": chance.random()}
    return concat(
        [
            reading(seq=seq + number, t_ms=T0_MS + seq + number, values=values)
            for number in range(chance.randrange(1, 30))
        ]
    )


def let_go(*databases: Database) -> None:
    """The process is dead; its files are as the cut left them."""
    for database in databases:
        with suppress(StorageError):
            database.close()


class SpoolUnderPower:
    """A spool's life over several cuts; remembers what it promised."""

    def __init__(self, disk: PowerCutVFS, folder: Path, synchronous: str = "") -> None:
        self.disk, self.folder, self.synchronous = disk, folder, synchronous
        self.promised: dict[tuple[int, int], bytes] = {}
        self.epochs: list[int] = []
        self.kept: dict[str, bytes] = {}

    def live(self, cut_after: int) -> None:
        """Open, check what was promised, work until the power goes."""
        self.disk.power_on(cut_after)
        database = Database(self.folder / "spool.db", vfs=self.disk.name)
        database.synchronous = self.synchronous or database.synchronous
        spool = Spool(database, ManualClock(5), 64 * MIB)
        try:
            spool.open()
            self.check(spool)
            while True:
                self.work(spool)
        except StorageDamaged:
            raise
        except StorageError:
            assert self.disk.is_dead
        finally:
            let_go(database)

    def check(self, spool: Spool) -> None:
        held = {(one.epoch, one.first_seq): spool.data(one.id) for one in spool.waiting(10**6)}
        assert self.promised.items() <= held.items()
        assert len(held) == len(spool.waiting(10**6))
        assert not self.epochs or spool.epoch > self.epochs[-1]
        assert self.kept.items() <= spool.kept().items()
        self.epochs.append(spool.epoch)

    def work(self, spool: Spool) -> None:
        chance = self.disk.chance

        def seal(epoch: int, first_seq: int) -> Frame:
            assert (epoch, first_seq) not in self.promised
            return frame(some_readings(chance, first_seq), (), first_seq, "gw1", epoch, chance.choice(LANES))

        key, value = f"k{chance.randrange(5)}", chance.randbytes(8)
        was = self.kept.pop(key, None)
        entry: Entry = spool.append(chance.choice(LANES), seal, {key: value})
        assert was != value
        self.kept[key] = value
        self.promised[entry.epoch, entry.first_seq] = spool.data(entry.id) or b""
        if chance.random() < 0.3:
            done = spool.waiting(3)
            for one in done:
                self.promised.pop((one.epoch, one.first_seq), None)
            spool.release(done)
        if chance.random() < 0.1:
            spool.tidy()


class JournalUnderPower:
    """A journal's life over several cuts."""

    def __init__(self, disk: PowerCutVFS, folder: Path) -> None:
        self.disk, self.folder = disk, folder
        self.promised: dict[int, bytes] = {}
        self.first_seq = 1

    def live(self, cut_after: int) -> None:
        self.disk.power_on(cut_after)
        journal = Journal(self.folder / "journal", ManualClock(T0_MS), JournalLimits(9000), self.disk.name)
        try:
            journal.open()
            self.check(journal)
            while True:
                self.work(journal)
        except StorageDamaged:
            raise
        except StorageError:
            assert self.disk.is_dead
        finally:
            let_go(*(segment.database for segment in journal.segments))

    def check(self, journal: Journal) -> None:
        held, position = {}, 0
        while position < journal.head:
            for block in journal.read(position):
                assert block.position == position
                held[position] = frames.encode(block.frame)
                position = block.next
        assert self.promised.items() <= held.items()
        line = journal.books.ledger.lines.get(("gw1", 1))
        self.first_seq = line.ends[-1] + 1 if line else 1
        assert (line is None or not line.missing(), journal.books.counts["records"]) == (True, position)
        assert journal.books.counts["accepted"] + journal.books.counts["refused"] == position

    def work(self, journal: Journal) -> None:
        chance, entries = self.disk.chance, []
        with journal.exclusive():
            head = position = journal.head
            for _ in range(chance.randrange(1, 4)):
                made = frame(some_readings(chance, self.first_seq), [refusal()], self.first_seq)
                verdict = np.full(len(made), Verdict.REFUSED, dtype=np.uint8)
                mine = verdict[:-1]
                mine[:] = Verdict.ACCEPTED
                journal.books.judge(made, mine, journal.was_there)
                assert (mine == Verdict.ACCEPTED).all()
                entries.append(JournalEntry(frames.encode(made), made, verdict))
                self.first_seq += len(made)
            journal.append(entries)
        for entry in entries:
            self.promised[position] = entry.data
            position += len(entry.verdict)
        assert head < position == journal.head


def test_the_spool_keeps_its_promises_over_every_cut(disks: Iterator[tuple[PowerCutVFS, Path]]) -> None:
    promised = 0
    for disk, folder in disks:
        life = SpoolUnderPower(disk, folder)
        for _ in range(CUTS):
            life.live(disk.chance.randrange(1, WRITES_BEFORE_CUT_MAX))
        promised += len(life.promised)
    assert promised > SEEDS


def test_the_journal_keeps_its_promises_over_every_cut_and_every_new_segment(
    disks: Iterator[tuple[PowerCutVFS, Path]],
) -> None:
    segments = 0
    for disk, folder in disks:
        life = JournalUnderPower(disk, folder)
        for _ in range(CUTS):
            life.live(disk.chance.randrange(1, WRITES_BEFORE_CUT_MAX))
        segments += len(list((folder / "journal").glob("*.db")))
    assert segments > 2 * SEEDS


@pytest.mark.parametrize("synchronous", ["NORMAL", "OFF"])
def test_with_less_than_a_sync_for_each_commit_a_promise_is_broken(
    disks: Iterator[tuple[PowerCutVFS, Path]], synchronous: str
) -> None:
    def lives() -> None:
        for disk, folder in disks:
            life = SpoolUnderPower(disk, folder, synchronous)
            for _ in range(CUTS):
                life.live(disk.chance.randrange(1, WRITES_BEFORE_CUT_MAX))

    with pytest.raises((AssertionError, StorageDamaged)):
        lives()
