"""How a page comes to be: one environment for the templates, one frame around every page, one way to refuse.

Templates escape whatever they show. Their filters know German; those that tell an age take the platform's time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from typing import Any, NoReturn
from urllib.parse import urlencode

from fastapi import Request, Response
from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context

from api.centre import Centre
from api.pages import vocabulary
from api.pages.static_files import static_url
from api.problems import ProblemError
from api.route import Policy
from api.who import Who, form_token
from core import german as words
from core.clock import iso

HTML = "text/html; charset=utf-8"


@dataclass(frozen=True)
class Door:
    """One entry of the navigation; `key` marks the page that is open."""

    key: str
    href: str
    name: str
    icon: str


_DOORS = (
    (Door("start", "/", "Start", "home"), Policy.OPEN),
    (Door("parking", "/parken", "Parken", "parking"), Policy.OPEN),
    (Door("map", "/karte", "Karte", "map"), Policy.OPEN),
    (Door("yard", "/bauhof", "Bauhof", "wrench"), Policy.TICKETS),
    (Door("sos", "/notruf", "Notruf", "sos"), Policy.SOS),
)


def _age_filter(tell: Any) -> Any:
    @pass_context
    def with_now(context: Context, ms: int) -> str:
        said: str = tell(ms, context["now_ms"])
        return said

    return with_now


@cache
def environment() -> Environment:
    """The templates; a name that a page forgot to give is an error, not an empty place."""
    made = Environment(
        loader=PackageLoader("api.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in ("since", "ago", "short_ago", "moment"):
        made.filters[name] = _age_filter(getattr(words, name))
    for name in ("number", "clock_time", "counted", "joined", "upper_first"):
        made.filters[name] = getattr(words, name)
    for name in ("town_name", "kind_name", "value_name", "value_words", "fee_words", "hours_words", "stay_words"):
        made.filters[name] = getattr(vocabulary, name)
    made.filters["iso"] = iso
    made.globals.update(static=static_url, words=vocabulary, stages=vocabulary.STAGE_NAMES, some=words.up_to_hundred)
    return made


def render(
    request: Request,
    who: Who,
    template: str,
    status: int = HTTPStatus.OK,
    headers: Mapping[str, str] | None = None,
    **shown: Any,
) -> Response:
    """A page inside the frame of all pages. `active` among `shown` names its door."""
    centre: Centre = request.app.state.centre
    context = {
        "who": who,
        "who_words": who_words(who),
        "csrf": form_token(request),
        "dev": centre.dev,
        "doors": [door for door, policy in _DOORS if policy is Policy.OPEN or who.may(policy)],
        "now_ms": centre.clock.now_ms(),
        "speed": getattr(centre.clock, "speed", 1),
        "path": request.url.path,
        "active": "",
        **shown,
    }
    return Response(environment().get_template(template).render(context), status, headers, HTML)


def who_words(who: Who) -> str:
    """`Bauhof, Naunhof`: what stands beside the name; empty for the public."""
    if who.role == "public":
        return ""
    place = vocabulary.town_name(who.town) if who.town else "alle Orte"
    return f"{vocabulary.ROLE_NAMES.get(who.role, who.role)}, {place}"


def refuse(request: Request, status: int, sentence: str) -> NoReturn:
    """End this request with a page that says, in German, what was wrong and what to do."""
    request.state.sentence_de = sentence
    raise ProblemError(status, sentence)


def chosen(request: Request, name: str, value: str | None, allowed: Mapping[str, Any], german: str) -> str | None:
    """One of `allowed`, or None for none; anything else is refused with what there is."""
    if not value:
        return None
    if value not in allowed:
        sentence = f"{german} „{value[:40]}“ gibt es hier nicht ({name}). Es gibt: {', '.join(allowed)}."
        refuse(request, HTTPStatus.BAD_REQUEST, sentence)
    return value


def count_from(request: Request, value: str | None, german: str, high: int = 10**9) -> int | None:
    """A whole number from the address; None when there is none."""
    if not value:
        return None
    if not (value.isascii() and value.isdecimal() and len(value) <= 12 and int(value) <= high):
        refuse(request, HTTPStatus.BAD_REQUEST, f"{german} muss eine ganze Zahl bis {high} sein, nicht „{value[:40]}“.")
    return int(value)


def see_other(path: str) -> Response:
    """After a form: go and look at `path`, so that reloading it repeats nothing."""
    return Response(status_code=HTTPStatus.SEE_OTHER, headers={"Location": path})


def with_query(path: str, **parameters: object) -> str:
    """`path` with the parameters that are set."""
    query = urlencode({name: value for name, value in parameters.items() if value not in (None, "")})
    return f"{path}?{query}" if query else path
