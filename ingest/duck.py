"""Readings in one DuckDB file: the embedded store, and the only file that knows duckdb.

One wide table for each kind, made from core.kinds; NULL is "not reported". Rows and the journal position change in one
transaction, so each accepted reading is in here exactly once, whenever the process dies. The kinds whose names are free
keep them in one MAP(VARCHAR, DOUBLE) column: typed like every other column, no JSON to parse, `"values"['x']` in SQL.

Rows come in by registering numpy columns (NaN and None become NULL), a twelfth of the cost of lists in `unnest(?)`; a
call costs 2 ms whatever it holds. People who open the file read the views `readings_<kind>`: ids, timestamps, words.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from core.crashpoint import crashpoint
from core.frame import Refusal
from core.kinds import KINDS, OPEN_KINDS, VALUES, Form, find_value
from core.reading import Quality, Readings
from ingest.store import (
    LIMIT_MAX,
    Page,
    Query,
    Refuse,
    StoredReading,
    StoreError,
    key_of,
    key_text,
    parse_key,
    scan_pages,
)

Cursor = duckdb.DuckDBPyConnection
SQL_TYPE = {Form.NUMBER: "DOUBLE", Form.FLAG: "BOOLEAN", Form.TEXT: "VARCHAR"}
FIXED = ("device", "t", "received", "boot", "seq", "quality")
FIXED_TYPES = ("INTEGER", "BIGINT", "BIGINT", "BIGINT", "BIGINT", "UTINYINT")
ORDER = "t, device_id, boot, seq"
# The free names of an open kind's readings as one map each; a name said twice counts once.
MAPS = (
    "SELECT row, map(list(name), list(number)) AS map "
    "FROM (SELECT row, name, last(number) AS number FROM free GROUP BY row, name) GROUP BY row"
)
READ_COLUMNS = "device_id, t, received, boot, seq, quality"
# No extension is ever fetched from the network. DuckDB checkpoints at 16 MiB of log: larger ones cost the same CPU
# and only stop the writer for longer (60 ms, at 256 MiB 700 ms).
SETTINGS: dict[str, Any] = {"autoload_known_extensions": False}


def columns_of(kind: str) -> dict[str, str]:
    """Name and SQL type of every value column of a kind."""
    named = {value.name: SQL_TYPE[value.form] for value in VALUES[kind].values()}
    return {**named, "values": "MAP(VARCHAR, DOUBLE)"} if kind in OPEN_KINDS else named


class DuckStore:
    """The file at `path`. One thread writes; any thread may ask, each question on a cursor of its own."""

    name = "duckdb"

    def __init__(self, path: Path, memory_limit_mib: int = 512, threads: int = 1) -> None:
        self.path = path
        self.memory_limit_mib = memory_limit_mib
        self.threads = threads
        self._lock = threading.Lock()
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._readers: duckdb.DuckDBPyConnection | None = None
        self._position = 0
        self._numbers: dict[str, int] = {}

    def open(self) -> None:
        """Open or make the file, and bring its tables up to core.kinds."""
        with self._lock:
            self._open()

    def close(self) -> None:
        """Let go of the file; what was written is in it."""
        with self._lock:
            self._forget()

    def position(self) -> int:
        """Every accepted reading before this journal position is stored; 0 for an empty store."""
        return self._position

    def write(self, readings: Readings, position: int, refuse: Refuse | None = None) -> list[Refusal]:
        """Store the readings and `position` in one transaction; a position already reached stores nothing again."""
        with self._lock:
            connection = self._open()
            if position <= self._position:
                return []
            crashpoint("store.before_write")
            try:
                refusals = self._write(connection, readings, position, refuse)
                self._position = position
            except duckdb.Error as error:
                raise StoreError(f"DuckDB can't write {self.path}: {error}. Is the disk full?") from error
            finally:
                if self._position != position:
                    self._forget()
        crashpoint("store.after_position")
        return refusals

    def page(self, query: Query) -> Page:
        """One page by key-set. A kind costs one Top-N scan that begins in the row group of the key's t."""
        if not 1 <= query.limit <= LIMIT_MAX:
            raise ValueError(f"limit is {query.limit}, expected 1 … {LIMIT_MAX}")
        found = [item for kind in self._kinds(query) for item in self._read(kind, query)]
        found.sort(key=key_of)
        items, more = found[: query.limit], len(found) > query.limit
        return Page(items, key_text(items[-1]) if more else None)

    def scan(self, query: Query) -> Iterator[StoredReading]:
        """All matching readings in order, page by page."""
        return scan_pages(self, query)

    def count(self, query: Query) -> int:
        """How many readings match: rows, because the journal lets each reading in once."""
        where, parameters = self._where(replace(query, after=None))
        counts = [self.ask(f"SELECT count(*) FROM {kind} WHERE {where}", parameters) for kind in self._kinds(query)]
        return sum(rows[0][0] for rows in counts)

    def _open(self) -> duckdb.DuckDBPyConnection:
        if self._connection is not None:
            return self._connection
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            settings = {**SETTINGS, "threads": self.threads, "memory_limit": f"{self.memory_limit_mib}MiB"}
            self._connection = duckdb.connect(str(self.path), config=settings)
            _make_tables(self._connection)
            self._load(self._connection)
            self._readers = self._connection.cursor()
        except (duckdb.Error, OSError) as error:
            self._forget()
            raise StoreError(
                f"DuckDB can't open {self.path}: {error}. Only one process may have the file open; "
                "stop the other one, or check the folder's rights and space."
            ) from error
        return self._connection

    def _load(self, connection: duckdb.DuckDBPyConnection) -> None:
        row = connection.execute("SELECT position FROM store_position").fetchone()
        assert row is not None, "the table store_position has one row"
        self._position = row[0]
        self._numbers = dict(connection.execute("SELECT device_id, number FROM device").fetchall())

    def _forget(self) -> None:
        """After a failed write the outcome is unknown: ask the file again before the next one."""
        connections = [self._readers, self._connection]
        self._readers = self._connection = None
        for connection in connections:
            if connection is not None:
                connection.close()

    def _write(
        self, connection: duckdb.DuckDBPyConnection, readings: Readings, position: int, refuse: Refuse | None
    ) -> list[Refusal]:
        connection.execute("BEGIN")
        devices = self._device_numbers(connection, readings.device_ids)
        refusals: list[Refusal] = []
        for number in np.flatnonzero(np.bincount(readings.kind, minlength=len(KINDS))).tolist():
            chosen = readings.kind == number
            part = readings.select(chosen)
            _insert(connection, KINDS[number], part, devices[chosen])
            refusals += _misfits(KINDS[number], part)
        connection.execute("UPDATE store_position SET position = ?", [position])
        if refusals and refuse is not None:
            refuse(refusals)
        crashpoint("store.after_write")
        connection.execute("COMMIT")
        return refusals

    def _device_numbers(self, connection: duckdb.DuckDBPyConnection, device_ids: tuple[str, ...]) -> NDArray[np.int32]:
        try:
            return np.fromiter(map(self._numbers.__getitem__, device_ids), np.int32, len(device_ids))
        except KeyError:
            fresh = [device_id for device_id in dict.fromkeys(device_ids) if device_id not in self._numbers]
        first = len(self._numbers)
        numbers = np.arange(first, first + len(fresh), dtype=np.int32)
        columns = {"number": numbers, "device_id": np.array(fresh, dtype=object)}
        _append(connection, "INSERT INTO device SELECT number, device_id FROM fresh", columns)
        self._numbers.update(zip(fresh, numbers.tolist(), strict=True))
        return np.fromiter(map(self._numbers.__getitem__, device_ids), np.int32, len(device_ids))

    def _kinds(self, query: Query) -> list[str]:
        if query.device_id is not None and query.device_id not in self._numbers:
            return []
        return [kind for kind in KINDS if query.kind in (None, kind)]

    def _where(self, query: Query) -> tuple[str, list[Any]]:
        """The conditions and their parameters. `t >= key` says again what the row comparison says: for zone maps."""
        parts: list[tuple[str, list[Any]]] = [("true", [])]
        if query.device_id is not None:
            parts.append(("device = ?", [self._numbers.get(query.device_id, -1)]))
        if query.from_ms is not None:
            parts.append(("t >= ?", [query.from_ms]))
        if query.to_ms is not None:
            parts.append(("t < ?", [query.to_ms]))
        if query.after is not None:
            key = parse_key(query.after)
            parts.append((f"t >= ? AND ({ORDER}) > (?, ?, ?, ?)", [key[0], *key]))
        return " AND ".join(text for text, _ in parts), [value for _, values in parts for value in values]

    def _read(self, kind: str, query: Query) -> list[StoredReading]:
        names = list(columns_of(kind))
        columns = "".join(f', "{name}"' for name in names)
        where, parameters = self._where(query)
        sql = (
            f"SELECT {READ_COLUMNS}{columns} FROM {kind} JOIN device ON number = device "
            f"WHERE {where} ORDER BY {ORDER} LIMIT {query.limit + 1}"
        )
        return [_stored(kind, names, row) for row in self.ask(sql, parameters)]

    def ask(self, sql: str, parameters: list[Any], fetch: Callable[[Cursor], Any] = Cursor.fetchall) -> Any:
        """What `fetch` gets of an answer; from any thread."""
        readers = self._readers
        if readers is None:
            raise StoreError(f"{self.path} is not open; the writer opens it with its next try")
        try:
            with readers.cursor() as cursor:
                return fetch(cursor.execute(sql, parameters))
        except duckdb.Error as error:
            raise StoreError(f"DuckDB can't read {self.path}: {error}") from error


