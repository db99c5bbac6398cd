"""The gateway's memory: sealed frames in SQLite, committed and synced before anybody is told that they are safe.

Each start of the gateway is a new epoch (a number that only grows), and within an epoch records are counted from 1
without a hole. A frame leaves the spool only when the centre has said that it holds it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain, islice

from core import frame as frames
from core.clock import Clock
from core.crashpoint import crashpoint
from core.frame import LANES, Frame
from core.sqlite import Database, StorageFull

log = logging.getLogger(__name__)

MIB = 1024 * 1024
SOS_RESERVE_BYTES = 16 * MIB
SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS frame (
    id INTEGER PRIMARY KEY AUTOINCREMENT, lane INTEGER NOT NULL, epoch INTEGER NOT NULL, first_seq INTEGER NOT NULL,
    records INTEGER NOT NULL, sealed_ms INTEGER NOT NULL, data BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS kept (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class Entry:
    """A frame in the spool, without its bytes. `bytes` is its size, `sealed_ms` when it was committed."""

    id: int
    lane: str
    epoch: int
    first_seq: int
    records: int
    sealed_ms: int
    bytes: int

    @property
    def last_seq(self) -> int:
        """The sequence number of its last record."""
        return self.first_seq + self.records - 1


Seal = Callable[[int, int], Frame]


class Spool:
    """One file. Intake appends, uplink reads and releases; each call is atomic and may come from any thread."""

    def __init__(self, database: Database, clock: Clock, bytes_max: int) -> None:
        self.database = database
        self.clock = clock
        self.bytes_max = bytes_max
        self.epoch = 0
        self.next_seq = 1
        self.lanes: dict[str, dict[int, Entry]] = {lane: {} for lane in LANES}
        self.bytes = 0
        self._entry_of: dict[tuple[int, int], Entry] = {}
        self._released: list[int] = []
        self._lock = threading.RLock()

    def open(self) -> None:
        """Open the file, begin a new epoch, and know what is still to be sent."""
        with self._lock:
            self.database.open(SCHEMA)
            found = self.database.execute("SELECT value FROM meta WHERE key = 'epoch'")
            previous = int(found[0][0]) if found else 0
            # Growing even when the file was lost or the clock was set back: a number is never used twice.
            self.epoch = max(previous + 1, self.clock.now_ms())
            with self.database.transaction() as connection:
                connection.execute("INSERT OR REPLACE INTO meta VALUES ('epoch', ?)", (self.epoch,))
            self.next_seq = 1
            rows = self.database.execute(
                "SELECT id, lane, epoch, first_seq, records, sealed_ms, length(data) FROM frame ORDER BY id"
            )
            for row in rows:
                self._remember(Entry(row[0], LANES[row[1]], *row[2:]))

    def append(self, lane: str, seal: Seal, kept: dict[str, bytes] | None = None) -> Entry:
        """Seal a frame with the next numbers and commit it; durable when this returns.

        `seal(epoch, first_seq)` builds the frame. `kept` are small things to remember in the same transaction.
        Raises StorageFull when there is no room: then nothing happened. The last 16 MiB are for SOS alone.
        """
        with self._lock:
            limit = self.bytes_max if lane == "sos" else self.bytes_max - SOS_RESERVE_BYTES
            if self.bytes >= limit:
                raise StorageFull(f"the spool holds {self.bytes // MIB} MiB and may hold {limit // MIB} MiB")
            sealed = seal(self.epoch, self.next_seq)
            data = frames.encode(sealed)
            sealed_ms = self.clock.now_ms()
            released = list(self._released)
            crashpoint("gateway.before_commit")
            with self.database.transaction() as connection:
                connection.execute(
                    "INSERT INTO frame (lane, epoch, first_seq, records, sealed_ms, data) VALUES (?, ?, ?, ?, ?, ?)",
                    (LANES.index(lane), self.epoch, self.next_seq, len(sealed), sealed_ms, data),
                )
                number = connection.last_insert_rowid()
                connection.executemany("DELETE FROM frame WHERE id = ?", [(gone,) for gone in released])
                connection.executemany("INSERT OR REPLACE INTO kept VALUES (?, ?)", list((kept or {}).items()))
            crashpoint("gateway.after_commit")
            del self._released[: len(released)]
            entry = Entry(number, lane, self.epoch, self.next_seq, len(sealed), sealed_ms, len(data))
            self._remember(entry)
            self.next_seq += len(sealed)
            return entry

    def data(self, number: int) -> bytes | None:
        """The bytes of a frame; None when it has left the spool."""
        with self._lock:
            found = self.database.execute("SELECT data FROM frame WHERE id = ?", (number,))
            return bytes(found[0][0]) if found else None

    def find(self, epoch: int, ranges: Iterable[tuple[int, int]]) -> list[Entry]:
        """The frames that hold exactly these records, as [first_seq, last_seq]; those that are gone are left out."""
        with self._lock:
            found = [self._entry_of.get((epoch, first)) for first, _ in ranges]
            lasts = [last for _, last in ranges]
            return [one for one, last in zip(found, lasts, strict=True) if one is not None and one.last_seq == last]

    def release(self, entries: Iterable[Entry]) -> None:
        """The centre holds these frames. They are forgotten at once and deleted with the next commit or `tidy`:
        a crash in between only sends them once more.
        """
        with self._lock:
            for entry in entries:
                if self.lanes[entry.lane].pop(entry.id, None) is not None:
                    self.bytes -= entry.bytes
                    self._entry_of.pop((entry.epoch, entry.first_seq), None)
                    self._released.append(entry.id)

    def tidy(self) -> None:
        """Delete what was released, when no append has done it. Without room for that it stays until there is some."""
        with self._lock:
            if not self._released:
                return
            released = list(self._released)
            try:
                with self.database.transaction() as connection:
                    connection.executemany("DELETE FROM frame WHERE id = ?", [(gone,) for gone in released])
            except StorageFull as error:
                log.warning("released frames are not deleted yet: %s", error)
                return
            del self._released[: len(released)]

    def waiting(self, count: int) -> list[Entry]:
        """The first `count` frames that the centre does not hold yet: SOS first, then in the order of arrival."""
        with self._lock:
            return list(islice(chain.from_iterable(self.lanes[lane].values() for lane in LANES), count))

    def depth(self) -> tuple[int, int, int | None]:
        """How much waits: frames, bytes, and when the oldest of them was sealed (Unix ms, None when nothing waits)."""
        with self._lock:
            oldest = [next(iter(lane.values())).sealed_ms for lane in self.lanes.values() if lane]
            return sum(len(lane) for lane in self.lanes.values()), self.bytes, min(oldest, default=None)

    def kept(self) -> dict[str, bytes]:
        """The small things remembered by `append`."""
        with self._lock:
            return {row[0]: bytes(row[1]) for row in self.database.execute("SELECT key, value FROM kept")}

    def keep(self, key: str, value: bytes) -> None:
        """Remember one small thing now."""
        with self._lock, self.database.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO kept VALUES (?, ?)", (key, value))

    def _remember(self, entry: Entry) -> None:
        self.lanes[entry.lane][entry.id] = entry
        self._entry_of[entry.epoch, entry.first_seq] = entry
        self.bytes += entry.bytes

    def close(self) -> None:
        """Delete what was released and let go of the file."""
        with self._lock:
            self.tidy()
            self.database.close()
