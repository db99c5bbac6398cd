"""/notruf: the queue of pressed buttons. Who looks here must never take a dead page for a quiet evening."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, Request, Response

from api.centre import AskCentre, Centre
from api.pages.places import Spot, spot_of_subject
from api.pages.view import HTML, chosen, count_from, environment, refuse, render, see_other
from api.pages.vocabulary import CASE_ACTIONS, CASE_CAUSES, CASE_DONE, town_name
from api.who import AskWho, Who, form_fields, form_token
from core.clock import MS_PER_S
from core.german import short_duration
from rules.errors import NotNowError, NotThereError
from rules.records import SosCase

OPEN_MAX = 100
CLOSED_MAX = 10
RELOAD_S = {"10": 10}

Form = Annotated[dict[str, str], Depends(form_fields)]


@dataclass(frozen=True)
class Card:
    """A case in the queue; `waiting_s` counts while nobody has answered."""

    case: SosCase
    spot: Spot
    waiting_s: int
    waiting: str


def sos_page(
    request: Request, centre: AskCentre, who: AskWho, reload: str | None = None, did: str | None = None
) -> Response:
    """The queue, full screen; `reload` lets the browser load it again by itself, for those without JavaScript."""
    every = chosen(request, "reload", reload, RELOAD_S, "Diese Wartezeit")
    done = chosen(request, "did", did, CASE_DONE, "Einen Schritt")
    headers = {"Refresh": f"{RELOAD_S[every]}; url=/notruf?reload={every}"} if every else {}
    return render(request, who, "sos.html", 200, headers, active="sos", every=every, did=done, **_queue(centre, who))


def sos_list(request: Request, centre: AskCentre, who: AskWho) -> Response:
    """Only the queue, for the page that is open already."""
    context = {**_queue(centre, who), "now_ms": centre.clock.now_ms(), "csrf": form_token(request)}
    return Response(environment().get_template("sos_list.html").render(context), media_type=HTML)


def act(request: Request, centre: AskCentre, who: AskWho, case_id: str, action: str, form: Form) -> Response:
    """Do one of the actions and go back to the queue."""
    number = count_from(request, case_id, "Die Nummer des Notrufs", 10**12)
    case = centre.rules.cases.case(number) if number is not None else None
    if case is None:
        refuse(request, HTTPStatus.NOT_FOUND, "Diesen Notruf gibt es nicht. Unter „Notruf“ stehen alle offenen.")
    if not who.sees(case.town):
        sentence = f"Dieser Notruf kommt aus {town_name(case.town)}. Ihr Zugang gilt für einen anderen Ort."
        refuse(request, HTTPStatus.FORBIDDEN, sentence)
    chosen(request, "action", action, CASE_ACTIONS, "Einen Schritt")
    cause = chosen(request, "cause", form.get("cause"), CASE_CAUSES, "Einen Grund")
    if action == "close" and cause is None:
        trouble = "Zum Abschließen fehlt der Grund: echter Notfall, Fehlalarm, Test oder Vandalismus."
        return _with_trouble(request, centre, who, HTTPStatus.BAD_REQUEST, trouble)
    try:
        centre.rules.cases.act(case.id, action, who.name, form.get("note", ""), cause=cause)
    except NotNowError:
        trouble = "Das ging nicht: Der Notruf hat sich inzwischen geändert. Unten steht der neue Stand."
        return _with_trouble(request, centre, who, HTTPStatus.CONFLICT, trouble)
    except NotThereError:
        refuse(request, HTTPStatus.NOT_FOUND, "Diesen Notruf gibt es nicht (mehr).")
    return see_other(f"/notruf?did={action}#fall-{case.id}")


def _with_trouble(request: Request, centre: Centre, who: Who, status: int, trouble: str) -> Response:
    return render(
        request, who, "sos.html", status, active="sos", every=None, did=None, trouble=trouble, **_queue(centre, who)
    )


def _queue(centre: Centre, who: Who) -> dict[str, Any]:
    """Unanswered cases, the longest waiting first; then those in hand; then the last closed ones."""
    cases = centre.rules.cases
    found, _ = cases.page(town=who.town, state="open", limit=OPEN_MAX)
    cards = [_card(centre, one) for one in found]
    unanswered = sorted((one for one in cards if one.case.state == "received"), key=_waiting_order)
    closed, _ = cases.page(town=who.town, state="closed", limit=CLOSED_MAX)
    return {
        "unanswered": unanswered,
        "in_hand": [one for one in cards if one.case.state != "received"],
        "closed": [_card(centre, one) for one in closed],
    }


def _waiting_order(card: Card) -> tuple[bool, int]:
    """Real presses before tests, old before new."""
    return card.case.is_test, card.case.received_ms


def _card(centre: Centre, case: SosCase) -> Card:
    snapshot = centre.inventory.snapshot()
    spot = spot_of_subject(case.device_id, case.town, snapshot.devices, snapshot.sites)
    waiting_s = max(0, (centre.clock.now_ms() - case.received_ms) // MS_PER_S)
    return Card(case, spot, waiting_s, short_duration(waiting_s))
