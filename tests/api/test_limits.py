"""Buckets of requests, growing waits for sign-ins, and whose request it is behind a proxy."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.limits import ADDRESS_FREE, NAME_FREE, WAIT_S_MAX, Attempts, Buckets, TooManyError, address_of
from core.clock import ManualClock
from core.settings import Settings
from core.settings_tables import HttpSettings
from tests.support.frames import FedCentre, fed_centre


def test_a_bucket_gives_a_burst_and_then_so_many_each_second() -> None:
    clock = ManualClock()
    buckets = Buckets(2, 5, clock)
    for _ in range(5):
        buckets.take("a")
    with pytest.raises(TooManyError) as caught:
        buckets.take("a")
    assert caught.value.wait_s == 0.5
    assert caught.value.headers == {"Retry-After": "1"}
    buckets.take("b")
    clock.advance(1)
    buckets.take("a")
    buckets.take("a")
    with pytest.raises(TooManyError):
        buckets.take("a")


def test_a_bucket_never_holds_more_than_its_burst() -> None:
    clock = ManualClock()
    buckets = Buckets(10, 3, clock)
    clock.advance(3600)
    assert how_many(buckets, "a") == 3
    clock.advance(3600)
    assert how_many(buckets, "a") == 3


def test_who_asks_on_in_vain_gets_in_as_soon_as_the_bucket_has_one() -> None:
    clock = ManualClock()
    buckets = Buckets(1, 1, clock)
    got = 0
    for _ in range(100):
        clock.advance(0.1)
        got += how_many(buckets, "a")
    assert got in (10, 11)


def test_buckets_and_attempts_are_bounded_whoever_comes() -> None:
    clock = ManualClock()
    buckets, attempts = Buckets(1, 1, clock, keys_max=100), Attempts(clock, keys_max=100)
    for number in range(1000):
        buckets.take(number)
        attempts.begin(f"name{number}", f"address{number}")
        attempts.succeeded(f"name{number}", f"address{number}")
        attempts.begin(f"name{number}", f"address{number}")
    assert (len(buckets._left), len(attempts._failed), len(attempts._friends)) == (100, 100, 100)


def how_many(buckets: Buckets, key: str) -> int:
    for number in range(1000):
        try:
            buckets.take(key)
        except TooManyError:
            return number
    raise AssertionError("the bucket has no end")


def waits(attempts: Attempts, name: str, address: str) -> float:
    """How long a sign-in has to wait; one that need not has failed."""
    try:
        attempts.begin(name, address)
    except TooManyError as error:
        return error.wait_s
    return 0.0


def test_waits_grow_with_each_failure_and_end_with_success() -> None:
    clock = ManualClock()
    attempts = Attempts(clock)
    found = []
    for _ in range(NAME_FREE + 4):
        found.append(waits(attempts, "anna", "10.0.0.1"))
        if found[-1]:
            clock.advance(found[-1])
            assert waits(attempts, "anna", "10.0.0.1") == 0
    assert found == [0.0] * NAME_FREE + [1.0, 2.0, 4.0, 8.0]
    clock.advance(16)
    attempts.begin("anna", "10.0.0.1")
    attempts.succeeded("anna", "10.0.0.1")
    assert waits(attempts, "anna", "10.0.0.1") == 0


def test_a_wait_has_an_end_and_is_forgotten_after_an_hour() -> None:
    clock = ManualClock()
    attempts = Attempts(clock)
    for _ in range(60):
        clock.advance(waits(attempts, "anna", "10.0.0.1"))
    assert waits(attempts, "anna", "10.0.0.1") <= WAIT_S_MAX
    clock.advance(3601)
    assert [waits(attempts, "anna", "10.0.0.1") for _ in range(NAME_FREE)] == [0.0] * NAME_FREE


def test_many_names_from_one_address_wait_as_well() -> None:
    attempts = Attempts(ManualClock())
    found = [waits(attempts, f"name{number}", "10.0.0.1") for number in range(ADDRESS_FREE + 2)]
    assert found[:ADDRESS_FREE] == [0.0] * ADDRESS_FREE
    assert found[-1] > 0
    assert waits(attempts, "name1", "10.0.0.2") == 0


def test_an_own_account_buys_no_guesses_at_others() -> None:
    attempts = Attempts(ManualClock())
    for number in range(ADDRESS_FREE - 1):
        attempts.begin(f"name{number}", "10.0.0.1")
        attempts.begin("mine", "10.0.0.1")
        attempts.succeeded("mine", "10.0.0.1")
    attempts.begin("last", "10.0.0.1")
    assert waits(attempts, "another", "10.0.0.1") > 0


def test_nobody_is_locked_out_by_others_who_fail_with_the_name() -> None:
    attempts = Attempts(ManualClock())
    attempts.begin("leitstelle", "10.0.0.1")
    attempts.succeeded("leitstelle", "10.0.0.1")
    for number in range(50):
        waits(attempts, "leitstelle", f"10.9.9.{number}")
    assert waits(attempts, "leitstelle", "10.0.0.2") > 0
    assert waits(attempts, "leitstelle", "10.0.0.1") == 0


@pytest.mark.parametrize(
    ("client", "told", "proxies", "expected"),
    [
        ("10.0.0.1", "", (), "10.0.0.1"),
        ("10.0.0.1", "1.2.3.4", (), "10.0.0.1"),
        ("10.0.0.1", "1.2.3.4", ("10.0.0.1",), "1.2.3.4"),
        ("10.0.0.1", "6.6.6.6, 1.2.3.4", ("10.0.0.1",), "1.2.3.4"),
        ("10.0.0.1", "6.6.6.6, 1.2.3.4, 10.0.0.2", ("10.0.0.1", "10.0.0.2"), "1.2.3.4"),
        ("10.0.0.1", "<script>", ("10.0.0.1",), "10.0.0.1"),
        ("10.0.0.1", " , ", ("10.0.0.1",), "10.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "", (), "2001:db8:1:2::/64"),
        ("::ffff:1.2.3.4", "", (), "1.2.3.4"),
        ("testclient", "", (), "testclient"),
    ],
)
def test_only_a_proxy_of_ours_tells_who_asks(client: str, told: str, proxies: tuple[str, ...], expected: str) -> None:
    assert address_of(client, {"x-forwarded-for": told}, proxies) == expected


SMALL = HttpSettings(token="t", guest_requests_per_s=1, guest_burst=3, account_requests_per_s=1, account_burst=5)


@pytest.fixture(scope="module")
def fed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FedCentre]:
    with fed_centre(tmp_path_factory.mktemp("limits"), Settings(http=SMALL)) as found:
        yield found


def client_of(
    fed: FedCentre, address: str = "127.0.0.1", dev: bool = False, proxies: tuple[str, ...] = ()
) -> TestClient:
    settings = replace(fed.settings, http=replace(SMALL, proxies=proxies))
    app = create_app(fed.parts(settings, dev))
    return TestClient(app, "http://127.0.0.1:8080", raise_server_exceptions=False, client=(address, 50000))


def statuses(client: TestClient, count: int, path: str = "/openapi.json", bearer: str = "") -> list[int]:
    headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
    return [client.get(path, headers=headers).status_code for _ in range(count)]


def test_too_many_requests_of_a_guest_are_a_problem_that_says_how_long_to_wait(fed: FedCentre) -> None:
    client = client_of(fed)
    assert statuses(client, 4) == [200, 200, 200, 429]
    answer = client.get("/api/v1/none")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    assert answer.headers["content-type"] == "application/problem+json"
    assert "too many requests at once" in answer.json()["detail"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    fed.clock.advance(2)
    assert statuses(client, 3) == [200, 200, 429]


def test_every_token_has_a_bucket_of_its_own_and_guessing_costs_the_address(fed: FedCentre) -> None:
    client = client_of(fed)
    first = fed.accounts.create_token("a", "yard", None, None, "test")[0]
    second = fed.accounts.create_token("b", "yard", None, None, "test")[0]
    assert statuses(client, 6, "/api/v1/devices", first) == [200] * 5 + [429]
    assert statuses(client, 6, "/api/v1/devices", second) == [200] * 5 + [429]
    assert statuses(client, 2, "/api/v1/devices", "guess") == [401, 429]
    assert statuses(client, 6, "/api/v1/devices", "t") == [200] * 5 + [429]


def test_health_and_dev_know_no_limit(fed: FedCentre) -> None:
    assert set(statuses(client_of(fed), 20, "/healthz")) == {200}
    assert set(statuses(client_of(fed, dev=True), 20)) == {200}


def test_behind_a_proxy_each_person_has_a_bucket(fed: FedCentre) -> None:
    client = client_of(fed, "10.0.0.1", proxies=("10.0.0.1",))
    for person in ("1.1.1.1", "2.2.2.2"):
        found = [
            client.get("/openapi.json", headers={"X-Forwarded-For": f"9.9.9.{number}, {person}"}).status_code
            for number in range(4)
        ]
        assert found == [200, 200, 200, 429]
