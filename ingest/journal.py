"""The centre's memory and its durable point: every record that ever came, in order, until it is old enough to go.

A chain of segments; the last one is written, the others are sealed. One thread writes; consumers read from positions
of their own, mostly from the blocks still in memory. What is appended is synced when `append` returns.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.clock import Clock
from core.crashpoint import crashpoint
from core.frame import Frame
from core.reading import Readings, concat
from core.sqlite import Database, StorageError, StorageFull, sync_folder
from ingest.books import Asked, Books
from ingest.segment import Block, Sealed, Segment

log = logging.getLogger(__name__)

RECENT_RECORDS_MAX = 50_000
DAY_MS = 86_400_000
READ_RECORDS = 10_000
EVER_MS = -(2**62)


@dataclass(frozen=True)
class JournalLimits:
    """How large a segment grows, how long records stay at least, and how much they may take in all."""

    segment_bytes: int = 256 * 1024 * 1024
    days_min: int = 14
    bytes_max: int = 20 * 1024**3


@dataclass(frozen=True)
class Entry:
    """A frame to be appended, with its bytes, the verdict u1[records] and, where it differs, the quality."""

    data: bytes
    frame: Frame
    verdict: NDArray[np.uint8]
    quality: NDArray[np.uint8] | None = None


class Journal:
    """The chain of segments in one folder."""

    def __init__(self, folder: Path, clock: Clock, limits: JournalLimits, vfs: str | None = None) -> None:
        self.folder = folder
        self.clock = clock
        self.limits = limits
        self.vfs = vfs
        self.books = Books()
        self.segments: list[Segment] = []
        self._recent: deque[Block] = deque()
        self._recent_records = 0
        self._slots = _Growing(np.uint32)
        self._positions = _Growing(np.int64)
        self._judging = threading.RLock()  # taken before _lock, never after it
        self._lock = threading.RLock()
        self._grown = threading.Condition(self._lock)

    # -- writing ---------------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Open the chain and fold the last segment into the books. Raises StorageError with what to do."""
        with self._lock:
            self.folder.mkdir(parents=True, exist_ok=True)
            for path in sorted(self.folder.glob("segment-*.db")):
                segment = Segment(self._database(path), int(path.stem.removeprefix("segment-")))
                segment.open()
                if self.segments and self.segments[-1].next != segment.first:
                    raise StorageError(f"{path} begins at {segment.first}, expected {self.segments[-1].next}")
                self.segments.append(segment)
            if not self.segments:
                self._begin_segment(0)
            self._fold_last()

    def _fold_last(self) -> None:
        last = self.segments[-1]
        opening = last.opening_books()
        if opening is None:  # died between creating the file and writing the books: nothing was appended to it
            assert last.next == last.first
            last.remove()
            self.segments.pop()
            if self.segments:
                self._fold_last()  # it is sealed, so this begins the segment anew
            else:
                self._begin_segment(0)
            return
        self.books = Books.from_bytes(opening)
        position = last.first
        while position < last.next:
            for block in last.read(position, READ_RECORDS):
                self.books.refold(block.frame, block.verdict[: len(block.frame.readings)])
                self.books.enter(block.frame, block.verdict, block.committed_ms)
                self._index(block)
                position = block.next
        if last.sealed:  # its successor was never begun, and blocks may have come after the index was written
            last.seal(self._slots.array, self._positions.array)
            self._begin_segment(last.next)

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Judging a frame and appending it belong together. Readers and `prune`, which makes room, are not kept out."""
        with self._judging:
            yield

    def append(self, entries: Sequence[Entry]) -> int:
        """Append in one transaction and count them in the books; returns the next position.

        Raises StorageFull when there is no room: then nothing was appended and the same call may be repeated.
        """
        with self._judging, self._grown:
            segment = self.segments[-1]
            position, now_ms = segment.next, self.clock.now_ms()
            sealed = []
            for entry in entries:
                block = Block(position, now_ms, entry.verdict, entry.quality, entry.frame)
                sealed.append(Sealed(entry.data, block))
                position = block.next
            crashpoint("ingest.before_commit")
            segment.append(sealed)
            crashpoint("ingest.after_commit")
            for one in sealed:
                self.books.enter(one.block.frame, one.block.verdict, now_ms)
                self._index(one.block)
                self._remember(one.block)
            self._grown.notify_all()
            if segment.bytes >= self.limits.segment_bytes:
                try:
                    self._rotate()
                except StorageFull as error:  # what was appended is safe; the next append tries this again
                    log.error("%s goes on growing: %s", segment.path, error)
            return position

    def _remember(self, block: Block) -> None:
        self._recent.append(block)
        self._recent_records += len(block.verdict)
        while self._recent_records > RECENT_RECORDS_MAX and len(self._recent) > 1:
            self._recent_records -= len(self._recent.popleft().verdict)

    def _index(self, block: Block) -> None:
        slot_of = self.books.windows.slot_of
        found = [slot_of[device_id] for device_id in block.frame.readings.device_ids if device_id in slot_of]
        slots = np.unique(np.array(found, dtype=np.uint32))
        self._slots.extend(slots)
        self._positions.extend(np.full(len(slots), block.position, dtype=np.int64))

    def _rotate(self) -> None:
        """Seal the last segment with its index and begin a new one with the books as they stand.

        Only after an append, never before one: the books must not know readings that are judged but not held.
        """
        crashpoint("journal.before_rotate")
        self.segments[-1].seal(self._slots.array, self._positions.array)
        self._begin_segment(self.segments[-1].next)
        crashpoint("journal.after_rotate")

    def _begin_segment(self, first: int) -> None:
        segment = Segment(self._database(self.folder / f"segment-{first:015d}.db"), first)
        try:
            segment.open()
            segment.begin(self.books.to_bytes())
        except StorageError:
            segment.remove()
            raise
        if self.vfs is None:
            sync_folder(self.folder)
        self.segments.append(segment)
        self._slots, self._positions = _Growing(np.uint32), _Growing(np.int64)

    def _database(self, path: Path) -> Database:
        return Database(path, vfs=self.vfs, check=False)  # blocks carry checksums of their own

    def prune(self, consumed: int) -> list[Path]:
        """Delete sealed segments that are old enough and read by all (`consumed` = the slowest consumer's position),
        and the oldest ones beyond the size limit whoever has not read them; returns the files that are gone.
        """
        with self._lock:
            gone = []
            oldest_ms = self.clock.now_ms() - self.limits.days_min * DAY_MS
            while len(self.segments) > 1:
                first = self.segments[0]
                is_old = first.committed_ms < oldest_ms and first.next <= consumed
                too_much = sum(segment.bytes for segment in self.segments) > self.limits.bytes_max
                if not (is_old or too_much):
                    break
                if first.next > consumed:
                    log.error("%s is deleted for want of room before every store had read it", first.path)
                first.remove()
                gone.append(first.path)
                self.segments.pop(0)
            return gone

    # -- reading ---------------------------------------------------------------------------------------------------

    @property
    def head(self) -> int:
        """The position that the next record gets."""
        return self.segments[-1].next

    @property
    def tail(self) -> int:
        """The oldest position that is still here."""
        return self.segments[0].first

    def wait(self, position: int, timeout_s: float) -> bool:
        """Wait until there is something at `position`; False when the time ran out."""
        with self._grown:
            return self._grown.wait_for(lambda: self.head > position, timeout_s)

    def read(self, position: int, records_max: int = READ_RECORDS) -> list[Block]:
        """Blocks from the one that holds `position` on, up to about `records_max` records."""
        with self._lock:
            if self._recent and self._recent[0].position <= position:
                return self._read_recent(position, records_max)
            for segment in self.segments:
                if segment.next > position:
                    return segment.read(max(position, segment.first), records_max)
            return []

    def _read_recent(self, position: int, records_max: int) -> list[Block]:
        blocks: list[Block] = []
        count = 0
        for block in self._recent:
            if block.next <= position:
                continue
            if blocks and count + len(block.verdict) > records_max:
                break
            blocks.append(block)
            count += len(block.verdict)
        return blocks

    def read_device(self, device_id: str, from_ms: int) -> Readings:
        """The accepted readings of one device with t >= from_ms, in the order in which they came."""
        with self._lock:
            slot = self.books.windows.slot_of.get(device_id)
            if slot is None:
                return concat([])
            found = []
            for segment in self.segments:
                times = segment.t_range()
                if times is None or times[1] < from_ms:
                    continue
                for block in segment.blocks(self._positions_in(segment, slot)):
                    mine = np.array([one == device_id for one in block.accepted.device_ids], dtype=np.bool_)
                    found.append(block.accepted.select(mine & (block.accepted.t_ms >= from_ms)))
            return concat(found)

    def _positions_in(self, segment: Segment, slot: int) -> list[int]:
        if segment is not self.segments[-1]:
            return segment.positions_of(slot)
        found: list[int] = self._positions.array[self._slots.array == slot].tolist()
        return found

    def was_there(self, device_id: str, asked: Asked) -> NDArray[np.bool_]:
        """bool[k]: which of these the device has as accepted readings."""
        from_ms = int(asked.t_ms.min()) if asked.told.all() else EVER_MS
        return asked.among(self.read_device(device_id, from_ms))

    def close(self) -> None:
        """Let go of all files."""
        with self._lock:
            for segment in self.segments:
                segment.close()
            self.segments.clear()


class _Growing:
    """A numpy array that grows at its end."""

    def __init__(self, kind: type[np.generic]) -> None:
        self._data = np.zeros(1024, dtype=kind)
        self._used = 0

    def extend(self, more: NDArray[Any]) -> None:
        """Add at the end."""
        needed = self._used + len(more)
        if needed > len(self._data):
            self._data = np.concatenate([self._data, np.zeros(max(needed, len(self._data)), self._data.dtype)])
        self._data[self._used : needed] = more
        self._used = needed

    @property
    def array(self) -> NDArray[Any]:
        """What was added, as a view."""
        return self._data[: self._used]
