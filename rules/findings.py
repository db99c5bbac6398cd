"""Findings in the database: one row for each episode of a rule on a subject, and who asks for them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from core.relational import Relational
from rules.edges import Closing, Opening
from rules.records import Evidence, Finding, KeptParam
from rules.tables import finding_table

_own = finding_table.c
NOT_KNOWN = "Nach einem Neustart nicht mehr festzustellen."


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


@dataclass(frozen=True)
class Reason:
    """What a finding is written down with: the words, and the rule as it was."""

    town: str | None
    priority: str
    text_de: str
    rule_hash: str = ""
    params: Sequence[KeptParam] = ()


def write_opening(connection: Connection, edge: Opening, reason: Reason, is_again: bool = True) -> int | None:
    """The number of the finding; None when it is known already: then a replay (`is_again`) found it again.

    One that had ended and goes on is open again: a device that was in the workshop and is as silent as before, or
    one of which a restart knew nothing.
    """
    known = connection.execute(
        select(_own.id, _own.closed_ms, _own.close_reason).where(
            _own.rule == edge.rule, _own.subject == edge.subject, _own.episode == edge.episode
        )
    ).first()
    if known is not None:
        if known.closed_ms is None or (is_again and known.close_reason != NOT_KNOWN):
            return None
        connection.execute(update(finding_table).where(_own.id == known.id).values(closed_ms=None, close_reason=None))
        return int(known.id)
    row = {
        "rule": edge.rule,
        "subject": edge.subject,
        "episode": edge.episode,
        "town": reason.town,
        "since_ms": edge.since_ms,
        "opened_ms": edge.opened_ms,
        "priority": reason.priority,
        "members": json.dumps(edge.members),
        "text_de": reason.text_de,
        "evidence": json.dumps([[one.device_id, one.t_ms, one.name, one.value] for one in edge.evidence]),
        "rule_hash": reason.rule_hash,
        "params": json.dumps([[one.name, one.value, one.unit, one.origin] for one in reason.params]),
        "facts": json.dumps({name: value for name, value in edge.facts.items() if isfinite(value)}),
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
        rule_hash=known["rule_hash"] or "",
        params=tuple(KeptParam(*one) for one in json.loads(known["params"] or "[]")),
        facts=json.loads(known["facts"] or "{}"),
    )
