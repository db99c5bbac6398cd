"""The journal: in order, synced, in segments, readable by position and by device, and the same after any restart."""

import threading
from pathlib import Path

import numpy as np
import pytest

from core import frame as frames
from core.clock import ManualClock
from core.frame import Frame
from core.reading import Readings, concat
from core.sqlite import StorageDamaged, StorageError, StorageFull
from ingest.books import Verdict
from ingest.journal import Entry, Journal, JournalLimits
from tests.support.records import T0_MS, frame, reading, refusal

DAY_S = 86_400.0


class Bench:
    """A journal and a gateway that numbers its frames."""

    def __init__(self, folder: Path, segment_bytes: int = 2**30, bytes_max: int = 2**40) -> None:
        self.folder = folder / "journal"
        self.limits = JournalLimits(segment_bytes, 14, bytes_max)
        self.clock = ManualClock(T0_MS)
        self.next_seq = 1
        self.open()

    def open(self) -> None:
        self.journal = Journal(self.folder, self.clock, self.limits)
        self.journal.open()

    def restart(self) -> None:
        self.journal.close()
        self.open()

    def frame(self, readings: Readings | None, refusals: int = 0) -> Frame:
        made = frame(readings, [refusal()] * refusals, self.next_seq)
        self.next_seq += len(made)
        return made

    def judge(self, made: Frame) -> Entry:
        verdict = np.full(len(made), Verdict.REFUSED, dtype=np.uint8)
        mine = verdict[: len(made.readings)]
        mine[:] = Verdict.ACCEPTED
        self.journal.books.judge(made, mine, self.journal.was_there)
        return Entry(frames.encode(made), made, verdict)

    def add(self, *parts: Readings | None, refusals: int = 0) -> int:
        return self.journal.append([self.judge(self.frame(part, refusals)) for part in parts])


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def seqs(journal: Journal, position: int = 0, records_max: int = 10_000) -> list[int]:
    return [seq for block in journal.read(position, records_max) for seq in block.frame.readings.seq.tolist()]


def many(first: int, count: int, device_id: str = "L1") -> Readings:
    return concat([reading(device_id, 1, seq, T0_MS + seq * 1000) for seq in range(first, first + count)])


def test_positions_count_records_without_a_hole(bench: Bench) -> None:
    assert bench.add(many(1, 3), many(4, 2), refusals=1) == 7
    assert [(block.position, block.next) for block in bench.journal.read(0)] == [(0, 4), (4, 7)]
    assert (bench.journal.head, bench.journal.tail) == (7, 0)


def test_what_was_appended_is_there_after_a_restart_with_the_same_books(bench: Bench) -> None:
    bench.add(many(1, 5), many(3, 5), refusals=2)
    books, before = bench.journal.books.to_bytes(), seqs(bench.journal)
    bench.restart()
    assert (seqs(bench.journal), bench.journal.books.to_bytes(), bench.journal.head) == (before, books, 14)


def test_repeats_are_known_over_restarts_and_segments(tmp_path: Path) -> None:
    bench = Bench(tmp_path, segment_bytes=500)
    for first in range(1, 50, 5):
        bench.add(many(first, 5))
    assert len(bench.journal.segments) > 3
    bench.restart()
    bench.add(many(1, 50))
    assert (bench.journal.books.counts["duplicate"], bench.journal.books.counts["accepted"]) == (50, 50)


def test_reading_begins_with_the_block_that_holds_the_position_and_stops_at_about_the_limit(bench: Bench) -> None:
    bench.add(*(many(first, 10) for first in range(1, 101, 10)))
    for _ in range(2):
        assert [block.position for block in bench.journal.read(15, 30)] == [10, 20, 30]
        assert [block.position for block in bench.journal.read(20, 5)] == [20]
        assert bench.journal.read(100) == []
        bench.restart()


def test_a_reader_goes_through_sealed_segments_and_what_is_in_memory_alike(tmp_path: Path) -> None:
    bench = Bench(tmp_path, segment_bytes=2000)
    for first in range(1, 301, 10):
        bench.add(many(first, 10))
        if first % 90 == 1:
            bench.restart()
    found, position = [], 0
    while position < bench.journal.head:
        blocks = bench.journal.read(position, 25)
        found += [seq for block in blocks for seq in block.frame.readings.seq.tolist()]
        position = blocks[-1].next
    assert found == list(range(1, 301))


def test_one_device_is_read_from_a_time_on_over_all_segments(tmp_path: Path) -> None:
    bench = Bench(tmp_path, segment_bytes=1500)
    for first in range(1, 41, 2):
        bench.add(many(first, 2, "L1"), many(first, 2, "L2"), reading("L1", 1, first, T0_MS + first * 1000))
    for _ in range(2):
        assert len(bench.journal.segments) > 2
        assert bench.journal.read_device("L1", T0_MS + 31_000).seq.tolist() == list(range(31, 41))
        assert bench.journal.read_device("L2", 0).seq.tolist() == list(range(1, 41))
        assert len(bench.journal.read_device("L3", 0)) == 0
        bench.restart()


def test_a_segment_without_any_known_device_can_be_sealed(tmp_path: Path) -> None:
    bench = Bench(tmp_path, segment_bytes=500)
    for _ in range(10):
        bench.add(None, refusals=5)
    bench.add(many(1, 3))
    bench.restart()
    assert len(bench.journal.segments) > 1
    assert bench.journal.read_device("L1", 0).seq.tolist() == [1, 2, 3]


def test_a_sealed_segment_whose_successor_was_never_begun_gets_one_and_keeps_its_index(bench: Bench) -> None:
    bench.add(many(1, 3))
    bench.journal.segments[-1].seal(np.array([], dtype=np.uint32), np.array([], dtype=np.int64))
    bench.add(many(4, 3))
    bench.restart()
    assert [segment.first for segment in bench.journal.segments] == [0, 6]
    assert bench.journal.read_device("L1", 0).seq.tolist() == [1, 2, 3, 4, 5, 6]


