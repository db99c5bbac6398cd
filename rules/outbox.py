"""What others are to be told: a row for each change of a ticket or a case, in the transaction of the change itself.

The live stream reads it, later mail and webhooks too. `position` is how far the rules had come in the journal, so a
stream that was cut off goes on where it was.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, select

from core.relational import Relational
from rules.tables import outbox_table

ROWS_AT_ONCE = 500
_own = outbox_table.c


@dataclass(frozen=True)
class Notice:
    """Something changed: `kind` ticket or sos, `object_id` which one."""

    id: int
    position: int
    kind: str
    object_id: int
    town: str | None


class Outbox:
    """Where notices are read."""

    def __init__(self, database: Relational) -> None:
        self.database = database

    def after(self, number: int) -> list[Notice]:
        """The next notices after this one, oldest first."""
        return self._notices(_own.id > number)

    def from_position(self, position: int) -> int:
        """The number before the first notice at this position or later."""
        with self.database.read() as connection:
            first = connection.execute(select(func.min(_own.id)).where(_own.position >= position)).scalar_one()
            return self._last(connection) if first is None else int(first) - 1

    def last(self) -> int:
        """The number of the newest notice; 0 for none."""
        with self.database.read() as connection:
            return self._last(connection)

    def _last(self, connection: Connection) -> int:
        return int(connection.execute(select(func.max(_own.id))).scalar_one() or 0)

    def _notices(self, condition) -> list[Notice]:  # type: ignore[no-untyped-def]  # SQLAlchemy's own expression
        query = select(_own.id, _own.position, _own.kind, _own.object_id, _own.town)
        with self.database.read() as connection:
            return [
                Notice(*row) for row in connection.execute(query.where(condition).order_by(_own.id).limit(ROWS_AT_ONCE))
            ]


def tell(connection: Connection, kind: str, object_id: int, town: str | None, at_ms: int, position: int) -> None:
    """Note, within the transaction of a change, that others are to be told of it."""
    row = {"position": position, "kind": kind, "object_id": object_id, "town": town, "at_ms": at_ms}
    connection.execute(insert(outbox_table), row)
