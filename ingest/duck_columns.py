"""Readings of a DuckDB store at work as numpy columns: for the rules, which look at weeks at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.kinds import VALUES, Form
from ingest.duck import DuckStore
from ingest.reading_columns import Codes, ReadingColumns


def read_columns(store: DuckStore, kind: str, device_ids: Sequence[str], from_ms: int, to_ms: int) -> ReadingColumns:
    """The readings of some devices of one kind, from_ms <= t < to_ms, in the order of t. Raises StoreError."""
    names = list(VALUES[kind])
    columns = "".join(f', "{name}"' for name in names)
    sql = (
        f"SELECT device_id, t, received{columns} FROM {kind} JOIN device ON number = device "
        "WHERE t >= ? AND t < ? AND device_id IN (SELECT unnest(?)) ORDER BY t, device_id, boot, seq"
    )
    found: dict[str, Any] = store.ask(sql, [from_ms, to_ms, list(device_ids)], lambda cursor: cursor.fetchnumpy())
    ids, device = _words(found["device_id"])
    values = {name: _numbers(found[name]) for name in names if VALUES[kind][name].form is not Form.TEXT}
    return ReadingColumns(
        device_ids=ids,
        device=device,
        t_ms=np.asarray(found["t"], dtype=np.int64),
        received_ms=np.asarray(found["received"], dtype=np.int64),
        values={name: column for name, column in values.items() if not np.isnan(column).all()},
        texts={name: _words(found[name]) for name in names if VALUES[kind][name].form is Form.TEXT},
    )


def _numbers(column: NDArray[Any]) -> NDArray[np.float64]:
    """A column of numbers or flags; what is absent is NaN."""
    absent = np.ma.getmaskarray(column)
    return np.where(absent, np.nan, np.ma.getdata(column).astype(np.float64, copy=False))


def _words(column: NDArray[Any]) -> Codes:
    absent = np.ma.getmaskarray(column)
    data = np.ma.getdata(column)
    told = np.array(["" if gone or one is None else str(one) for one, gone in zip(data, absent, strict=True)])
    words, codes = np.unique(told.astype(np.str_), return_inverse=True)
    known = words != ""
    number = np.where(known, np.cumsum(known) - 1, -1)
    return tuple(words[known].tolist()), number[codes.ravel()].astype(np.int32)
