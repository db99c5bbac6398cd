"""Every route of the platform. A route that is not in this list does not exist, and none is without a policy."""

from __future__ import annotations

from copy import copy
from typing import Any

from fastapi import Depends, FastAPI, Response
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute

from api.guards import guards_of
from api.problems import MEDIA_TYPE, PROBLEM_SCHEMA
from api.route import EVENTS, JSON, Route
from api.routes_accounts import ACCOUNTS
from api.routes_datahub import DATAHUB
from api.routes_own import OWN
from api.routes_pages import PAGES

ROUTES: tuple[Route, ...] = (*OWN, *ACCOUNTS, *PAGES, *DATAHUB)


def add_routes(app: FastAPI) -> None:
    """Put every route of the list into `app`, behind the guards of its policy."""
    heads: list[APIRoute] = []
    for route in ROUTES:
        app.add_api_route(
            route.path,
            route.endpoint,
            methods=[route.method],
            dependencies=[Depends(guard) for guard in guards_of(route)],
            response_model=None,
            response_class=JSONResponse if route.media == JSON else Response,
            responses=_answers(route),
            openapi_extra=_body(route),
            include_in_schema=route.shown,
        )
        made = app.router.routes[-1]
        if has_head(route) and isinstance(made, APIRoute):
            heads.append(_head_of(made))
    app.router.routes.extend(heads)  # behind all others, which are asked for more often


def has_head(route: Route) -> bool:
    """Whether HEAD is answered here too: like GET, without the body. A live stream has no end to wait for."""
    return route.method == "GET" and route.media != EVENTS


def _head_of(made: APIRoute) -> APIRoute:
    """The same route for HEAD, behind the same guards; the server leaves the body out. It is not described again."""
    head = copy(made)
    head.methods = {"HEAD"}
    head.include_in_schema = False
    return head


def _answers(route: Route) -> dict[int | str, dict[str, Any]]:
    good: dict[str, Any] = {"description": "The answer"}
    if route.answer is not None:
        good["model"] = route.answer
    else:
        good["content"] = {route.media: {"schema": {"type": "string"}}}
    wrong = {"description": "A problem (RFC 9457)", "content": {MEDIA_TYPE: {"schema": PROBLEM_SCHEMA}}}
    return {200: good, "default": wrong}


def _body(route: Route) -> dict[str, Any] | None:
    if route.takes is None:
        return None
    return {
        "requestBody": {
            "required": True,
            "content": {route.takes: {"schema": {"type": "object" if route.takes == JSON else "string"}}},
        }
    }
