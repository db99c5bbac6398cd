"""Refusals in the form of the region's API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

import msgspec
from fastapi import Response

from api.centre import when


@dataclass
class RefusedError(Exception):
    """A request can't be answered; `message` is a German sentence for who asked, `details` what was wrong."""

    status: HTTPStatus
    code: str
    message: str
    details: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


def wrong(code: str, message: str, **details: object) -> RefusedError:
    """The question itself is wrong (400)."""
    return RefusedError(HTTPStatus.BAD_REQUEST, code, message, details)


def not_found(message: str, **details: object) -> RefusedError:
    """There is nothing to answer with (404)."""
    return RefusedError(HTTPStatus.NOT_FOUND, "NOT_FOUND", message, details)


def as_response(error: RefusedError, now_ms: int, headers: Mapping[str, str]) -> Response:
    """The answer: {"error": {"code", "message", "details"}, "timestamp"}."""
    told = {"code": error.code, "message": error.message, "details": error.details}
    body = msgspec.json.encode({"error": told, "timestamp": when(now_ms)})
    return Response(body, error.status, {**headers, "Cache-Control": "no-store"}, media_type="application/json")
