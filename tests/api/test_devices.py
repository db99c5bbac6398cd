"""The inventory over HTTP: devices with their counters, import with its problems, export."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from rules.audit import broken_at
from rules.tables import audit_table
from tests.api.conftest import client_of
from tests.support.frames import FedCentre, Said, fed_centre, make_frame

DEVICES = "device_id,kind,town\nMAC-L1,lamp,machern\nMAC-L2,lamp,machern\n"


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[FedCentre]:
    with fed_centre(tmp_path) as fed:
        yield fed


@pytest.fixture
def asking(fresh: FedCentre) -> Iterator[TestClient]:
    with client_of(fresh) as found:
        yield found


def ids(client: TestClient, query: str = "") -> list[str]:
    answer = client.get(f"/api/v1/devices{query}")
    assert answer.status_code == 200, answer.text
    return [item["device_id"] for item in answer.json()["items"]]


def test_devices_are_filtered(client: TestClient) -> None:
    assert ids(client) == ["BRA-L2", "NAU-B1", "NAU-L1", "X-1"]
    assert ids(client, "?town=brandis") == ["BRA-L2"]
    assert ids(client, "?kind=lamp&town=naunhof") == ["NAU-L1"]
    assert ids(client, "?stage=installed") == ["BRA-L2"]
    assert ids(client, "?town=borsdorf") == []


def test_pages_of_devices_hold_each_once(client: TestClient) -> None:
    first = client.get("/api/v1/devices?limit=3").json()
    assert [item["device_id"] for item in first["items"]] == ["BRA-L2", "NAU-B1", "NAU-L1"]
    last = client.get(f"/api/v1/devices?limit=3&after={first['next']}").json()
    assert [item["device_id"] for item in last["items"]] == ["X-1"]
    assert last["next"] is None


def test_a_device_knows_what_its_counters_say(client: TestClient) -> None:
    body = client.get("/api/v1/devices/NAU-L1").json()
    assert (body["device_id"], body["kind"], body["town"], body["stage"]) == ("NAU-L1", "lamp", "naunhof", "live")
    assert (body["heard"], body["lost"], body["repeats"], body["boots"]) == (50, 0, 1, 1)
    assert body["last_heard"] == "2026-01-10T18:00:49.250Z"  # when it was received, not what its clock said
    assert body["nominal_w"] is None


def test_a_device_that_was_never_heard_has_no_counters(client: TestClient) -> None:
    body = client.get("/api/v1/devices/BRA-L2").json()
    assert (body["heard"], body["lost"], body["last_heard"]) == (None, None, None)


@pytest.mark.parametrize(
    ("path", "status", "sentence"),
    [
        ("/NOBODY", 404, "There is no device 'NOBODY' in the inventory"),
        ("/a%20b", 400, "device_id is 'a b'; expected 1 to 64"),
        ("/%00", 400, "expected 1 to 64"),
        ("/" + "x" * 3000, 400, "expected 1 to 64"),
        ("/%27%20OR%201=1", 400, "expected 1 to 64"),
        ("?town=leipzig", 400, "town is 'leipzig'; expected one of belgershain, borsdorf"),
        ("?stage=lost", 400, "stage is 'lost'; expected one of planned"),
        ("?kind=lamb", 400, "kind is 'lamb'; expected one of lamp"),
        ("?limit=1001", 400, "limit is '1001'; expected at most 1000."),
        ("?after=..", 400, "after is '..'; expected 1 to 64"),
        ("?offset=5", 400, "There is no parameter 'offset' here"),
    ],
)
def test_a_bad_question_for_devices_gets_a_sentence(client: TestClient, path: str, status: int, sentence: str) -> None:
    answer = client.get(f"/api/v1/devices{path}")
    assert answer.status_code == status, answer.text
    assert sentence in answer.json()["detail"]


def test_an_import_says_what_it_did_and_is_known_at_once(fresh: FedCentre, asking: TestClient) -> None:
    assert asking.post("/api/v1/inventory", content=DEVICES).json() == {
        "new": 2,
        "changed": 0,
        "unchanged": 0,
        "version": 2,
        "problems": [],
    }
    changed = asking.post("/api/v1/inventory", content=DEVICES.replace("L2,lamp", "L2,parking")).json()
    assert (changed["new"], changed["changed"], changed["unchanged"]) == (0, 1, 1)
    assert fresh.ingest.commissioned.kind_of("MAC-L2") == "parking"


def audited(fed: FedCentre) -> list[tuple[str, ...]]:
    own = audit_table.c
    with fed.database.read() as connection:
        rows = connection.execute(select(own.by, own.action, own.object, own.detail).order_by(own.id))
        return [tuple(row) for row in rows]


def test_an_import_is_a_row_of_the_audit_and_one_that_did_not_happen_is_none(
    fresh: FedCentre, asking: TestClient
) -> None:
    assert asking.post("/api/v1/inventory", content=DEVICES + "MAC-L3,lamp,leipzig\n").status_code == 400
    assert audited(fresh) == []
    asking.post("/api/v1/inventory?accept_valid=true", content=DEVICES + "MAC-L3,lamp,leipzig\n")
    asking.post("/api/v1/inventory", content="site,town,name\nmarkt,naunhof,Am Markt\n")
    assert audited(fresh) == [
        ("dev", "inventory imported", "inventory 2", "devices: 2 new, 0 changed, 0 unchanged, 1 problems left out"),
        ("dev", "inventory imported", "inventory 3", "sites: 1 new, 0 changed, 0 unchanged"),
    ]
    with fresh.database.read() as connection:
        assert broken_at(connection) is None


def test_a_lamp_that_needs_more_dimmed_than_at_full_power_is_a_problem(asking: TestClient) -> None:
    answer = asking.post("/api/v1/inventory", content="device_id,kind,town,nominal_w,min_w\nM1,lamp,machern,40,60\n")
    assert answer.status_code == 400
    assert answer.json()["problems"] == [
        {"line": 2, "column": "min_w", "reason": "'60' is more than nominal_w, which is 40; expected that at most"}
    ]


def test_a_device_that_is_commissioned_is_no_stranger_any_more(fresh: FedCentre, asking: TestClient) -> None:
    fresh.take(make_frame([Said("MAC-L1", 1, {"power_w": 1.0}), Said("MAC-L9", 1, {"power_w": 1.0})]))
    asking.post("/api/v1/inventory", content=DEVICES)
    heard = asking.get("/api/v1/quarantine").json()["heard"]
    assert [one["device_id"] for one in heard] == ["MAC-L9"]


def test_wrong_rows_stop_an_import_and_are_named(fresh: FedCentre, asking: TestClient) -> None:
    text = DEVICES + "MAC-L3,lamp,leipzig\n,lamp,machern\n"
    answer = asking.post("/api/v1/inventory", content=text)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["detail"].startswith("Nothing was imported: 2 problems, 2 rows are right; accept_valid=true imports")
    assert [(one["line"], one["column"]) for one in body["problems"]] == [(4, "town"), (5, "device_id")]
    assert fresh.inventory.device("MAC-L1") is None


def test_the_right_rows_are_imported_when_the_person_says_so(fresh: FedCentre, asking: TestClient) -> None:
    text = DEVICES + "MAC-L3,lamp,leipzig\n"
    body = asking.post("/api/v1/inventory?accept_valid=true", content=text).json()
    assert (body["new"], body["problems"][0]["line"]) == (2, 4)
    assert fresh.inventory.device("MAC-L1") is not None


def test_sites_are_told_from_devices_by_their_header(asking: TestClient) -> None:
    body = asking.post("/api/v1/inventory", content="site,town,name,capacity\nmarkt,naunhof,Am Markt,40\n").json()
    assert body["new"] == 1
    assert "markt,naunhof,Am Markt" in asking.get("/api/v1/sites.csv").text


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "the file is empty; expected a header line"),
        (b"\xff\xfe\x00", "The file can't be read: line 1 is not UTF-8"),
        (b"a,b\n1,2\n", "is no column of the inventory"),
        (b'{"device_id": 5}', "is missing; this column must be there"),
        (b"device_id,kind,town\n\x00,lamp,machern\n", "Nothing was imported"),
        (b'device_id,kind,town\n"open,lamp,machern\n', "Nothing was imported"),
    ],
)
def test_a_file_that_is_none_is_refused(asking: TestClient, content: bytes, sentence: str) -> None:
    for query in ("", "?accept_valid=true"):
        answer = asking.post(f"/api/v1/inventory{query}", content=content)
        assert answer.status_code == 400
        assert sentence in answer.json()["detail"]


def test_a_radio_that_another_device_has_is_a_problem(asking: TestClient) -> None:
    header = "device_id,kind,town,device_type,dev_eui\n"
    assert asking.post("/api/v1/inventory", content=header + "M1,lamp,machern,,0011223344556677\n").status_code == 200
    answer = asking.post("/api/v1/inventory", content=header + "M2,lamp,machern,,0011223344556677\n")
    assert answer.status_code == 400
    assert answer.json()["problems"][0]["column"] == "dev_eui"


def test_what_is_exported_can_be_imported(asking: TestClient) -> None:
    asking.post("/api/v1/inventory", content=DEVICES)
    exported = asking.get("/api/v1/inventory.csv")
    assert exported.headers["content-type"].startswith("text/csv")
    again = asking.post("/api/v1/inventory", content=exported.content).json()
    assert (again["new"], again["changed"], again["unchanged"]) == (0, 0, 4)


def test_accept_valid_must_be_yes_or_no(asking: TestClient) -> None:
    answer = asking.post("/api/v1/inventory?accept_valid=maybe", content=DEVICES)
    assert answer.status_code == 400
    assert "accept_valid is 'maybe'" in answer.json()["detail"]
