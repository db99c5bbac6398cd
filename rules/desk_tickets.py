"""Tickets: work for the yard. Findings raise them and end them; people take them, do them, close them.

    open ─accept→ accepted ─start→ in_progress ─done→ done ─(measured or close)→ closed
    any that is at work may become unsolvable, duplicate or false_alarm; what has ended may be reopened

Every step is kept with who and when, in the audit too. The words are Open311's and the yard's: DESIGN.md section 4.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from sqlalchemy import Connection, Label, Row, Select, and_, insert, or_, select, update

from core.clock import Clock
from core.relational import Relational
from rules import audit
from rules.edges import Closing, Opening
from rules.errors import DeskError, NotNowError, NotThereError
from rules.findings import finding_of
from rules.outbox import tell
from rules.records import TICKETS_AT_WORK, Finding, Step, Ticket
from rules.repairs import Repair
from rules.tables import finding_table, ticket_step_table, ticket_table

REPEAT_MS = 7 * 86_400_000
CONTRADICTED_MS = 86_400_000
NOTE_CHARS_MAX = 2000
PAGE_MAX = 1000
# action: (from which states, to which state)
TRANSITIONS: dict[str, tuple[frozenset[str], str]] = {
    "accept": (frozenset({"reported", "open"}), "accepted"),
    "start": (frozenset({"reported", "open", "accepted"}), "in_progress"),
    "done": (frozenset({"reported", "open", "accepted", "in_progress"}), "done"),
    "close": (TICKETS_AT_WORK, "closed"),
    "unsolvable": (TICKETS_AT_WORK, "unsolvable"),
    "duplicate": (TICKETS_AT_WORK, "duplicate"),
    "false_alarm": (TICKETS_AT_WORK, "false_alarm"),
    "reopen": (frozenset({"done", "closed", "unsolvable", "duplicate", "false_alarm"}), "open"),
}
NEEDS_NOTE = frozenset({"unsolvable", "duplicate", "false_alarm", "note"})
_own = ticket_table.c


class TicketDesk:
    """Where tickets are looked at and worked on.

    `position` tells how far the rules are, for what others are told; `told` is called after each change.
    """

    def __init__(
        self, database: Relational, clock: Clock, position: Callable[[], int], told: Callable[[], None]
    ) -> None:
        self.database = database
        self.clock = clock
        self.position = position
        self.told = told

    def page(
        self,
        town: str | None = None,
        statuses: Collection[str] | None = None,
        kind: str | None = None,
        after: int | None = None,
        limit: int = 100,
    ) -> tuple[list[Ticket], int | None]:
        """Tickets, newest first, without their history; and the `after` of the next page, None = no more."""
        query = _tickets().order_by(_own.id.desc()).limit(limit + 1)
        for column, value in ((_own.town, town), (_own.kind, kind)):
            query = query if value is None else query.where(column == value)
        if statuses is not None:
            query = query.where(_own.status.in_(sorted(statuses)))
        if after is not None:
            query = query.where(_own.id < after)
        with self.database.read() as connection:
            rows = connection.execute(query).all()
        found = [_ticket(row) for row in rows[:limit]]
        return found, found[-1].id if len(rows) > limit else None

    def ticket(self, number: int) -> Ticket | None:
        """One ticket with its findings and its history."""
        with self.database.read() as connection:
            return load(connection, number)

    def repairs(self, after: int = 0, limit: int | None = None) -> list[Repair]:
        """The repairs of lamps that people told after a step's number, in their order. See rules/repairs.py."""
        with self.database.read() as connection:
            return repairs_after(connection, after, limit)

    def act(self, number: int, action: str, by: str, note: str = "") -> Ticket:
        """Do one step. Raises NotThereError, NotNowError, or DeskError for what is wrong with the note."""
        note = note.strip()
        if action not in TRANSITIONS and action != "note":
            raise DeskError(f"there is no action '{action[:40]}'; expected one of {', '.join([*TRANSITIONS, 'note'])}")
        if len(note) > NOTE_CHARS_MAX:
            raise DeskError(f"the note has {len(note)} characters; expected at most {NOTE_CHARS_MAX}")
        if action in NEEDS_NOTE and not note:
            raise DeskError(f"{action} needs a note that says why; expected some words in 'note'")
        with self.database.write() as connection:
            found = load(connection, number)
            if found is None:
                raise NotThereError(f"there is no ticket {number}")
            if action not in found.actions:
                raise NotNowError(
                    f"ticket {number} is {found.status}; possible now: {', '.join(found.actions)}", found.actions
                )
            status = TRANSITIONS[action][1] if action != "note" else found.status
            take_step(connection, number, self.clock.now_ms(), by, action, status, note, self.position())
            changed = load(connection, number)
        self.told()
        assert changed is not None, "nobody takes tickets away"
        return changed


def raise_ticket(connection: Connection, edge: Opening, finding_id: int, row: dict[str, object], position: int) -> int:
    """The ticket for a new finding: the one at work on the same, one that ended lately, or a new one; its number."""
    found = connection.execute(
        select(_own.id, _own.status)
        .where(
            _own.rule == edge.rule,
            _own.subject == edge.subject,
            or_(
                _own.status.in_(sorted(TICKETS_AT_WORK)),
                and_(_own.status == "closed", _own.closed_ms >= edge.opened_ms - REPEAT_MS),
            ),
        )
        .order_by(_own.id.desc())
        .limit(1)
    ).first()
    if found is None:
        new = {**row, "status": "open", "opened_ms": edge.opened_ms, "updated_ms": edge.opened_ms}
        inserted = connection.execute(insert(ticket_table), new).inserted_primary_key
        assert inserted is not None
        number, action, status, note = int(inserted[0]), "opened", "open", ""
    else:
        number, status = int(found[0]), str(found[1])
        note = "Derselbe Fehler ist wieder da."
        action, status = ("reopened", "open") if status in ("closed", "done") else ("repeated", status)
    connection.execute(update(finding_table).where(finding_table.c.id == finding_id).values(ticket_id=number))
    take_step(connection, number, edge.opened_ms, audit.SYSTEM, action, status, note, position)
    return number


