"""Readings as CSV: `device_id,t,received,<values>`, times as ISO 8601 in UTC, an empty cell = not reported."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterable, Iterator, Sequence

from core.clock import iso
from core.inventory_cells import guarded
from core.kinds import OPEN_KINDS, VALUES
from core.reading import Scalar
from ingest.store import Query, Store, StoredReading

CHUNK_ROWS = 500
NAMES_MAX = 1000


def value_names(store: Store, query: Query) -> list[str]:
    """The columns of a kind: its values, then the names that devices of an open kind made up, which only a look at all
    their readings can tell. Raises ValueError beyond NAMES_MAX of those.
    """
    known = VALUES[query.kind or ""]
    if query.kind not in OPEN_KINDS:
        return list(known)
    free: dict[str, None] = {}
    for reading in store.scan(query):
        free.update(dict.fromkeys(reading.values))
        if len(free) > NAMES_MAX:
            raise ValueError(f"more than {NAMES_MAX} names of values; ask for one device, or a shorter time")
    return [*known, *sorted(name for name in free if name not in known)]


def csv_chunks(readings: Iterable[StoredReading], names: Sequence[str]) -> Iterator[str]:
    """The file in pieces of some hundred lines; memory stays bounded."""
    rows = iter(readings)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["device_id", "t", "received", *(guarded(name) for name in names)])
    while True:
        chunk = list(itertools.islice(rows, CHUNK_ROWS))
        writer.writerows(
            [one.device_id, iso(one.t_ms), iso(one.received_ms), *(_cell(one.values.get(name)) for name in names)]
            for one in chunk
        )
        yield text.getvalue()
        if not chunk:
            return
        text.seek(0)
        text.truncate()


def _cell(value: Scalar | None) -> str | float:
    """True and false as words, texts so that no spreadsheet takes them for a formula, nothing as nothing."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return guarded(value)
    return "" if value is None else value
