"""Presses of SOS buttons are for who answers them; everybody else gets answers as if there were none."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.discretion import findings_for
from api.who import Who
from core.kinds import KINDS
from rules.desk_cases import RULE as PRESS_RULE
from tests.api.conftest import client_of
from tests.api.pages.region import press, small_region
from tests.support.frames import T0, FedCentre, Said, make_frame

SENTENCE = "Presses of SOS buttons are for dispatchers and admins; you come in as "
REFUSED = [
    "/api/v1/readings?kind=sos",
    "/api/v1/readings?device_id=NAU-S1",
    "/api/v1/readings?device_id=NAU-S1&kind=lamp",
    "/api/v1/readings/count?kind=sos",
    "/api/v1/readings/count?device_id=NAU-S1",
    "/api/v1/export?kind=sos",
    "/api/v1/export?device_id=NAU-S1",
    "/api/v1/export?device_id=NAU-S1&kind=lamp",
]
READINGS_OF_ALL = 7 * 3 + 4  # of three lamps and four bays


class Asked:
    """The region after a press, asked by roles."""

    def __init__(self, fed: FedCentre, client: TestClient) -> None:
        self.fed = fed
        self.client = client
        rights = [(role, town) for role in ("technician", "yard", "dispatcher", "admin") for town in (None, "naunhof")]
        self.tokens = {one: fed.accounts.create_token("", *one, None, "test")[0] for one in rights}

    def get(self, role: str, path: str, town: str | None = None) -> Any:
        return self.client.get(path, headers={"Authorization": f"Bearer {self.tokens[role, town]}"})


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    with small_region(tmp_path_factory.mktemp("discretion")) as fed:
        heartbeat = Said("NAU-S1", 1, {"event": "heartbeat", "battery_pct": 87.0}, "sos", T0)
        fed.take(make_frame([heartbeat], first_seq=500))
        press(fed, 2)
        with client_of(fed, dev=False) as client:
            yield Asked(fed, client)


@pytest.mark.parametrize("path", REFUSED)
@pytest.mark.parametrize("role", ["technician", "yard"])
@pytest.mark.parametrize("town", [None, "naunhof"])
def test_who_answers_no_sos_may_not_ask_for_presses(asked: Asked, role: str, town: str | None, path: str) -> None:
    answer = asked.get(role, path, town)
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"].startswith(f"{SENTENCE}{role}.")
    assert asked.get("dispatcher", path, town if "device_id" in path else None).status_code == 200


def test_readings_of_all_kinds_leave_presses_out_on_every_page_and_in_every_key(asked: Asked) -> None:
    for limit in (1, 4, 1000):
        found: list[dict[str, Any]] = []
        keys: list[str] = []
        after = ""
        while True:
            page = asked.get("technician", f"/api/v1/readings?limit={limit}{after}").json()
            assert 0 < len(page["items"]) <= limit
            found += page["items"]
            if page["next"] is None:
                break
            keys.append(page["next"])
            after = f"&after={page['next']}"
        everything = asked.get("admin", "/api/v1/readings?limit=1000").json()["items"]
        assert found == [one for one in everything if one["kind"] != "sos"]
        assert len(found) == READINGS_OF_ALL
        assert not any("NAU-S1" in key for key in keys)
        assert sum(one["kind"] == "sos" for one in everything) == 2


def test_a_count_counts_what_the_pages_show(asked: Asked) -> None:
    assert asked.get("technician", "/api/v1/readings/count").json() == {"count": READINGS_OF_ALL}
    assert asked.get("dispatcher", "/api/v1/readings/count").json() == {"count": READINGS_OF_ALL + 2}
    by_kind = [asked.get("dispatcher", f"/api/v1/readings/count?kind={kind}").json()["count"] for kind in KINDS]
    assert sum(by_kind) == READINGS_OF_ALL + 2


def test_readings_of_another_device_are_as_before(asked: Asked) -> None:
    path = "/api/v1/readings?device_id=NAU-L1"
    assert asked.get("yard", path, "naunhof").json() == asked.get("admin", path).json()
    assert len(asked.get("yard", path, "naunhof").json()["items"]) == 7


def test_findings_leave_presses_out_on_every_page(asked: Asked) -> None:
    everything = asked.get("admin", "/api/v1/findings").json()["items"]
    assert everything[0]["rule"] == PRESS_RULE
    rest = [one for one in everything if one["rule"] != PRESS_RULE]
    assert rest
    for role in ("technician", "yard"):
        for query in ("", "?limit=1000", f"?limit={len(rest)}"):
            assert asked.get(role, f"/api/v1/findings{query}").json() == {"items": rest, "next": None}
        first = asked.get(role, "/api/v1/findings?limit=1").json()
        assert first["items"] == rest[:1]
        assert asked.get(role, "/api/v1/findings?subject=NAU-S1").json()["items"] == []


def test_findings_are_looked_for_behind_as_many_presses_as_there_are(asked: Asked) -> None:
    centre = asked.fed.parts(asked.fed.settings, dev=False)
    everything = centre.rules.findings.page()
    rest = [one for one in everything if one.rule != PRESS_RULE]
    assert (everything[0].rule, len(rest)) == (PRESS_RULE, len(everything) - 1)
    assert findings_for(centre, Who("", "technician", None, "bearer"), limit=1) == rest[:1]
    assert findings_for(centre, Who("", "technician", None, "bearer"), after=rest[-1].id) == []


def test_the_rule_of_presses_may_not_be_asked_for(asked: Asked) -> None:
    for role in ("technician", "yard"):
        answer = asked.get(role, f"/api/v1/findings?rule={PRESS_RULE}")
        assert (answer.status_code, answer.json()["detail"][: len(SENTENCE)]) == (403, SENTENCE)
    items = asked.get("admin", f"/api/v1/findings?rule={PRESS_RULE}").json()["items"]
    assert "NAU-S1" in {one["subject"] for one in items}


@pytest.mark.parametrize("role", ["technician", "yard"])
def test_the_page_of_a_button_tells_how_it_is_and_nothing_of_a_press(asked: Asked, role: str) -> None:
    text = asked.get(role, "/geraet/NAU-S1").text
    for shown in ("Notrufsäule Bahnhof", "in Ordnung", "zuletzt gemeldet", "Batteriestand", "87", "geo:51.283,12.592"):
        assert shown in text, shown
    for hidden in ("Ereignis", "Nummer des Drucks", "plot", "<table", "/api/v1/readings", "/api/v1/export"):
        assert hidden not in text, hidden
    assert "Keine bekannt." in text
    assert "Wann dieser Knopf gedrückt wurde, sieht die Notrufstelle." in text
    assert asked.get(role, "/geraet/NAU-S1?value=battery_pct").status_code == 400


@pytest.mark.parametrize("role", ["dispatcher", "admin"])
def test_the_page_of_a_button_tells_of_presses_to_who_answers_them(asked: Asked, role: str) -> None:
    text = asked.get(role, "/geraet/NAU-S1").text
    for shown in ("Ereignis", "Nummer des Drucks", "Batteriestand", "plot", "/api/v1/export?device_id=NAU-S1"):
        assert shown in text, shown
    assert "Keine bekannt." not in text


def test_what_a_button_said_while_it_was_one_is_a_press_whatever_it_is_now(asked: Asked) -> None:
    asked.fed.import_rows("device_id,kind,town\nNAU-S2,sos,naunhof\n")
    asked.fed.take(make_frame([Said("NAU-S2", 5, {"event": "press", "press_id": 5.0}, "sos")], first_seq=910))
    asked.fed.import_rows("device_id,kind,town\nNAU-S2,other,naunhof\n")
    path = "/api/v1/readings?device_id=NAU-S2"
    assert asked.get("technician", path).json() == {"items": [], "next": None}
    assert len(asked.get("dispatcher", path).json()["items"]) == 1
