"""A flood from an address keeps out nobody else who comes from there: a town hall has one address for all."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from api.accounts_rows import FAMILIAR_S, REMEMBERED_S, Account, Token
from api.app import create_app
from core.settings import Settings
from core.settings_tables import HttpSettings
from tests.support.frames import FedCentre, fed_centre

TOWN_HALL = "10.0.0.1"
BURST = 3
HTTP = HttpSettings(token="t", guest_requests_per_s=1, guest_burst=BURST)
GOOD = "gutes-passwort"
DEVICES, SESSION = "/api/v1/devices", "/api/v1/session"
FLOODS = ["pages", "bearers", "cookies", "keys"]


@pytest.fixture
def fed(tmp_path: Path) -> Iterator[FedCentre]:
    with fed_centre(tmp_path, Settings(http=HTTP)) as found:
        found.accounts.add("leitstelle", GOOD, "dispatcher", None, "test")
        yield found


@pytest.fixture
def client(fed: FedCentre) -> TestClient:
    """Somebody in the town hall. Every client of a test asks the same application."""
    app = create_app(fed.parts(fed.settings, dev=False))
    return TestClient(app, "http://127.0.0.1:8080", client=(TOWN_HALL, 50000), follow_redirects=False)


def neighbour(client: TestClient) -> TestClient:
    """Somebody else at the same address."""
    return TestClient(client.app, "http://127.0.0.1:8080", client=(TOWN_HALL, 50001), follow_redirects=False)


def flood(client: TestClient, what: str) -> None:
    """Ask from the same address until the bucket is empty."""
    headers = {
        "pages": {},
        "bearers": {"Authorization": "Bearer guess"},
        "cookies": {"Cookie": "partheland=guess"},
        "keys": {"X-API-Key": "guess"},
    }[what]
    other = neighbour(client)
    found = [other.get("/impressum", headers=headers).status_code for _ in range(BURST + 1)]
    assert found == [200] * BURST + [429]


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def sign_in(client: TestClient) -> int:
    return int(client.post(SESSION, json={"name": "leitstelle", "password": GOOD}).status_code)


@pytest.mark.parametrize("what", FLOODS)
def test_who_is_signed_in_never_waits_for_a_flood(fed: FedCentre, client: TestClient, what: str) -> None:
    assert sign_in(client) == 200
    for _ in range(5):
        fed.clock.advance(REMEMBERED_S + 1)  # the session has to be looked up again
        flood(client, what)
        assert [client.get(path).status_code for path in (DEVICES, "/notruf", "/")] == [200, 200, 200]


@pytest.mark.parametrize("what", FLOODS)
def test_a_token_that_was_used_lately_never_waits_for_a_flood(fed: FedCentre, client: TestClient, what: str) -> None:
    secret = fed.accounts.create_token("", "technician", None, None, "test")[0]
    assert client.get(DEVICES, headers=bearer(secret)).status_code == 200
    for _ in range(5):
        fed.clock.advance(REMEMBERED_S + 1)
        flood(client, what)
        assert client.get(DEVICES, headers=bearer(secret)).status_code == 200
        assert client.get("/ngsi-ld/entities", headers={"X-API-Key": secret}).status_code == 200


def test_a_sign_in_of_somebody_else_makes_nobody_a_stranger(fed: FedCentre, client: TestClient) -> None:
    assert sign_in(client) == 200
    fed.accounts.sign_in("leitstelle", GOOD, "10.0.0.9")
    flood(client, "bearers")
    assert client.get(DEVICES).status_code == 200


def test_what_is_shown_for_the_first_time_does_not_wait_for_a_flood_of_pages(
    fed: FedCentre, client: TestClient
) -> None:
    secrets = [fed.accounts.create_token("", "technician", None, None, "test")[0] for _ in range(BURST)]
    flood(client, "pages")
    assert [client.get(DEVICES, headers=bearer(one)).status_code for one in secrets] == [200] * BURST


@pytest.mark.parametrize("what", FLOODS)
def test_signing_in_does_not_wait_for_a_flood(client: TestClient, what: str) -> None:
    flood(client, what)
    assert sign_in(client) == 200
    form = {"name": "leitstelle", "password": GOOD}
    assert neighbour(client).post("/anmelden", data=form).status_code == 303
    old = {"Cookie": "partheland=one-that-has-ended"}
    assert neighbour(client).post("/anmelden", data=form, headers=old).status_code == 303
    assert client.get(DEVICES).status_code == 200


def test_a_flood_of_sign_ins_has_a_bucket_too_which_is_nobody_elses(client: TestClient) -> None:
    other = neighbour(client)
    found = [other.post(SESSION, content=b"{").status_code for _ in range(BURST + 1)]
    assert found == [400] * BURST + [429]
    assert client.get("/impressum").status_code == 200
    assert client.get(DEVICES, headers=bearer("guess")).status_code == 401


def test_guesses_take_from_a_bucket_of_their_own(fed: FedCentre, client: TestClient) -> None:
    secret = fed.accounts.create_token("", "technician", None, None, "test")[0]
    flood(client, "bearers")
    assert client.get("/impressum").status_code == 200
    assert client.get(DEVICES, headers=bearer(secret)).status_code == 429
    fed.clock.advance(1)
    assert client.get(DEVICES, headers=bearer(secret)).status_code == 200


def test_after_twelve_hours_without_use_a_token_is_a_stranger_again(fed: FedCentre, client: TestClient) -> None:
    secret = fed.accounts.create_token("", "technician", None, None, "test")[0]
    assert client.get(DEVICES, headers=bearer(secret)).status_code == 200
    fed.clock.advance(FAMILIAR_S - 1)
    flood(client, "bearers")
    assert client.get(DEVICES, headers=bearer(secret)).status_code == 200
    fed.clock.advance(FAMILIAR_S)
    flood(client, "bearers")
    assert client.get(DEVICES, headers=bearer(secret)).status_code == 429


def test_what_has_ended_is_a_stranger_at_once(fed: FedCentre) -> None:
    accounts = fed.accounts
    for end in (
        lambda session: accounts.sign_out(session),
        lambda _: accounts.disable("leitstelle", "test"),
        lambda _: accounts.set_password("leitstelle", GOOD, "test"),
        lambda session: accounts.sign_in("leitstelle", GOOD, TOWN_HALL, former=session),
    ):
        accounts.enable("leitstelle", "test")
        session = accounts.sign_in("leitstelle", GOOD, TOWN_HALL)
        assert accounts.who_of_session(session) is not None
        assert (accounts.is_familiar(session, Account), accounts.is_familiar(session, Token)) == (True, False)
        end(session)
        assert not accounts.is_familiar(session, Account)
    secret, made = accounts.create_token("", "yard", None, None, "test")
    assert accounts.who_of_token(secret) is not None
    accounts.tokens.revoke(made.id, "test")
    assert not accounts.is_familiar(secret, Token)


def test_what_ended_by_itself_is_looked_up_once_more_and_is_a_stranger_then(fed: FedCentre) -> None:
    secret = fed.accounts.create_token("", "yard", None, 1, "test")[0]
    for hours in (0, 11, 11):
        fed.clock.advance(hours * 3600)
        assert fed.accounts.who_of_token(secret) is not None
    fed.clock.advance(2 * 3600)
    assert fed.accounts.is_familiar(secret, Token)
    assert fed.accounts.who_of_token(secret) is None
    assert not fed.accounts.is_familiar(secret, Token)


def test_an_account_still_waits_for_itself(fed: FedCentre) -> None:
    settings = replace(fed.settings, http=replace(HTTP, account_burst=2, account_requests_per_s=1))
    app = create_app(fed.parts(settings, dev=False))
    client = TestClient(app, "http://127.0.0.1:8080", client=(TOWN_HALL, 50000))
    assert sign_in(client) == 200
    assert [client.get(DEVICES).status_code for _ in range(3)] == [200, 200, 429]
