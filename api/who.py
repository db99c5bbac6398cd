"""Who asks: the person or program behind a request, what they may do, and the proof that a form is theirs."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Literal
from urllib.parse import parse_qs, urlsplit

from fastapi import Depends, Request

from api.accounts_rows import Account, Token
from api.centre import Centre
from api.problems import ProblemError
from api.route import Policy
from core.settings_tables import HttpSettings

COOKIE = "partheland"
SECURE_COOKIE = f"__Host-{COOKIE}"
CSRF_FIELD, CSRF_HEADER = "csrf", "x-csrf-token"
FORM = "application/x-www-form-urlencoded"
FORM_FIELDS_MAX = 50
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
OWN_TOKEN = "token of [http]"

By = Literal["cookie", "bearer", "dev", "public"]


@dataclass(frozen=True)
class Who:
    """Who asks: `town` None = all towns, `by` = how they came in; the public has no name."""

    name: str
    role: str
    town: str | None
    by: By = "public"

    def may(self, policy: Policy) -> bool:
        """Whether a route of this policy is theirs, as far as the role tells."""
        if policy is Policy.OPEN:
            return True
        if policy is Policy.PLATFORM:
            return self.role == "admin" and self.town is None
        return self.role in policy.value

    def sees(self, town: str | None) -> bool:
        """Whether what belongs to this town is theirs; what belongs to none is for who has all towns."""
        return self.town is None or self.town == town


PUBLIC = Who("", "public", None)
DEV = Who("dev", "admin", None, "dev")
PLATFORM = Who(OWN_TOKEN, "admin", None, "bearer")


@dataclass(frozen=True)
class Shown:
    """What a request shows to come in; empty = nothing."""

    session: str
    bearer: str


def cookie_name(http: HttpSettings) -> str:
    """The cookie of a session; behind TLS its name makes browsers keep it to this host, encrypted."""
    return SECURE_COOKIE if http.public_url.startswith("https://") else COOKIE


def shown_by(http: HttpSettings, headers: Mapping[str, str]) -> Shown:
    """What these headers (names in small letters) show."""
    scheme, _, bearer = headers.get("authorization", "").partition(" ")
    cookies = (pair.strip().partition("=") for pair in headers.get("cookie", "").split(";"))
    session = next((value for name, _, value in cookies if name == cookie_name(http)), "")
    return Shown(session, bearer.strip() if scheme.lower() == "bearer" else "")


def known_at_once(centre: Centre, found: Shown) -> Who | None:
    """Who it is when no question to the database is needed; None when one is.

    A bearer goes before a cookie. With --dev everyone is admin, except who signed in as somebody.
    """
    own = centre.settings.http.token.encode()
    if found.bearer and own and hmac.compare_digest(found.bearer.encode(errors="replace"), own):
        return PLATFORM
    if found.bearer and not centre.dev:
        return _who(centre.accounts.remembered_as(found.bearer, Token))
    if found.session:
        return _who(centre.accounts.remembered_as(found.session, Account))
    return DEV if centre.dev else PUBLIC


def is_familiar(centre: Centre, found: Shown) -> bool:
    """Whether what is shown was good within the last hours: then looking it up again is at nobody's expense."""
    if found.bearer and not centre.dev:
        return centre.accounts.is_familiar(found.bearer, Token)
    return centre.accounts.is_familiar(found.session, Account)


def looked_up(centre: Centre, found: Shown) -> Who:
    """Who it is, from the database; who shows what is not known or has ended is the public. Raises DatabaseError."""
    if found.bearer and not centre.dev:
        known: Account | Token | None = centre.accounts.tokens.who_of(found.bearer)
    else:
        known = centre.accounts.who_of_session(found.session)
    return _who(known) or (DEV if centre.dev else PUBLIC)


def _who(known: Account | Token | None) -> Who | None:
    if isinstance(known, Account):
        return Who(known.name, known.role, known.town, "cookie")
    if isinstance(known, Token):
        return Who(f"token {known.id} {known.label}".strip(), known.role, known.town, "bearer")
    return None


async def who_of(request: Request) -> Who:
    """Who sent this request, as the door has found out."""
    who: Who = request.state.who
    return who


AskWho = Annotated[Who, Depends(who_of)]


def session_of(request: Request) -> str:
    """The session's token that the request shows; empty when it shows none."""
    centre: Centre = request.app.state.centre
    return shown_by(centre.settings.http, request.headers).session


def csrf_of(session: str) -> str:
    """What only a page of this session knows."""
    return hmac.new(session.encode(errors="replace"), b"csrf", hashlib.sha256).hexdigest()


def form_token(request: Request) -> str:
    """What a form must carry in the hidden field `csrf`; empty where none is needed."""
    who: Who = request.state.who
    return csrf_of(session_of(request)) if who.by == "cookie" else ""


async def check_form(request: Request, who: Who) -> None:
    """Refuse a change that comes with a cookie but from no page of ours. A bearer is proof enough by itself."""
    if request.method in SAFE_METHODS or who.by != "cookie":
        return
    site = request.headers.get("sec-fetch-site", "same-origin")
    sent = request.headers.get(CSRF_HEADER, "")
    if not sent and request.headers.get("content-type", "").partition(";")[0].strip().lower() == FORM:
        sent = (await form_fields(request)).get(CSRF_FIELD, "")
    if site == "same-origin" and hmac.compare_digest(sent.encode(errors="replace"), form_token(request).encode()):
        return
    request.state.sentence_de = (
        "Diese Seite war zu lange offen oder gehört zu einer früheren Anmeldung. Bitte laden Sie sie neu."
    )
    detail = "This came without the sign of a page of this session; send its field csrf, or the header X-CSRF-Token."
    raise ProblemError(HTTPStatus.FORBIDDEN, detail)


async def form_fields(request: Request) -> dict[str, str]:
    """The fields of a form that was sent, the last of each name. Raises ProblemError for a body that is none."""
    body = await request.body()
    try:
        fields = parse_qs(
            body.decode("ascii", "replace"), True, max_num_fields=FORM_FIELDS_MAX, encoding="utf-8", errors="replace"
        )
    except ValueError:
        request.state.sentence_de = "Dieses Formular ist nicht lesbar. Bitte laden Sie die Seite neu."
        detail = f"The form has more than {FORM_FIELDS_MAX} fields; expected those of the page."
        raise ProblemError(HTTPStatus.BAD_REQUEST, detail) from None
    return {name: values[-1] for name, values in fields.items()}


def local_path(text: str) -> str:
    """The path when it leads to a page of ours; empty for any other address."""
    if not text.startswith("/") or text.startswith("//") or "\\" in text or not text.isprintable():
        return ""
    try:
        parts = urlsplit(text)
    except ValueError:
        return ""
    return "" if parts.scheme or parts.netloc or parts.path in ("/anmelden", "/abmelden") else text
