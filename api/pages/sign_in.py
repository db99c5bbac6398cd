"""/anmelden: the form; who it is about is decided elsewhere."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import Request, Response

from api.centre import AskCentre, Centre
from api.pages.view import render
from api.who import PUBLIC, AskWho, Who, local_path


def sign_in(request: Request, centre: AskCentre, who: AskWho, weiter: str | None = None) -> Response:
    """The form; `weiter` is the page that the person wanted."""
    return _page(request, who, None, "", HTTPStatus.OK, weiter)


def sign_in_page(
    request: Request,
    centre: Centre,
    error: str | None = None,
    name: str = "",
    status: int = HTTPStatus.OK,
    onward: str | None = None,
) -> Response:
    """The form with what went wrong (a German sentence) and the name that was given; `onward` as `weiter` above."""
    return _page(request, PUBLIC, error, name, status, onward or request.query_params.get("weiter"))


def _page(request: Request, who: Who, error: str | None, name: str, status: int, onward: str | None) -> Response:
    return render(request, who, "sign_in.html", status, error=error, name=name, onward=local_path(onward or "") or "/")