def finding_ended(connection: Connection, number: int, edge: Closing, position: int) -> None:
    """A finding of this ticket ended. With the last one the ticket closes, unless a person works on it."""
    still_open = connection.execute(
        select(finding_table.c.id)
        .where(finding_table.c.ticket_id == number, finding_table.c.closed_ms.is_(None))
        .limit(1)
    ).first()
    status = connection.execute(select(_own.status).where(_own.id == number)).scalar_one()
    if status not in TICKETS_AT_WORK:
        return
    closes = still_open is None and status in ("reported", "open", "done")
    action, status = ("recovered", "closed") if closes else ("recovered", status)
    take_step(connection, number, edge.closed_ms, audit.SYSTEM, action, status, edge.reason, position)


def reopen_contradicted(connection: Connection, now_ms: int, position: int) -> int:
    """Reopen what a person called done while its finding goes on a day later: a night has passed and the measurements
    still say so. What a person called a false alarm, a duplicate or not to be solved stays so. How many were reopened.
    """
    still_open = select(finding_table.c.ticket_id).where(finding_table.c.closed_ms.is_(None))
    found = connection.execute(
        select(_own.id).where(
            _own.status.in_(("done", "closed")), _own.updated_ms <= now_ms - CONTRADICTED_MS, _own.id.in_(still_open)
        )
    ).all()
    for (number,) in found:
        note = "Die Messung widerspricht: Der Fehler besteht einen Tag später noch."
        take_step(connection, number, now_ms, audit.SYSTEM, "reopened", "open", note, position)
    return len(found)


def repairs_after(connection: Connection, after: int, limit: int | None) -> list[Repair]:
    """What people said with tickets about lamps: done, or closed without having been called done before."""
    steps, before = ticket_step_table.c, ticket_step_table.alias("before")
    status_before = (
        select(before.c.status)
        .where(before.c.ticket_id == steps.ticket_id, before.c.id < steps.id)
        .order_by(before.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    rows = connection.execute(
        select(_own.subject, steps.at_ms, steps.id)
        .join(ticket_table, _own.id == steps.ticket_id)
        .where(
            steps.id > after,
            or_(steps.action == "done", and_(steps.action == "close", status_before != "done")),
            steps.by != audit.SYSTEM,
            _own.kind == "lamp",
            ~_own.subject.contains(":"),
        )
        .order_by(steps.id)
        .limit(limit)
    )
    return [Repair(*row) for row in rows]


def take_step(
    connection: Connection, number: int, at_ms: int, by: str, action: str, status: str, note: str, position: int
) -> None:
    """Write one step of a ticket, its new status, the audit, and what others are told."""
    ended = status not in TICKETS_AT_WORK
    values: dict[str, object] = {"status": status, "updated_ms": at_ms}
    if action != "note":
        values |= {"closed_ms": at_ms if ended else None, "close_reason": (note or action) if ended else None}
    connection.execute(update(ticket_table).where(_own.id == number).values(**values))
    step = {"ticket_id": number, "at_ms": at_ms, "by": by, "action": action, "status": status, "note": note}
    connection.execute(insert(ticket_step_table), step)
    audit.append(connection, at_ms, by, f"ticket {action}", f"ticket:{number}", note)
    town = connection.execute(select(_own.town).where(_own.id == number)).scalar_one()
    tell(connection, "ticket", number, town, at_ms, position)


def load(connection: Connection, number: int) -> Ticket | None:
    """One ticket with its findings and its history; None when there is none."""
    row = connection.execute(_tickets().where(_own.id == number)).first()
    if row is None:
        return None
    findings = connection.execute(
        select(finding_table).where(finding_table.c.ticket_id == number).order_by(finding_table.c.id.desc())
    )
    steps = ticket_step_table.c
    history = connection.execute(
        select(steps.at_ms, steps.by, steps.action, steps.status, steps.note)
        .where(steps.ticket_id == number)
        .order_by(steps.id)
    )
    return _ticket(row, tuple(finding_of(one) for one in findings), tuple(Step(*one) for one in history))


def _tickets() -> Select[Any]:
    columns: list[Any] = [*_own, _text_of()]
    return select(*columns)


def _text_of() -> Label[str]:
    newest = finding_table.alias("newest")
    return (
        select(newest.c.text_de)
        .where(newest.c.ticket_id == _own.id)
        .order_by(newest.c.id.desc())
        .limit(1)
        .scalar_subquery()
        .label("text_de")
    )


def _ticket(row: Row[Any], findings: tuple[Finding, ...] = (), steps: tuple[Step, ...] = ()) -> Ticket:
    known = dict(row._mapping)
    actions = [action for action, (allowed, _) in TRANSITIONS.items() if known["status"] in allowed]
    return Ticket(
        **{**known, "text_de": known["text_de"] or ""}, actions=(*actions, "note"), findings=findings, steps=steps
    )
