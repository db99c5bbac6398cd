"""Parquet from the CSV of an export, and columns for numpy out of files: Parquet, CSV, and those of a DuckDB store.

DuckDB reads and converts; what it gives are whole numpy columns, never a Python object a row. One query a column: all
of them in one cost five times as much.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import duckdb
import numpy as np
from numpy.typing import NDArray

from core.kinds import VALUES, Form
from ingest.store import StoreError

FIXED: Mapping[str, str] = {"device_id": "VARCHAR", "t": "TIMESTAMPTZ", "received": "TIMESTAMPTZ"}
TYPE_OF = {Form.NUMBER: "DOUBLE", Form.FLAG: "BOOLEAN", Form.TEXT: "VARCHAR"}
SETTINGS: dict[str, Any] = {"autoload_known_extensions": False, "preserve_insertion_order": True}
EMPTY, WRONG = -(2**63), -(2**63) + 1
"""Instead of an instant: nothing stood there, or something that is none."""
WRONG_NUMBER = np.inf
"""Instead of a number: something stood there that is none."""
DECIMALS = 4
_INSTANT_MS_MIN, _INSTANT_MS_MAX = -62_135_596_800_000, 253_402_300_799_999
_WHOLE = frozenset(("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"))
_BROKEN = frozenset(("FLOAT", "DOUBLE"))


def csv_to_parquet(csv_path: Path, parquet_path: Path, kind: str) -> int:
    """Write the readings of one kind, as an export has them, as Parquet; the number of rows.

    Times become UTC timestamps, values take the type of the kind's table, names that it does not have are numbers, and
    an empty cell is NULL. Raises StoreError when a file can't be read or written.
    """
    with csv_path.open(encoding="utf-8", newline="") as lines:
        names = [name.removeprefix("'") for name in next(csv.reader(lines))]
    types = {name: _type(kind, name) for name in names}
    try:
        with duckdb.connect(":memory:", config={"autoload_known_extensions": False}) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            table = connection.read_csv(str(csv_path), header=True, names=names, dtype=types)
            table.write_parquet(str(parquet_path), compression="zstd")
            return len(table)
    except duckdb.Error as error:
        raise StoreError(f"{parquet_path} can't be written: {error}") from error


def _type(kind: str, name: str) -> str:
    if name in FIXED:
        return FIXED[name]
    value = VALUES[kind].get(name)
    return "DOUBLE" if value is None else TYPE_OF[value.form]


@dataclass(frozen=True)
class CsvShape:
    """How a CSV is written: the names of its header, what separates its cells, and the lines before the header."""

    names: Sequence[str]
    delimiter: str = ","
    skipped: int = 0


@dataclass(frozen=True)
class Reject:
    """A line of a CSV that is no row of it."""

    line: int
    reason: str


class Columns:
    """A table with named columns, open for reading; rows keep their order. Raises StoreError with what DuckDB says.

    `types` {name in small letters: DuckDB's type} · `rejects` the lines of a CSV that are no rows.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.types: dict[str, str] = {}
        self.rejects: list[Reject] = []
        self._own: dict[str, str] = {}
        self._from = ""
        self._comma = False
        self._is_csv = False
        self._connection = duckdb.connect(":memory:", config=SETTINGS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._connection.close()

    # -- sources -----------------------------------------------------------------------------------------------------

    def of_parquet(self) -> Self:
        """The columns of a Parquet file."""
        self._from = f"read_parquet({_text(str(self.path))})"
        return self._described()

    def of_csv(self, shape: CsvShape) -> Self:
        """The columns of a CSV file, all as text."""
        columns = ", ".join(f"'c{number}': 'VARCHAR'" for number in range(len(shape.names)))
        self._run(
            f"CREATE TABLE read AS SELECT * FROM read_csv({_text(str(self.path))}, auto_detect = false, header = true, "
            f"""delim = '{shape.delimiter}', quote = '"', escape = '"', skip = {shape.skipped}, """
            f"columns = {{{columns}}}, store_rejects = true)"
        )
        told = self._run("SELECT DISTINCT line, error_type::VARCHAR FROM reject_errors ORDER BY line").fetchall()
        reasons = {
            "TOO MANY COLUMNS": f"has more cells than the header's {len(shape.names)}",
            "MISSING COLUMNS": f"has fewer cells than the header's {len(shape.names)}; is the file cut off?",
            "UNQUOTED VALUE": "has a quote that is not closed",
            "INVALID ENCODING": "is not UTF-8; save the file as 'CSV UTF-8'",
        }
        self.rejects = [Reject(line, reasons.get(kind, f"can't be read ({kind.lower()})")) for line, kind in told]
        self._from, self._comma, self._is_csv = "read", shape.delimiter == ";", True
        self._own = {name: f"c{number}" for number, name in enumerate(shape.names)}
        self.types = dict.fromkeys(shape.names, "VARCHAR")
        return self

    def of_store(self, kind: str, from_ms: int | None, to_ms: int | None) -> Self:
        """The readings of a kind in the file of a stopped DuckDB store, from_ms <= t < to_ms, as they were received."""
        self._run(f"ATTACH {_text(str(self.path))} AS store (READ_ONLY)")
        conditions = ["true"]
        conditions += [] if from_ms is None else [f"epoch_ms(t) >= {int(from_ms)}"]
        conditions += [] if to_ms is None else [f"epoch_ms(t) < {int(to_ms)}"]
        where = " AND ".join(conditions)
        self._run(f"CREATE TABLE read AS FROM store.readings_{kind} WHERE {where} ORDER BY received, t, device_id, seq")
        self._from = "read"
        return self._described()

    def _described(self) -> Self:
        rows = self._run(f"DESCRIBE FROM {self._from}").fetchall()
        self._own = {row[0].strip().casefold(): row[0] for row in rows}
        self.types = {row[0].strip().casefold(): row[1] for row in rows}
        return self

    # -- columns -----------------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        row = self._run(f"SELECT count(*) FROM {self._from}").fetchone()
        return int(row[0]) if row else 0

    def instants(self, name: str) -> NDArray[np.int64] | None:
        """i8[k] Unix ms, EMPTY, WRONG; None when a column of this type holds no instants. Without a zone it is UTC."""
        own, kind = self._name(name), self.types[name]
        if kind.startswith("TIMESTAMP"):
            return _milliseconds(self._fetch(f"coalesce(epoch_us({own}), {EMPTY})"))
        if kind in _WHOLE or kind in _BROKEN or kind.startswith("DECIMAL"):
            known = "isnan({0})" if kind in _BROKEN else "false"
            none = f"{own} IS NULL OR {known.format(own)}"
            found = f"CASE WHEN {none} THEN {EMPTY} ELSE coalesce(try_cast({own} AS BIGINT), {WRONG}) END"
            return _bounded(self._fetch(f"CAST({found} AS BIGINT)"))
        if kind != "VARCHAR":
            return None
        digits = f"regexp_full_match({own}, '\\s*-?[0-9]+\\s*')"
        milliseconds = f"CASE WHEN {digits} THEN try_cast({own} AS BIGINT) * 1000::HUGEINT"
        moment = f"{milliseconds} ELSE epoch_us(try_cast({own} AS TIMESTAMPTZ)) END"
        found = f"coalesce(try_cast({moment} AS BIGINT), CASE WHEN {_is_empty(own)} THEN {EMPTY} ELSE {WRONG} END)"
        return _milliseconds(self._fetch(f"CAST({found} AS BIGINT)"))

    def numbers(self, name: str) -> NDArray[np.float64] | None:
        """f8[k], NaN = nothing there, WRONG_NUMBER; flags are 0 and 1. None when this type holds no numbers."""
        own, kind = self._name(name), self.types[name]
        if kind != "VARCHAR":
            if kind not in _WHOLE | _BROKEN | {"BOOLEAN", "HUGEINT"} and not kind.startswith("DECIMAL"):
                return None
            # 35.2 in 32 bits is not 35.2 in 64 bits; nothing we know is measured with more than four decimals.
            wide = f"round({own}::DOUBLE, {DECIMALS})" if kind == "FLOAT" else f"{own}::DOUBLE"
            return self._fetch(f"coalesce({wide}, 'nan'::DOUBLE)")
        dotted = f"replace({own}, ',', '.')" if self._comma else own
        flag = f"CASE lower(trim({own})) WHEN 'true' THEN 1 WHEN 'false' THEN 0 END"
        absent = f"CASE WHEN {_is_empty(own)} THEN 'nan'::DOUBLE ELSE 'inf'::DOUBLE END"
        return self._fetch(f"coalesce(try_cast({dotted} AS DOUBLE), {flag}, {absent})")

    def is_within(self, name: str, low: float, high: float, is_flag: bool = False) -> bool:
        """Whether every number of a column lies between two, as far as that can be told without reading it."""
        own = self._name(name)
        if self.types[name] != "DOUBLE":
            return self.types[name] == "BOOLEAN"
        outside = f"{own} < {low!r} OR {own} > {high!r} AND NOT isnan({own})"
        outside += f" OR {own} > 0 AND {own} < 1" if is_flag else ""
        return not self._run(f"SELECT 1 FROM {self._from} WHERE {outside} LIMIT 1").fetchall()

    def words(self, name: str) -> tuple[tuple[str, ...], NDArray[np.int32]]:
        """The different texts in the order of the alphabet, and i4[k] which of them, -1 = nothing there."""
        own = f"{self._name(name)}::VARCHAR"
        if self.types[name] == "VARCHAR" and self._is_csv:
            own = f"nullif(trim({self._name(name)}), '')"
        kind = f"words_{len(self._own)}_{list(self._own).index(name)}"
        distinct = f"SELECT DISTINCT {own} AS word FROM {self._from} WHERE {own} <> '' ORDER BY word"
        known = tuple(row[0] for row in self._run(distinct).fetchall())
        if not known:
            return (), np.full(len(self), -1, dtype=np.int32)
        self._run(f"CREATE OR REPLACE TEMP TYPE {kind} AS ENUM ({', '.join(map(_text, known))})")
        code = f"CAST(enum_code(try_cast({own} AS {kind})) AS INTEGER)"
        return known, self._fetch(f"CAST(coalesce({code}, -1) AS INTEGER)")

    def shown(self, name: str, row: int) -> str:
        """What stands in one cell, as text."""
        found = self._run(f"SELECT {self._name(name)}::VARCHAR FROM {self._from} LIMIT 1 OFFSET {int(row)}").fetchone()
        return "" if found is None or found[0] is None else str(found[0])

    def _name(self, name: str) -> str:
        return '"' + self._own[name].replace('"', '""') + '"'

    def _fetch(self, expression: str) -> NDArray[Any]:
        found: NDArray[Any] = self._run(f"SELECT {expression} AS x FROM {self._from}").fetchnumpy()["x"]
        return found

    def _run(self, sql: str) -> duckdb.DuckDBPyConnection:
        try:
            if not self._from:
                self._connection.execute("SET TimeZone = 'UTC'")
            return self._connection.execute(sql)
        except duckdb.Error as error:
            raise StoreError(f"{self.path} can't be read: {str(error).splitlines()[0]}") from error


def _milliseconds(us: NDArray[np.int64]) -> NDArray[np.int64]:
    """Microseconds to the nearest millisecond; the marks stay."""
    marked = np.flatnonzero(us <= WRONG)
    marks = us[marked]
    us += 500
    us //= 1000
    us[marked] = marks
    return _bounded(us)


def _bounded(ms: NDArray[np.int64]) -> NDArray[np.int64]:
    """What lies outside of the years 1 to 9999 is no instant."""
    if len(ms) and (int(ms.min()) < _INSTANT_MS_MIN or int(ms.max()) > _INSTANT_MS_MAX):
        ms[(ms != EMPTY) & ((ms < _INSTANT_MS_MIN) | (ms > _INSTANT_MS_MAX))] = WRONG
    return ms


def _is_empty(own: str) -> str:
    return f"({own} IS NULL OR trim({own}) = '')"


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
