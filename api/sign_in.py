"""Signing in and out: as JSON for programs, as a form for people."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import quote

import msgspec
from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool

from api.accounts import SESSION_MS_MAX
from api.accounts_rows import SignInError
from api.centre import AskCentre, Centre, as_json
from api.limits import TooManyError
from api.pages.sign_in import sign_in_page
from api.problems import ProblemError
from api.who import AskWho, cookie_name, csrf_of, form_fields, form_token, local_path, session_of
from core.clock import MS_PER_S

HOME = {"yard": "/bauhof", "dispatcher": "/notruf", "technician": "/karte", "admin": "/bauhof"}
WRONG_DE = "Name oder Passwort stimmt nicht. Bitte prüfen Sie beides und versuchen Sie es noch einmal."
WAIT_DE = "Das waren zu viele Versuche. Bitte warten Sie {} und versuchen Sie es dann noch einmal."
BODY_BYTES_MAX = 10_000

T = TypeVar("T")


class NameAndPassword(msgspec.Struct, forbid_unknown_fields=True):
    """What a program sends to sign in."""

    name: str
    password: str


@dataclass(frozen=True)
class SessionItem:
    """Who is signed in, town null = all towns; `csrf` goes into the header X-CSRF-Token of every change."""

    name: str
    role: str
    town: str | None
    csrf: str | None


@dataclass(frozen=True)
class SignedOut:
    """Whether there was a session that has ended now; a token has none."""

    signed_out: bool


async def json_of(request: Request, kind: type[T]) -> T:
    """The body as this kind of object. Raises ProblemError with what was expected."""
    body = await request.body()
    try:
        if len(body) > BODY_BYTES_MAX:
            raise ValueError(f"it has more than {BODY_BYTES_MAX} bytes")
        return msgspec.json.decode(body, type=kind)
    except ValueError as error:
        fields = ", ".join(field.name for field in msgspec.structs.fields(kind))  # type: ignore[arg-type]  # a Struct
        detail = f"The body is not as expected, a JSON object with {fields}: {error}."
        raise ProblemError(HTTPStatus.BAD_REQUEST, detail) from None


async def open_session(request: Request, centre: AskCentre) -> Response:
    """Sign in with name and password; the answer sets the cookie of the session."""
    sent = await json_of(request, NameAndPassword)
    try:
        token = await _sign_in(request, centre, sent.name, sent.password)
    except SignInError:
        detail = "Name or password is wrong, or the account is disabled; an admin can set a new password."
        raise ProblemError(HTTPStatus.UNAUTHORIZED, detail, {"WWW-Authenticate": "Bearer"}) from None
    except TooManyError as error:
        detail = "These were too many attempts to sign in; wait as long as Retry-After says."
        raise ProblemError(HTTPStatus.TOO_MANY_REQUESTS, detail, error.headers) from None
    account = await run_in_threadpool(centre.accounts.who_of_session, token)
    if account is None:
        raise ProblemError(HTTPStatus.UNAUTHORIZED, "The session has ended already.", {"WWW-Authenticate": "Bearer"})
    answer = as_json(SessionItem(account.name, account.role, account.town, csrf_of(token)))
    return _with_cookie(answer, centre, token)


async def session(request: Request, who: AskWho) -> Response:
    """Who is signed in."""
    return as_json(SessionItem(who.name, who.role, who.town, form_token(request) or None))


async def close_session(request: Request, centre: AskCentre, who: AskWho) -> Response:
    """Sign out: the session ends here, whoever may have its cookie."""
    return await _sign_out(request, centre, as_json(SignedOut(who.by == "cookie")))


async def sign_in_form(request: Request, centre: AskCentre) -> Response:
    """Sign in with the form of the page; goes on to `weiter`, or to the page of the role."""
    fields = await form_fields(request)
    name = fields.get("name", "")
    onward = local_path(fields.get("weiter") or request.query_params.get("weiter", ""))
    onward = onward if onward != "/" else ""  # nobody signs in to see what everybody may
    try:
        token = await _sign_in(request, centre, name, fields.get("password", ""))
    except SignInError:
        return sign_in_page(request, centre, WRONG_DE, name, HTTPStatus.UNAUTHORIZED, onward)
    except TooManyError as error:
        wait = (
            f"{round(error.wait_s / 60)} Minuten" if error.wait_s >= 90 else f"{max(1, round(error.wait_s))} Sekunden"
        )
        page = sign_in_page(request, centre, WAIT_DE.format(wait), name, HTTPStatus.TOO_MANY_REQUESTS, onward)
        page.headers.update(error.headers)
        return page
    account = await run_in_threadpool(centre.accounts.who_of_session, token)
    home = HOME.get(account.role if account is not None else "", "/")
    return _with_cookie(_see_other(onward or home), centre, token)


async def sign_out_form(request: Request, centre: AskCentre) -> Response:
    """Sign out with the button of the page; goes on to the start page."""
    return await _sign_out(request, centre, _see_other("/"))


async def _sign_in(request: Request, centre: Centre, name: str, password: str) -> str:
    address = request.state.address
    return await run_in_threadpool(centre.accounts.sign_in, name, password, address, session_of(request))


async def _sign_out(request: Request, centre: Centre, answer: Response) -> Response:
    await run_in_threadpool(centre.accounts.sign_out, session_of(request))
    http = centre.settings.http
    secure = http.public_url.startswith("https://")
    answer.delete_cookie(cookie_name(http), "/", secure=secure, httponly=True, samesite="lax")
    return answer


def _with_cookie(answer: Response, centre: Centre, token: str) -> Response:
    http = centre.settings.http
    answer.set_cookie(
        cookie_name(http),
        token,
        max_age=SESSION_MS_MAX // MS_PER_S,
        path="/",
        secure=http.public_url.startswith("https://"),
        httponly=True,
        samesite="lax",
    )
    return answer


def _see_other(path: str) -> Response:
    location = quote(path, safe="/?&=%#:,;+~!$'()*@")
    return Response(status_code=HTTPStatus.SEE_OTHER, headers={"Location": location})
