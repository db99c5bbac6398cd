"""The one place for errors: RFC 9457 problems with a sentence that helps and nothing of our insides.

What only the operator may know (paths, addresses, what an engine said) goes to the log.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError

from core.inventory import InventoryError
from core.relational import DatabaseError
from core.sqlite import StorageError
from ingest.store import StoreAway, StoreError

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 5
FILES_AWAY = "The centre's files can't be read or written now; its log says why and what to do."
SHOWN_CHARS_MAX = 60
SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # without any, browsers would not say where a form of ours came from
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
PROGRAM_PATHS = ("/api/", "/geojson", "/ngsi-ld", "/healthz", "/readyz", "/metrics", "/openapi.json")
SENTENCES_DE = {
    303: "Bitte melden Sie sich an.",
    400: "Diese Adresse oder Eingabe ist nicht lesbar. Bitte gehen Sie zurück und versuchen Sie es noch einmal.",
    403: "Das dürfen Sie hier nicht sehen oder ändern. Fragen Sie, wer die Plattform bei Ihnen betreut.",
    404: "Diese Seite gibt es nicht.",
    405: "So lässt sich diese Seite nicht aufrufen.",
    413: "Das ist zu groß. Bitte senden Sie weniger auf einmal.",
    429: "Das waren zu viele Anfragen auf einmal. Bitte warten Sie einen Moment.",
    500: "Das ist ein Fehler von uns, nicht von Ihnen. Bitte versuchen Sie es später noch einmal.",
    503: "Das geht gerade nicht. Es ist nichts verloren; bitte versuchen Sie es in einem Moment noch einmal.",
}
PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "instance"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
    },
}


class ProblemError(Exception):
    """A request can't be answered: `detail` says what was wrong, what was expected, what to do."""

    def __init__(
        self,
        status: int,
        detail: str,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers or {}
        self.more = more or {}


def shown(text: object) -> str:
    """What somebody sent, in quotes for a sentence, cut where it gets long."""
    words = str(text)
    return f"'{words}'" if len(words) <= SHOWN_CHARS_MAX else f"'{words[:SHOWN_CHARS_MAX]}…'"


def problem(
    path: str,
    status: int,
    detail: str,
    headers: Mapping[str, str] | None = None,
    more: Mapping[str, Any] | None = None,
) -> Response:
    """The answer itself; `more` adds members, such as the rows of a file that are wrong."""
    title = HTTPStatus(status).phrase
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, "instance": path, **(more or {})}
    return Response(json.dumps(body), status, {**SECURITY_HEADERS, **(headers or {})}, MEDIA_TYPE)


def _answer(
    request: Request,
    status: int,
    detail: str,
    headers: Mapping[str, str] | None = None,
    more: Mapping[str, Any] | None = None,
) -> Response:
    """The answer for who asked: a page for a person, a problem for a program."""
    if not is_for_people(request, status):
        return problem(request.url.path, status, detail, headers, more)
    sentence = getattr(request.state, "sentence_de", None) or SENTENCES_DE.get(status, SENTENCES_DE[500])
    page = html_problem(request, status, sentence)
    page.headers.update({**SECURITY_HEADERS, **(headers or {})})
    return page


def is_for_people(request: Request, status: int) -> bool:
    """Whether a page was asked for: a route of pages, or an address that is none, from a browser."""
    if getattr(request.state, "is_page", False):
        return True
    is_nowhere = status in (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED)
    is_program = request.url.path.startswith(PROGRAM_PATHS)
    return is_nowhere and not is_program and "text/html" in request.headers.get("accept", "")


def html_problem(request: Request, status: int, sentence: str) -> Response:
    """What went wrong as a page, in German; it shows nothing but the sentence."""
    from api.pages.problem_page import problem_page  # pages stand on problems; only here it is the other way round

    return problem_page(request, status, sentence)


def add_handlers(app: FastAPI) -> None:
    """Every error of `app` becomes a problem."""
    for kind, handler in (
        (ProblemError, _our_problem),
        (RequestValidationError, _wrong_parameter),
        (StoreError, _store),
        (StorageError, _storage),
        (InventoryError, _storage),
        (DatabaseError, _storage),
        (Exception, _mistake),
        # The router raises its own class; it is known here by its numbers.
        (HTTPStatus.NOT_FOUND.value, _not_found),
        (HTTPStatus.METHOD_NOT_ALLOWED.value, _not_allowed),
    ):
        app.add_exception_handler(kind, handler)  # type: ignore[arg-type]  # each handler gets its own class only


async def _our_problem(request: Request, error: ProblemError) -> Response:
    return _answer(request, error.status, error.detail, error.headers, error.more)


async def _wrong_parameter(request: Request, error: RequestValidationError) -> Response:
    sentences = [f"{one['loc'][-1]} is {shown(one.get('input'))}; {_expectation(one)}." for one in error.errors()]
    return _answer(request, HTTPStatus.BAD_REQUEST, " ".join(sentences))


def _expectation(error: Mapping[str, Any]) -> str:
    limits = error.get("ctx", {})
    if error["type"] == "string_pattern_mismatch":
        return "expected 1 to 64 of the characters A-Z a-z 0-9 _ -"
    if "ge" in limits or "le" in limits:
        return f"expected {'at least' if 'ge' in limits else 'at most'} {limits.get('ge', limits.get('le'))}"
    return re.sub("^Input should be", "expected", str(error["msg"]))


async def _store(request: Request, error: StoreError) -> Response:
    log.warning("%s can't be answered: %s", request.url.path, error)
    wait_s = getattr(error, "retry_after_s", None) if isinstance(error, StoreAway) else None
    detail = "The store can't answer now; nothing is lost, the journal holds it. Ask again in a moment."
    headers = {"Retry-After": str(max(1, round(wait_s or RETRY_AFTER_S)))}
    return _answer(request, HTTPStatus.SERVICE_UNAVAILABLE, detail, headers)


async def _storage(request: Request, error: Exception) -> Response:
    log.error("%s can't be answered: %s", request.url.path, error)
    return _answer(request, HTTPStatus.SERVICE_UNAVAILABLE, FILES_AWAY, {"Retry-After": str(RETRY_AFTER_S)})


def storage_problem(path: str) -> Response:
    """The answer while our files can't be read or written."""
    return problem(path, HTTPStatus.SERVICE_UNAVAILABLE, FILES_AWAY, {"Retry-After": str(RETRY_AFTER_S)})


async def _mistake(request: Request, _error: Exception) -> Response:
    # The server logs the error itself with its traceback.
    detail = "This is a mistake of ours, not of your request; the centre's log has it."
    return _answer(request, HTTPStatus.INTERNAL_SERVER_ERROR, detail)


async def _not_found(request: Request, _error: HTTPException) -> Response:
    detail = f"There is nothing at {shown(request.url.path)}; /openapi.json lists what there is."
    return _answer(request, HTTPStatus.NOT_FOUND, detail)


async def _not_allowed(request: Request, _error: HTTPException) -> Response:
    # The router names the methods of the first route at this path only.
    here = [route for route in request.app.routes if route.matches(request.scope)[0].value]  # 0 = another path
    allowed = ", ".join(sorted({method for route in here for method in route.methods}))
    detail = f"{request.method[:20]} is not possible at {shown(request.url.path)}; possible is {allowed}."
    return _answer(request, HTTPStatus.METHOD_NOT_ALLOWED, detail, {"Allow": allowed})
