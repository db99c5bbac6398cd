"""SOS cases over HTTP: look, and answer."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from fastapi import Path, Query, Response

from api.centre import AskCentre, Centre, as_json
from api.guards import foreign, town_of
from api.items import SosItem, sos_item
from api.problems import ProblemError, shown
from api.tickets import AfterNumber, Limit, NumberPath, TownQuery, WhatWasSaid, desk_problem, known_town
from api.who import AskWho, Who
from rules.errors import DeskError
from rules.records import CASE_STATES, SosCase

STATES = ("open", *CASE_STATES)


@dataclass(frozen=True)
class SosPage:
    """SOS cases, newest first; `next` is the `after` of the next page, null = these were the last."""

    items: list[SosItem]
    next: int | None


def cases(
    centre: AskCentre,
    who: AskWho,
    state: Annotated[str | None, Query(json_schema_extra={"enum": list(STATES)})] = None,
    town: TownQuery = None,
    after: AfterNumber = None,
    limit: Limit = 100,
) -> Response:
    """One page of cases; state `open` are all that are not closed."""
    known_town(town)
    if state is not None and state not in STATES:
        raise ProblemError(HTTPStatus.BAD_REQUEST, f"state is {shown(state)}; expected one of {', '.join(STATES)}.")
    page, more = centre.rules.cases.page(town_of(who, town), state, after, limit)
    return as_json(SosPage([sos_item(centre, one) for one in page], more))


def case(centre: AskCentre, who: AskWho, case_id: NumberPath) -> Response:
    """One case with its history."""
    return as_json(sos_item(centre, case_for(centre, who, case_id)))


def act_on_case(
    centre: AskCentre,
    who: AskWho,
    said: WhatWasSaid,
    case_id: NumberPath,
    action: Annotated[str, Path(pattern="^[a-z_]{1,40}$")],
) -> Response:
    """Do one step of a case; the case after it. `close` needs a cause."""
    case_for(centre, who, case_id)
    try:
        return as_json(sos_item(centre, centre.rules.cases.act(case_id, action, who.name, said.note, said.cause)))
    except DeskError as error:
        raise desk_problem(error) from None


def case_for(centre: Centre, who: Who, number: int) -> SosCase:
    """The case, if there is one and it is theirs to see: one of a button that nobody knows is everybody's."""
    found = centre.rules.cases.case(number)
    if found is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, f"There is no SOS case {number}.")
    if found.town is not None and not who.sees(found.town):
        raise foreign(who, f"SOS case {number}")
    return found
