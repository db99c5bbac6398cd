from collections.abc import Iterator
from pathlib import Path

import pytest

from core.relational import DatabaseError
from ingest.verify import Report
from rules.desk_tickets import REPEAT_MS, TRANSITIONS
from rules.errors import DeskError, NotNowError, NotThereError
from rules.records import TICKET_STATUSES, TICKETS_AT_WORK
from rules.verify import with_rules
from tests.rules.platform import Desk, desk
from tests.rules.town import MINUTE_MS, T0, Said, lamp, lamp_series

L1 = lamp(1, street="Lange Straße", pole="17")
DARK, LIT = [0.5, 0.5, 0.5], [40.0, 40.0]


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Desk]:
    """A yard with one lamp."""
    with desk(tmp_path / "centre") as found:
        found.commission([L1])
        yield found


def series(watts: list[float], from_step: int = 0) -> list[Said]:
    """Samples of the lamp every 15 minutes, from a step on."""
    return lamp_series(L1.device_id, [*[None] * from_step, *watts])


def test_a_finding_raises_one_ticket_that_says_what_where_and_why(yard: Desk) -> None:
    yard.tell(series(DARK))
    (found,), more = yard.rules.tickets.page()
    assert more is None
    assert (found.status, found.priority, found.town, found.kind) == ("open", "normal", "naunhof", "lamp")
    assert (found.rule, found.subject, found.title_de) == (
        "lamp_out",
        L1.device_id,
        "Lampe dunkel: Leuchte 1, Lange Straße",
    )
    assert "soll mit 100 % brennen und nimmt nur 0,5 W auf; zu erwarten sind 40 W." in found.text_de
    whole = yard.rules.tickets.ticket(found.id)
    assert whole is not None
    assert [one.rule for one in whole.findings] == ["lamp_out"]
    assert [(one.action, one.by) for one in whole.steps] == [("opened", "partheland")]


def test_a_fault_that_mends_itself_closes_its_ticket_with_the_reason(yard: Desk) -> None:
    yard.tell(series(DARK + LIT))
    found = yard.rules.tickets.ticket(1)
    assert found is not None
    assert (found.status, found.close_reason) == ("closed", "Die Messwerte sind wieder in Ordnung.")
    assert found.findings[0].closed_ms == T0 + (4 * 15 + 1) * MINUTE_MS, "a minute later nothing earlier can come"


def test_a_ticket_that_somebody_works_on_stays_and_is_told_of_the_recovery(yard: Desk) -> None:
    yard.tell(series(DARK))
    yard.rules.tickets.act(1, "start", "anna")
    yard.tell(series(LIT, 3))
    found = yard.rules.tickets.ticket(1)
    assert found is not None and found.status == "in_progress"
    assert [one.action for one in found.steps] == ["opened", "start", "recovered"]


def test_the_same_fault_within_a_week_continues_the_old_ticket(yard: Desk) -> None:
    yard.tell(series(DARK + LIT))
    yard.tell(series(DARK, 20))
    found = yard.rules.tickets.ticket(1)
    assert found is not None and found.status == "open"
    assert [one.action for one in found.steps] == ["opened", "recovered", "reopened"]
    assert len(found.findings) == 2
    assert len(yard.rules.tickets.page()[0]) == 1


def test_after_a_week_it_is_a_new_ticket(yard: Desk) -> None:
    yard.tell(series(DARK + LIT))
    later = REPEAT_MS // (15 * MINUTE_MS) + 10
    yard.tell(series(DARK, later))
    assert len([one.id for one in yard.rules.tickets.page()[0] if one.rule == "lamp_out"]) == 2


def test_what_is_called_done_and_is_not_comes_back_a_day_later(yard: Desk) -> None:
    yard.tell(series(DARK))
    yard.rules.tickets.act(1, "done", "anna")
    yard.clock.ms += 20 * 3_600_000
    yard.rules.tick()
    first = yard.rules.tickets.ticket(1)
    assert first is not None and first.status == "done"
    yard.clock.ms += 5 * 3_600_000
    yard.rules._looked_back_s = -1000.0
    yard.rules.tick()
    second = yard.rules.tickets.ticket(1)
    assert second is not None and second.status == "open"
    assert second.steps[-1].note == "Die Messung widerspricht: Der Fehler besteht einen Tag später noch."


def test_a_false_alarm_is_not_reopened_by_the_same_fault(yard: Desk) -> None:
    yard.tell(series(DARK))
    yard.rules.tickets.act(1, "false_alarm", "anna", "Die Lampe steht im Tunnel.")
    yard.tell(series(LIT, 3))
    first = yard.rules.tickets.ticket(1)
    assert first is not None and first.status == "false_alarm"


