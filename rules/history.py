"""The readings of a store as the rules take them: columns of some devices over some days, no more than can be held.

A store that can give columns (DuckDB) is asked for them; any other is read reading by reading.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.kinds import VALUES, Form
from ingest.duck import DuckStore
from ingest.duck_columns import read_columns
from ingest.reading_columns import ReadingColumns, joined
from ingest.store import Query, Store, StoredReading
from rules.backtest import Table


@dataclass(frozen=True)
class Asked:
    """The readings of some devices of one kind, from_ms <= t < to_ms."""

    kind: str
    device_ids: Sequence[str]
    from_ms: int
    to_ms: int


def table_from(store: Store, asked: Iterable[Asked]) -> Table:
    """What the store has of them. Raises StoreError."""
    found = joined([_columns(store, one) for one in asked])
    columns = (found.device_ids, found.device, found.t_ms, found.received_ms)
    return Table(*columns, found.values, found.texts)


def _columns(store: Store, asked: Asked) -> ReadingColumns:
    if isinstance(store, DuckStore):
        return read_columns(store, asked.kind, asked.device_ids, asked.from_ms, asked.to_ms)
    return columns_of_readings(
        reading
        for device_id in asked.device_ids
        for reading in store.scan(Query(device_id, asked.kind, asked.from_ms, asked.to_ms))
    )


def columns_of_readings(readings: Iterable[StoredReading]) -> ReadingColumns:
    """Readings as columns, in their order; values that no kind knows are left out."""
    items = list(readings)
    texts = {name for kind in VALUES.values() for name, value in kind.items() if value.form is Form.TEXT}
    numbers = {name for kind in VALUES.values() for name in kind} - texts
    ids = sorted({one.device_id for one in items})
    place = {device_id: number for number, device_id in enumerate(ids)}
    said = {name for one in items for name in one.values}
    return ReadingColumns(
        device_ids=tuple(ids),
        device=np.array([place[one.device_id] for one in items], dtype=np.int32),
        t_ms=np.array([one.t_ms for one in items], dtype=np.int64),
        received_ms=np.array([one.received_ms for one in items], dtype=np.int64),
        values={name: _numbers(one.values.get(name) for one in items) for name in sorted(said & numbers)},
        texts={name: _words([one.values.get(name) for one in items]) for name in sorted(said & texts)},
    )


def _numbers(values: Iterable[object]) -> NDArray[np.float64]:
    told = [float(one) if isinstance(one, int | float) else np.nan for one in values]
    return np.array(told, dtype=np.float64)


def _words(values: Sequence[object]) -> tuple[tuple[str, ...], NDArray[np.int32]]:
    words = tuple(sorted({one for one in values if isinstance(one, str)}))
    number: Mapping[object, int] = {word: place for place, word in enumerate(words)}
    return words, np.array([number.get(one, -1) for one in values], dtype=np.int32)
