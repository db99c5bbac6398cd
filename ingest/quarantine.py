"""What could not be taken, kept with its reason: refused messages and values, and devices nobody commissioned.

A consumer of the journal like the stores: rows and position in one transaction. The journal holds everything for its
days; this table keeps the newest rows for people to look at, and counts all of them for ever.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.frame import Refusal
from core.kinds import KINDS
from core.sqlite import Database
from ingest.books import Verdict
from ingest.segment import Block

ROWS_MAX = 100_000
SCHEMA = """
CREATE TABLE IF NOT EXISTS refused (
    id INTEGER PRIMARY KEY, position INTEGER UNIQUE, code TEXT NOT NULL, reason TEXT NOT NULL, scope TEXT NOT NULL,
    gateway TEXT NOT NULL, topic TEXT NOT NULL, device_id TEXT NOT NULL, kind TEXT NOT NULL,
    received_ms INTEGER NOT NULL, raw BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS refused_device ON refused (device_id);
CREATE TABLE IF NOT EXISTS counted (code TEXT PRIMARY KEY, count INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS heard (
    device_id TEXT PRIMARY KEY, kind TEXT NOT NULL, gateway TEXT NOT NULL, first_ms INTEGER NOT NULL,
    last_ms INTEGER NOT NULL, count INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""
RAW_KEPT_BYTES_MAX = 4096  # a backfill names its message in each of its readings; the journal has all of it
HEARD_MAX = 10_000  # a cardinality bomb of invented device ids stops here; the rows above still show it
INSERT_REFUSED = (
    "INSERT OR IGNORE INTO refused (position, code, reason, scope, gateway, topic, device_id, kind, received_ms, raw) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


@dataclass(frozen=True)
class Row:
    """One refused thing as people see it; `position` in the journal, None when a store refused it."""

    id: int
    position: int | None
    code: str
    reason: str
    scope: str
    gateway: str
    topic: str
    device_id: str
    kind: str
    received_ms: int
    raw: bytes


@dataclass(frozen=True)
class Heard:
    """A device that speaks but is not commissioned."""

    device_id: str
    kind: str
    gateway: str
    first_ms: int
    last_ms: int
    count: int


class Quarantine:
    """One file; written by its consumer, asked by the API."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._lock = threading.Lock()

    def open(self) -> None:
        """Open or create the file."""
        with self._lock:
            self.database.open(SCHEMA)

    def position(self) -> int:
        """Every record before this journal position was looked at."""
        with self._lock:
            found = self.database.execute("SELECT value FROM meta WHERE key = 'position'")
            return int(found[0][0]) if found else 0

    def take(self, blocks: Sequence[Block], position: int) -> None:
        """Keep what these blocks refused, and remember the position, in one transaction."""
        rows = [row for block in blocks for row in _refused(block)]
        if rows or blocks:
            self._write(rows, position)

    def refuse(self, refusals: Sequence[Refusal]) -> None:
        """Keep what a store refused."""
        self._write([(None, *_columns(refusal, "")) for refusal in refusals], None)

    def _write(self, rows: list[tuple[Any, ...]], position: int | None) -> None:
        counts = Counter(row[1] for row in rows)
        with self._lock, self.database.transaction() as connection:
            connection.executemany(INSERT_REFUSED, rows[-ROWS_MAX:])
            connection.executemany(
                "INSERT INTO counted VALUES (?, ?) ON CONFLICT (code) DO UPDATE SET count = count + excluded.count",
                list(counts.items()),
            )
            self._hear(connection, [row for row in rows if row[1] == "unknown_device"])
            connection.execute("DELETE FROM refused WHERE id <= (SELECT max(id) FROM refused) - ?", (ROWS_MAX,))
            if position is not None:
                connection.execute("INSERT OR REPLACE INTO meta VALUES ('position', ?)", (position,))

    def _hear(self, connection: Any, rows: list[tuple[Any, ...]]) -> None:
        for _, _, _, _, gateway, _, device_id, kind, received_ms, _ in rows:
            changed = connection.execute(
                "UPDATE heard SET kind = ?, gateway = ?, last_ms = max(last_ms, ?), count = count + 1 "
                "WHERE device_id = ? RETURNING 1",
                (kind, gateway, received_ms, device_id),
            ).get
            if changed is None and connection.execute("SELECT count(*) FROM heard").get < HEARD_MAX:
                connection.execute(
                    "INSERT INTO heard VALUES (?, ?, ?, ?, ?, 1)", (device_id, kind, gateway, received_ms, received_ms)
                )

    def forget_heard(self, device_ids: Sequence[str]) -> None:
        """These devices are commissioned now."""
        with self._lock, self.database.transaction() as connection:
            connection.executemany("DELETE FROM heard WHERE device_id = ?", [(one,) for one in device_ids])

    def page(self, limit: int, before: int | None = None, device_id: str | None = None) -> list[Row]:
        """The newest rows first, `before` an id."""
        with self._lock:
            found = self.database.execute(
                "SELECT id, position, code, reason, scope, gateway, topic, device_id, kind, received_ms, raw "
                "FROM refused WHERE id < ? AND (? IS NULL OR device_id = ?) ORDER BY id DESC LIMIT ?",
                (before if before is not None else 2**62, device_id, device_id, limit),
            )
            return [Row(*row) for row in found]

    def counts(self) -> dict[str, int]:
        """How many were refused, by code, ever."""
        with self._lock:
            return dict(self.database.execute("SELECT code, count FROM counted ORDER BY code"))

    def heard(self, limit: int = 1000) -> list[Heard]:
        """Devices that speak but are not commissioned, the latest first."""
        with self._lock:
            return [
                Heard(*row)
                for row in self.database.execute("SELECT * FROM heard ORDER BY last_ms DESC LIMIT ?", (limit,))
            ]

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self.database.close()


def _columns(refusal: Refusal, gateway: str) -> tuple[Any, ...]:
    return (
        refusal.code,
        refusal.reason,
        refusal.scope,
        gateway,
        refusal.topic,
        refusal.device_id,
        refusal.kind,
        refusal.received_ms,
        refusal.raw,
    )


def _refused(block: Block) -> Iterator[tuple[Any, ...]]:
    frame = block.frame
    readings = frame.readings
    verdict = block.verdict[: len(readings)]
    for row in np.flatnonzero((verdict == Verdict.UNKNOWN_DEVICE) | (verdict == Verdict.WRONG_KIND)).tolist():
        device_id, kind = readings.device_ids[row], KINDS[readings.kind[row]]
        if verdict[row] == Verdict.UNKNOWN_DEVICE:
            code, reason = "unknown_device", f"'{device_id}' is in no inventory: commission it, or import it"
        else:
            code, reason = "wrong_kind", f"'{device_id}' speaks as '{kind}', the inventory has another kind for it"
        raw = frame.raws[frame.message[row]][:RAW_KEPT_BYTES_MAX]
        received_ms = int(readings.received_ms[row])
        refusal = Refusal(code, reason, "message", "", device_id, kind, received_ms, raw)
        yield (block.position + row, *_columns(refusal, frame.gateway))
    for index, refusal in enumerate(frame.refusals):
        yield (block.position + len(readings) + index, *_columns(refusal, frame.gateway))