# Citizens' reports, which are the only ones to be `reported`, come with a later issue.
@pytest.mark.parametrize("status", sorted(set(TICKET_STATUSES) - {"reported"}))
def test_every_step_is_possible_exactly_where_the_table_says(yard: Desk, status: str) -> None:
    to_get_there = {
        "open": [], "accepted": ["accept"], "in_progress": ["start"], "done": ["done"], "closed": ["close"],
        "unsolvable": ["unsolvable"], "duplicate": ["duplicate"], "false_alarm": ["false_alarm"],
    }  # fmt: skip
    lamps = [lamp(number) for number in range(2, 2 + len(TRANSITIONS))]
    yard.commission(lamps)
    yard.tell([one for each in lamps for one in lamp_series(each.device_id, DARK)])
    for number, (action, (states, target)) in enumerate(TRANSITIONS.items(), start=1):
        for step in to_get_there[status]:
            yard.rules.tickets.act(number, step, "anna", "weil")
        if status in states:
            assert yard.rules.tickets.act(number, action, "anna", "weil").status == target
            continue
        with pytest.raises(NotNowError) as refused:
            yard.rules.tickets.act(number, action, "anna", "weil")
        possible = {name for name, (allowed, _) in TRANSITIONS.items() if status in allowed}
        assert set(refused.value.allowed) == possible | {"note"}


def test_what_can_not_be_done_is_refused_with_a_sentence(yard: Desk) -> None:
    yard.tell(series(DARK))
    with pytest.raises(NotThereError, match="there is no ticket 7"):
        yard.rules.tickets.act(7, "accept", "anna")
    with pytest.raises(DeskError, match="there is no action 'explode'; expected one of accept"):
        yard.rules.tickets.act(1, "explode", "anna")
    with pytest.raises(DeskError, match="unsolvable needs a note that says why"):
        yard.rules.tickets.act(1, "unsolvable", "anna")
    with pytest.raises(DeskError, match="expected at most 2000"):
        yard.rules.tickets.act(1, "note", "anna", "x" * 2001)
    found = yard.rules.tickets.ticket(1)
    assert found is not None and len(found.steps) == 1


def test_pages_filter_and_go_on(yard: Desk) -> None:
    others = [lamp(number) for number in range(2, 8)]
    yard.commission(others)
    for one in [L1, *others]:
        yard.tell(lamp_series(one.device_id, DARK))
    yard.rules.tickets.act(3, "close", "anna")
    first, after = yard.rules.tickets.page(statuses=TICKETS_AT_WORK, limit=4)
    rest, end = yard.rules.tickets.page(statuses=TICKETS_AT_WORK, limit=4, after=after)
    assert ([one.id for one in first], [one.id for one in rest], end) == ([7, 6, 5, 4], [2, 1], None)
    assert yard.rules.tickets.page(town="brandis")[0] == []
    assert yard.rules.tickets.page(kind="parking")[0] == []


def test_every_step_is_in_the_outbox_and_in_the_audit(yard: Desk) -> None:
    yard.tell(series(DARK))
    yard.rules.tickets.act(1, "accept", "anna")
    notices = yard.rules.outbox.after(0)
    assert [(one.kind, one.object_id, one.town, one.position) for one in notices] == [
        ("ticket", 1, "naunhof", 3), ("ticket", 1, "naunhof", 3),
    ]  # fmt: skip
    assert with_rules(Report(ok=True), yard.database).ok


def test_an_altered_audit_is_found(yard: Desk) -> None:
    yard.tell(series(DARK))
    yard.rules.tickets.act(1, "accept", "anna")
    with yard.database.write() as connection:
        connection.exec_driver_sql("UPDATE audit SET by = 'otto' WHERE id = 2")
    report = with_rules(Report(ok=True), yard.database)
    assert (report.ok, report.audit_ok) == (False, False)
    assert report.problems == ["the audit does not hold from row 2 on: somebody altered it, compare it with a backup"]


def test_a_deleted_row_of_the_audit_is_found(yard: Desk) -> None:
    yard.tell(series(DARK))
    yard.rules.tickets.act(1, "accept", "anna")
    with yard.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM audit WHERE id = 1")
    assert not with_rules(Report(ok=True), yard.database).audit_ok


def test_an_audit_that_was_cut_off_is_found(yard: Desk) -> None:
    yard.tell(series(DARK))
    yard.rules.tickets.act(1, "accept", "anna")
    with yard.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM audit WHERE id = 2")
    report = with_rules(Report(ok=True), yard.database)
    assert (report.ok, report.audit_ok) == (False, False)
    assert report.problems[0].startswith("the audit has 1 steps of tickets and cases, their histories 2")


def test_two_tickets_at_work_for_one_fault_would_be_found(yard: Desk) -> None:
    yard.tell(series(DARK))
    with yard.database.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO ticket (status, priority, rule, subject, title_de, since_ms, opened_ms, updated_ms)"
            " SELECT status, priority, rule, subject, title_de, since_ms, opened_ms, updated_ms FROM ticket"
        )
    report = with_rules(Report(ok=True), yard.database)
    assert (report.ok, report.tickets_duplicated) == (False, 1)


def test_a_finding_stands_once_whoever_writes_it(yard: Desk) -> None:
    yard.tell(series(DARK))
    with pytest.raises(DatabaseError), yard.database.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO finding (rule, subject, episode, since_ms, opened_ms, priority, members, text_de, evidence)"
            " SELECT rule, subject, episode, since_ms, opened_ms, priority, members, text_de, evidence FROM finding"
        )
