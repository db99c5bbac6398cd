"""SOS cases: a press that a person answers.

    received ─accept→ accepted ─(callback, informed: in any order, again if need be)─ close with a cause → closed

A press while a case of that button is open joins it; after closing it opens a new one. Nothing here is ever delayed,
muted or limited. Every step is kept with who and when, in the audit too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, Row, insert, select, update

from core.clock import Clock
from core.relational import Relational
from rules import audit
from rules.edges import Closing, Opening
from rules.errors import DeskError, NotNowError, NotThereError
from rules.findings import Reason, write_closing, write_opening
from rules.outbox import tell
from rules.records import CASE_CAUSES, SosCase, Step
from rules.tables import sos_case_table, sos_press_table, sos_step_table

RULE = "sos_press"
SAME_PRESS_MS = 600_000
LATE_MS = 600_000
NOTE_CHARS_MAX = 2000
# action: (from which states, to which state)
TRANSITIONS: dict[str, tuple[frozenset[str], str]] = {
    "accept": (frozenset({"received"}), "accepted"),
    "callback": (frozenset({"accepted"}), "accepted"),
    "informed": (frozenset({"accepted"}), "accepted"),
    "close": (frozenset({"accepted"}), "closed"),
}
_own = sos_case_table.c


@dataclass(frozen=True)
class Press:
    """What a button said. `press` tells presses of one boot apart; `town` None = the inventory does not know it."""

    device_id: str
    town: str | None
    event: str
    boot: int
    press: str
    t_ms: int
    received_ms: int


class CaseDesk:
    """Where cases are looked at and answered.

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
        self, town: str | None = None, state: str | None = None, after: int | None = None, limit: int = 100
    ) -> tuple[list[SosCase], int | None]:
        """Cases, newest first, with their history; `state` may be "open" for all that are not closed.

        A button that the inventory does not know has no town: everybody sees its cases.
        """
        query = select(sos_case_table).order_by(_own.id.desc()).limit(limit + 1)
        if town is not None:
            query = query.where((_own.town == town) | _own.town.is_(None))
        if state == "open":
            query = query.where(_own.closed_ms.is_(None))
        elif state is not None:
            query = query.where(_own.state == state)
        if after is not None:
            query = query.where(_own.id < after)
        with self.database.read() as connection:
            rows = connection.execute(query).all()
            found = [_case(row, _history(connection, row.id)) for row in rows[:limit]]
        return found, found[-1].id if len(rows) > limit else None

    def case(self, number: int) -> SosCase | None:
        """One case with its history."""
        with self.database.read() as connection:
            return load(connection, number)

    def act(self, number: int, action: str, by: str, note: str = "", cause: str | None = None) -> SosCase:
        """Do one step. Raises NotThereError, NotNowError, or DeskError for a cause or note that is not right."""
        note = note.strip()
        if action not in TRANSITIONS:
            raise DeskError(f"there is no action '{action[:40]}'; expected one of {', '.join(TRANSITIONS)}")
        if action == "close" and cause not in CASE_CAUSES:
            raise DeskError(f"a case is closed with a cause; expected one of {', '.join(CASE_CAUSES)}")
        if len(note) > NOTE_CHARS_MAX:
            raise DeskError(f"the note has {len(note)} characters; expected at most {NOTE_CHARS_MAX}")
        with self.database.write() as connection:
            found = load(connection, number)
            if found is None:
                raise NotThereError(f"there is no SOS case {number}")
            if action not in found.actions:
                whose = f" by {found.accepted_by}" if found.accepted_by else ""
                raise NotNowError(
                    f"SOS case {number} is {found.state}{whose}; possible now: {', '.join(found.actions) or 'nothing'}",
                    found.actions,
                )
            self._do(connection, found, action, by, note, cause)
            changed = load(connection, number)
        self.told()
        assert changed is not None, "nobody takes cases away"
        return changed

    def _do(self, connection: Connection, case: SosCase, action: str, by: str, note: str, cause: str | None) -> None:
        now_ms = self.clock.now_ms()
        values: dict[str, dict[str, object]] = {
            "accept": {"accepted_by": by, "accepted_ms": now_ms},
            "callback": {"called_back_ms": now_ms},
            "informed": {"informed_ms": now_ms},
            "close": {"closed_ms": now_ms, "cause": cause},
        }
        state = TRANSITIONS[action][1]
        connection.execute(update(sos_case_table).where(_own.id == case.id).values(state=state, **values[action]))
        _step(connection, case.id, now_ms, by, action, state, f"{cause}: {note}" if cause else note, self.position())
        if action == "close":
            write_closing(connection, Closing(RULE, case.device_id, f"case {case.id}", now_ms, f"{cause}"))


