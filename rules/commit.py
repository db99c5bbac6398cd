"""From edges to rows: findings, their tickets, what others are told and the position, in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, insert, select, update

from core.crashpoint import crashpoint
from core.device import Device
from core.relational import Relational
from rules import desk_tickets
from rules.edges import Closing, Edge, Opening
from rules.findings import Reason, write_closing, write_opening
from rules.fleet import NONE, Fleet, town_of
from rules.judgement import today_of
from rules.records import KeptParam
from rules.sentences import sentence_of, title_of
from rules.spec import Resolved, Rule
from rules.tables import progress_table

_own = progress_table.c


def write_edges(
    database: Relational,
    edges: Iterable[Edge],
    fleet: Fleet,
    rules: Mapping[str, Rule],
    position: int,
    at_ms: int,
    is_again: bool,
) -> None:
    """All or nothing. `is_again` = these may have been written before, which then changes nothing. Raises
    DatabaseError.
    """
    with database.write() as connection:
        for edge in edges:
            if isinstance(edge, Opening):
                _write_opening(connection, edge, fleet, rules[edge.rule], position, is_again)
            else:
                _write_closing(connection, edge, position)
        note_position(connection, "rules", position, at_ms)
        crashpoint("rules.within_commit")


def _write_opening(
    connection: Connection, edge: Opening, fleet: Fleet, rule: Rule, position: int, is_again: bool
) -> None:
    device = fleet.devices[edge.device] if edge.device != NONE else None
    town = town_of(edge, fleet)
    reason = Reason(town, rule.priority, sentence_of(rule, edge, device), rule.hash, _params(rule, edge, device))
    finding_id = write_opening(connection, edge, reason, is_again)
    if finding_id is None:
        return
    row: dict[str, object] = {
        "priority": rule.priority,
        "town": town,
        "kind": device.kind if device is not None else None,
        "rule": edge.rule,
        "subject": edge.subject,
        "title_de": title_of(rule, edge, device),
        "since_ms": edge.since_ms,
    }
    desk_tickets.raise_ticket(connection, edge, finding_id, row, position)


def _params(rule: Rule, edge: Opening, device: Device | None) -> list[KeptParam]:
    """The parameters as they held for the device when it opened; what concerns no device has those of the rule."""
    resolved = {name: Resolved(param.value, "rule") for name, param in rule.params.items()}
    if device is not None:
        resolved = rule.resolved(device, today_of(edge.opened_ms))
    return [KeptParam(name, one.value, rule.params[name].unit, one.origin) for name, one in resolved.items()]


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
