"""From edges to rows: findings, their tickets, what others are told and the position, in one transaction."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, insert, select, update

from core.crashpoint import crashpoint
from core.relational import Relational
from rules import desk_tickets
from rules.edges import Closing, Edge, Opening
from rules.findings import write_closing, write_opening
from rules.fleet import NONE, Fleet
from rules.tables import progress_table
from rules.words import PRIORITY, sentence_of, title_of

_own = progress_table.c


def write_edges(database: Relational, edges: Iterable[Edge], fleet: Fleet, position: int, at_ms: int) -> None:
    """All or nothing; the same edges written again change nothing. Raises DatabaseError."""
    with database.write() as connection:
        for edge in edges:
            if isinstance(edge, Opening):
                _write_opening(connection, edge, fleet, position)
            else:
                _write_closing(connection, edge, position)
        note_position(connection, "rules", position, at_ms)
        crashpoint("rules.within_commit")


def _write_opening(connection: Connection, edge: Opening, fleet: Fleet, position: int) -> None:
    device = fleet.devices[edge.device] if edge.device != NONE else None
    town = device.town if device is not None else None
    priority = PRIORITY[edge.rule]
    finding_id = write_opening(connection, edge, town, priority, sentence_of(edge))
    if finding_id is None:
        return
    row: dict[str, object] = {
        "priority": priority,
        "town": town,
        "kind": device.kind if device is not None else None,
        "rule": edge.rule,
        "subject": edge.subject,
        "title_de": title_of(edge, device),
        "since_ms": edge.since_ms,
    }
    desk_tickets.raise_ticket(connection, edge, finding_id, row, position)


def _write_closing(connection: Connection, edge: Closing, position: int) -> None:
    ticket = write_closing(connection, edge)
    if ticket is not None:
        desk_tickets.finding_ended(connection, ticket, edge, position)


def note_position(connection: Connection, name: str, position: int, at_ms: int) -> None:
    """Write down how far a consumer of the journal has come."""
    values = {"position": position, "at_ms": at_ms}
    if not connection.execute(update(progress_table).where(_own.name == name).values(**values)).rowcount:
        connection.execute(insert(progress_table), {"name": name, **values})


def known_position(database: Relational, name: str) -> int:
    """How far a consumer had come when it last wrote something; 0 = never."""
    with database.read() as connection:
        return int(connection.execute(select(_own.position).where(_own.name == name)).scalar() or 0)
