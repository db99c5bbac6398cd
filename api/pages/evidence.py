"""What findings and explanations name, in German: values, parameters; and which rules one may ask about on a device."""

from __future__ import annotations

from api.centre import Centre
from api.discretion import sees_presses
from api.pages.vocabulary import value_name, value_words
from api.who import Who
from core.device import Device
from core.german import local
from core.kinds import VALUES
from core.reading import Scalar
from rules.evaluate import selects
from rules.expression import Name, walk
from rules.sentences import UNKNOWN, quantity
from rules.spec import Rule
from rules.vocabulary import ATTRIBUTES, DERIVED

PARAM_WORDS = {
    "low_share": "Anteil, der zu wenig ist",
    "high_share": "Anteil, der zu viel ist",
    "clear_share": "Anteil, ab dem es wieder gut ist",
    "limit_v": "Grenze der Spannung",
    "clear_v": "wieder gut ab Spannung",
    "limit_c": "Grenze der Temperatur",
    "clear_c": "wieder gut bei Temperatur",
    "limit_pct": "Grenze",
    "clear_pct": "wieder gut ab",
    "limit_deg": "Grenze der Neigung, sofort",
    "lean_deg": "Grenze der Neigung, auf Dauer",
    "clear_deg": "wieder gut bei Neigung",
    "warm_up_s": "Zeit zum Hochlaufen",
    "grey_s": "Abstand zum Schalten",
    "standstill_s": "Stillstand der Messwerte, ab dem nichts gilt",
    "supply_v": "Spannung, mit der die Versorgung steht",
    "dead_v": "Spannung, unter der keine da ist",
    "day_deg": "Sonnenhöhe, ab der es Tag ist",
    "night_deg": "Sonnenhöhe, unter der es Nacht ist",
    "false_per_year": "falsche Meldungen je Gerät und Jahr",
    "misses_min": "fehlende Meldungen, mindestens",
    "misses_max": "fehlende Meldungen, höchstens",
    "members_min": "Geräte, mindestens",
    "members_share": "Anteil der Geräte",
    "burning_share": "Anteil, ab dem die Lampe brennt",
    "drift_share": "Abweichung, die zu groß ist",
    "least_w": "Abweichung in Watt, mindestens",
    "weak_share": "Anteil, unter dem die Lampe schwach ist",
    "strong_share": "Anteil, über dem sie zu viel nimmt",
    "judged_pct": "Dimmstufe, ab der beurteilt wird",
    "often": "zu oft",
    "seldom": "wieder selten genug",
    "long_s": "zu lange belegt",
    "free_s": "zu lange frei",
    "lively": "Wechsel daneben, ab denen dort etwas los ist",
    "alone": "so viel länger ohne Stellplätze daneben",
    "sure": "Beweis, der genügt",
    "calm": "Beweis, unter dem Ruhe ist",
    "share": "Anteil, der belegt wird",
    "more": "Anteil über dem Üblichen",
    "cold_c": "Temperatur, unter der es schneit",
    "turn": "Anteil, der wieder frei wird",
    "few": "Anteil, der wieder wenig ist",
    "worth_w": "Leistung, ab der beurteilt wird",
    "lit_share": "Anteil, der brennen soll",
    "burned_share": "Anteil, den die Lampe nach dem Zähler brannte",
    "high_v": "zu viel Spannung",
    "low_v": "zu wenig Spannung",
    "apart_v": "Unterschied der Phasen",
    "level_v": "wieder gut bei Unterschied der Phasen",
    "apart_pct": "Unterschied, der nichts sagt",
    "wrong_pct": "Unterschied im Mittel einer Nacht",
    "right_pct": "wieder gut bei Unterschied",
    "least_cars": "falsch gezählte Autos, mindestens",
    "sure_times": "das Wievielfache des Zufalls, ab dem es keiner mehr ist",
    "calm_times": "das Wievielfache des Zufalls, ab dem es wieder gut ist",
}


def param_german(name: str) -> str:
    """What a parameter is called on pages: its own words, without the unit at their end."""
    return PARAM_WORDS.get(name, name)


def evidence_name(kind: str, name: str) -> str:
    """What a value that a finding rests on is called: a reported one, one that follows, or one of the inventory."""
    if name in VALUES.get(kind, {}):
        return value_name(kind, name)
    if name in DERIVED:
        return DERIVED[name].german
    if name == "value":
        return "Mittel der Nacht"
    return ATTRIBUTES[name].german if name in ATTRIBUTES else name


def evidence_words(kind: str, name: str, value: Scalar) -> str:
    """The same as a number with its unit."""
    if name in VALUES.get(kind, {}):
        return value_words(kind, name, value)
    known = DERIVED.get(name) or ATTRIBUTES.get(name)
    if isinstance(value, str):
        return value or UNKNOWN
    return quantity(float(value), name, known.unit if known is not None else "")


def judged_by(rule: Rule) -> list[str]:
    """The names that decide whether a rule fires, as its condition names them."""
    trees = [tree for tree in (rule.when, rule.value) if tree is not None]
    return [*rule.values, *(one.name for tree in trees for one in walk(tree) if isinstance(one, Name))]


def rules_of(centre: Centre, who: Who, device: Device) -> dict[str, str]:
    """{name: title} of the rules that look at a device, and that this person may ask about."""
    found = {
        one.name: one.title_de
        for one in centre.rules.book.rules.values()
        if device.kind in one.device_kinds and selects(one.select, device) and (not one.event or sees_presses(who))
    }
    return dict(sorted(found.items(), key=lambda pair: pair[1]))


def input_time(ms: int) -> str:
    """What a field for date and time takes: `2026-01-10T18:40`, by the towns' clock."""
    return local(ms).strftime("%Y-%m-%dT%H:%M")
