"""/bauhof: work as cards in three columns, one ticket with the reason for it, and what is done about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Request, Response

from api.centre import AskCentre, Centre
from api.pages.device import interval_of, limits_of, main_value, readings_in, value_rows
from api.pages.evidence import evidence_name, evidence_words, judged_by, param_german
from api.pages.places import Spot, spot_of, spot_of_subject
from api.pages.plot import HOUR_MS, Plot, hours_span, plot_of
from api.pages.view import chosen, count_from, refuse, render, see_other, with_query
from api.pages.vocabulary import PRIORITY_NAMES, TICKET_ACTIONS, TICKET_DONE, TOWN_NAMES, town_name
from api.route import Policy
from api.who import AskWho, Who, form_fields
from core.device import Device
from core.inventory import Snapshot
from core.kinds import KIND_GERMAN, VALUES
from rules import looking_after
from rules.audit import SYSTEM
from rules.errors import DeskError, NotNowError, NotThereError
from rules.records import PRIORITIES, Finding, Ticket
from rules.spec import Rule
from rules.terms import param_words

COLUMNS = {
    "new": ("Neu", ("reported", "open")),
    "now": ("In Arbeit", ("accepted", "in_progress")),
    "done": ("Erledigt", ("done", "closed", "unsolvable", "duplicate", "false_alarm")),
}
CARDS_MAX = 30
PAGE_READ = 100
PAGES_READ_MAX = 10
MEMBERS_SHOWN_MAX = 200
EVIDENCE_HOURS = 12
FIRST_ACTIONS = ("accept", "start", "done", "close", "reopen")
"""What moves a ticket on; the others end or annotate it."""

Form = Annotated[dict[str, str], Depends(form_fields)]


@dataclass(frozen=True)
class Card:
    """A ticket in a column; `value` is what its device said last, with its name."""

    ticket: Ticket
    spot: Spot
    value: str
    value_t_ms: int | None


@dataclass(frozen=True)
class Filter:
    """What the board is narrowed to; None = everything."""

    town: str | None
    kind: str | None
    priority: str | None


def yard_page(
    request: Request,
    centre: AskCentre,
    who: AskWho,
    town: str | None = None,
    kind: str | None = None,
    priority: str | None = None,
    column: str | None = None,
    after: str | None = None,
) -> Response:
    """The board. `column` is the one that a phone shows, and the one that `after` pages through."""
    wanted = Filter(
        chosen(request, "town", town, _towns(who), "Einen Ort") or who.town,
        chosen(request, "kind", kind, KIND_GERMAN, "Eine Art"),
        chosen(request, "priority", priority, PRIORITY_NAMES, "Eine Dringlichkeit"),
    )
    opened = chosen(request, "column", column, COLUMNS, "Eine Spalte") or "new"
    key = count_from(request, after, "Der Anfang der Liste")
    snapshot = centre.inventory.snapshot()
    query = {"town": town, "kind": wanted.kind, "priority": wanted.priority}
    columns = []
    for name, (german, statuses) in COLUMNS.items():
        tickets, more = _tickets(centre, wanted, statuses, key if name == opened else None)
        more_url = with_query("/bauhof", **query, column=name, after=more) if more is not None else None
        cards = [_card(centre, ticket, snapshot) for ticket in tickets]
        columns.append((name, german, cards, more_url, with_query("/bauhof", **query, column=name)))
    return render(
        request, who, "yard.html", active="yard", columns=columns, opened=opened, wanted=wanted, towns=_towns(who),
        kinds=KIND_GERMAN, query=query, filtered=any(query.values()),
    )  # fmt: skip


def ticket_page(request: Request, centre: AskCentre, who: AskWho, ticket_id: str, did: str | None = None) -> Response:
    """One ticket: what, where, why, and what may be done."""
    did = chosen(request, "did", did, TICKET_DONE, "Einen Schritt")
    return _ticket_view(request, centre, who, _ticket(request, centre, who, ticket_id), did=did)


def act(request: Request, centre: AskCentre, who: AskWho, ticket_id: str, action: str, form: Form) -> Response:
    """Do one of the actions and go back to the ticket."""
    ticket = _ticket(request, centre, who, ticket_id)
    chosen(request, "action", action, TICKET_ACTIONS, "Einen Schritt")
    try:
        centre.rules.tickets.act(ticket.id, action, who.name, form.get("note", ""))
    except NotNowError:
        # Somebody else was quicker; the page shows what is the case now.
        fresh = centre.rules.tickets.ticket(ticket.id) or ticket
        what = (
            f"„{TICKET_ACTIONS[action]}“ ging nicht: Der Auftrag hat sich inzwischen geändert; unten steht sein Stand."
        )
        return _ticket_view(request, centre, who, fresh, HTTPStatus.CONFLICT, trouble=what)
    except NotThereError:
        refuse(request, HTTPStatus.NOT_FOUND, "Diesen Auftrag gibt es nicht (mehr).")
    except DeskError:
        what = "Bitte schreiben Sie in die Notiz, warum. Ohne Notiz geht das nicht."
        return _ticket_view(request, centre, who, ticket, HTTPStatus.BAD_REQUEST, trouble=what)
    return see_other(f"/bauhof/{ticket.id}?did={action}")


def _ticket(request: Request, centre: Centre, who: Who, ticket_id: str) -> Ticket:
    number = count_from(request, ticket_id, "Die Nummer des Auftrags", 10**12)
    ticket = centre.rules.tickets.ticket(number) if number is not None else None
    if ticket is None:
        refuse(request, HTTPStatus.NOT_FOUND, "Diesen Auftrag gibt es nicht. Unter „Bauhof“ stehen alle.")
    if not who.sees(ticket.town):
        sentence = f"Dieser Auftrag gehört zu {town_name(ticket.town)}. Ihr Zugang gilt für einen anderen Ort."
        refuse(request, HTTPStatus.FORBIDDEN, sentence)
    return ticket


def _ticket_view(
    request: Request,
    centre: Centre,
    who: Who,
    ticket: Ticket,
    status: int = HTTPStatus.OK,
    did: str | None = None,
    trouble: str | None = None,
) -> Response:
    snapshot = centre.inventory.snapshot()
    card = _card(centre, ticket, snapshot)
    device = snapshot.devices.get(_witness(ticket) or "")
    rule = centre.rules.book.rules.get(ticket.rule)
    was = ticket.findings[0].rule_hash if ticket.findings else ""
    members = _members(ticket.findings, snapshot)
    return render(
        request, who, "ticket.html", status, active="yard", card=card, ticket=ticket, device=device,
        plot=_evidence(centre, ticket, device, rule), plot_end=_evidence_end(ticket), members=members,
        first=[one for one in FIRST_ACTIONS if one in ticket.actions],
        others=[one for one in ticket.actions if one not in FIRST_ACTIONS and one in TICKET_ACTIONS],
        system=SYSTEM, may_work=who.may(Policy.TICKETS_WORK), did=did, trouble=trouble,
        rule_title=ticket.title_de if rule is None else rule.title_de, rule_changed=rule is None or rule.hash != was,
        param_german=param_german, param_words=param_words, name_german=evidence_name, value_german=evidence_words,
        latest=value_rows(device.kind, centre.rules.live.latest(device.device_id)) if device is not None else [],
    )  # fmt: skip


def _towns(who: Who) -> dict[str, str]:
    return {town: name for town, name in TOWN_NAMES.items() if who.sees(town)}


def _tickets(
    centre: Centre, wanted: Filter, statuses: Sequence[str], after: int | None
) -> tuple[list[Ticket], int | None]:
    """The next cards of a column, and the key behind them; stops looking after some pages without a match."""
    found: list[Ticket] = []
    key = after
    for _ in range(PAGES_READ_MAX):
        page, key = centre.rules.tickets.page(
            town=wanted.town, statuses=statuses, kind=wanted.kind, after=key, limit=PAGE_READ
        )
        found += [one for one in page if wanted.priority in (None, one.priority)]
        if key is None or len(found) > CARDS_MAX:
            break
    if len(found) > CARDS_MAX:
        return _urgent_first(found[:CARDS_MAX]), found[CARDS_MAX - 1].id
    return _urgent_first(found), key


def _urgent_first(tickets: Sequence[Ticket]) -> list[Ticket]:
    return sorted(tickets, key=lambda one: PRIORITIES.index(one.priority))


def _card(centre: Centre, ticket: Ticket, snapshot: Snapshot) -> Card:
    spot = spot_of_subject(ticket.subject, ticket.town, snapshot.devices, snapshot.sites)
    if ticket.rule == looking_after.RULE:
        spot = Spot("Plattform", "die Plattform selbst", town_name(None))
    device = snapshot.devices.get(ticket.subject)
    latest = centre.rules.live.latest(ticket.subject) if device is not None else None
    if device is None or latest is None:
        return Card(ticket, spot, "", None)
    rows = value_rows(device.kind, latest)
    row = next((one for one in rows if one.name == main_value(device.kind)), rows[0] if rows else None)
    if row is None:
        return Card(ticket, spot, "", latest.t_ms)
    return Card(ticket, spot, f"{row.german} {row.words}", row.t_ms)


def _witness(ticket: Ticket) -> str | None:
    """The device whose readings show what the ticket says."""
    if ":" not in ticket.subject:
        return ticket.subject
    for finding in ticket.findings:
        for one in finding.evidence:
            return one.device_id
        if finding.members:
            return finding.members[0]
    return None


def _evidence_end(ticket: Ticket) -> int:
    middle_ms = ticket.since_ms + EVIDENCE_HOURS // 2 * HOUR_MS
    return (middle_ms // HOUR_MS + 1) * HOUR_MS


def _evidence(centre: Centre, ticket: Ticket, device: Device | None, rule: Rule | None) -> Plot | None:
    """The curve of what the rule judges by, around the time it began; None when there is nothing to draw."""
    if device is None:
        return None
    seen = {one.name for finding in ticket.findings for one in finding.evidence}
    wanted = [*(judged_by(rule) if rule is not None else ()), *sorted(seen)]
    name = next((one for one in wanted if one in seen and one in VALUES[device.kind]), main_value(device.kind))
    if name is None:
        return None
    span = hours_span(_evidence_end(ticket), EVIDENCE_HOURS)
    readings = readings_in(centre, device.device_id, span)
    if readings is None:
        return None
    limits = limits_of(device, name)
    made = plot_of(readings, device.kind, name, span, interval_of(device), limits, [ticket.since_ms])
    return made if made.count else None


def _members(findings: Sequence[Finding], snapshot: Snapshot) -> list[Spot]:
    ids = dict.fromkeys(member for finding in findings for member in finding.members)
    known = [snapshot.devices[one] for one in ids if one in snapshot.devices]
    return [spot_of(one, snapshot.sites) for one in known[:MEMBERS_SHOWN_MAX]] if len(ids) > 1 else []
