"""Ledger, gateways, quarantine and proof over HTTP."""

import base64

import pytest
from fastapi.testclient import TestClient

import api.ledger
from tests.support.frames import FedCentre


def test_the_ledger_says_what_is_here(client: TestClient) -> None:
    body = client.get("/api/v1/ledger").json()
    assert body["gateways"] == [
        {"id": "gw1", "epoch": 1, "first_seq": 1, "last_seq": 57, "missing": [], "duplicates": 0}
    ]
    assert body["totals"] == {"received": 57, "journaled": 54, "accepted": 53, "duplicates": 1, "quarantined": 3}
    assert (body["journal_head"], body["device"]) == (57, None)


def test_the_ledger_counts_one_device(client: TestClient) -> None:
    assert client.get("/api/v1/ledger?device_id=NAU-L1").json()["device"] == {
        "device_id": "NAU-L1",
        "heard": 50,
        "lost": 0,
        "repeats": 1,
        "boots": 1,
        "last_t": "2026-01-10T18:00:49.000Z",
    }
    assert client.get("/api/v1/ledger?device_id=BRA-L2").json()["device"] is None
    assert client.get("/api/v1/ledger?device_id=NOBODY").status_code == 404
    assert client.get("/api/v1/ledger?device_id=no%20id").status_code == 400


def test_a_gateway_may_say_what_it_wants(centre: FedCentre, client: TestClient) -> None:
    body = client.get("/api/v1/gateways").json()
    assert body["items"] == [
        {
            "id": "gw1",
            "last_heard": "2026-01-10T18:00:00.000Z",
            "epoch": 1,
            "lag_s": 1.5,
            "waiting_frames": 2,
            "waiting_bytes": None,
            "hours_left": None,
            "oldest": None,
            "full": False,
            "held": 57,
        }
    ]
    assert body["silent"] == []


def test_a_gateway_that_was_not_heard_is_silent(centre: FedCentre, client: TestClient) -> None:
    said = centre.ingest.gateways.pop("gw1")
    try:
        assert client.get("/api/v1/gateways").json() == {"items": [], "silent": ["gw1"]}
    finally:
        centre.ingest.gateways["gw1"] = said


def test_the_quarantine_shows_what_why_and_how_often(client: TestClient) -> None:
    body = client.get("/api/v1/quarantine").json()
    assert body["counts"] == {"no_text": 1, "not_json": 1, "unknown_device": 1}
    assert [item["code"] for item in body["items"]] == ["no_text", "not_json", "unknown_device"]
    binary, text, unknown = body["items"]
    assert (base64.b64decode(binary["raw"]), binary["raw_encoding"]) == (b"\xff\xfe", "base64")
    assert (text["raw"], text["raw_encoding"]) == ('{"t":', "text")
    assert text["received"] == "2026-01-10T18:00:00.000Z"
    assert unknown["reason"] == "'WHO' is in no inventory: commission it, or import it"
    assert [(one["device_id"], one["count"]) for one in body["heard"]] == [("WHO", 1)]
    assert body["next"] is None


def test_pages_of_the_quarantine_go_back_in_time(client: TestClient) -> None:
    first = client.get("/api/v1/quarantine?limit=2").json()
    assert [item["code"] for item in first["items"]] == ["no_text", "not_json"]
    last = client.get(f"/api/v1/quarantine?limit=2&before={first['next']}").json()
    assert [item["code"] for item in last["items"]] == ["unknown_device"]
    assert last["next"] is None


def test_a_page_of_long_messages_ends_earlier_and_goes_on(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api.ledger, "RAW_BYTES_MAX", 1)
    codes, before = [], ""
    for _ in range(3):
        body = client.get(f"/api/v1/quarantine?limit=2{before}").json()
        codes += [item["code"] for item in body["items"]]
        before = f"&before={body['next']}"
    assert codes == ["no_text", "not_json", "unknown_device"]
    assert before == "&before=None"


def test_the_quarantine_of_one_device(client: TestClient) -> None:
    body = client.get("/api/v1/quarantine?device_id=NAU-L1").json()
    assert [item["code"] for item in body["items"]] == ["no_text"]


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("limit=0", "limit is '0'; expected at least 1."),
        ("limit=1001", "limit is '1001'; expected at most 1000."),
        ("before=x", "before is 'x'; expected"),
        ("before=9223372036854775808", "expected at most 9223372036854775807."),
        ("device_id=%3Cscript%3E", "expected 1 to 64"),
    ],
)
def test_a_bad_question_to_the_quarantine_gets_a_sentence(client: TestClient, query: str, sentence: str) -> None:
    answer = client.get(f"/api/v1/quarantine?{query}")
    assert answer.status_code == 400
    assert sentence in answer.json()["detail"]


@pytest.mark.parametrize("deep", ["false", "true"])
def test_the_proof_has_the_contracts_form(client: TestClient, deep: str) -> None:
    body = client.get(f"/api/v1/verify?deep={deep}").json()
    assert (body["ok"], body["problems"]) == (True, [])
    assert (body["received"], body["journaled"], body["quarantined"]) == (57, 54, 3)
    assert body["stored"] == {"duckdb": 53}
    assert (body["tickets_duplicated"], body["audit_ok"]) == (0, True)
    assert body["rules_position"] == body["journal_head"]
    assert body["gateways"] == client.get("/api/v1/ledger").json()["gateways"]
    assert ("1 blocks of the journal were read again" in body["notes"]) is (deep == "true")
