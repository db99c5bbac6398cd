"""What stands before every route: who may use it, whether a change is meant, and whether each parameter is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer

from api.problems import ProblemError, shown
from api.route import HTML, Policy, Route
from api.who import COOKIE, AskWho, Who, check_form

SIGN_IN = "/anmelden"
ROLE_WORDS = {
    "technician": "die Monteure",
    "yard": "den Bauhof",
    "dispatcher": "die Notrufstelle",
    "admin": "die Verwaltung der Plattform",
}
# They only describe the two ways in; the door has looked at both already.
_BEARER = HTTPBearer(auto_error=False, description="A token of `partheland token create`, or the one of [http].")
_COOKIE = APIKeyCookie(name=COOKIE, auto_error=False, description="The session of POST /api/v1/session.")
Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]
Cookie = Annotated[str | None, Depends(_COOKIE)]


def is_page(route: Route) -> bool:
    """Whether people read what this route answers."""
    return route.media == HTML and not route.path.startswith("/api/")


def guards_of(route: Route) -> Sequence[Callable[..., Any]]:
    """What a request passes before the route's own function, in this order."""
    guards: list[Callable[..., Any]] = [_as_page] if is_page(route) else []
    if route.policy is not Policy.OPEN:
        guards.append(_guard_of(route.policy))
    if not is_page(route) and (route.policy is not Policy.OPEN or route.path.startswith("/api/")):
        guards.append(only_known_parameters)
    return guards


async def _as_page(request: Request) -> None:
    """Whatever goes wrong from here on is said as a page."""
    request.state.is_page = True


def _guard_of(policy: Policy) -> Callable[..., Any]:
    async def guard(request: Request, who: AskWho, _bearer: Bearer, _cookie: Cookie) -> None:
        if who.role == "public":
            raise _not_signed_in(request)
        if not who.may(policy):
            raise _not_theirs(request, who, policy)
        await check_form(request, who)

    return guard


def _not_signed_in(request: Request) -> ProblemError:
    if getattr(request.state, "is_page", False):
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        onward = f"?weiter={quote(here, safe='/')}" if request.method in ("GET", "HEAD") else ""
        return ProblemError(HTTPStatus.SEE_OTHER, "Sign in first.", {"Location": SIGN_IN + onward})
    if "authorization" in request.headers:
        detail = "This token is not known here, or it has ended; `partheland token create` makes a new one."
    else:
        detail = "Sign in first: POST /api/v1/session, or send the header 'Authorization: Bearer …' with a token."
    return ProblemError(HTTPStatus.UNAUTHORIZED, detail, {"WWW-Authenticate": "Bearer"})


def _not_theirs(request: Request, who: Who, policy: Policy) -> ProblemError:
    if policy is Policy.PLATFORM:
        german, detail = "die Verwaltung aller Orte", "an admin of all towns"
    else:
        roles = [role for role in ROLE_WORDS if role in policy.value]
        german, detail = " und ".join(ROLE_WORDS[role] for role in roles), f"the role {' or '.join(roles)}"
    request.state.sentence_de = (
        f"Diese Seite ist für {german}. Sie sind angemeldet als {who.name}; "
        "melden Sie sich ab und mit einem anderen Namen an, wenn Sie hierher gehören."
    )
    own = f"{who.role} of {who.town or 'all towns'}"
    return ProblemError(HTTPStatus.FORBIDDEN, f"This needs {detail}; you come in as {own}.")


async def only_known_parameters(request: Request) -> None:
    """Refuse a parameter that the route does not know: a filter with a slip of the pen would answer too much."""
    known = sorted(_parameters(request.scope["route"].dependant))
    names = [name for name, _ in request.query_params.multi_items()]
    for name in names:
        if name not in known:
            expected = f"expected some of {', '.join(known)}" if known else "expected none"
            raise ProblemError(HTTPStatus.BAD_REQUEST, f"There is no parameter {shown(name)} here; {expected}.")
        if names.count(name) > 1:
            raise ProblemError(HTTPStatus.BAD_REQUEST, f"{name} is given more than once; expected it once.")


def _parameters(dependant: Dependant) -> Iterator[str]:
    yield from (parameter.alias for parameter in dependant.query_params)
    for inner in dependant.dependencies:
        yield from _parameters(inner)


def town_of(who: Who, town: str | None) -> str | None:
    """The town to filter by: the one asked for, or one's own; None = all. Raises ProblemError for a foreign one."""
    if town is None:
        return who.town
    if not who.sees(town):
        raise foreign(who, f"town {shown(town)}")
    return town


def foreign(who: Who, what: str) -> ProblemError:
    """The refusal of something that belongs to another town; `what` names it."""
    return ProblemError(HTTPStatus.FORBIDDEN, f"The {what} is not yours to see: you come in for {who.town} only.")
