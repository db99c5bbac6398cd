"""Who comes in and how much they may bring: tokens, the limit of a body, security headers, the count of requests."""

from __future__ import annotations

import hmac
import ipaddress
import math
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from prometheus_client import Counter

from api.centre import AskCentre, Centre
from api.problems import SECURITY_HEADERS, ProblemError, problem, shown

BODY_BYTES_MAX = 32 * 1024 * 1024
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
Bearer = Annotated[
    HTTPAuthorizationCredentials | None,
    Depends(HTTPBearer(auto_error=False, description="The token of [http] in the centre's settings.")),
]


def is_admin(centre: Centre, credentials: HTTPAuthorizationCredentials | None) -> bool:
    """Whether the request carries the token; with --dev everyone is admin."""
    if centre.dev:
        return True
    token = centre.settings.http.token.encode()
    sent = credentials.credentials.encode() if credentials is not None else b""
    return bool(token) and hmac.compare_digest(sent, token)


async def only_admin(centre: AskCentre, credentials: Bearer) -> None:
    """Refuse who has no token, before anything else of the request is looked at."""
    if is_admin(centre, credentials):
        return
    if not centre.settings.http.token:
        detail = "Nobody may ask this yet: set [http] token in the centre's settings, or start it with --dev."
    elif credentials is None:
        detail = "This needs a token: send the header 'Authorization: Bearer …' with the one of [http] token."
    else:
        detail = "This token is not the one of the centre; compare it with [http] token in the centre's settings."
    raise ProblemError(HTTPStatus.UNAUTHORIZED, detail, {"WWW-Authenticate": "Bearer"})


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


class Door:
    """The outermost layer: every request passes it, and every answer leaves through it."""

    def __init__(self, app: Application, dev: bool, requests: Counter) -> None:
        self.app = app
        self.dev = dev
        self.requests = requests

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
        refusal = _refusal(scope, headers, self.dev)
        if refusal is not None:
            await problem(scope["path"], *refusal)(scope, receive, leave)
            return
        await self.app(scope, _limited(receive), leave)

    def _count(self, scope: Scope, status: int) -> None:
        method = scope["method"] if scope["method"] in METHODS else "other"
        route = getattr(scope.get("route"), "path", "unmatched")
        self.requests.labels(method, route, str(status)).inc()


def _refusal(scope: Scope, headers: dict[str, str], dev: bool) -> tuple[int, str] | None:
    """Status and sentence for a request that does not come in at all."""
    length, host, origin = headers.get("content-length", ""), headers.get("host", ""), headers.get("origin")
    if length.isdecimal() and (len(length) > len(str(BODY_BYTES_MAX)) or int(length) > BODY_BYTES_MAX):
        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _too_large()
    if dev and not (_is_loopback(scope["client"][0]) and _is_loopback(_host_name(f"//{host}"))):
        # The second half stops pages of other hosts whose name was pointed at this machine.
        return HTTPStatus.FORBIDDEN, "With --dev the centre only speaks with this machine, as 127.0.0.1 or localhost."
    if scope["method"] not in SAFE_METHODS and origin is not None and origin.partition("://")[2] != host:
        return HTTPStatus.FORBIDDEN, "A page of another address may not change anything here."
    return None


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
