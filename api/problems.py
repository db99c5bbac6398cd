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
from core.sqlite import StorageError
from ingest.store import StoreAway, StoreError

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 5
SHOWN_CHARS_MAX = 60
SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
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


def add_handlers(app: FastAPI) -> None:
    """Every error of `app` becomes a problem."""
    for kind, handler in (
        (ProblemError, _our_problem),
        (RequestValidationError, _wrong_parameter),
        (StoreError, _store),
        (StorageError, _storage),
        (InventoryError, _storage),
        (Exception, _mistake),
        # The router raises its own class; it is known here by its numbers.
        (HTTPStatus.NOT_FOUND.value, _not_found),
        (HTTPStatus.METHOD_NOT_ALLOWED.value, _not_allowed),
    ):
        app.add_exception_handler(kind, handler)  # type: ignore[arg-type]  # each handler gets its own class only


async def _our_problem(request: Request, error: ProblemError) -> Response:
    return problem(request.url.path, error.status, error.detail, error.headers, error.more)


async def _wrong_parameter(request: Request, error: RequestValidationError) -> Response:
    sentences = [f"{one['loc'][-1]} is {shown(one.get('input'))}; {_expectation(one)}." for one in error.errors()]
    return problem(request.url.path, HTTPStatus.BAD_REQUEST, " ".join(sentences))


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
    return problem(request.url.path, HTTPStatus.SERVICE_UNAVAILABLE, detail, headers)


async def _storage(request: Request, error: Exception) -> Response:
    log.error("%s can't be answered: %s", request.url.path, error)
    detail = "The centre's files can't be read or written now; its log says why and what to do."
    return problem(request.url.path, HTTPStatus.SERVICE_UNAVAILABLE, detail, {"Retry-After": str(RETRY_AFTER_S)})


async def _mistake(request: Request, _error: Exception) -> Response:
    # The server logs the error itself with its traceback.
    detail = "This is a mistake of ours, not of your request; the centre's log has it."
    return problem(request.url.path, HTTPStatus.INTERNAL_SERVER_ERROR, detail)


async def _not_found(request: Request, _error: HTTPException) -> Response:
    detail = f"There is nothing at {shown(request.url.path)}; /openapi.json lists what there is."
    return problem(request.url.path, HTTPStatus.NOT_FOUND, detail)


async def _not_allowed(request: Request, error: HTTPException) -> Response:
    allowed = (error.headers or {}).get("Allow", "GET")
    detail = f"{request.method[:20]} is not possible at {shown(request.url.path)}; possible is {allowed}."
    return problem(request.url.path, HTTPStatus.METHOD_NOT_ALLOWED, detail, {"Allow": allowed})
