"""The tables of findings, tickets, SOS cases, what is told to others, how far the rules have come, and the audit.

Times are Unix ms, UTC. Texts that hold JSON are lists that are only ever shown with their row.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, Table, Text, UniqueConstraint

from core.relational import metadata


def _number() -> Column[int]:
    # SQLite counts up only in a column that is INTEGER PRIMARY KEY.
    return Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)


finding_table = Table(
    "finding",
    metadata,
    _number(),
    Column("rule", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("episode", Text, nullable=False),
    Column("town", Text),
    Column("since_ms", BigInteger, nullable=False),
    Column("opened_ms", BigInteger, nullable=False),
    Column("closed_ms", BigInteger),
    Column("close_reason", Text),
    Column("priority", Text, nullable=False),
    Column("members", Text, nullable=False),
    Column("text_de", Text, nullable=False),
    Column("evidence", Text, nullable=False),
    Column("ticket_id", BigInteger, ForeignKey("ticket.id"), index=True),
    # Why it was opened; null for findings from before these were kept.
    Column("rule_hash", Text),
    Column("params", Text),
    Column("facts", Text),
    # One finding for each episode of a rule on a subject, whatever is replayed.
    UniqueConstraint("rule", "subject", "episode", name="finding_once"),
    sqlite_autoincrement=True,
)
Index("finding_open", finding_table.c.rule, finding_table.c.subject, sqlite_where=finding_table.c.closed_ms.is_(None))

ticket_table = Table(
    "ticket",
    metadata,
    _number(),
    Column("status", Text, nullable=False, index=True),
    Column("priority", Text, nullable=False),
    Column("town", Text, index=True),
    Column("kind", Text),
    Column("rule", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("title_de", Text, nullable=False),
    Column("since_ms", BigInteger, nullable=False),
    Column("opened_ms", BigInteger, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
    Column("closed_ms", BigInteger),
    Column("close_reason", Text),
    sqlite_autoincrement=True,
)
Index("ticket_of", ticket_table.c.rule, ticket_table.c.subject, ticket_table.c.closed_ms)

ticket_step_table = Table(
    "ticket_step",
    metadata,
    _number(),
    Column("ticket_id", BigInteger, ForeignKey("ticket.id"), nullable=False, index=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("by", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("note", Text, nullable=False),
    sqlite_autoincrement=True,
)

sos_case_table = Table(
    "sos_case",
    metadata,
    _number(),
    Column("device_id", Text, nullable=False),
    Column("town", Text, index=True),
    Column("state", Text, nullable=False, index=True),
    Column("event", Text, nullable=False),
    Column("is_test", Boolean, nullable=False),
    Column("is_late", Boolean, nullable=False),
    Column("pressed_ms", BigInteger, nullable=False),
    Column("received_ms", BigInteger, nullable=False),
    Column("last_press_ms", BigInteger, nullable=False),
    Column("presses", Integer, nullable=False),
    Column("accepted_by", Text),
    Column("accepted_ms", BigInteger),
    Column("called_back_ms", BigInteger),
    Column("informed_ms", BigInteger),
    Column("closed_ms", BigInteger),
    Column("cause", Text),
    Column("updated_ms", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)
Index(
    "sos_case_open",
    sos_case_table.c.device_id,
    unique=True,
    sqlite_where=sos_case_table.c.closed_ms.is_(None),
    postgresql_where=sos_case_table.c.closed_ms.is_(None),
)

sos_press_table = Table(
    "sos_press",
    metadata,
    Column("device_id", Text, primary_key=True),
    Column("boot", BigInteger, primary_key=True, autoincrement=False),
    Column("press", Text, primary_key=True),
    Column("received_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("case_id", BigInteger, ForeignKey("sos_case.id"), nullable=False, index=True),
    Column("event", Text, nullable=False),
    Column("t_ms", BigInteger, nullable=False),
)

sos_step_table = Table(
    "sos_step",
    metadata,
    _number(),
    Column("case_id", BigInteger, ForeignKey("sos_case.id"), nullable=False, index=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("by", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("note", Text, nullable=False),
    sqlite_autoincrement=True,
)

outbox_table = Table(
    "outbox",
    metadata,
    _number(),
    Column("position", BigInteger, nullable=False, index=True),
    Column("kind", Text, nullable=False),
    Column("object_id", BigInteger, nullable=False),
    Column("town", Text),
    Column("at_ms", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)

progress_table = Table(
    "progress",
    metadata,
    Column("name", Text, primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
)

audit_table = Table(
    "audit",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("by", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("object", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("previous", Text, nullable=False),
    Column("hash", Text, nullable=False),
)
