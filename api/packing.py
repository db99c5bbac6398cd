"""Answers made small for slow networks."""

from __future__ import annotations

from fastapi.middleware.gzip import GZipMiddleware

from api.door import Application, Receive, Scope, Send

BYTES_MIN = 1000


class Packing:
    """gzip for what needs no sign-in. A page of a session carries a secret beside words that others chose (a device's
    name), and how well those pack together would betray the secret letter by letter (BREACH); it goes as it is.

    The live stream is never packed: GZipMiddleware leaves text/event-stream alone.
    """

    def __init__(self, app: Application) -> None:
        self.app = app
        self.packed = GZipMiddleware(app, BYTES_MIN)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        has_session = scope["type"] == "http" and any(name == b"cookie" for name, _ in scope["headers"])
        is_static = scope.get("path", "").startswith("/static/")
        await (self.app if has_session and not is_static else self.packed)(scope, receive, send)
