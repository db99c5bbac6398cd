"""The relational database: one for inventory, findings, tickets, cases, people. The one place that opens it.

SQLite today, with a rollback journal and `synchronous=FULL`, because the interpreter's own SQLite may have the
WAL-reset bug; PostgreSQL by its URL. Its tables are made and changed by the steps in core/migrations.

DatabaseError      it can't be used: not there, not ours, newer than this program, full, read-only
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import URL, Connection, Engine, MetaData, create_engine, event, inspect
from sqlalchemy.exc import DBAPIError

# What alembic tells of its own insides at each start is nobody's news.
logging.getLogger("alembic").setLevel(logging.WARNING)

BUSY_TIMEOUT_MS = 10_000
MIGRATIONS = Path(__file__).parent / "migrations"
_WRITING = "partheland_writing"

metadata = MetaData()
"""All tables of the platform: each part adds its own, core/migrations makes them."""


class DatabaseError(RuntimeError):
    """The database can't be read or changed; says why and what to do. Nothing was changed."""


class Relational:
    """The database behind a file, an SQLAlchemy URL or an engine. May be used from several threads.

    `open` before use, or `with Relational(…) as database`; it may be opened again after `close`.
    """

    def __init__(self, where: Path | str | Engine) -> None:
        self._where = where
        self._opened: Engine | None = None
        self._lock = threading.Lock()

    def open(self) -> None:
        """Connect, and bring the tables to this program's state. Raises DatabaseError, also for a newer database."""
        with self._lock:
            if self._opened is not None:
                return
            engine = self._connect()
            if engine.dialect.name == "sqlite" and not event.contains(engine, "begin", _begin_sqlite):
                event.listen(engine, "connect", _prepare_sqlite)
                event.listen(engine, "begin", _begin_sqlite)
            self._opened = engine
        try:
            self._migrate()
        except BaseException:
            self.close()
            raise

    def _connect(self) -> Engine:
        if isinstance(self._where, Path):
            return create_engine(URL.create("sqlite", database=str(self._where)))
        return create_engine(self._where) if isinstance(self._where, str) else self._where

    def _migrate(self) -> None:
        with self.read() as connection:
            if _version(connection) == newest_step():
                return
        # alembic takes a quarter of a second to load, and most starts need none of it.
        from alembic import command
        from alembic.config import Config
        from alembic.util import CommandError

        steps = Config()
        steps.set_main_option("script_location", str(MIGRATIONS))
        with self.write() as connection:
            steps.attributes["connection"] = connection
            try:
                command.upgrade(steps, "head")
            except CommandError as error:
                raise DatabaseError(
                    f"the database {self.name} was written by a newer program ({error}); start that program"
                ) from None

    @property
    def name(self) -> str:
        """The file's path, or the URL without its password."""
        engine = self._engine
        return engine.url.database or engine.url.render_as_string(hide_password=True)

    @property
    def _engine(self) -> Engine:
        assert self._opened is not None, "the database must be opened before it is used"
        return self._opened

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that changes nothing. Raises DatabaseError."""
        with self._transaction(writing=False) as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that changes something: all or nothing, one writer at a time. Raises DatabaseError."""
        with self._transaction(writing=True) as connection:
            yield connection

    @contextmanager
    def _transaction(self, writing: bool) -> Iterator[Connection]:
        engine = self._engine.execution_options(**{_WRITING: writing})
        try:
            with engine.begin() as connection:
                yield connection
        except DBAPIError as error:
            hint = "check that its folder exists, its rights and the free space"
            raise DatabaseError(f"the database {self.name} can't be used: {error.orig}; {hint}") from error

    def close(self) -> None:
        """Let go of the database; may be opened again."""
        with self._lock:
            if self._opened is not None:
                self._opened.dispose()
                self._opened = None

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def newest_step() -> str:
    """The number of the last step in core/migrations: what a database of this program says."""
    return max(path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def _version(connection: Connection) -> str | None:
    """The step that the database is at; None for a new one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # We begin transactions ourselves, see below.
    for pragma in ("journal_mode=DELETE", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_TIMEOUT_MS}"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    # Who will write says so at once: a reader that becomes a writer may be refused without waiting.
    writing = connection.get_execution_options().get(_WRITING, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
