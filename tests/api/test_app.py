"""The door and the errors: tokens, hosts, sizes, headers, and problems for everything that goes wrong."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

import api.door
from api.app import create_app
from api.route import Route
from api.routes import ROUTES, has_head
from tests.api.conftest import TOKEN, client_of
from tests.support.frames import FedCentre, fed_centre

BEARER = {"Authorization": f"Bearer {TOKEN}"}


def test_the_description_lists_exactly_the_routes(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    described = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    assert described == {(route.method, route.path) for route in ROUTES if route.shown}


def test_every_described_parameter_says_what_it_is_and_every_answer_has_a_schema(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    operations = [operation for methods in document["paths"].values() for operation in methods.values()]
    assert all(operation["description"] for operation in operations)
    assert all({"200", "default"} == operation["responses"].keys() for operation in operations)
    assert all(operation["responses"]["200"]["content"] for operation in operations)


def test_the_description_names_both_ways_to_come_in(client: TestClient) -> None:
    schemes = client.get("/openapi.json").json()["components"]["securitySchemes"].values()
    assert {(one["type"], one.get("in")) for one in schemes} == {("http", None), ("apiKey", "cookie")}


def test_a_missing_and_a_wrong_token_are_told_apart(guarded: TestClient) -> None:
    missing = guarded.get("/api/v1/readings?limit=0")
    wrong = guarded.get("/api/v1/readings", headers={b"Authorization": b"Bearer n\xf6"})
    assert (missing.status_code, wrong.status_code) == (401, 401)
    assert missing.headers["www-authenticate"] == wrong.headers["www-authenticate"] == "Bearer"
    assert missing.json()["detail"].startswith("Sign in first: POST /api/v1/session, or send the header")
    assert wrong.json()["detail"].startswith("This token is not known here, or it has ended;")
    assert TOKEN not in missing.text + wrong.text


def test_without_a_token_in_the_settings_none_of_it_opens(centre: FedCentre) -> None:
    with client_of(centre, dev=False, token="") as client:
        for headers in ({}, {"Authorization": "Bearer "}, {"Authorization": "Bearer x"}):
            assert client.get("/api/v1/devices", headers=headers).status_code == 401
        assert client.get("/healthz").status_code == 200


def test_a_token_is_asked_for_before_a_body_is_read(guarded: TestClient) -> None:
    assert guarded.post("/api/v1/inventory", content=b"device_id,kind,town\n").status_code == 401


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8080", "192.168.1.5", "[", "", "127.0.0.1.evil.example"]
)
def test_with_dev_only_this_machine_is_answered(client: TestClient, host: str) -> None:
    answer = client.get("/api/v1/devices", headers={"Host": host})
    assert answer.status_code == 403
    assert "only speaks with this machine" in answer.json()["detail"]


@pytest.mark.parametrize("host", ["localhost:1", "127.0.0.1", "127.3.2.1:80", "[::1]:8080"])
def test_with_dev_this_machine_has_many_names(client: TestClient, host: str) -> None:
    assert client.get("/healthz", headers={"Host": host}).status_code == 200


def test_with_dev_another_machine_is_not_answered(centre: FedCentre) -> None:
    app = create_app(centre.parts(centre.settings, dev=True))
    with TestClient(app, "http://127.0.0.1", client=("10.0.0.7", 5000)) as client:
        assert client.get("/healthz").status_code == 403


def test_a_page_of_another_address_changes_nothing(client: TestClient) -> None:
    answer = client.post("/api/v1/inventory", content=b"x", headers={"Origin": "http://evil.example"})
    assert answer.status_code == 403
    own = client.post("/api/v1/inventory", content=b"x", headers={"Origin": "http://127.0.0.1:8080"})
    assert own.status_code == 400


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/api/v1", "/api/v1/readings/", "/healthz/", "/%2e%2e/x"])
def test_what_is_not_there_is_a_problem(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": f"There is nothing at '{answer.json()['instance']}'; /openapi.json lists what there is.",
        "instance": answer.json()["instance"],
    }


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_a_wrong_method_is_a_problem_that_names_the_right_ones(client: TestClient, route: Route) -> None:
    answer = client.request("PUT", route.path)
    own = re.sub(r"\{(\w+)(:path)?\}", "x", route.path)
    routes = [one for one in ROUTES if re.fullmatch(pattern_of(one), own)]
    here = {one.method for one in routes} | {"HEAD" for one in routes if has_head(one)}
    assert answer.status_code == 405
    assert answer.headers["allow"] == ", ".join(sorted(here))
    assert answer.json()["detail"].endswith(f"possible is {', '.join(sorted(here))}.")


@pytest.mark.parametrize(
    "path", ["/healthz", "/openapi.json", "/", "/api/v1/devices", "/static/site.css", "/nothing", "/geojson/devices"]
)
def test_head_answers_like_get_without_a_body(client: TestClient, path: str) -> None:
    whole, head = client.get(path), client.head(path)
    assert (head.status_code, head.content) == (whole.status_code, b"")
    for name in ("content-type", "content-length", "cache-control", "content-security-policy"):
        assert head.headers[name] == whole.headers[name], name


def test_head_of_a_live_stream_is_refused_because_it_has_no_end(client: TestClient) -> None:
    answer = client.head("/api/v1/events")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")


def test_head_takes_nothing_away_from_the_routes_of_other_methods(client: TestClient) -> None:
    assert client.head("/api/v1/session").status_code == client.get("/api/v1/session").status_code
    assert client.head("/abmelden").status_code == 405
    assert client.head("/bauhof/1/accept").headers["allow"] == "POST"


def pattern_of(route: Route) -> str:
    """The paths that a route answers."""
    whole = re.sub(r"\{\w+:path\}", ".*", route.path)
    return re.sub(r"\{\w+\}", "[^/]+", whole)


@pytest.mark.parametrize(
    "path", ["/healthz", "/readyz", "/nothing", "/api/v1/readings?limit=0", "/api/v1/export?kind=lamp"]
)
def test_every_answer_has_the_security_headers(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers.get_list("x-frame-options") == ["DENY"]


def test_a_mistake_of_ours_tells_nothing_of_our_insides(centre: FedCentre, client: TestClient) -> None:
    store = centre.ingest.quarantine.database
    try:
        del centre.ingest.quarantine.database
        answer = client.get("/api/v1/quarantine")
    finally:
        centre.ingest.quarantine.database = store
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.json()["detail"] == "This is a mistake of ours, not of your request; the centre's log has it."
    assert "Traceback" not in answer.text
    assert "database" not in answer.text


def test_files_that_can_not_be_read_are_said_without_their_path(tmp_path: Path) -> None:
    with fed_centre(tmp_path) as fed, client_of(fed) as client:
        (tmp_path / "platform.db").write_bytes(b"no database" * 1000)
        answer = client.get("/api/v1/devices")
    assert answer.status_code == 503
    assert answer.json()["detail"].startswith("The centre's files can't be read or written now; its log says why")
    assert str(tmp_path) not in answer.text


@pytest.fixture
def small_bodies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api.door, "BODY_BYTES_MAX", 100)


@pytest.mark.usefixtures("small_bodies")
@pytest.mark.parametrize("content", [b"x" * 101, lambda: iter([b"x" * 60, b"x" * 60])])
def test_a_body_that_is_too_large_is_refused(client: TestClient, content: bytes | Callable[[], object]) -> None:
    body = content if isinstance(content, bytes) else content()
    answer = client.post("/api/v1/inventory", content=body)  # an iterator is sent in chunks
    assert answer.status_code == 413
    assert answer.json()["detail"].startswith("The body is too large; expected at most 100 bytes.")


def test_an_absurd_length_is_refused(client: TestClient) -> None:
    answer = client.post("/api/v1/inventory", content=b"x", headers={"Content-Length": "9" * 5000})
    assert answer.status_code == 413


def test_odd_text_in_a_path_comes_back_as_json(client: TestClient) -> None:
    answer = client.get("/%ff%00%22<script>")
    assert answer.status_code == 404
    assert json.loads(answer.content)["status"] == 404
