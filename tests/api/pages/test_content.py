"""What pages tell: free bays with their age, tickets with their reason, cases in their order, and what forms do."""

import re

import pytest
from fastapi.testclient import TestClient

from tests.api.pages.conftest import As
from tests.api.pages.region import MIN_MS, press
from tests.support.frames import FedCentre

PAGE = {"Sec-Fetch-Site": "same-origin", "Origin": "http://127.0.0.1:8080"}


def flat(text: str) -> str:
    """The words of a page."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))


def send(client: TestClient, page: str, path: str, **fields: str) -> tuple[int, str]:
    """Send a form of `page`; status, and where it leads or what it says."""
    found = re.search(r'name="csrf" value="(\w+)"', client.get(page).text)
    assert found is not None
    answer = client.post(path, data={"csrf": found[1], **fields}, headers=PAGE)
    return answer.status_code, answer.headers.get("location", "") or flat(answer.text)


def test_parking_says_what_is_free_and_how_old_that_is(public: TestClient) -> None:
    said = flat(public.get("/parken").text)
    assert "1 von 3 frei, vor 3 min" in said
    assert "Menschen mit Behinderung: 1 von 1 frei" in said
    assert "kostenlos · immer offen · höchstens 2 Stunden" in said
    assert said.index("Keine aktuellen Daten") > said.index("Am Markt")
    assert "20 Plätze, noch nie gemeldet" in said
    assert 'href="geo:51.278,12.587"' in public.get("/parken").text


def test_the_start_page_counts_lamps_honestly(public: TestClient) -> None:
    said = flat(public.get("/").text)
    assert "4 Straßenlampen , 2 brennen gerade. 1 ist gestört, 1 noch nie." in said
    assert "Auf 1 von 1 Parkplatz ist Platz" in said


def test_the_map_and_its_list_show_the_same(public: TestClient, signed_in: As) -> None:
    data = public.get("/karte/geraete.json?kind=lamp").json()
    assert (len(data["lat"]), len(data["condition"]), "id" in data) == (4, 4, False)
    assert data["condition"][0] == "1"
    said = flat(public.get("/karte?kind=lamp").text)
    assert "4 Geräte" in said
    assert said.index("Lange Straße, Mast 14") < said.index("Lange Straße, Mast 12")
    assert "/geraet/" not in public.get("/karte").text
    assert signed_in("technician").get("/karte/geraete.json?kind=cabinet").json()["id"] == ["NAU-C1"]
    assert public.get("/karte/geraete.json?kind=cabinet").status_code == 400


def test_people_of_one_town_get_details_of_that_town_only(signed_in: As) -> None:
    client = signed_in("yard-brandis")
    assert client.get("/geraet/NAU-L1").status_code == 403
    assert client.get("/bauhof/1").status_code == 403
    assert "Lampe dunkel" not in flat(client.get("/bauhof").text)
    assert set(client.get("/karte/geraete.json?kind=lamp").json()["id"]) == {"BRA-L2", ""}


def test_a_ticket_tells_where_since_when_and_how_we_know(signed_in: As) -> None:
    text = signed_in("technician").get("/bauhof/1").text
    said = flat(text)
    assert "Lange Straße, Mast 14" in said
    assert re.search(r"Seit (einer Stunde|\d\d Minuten) \(Sa 10\.01\., \d\d:\d\d Uhr\)", said)
    assert "0,5 W" in said
    assert 'class="plot__mark"' in text
    assert "Nennleistung: 40 W" in said and "Leistung in W" in said
    assert "Bearbeiten kann diesen Auftrag der Bauhof" in said
    assert '<button class="button button--big"' not in text


def test_a_ticket_goes_its_way_with_forms(signed_in: As) -> None:
    client = signed_in("yard")
    assert send(client, "/bauhof/1", "/bauhof/1/accept", note="mache ich") == (303, "/bauhof/1?did=accept")
    after = flat(client.get("/bauhof/1?did=accept").text)
    assert "„Erledigt“ heißt: Die Lampe ist repariert." in after
    assert "Gespeichert: angenommen." in after
    assert "mache ich" in after
    assert "In Arbeit 1" in flat(client.get("/bauhof").text)
    status, said = send(client, "/bauhof/1", "/bauhof/1/accept")
    assert (status, "hat sich inzwischen geändert" in said) == (409, True)
    status, said = send(client, "/bauhof/1", "/bauhof/1/false_alarm")
    assert (status, "schreiben Sie in die Notiz" in said) == (400, True)
    assert send(client, "/bauhof/1", "/bauhof/1/done")[0] == 303
    assert send(client, "/bauhof/1", "/bauhof/1/explode")[0] == 400
    assert client.get("/bauhof/77").status_code == 404


def test_a_form_without_the_sign_of_our_page_changes_nothing(signed_in: As) -> None:
    client = signed_in("yard")
    answer = client.post("/bauhof/1/reopen", data={"note": "x"}, headers=PAGE)
    assert answer.status_code == 403
    assert "laden Sie sie neu" in flat(answer.text)


def test_the_filters_of_the_board_narrow_it(signed_in: As) -> None:
    client = signed_in("admin")
    assert "Lange Straße" in flat(client.get("/bauhof?town=naunhof&kind=lamp&priority=normal").text)
    assert "Lange Straße" not in flat(client.get("/bauhof?town=brandis").text)
    assert "Lange Straße" not in flat(client.get("/bauhof?priority=immediate").text)


def test_a_case_is_answered_step_by_step(region: FedCentre, signed_in: As) -> None:
    client = signed_in("dispatcher")
    assert "Kein unbeantworteter Notruf" in flat(client.get("/notruf").text)
    press(region, 1)
    text = client.get("/notruf").text
    assert "1 Notruf wartet" in flat(text)
    assert "Notrufsäule Bahnhof" in flat(text)
    assert "Bei Gefahr 112" in flat(text)
    case = region.rules.cases.page(state="open")[0][0].id
    assert send(client, "/notruf", f"/notruf/{case}/accept") == (303, f"/notruf?did=accept#fall-{case}")
    assert send(client, "/notruf", f"/notruf/{case}/callback", note="erreicht")[0] == 303
    assert send(client, "/notruf", f"/notruf/{case}/informed")[0] == 303
    status, said = send(client, "/notruf", f"/notruf/{case}/close")
    assert (status, "fehlt der Grund" in said) == (400, True)
    assert send(client, "/notruf", f"/notruf/{case}/close", cause="false")[0] == 303
    assert "Übernommen von" not in flat(client.get("/notruf/liste").text)
    assert "Fehlalarm" in flat(client.get("/notruf/liste").text)


def test_a_test_and_a_late_press_are_marked(region: FedCentre, signed_in: As) -> None:
    press(region, 2, "test", region.clock.now_ms() - 30 * MIN_MS)
    said = flat(signed_in("dispatcher").get("/notruf").text)
    assert "TEST" in said
    assert "SPÄT EINGETROFFEN" in said


def test_without_javascript_the_queue_reloads_only_when_asked_to(signed_in: As) -> None:
    client = signed_in("dispatcher")
    assert "refresh" not in client.get("/notruf").headers
    assert client.get("/notruf?reload=10").headers["refresh"] == "10; url=/notruf?reload=10"
    assert client.get("/notruf?reload=1").status_code == 400
    assert "erneuert sich nicht von selbst" in client.get("/notruf").text


@pytest.mark.parametrize("query", ["", "?span=7d", "?value=voltage_v"])
def test_a_device_shows_its_values_with_unit_and_age(signed_in: As, query: str) -> None:
    text = signed_in("admin").get(f"/geraet/NAU-L1{query}").text
    assert "231,5 V" in flat(text)
    assert "Gemessen vor 15 Minuten" in flat(text)
    assert re.search(r'<path class="plot__line" d="M\d+ \d+L', text)


def test_a_device_that_never_spoke_says_so(signed_in: As) -> None:
    said = flat(signed_in("admin").get("/geraet/NAU-L4").text)
    assert "hat sich noch nie gemeldet" in said
    assert "Noch keine Kurve" in said


def test_sign_in_keeps_the_name_and_where_to_go(public: TestClient) -> None:
    assert 'name="weiter" value="/bauhof"' in public.get("/anmelden?weiter=/bauhof").text
    assert 'name="weiter" value="/"' in public.get("/anmelden?weiter=//evil.example").text
    wrong = public.post("/anmelden", data={"name": '"><b>anna', "password": "x", "weiter": "/bauhof"})
    assert wrong.status_code == 401
    assert 'value="&#34;&gt;&lt;b&gt;anna"' in wrong.text
    assert 'name="weiter" value="/bauhof"' in wrong.text
