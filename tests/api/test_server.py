"""The server on a real socket: any free port, a port in use, a graceful stop."""

import socket
import threading
import urllib.error
import urllib.request

import pytest
from fastapi import FastAPI

from api.server import BindError, HttpServer


def make_app() -> tuple[FastAPI, threading.Event, threading.Event]:
    """An application with a slow route, and the events that say it is at work and may go on."""
    app = FastAPI()
    begun, may_go_on = threading.Event(), threading.Event()

    def quick() -> str:
        return "here"

    def slow() -> str:
        begun.set()
        may_go_on.wait(20)
        return "finished"

    app.add_api_route("/quick", quick)
    app.add_api_route("/slow", slow)
    return app, begun, may_go_on


def get(port: int, path: str) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
        assert "server" not in answer.headers
        content: bytes = answer.read()
        return content


def test_it_serves_on_any_free_port_until_it_is_stopped() -> None:
    server = HttpServer(make_app()[0], "127.0.0.1", 0)
    assert (server.bound_port, server.alive()) == (0, False)
    server.start()
    port = server.bound_port
    assert port > 0
    assert get(port, "/quick") == b'"here"'
    assert server.alive()
    server.stop()
    assert not server.alive()
    with pytest.raises(urllib.error.URLError):
        get(port, "/quick")


def test_the_port_is_known_before_anything_is_served() -> None:
    server = HttpServer(make_app()[0], "127.0.0.1", 0)
    port = server.bind()
    try:
        assert port == server.bound_port > 0
        server.start()
        assert server.bound_port == port
        assert get(port, "/quick") == b'"here"'
    finally:
        server.stop()


def test_a_stop_finishes_the_request_under_way() -> None:
    app, begun, may_go_on = make_app()
    server = HttpServer(app, "127.0.0.1", 0)
    server.start()
    found: list[bytes] = []
    asking = threading.Thread(target=lambda: found.append(get(server.bound_port, "/slow")))
    asking.start()
    assert begun.wait(20)
    stopping = threading.Thread(target=server.stop)
    stopping.start()
    may_go_on.set()
    stopping.join(20)
    asking.join(20)
    assert found == [b'"finished"']
    assert not server.alive()


def test_a_port_in_use_is_one_clear_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(BindError) as caught:
            HttpServer(make_app()[0], "127.0.0.1", port).start()
    assert str(caught.value).startswith(f"port {port} on 127.0.0.1 is in use by another program: stop it, or name")
    assert isinstance(caught.value, OSError)


def test_an_address_of_another_machine_is_one_clear_sentence() -> None:
    with pytest.raises(BindError, match=r"192\.0\.2\.7 is no address of this machine: correct \[http\] bind"):
        HttpServer(make_app()[0], "192.0.2.7", 0).bind()


def test_a_port_can_be_taken_again_at_once() -> None:
    first = HttpServer(make_app()[0], "127.0.0.1", 0)
    first.start()
    port = first.bound_port
    get(port, "/quick")
    first.stop()
    second = HttpServer(make_app()[0], "127.0.0.1", port)
    second.start()
    try:
        assert get(port, "/quick") == b'"here"'
    finally:
        second.stop()


def test_answers_are_not_held_back_to_be_sent_together() -> None:
    server = HttpServer(make_app()[0], "127.0.0.1", 0)
    server.bind()
    try:
        assert server._socket is not None
        assert server._socket.proto == socket.IPPROTO_TCP
    finally:
        server.stop()
