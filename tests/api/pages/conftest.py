"""A small region, and clients that read its pages as each kind of people."""

from collections.abc import Callable, Iterator

import pytest
from fastapi.testclient import TestClient

from tests.api.conftest import client_of
from tests.api.pages.region import small_region
from tests.support.frames import FedCentre

PASSWORD = "gutes-passwort"
PEOPLE = {
    "yard": ("yard", "naunhof"),
    "yard-brandis": ("yard", "brandis"),
    "technician": ("technician", None),
    "dispatcher": ("dispatcher", None),
    "admin": ("admin", None),
}
As = Callable[[str], TestClient]


@pytest.fixture(scope="module")
def region(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FedCentre]:
    """A centre for one module's tests."""
    with small_region(tmp_path_factory.mktemp("region")) as centre:
        for name, (role, town) in PEOPLE.items():
            centre.accounts.add(name, PASSWORD, role, town, "test")
        yield centre


@pytest.fixture
def public(region: FedCentre) -> Iterator[TestClient]:
    """Somebody without a sign-in."""
    with client_of(region, dev=False) as client:
        client.follow_redirects = False
        yield client


@pytest.fixture
def signed_in(region: FedCentre) -> Iterator[As]:
    """Clients with the cookie of one of PEOPLE."""
    opened: list[TestClient] = []

    def sign_in(name: str) -> TestClient:
        client = client_of(region, dev=False).__enter__()
        client.follow_redirects = False
        opened.append(client)
        answer = client.post("/anmelden", data={"name": name, "password": PASSWORD})
        assert answer.status_code == 303, answer.text
        return client

    yield sign_in
    for client in opened:
        client.__exit__(None, None, None)
