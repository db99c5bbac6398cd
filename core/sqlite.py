"""SQLite files that survive a power cut: the one place that knows apsw.

Write-ahead log with `synchronous=FULL` (each commit is synced), one exclusive writer per file, no shared memory: the
combination that lost nothing in simulated power cuts (docs/decisions/0002-durability.md). apsw brings its own SQLite,
newer than 3.51.3: older ones can corrupt a write-ahead log that two connections use.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw

SQLITE_MIN = (3, 51, 3)


class StorageError(RuntimeError):
    """The file can't be used; the text says why and what to do.

    StorageError
    ├── StorageFull    no room: nothing was written, try again when there is room
    ├── StorageInUse   another process has the file
    └── StorageDamaged the file is no database or a damaged one
    """


class StorageFull(StorageError):
    """The disk or the quota has no room left; the transaction was rolled back."""


class StorageInUse(StorageError):
    """Another process holds the file."""


class StorageDamaged(StorageError):
    """The file is damaged; it is left as it is."""


class Database:
    """One file, one connection, one thread at a time (the owner locks)."""

    def __init__(self, path: Path, synchronous: str = "FULL", vfs: str | None = None, check: bool = True) -> None:
        self.path = path
        self.synchronous = synchronous
        self.vfs = vfs
        self.check = check
        self._connection: apsw.Connection | None = None

    def open(self, schema: str) -> None:
        """Open or create, take the exclusive lock, check the file, create what `schema` names.

        Raises StorageInUse, StorageDamaged or StorageError with what to do.
        """
        found = tuple(int(part) for part in apsw.sqlite_lib_version().split("."))
        assert found >= SQLITE_MIN, f"SQLite {found} can corrupt a write-ahead log, at least {SQLITE_MIN} is needed"
        is_new = not self.path.exists()
        with self._errors():
            connection = apsw.Connection(str(self.path), vfs=self.vfs)
            self._connection = connection
            connection.set_busy_timeout(2_000)
            connection.execute("PRAGMA locking_mode=EXCLUSIVE")
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute(f"PRAGMA synchronous={self.synchronous}")
            connection.execute("PRAGMA wal_autocheckpoint=4000")
            connection.execute("PRAGMA journal_size_limit=67108864")
            problem = connection.execute("PRAGMA quick_check(1)").get if self.check else "ok"
            if problem != "ok":
                raise StorageDamaged(f"{self.path} is damaged ({problem}): restore it from a backup or move it away")
        with self.transaction() as connection:
            connection.execute(schema)
        if is_new and self.vfs is None:
            sync_folder(self.path.parent)

    @property
    def connection(self) -> apsw.Connection:
        """The open connection."""
        assert self._connection is not None, f"{self.path} is not open"
        return self._connection

    def execute(self, sql: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """Run one statement; its rows."""
        with self._errors():
            return list(self.connection.execute(sql, values))

    def rows(self, sql: str, values: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
        """Run one statement; its rows one by one, for who may not want all of them."""
        with self._errors():
            yield from self.connection.execute(sql, values)

    @contextmanager
    def transaction(self) -> Iterator[apsw.Connection]:
        """All or nothing; on leaving, committed and synced."""
        connection = self.connection
        with self._errors():
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                # Without room SQLite may have rolled back by itself; then there is nothing left to roll back.
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Fold the log into the file and let go of it."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with self._errors():
                connection.close()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except apsw.FullError as error:
            raise StorageFull(f"no room for {self.path}: free disk space, nothing acknowledged was lost") from error
        except apsw.BusyError as error:
            raise StorageInUse(f"{self.path} is in use by another process: stop it, or name another folder") from error
        except (apsw.NotADBError, apsw.CorruptError) as error:
            raise StorageDamaged(f"{self.path} is damaged ({error}): restore it or move it away") from error
        except apsw.CantOpenError as error:
            raise StorageError(f"{self.path} can't be opened: does its folder exist, may we write there?") from error
        except apsw.ReadOnlyError as error:
            raise StorageError(f"{self.path} may not be written: give this user the right to") from error
        except apsw.IOError as error:
            raise StorageFull(f"{self.path}: the disk refuses ({error}); nothing acknowledged was lost") from error


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable: a new file is only safe when its folder is synced too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
