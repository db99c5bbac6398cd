"""Who may do what: every route of the platform asked by every role, for its own town and for a foreign one."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import insert

from api.accounts_rows import Account
from api.guards import guards_of, is_page
from api.route import ROLES, Policy, Route
from api.routes import ROUTES, has_head
from api.who import PUBLIC, Who
from rules.tables import sos_case_table, ticket_table
from tests.api.conftest import client_of
from tests.support.frames import T0, FedCentre, fed_centre, lamps, make_frame

OWN, FOREIGN = "naunhof", "brandis"
WHO = [PUBLIC, *(Who("", role, town, "bearer") for role in ROLES for town in (None, OWN))]
NOBODYS = {
    "name": "nobody",
    "rule": "lamp_out",
    "number": "999",
    "action": "nothing",
    "path": "x",
    "type": "lamp",
    "id": "x",
}
OBJECTS = {
    OWN: {"device_id": "NAU-L1", "ticket_id": "1", "case_id": "1", "site_id": "markt", "town": OWN, "site": "markt"},
    FOREIGN: {
        "device_id": "BRA-L2",
        "ticket_id": "2",
        "case_id": "2",
        "site_id": "bahn",
        "town": FOREIGN,
        "site": "bahn",
    },
}
OF_A_TOWN = re.compile(r"\{(device_id|ticket_id|case_id)\}")
ENDLESS = "/api/v1/events"
CLOSED = [route for route in ROUTES if route.policy is not Policy.OPEN]
SITES = "site,town,name,capacity\nmarkt,naunhof,Am Markt,40\nbahn,brandis,Bahnhof,20\n"


def name_of(route: Route) -> str:
    return f"{route.method} {route.path}"


class World:
    """A centre with a device, a car park, a ticket and a case in each of two towns, and a token for each asker."""

    def __init__(self, fed: FedCentre, client: TestClient) -> None:
        self.client = client
        self.tokens = {
            (one.role, one.town): fed.accounts.create_token("", one.role, one.town, None, "test")[0]
            for one in WHO
            if one != PUBLIC
        }

    def ask(self, who: Who, method: str, path: str) -> tuple[int, str]:
        """Status, and where it leads to."""
        headers = {} if who == PUBLIC else {"Authorization": f"Bearer {self.tokens[who.role, who.town]}"}
        answer = self.client.request(method, path, headers=headers, follow_redirects=False)
        if answer.status_code >= 400:
            assert "Traceback" not in answer.text
        return answer.status_code, answer.headers.get("location", "")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with fed_centre(tmp_path_factory.mktemp("policies")) as fed:
        fed.take(make_frame(lamps(3)))
        with client_of(fed) as dev:
            assert dev.post("/api/v1/inventory", content=SITES).status_code == 200
        with fed.database.write() as connection:
            for number, town, device_id in ((1, OWN, "NAU-L1"), (2, FOREIGN, "BRA-L2")):
                connection.execute(insert(ticket_table), a_ticket(number, town, device_id))
                connection.execute(insert(sos_case_table), a_case(number, town, device_id))
        for session in fed.ingest.sessions.values():
            session.ready.set()
        with client_of(fed, dev=False) as client:
            yield World(fed, client)


def a_ticket(number: int, town: str, device_id: str) -> dict[str, object]:
    return {
        "id": number, "status": "open", "priority": "normal", "town": town, "kind": "lamp", "rule": "lamp_out",
        "subject": device_id, "title_de": "Leuchte aus", "since_ms": T0, "opened_ms": T0, "updated_ms": T0,
    }  # fmt: skip


def a_case(number: int, town: str, device_id: str) -> dict[str, object]:
    return {
        "id": number, "device_id": device_id, "town": town, "state": "received", "event": "press", "is_test": False,
        "is_late": False, "pressed_ms": T0, "received_ms": T0, "last_press_ms": T0, "presses": 1, "updated_ms": T0,
    }  # fmt: skip


def path_of(route: Route, town: str) -> str:
    """The path with objects of this town in the place of its parameters."""
    values = {**NOBODYS, **OBJECTS[town]}
    return re.sub(r"\{(\w+)(:path)?\}", lambda found: values[found.group(1)], route.path)


def expected(route: Route, who: Who, town: str) -> str:
    """What the table of policies says: allowed, stranger (sign in first) or refused."""
    if route.policy is Policy.OPEN:
        return "allowed"
    if who == PUBLIC:
        return "stranger"
    if route.policy is Policy.PLATFORM:
        return "allowed" if (who.role, who.town) == ("admin", None) else "refused"
    is_foreign = OF_A_TOWN.search(route.path) is not None and who.town not in (None, town)
    return "allowed" if who.role in route.policy.value and not is_foreign else "refused"


def happened(route: Route, status: int, location: str) -> str:
    is_sign_in = name_of(route) in ("POST /anmelden", "POST /api/v1/session")  # there 401 is about the password
    if status == 303 and location.startswith("/anmelden"):
        return "stranger" if is_page(route) else "a page for a program"
    if status == 401 and not is_sign_in:
        return "a status for a person" if is_page(route) else "stranger"
    return "refused" if status == 403 else "allowed" if status < 500 else f"our mistake {status}"


@pytest.mark.parametrize("route", ROUTES, ids=name_of)
@pytest.mark.parametrize("town", [OWN, FOREIGN])
def test_every_role_gets_what_the_table_says(world: World, route: Route, town: str) -> None:
    path = path_of(route, town) + ("?kinds=none" if route.path == ENDLESS else "")
    found = {who: happened(route, *world.ask(who, route.method, path)) for who in WHO}
    assert found == {who: expected(route, who, town) for who in WHO}


@pytest.mark.parametrize("route", [one for one in ROUTES if has_head(one)], ids=name_of)
def test_head_opens_to_whom_get_opens(world: World, route: Route) -> None:
    path = path_of(route, FOREIGN)
    assert {who: world.ask(who, "HEAD", path) for who in WHO} == {who: world.ask(who, "GET", path) for who in WHO}


def test_every_described_operation_is_in_the_matrix(world: World) -> None:
    paths = world.client.get("/openapi.json").json()["paths"]
    described = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    assert described <= {name_of(route) for route in ROUTES}


@pytest.mark.parametrize("route", [one for one in CLOSED if one.method == "GET"], ids=name_of)
def test_a_filter_for_a_foreign_town_or_device_is_refused(world: World, route: Route) -> None:
    described = world.client.get("/openapi.json").json()["paths"].get(route.path, {}).get("get", {})
    filters = {one["name"] for one in described.get("parameters", []) if one["in"] == "query"}
    role = next((role for role in ROLES if role in route.policy.value), None)
    for name, own, foreign in (("town", OWN, FOREIGN), ("device_id", "NAU-L1", "BRA-L2")):
        if name in filters and role is not None:
            who = Who("", role, OWN, "bearer")
            assert world.ask(who, "GET", f"{path_of(route, OWN)}?{name}={foreign}")[0] == 403
            assert world.ask(who, "GET", f"{path_of(route, OWN)}?{name}={own}")[0] == 200


def test_who_comes_in_for_one_town_gets_only_its_devices_and_sites(world: World) -> None:
    headers = {"Authorization": f"Bearer {world.tokens['yard', OWN]}"}
    items = world.client.get("/api/v1/devices", headers=headers).json()["items"]
    assert {one["town"] for one in items} == {OWN}
    for path, own, foreign in (("inventory", "NAU-L1", "BRA-L2"), ("sites", "markt", "bahn")):
        text = world.client.get(f"/api/v1/{path}.csv", headers=headers).text
        assert (own in text, foreign in text) == (True, False)


def test_who_comes_in_for_one_town_must_name_a_device_to_read(world: World) -> None:
    headers = {"Authorization": f"Bearer {world.tokens['yard', OWN]}"}
    for path in ("readings", "readings/count", "export?kind=lamp"):
        answer = world.client.get(f"/api/v1/{path}", headers=headers)
        assert answer.status_code == 400
        assert "You come in for naunhof only: give the device_id" in answer.json()["detail"]


def test_lists_of_work_hold_nothing_of_a_foreign_town(world: World) -> None:
    headers = {"Authorization": f"Bearer {world.tokens['admin', OWN]}"}
    for path in ("tickets", "sos", "findings"):
        items = world.client.get(f"/api/v1/{path}", headers=headers).json()["items"]
        assert {one["town"] for one in items} <= {OWN}


def test_a_refusal_is_a_sentence_for_a_program_and_a_page_for_a_person(world: World) -> None:
    headers = {"Authorization": f"Bearer {world.tokens['technician', None]}"}
    program = world.client.get("/api/v1/sos", headers=headers)
    assert program.headers["content-type"] == "application/problem+json"
    assert program.json()["detail"] == (
        "This needs the role dispatcher or admin; you come in as technician of all towns."
    )
    person = world.client.get("/notruf", headers=headers)
    assert person.status_code == 403
    assert person.headers["content-type"].startswith("text/html")
    assert "Diese Seite ist für die Notrufstelle und die Verwaltung der Plattform." in person.text
    assert "default-src" in person.headers["content-security-policy"]


def test_a_person_who_has_to_sign_in_comes_back_to_the_page(world: World) -> None:
    answer = world.client.get("/bauhof?town=naunhof&x=%22", follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/anmelden?weiter=/bauhof%3Ftown%3Dnaunhof%26x%3D%2522"
    sent = world.client.post("/bauhof/1/accept", follow_redirects=False)
    assert sent.headers["location"] == "/anmelden"


def test_an_address_that_is_none_is_a_page_for_a_browser(world: World) -> None:
    page = world.client.get("/gibtesnicht", headers={"Accept": "text/html,*/*"})
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    program = world.client.get("/api/v1/none", headers={"Accept": "text/html,*/*"})
    assert program.headers["content-type"] == "application/problem+json"


def test_every_route_has_a_policy_and_every_closed_one_a_guard() -> None:
    assert all(isinstance(route.policy, Policy) for route in ROUTES)
    assert all(guards_of(route) for route in CLOSED)
    assert len({name_of(route) for route in ROUTES}) == len(ROUTES)
    with pytest.raises(TypeError):
        Route("GET", "/open", lambda: None)  # type: ignore[call-arg]  # that is the point


def test_a_route_whose_policy_is_changed_is_guarded_so() -> None:
    route = replace(next(one for one in ROUTES if one.path == "/healthz"), policy=Policy.PLATFORM)
    assert len(guards_of(route)) > len(guards_of(ROUTES[0]))


def test_no_route_is_served_that_is_not_in_the_list(tmp_path: Path) -> None:
    with fed_centre(tmp_path) as fed, client_of(fed) as client:
        served = {(method, one.path) for one in client.app.routes for method in one.methods}  # type: ignore[attr-defined]
    heads = {("HEAD", route.path) for route in ROUTES if has_head(route)}
    assert served == heads | {(route.method, route.path) for route in ROUTES}


@pytest.mark.parametrize(("role", "town"), [(role, town) for role in ROLES for town in (None, OWN)])
def test_an_account_may_what_its_role_may(role: str, town: str | None) -> None:
    account = Account(1, "anna", role, town, T0, None)
    who = Who(account.name, account.role, account.town, "cookie")
    assert {policy for policy in Policy if who.may(policy)} >= {Policy.OPEN, Policy.SIGNED_IN}
    assert who.may(Policy.PLATFORM) is (role == "admin" and town is None)
    assert (who.sees(OWN), who.sees(FOREIGN), who.sees(None)) == (True, town is None, town is None)