def take_press(connection: Connection, press: Press, text_de: str, position: int) -> int | None:
    """Write down a press: it opens a case or joins the open one. The case's number; None when it was known already,
    or takes back what no case is open for.
    """
    if _is_known(connection, press):
        return None
    open_case = connection.execute(
        select(sos_case_table).where(_own.device_id == press.device_id, _own.closed_ms.is_(None))
    ).first()
    if open_case is None and press.event == "cancel":
        return None
    number = _open(connection, press, text_de, position) if open_case is None else int(open_case.id)
    connection.execute(
        insert(sos_press_table),
        {
            "device_id": press.device_id,
            "boot": press.boot,
            "press": press.press,
            "received_ms": press.received_ms,
            "case_id": number,
            "event": press.event,
            "t_ms": press.t_ms,
        },
    )
    if open_case is not None:
        _join(connection, open_case, press, position)
    return number


def _is_known(connection: Connection, press: Press) -> bool:
    """Whether this press was written down: buttons send each several times, and a replay brings all again."""
    own = sos_press_table.c
    found = connection.execute(
        select(own.received_ms).where(
            own.device_id == press.device_id, own.boot == press.boot, own.press == press.press
        )
    )
    # A button that forgot its counters says the same numbers again, but not within minutes.
    return any(abs(row[0] - press.received_ms) <= SAME_PRESS_MS for row in found)


def _open(connection: Connection, press: Press, text_de: str, position: int) -> int:
    is_late = press.received_ms - press.t_ms >= LATE_MS
    row = {
        "device_id": press.device_id,
        "town": press.town,
        "state": "received",
        "event": press.event,
        "is_test": press.event == "test",
        "is_late": is_late,
        "pressed_ms": press.t_ms,
        "received_ms": press.received_ms,
        "last_press_ms": press.t_ms,
        "presses": 1,
        "updated_ms": press.received_ms,
    }
    inserted = connection.execute(insert(sos_case_table), row).inserted_primary_key
    assert inserted is not None
    number = int(inserted[0])
    edge = Opening(RULE, press.device_id, f"case {number}", -1, press.t_ms, press.received_ms, {})
    write_opening(connection, edge, Reason(press.town, "immediate", text_de))
    _step(connection, number, press.received_ms, press.device_id, press.event, "received", "", position)
    return number


def _join(connection: Connection, case: Row[tuple[object, ...]], press: Press, position: int) -> None:
    known = case._mapping
    is_press = press.event not in ("cancel", "test")
    event = press.event if known["is_test"] and is_press else known["event"]
    connection.execute(
        update(sos_case_table)
        .where(_own.id == known["id"])
        .values(
            presses=known["presses"] + (press.event != "cancel"),
            last_press_ms=max(known["last_press_ms"], press.t_ms),
            is_test=known["is_test"] and not is_press,
            event=event,
        )
    )
    _step(connection, known["id"], press.received_ms, press.device_id, press.event, known["state"], "", position)


def _step(
    connection: Connection, number: int, at_ms: int, by: str, action: str, state: str, note: str, position: int
) -> None:
    connection.execute(update(sos_case_table).where(_own.id == number).values(updated_ms=at_ms))
    step = {"case_id": number, "at_ms": at_ms, "by": by, "action": action, "state": state, "note": note}
    connection.execute(insert(sos_step_table), step)
    audit.append(connection, at_ms, by, f"sos {action}", f"sos:{number}", note)
    town = connection.execute(select(_own.town).where(_own.id == number)).scalar_one()
    tell(connection, "sos", number, town, at_ms, position)


def load(connection: Connection, number: int) -> SosCase | None:
    """One case with its history; None when there is none."""
    row = connection.execute(select(sos_case_table).where(_own.id == number)).first()
    return None if row is None else _case(row, _history(connection, number))


def _history(connection: Connection, number: int) -> tuple[Step, ...]:
    own = sos_step_table.c
    query = select(own.at_ms, own.by, own.action, own.state, own.note).where(own.case_id == number).order_by(own.id)
    return tuple(Step(*row) for row in connection.execute(query))


def _case(row: Row[tuple[object, ...]], steps: tuple[Step, ...]) -> SosCase:
    known = dict(row._mapping)
    actions = tuple(action for action, (states, _) in TRANSITIONS.items() if known["state"] in states)
    return SosCase(**known, actions=actions, steps=steps)
