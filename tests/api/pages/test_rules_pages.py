"""The rules for people: all in plain German, a threshold tried before it goes live, and why one did or did not fire."""

import re
from datetime import date
from pathlib import Path

import pytest

from api.pages.evidence import judged_by, param_german
from rules.load import built_in
from tests.api.conftest import client_of
from tests.api.pages.conftest import As
from tests.api.pages.test_pages import check
from tests.support.frames import FedCentre, fed_centre

CLOSED = ["/regeln", "/regeln/lamp_out", "/geraet/NAU-L3/warum"]


def csrf_of(text: str) -> str:
    found = re.search(r'name="csrf" value="(\w+)"', text)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("path", CLOSED)
def test_who_works_on_tickets_reads_the_rules_and_no_other_does(signed_in: As, path: str) -> None:
    for role in ("yard", "technician", "admin"):
        check(signed_in(role), path)
    assert signed_in("dispatcher").get(path).status_code == 403


def test_the_list_says_in_german_what_each_rule_looks_for_and_how_long(signed_in: As) -> None:
    text = check(signed_in("yard"), "/regeln")
    assert "Lampen · Löst aus, wenn gilt: Leistung unter 25 % × erwartete Leistung" in text
    assert "Dauer: 25 Minuten lang, in 3 Messwerten in Folge." in text
    assert "Gestört" not in text
    assert 'href="/regeln/voltage_low"' in text


def test_a_rule_shows_its_numbers_with_units_and_the_form_only_to_who_may_try(signed_in: As) -> None:
    yard = check(signed_in("yard"), "/regeln/voltage_low")
    assert "Schwelle ausprobieren" not in yard
    assert "207 V" in yard
    admin = check(signed_in("admin"), "/regeln/lamp_out")
    assert 'name="p_low_share" value="25"' in admin
    assert "Anteil, der zu wenig ist (%)" in admin
    assert "Notruf" in check(signed_in("admin"), "/regeln/sos_press")


def test_a_threshold_is_tried_on_the_history_and_the_lines_to_keep_it_are_shown(signed_in: As) -> None:
    client = signed_in("admin")
    form = {"csrf": csrf_of(check(client, "/regeln/lamp_out")), "p_low_share": "0,5", "days": "30"}
    answer = client.post("/regeln/lamp_out", data=form)
    assert answer.status_code == 200, answer.text
    assert "Anteil, der zu wenig ist: 0 % statt 25 %" in answer.text or "1 % statt 25 %" in answer.text
    assert "Weggefallen: 1" in answer.text
    assert "Leuchte 3" in answer.text
    assert "low_share = 0.005" in answer.text
    assert "[rule.lamp_out]" in answer.text
    assert "Noch gilt nichts davon." in answer.text


@pytest.mark.parametrize(
    ("typed", "says"),
    [("viel", "„viel“ bei „Anteil, der zu wenig ist“ ist keine Zahl"), ("25", "mindestens eine Zahl")],
)
def test_what_can_not_be_tried_is_said_and_the_form_keeps_what_was_typed(signed_in: As, typed: str, says: str) -> None:
    client = signed_in("admin")
    form = {"csrf": csrf_of(check(client, "/regeln/lamp_out")), "p_low_share": typed}
    answer = client.post("/regeln/lamp_out", data=form)
    assert answer.status_code == 400
    assert says in answer.text
    assert f'name="p_low_share" value="{typed}"' in answer.text


def test_only_the_administration_may_try(signed_in: As) -> None:
    assert signed_in("yard").post("/regeln/lamp_out", data={"p_low_share": "50"}).status_code == 403


def test_a_rule_that_is_not_there_is_said(signed_in: As) -> None:
    answer = signed_in("yard").get("/regeln/nothing")
    assert answer.status_code == 404
    assert "Diese Regel gibt es nicht" in answer.text


def test_a_device_says_why_a_rule_did_not_fire(signed_in: As) -> None:
    client = signed_in("yard")
    assert 'action="/geraet/NAU-L1/warum"' in check(client, "/geraet/NAU-L1")
    text = check(client, "/geraet/NAU-L1/warum?rule=lamp_out&at=2026-01-10T19:50")
    assert "Nicht ausgelöst: Um 19:47 Uhr nahm die Lampe 40 W auf; gemeldet wird erst bei weniger als 10 W." in text
    assert "befohlene Dimmstufe 100 %, verlangt ist mindestens 10 %" in text
    assert "power_w &lt; low_share * expected_w" in text


def test_and_why_one_did(signed_in: As) -> None:
    text = check(signed_in("yard"), "/geraet/NAU-L3/warum?rule=lamp_out")
    assert "Ausgelöst (gemeldet" in text


@pytest.mark.parametrize(("query", "status"), [("rule=bay_stuck", 400), ("rule=lamp_out&at=gestern", 400)])
def test_a_question_without_sense_is_refused_in_german(signed_in: As, query: str, status: int) -> None:
    answer = signed_in("yard").get(f"/geraet/NAU-L1/warum?{query}")
    assert answer.status_code == status
    assert "„" in answer.text


def test_a_device_of_another_town_is_not_explained(signed_in: As) -> None:
    assert signed_in("yard").get("/geraet/BRA-L2/warum").status_code == 403
    assert check(signed_in("yard-brandis"), "/geraet/BRA-L2/warum")


def test_a_ticket_says_by_which_version_and_numbers_it_was_found(signed_in: As, region: FedCentre) -> None:
    text = check(signed_in("yard"), "/bauhof/1")
    rule = region.rules.book.rules["lamp_out"]
    assert f"Fassung {rule.version}" in text
    assert "<td>Anteil, der zu wenig ist</td><td>25 %</td><td>Regel</td>" in text
    assert "<td>erwartete Leistung</td><td>40 W</td>" in text
    assert "inzwischen gilt eine andere" not in text


def test_a_broken_rule_stands_on_top_with_place_and_remedy(tmp_path: Path) -> None:
    folder = tmp_path / "rules"
    folder.mkdir()
    broken = (
        "[rule.too_hot]\ntitle_de = 'Zu heiß'\nkind = 'state'\nselect = 'kind == \"lamp\"'\nwhen = 'driver_temp > 8'\n"
    )
    (folder / "hot.toml").write_text(broken, encoding="utf-8")
    (folder / "no.toml").write_text("[rule", encoding="utf-8")
    with fed_centre(tmp_path) as centre, client_of(centre) as client:
        text = check(client, "/regeln")
        assert "rules/hot.toml, Zeile 5, Spalte 9:" in text
        assert "did you mean driver_temp_c?" in text
        assert "rules/no.toml" in text
        assert text.index("too_hot") < text.index("In Kraft")


def test_every_number_of_a_rule_that_is_shipped_has_a_german_name() -> None:
    names = {name for rule in built_in(date(2026, 1, 10)).rules.values() for name in rule.params}
    assert {name for name in names if param_german(name) == name} == set()


@pytest.mark.parametrize(
    ("rule", "first"), [("lamp_out", "power_w"), ("pf_low", "power_factor"), ("frozen", "voltage_v"), ("silent", None)]
)
def test_a_ticket_draws_what_its_rule_judges_by(rule: str, first: str | None) -> None:
    assert next(iter(judged_by(built_in(date(2026, 1, 10)).rules[rule])), None) == first
