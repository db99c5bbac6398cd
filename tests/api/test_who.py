"""Coming in over HTTP: cookie and bearer, the proof that a form is ours, and everything that must not open."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import delete

from api.accounts import Accounts
from api.accounts_tables import account_table, session_table, token_table
from api.app import create_app
from api.limits import NAME_FREE
from api.passwords import Passwords
from api.who import csrf_of, local_path
from core.relational import DatabaseError
from core.settings import Settings
from tests.api.conftest import MANY, TOKEN, client_of
from tests.support.frames import CHEAP, FedCentre, fed_centre

GOOD = "gutes-passwort"
PAGE = {"Origin": "http://127.0.0.1:8080", "Sec-Fetch-Site": "same-origin"}
ANNA = {"name": "anna", "password": GOOD}
SESSION, DEVICES, SIGN_OUT = "/api/v1/session", "/api/v1/devices", "/api/v1/session"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FedCentre]:
    with fed_centre(tmp_path_factory.mktemp("who")) as found:
        yield found


@pytest.fixture
def fed(running: FedCentre) -> FedCentre:
    """The same centre for all tests, with nobody in it but anna and chef."""
    with running.database.write() as connection:
        for table in (session_table, account_table, token_table):
            connection.execute(delete(table))
    running.settings = Settings()
    running.accounts = Accounts(running.database, running.clock, Passwords(CHEAP))
    running.accounts.add("anna", GOOD, "yard", "naunhof", "test")
    running.accounts.add("chef", GOOD, "admin", None, "test")
    return running


@pytest.fixture
def client(fed: FedCentre) -> Iterator[TestClient]:
    with client_of(fed, dev=False) as found:
        found.follow_redirects = False
        yield found


def signed_in(client: TestClient, name: str = "anna") -> str:
    """The CSRF token of a new session, whose cookie the client has now."""
    answer = client.post(SESSION, json={"name": name, "password": GOOD}, headers=PAGE)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["csrf"])


def status(client: TestClient, cookie: str) -> int:
    """What somebody gets who shows only this cookie."""
    client.cookies.clear()
    return int(client.get(DEVICES, headers={"Cookie": f"partheland={cookie}"}).status_code)


def test_a_person_signs_in_sees_who_they_are_and_signs_out(client: TestClient) -> None:
    answer = client.post(SESSION, json=ANNA)
    told = answer.json()
    assert (told["name"], told["role"], told["town"]) == ("anna", "yard", "naunhof")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("partheland=")
    assert all(part in cookie for part in ("; HttpOnly", "; Path=/", "; SameSite=lax"))
    assert "Secure" not in cookie
    assert client.get(SESSION).json() == told
    assert client.get(DEVICES).status_code == 200
    kept = client.cookies["partheland"]
    out = client.delete(SESSION, headers={**PAGE, "X-CSRF-Token": told["csrf"]})
    assert out.json() == {"signed_out": True}
    assert "partheland" not in client.cookies
    assert client.get(DEVICES).status_code == 401
    assert status(client, kept) == 401


def test_behind_tls_the_cookie_is_kept_to_this_host_and_encrypted(fed: FedCentre) -> None:
    fed.settings = replace(fed.settings, http=replace(fed.settings.http, public_url="https://parthe.example"))
    with client_of(fed, dev=False) as client:
        origin = {"Origin": "https://parthe.example"}
        cookie = client.post(SESSION, json=ANNA, headers=origin).headers["set-cookie"]
        assert cookie.startswith("__Host-partheland=")
        assert all(part in cookie for part in ("; Secure", "; HttpOnly", "; Path=/", "; SameSite=lax"))
        assert "Domain" not in cookie
        token = cookie.partition("=")[2].partition(";")[0]
        assert client.get(DEVICES, headers={"Cookie": f"__Host-partheland={token}"}).status_code == 200
        assert client.get(DEVICES, headers={"Cookie": f"partheland={token}"}).status_code == 401
        plain = client.post(SESSION, json=ANNA, headers={"Origin": "http://parthe.example"})
        assert plain.status_code == 403


@pytest.mark.parametrize("body", [{**ANNA, "password": "falsches-passwort"}, {**ANNA, "name": "nobody"}])
def test_a_wrong_password_is_a_sentence_that_does_not_say_which(client: TestClient, body: dict[str, str]) -> None:
    answer = client.post(SESSION, json=body)
    assert answer.status_code == 401
    assert answer.json()["detail"].startswith("Name or password is wrong, or the account is disabled;")
    assert "set-cookie" not in answer.headers


def test_who_tries_too_often_is_told_how_long_to_wait(client: TestClient) -> None:
    wrong = {**ANNA, "password": "falsches-passwort"}
    found = [client.post(SESSION, json=wrong).status_code for _ in range(NAME_FREE + 1)]
    assert found == [401] * NAME_FREE + [429]
    answer = client.post(SESSION, json=ANNA)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    page = client.post("/anmelden", data=ANNA)
    assert page.status_code == 429
    assert "Bitte warten Sie 1 Sekunden" in page.text


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"name": "anna"}', b'{"name": 5, "password": "x"}', b"\xff", b"x" * 20_000]
)
def test_a_body_that_is_none_is_told(client: TestClient, content: bytes) -> None:
    answer = client.post(SESSION, content=content)
    assert answer.status_code == 400
    assert "a JSON object with name, password" in answer.json()["detail"]


def test_a_session_that_ended_opens_nothing(fed: FedCentre, client: TestClient) -> None:
    signed_in(client)
    fed.clock.advance(12 * 3600)
    assert client.get(DEVICES).status_code == 401
    page = client.get("/bauhof")
    assert (page.status_code, page.headers["location"]) == (303, "/anmelden?weiter=/bauhof")


@pytest.mark.parametrize("cookie", ["", "x", "0" * 43, "a" * 5000, '"quoted"', "%00", "ä"])
def test_a_forged_cookie_opens_nothing(client: TestClient, cookie: str) -> None:
    assert client.get(DEVICES, headers={b"Cookie": f"partheland={cookie}".encode()}).status_code == 401


def test_a_disabled_account_is_out_while_it_is_signed_in(fed: FedCentre, client: TestClient) -> None:
    signed_in(client)
    assert client.get(DEVICES).status_code == 200
    fed.accounts.disable("anna", "chef")
    assert client.get(DEVICES).status_code == 401
    assert client.post(SESSION, json=ANNA).status_code == 401


def test_a_revoked_token_opens_nothing(fed: FedCentre, client: TestClient) -> None:
    secret, made = fed.accounts.create_token("", "yard", None, None, "chef")
    headers = {"Authorization": f"bearer {secret}"}
    assert client.get(DEVICES, headers=headers).status_code == 200
    fed.accounts.tokens.revoke(made.id, "chef")
    answer = client.get(DEVICES, headers=headers)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


def test_a_session_is_no_bearer_and_a_token_no_cookie(fed: FedCentre, client: TestClient) -> None:
    signed_in(client)
    session = client.cookies["partheland"]
    assert client.get(DEVICES).status_code == 200
    client.cookies.clear()
    assert client.get(DEVICES, headers={"Authorization": f"Bearer {session}"}).status_code == 401
    secret, _ = fed.accounts.create_token("", "yard", None, None, "chef")
    assert client.get(DEVICES, headers={"Authorization": f"Bearer {secret}"}).status_code == 200
    assert status(client, secret) == 401


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (PAGE, 200),
        ({}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:8081"}, 403),
        ({"Origin": ""}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
    ],
)
def test_a_change_by_cookie_must_come_from_a_page_of_ours(
    client: TestClient, headers: dict[str, str], expected: int
) -> None:
    csrf = signed_in(client)
    assert client.delete(SIGN_OUT, headers={**headers, "X-CSRF-Token": csrf}).status_code == expected
    assert client.get(DEVICES).status_code == (401 if expected == 200 else 200)


def test_a_change_by_cookie_needs_the_sign_of_this_session(fed: FedCentre, client: TestClient) -> None:
    other = csrf_of(fed.accounts.sign_in("chef", GOOD, "10.0.0.1"))
    csrf = signed_in(client)
    for sent in ("", "x", other, csrf.upper()):
        answer = client.delete(SIGN_OUT, headers=[*PAGE.items(), ("X-CSRF-Token", sent)])
        assert answer.status_code == 403
        assert "send its field csrf, or the header X-CSRF-Token" in answer.json()["detail"]
    page = client.post("/abmelden", data={"csrf": other}, headers=PAGE)
    assert page.status_code == 403
    assert "Bitte laden Sie sie neu." in page.text
    assert client.post("/abmelden", content=f'{{"csrf": "{csrf}"}}', headers=PAGE).status_code == 403
    assert client.get(DEVICES).status_code == 200
    out = client.post("/abmelden", data={"csrf": csrf}, headers=PAGE)
    assert (out.status_code, out.headers["location"]) == (303, "/")
    assert client.get(DEVICES).status_code == 401


def test_a_change_by_bearer_needs_no_sign(fed: FedCentre, client: TestClient) -> None:
    signed_in(client)  # the browser's cookie beside it changes nothing
    headers = {"Authorization": f"Bearer {TOKEN}"}
    sent = client.post("/api/v1/inventory", content="device_id,kind,town\nM1,lamp,machern\n", headers=headers)
    assert sent.status_code == 200, sent.text
    assert client.delete(SESSION, headers=headers).json() == {"signed_out": False}


@pytest.mark.parametrize(
    ("onward", "expected"),
    [
        ("/bauhof?town=naunhof", "/bauhof?town=naunhof"),
        ("/geraet/NAU-L1#kurve", "/geraet/NAU-L1#kurve"),
        ("", "/bauhof"),
        ("/", "/bauhof"),
        ("//evil.example", "/bauhof"),
        ("/\\evil.example", "/bauhof"),
        ("https://evil.example/", "/bauhof"),
        ("javascript:alert(1)", "/bauhof"),
        ("/\t/evil.example", "/bauhof"),
        ("\\\\evil.example", "/bauhof"),
        ("bauhof", "/bauhof"),
        ("/anmelden?weiter=/anmelden", "/bauhof"),
        ("/x\r\nSet-Cookie: a=b", "/bauhof"),
    ],
)
def test_after_the_form_goes_on_to_a_page_of_ours_only(client: TestClient, onward: str, expected: str) -> None:
    for answer in (
        client.post("/anmelden", data={**ANNA, "weiter": onward}, headers=PAGE),
        client.post("/anmelden", data=ANNA, params={"weiter": onward}, headers=PAGE),
    ):
        assert (answer.status_code, answer.headers["location"]) == (303, expected)
        assert answer.headers.get_list("set-cookie")[0].startswith("partheland=")


@pytest.mark.parametrize(
    ("role", "home"),
    [("yard", "/bauhof"), ("dispatcher", "/notruf"), ("technician", "/karte"), ("admin", "/bauhof")],
)
def test_every_role_begins_at_its_own_page(fed: FedCentre, client: TestClient, role: str, home: str) -> None:
    fed.accounts.add("bert", GOOD, role, None, "test")
    assert client.post("/anmelden", data={"name": "Bert", "password": GOOD}).headers["location"] == home


def test_the_form_shows_what_was_wrong_in_german_and_keeps_the_name(client: TestClient) -> None:
    answer = client.post("/anmelden", data={"name": "<b>anna", "password": "falsches-passwort", "weiter": "/notruf"})
    assert answer.status_code == 401
    assert answer.headers["content-type"].startswith("text/html")
    assert "Name oder Passwort stimmt nicht." in answer.text
    assert "&lt;b&gt;anna" in answer.text
    assert "falsches-passwort" not in answer.text
    assert 'value="/notruf"' in answer.text
    assert client.post("/anmelden", content=b"&".join(b"a=1" for _ in range(100))).status_code == 400


@pytest.mark.parametrize("path", ["/a/%2e%2e//x", "/ä", "/x?a=//b", "/@evil"])
def test_a_local_path_stays_as_it_is(path: str) -> None:
    assert local_path(path) == path


def test_a_token_goes_before_a_cookie(fed: FedCentre, client: TestClient) -> None:
    signed_in(client)
    secret, _ = fed.accounts.create_token("", "technician", "brandis", None, "chef")
    told = client.get(SESSION, headers={"Authorization": f"Bearer {secret}"}).json()
    assert (told["role"], told["town"], told["csrf"]) == ("technician", "brandis", None)


def test_with_dev_everybody_is_admin_except_who_signed_in_as_somebody(fed: FedCentre) -> None:
    with client_of(fed) as client:
        assert client.get(SESSION).json() == {"name": "dev", "role": "admin", "town": None, "csrf": None}
        assert client.get(SESSION, headers={"Authorization": "Bearer wrong"}).json()["name"] == "dev"
        assert client.get(SESSION, headers={"Cookie": "partheland=old"}).json()["name"] == "dev"
        signed_in(client)
        assert client.get(SESSION).json()["name"] == "anna"
        assert client.get("/api/v1/ledger").status_code == 403


def test_an_admin_of_all_towns_looks_after_accounts_and_tokens(client: TestClient) -> None:
    headers = {**PAGE, "X-CSRF-Token": signed_in(client, "chef")}
    bert = {"name": "bert", "password": GOOD, "role": "dispatcher"}
    made = client.post("/api/v1/accounts", json=bert, headers=headers).json()
    assert (made["name"], made["role"], made["town"], made["disabled"]) == ("bert", "dispatcher", None, None)
    assert "password" not in client.get("/api/v1/accounts").text
    again = client.post("/api/v1/accounts", json=bert, headers=headers)
    assert (again.status_code, again.json()["detail"]) == (
        400, "There is an account 'bert' already; expected a new name.",
    )  # fmt: skip
    rights = {"role": "yard", "town": "brandis"}
    assert client.post("/api/v1/accounts/bert/rights", json=rights, headers=headers).json()["town"] == "brandis"
    assert client.post("/api/v1/accounts/bert/password", json={"password": "x"}, headers=headers).status_code == 400
    assert client.post("/api/v1/accounts/bert/disable", headers=headers).json()["disabled"] is not None
    assert client.post("/api/v1/accounts/bert/enable", headers=headers).json()["disabled"] is None
    assert client.post("/api/v1/accounts/nobody/disable", headers=headers).status_code == 404
    token = client.post("/api/v1/tokens", json={"role": "yard", "label": "x", "days": 3}, headers=headers).json()
    assert client.get(DEVICES, headers={"Authorization": f"Bearer {token['token']}"}).status_code == 200
    listed = client.get("/api/v1/tokens").json()["items"]
    assert [(one["id"], one["token"]) for one in listed] == [(token["id"], None)]
    assert client.post(f"/api/v1/tokens/{token['id']}/revoke", headers=headers).json()["revoked"] is not None
    assert client.post(f"/api/v1/tokens/{2**80}/revoke", headers=headers).status_code == 400


class Broken(Accounts):
    """Accounts whose database can't be read."""

    def who_of_session(self, token: str) -> None:
        raise DatabaseError("the database /secret/path can't be used")


def test_a_database_that_can_not_be_read_is_said_without_its_path_and_health_still_answers(fed: FedCentre) -> None:
    broken = replace(fed.parts(fed.settings, dev=False), accounts=Broken(fed.database, fed.clock))
    headers = {"Cookie": "partheland=x"}
    with TestClient(create_app(broken), "http://127.0.0.1:8080", raise_server_exceptions=False) as client:
        answer = client.get(DEVICES, headers=headers)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert "secret" not in answer.text
        assert client.get("/healthz", headers=headers).status_code == 200


def test_the_limits_of_tests_are_far_away(fed: FedCentre) -> None:
    with client_of(fed, dev=False) as client:
        centre = client.app.state.centre  # type: ignore[attr-defined]  # an ASGI callable, here a FastAPI
        assert centre.settings.http.guest_burst == MANY
