"""The rules over HTTP: the list with broken ones, why one did or did not fire, and a changed number on the history."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from core.device import Device
from tests.api.conftest import client_of
from tests.support.frames import T0, FedCentre, Said, fed_centre, make_frame

MINUTE_MS = 60_000
BROKEN = """
[rule.too_hot]
title_de = "Zu heiß"
kind = "state"
select = 'kind == "lamp"'
when = 'driver_temp > 80'
"""
FAILING = """
[rule.failing]
title_de = "Rechnet sich nicht"
kind = "state"
select = 'kind == "lamp"'
when = 'power_w > 1000'
"""


@pytest.fixture(scope="module")
def fed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FedCentre]:
    """Two lamps over an evening: one went dark after an hour and has a ticket, the other burns at 35.2 W of 40."""
    folder = tmp_path_factory.mktemp("rules")
    (folder / "rules").mkdir()
    (folder / "rules" / "hot.toml").write_text(BROKEN, encoding="utf-8")
    with fed_centre(folder) as centre:
        lamp = {"kind": "lamp", "town": "naunhof", "nominal_w": 40.0, "interval_s": 900, "min_dim_pct": 10.0}
        centre.commission(
            Device(device_id="NAU-L1", **lamp),  # type: ignore[arg-type]  # fields by name
            Device(device_id="NAU-L2", **lamp),  # type: ignore[arg-type]
            Device(device_id="NAU-S1", kind="sos", town="naunhof"),
        )
        times = [T0 + (58 - 15 * (13 - at)) * MINUTE_MS for at in range(14)]
        said = [
            Said("NAU-L1", at, {"power_w": 40.0 if at < 5 else 0.5, "dim_pct": 100.0}, t_ms=t)
            for at, t in enumerate(times)
        ]
        said += [Said("NAU-L2", at, {"power_w": 35.2, "dim_pct": 100.0}, t_ms=t) for at, t in enumerate(times)]
        centre.take(make_frame(sorted(said, key=lambda one: one.t_ms)))
        centre.clock.ms += 10 * MINUTE_MS
        centre.rules.tick()
        yield centre


@pytest.fixture(scope="module")
def client(fed: FedCentre) -> Iterator[TestClient]:
    with client_of(fed) as found:
        yield found


def ask(client: TestClient, path: str) -> Any:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_list_has_every_rule_with_its_parameters_and_units(client: TestClient) -> None:
    items = {one["name"]: one for one in ask(client, "/api/v1/rules")["items"]}
    assert {"lamp_out", "silent", "circuit_down", "sos_press"} <= items.keys()
    low = items["voltage_low"]
    assert (low["state"], low["kind"], low["priority"], low["talq"]) == (
        "in_force",
        "state",
        "low",
        "supplyVoltageTooLow",
    )
    assert {"name": "limit_v", "value": 207.0, "unit": "V", "origin": "rule"}.items() <= low["params"][0].items()
    assert low["file"] == "rules/library/supply.toml"
    assert len(low["version"]) == 12


def test_a_broken_rule_is_in_the_list_with_its_place_and_its_remedy(client: TestClient) -> None:
    first = ask(client, "/api/v1/rules")["items"][0]
    assert (first["name"], first["state"], first["file"], first["line"]) == ("too_hot", "broken", "rules/hot.toml", 6)
    (problem,) = first["problems"]
    assert problem["what"] == "when: there is no driver_temp"
    assert problem["fix"] == "did you mean driver_temp_c?"
    refused = client.get("/api/v1/rules/too_hot/explain?device_id=NAU-L1")
    assert refused.status_code == 409
    assert "driver_temp" in refused.json()["detail"]


def test_a_rule_that_did_not_fire_is_explained_with_numbers(client: TestClient) -> None:
    found = ask(client, f"/api/v1/rules/lamp_out/explain?device_id=NAU-L2&at={T0 + 59 * MINUTE_MS}")
    assert found["verdict"] == "not_fired"
    assert (
        found["sentence_de"]
        == "Nicht ausgelöst: Um 19:58 Uhr nahm die Lampe 35,2 W auf; gemeldet wird erst bei weniger als 10 W."
    )
    when = next(one for one in found["sample"]["conditions"] if one["key"] == "when")
    assert when["term"]["parts"][0]["left"]["value"] == 35.2
    assert found["sample"]["t"] == "2026-01-10T18:58:00.000Z"
    assert {one["name"]: one["origin"] for one in found["params"]}["low_share"] == "rule"


def test_a_rule_that_fired_is_explained_too(client: TestClient, fed: FedCentre) -> None:
    found = ask(client, "/api/v1/rules/lamp_out/explain?device_id=NAU-L1")
    assert found["verdict"] == "open"
    (held,) = [one for one in fed.rules.findings.page(subject="NAU-L1") if one.rule == "lamp_out"]
    assert held.text_de in found["sentence_de"]


def test_what_is_not_there_is_refused_with_a_sentence(client: TestClient) -> None:
    for path, status in (
        ("lamp_uot/explain?device_id=NAU-L1", 404),
        ("lamp_out/explain?device_id=NAU-L99", 404),
        ("lamp_out/explain?device_id=NAU-L1&at=gestern", 400),
        ("lamp_out/explain", 400),
    ):
        answer = client.get(f"/api/v1/rules/{path}")
        assert answer.status_code == status, answer.text
        assert answer.json()["detail"]


def test_an_instant_ahead_is_taken_as_now(client: TestClient, fed: FedCentre) -> None:
    found = ask(client, "/api/v1/rules/silent/explain?device_id=NAU-L1&at=2999-01-01")
    assert found["at"][:16] == "2026-01-10T19:10"


def test_presses_are_explained_to_no_yard(fed: FedCentre) -> None:
    token, _ = fed.accounts.create_token("", "yard", None, None, "test")
    headers = {"Authorization": f"Bearer {token}"}
    with client_of(fed, dev=False) as guarded:
        refused = guarded.get("/api/v1/rules/sos_press/explain?device_id=NAU-S1", headers=headers)
        silent = guarded.get("/api/v1/rules/silent/explain?device_id=NAU-S1", headers=headers)
    assert (refused.status_code, silent.status_code) == (403, 200)


def test_a_preview_tells_what_another_number_would_have_found(client: TestClient) -> None:
    body = {"params": {"low_share": 0.9, "clear_share": 0.95}, "days": 1}
    answer = client.post("/api/v1/rules/lamp_out/preview", content=json.dumps(body))
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["counts"] == {"new": 1, "gone": 0, "moved": 0, "same": 1}
    assert [(one["rule"], one["subject"]) for one in found["new"]] == [("lamp_out", "NAU-L2")]
    assert found["before"] != found["after"]
    assert (found["devices"], found["devices_of"], found["readings"]) == (2, 2, 28)


def test_a_preview_of_fewer_findings(client: TestClient) -> None:
    answer = client.post("/api/v1/rules/lamp_out/preview", content=json.dumps({"params": {"low_share": 0.001}}))
    assert [one["subject"] for one in answer.json()["gone"]] == ["NAU-L1"]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ('{"params": {"low_shore": 1}}', "expected some of: low_share"),
        ('{"params": {"low_share": 1e12}}', "expected a number between"),
        ('{"days": 31}', "expected 1 to 30"),
        ('{"day": 3}', "can't be used"),
        ("[", "can't be used"),
    ],
)
def test_a_preview_of_nonsense_is_refused(client: TestClient, body: str, says: str) -> None:
    answer = client.post("/api/v1/rules/lamp_out/preview", content=body)
    assert answer.status_code == 400
    assert says in answer.json()["detail"]


def test_findings_tell_the_version_the_parameters_and_the_numbers_of_their_opening(client: TestClient) -> None:
    items = {one["name"]: one for one in ask(client, "/api/v1/rules")["items"]}
    (found,) = ask(client, "/api/v1/findings?rule=lamp_out")["items"]
    assert found["rule_version"] == items["lamp_out"]["version"]
    assert {"name": "low_share", "value": 0.25, "unit": "", "origin": "rule"} in found["params"]
    assert found["facts"]["power_w"] == 0.5
