"""The door: who asks, how much they may bring and how often, security headers, the count of requests."""

from __future__ import annotations

import ipaddress
import logging
import math
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from fastapi.concurrency import run_in_threadpool
from prometheus_client import Counter

from api.accounts_rows import Token, digest_of
from api.centre import Centre
from api.limits import Buckets, TooManyError, address_of
from api.problems import SECURITY_HEADERS, ProblemError, problem, storage_problem
from api.who import PUBLIC, SAFE_METHODS, Who, is_familiar, known_at_once, looked_up, shown_by
from core.relational import DatabaseError

log = logging.getLogger(__name__)

BODY_BYTES_MAX = 32 * 1024 * 1024
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
HEALTH = frozenset({"/healthz", "/readyz"})
API_KEY = "x-api-key"
SIGN_IN = frozenset({("POST", "/anmelden"), ("POST", "/api/v1/session")})

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class Door:
    """The outermost layer: every request passes it, and every answer leaves through it."""

    def __init__(self, app: Application, centre: Centre, requests: Counter) -> None:
        self.app = app
        self.centre = centre
        self.requests = requests
        http = centre.settings.http
        self.guests = Buckets(http.guest_requests_per_s, http.guest_burst, centre.clock)
        self.known = Buckets(http.account_requests_per_s, http.account_burst, centre.clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def leave(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._count(scope, message["status"])
                there = {name.lower() for name, _ in message.get("headers", ())}
                more = [(name.lower().encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]
                message["headers"] = [*message.get("headers", ()), *(one for one in more if one[0] not in there)]
            await send(message)

        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        address = address_of((scope.get("client") or ("", 0))[0], headers, self.centre.settings.http.proxies)
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await problem(scope["path"], *refusal)(scope, receive, leave)
            return
        try:
            who = await self._who(scope["method"], scope["path"], headers, address)
        except TooManyError as error:
            detail = f"These are too many requests at once; {_WAIT}."
            answer = problem(scope["path"], HTTPStatus.TOO_MANY_REQUESTS, detail, error.headers)
            await answer(scope, receive, leave)
            return
        except DatabaseError as error:
            log.error("nobody can come in: %s", error)
            await storage_problem(scope["path"])(scope, receive, leave)
            return
        scope.setdefault("state", {}).update(who=who, address=address)
        await self.app(scope, _limited(receive), leave)

    async def _who(self, method: str, path: str, headers: dict[str, str], address: str) -> Who:
        """Who asks, one request taken from what is theirs. Raises TooManyError, DatabaseError.

        An address has three buckets, each for itself: for pages that are asked for without showing anything, for
        sessions and tokens that nobody has seen yet, and for signing in. Whoever floods one of them, be it from the
        same town hall, keeps nobody from the others, and who was let in lately from nothing.
        """
        found = shown_by(self.centre.settings.http, headers)
        who = known_at_once(self.centre, found)
        if path in HEALTH:
            return who or PUBLIC  # they answer whatever is the matter
        is_sign_in = (method, path) in SIGN_IN
        if is_sign_in and (who is None or who == PUBLIC):
            self._take(self.guests, ("sign in", address))
        if who is None:
            if not is_sign_in and not is_familiar(self.centre, found):
                self._take(self.guests, ("guess", address))  # whoever guesses does so at the expense of the address
            who = await run_in_threadpool(looked_up, self.centre, found)
        elif who == PUBLIC and not is_sign_in:
            self._take_of_guest(headers.get(API_KEY, ""), address)
        if who != PUBLIC:
            self._take(self.known, (who.by, who.name))
        return who

    def _take_of_guest(self, key: str, address: str) -> None:
        """The region's API has a header of its own for tokens, which its routes look up."""
        if key and self.centre.accounts.is_familiar(key, Token):
            self._take(self.known, ("key", digest_of(key)))
        else:
            self._take(self.guests, ("guess" if key else "page", address))

    def _take(self, buckets: Buckets, key: object) -> None:
        if not self.centre.dev:
            buckets.take(key)

    def _refusal(self, scope: Scope, headers: dict[str, str]) -> tuple[int, str] | None:
        """Status and sentence for a request that does not come in at all."""
        length, host, origin = headers.get("content-length", ""), headers.get("host", ""), headers.get("origin")
        http = self.centre.settings.http
        if length.isdecimal() and (len(length) > len(str(BODY_BYTES_MAX)) or int(length) > BODY_BYTES_MAX):
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _too_large()
        if self.centre.dev and not (_is_loopback(scope["client"][0]) and _is_loopback(_host_name(f"//{host}"))):
            # The second half stops pages of other hosts whose name was pointed at this machine.
            return (
                HTTPStatus.FORBIDDEN,
                "With --dev the centre only speaks with this machine, as 127.0.0.1 or localhost.",
            )
        if scope["method"] not in SAFE_METHODS and origin is not None and not _is_ours(origin, host, http.public_url):
            return HTTPStatus.FORBIDDEN, "A page of another address may not change anything here."
        return None

    def _count(self, scope: Scope, status: int) -> None:
        method = scope["method"] if scope["method"] in METHODS else "other"
        route = getattr(scope.get("route"), "path", "unmatched")
        self.requests.labels(method, route, str(status)).inc()


_WAIT = "wait as long as Retry-After says, and ask for more at once: pages take up to 1000 rows"


def _is_ours(origin: str, host: str, public_url: str) -> bool:
    """Whether a page of this origin is one of ours: of the address that was asked, or of the public one."""
    scheme, _, name = origin.partition("://")
    public_scheme, _, public_name = public_url.rstrip("/").lower().partition("://")
    if not name:
        return False
    return scheme == public_scheme if name == public_name else name == host


def _host_name(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _limited(receive: Receive) -> Receive:
    """`receive` that ends the request when its body grows too long or its sender goes away in the middle of it."""
    left = float(BODY_BYTES_MAX)

    async def receive_limited() -> Message:
        nonlocal left
        message = await receive()
        if message["type"] == "http.request":
            left -= len(message.get("body", b""))
            if left < 0:
                raise ProblemError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _too_large())
            if not message.get("more_body", False):
                left = math.inf
        elif left < math.inf:
            raise ProblemError(HTTPStatus.BAD_REQUEST, "The connection ended before the body did.")
        return message

    return receive_limited


def _too_large() -> str:
    return f"The body is too large; expected at most {BODY_BYTES_MAX} bytes. Send it in parts."
