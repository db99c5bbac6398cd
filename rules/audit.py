"""The audit: who did what when, in a chain in which a changed or missing row shows.

Each row's hash is SHA-256 over the hash of the row before it and its own content, so nobody can alter one row without
writing all later ones anew. Rows are only ever added, inside the transaction of what they tell about.
"""

from __future__ import annotations

import hashlib
import json

from sqlalchemy import Connection, insert, select

from rules.tables import audit_table

FIRST = "0" * 64
SYSTEM = "partheland"
ROWS_AT_ONCE = 5000


def append(connection: Connection, at_ms: int, by: str, action: str, what: str, detail: str = "") -> None:
    """Add one row; `connection` is a writing transaction, of which there is only one at a time."""
    own = audit_table.c
    last = connection.execute(select(own.id, own.hash).order_by(own.id.desc()).limit(1)).first()
    number, previous = (last[0] + 1, last[1]) if last is not None else (1, FIRST)
    row = {"id": number, "at_ms": at_ms, "by": by, "action": action, "object": what, "detail": detail}
    connection.execute(insert(audit_table), {**row, "previous": previous, "hash": _hash(previous, row)})


def broken_at(connection: Connection) -> int | None:
    """The number of the first row that does not fit into the chain; None when all do."""
    own = audit_table.c
    query = select(own.id, own.at_ms, own.by, own.action, own.object, own.detail, own.previous, own.hash)
    expected, previous = 1, FIRST
    for found in connection.execute(query.order_by(own.id).execution_options(yield_per=ROWS_AT_ONCE)):
        number, at_ms, by, action, what, detail, told_previous, told_hash = found
        row = {"id": number, "at_ms": at_ms, "by": by, "action": action, "object": what, "detail": detail}
        if number != expected or told_previous != previous or told_hash != _hash(previous, row):
            return int(expected)
        expected, previous = number + 1, told_hash
    return None


def _hash(previous: str, row: dict[str, object]) -> str:
    content = json.dumps(row, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(f"{previous}{content}".encode()).hexdigest()
