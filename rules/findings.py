"""Findings in the database: one row for each episode of a rule on a subject, and who asks for them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from core.relational import Relational
from rules.edges import Closing, Opening
from rules.records import Evidence, Finding
from rules.tables import finding_table

_own = finding_table.c


class FindingBook:
    """Where findings are looked up."""

    def __init__(self, database: Relational) -> None:
        self.database = database

    def page(
        self,
        town: str | None = None,
        rule: str | None = None,
        subject: str | None = None,
        is_open: bool | None = None,
        after: int | None = None,
        limit: int = 100,
        but_rule: str | None = None,
    ) -> list[Finding]:
        """Findings, newest first; those before the number `after`, and none of the rule `but_rule`."""
        query = select(finding_table).order_by(_own.id.desc()).limit(limit)
        for column, value in ((_own.town, town), (_own.rule, rule), (_own.subject, subject)):
            query = query if value is None else query.where(column == value)
        if but_rule is not None:
            query = query.where(_own.rule != but_rule)
        if is_open is not None:
            query = query.where(_own.closed_ms.is_(None) if is_open else _own.closed_ms.is_not(None))
        if after is not None:
            query = query.where(_own.id < after)
        with self.database.read() as connection:
            return [finding_of(row) for row in connection.execute(query)]

    def open_episodes(self) -> list[tuple[str, str, str, int]]:
        """(rule, subject, episode, since Unix ms) of all that are open."""
        query = select(_own.rule, _own.subject, _own.episode, _own.since_ms).where(_own.closed_ms.is_(None))
        with self.database.read() as connection:
            return [(row[0], row[1], row[2], row[3]) for row in connection.execute(query)]


def write_opening(connection: Connection, edge: Opening, town: str | None, priority: str, text_de: str) -> int | None:
    """The number of the new finding; None when it is known already: then a replay found it again."""
    known = select(_own.id).where(_own.rule == edge.rule, _own.subject == edge.subject, _own.episode == edge.episode)
    if connection.execute(known).first() is not None:
        return None
    row = {
        "rule": edge.rule,
        "subject": edge.subject,
        "episode": edge.episode,
        "town": town,
        "since_ms": edge.since_ms,
        "opened_ms": edge.opened_ms,
        "priority": priority,
        "members": json.dumps(edge.members),
        "text_de": text_de,
        "evidence": json.dumps([[one.device_id, one.t_ms, one.name, one.value] for one in edge.evidence]),
    }
    inserted = connection.execute(insert(finding_table), row).inserted_primary_key
    assert inserted is not None
    return int(inserted[0])


def write_closing(connection: Connection, edge: Closing) -> int | None:
    """Close the open episode; the number of its ticket, None when there is none, or it was closed before."""
    row = connection.execute(
        select(_own.id, _own.ticket_id).where(
            _own.rule == edge.rule,
            _own.subject == edge.subject,
            _own.episode == edge.episode,
            _own.closed_ms.is_(None),
        )
    ).first()
    if row is None:
        return None
    values = {"closed_ms": edge.closed_ms, "close_reason": edge.reason}
    connection.execute(update(finding_table).where(_own.id == row[0]).values(**values))
    return None if row[1] is None else int(row[1])


def finding_of(row: Row[Any]) -> Finding:
    """A row of the table as what it means."""
    known: Mapping[str, Any] = dict(row._mapping)
    return Finding(
        **{name: known[name] for name in ("id", "rule", "subject", "town", "since_ms", "opened_ms", "closed_ms")},
        close_reason=known["close_reason"],
        priority=known["priority"],
        members=tuple(json.loads(known["members"])),
        text_de=known["text_de"],
        evidence=tuple(Evidence(*one) for one in json.loads(known["evidence"])),
        ticket_id=known["ticket_id"],
    )
