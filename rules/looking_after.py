"""What is looked at now and then, whatever devices say: tickets that were called done and are not, and rules that do
not work. For these the administrator gets a ticket that says which, where and how to mend it.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, select

from rules import desk_tickets
from rules.edges import Closing, Opening
from rules.findings import Reason, write_closing, write_opening
from rules.fleet import NONE
from rules.load import Book
from rules.state import SET_ASIDE, RuleState, states_of
from rules.tables import finding_table

RULE = "rule_broken"
SUBJECT = "platform"
TITLE_DE = "Regel gestört"
PRIORITY = "normal"
MENDED = "Alle Regeln werden wieder beurteilt."
TOLD_MAX = 8
_own = finding_table.c


def look_back(connection: Connection, book: Book, aside: Mapping[str, str], now_ms: int, position: int) -> bool:
    """Whether anything had to be told."""
    reopened = desk_tickets.reopen_contradicted(connection, now_ms, position) > 0
    return _tell_broken(connection, book, aside, now_ms, position) or reopened


def _tell_broken(connection: Connection, book: Book, aside: Mapping[str, str], now_ms: int, position: int) -> bool:
    """One finding for all rules that do not work now; it ends when all do, and is told anew when they are others."""
    text_de = broken_words(book, aside)
    held = connection.execute(
        select(_own.episode, _own.text_de).where(_own.rule == RULE, _own.subject == SUBJECT, _own.closed_ms.is_(None))
    ).all()
    if [row.text_de for row in held] == ([text_de] if text_de else []):
        return False
    if text_de:
        edge = Opening(RULE, SUBJECT, str(now_ms), NONE, now_ms, now_ms, {})
        finding_id = write_opening(connection, edge, Reason(None, PRIORITY, text_de))
        row: dict[str, object] = {"priority": PRIORITY, "town": None, "kind": None, "rule": RULE, "subject": SUBJECT}
        row |= {"title_de": TITLE_DE, "since_ms": now_ms}
        if finding_id is not None:
            desk_tickets.raise_ticket(connection, edge, finding_id, row, position)
    for one in held:
        closing = Closing(RULE, SUBJECT, one.episode, now_ms, MENDED)
        ticket = write_closing(connection, closing)
        if ticket is not None:
            desk_tickets.finding_ended(connection, ticket, closing, position)
    return True


def broken_words(book: Book, aside: Mapping[str, str]) -> str:
    """Which rules do not work, why, and how to mend them; '' when all do."""
    told = [_words(one) for one in states_of(book, aside) if one.problems or one.state == SET_ASIDE]
    told += [f"{_place(one.file, one.line)}: {one.what}; {one.fix}" for one in book.problems if not one.rule]
    if not told:
        return ""
    more = f" | und {len(told) - TOLD_MAX} weitere" if len(told) > TOLD_MAX else ""
    return f"Diese Regeln werden nicht beurteilt, alle anderen schon: {' | '.join(told[:TOLD_MAX])}{more}"


def _words(one: RuleState) -> str:
    if not one.problems:
        return f"{one.name}: beiseitegelegt bis zum nächsten Start, weil sie sich nicht rechnen ließ ({one.reason})"
    first = one.problems[0]
    return f"{one.name} ({_place(first.file, first.line)}): {first.what}; {first.fix}"


def _place(file: str, line: int) -> str:
    name = file.rpartition("/")[2]
    return f"{name}, Zeile {line}" if line else name
