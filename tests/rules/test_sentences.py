"""German sentences of findings: numbers as people write them, and every rule of the library reads as German."""

import re
from datetime import date
from math import nan

import pytest

from core.device import Device
from rules.edges import Opening
from rules.load import built_in, load_text
from rules.sentences import place_of, quantity, sentence_of, span_text, title_of
from rules.spec import Rule

SINCE_MS = 1_768_153_200_000  # Sunday, 11 January 2026, 18:40 in Berlin
RULES = built_in(date(2026, 1, 1)).rules
PLAUSIBLE = {
    "power_w": 1.24, "expected_w": 40.0, "reference_w": 38.6, "full_w": 40.0, "commanded_pct": 100.0,
    "profile_pct": 100.0, "dim_pct": 0.0, "sun_deg": 32.14, "tilt_change_deg": 12.53, "driver_temp_c": 86.3,
    "voltage_v": 198.4, "current_a": 0.154, "power_factor": 0.7312, "battery_pct": 14.0, "usual_stay_s": 18_720.0,
    "stay_s": 277_200.0, "frozen_s": 25_200.0, "misses": 6.0, "interval_s": 900.0, "members": 12.0, "total": 14.0,
    "value": 1.12, "lamp_failure": 0.0, "feed_w": 612.0, "lamps_w": 740.0, "voltage_l1_v": 181.2,
    "voltage_l2_v": 262.4, "voltage_l3_v": 259.1, "starts": 4.0, "miscount": 37.0, "miscount_sigma": 6.4,
}  # fmt: skip
SUBJECTS = {
    "circuit_down": "circuit:K-07/2",
    "phase_down": "phase:K-07/2/L1",
    "gateway_down": "gateway:gw-3",
    "silent_many": "platform",
    "neutral_break": "cabinet:K-07",
}
ENGLISH = re.compile(
    r"\b(the|is|and not|none|null|true|false|nan|inf|power|lamp_|device|since|silent)\b", re.IGNORECASE
)
LAMP = Device(device_id="BOR-L0012", kind="lamp", town="borsdorf", street="Hauptstraße", nominal_w=40)


def opening(rule: Rule, subject: str = LAMP.device_id, facts: dict[str, float] | None = None) -> Opening:
    members = tuple(f"BOR-L{n:04}" for n in range(12)) if ":" in subject or subject == "platform" else ()
    known = PLAUSIBLE | {name: param.value for name, param in rule.params.items()} if facts is None else facts
    return Opening(rule.name, subject, "1", 0, SINCE_MS, SINCE_MS + 2_400_000, known, members)


def rule_saying(sentence: str, more: str = "") -> Rule:
    text = f"""[rule.mine]
title_de = "Meine Regel"
kind = "state"
select = 'kind == "lamp"'
when = 'power_w < low_share * expected_w'
params = {{ low_share = 0.25, limit_v = 207 }}
sentence_de = "{sentence}"
{more}"""
    book = load_text(text, date(2026, 1, 1))
    assert book.problems == []
    return book.rules["mine"]


@pytest.mark.parametrize("name", sorted(RULES))
def test_every_rule_of_the_library_says_a_german_sentence(name: str) -> None:
    rule = RULES[name]
    kind = sorted(rule.device_kinds)[0] if len(rule.device_kinds) == 1 else "lamp"
    device = Device(device_id=LAMP.device_id, kind=kind, town="borsdorf", street="Hauptstraße")
    told = opening(rule, SUBJECTS.get(name, LAMP.device_id))
    title, said = title_of(rule, told, device), sentence_of(rule, told, device)
    assert said[0].isupper() and said.endswith(".")
    assert not ENGLISH.search(said), said
    assert "unbekannt" not in said, said
    assert not re.search(r"[{}]|\.\.|  |\d\.\d+ [WVA%]|\d (W|V|%) (W|V|%)", said), said
    assert "11.01., 18:40 Uhr" in said
    assert title.startswith(rule.title_de)
    if name != "silent_many":
        assert title.endswith((", Hauptstraße", "Strang 2", "Phase L1", "gw-3", "K-07"))


