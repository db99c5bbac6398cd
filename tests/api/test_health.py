"""Whether it lives, whether it is ready, and its figures."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from tests.api.conftest import TOKEN, client_of
from tests.support.frames import FedCentre, fed_centre


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[FedCentre]:
    with fed_centre(tmp_path) as fed:
        for session in fed.ingest.sessions.values():
            session.ready.set()
        yield fed


@pytest.fixture
def asking(fresh: FedCentre) -> Iterator[TestClient]:
    with client_of(fresh, dev=False) as found:
        yield found


def reasons(client: TestClient) -> list[str]:
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    found: list[str] = answer.json()["reasons"]
    return found


def test_a_centre_that_takes_readings_is_ready(asking: TestClient) -> None:
    answer = asking.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"ready": True, "notes": []})
    assert asking.get("/healthz").json() == {"alive": True}


def test_a_subscription_that_does_not_stand_is_a_reason(fresh: FedCentre, asking: TestClient) -> None:
    fresh.ingest.sessions["sos"].ready.clear()
    assert reasons(asking) == ["The broker did not take the subscription of the lane sos yet."]
    assert asking.get("/healthz").status_code == 200


def test_a_full_journal_is_a_reason(fresh: FedCentre, asking: TestClient) -> None:
    fresh.ingest.accepts["telemetry"].full = True
    assert reasons(asking)[0].startswith("There is no room for the journal; free disk space")


def test_a_part_that_failed_is_a_reason(fresh: FedCentre, asking: TestClient) -> None:
    fresh.ingest.failed.set()
    assert reasons(asking) == ["A part of the centre failed; the process ends and is started anew."]


def test_a_writer_that_stands_still_is_a_reason(fresh: FedCentre, asking: TestClient) -> None:
    fresh.ingest.writers[0].stop()
    assert reasons(asking) == ["The writer of the store duckdb stands still."]


def test_a_store_that_is_away_is_said_and_its_address_only_to_whom_it_concerns(
    fresh: FedCentre, asking: TestClient
) -> None:
    (writer,) = fresh.ingest.writers
    writer._state = replace(writer.state(), trouble="nobody at http://store:8086", since_ms=1)
    assert asking.get("/readyz").json()["notes"] == ["The store duckdb is away, its readings wait in the journal."]
    told = asking.get("/readyz", headers={"Authorization": f"Bearer {TOKEN}"}).json()["notes"]
    assert told == ["The store duckdb is away, its readings wait in the journal: nobody at http://store:8086."]


def test_a_store_that_is_not_open_yet_is_a_reason(fresh: FedCentre, asking: TestClient) -> None:
    (writer,) = fresh.ingest.writers
    writer._state = replace(writer.state(), position=None)
    assert reasons(asking) == ["The store duckdb is being opened."]


def figures(client: TestClient) -> dict[str, float]:
    answer = client.get("/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=")
    lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}


def test_the_figures_tell_the_whole_path(client: TestClient) -> None:
    found = figures(client)
    assert found['partheland_records_total{verdict="accepted"}'] == 53
    assert found['partheland_records_total{verdict="duplicate"}'] == 1
    assert found['partheland_records_total{verdict="unknown_device"}'] == 1
    assert found['partheland_quarantined_total{code="not_json"}'] == 1
    assert (found["partheland_journal_head_position"], found["partheland_journal_tail_position"]) == (57, 0)
    assert (found["partheland_journal_segments"], found["partheland_missing_records"]) == (1, 0)
    assert found["partheland_journal_bytes"] > 0
    assert found['partheland_consumer_position{consumer="duckdb"}'] == 57
    assert found['partheland_consumer_lag_records{consumer="quarantine"}'] == 0
    assert found['partheland_store_writing{store="duckdb"}'] == 1
    assert found['partheland_gateway_lag_seconds{gateway="gw1"}'] == 1.5
    assert found['partheland_gateway_waiting_frames{gateway="gw1"}'] == 2
    assert found['partheland_gateway_last_heard_timestamp_seconds{gateway="gw1"}'] == 1_768_068_000
    assert 'partheland_gateway_hours_left{gateway="gw1"}' not in found
    assert found['partheland_damaged_messages_total{lane="telemetry"}'] == 0
    assert found["process_resident_memory_bytes"] > 0
    assert found["process_cpu_seconds_total"] > 0


def test_requests_are_counted_by_route_never_by_what_people_type(client: TestClient) -> None:
    asked = 'partheland_http_requests_total{method="GET",route="/api/v1/devices/{device_id}",status="404"}'
    before = figures(client).get(asked, 0)
    client.get("/api/v1/devices/GHOST-1")
    client.get("/api/v1/devices/GHOST-2")
    client.get("/ghost")
    client.request("BREW", "/healthz")
    found = figures(client)
    assert found[asked] - before == 2
    assert found['partheland_http_requests_total{method="GET",route="unmatched",status="404"}'] >= 1
    assert not any("GHOST" in name or "BREW" in name for name in found)
