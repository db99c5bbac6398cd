"""The HTTP server in a thread: uvicorn on a socket that is bound before anything else starts."""

from __future__ import annotations

import errno
import socket
import threading
from typing import Any

import uvicorn

START_S = 30.0
STOP_S = 5
BACKLOG = 1024


class BindError(OSError):
    """The address can't be listened on; says why and what to do."""


class _Server(uvicorn.Server):
    """A server that says when it is up."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As in uvicorn."""
        await super().startup(sockets)
        self.is_up.set()


class HttpServer:
    """Serves an ASGI application at host and port until `stop`; port 0 takes any free one, see `bound_port`."""

    def __init__(self, app: Any, host: str, port: int) -> None:
        self.app = app
        self.host = host
        self.port = port
        self._socket: socket.socket | None = None
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def bind(self) -> int:
        """Take the port and return it; requests that come before `start` wait. Raises BindError."""
        if self._socket is None:
            self._socket = _listen(self.host, self.port)
        return self.bound_port

    @property
    def bound_port(self) -> int:
        """The port that requests reach; 0 before `bind`."""
        return int(self._socket.getsockname()[1]) if self._socket is not None else 0

    def start(self) -> None:
        """Bind, serve in a thread of its own, and return when requests are answered. Raises BindError."""
        self.bind()
        assert self._socket is not None, "bind has taken a socket or raised"
        self._server = _Server(
            uvicorn.Config(
                self.app,
                access_log=False,  # addresses and questions of people are nobody's business
                log_config=None,
                server_header=False,
                proxy_headers=False,
                lifespan="off",
                ws="none",
                timeout_graceful_shutdown=STOP_S,
            )
        )
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), name="http", daemon=True)
        self._thread.start()
        if not self._server.is_up.wait(START_S):
            self.stop()
            raise RuntimeError(f"the HTTP server did not come up within {START_S:.0f} s; its log says why")

    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def stop(self) -> None:
        """Take no more requests, finish those under way for a few seconds, let go of the port."""
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join(STOP_S * 2)
            if self._thread.is_alive():
                self._server.force_exit = True
                self._thread.join(STOP_S)
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named because asyncio turns off Nagle's delay (40 ms an answer) only for sockets that say TCP.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise BindError(_sentence(host, port, error)) from error
    return listener


def _sentence(host: str, port: int, error: OSError) -> str:
    where = f"port {port} on {host}"
    if error.errno == errno.EADDRINUSE:
        return f"{where} is in use by another program: stop it, or name another port (--http-port, 0 = any free one)"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"{where} may not be opened by this user: name a port above 1023 (--http-port)"
    if error.errno == errno.EADDRNOTAVAIL or isinstance(error, socket.gaierror):
        return f"{host} is no address of this machine: correct [http] bind, e.g. 127.0.0.1"
    return f"{where} can't be opened: {error.strerror or error}"