def test_numbers_have_a_comma_their_unit_and_no_more_digits_than_needed() -> None:
    assert quantity(35.24, "power_w", "W") == "35,2 W"
    assert quantity(40.0, "power_w", "W") == "40 W"
    assert quantity(1234.5, "power_l1_w", "W") == "1.234 W"
    assert quantity(230.04, "voltage_v", "V") == "230 V"
    assert quantity(206.6, "voltage_v", "V") == "206,6 V"
    assert quantity(0.154, "current_a", "A") == "0,15 A"
    assert quantity(80, "dim_pct", "%") == "80 %"
    assert quantity(-12.53, "tilt_change_deg", "°") == "−12,5°"
    assert quantity(0.25, "low_share", "") == "25 %"
    assert quantity(0.731, "power_factor", "") == "0,73"
    assert quantity(12_000, "stay_s", "s") == "3 Std. 20 Min."
    assert quantity(-0.01, "power_w", "W") == "0 W"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (1, "1 Sekunde"),
        (90, "90 Sekunden"),
        (900, "15 Minuten"),
        (3_600, "60 Minuten"),
        (12_000, "3 Std. 20 Min."),
        (86_400, "24 Stunden"),
        (172_800, "2 Tage"),
        (277_200, "3 Tage 5 Std."),
        (30 * 86_400, "30 Tage"),
        (nan, "unbekannt"),
    ],
)
def test_a_span_is_said_as_people_say_it(seconds: float, said: str) -> None:
    assert span_text(seconds) == said


def test_days_stand_in_the_dative_after_seit() -> None:
    rule = rule_saying("Seit {steady_s} so, erlaubt sind {switch_s}.")
    said = sentence_of(rule, opening(rule, facts={"steady_s": 259_200, "switch_s": 259_200}), LAMP)
    assert said.startswith("Seit 3 Tagen so, erlaubt sind 3 Tage. Seit So")


def test_what_nobody_knows_is_said_so_or_another_sentence_is_chosen() -> None:
    facts = {"power_w": nan}
    rule = rule_saying("Sie nimmt {power_w} auf, nicht {expected_w}.")
    assert sentence_of(rule, opening(rule, facts=facts), LAMP).startswith("Sie nimmt unbekannt auf, nicht unbekannt.")
    rule = rule_saying("Sie nimmt {power_w} auf. | Sie meldet selbst einen Fehler.")
    assert sentence_of(rule, opening(rule, facts=facts), LAMP).startswith("Sie meldet selbst einen Fehler. Seit ")
    assert sentence_of(rule, opening(rule), LAMP).startswith("Sie nimmt 1,2 W auf. Seit ")


def test_names_params_and_attributes_may_be_said() -> None:
    rule = rule_saying(
        "{name} in {street} mit {nominal_w}: unter {low_share}, Grenze {limit_v}, seit {since}, {lasted}."
    )
    assert sentence_of(rule, opening(rule, facts={}), LAMP) == (
        "Lampe BOR-L0012, Hauptstraße in Hauptstraße mit 40 W: unter 25 %, Grenze 207 V, "
        "seit So 11.01., 18:40 Uhr, 40 Minuten."
    )


def test_a_finding_on_a_line_says_how_many_and_gives_one_example() -> None:
    rule = rule_saying("Sie nimmt nur {power_w} auf.", 'group = { by = "circuit", min = 3, share = 0.5 }')
    assert sentence_of(rule, opening(rule, "circuit:K-07/2"), LAMP) == (
        "Betroffen sind 12 von 14 Lampen dieses Strangs. Zum Beispiel BOR-L0012: Sie nimmt nur 1,2 W auf. "
        "Seit So 11.01., 18:40 Uhr."
    )
    without = sentence_of(rule, opening(rule, "circuit:K-07/2", {"total": 14.0}), LAMP)
    assert without == "Betroffen sind 12 von 14 Lampen dieses Strangs. Seit So 11.01., 18:40 Uhr."


def test_a_place_is_told_by_its_name() -> None:
    assert place_of("phase:K-07/2/L1", None) == "Schaltschrank K-07, Strang 2, Phase L1"
    assert place_of("cabinet:K-07", None) == "Schaltschrank K-07"
    assert place_of("site:naunhof/markt", None) == "Platz markt"
    assert place_of("platform", None) == ""
    assert place_of("BOR-L9", None) == "BOR-L9"
    named = Device(device_id="N", kind="lamp", town="naunhof", name="Laterne am Rathaus", street="Markt")
    assert place_of("N", named) == "Laterne am Rathaus, Markt"
