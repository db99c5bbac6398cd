"""Readings over HTTP: pages, counts, files, and what happens to a bad question."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from ingest.duck import DuckStore
from ingest.readings_csv import CHUNK_ROWS
from ingest.store import Query, StoreAway, StoredReading
from rules.tables import audit_table
from tests.api.conftest import client_of
from tests.support.frames import T0, FedCentre, fed_centre, lamps, make_frame


def problem(client: TestClient, path: str, status: int = 400) -> str:
    """The sentence of a problem, whose form is checked."""
    answer = client.get(path)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert {"type", "title", "status", "detail", "instance"} <= body.keys()
    assert body["status"] == status
    return str(body["detail"])


def rows_of(client: TestClient, path: str) -> list[dict[str, str]]:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.text)))


def test_a_reading_has_everything_a_program_needs(client: TestClient) -> None:
    body = client.get("/api/v1/readings", params={"device_id": "NAU-B1"}).json()
    assert body == {
        "items": [
            {
                "device_id": "NAU-B1",
                "kind": "parking",
                "t": "2026-01-10T18:00:00.000Z",
                "received": "2026-01-10T18:00:00.250Z",
                "boot": 1,
                "seq": 1,
                "quality": "good",
                "values": {"occupied": True, "battery_pct": 80.0, "gateway": "=cmd"},
            }
        ],
        "next": None,
    }


def test_pages_hold_each_reading_once(client: TestClient) -> None:
    seqs: list[int] = []
    after: str | None = ""
    while after is not None:
        parameters = {"device_id": "NAU-L1", "limit": "7"} | ({"after": after} if after else {})
        body = client.get("/api/v1/readings", params=parameters).json()
        seqs += [item["seq"] for item in body["items"]]
        after = body["next"]
    assert seqs == list(range(50))


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", 53),
        ("kind=lamp", 50),
        ("device_id=NAU-B1", 1),
        ("device_id=NAU-B1&kind=lamp", 0),
        ("device_id=NOBODY", 0),
        (f"kind=lamp&from={T0 + 10_000}", 40),
        (f"kind=lamp&to={T0 + 10_000}", 10),
        ("kind=lamp&from=2026-01-10T18:00:10Z&to=2026-01-10T18:00:20Z", 10),
        ("kind=lamp&from=2026-01-10T19:00:10%2B01:00", 40),
        ("kind=lamp&from=0001-01-01&to=9999-12-31", 50),
        ("kind=lamp&from=-99999999999999999999&to=99999999999999999999", 50),
    ],
)
def test_a_count_counts_what_a_page_shows(client: TestClient, query: str, count: int) -> None:
    assert client.get(f"/api/v1/readings/count?{query}").json() == {"count": count}
    assert len(client.get(f"/api/v1/readings?{query}").json()["items"]) == count


@pytest.mark.parametrize("path", ["/api/v1/readings", "/api/v1/readings/count", "/api/v1/export"])
@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("kind=lamb", "kind is 'lamb'; expected one of lamp, cabinet, parking"),
        ("device_id=a/b", "device_id is 'a/b'; expected 1 to 64 of the characters A-Z a-z 0-9 _ -"),
        ("device_id=", "device_id is ''; expected 1 to 64"),
        ("device_id=NAU%0A", "expected 1 to 64"),
        ("device_id=" + "x" * 65, "expected 1 to 64"),
        ("device_id=%00%ff%27%22;--", "expected 1 to 64"),
        ("from=yesterday", "from is 'yesterday', which is no instant; expected e.g. 2026-01-10T18:00:00Z"),
        ("to=--5", "to is '--5', which is no instant"),
        ("from=" + "9" * 5000, "from is '9999"),
        ("from=0001-01-01T00:00:00%2B23:59", None),
        ("from=20&to=10", "from '20' is after to '10'; exchange them."),
        ("form=20", "There is no parameter 'form' here; expected some of"),
        ("kind=lamp&kind=sos", "kind is given more than once; expected it once."),
    ],
)
def test_a_bad_question_gets_a_sentence(client: TestClient, path: str, query: str, sentence: str | None) -> None:
    if sentence is None:
        assert client.get(f"{path}?kind=lamp&{query}").status_code == 200
    else:
        assert sentence in problem(client, f"{path}?{query}")


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("limit=0", "limit is '0'; expected at least 1."),
        ("limit=10001", "limit is '10001'; expected at most 10000."),
        ("limit=ten", "limit is 'ten'; expected a valid integer"),
        ("limit=1e3", "limit is '1e3'; expected"),
        ("after=abc", "after is 'abc'; expected the `next` of the page before."),
        ("after=1.a.x.1", "expected the `next` of the page before."),
        ("after=99999999999999999999.a.1.1", "expected the `next` of the page before."),
        ("after=9999999999999999999.a.1.1", "expected the `next` of the page before."),
        ("after=" + "1" * 300, "after is '1111"),
    ],
)
def test_a_bad_page_gets_a_sentence(client: TestClient, query: str, sentence: str) -> None:
    assert sentence in problem(client, f"/api/v1/readings?{query}")


odd = st.text(max_size=30) | st.sampled_from(["lamp", "NAU-L1", "5", "1768068000000", "1.a.1.1", "csv", "other"])
names = st.sampled_from(["device_id", "kind", "from", "to", "limit", "after", "format"]) | st.text(max_size=8)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from(["readings", "readings/count", "export", "devices", "ledger", "quarantine", "gateways"]),
    query=st.dictionaries(names, odd, max_size=4),
)
def test_no_question_is_ever_our_mistake(client: TestClient, path: str, query: dict[str, str]) -> None:
    answer = client.get(f"/api/v1/{path}", params=query)
    assert answer.status_code in (200, 400, 404), answer.text


def test_a_file_has_the_contracts_columns(client: TestClient) -> None:
    rows = rows_of(client, "/api/v1/export?kind=lamp")
    assert list(rows[0])[:5] == ["device_id", "t", "received", "power_w", "voltage_v"]
    assert len(rows) == 50
    assert rows[1]["device_id"] == "NAU-L1"
    assert rows[1]["t"] == "2026-01-10T18:00:01.000Z"
    assert (rows[1]["power_w"], rows[1]["voltage_v"], rows[1]["lamp_failure"]) == ("31.0", "", "")


def test_a_file_writes_flags_as_words_and_no_formulas(client: TestClient) -> None:
    (row,) = rows_of(client, "/api/v1/export?device_id=NAU-B1&format=csv")
    assert (row["occupied"], row["gateway"]) == ("true", "'=cmd")


def test_a_file_of_an_open_kind_has_the_names_that_its_devices_made_up(client: TestClient) -> None:
    rows = rows_of(client, "/api/v1/export?kind=other")
    assert list(rows[0])[-2:] == ["'=wind", "soil"]
    assert [(row["soil"], row["'=wind"]) for row in rows] == [("0.5", ""), ("", "3.0")]


def test_a_file_without_readings_has_a_header(client: TestClient) -> None:
    answer = client.get("/api/v1/export?kind=sos")
    assert answer.text.startswith("device_id,t,received,event,press_id")
    assert answer.text.count("\n") == 1


@pytest.mark.parametrize(
    ("query", "status", "sentence"),
    [
        ("", 400, "A file needs a kind"),
        ("device_id=NOBODY", 404, "There is no device 'NOBODY' in the inventory"),
        ("kind=lamp&format=parquet", 400, "format is 'parquet'; expected csv."),
    ],
)
def test_a_file_that_nobody_can_write_gets_a_sentence(
    client: TestClient, query: str, status: int, sentence: str
) -> None:
    assert sentence in problem(client, f"/api/v1/export?{query}", status)


@pytest.fixture
def many(tmp_path: Path) -> Iterator[FedCentre]:
    with fed_centre(tmp_path) as fed:
        fed.take(make_frame(lamps(2 * CHUNK_ROWS + 1)))
        yield fed


def test_a_long_file_is_whole(many: FedCentre) -> None:
    with client_of(many) as client:
        rows = rows_of(client, "/api/v1/export?kind=lamp")
    assert [float(row["power_w"]) for row in rows] == [30.0 + seq for seq in range(2 * CHUNK_ROWS + 1)]


def exports(fed: FedCentre) -> list[tuple[str, ...]]:
    own = audit_table.c
    with fed.database.read() as connection:
        rows = connection.execute(select(own.by, own.object, own.detail).where(own.action == "readings exported"))
        return [tuple(row) for row in rows]


def test_a_file_is_a_row_of_the_audit_and_a_head_or_a_refusal_is_none(many: FedCentre) -> None:
    count = 2 * CHUNK_ROWS + 1
    with client_of(many) as client:
        assert client.head("/api/v1/export?kind=lamp").status_code == 200
        assert client.get("/api/v1/export?kind=lamb").status_code == 400
        assert exports(many) == []
        client.get("/api/v1/export?kind=lamp")
        client.get(f"/api/v1/export?device_id=NAU-L1&to={T0 + 10_000}")
    assert exports(many) == [
        ("dev", "all devices", f"{count} readings of kind lamp"),
        ("dev", "device NAU-L1", "10 readings of kind lamp from the first to 2026-01-10T18:00:10.000Z"),
    ]


class AwayStore(DuckStore):
    """A store that does not answer, and would tell an address."""

    def page(self, query: Query) -> Any:
        raise StoreAway("nobody at http://secret:8086", 7.0)

    def count(self, query: Query) -> int:
        raise StoreAway("nobody at http://secret:8086", 7.0)

    def scan(self, query: Query) -> Iterator[StoredReading]:
        raise StoreAway("nobody at http://secret:8086", 7.0)


@pytest.mark.parametrize("path", ["readings", "readings/count", "export?kind=lamp", "export?kind=other"])
def test_a_store_that_is_away_is_said_without_its_address(centre: FedCentre, path: str) -> None:
    store = centre.store
    try:
        centre.store = AwayStore(store.path)
        with client_of(centre) as client:
            answer = client.get(f"/api/v1/{path}")
    finally:
        centre.store = store
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "7"
    assert answer.json()["detail"].startswith("The store can't answer now; nothing is lost")
    assert "secret" not in answer.text
