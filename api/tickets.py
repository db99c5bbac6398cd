"""Findings and tickets over HTTP: look, and act."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

import msgspec
from fastapi import Depends, Path, Query, Request, Response

from api.centre import AskCentre, Centre, as_json
from api.devices import TOWNS
from api.discretion import findings_for
from api.guards import foreign, town_of
from api.items import FindingItem, TicketItem, finding_item, ticket_item
from api.problems import ProblemError, shown
from api.readings import Kind, known_kind
from api.who import AskWho, Who
from rules.errors import DeskError, NotNowError, NotThereError
from rules.records import TICKET_STATUSES, TICKETS_AT_WORK, Ticket
from rules.repairs import repairs_as_csv

LIMIT_MAX = 1000
NUMBER_MAX = 2**53
FINDING_RULE = "^[a-z][a-z0-9_]{0,63}$"
NOTE_BYTES_MAX = 16 * 1024
NumberPath = Annotated[int, Path(ge=1, le=NUMBER_MAX)]
TownQuery = Annotated[str | None, Query(json_schema_extra={"enum": TOWNS})]
AfterNumber = Annotated[int | None, Query(ge=1, le=NUMBER_MAX, description="The `next` of the page before.")]
Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX)]


@dataclass(frozen=True)
class FindingsPage:
    """Findings, newest first; `next` is the `after` of the next page, null = these were the last."""

    items: list[FindingItem]
    next: int | None


@dataclass(frozen=True)
class TicketsPage:
    """Tickets, newest first; `next` is the `after` of the next page, null = these were the last."""

    items: list[TicketItem]
    next: int | None


class Said(msgspec.Struct, forbid_unknown_fields=True):
    """What somebody says with an action: `note` in their words, `cause` when an SOS case is closed."""

    note: str = ""
    cause: str | None = None


def findings(
    centre: AskCentre,
    who: AskWho,
    town: TownQuery = None,
    rule: Annotated[str | None, Query(pattern=FINDING_RULE)] = None,
    subject: Annotated[str | None, Query(max_length=200)] = None,
    state: Annotated[str | None, Query(json_schema_extra={"enum": ["open", "closed"]})] = None,
    after: AfterNumber = None,
    limit: Limit = 100,
) -> Response:
    """One page of findings. Those of the rule sos_press are for who answers SOS."""
    known_town(town)
    if state not in (None, "open", "closed"):
        raise ProblemError(HTTPStatus.BAD_REQUEST, f"state is {shown(state)}; expected open or closed.")
    is_open = None if state is None else state == "open"
    found = findings_for(centre, who, town_of(who, town), rule, subject, is_open, after, limit + 1)
    items = [finding_item(one) for one in found[:limit]]
    return as_json(FindingsPage(items, items[-1].id if len(found) > limit else None))


def tickets(
    centre: AskCentre,
    who: AskWho,
    status: Annotated[str | None, Query(description="One status, or at_work for all that are not ended.")] = None,
    town: TownQuery = None,
    kind: Kind = None,
    after: AfterNumber = None,
    limit: Limit = 100,
) -> Response:
    """One page of tickets."""
    known_town(town)
    known_kind(kind)
    page, more = centre.rules.tickets.page(town_of(who, town), _statuses(status), kind, after, limit)
    return as_json(TicketsPage([ticket_item(centre, one) for one in page], more))


def ticket(centre: AskCentre, who: AskWho, ticket_id: NumberPath) -> Response:
    """One ticket with its findings and its history."""
    return as_json(ticket_item(centre, ticket_for(centre, who, ticket_id)))


def repairs_csv(centre: AskCentre, who: AskWho) -> Response:
    """The repairs of lamps that people told: device_id and when. From then on a lamp is learned anew."""
    devices = centre.inventory.snapshot().devices
    told = centre.rules.tickets.repairs()
    seen = [one for one in told if one.device_id in devices and who.sees(devices[one.device_id].town)]
    return Response(repairs_as_csv(seen), media_type="text/csv; charset=utf-8")


async def said_of(request: Request) -> Said:
    """What was said with an action: a JSON object, or nothing."""
    body = await request.body()
    if len(body) > NOTE_BYTES_MAX:
        raise ProblemError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"expected at most {NOTE_BYTES_MAX} bytes.")
    if not body.strip():
        return Said()
    try:
        return msgspec.json.decode(body, type=Said)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        detail = f'The body can\'t be used: {error}. Expected JSON such as {{"note": "…"}}, or nothing.'
        raise ProblemError(HTTPStatus.BAD_REQUEST, detail) from None


WhatWasSaid = Annotated[Said, Depends(said_of)]


def act_on_ticket(
    centre: AskCentre,
    who: AskWho,
    said: WhatWasSaid,
    ticket_id: NumberPath,
    action: Annotated[str, Path(pattern="^[a-z_]{1,40}$")],
) -> Response:
    """Do one step of a ticket; the ticket after it."""
    ticket_for(centre, who, ticket_id)
    try:
        return as_json(ticket_item(centre, centre.rules.tickets.act(ticket_id, action, who.name, said.note)))
    except DeskError as error:
        raise desk_problem(error) from None


def ticket_for(centre: Centre, who: Who, number: int) -> Ticket:
    """The ticket, if there is one and it is theirs to see."""
    found = centre.rules.tickets.ticket(number)
    if found is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, f"There is no ticket {number}.")
    if not who.sees(found.town):
        raise foreign(who, f"ticket {number}")
    return found


def desk_problem(error: DeskError) -> ProblemError:
    """The right status for what a desk refuses."""
    sentence = f"{str(error)[:1].upper()}{str(error)[1:]}."
    if isinstance(error, NotThereError):
        return ProblemError(HTTPStatus.NOT_FOUND, sentence)
    if isinstance(error, NotNowError):
        return ProblemError(HTTPStatus.CONFLICT, sentence, more={"allowed": list(error.allowed)})
    return ProblemError(HTTPStatus.BAD_REQUEST, sentence)


def known_town(town: str | None) -> None:
    """Refuse a town that there is not."""
    if town is not None and town not in TOWNS:
        raise ProblemError(HTTPStatus.BAD_REQUEST, f"town is {shown(town)}; expected one of {', '.join(TOWNS)}.")


def _statuses(status: str | None) -> frozenset[str] | None:
    if status is None:
        return None
    if status == "at_work":
        return TICKETS_AT_WORK
    if status not in TICKET_STATUSES:
        expected = ", ".join(["at_work", *TICKET_STATUSES])
        raise ProblemError(HTTPStatus.BAD_REQUEST, f"status is {shown(status)}; expected one of {expected}.")
    return frozenset({status})