def test_a_segment_that_was_begun_without_its_books_is_begun_anew(bench: Bench) -> None:
    bench.add(many(1, 3))
    bench.journal._rotate()
    bench.journal.segments[-1].database.execute("DELETE FROM state")
    bench.restart()
    assert (bench.journal.head, len(bench.journal.segments)) == (3, 2)
    bench.add(many(1, 4))
    assert bench.journal.books.counts["duplicate"] == 3


class NoRoom:
    """Stands where a part of the journal does its work, and has no room a few times."""

    def __init__(self, times: int, work: object) -> None:
        self.times, self.work = times, work

    def __call__(self, *given: object) -> object:
        self.times -= 1
        if self.times >= 0:
            raise StorageFull("no room")
        assert callable(self.work)
        return self.work(*given)


@pytest.mark.parametrize("part", ["seal", "begin"])
def test_no_room_for_a_new_segment_neither_loses_nor_doubles_what_was_appended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    bench = Bench(tmp_path, segment_bytes=700)
    no_room = NoRoom(3, getattr(type(bench.journal.segments[0]), part))
    monkeypatch.setattr(type(bench.journal.segments[0]), part, lambda *given: no_room(*given))
    for first in range(1, 21, 2):
        bench.add(many(first, 2))
    assert (seqs(bench.journal), len(bench.journal.segments) > 1) == (list(range(1, 21)), True)
    bench.restart()
    assert bench.journal.read_device("L1", 0).seq.tolist() == list(range(1, 21))
    assert bench.journal.books.counts["accepted"] == 20


def test_no_room_for_an_append_changes_nothing_and_it_may_be_repeated(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.add(many(1, 2))
    entry = bench.judge(bench.frame(many(3, 2)))
    no_room = NoRoom(1, bench.journal.segments[-1].append)
    monkeypatch.setattr(bench.journal.segments[-1], "append", no_room)
    with pytest.raises(StorageFull):
        bench.journal.append([entry])
    assert (bench.journal.head, bench.journal.books.counts["records"]) == (2, 2)
    bench.journal.append([entry])
    assert (seqs(bench.journal), bench.journal.books.counts["accepted"]) == ([1, 2, 3, 4], 4)


def test_who_waits_for_room_does_not_keep_readers_and_the_pruner_out(tmp_path: Path) -> None:
    bench = Bench(tmp_path, segment_bytes=300)
    for first in range(1, 11):
        bench.add(many(first, 1))
    bench.clock.advance(20 * DAY_S)
    answers: list[object] = []

    def others() -> None:
        answers.append(len(bench.journal.read(0)))
        answers.append(len(bench.journal.read_device("L1", 0)))
        answers.append(len(bench.journal.prune(bench.journal.head)) > 0)

    with bench.journal.exclusive():
        thread = threading.Thread(target=others, daemon=True)
        thread.start()
        thread.join(10)
    assert answers[1:] == [10, True]


def test_old_segments_go_when_all_have_read_them(tmp_path: Path) -> None:
    bench = Bench(tmp_path, segment_bytes=300)
    for first in range(1, 11):
        bench.add(many(first, 1))
    assert bench.journal.prune(bench.journal.head) == []
    bench.clock.advance(20 * DAY_S)
    assert bench.journal.prune(0) == []
    second = bench.journal.segments[1].first
    gone = bench.journal.prune(second)
    assert ([path.name for path in gone], bench.journal.tail) == ([f"segment-{0:015d}.db"], second)
    assert not any(file.name.startswith(f"segment-{0:015d}") for file in bench.folder.iterdir())
    bench.restart()
    assert (bench.journal.tail, bench.journal.read(second)[0].position) == (second, second)
    bench.add(many(1, 1))
    assert bench.journal.books.counts["duplicate"] == 1


def test_beyond_the_limit_the_oldest_go_whoever_has_not_read_them(tmp_path: Path) -> None:
    bench = Bench(tmp_path, segment_bytes=300, bytes_max=900)
    for first in range(1, 21):
        bench.add(many(first, 1))
    assert bench.journal.prune(0) != []
    assert sum(segment.bytes for segment in bench.journal.segments) <= 900


def test_a_damaged_block_is_named_and_not_read(bench: Bench) -> None:
    bench.add(many(1, 3))
    bench.journal.segments[-1].database.execute("UPDATE block SET verdict = x'010101'")
    bench.journal.close()
    with pytest.raises(StorageDamaged, match="the block at position 0 is damaged; restore the file from a backup"):
        bench.open()


def test_a_missing_segment_is_named(tmp_path: Path) -> None:
    bench = Bench(tmp_path, segment_bytes=300)
    for first in range(1, 11):
        bench.add(many(first, 1))
    bench.journal.close()
    sorted(bench.folder.glob("*.db"))[1].unlink()
    with pytest.raises(StorageError, match=r"segment-\d+\.db begins at \d+, expected \d+"):
        bench.open()


def test_the_memory_of_recent_blocks_is_bounded_and_older_ones_come_from_the_file(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.journal.RECENT_RECORDS_MAX", 100)
    for first in range(1, 300, 10):
        bench.add(many(first, 10))
        assert bench.journal._recent_records <= 100
    assert bench.journal.read(0, 10)[0].position == 0


def test_a_reader_waits_for_what_comes(bench: Bench) -> None:
    assert not bench.journal.wait(0, 0.01)
    threading.Timer(0.05, lambda: bench.add(many(1, 1))).start()
    assert bench.journal.wait(0, 10)