def _make_tables(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("BEGIN")
    connection.execute("CREATE TABLE IF NOT EXISTS device (number INTEGER, device_id VARCHAR)")
    connection.execute("CREATE TABLE IF NOT EXISTS store_position (position BIGINT)")
    connection.execute("INSERT INTO store_position SELECT 0 WHERE NOT EXISTS (FROM store_position)")
    for kind in KINDS:
        fixed = ", ".join(f"{name} {sql_type} NOT NULL" for name, sql_type in zip(FIXED, FIXED_TYPES, strict=True))
        connection.execute(f"CREATE TABLE IF NOT EXISTS {kind} ({fixed})")
        for name, sql_type in columns_of(kind).items():
            connection.execute(f'ALTER TABLE {kind} ADD COLUMN IF NOT EXISTS "{name}" {sql_type}')
        values = "".join(f', "{name}"' for name in columns_of(kind))
        words = ", ".join(f"'{quality.word}'" for quality in Quality)
        connection.execute(
            f"CREATE OR REPLACE VIEW readings_{kind} AS SELECT device_id, epoch_ms(t) AS t, "
            f"epoch_ms(received) AS received, boot, seq, [{words}][quality + 1] AS quality{values} "
            f"FROM {kind} JOIN device ON number = device"
        )
    connection.execute("COMMIT")


def _insert(connection: duckdb.DuckDBPyConnection, kind: str, part: Readings, devices: NDArray[np.int32]) -> None:
    columns: dict[str, NDArray[Any]] = dict(
        zip(FIXED, (devices, part.t_ms, part.received_ms, part.boot, part.seq, part.quality), strict=True)
    )
    for name in [name for name in part.names if name in VALUES[kind]]:
        is_text = VALUES[kind][name].form is Form.TEXT
        columns[name] = np.array(part.text_column(name), dtype=object) if is_text else part.column(name)
    names = ", ".join(f'"{name}"' for name in columns)
    if kind not in OPEN_KINDS:
        _append(connection, f"INSERT INTO {kind} ({names}) SELECT {names} FROM fresh", columns)
        return
    free = np.array([name not in VALUES[kind] for name in part.names], dtype=np.bool_)[part.number_name]
    free_names = np.array(part.names, dtype=object)[part.number_name[free]]
    connection.register("free", {"row": part.number_row[free], "name": free_names, "number": part.numbers[free]})
    sql = f'INSERT INTO {kind} ({names}, "values") SELECT {names}, map FROM fresh LEFT JOIN ({MAPS}) USING (row)'
    _append(connection, sql, {**columns, "row": np.arange(len(part), dtype=np.uint32)})
    connection.unregister("free")


def _misfits(kind: str, part: Readings) -> list[Refusal]:
    """A refusal for each value that the kind's table has no column for; the rest of the reading is stored."""
    number_fits = [(value := find_value(kind, name)) is not None and value.form is not Form.TEXT for name in part.names]
    text_fits = [(value := VALUES[kind].get(name)) is not None and value.form is Form.TEXT for name in part.names]
    numbers = ~np.array(number_fits, dtype=np.bool_)[part.number_name]
    texts = ~np.array(text_fits, dtype=np.bool_)[part.text_name]
    rows = np.concatenate([part.number_row[numbers], part.text_row[texts]]).tolist()
    names = np.concatenate([part.number_name[numbers], part.text_name[texts]]).tolist()
    reason = f"DuckDB's table {kind} has no column of this form for '{{}}'; core/kinds.py lists what a {kind} may say"
    return [
        Refusal("no_column", reason.format(part.names[name]), "value", "", part.device_ids[row], kind, received_ms, b"")
        for row, name, received_ms in zip(rows, names, part.received_ms[rows].tolist(), strict=True)
    ]


def _append(connection: duckdb.DuckDBPyConnection, sql: str, columns: dict[str, NDArray[Any]]) -> None:
    """Run an INSERT … FROM fresh, where `fresh` has these columns."""
    connection.register("fresh", columns)
    try:
        connection.execute(sql)
    finally:
        connection.unregister("fresh")


def _stored(kind: str, names: list[str], row: tuple[Any, ...]) -> StoredReading:
    values = {name: value for name, value in zip(names, row[6:], strict=True) if value is not None}
    values.update(values.pop("values", {}))
    return StoredReading(row[0], kind, row[1], row[2], row[3], row[4], Quality(row[5]).word, values)
