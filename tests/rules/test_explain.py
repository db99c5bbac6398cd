"""Why a rule did or did not fire: each verdict with its sentence and numbers, as the real judges came to it."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date

import pytest

from core.device import Device
from ingest.store import StoredReading
from rules.backtest import Table, backtest
from rules.company import company_of, only
from rules.explain import explain
from rules.explanation import Explanation, Term
from rules.history import columns_of_readings
from rules.load import built_in, over_library
from rules.parse import parse
from rules.repairs import Works
from rules.source_text import source_of
from rules.spec import Override
from rules.windows import Window
from tests.rules.town import MINUTE_MS, T0, Said, lamp, lamp_series, snapshot

RULES = built_in(date(2026, 1, 10)).rules
LAMP, WITNESS = lamp(1), lamp(2)
STEP_MS = 15 * MINUTE_MS


def table(said: Iterable[Said]) -> Table:
    """As a store has them."""
    found = columns_of_readings(
        StoredReading(one.device_id, one.kind, one.t_ms, one.t_ms + one.late_ms, 1, 1, "ok", dict(one.values))
        for one in said
    )
    return Table(found.device_ids, found.device, found.t_ms, found.received_ms, found.values, found.texts)


def ask(
    name: str,
    watts: Sequence[float | None],
    step: int,
    device: Device = LAMP,
    windows: Sequence[Window] = (),
    steps: int = 0,
) -> Explanation:
    """What `name` made of a lamp half a minute after a step; beside it a lamp that burns all the time."""
    witness = lamp_series(WITNESS.device_id, [40.0] * max(len(watts), steps))
    said = [*lamp_series(device.device_id, watts), *witness]
    at_ms = T0 + step * STEP_MS + 30_000
    return explain(
        RULES[name], device.device_id, snapshot([device, WITNESS]), table(said), at_ms, RULES, Works(windows)
    )


def test_what_was_well_is_told_with_the_value_and_the_limit() -> None:
    found = ask("lamp_out", [40, 40, 35.2], 2)
    assert found.verdict == "not_fired"
    assert (
        found.sentence_de
        == "Nicht ausgelöst: Um 19:30 Uhr nahm die Lampe 35,2 W auf; gemeldet wird erst bei weniger als 10 W."
    )
    assert found.sample is not None
    assert (found.sample.t_ms, found.sample.age_s) == (T0 + 2 * STEP_MS, 30.0)
    when = next(one.term for one in found.sample.conditions if one.key == "when")
    (leaf,) = [part for part in _leaves(when) if part.text.startswith("power_w")]
    assert (leaf.truth, leaf.operator) == ("false", "<")
    assert {one.name: (one.german, one.words) for one in leaf.values} == {
        "power_w": ("Leistung", "35,2 W"),
        "low_share": ("low_share", "25 %"),
        "expected_w": ("erwartete Leistung", "40 W"),
    }


def _leaves(term: Term) -> list[Term]:
    return [term] if not term.parts else [leaf for part in term.parts for leaf in _leaves(part)]


def test_a_run_that_is_too_short_says_how_much_of_how_much() -> None:
    found = ask("lamp_out", [40, 40, 40, 0.5, 0.5, 0.5], 4)
    assert found.verdict == "not_yet"
    assert found.sentence_de.startswith("Noch nicht: erst 2 von 5 Messwerten, seit 15 von 74 Minuten (seit ")
    assert found.run is not None
    assert (found.run.since_ms, found.run.samples, found.run.lasted_s) == (T0 + 3 * STEP_MS, 2, 900.0)


def test_what_fired_has_the_words_of_its_finding_and_since_when() -> None:
    found = ask("lamp_out", [40, 40, 40] + [0.5] * 8, 9)
    assert found.verdict == "open"
    assert "nimmt 0,5 W auf; zu erwarten sind 40 W." in found.sentence_de
    assert found.open is not None
    assert found.open.since_ms == T0 + 3 * STEP_MS


def test_what_a_gate_keeps_out_is_not_judged_and_says_by_what() -> None:
    found = ask("day_burner", [40, 40], 1)
    assert (found.verdict, found.run) == ("not_judged", None)
    assert found.sentence_de == "Nicht beurteilt (19:15 Uhr): Sonnenhöhe −25,8°, verlangt ist mehr als 3°."


def test_a_value_that_nobody_reported_is_unknown_and_not_zero() -> None:
    found = ask("voltage_low", [40, 40], 1)
    assert found.verdict == "not_judged"
    assert "Nicht gemeldet hat das Gerät: Spannung." in found.sentence_de


def test_what_explains_it_suppresses_it() -> None:
    again = [0.5 if at % 2 else 40.0 for at in range(8)] + [0.5] * 6
    found = ask("lamp_out", again, 13)
    assert found.verdict == "inhibited"
    assert found.sentence_de.startswith("Unterdrückt durch „Flackert“")
    assert [one.rule for one in found.inhibited_by] == ["cycling"]


def test_announced_work_mutes_and_names_its_reason() -> None:
    window = Window("*", T0, T0 + 40 * STEP_MS, "Mastwechsel")
    found = ask("lamp_out", [0.5] * 9, 8, windows=[window])
    assert (found.verdict, found.window) == ("in_window", "Mastwechsel")
    assert "Arbeiten angekündigt (Mastwechsel)" in found.sentence_de


def test_a_device_that_is_not_in_service_or_not_selected_says_so() -> None:
    assert ask("lamp_out", [0.5] * 9, 8, replace(LAMP, stage="maintenance")).verdict == "out_of_service"
    assert ask("bay_stuck", [0.5] * 9, 8).verdict == "not_selected"


def test_without_a_sample_nothing_is_judged() -> None:
    assert ask("lamp_out", [], 8, steps=9).verdict == "no_sample"
    nothing = explain(RULES["lamp_out"], LAMP.device_id, snapshot([LAMP]), table([]), T0, RULES)
    assert (nothing.verdict, nothing.readings, nothing.from_ms) == ("no_sample", 0, None)


def test_what_came_later_than_the_instant_is_not_known_yet() -> None:
    late = Said(LAMP.device_id, T0 + STEP_MS, {"power_w": 0.5, "dim_pct": 100.0}, late_ms=STEP_MS)
    said = [*lamp_series(LAMP.device_id, [40.0]), late]
    found = explain(RULES["lamp_out"], LAMP.device_id, snapshot([LAMP]), table(said), T0 + STEP_MS + 30_000, RULES)
    assert found.sample is not None
    assert found.sample.t_ms == T0


def test_a_silent_device_says_when_it_was_heard_and_how_many_may_be_missing() -> None:
    found = ask("silent", [40, 40, 40], 5, steps=6)
    assert found.verdict == "not_yet"
    assert found.silence is not None
    assert (found.silence.heard_ms, found.silence.missed) == (T0 + 2 * STEP_MS, 3.0)
    assert (
        f"seither fehlen 3 Meldungen. Gemeldet wird erst, wenn mehr als {found.silence.allowed:g} in"
        in found.sentence_de
    )
    assert ask("silent", [40] * 90, 3).verdict == "not_fired"
    gone = ask("silent", [40, 40, 40], 89, steps=90)
    assert (gone.verdict, gone.open is not None) == ("open", True)


def test_a_device_on_a_line_that_is_cut_is_explained_by_the_line() -> None:
    members = [lamp(number, cabinet="C1", circuit="1") for number in range(1, 6)]
    said = [one for each in members for one in lamp_series(each.device_id, [40.0] * 3)]
    said += lamp_series("NAU-L00009", [40.0] * 30)
    known, at_ms = snapshot([*members, lamp(9)]), T0 + 25 * STEP_MS
    silent = explain(RULES["silent"], members[0].device_id, known, table(said), at_ms, RULES)
    assert (silent.verdict, silent.silence and silent.silence.explained_by) == ("inhibited", "circuit:C1/1")
    down = explain(RULES["circuit_down"], members[0].device_id, known, table(said), at_ms, RULES)
    assert down.verdict == "in_line"
    assert "Ausgelöst als Teil von „Schaltschrank C1, Strang 1“" in down.sentence_de
    before = explain(RULES["circuit_down"], members[0].device_id, known, table(said), T0 + 3 * STEP_MS, RULES)
    assert before.verdict == "not_fired"
    assert "Von 5 Lampen schweigen 0; gemeldet wird erst, wenn 3 zugleich verstummen" in before.sentence_de


def test_parameters_tell_where_they_come_from() -> None:
    override = Override("model", "LED-40", {"low_share": 0.9}, "R. Vogt", "dims far down")
    rule = replace(RULES["lamp_out"], overrides=(override,))
    device = replace(LAMP, model="LED-40")
    said = table(lamp_series(device.device_id, [35.2] * 2))
    found = explain(rule, device.device_id, snapshot([device]), said, T0 + STEP_MS + 30_000, RULES)
    origins = {one.name: (one.value, one.origin) for one in found.params}
    assert origins["low_share"] == (0.9, "model LED-40 (R. Vogt)")
    assert origins["clear_share"] == (0.6, "rule")
    assert found.verdict == "not_yet"


@pytest.mark.parametrize("name", sorted(RULES))
def test_every_rule_explains_every_kind_of_device_in_german(name: str) -> None:
    devices = [
        LAMP,
        Device(device_id="B1", kind="parking", town="naunhof", interval_s=3600),
        Device(device_id="S1", kind="sos", town="naunhof", interval_s=3600),
    ]
    said = [
        *lamp_series(LAMP.device_id, [40.0] * 8),
        *(Said("B1", T0 + hour * 4 * STEP_MS, {"occupied": True, "battery_pct": 80.0}, "parking") for hour in range(2)),
        Said("S1", T0, {"event": "test", "battery_pct": 50.0}, "sos"),
    ]
    for device in devices:
        at_ms = T0 + 7 * STEP_MS + 30_000
        found = explain(RULES[name], device.device_id, snapshot(devices), table(said), at_ms, RULES)
        assert found.sentence_de.endswith((".", ")")), found.sentence_de
        assert found.as_json()["at"] == "2026-01-10T19:45:30.000Z"


@pytest.mark.parametrize("step", range(0, 14))
def test_it_says_open_exactly_when_a_backtest_does(step: int) -> None:
    watts = [40.0] * 3 + [0.5] * 6 + [40.0] * 5
    at_ms = T0 + step * STEP_MS + 70_000
    said = [*lamp_series(LAMP.device_id, watts), *lamp_series(WITNESS.device_id, [40.0] * 14)]
    known = snapshot([LAMP, WITNESS])
    found = [
        one for one in backtest(known, table(said), RULES, until_ms=at_ms) if one.opening.subject == LAMP.device_id
    ]
    is_open = any(one.opening.rule == "lamp_out" and one.closed_ms is None for one in found)
    assert (explain(RULES["lamp_out"], LAMP.device_id, known, table(said), at_ms, RULES).open is not None) == is_open


def test_company_is_who_hangs_on_the_same_line_then_others_of_the_town() -> None:
    own = [lamp(number, cabinet="C1", circuit="1", phase="L1" if number % 2 else "L2") for number in range(1, 5)]
    other = [lamp(8, cabinet="C2", circuit="1"), Device(device_id="AAA", kind="lamp", town="brandis")]
    known = snapshot([*own, *other])
    assert company_of(known, own[0].device_id, 4) == [
        "NAU-L00001", "NAU-L00003", "NAU-L00002", "NAU-L00004",
    ]  # fmt: skip
    assert company_of(known, own[0].device_id, 99)[-2:] == ["NAU-L00008", "AAA"]
    assert set(only(known, ["AAA", "nobody"]).devices) == {"AAA"}


@pytest.mark.parametrize(
    "text",
    [
        "power_w < low_share * expected_w or lamp_failure == 1",
        "not (power_w > 3 and (dim_pct < 10 or dim_pct > 90))",
        "abs(tilt_deg - 3) > -2 * (power_w + 1) / 4",
        'changes(occupied, "10m") > 6',
        "power_w - (voltage_v - 2) - 1 > first(rate(energy_wh), 0)",
    ],
)
def test_a_tree_is_written_as_it_was_read(text: str) -> None:
    assert source_of(parse(text)) == text


def test_a_tree_of_every_rule_that_is_shipped_can_be_written_and_read_again() -> None:
    for rule in RULES.values():
        for tree in (rule.select, rule.where, rule.when, rule.clear, rule.value):
            if tree is not None:
                again = source_of(parse(source_of(tree)))
                assert again == source_of(tree)


def test_a_rule_of_ones_own_stands_over_those_that_are_shipped() -> None:
    text = "[rule.silent]\ntitle_de = 'Still'\nkind = 'event'\nselect = 'kind == \"sos\"'\nevent = 'test'\n"
    assert over_library(text, date(2026, 1, 1)).rules["silent"].title_de == "Still"
