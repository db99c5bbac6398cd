"""Parquet from the CSV of an export: columns for numpy, DuckDB, pandas and the rules' backtest."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import duckdb

from core.kinds import VALUES, Form
from ingest.store import StoreError

FIXED: Mapping[str, str] = {"device_id": "VARCHAR", "t": "TIMESTAMPTZ", "received": "TIMESTAMPTZ"}
TYPE_OF = {Form.NUMBER: "DOUBLE", Form.FLAG: "BOOLEAN", Form.TEXT: "VARCHAR"}


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
