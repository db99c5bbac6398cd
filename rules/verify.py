"""The rules' part of the proof: how far they are, that no fault has two tickets, that the audit was not altered."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection, func, or_, select

from core.relational import Relational
from ingest.verify import Report
from rules.audit import broken_at
from rules.commit import known_position
from rules.records import TICKETS_AT_WORK
from rules.tables import audit_table, sos_step_table, ticket_step_table, ticket_table


def with_rules(report: Report, database: Relational, position: int | None = None) -> Report:
    """The report with what the rules' tables tell; `position` is where they are now, None = as last written down."""
    own = ticket_table.c
    at_work = own.status.in_(sorted(TICKETS_AT_WORK))
    twice = select(own.rule).where(at_work).group_by(own.rule, own.subject).having(func.count() > 1).subquery()
    with database.read() as connection:
        duplicated = int(connection.execute(select(func.count()).select_from(twice)).scalar_one())
        broken = broken_at(connection)
        steps, told = _steps(connection)
    position = known_position(database, "rules") if position is None else position
    problems = list(report.problems)
    if duplicated:
        problems.append(f"{duplicated} faults have more than one ticket at work: a mistake of ours, merge them by hand")
    if broken is not None:
        problems.append(f"the audit does not hold from row {broken} on: somebody altered it, compare it with a backup")
    if broken is None and steps > told:
        problems.append(
            f"the audit has {told} steps of tickets and cases, their histories {steps}: somebody cut it off; "
            "compare it with a backup"
        )
    is_whole = broken is None and steps <= told
    return replace(
        report,
        ok=report.ok and not duplicated and is_whole,
        positions={**report.positions, "rules": position},
        rules_position=position,
        tickets_duplicated=duplicated,
        audit_ok=is_whole,
        problems=problems,
    )


def _steps(connection: Connection) -> tuple[int, int]:
    """How many steps tickets and cases have in their histories, and in the audit: a chain that is cut off at its end
    still holds, but then it tells of fewer.
    """
    action = audit_table.c.action
    histories = [select(func.count()).select_from(table) for table in (ticket_step_table, sos_step_table)]
    audited = select(func.count()).where(or_(action.like("ticket %"), action.like("sos %")))
    return sum(int(connection.execute(one).scalar_one()) for one in histories), int(
        connection.execute(audited).scalar_one()
    )
