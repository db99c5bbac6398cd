"""One file of the journal: blocks in order, the books it opened with, and, once sealed, an index by device.

A block is one gateway frame, verbatim, with the verdict on each of its records. Positions count records over the whole
journal; a block's position is that of its first record.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core import frame as frames
from core.frame import Frame
from core.reading import Readings
from core.sqlite import Database, StorageDamaged
from ingest.books import Verdict

SCHEMA = """
CREATE TABLE IF NOT EXISTS block (
    position INTEGER PRIMARY KEY, records INTEGER NOT NULL, committed_ms INTEGER NOT NULL,
    t_min INTEGER, t_max INTEGER, checksum INTEGER NOT NULL, verdict BLOB NOT NULL, quality BLOB, frame BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS state (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS device_index (bucket INTEGER PRIMARY KEY, slots BLOB NOT NULL, positions BLOB NOT NULL);
"""
BUCKET_SLOTS = 256


@dataclass(frozen=True, eq=False)
class Block:
    """A frame in the journal. `verdict` u1[records]; `quality` u1[readings] where the centre knew better."""

    position: int
    committed_ms: int
    verdict: NDArray[np.uint8]
    quality: NDArray[np.uint8] | None
    frame: Frame

    @property
    def next(self) -> int:
        """The position after this block."""
        return self.position + len(self.verdict)

    @cached_property
    def accepted(self) -> Readings:
        """The readings that count: no duplicates, no unknown devices."""
        readings = self.frame.readings
        if self.quality is not None:
            readings = readings.with_quality(self.quality)
        return readings.select(self.verdict[: len(readings)] == Verdict.ACCEPTED)


@dataclass(frozen=True)
class Sealed:
    """A block on its way into a segment: the frame's bytes as they came, and the block they make."""

    data: bytes
    block: Block


class Segment:
    """One file. The journal calls, one thread at a time."""

    def __init__(self, database: Database, first: int) -> None:
        self.database = database
        self.first = first
        self.next = first
        self.bytes = 0
        self.sealed = False
        self.committed_ms = 0

    @property
    def path(self) -> Path:
        """The file."""
        return self.database.path

    def open(self) -> None:
        """Open the file and see how far it goes."""
        self.database.open(SCHEMA)
        last = self.database.execute(
            "SELECT position + records, committed_ms FROM block ORDER BY position DESC LIMIT 1"
        )
        self.next, self.committed_ms = last[0] if last else (self.first, 0)
        self.bytes = self.database.execute("SELECT coalesce(sum(length(frame)), 0) FROM block")[0][0]
        self.sealed = bool(self.database.execute("SELECT 1 FROM state WHERE key = 'sealed'"))

    def begin(self, books: bytes) -> None:
        """Write what the books were when this segment began."""
        with self.database.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO state VALUES ('opening_books', ?)", (books,))

    def opening_books(self) -> bytes | None:
        """What `begin` wrote; None when it did not come to that."""
        found = self.database.execute("SELECT value FROM state WHERE key = 'opening_books'")
        return bytes(found[0][0]) if found else None

    def append(self, sealed: Sequence[Sealed]) -> None:
        """All blocks in one transaction; durable when this returns."""
        with self.database.transaction() as connection:
            connection.executemany(
                "INSERT INTO block VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", [_row(one) for one in sealed]
            )
        self.next = sealed[-1].block.next
        self.committed_ms = sealed[-1].block.committed_ms
        self.bytes += sum(len(one.data) for one in sealed)

    def read(self, position: int, records_max: int) -> list[Block]:
        """Blocks from the one that holds `position` on, at least one if there is any, then up to `records_max`."""
        blocks: list[Block] = []
        count = 0
        rows = self.database.rows(
            "SELECT position, records, committed_ms, checksum, verdict, quality, frame FROM block "
            "WHERE position + records > ? AND position >= ? ORDER BY position",
            (position, position - _RECORDS_IN_A_FRAME_MAX),
        )
        for row in rows:
            if blocks and count + row[1] > records_max:
                break
            blocks.append(self._block(row))
            count += row[1]
        return blocks

    def blocks(self, positions: Sequence[int]) -> list[Block]:
        """The blocks that begin at these positions, in this order."""
        found = []
        for position in positions:
            found += self.database.execute(
                "SELECT position, records, committed_ms, checksum, verdict, quality, frame FROM block "
                "WHERE position = ?",
                (position,),
            )
        return [self._block(row) for row in found]

    def _block(self, row: tuple[int, int, int, int, bytes, bytes | None, bytes]) -> Block:
        position, _, committed_ms, checksum, verdict, quality, data = row
        damaged = f"{self.path}: the block at position {position} is damaged; restore the file from a backup"
        if _checksum(verdict, quality, data) != checksum:
            raise StorageDamaged(damaged)
        try:
            frame = frames.decode(data)
        except frames.FrameError as error:
            raise StorageDamaged(f"{damaged} ({error})") from error
        return Block(
            position,
            committed_ms,
            np.frombuffer(verdict, np.uint8),
            None if quality is None else np.frombuffer(quality, np.uint8),
            frame,
        )

    def extents(self, position: int, limit: int) -> list[tuple[int, int]]:
        """(position, records) of the next blocks from `position` on, without reading what is in them."""
        sql = "SELECT position, records FROM block WHERE position >= ? ORDER BY position LIMIT ?"
        return [(first, records) for first, records in self.database.execute(sql, (position, limit))]

    def seal(self, slots: NDArray[np.uint32], positions: NDArray[np.int64]) -> None:
        """No more blocks come: write the index (slot of a device → positions of its blocks), fold the log in."""
        order = np.lexsort((positions, slots))
        slots, positions = slots[order], positions[order]
        edges = np.flatnonzero(np.diff(slots // BUCKET_SLOTS, prepend=np.uint32(2**32 - 1)))
        with self.database.transaction() as connection:
            connection.execute("DELETE FROM device_index")
            for start, end in pairwise([*edges.tolist(), len(slots)]):
                connection.execute(
                    "INSERT INTO device_index VALUES (?, ?, ?)",
                    (int(slots[start]) // BUCKET_SLOTS, slots[start:end].tobytes(), positions[start:end].tobytes()),
                )
            connection.execute("INSERT OR REPLACE INTO state VALUES ('sealed', x'01')")
        self.sealed = True

    def positions_of(self, slot: int) -> list[int]:
        """Where a sealed segment has blocks of a device."""
        found = self.database.execute(
            "SELECT slots, positions FROM device_index WHERE bucket = ?", (slot // BUCKET_SLOTS,)
        )
        if not found:
            return []
        slots = np.frombuffer(found[0][0], np.uint32)
        positions = np.frombuffer(found[0][1], np.int64)
        low, high = int(np.searchsorted(slots, slot)), int(np.searchsorted(slots, slot, "right"))
        return [int(position) for position in positions[low:high]]

    def t_range(self) -> tuple[int, int] | None:
        """Oldest and newest event time (Unix ms); None without readings."""
        low, high = self.database.execute("SELECT min(t_min), max(t_max) FROM block")[0]
        return None if low is None else (low, high)

    def close(self) -> None:
        """Let go of the file."""
        self.database.close()

    def remove(self) -> None:
        """Delete the file, and its log: left alone it would be taken for that of the next file of this name."""
        self.database.close()
        for suffix in ("-wal", "-journal", ""):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)


_RECORDS_IN_A_FRAME_MAX = 1_000_000


def _checksum(verdict: bytes, quality: bytes | None, data: bytes) -> int:
    # The frame has a checksum of its own, which stands in its first bytes.
    return zlib.crc32(data[: frames.HEADER_BYTES], zlib.crc32(quality or b"", zlib.crc32(verdict)))


def _row(sealed: Sealed) -> tuple[object, ...]:
    block = sealed.block
    t_ms = block.frame.readings.t_ms
    verdict = block.verdict.tobytes()
    quality = None if block.quality is None else block.quality.tobytes()
    return (
        block.position,
        len(block.verdict),
        block.committed_ms,
        int(t_ms.min()) if len(t_ms) else None,
        int(t_ms.max()) if len(t_ms) else None,
        _checksum(verdict, quality, sealed.data),
        verdict,
        quality,
        sealed.data,
    )
