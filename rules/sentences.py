"""The German sentences of findings: a rule's own words with the numbers of what was found, as people say them.

A rule file writes `{power_w}` and the like; the unit comes with the number, so it must not be written again. Several
sentences may stand there with ` | ` between: the first of which everything is known is said, else the last.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from string import Formatter

from core.device import Device
from core.german import counted, moment, number
from core.kinds import KIND_GERMAN, VALUES
from rules.edges import Opening
from rules.expression import ExpressionError
from rules.spec import Rule
from rules.units import check_number, scope_of, unit_of_name
from rules.vocabulary import ATTRIBUTES, DERIVED

UNKNOWN = "unbekannt"
OTHERWISE = " | "
MANY = {
    "lamp": ("Lampen", "Lampen"),
    "cabinet": ("Schaltschränke", "Schaltschränken"),
    "parking": ("Stellplätze", "Stellplätzen"),
    "counter": ("Zählschranken", "Zählschranken"),
    "gateway": ("Empfänger", "Empfängern"),
    "sos": ("Notrufknöpfe", "Notrufknöpfen"),
}
DEVICES = ("Geräte", "Geräten")
"""Several of a kind, alone and after `von`."""
PARTS = {
    "circuit": ("Schaltschrank", "Strang"),
    "phase": ("Schaltschrank", "Strang", "Phase"),
    "cabinet": ("Schaltschrank",),
}
LINE_OF = {
    "circuit": "dieses Strangs",
    "phase": "dieser Phase",
    "cabinet": "dieses Schaltschranks",
    "site": "dieses Platzes",
}
DIGITS = {"W": 1, "V": 1, "A": 2, "%": 1, "°C": 1, "°": 1, "Wh": 0, "h": 1, "dB": 1, "dBm": 0}
WHOLE_FROM = 100.0
"""From here on a number needs no digits after the comma, where it does not say volts or amperes."""
MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400
DATIVE = ("seit ", "vor ", "nach ", "von ", "mit ", "bei ")
"""After these words it is `2 Tagen`, elsewhere `2 Tage`."""


def title_of(rule: Rule, opening: Opening, device: Device | None) -> str:
    """What a ticket is called: the rule's title and where it is. `device` None = it is about no device."""
    place = place_of(opening.subject, device)
    title = _filled(rule.title_de, rule, opening, device)
    return f"{title}: {place}" if place else title


def place_of(subject: str, device: Device | None) -> str:
    """What a finding is about, by name where it has one: `Lampe BOR-0001, Hauptstraße`; '' for the whole platform."""
    sort, _, name = subject.partition(":")
    if sort in PARTS and name:
        return ", ".join(f"{word} {part}" for word, part in zip(PARTS[sort], name.split("/"), strict=False))
    if name:
        return {"gateway": f"Empfänger {name}", "site": f"Platz {name.rpartition('/')[2]}"}.get(sort, name)
    if device is None or device.device_id != subject:
        return "" if subject == "platform" else subject
    own = device.name or f"{KIND_GERMAN[device.kind]} {device.device_id}"
    return own if not device.street or device.street in own else f"{own}, {device.street}"


def sentence_of(rule: Rule, opening: Opening, device: Device | None) -> str:
    """Why, with the numbers, and since when in local time."""
    chosen, known = _chosen(rule, opening, device)
    said = _filled(chosen, rule, opening, device)
    line = LINE_OF.get(opening.subject.partition(":")[0])
    if rule.group is not None and rule.kind != "group" and line is not None and opening.members:
        said = _of_line(rule, opening, device, line, said if known else "")
    elif any(name == "since" for _, name in _pieces(chosen)):
        return said
    return f"{said} Seit {moment(opening.since_ms, opening.opened_ms)}."


def _chosen(rule: Rule, opening: Opening, device: Device | None) -> tuple[str, bool]:
    """Which of a rule's sentences is said, and whether all it names is known."""
    sentences = (rule.sentence_de or f"{rule.title_de}.").split(OTHERWISE)
    for sentence in sentences:
        if all(fact(rule, opening, device, name) != UNKNOWN for _, name in _pieces(sentence) if name is not None):
            return sentence, True
    return sentences[-1], False


def _of_line(rule: Rule, opening: Opening, device: Device | None, line: str, said: str) -> str:
    """A finding on a line tells of one of its members, where the numbers of that one are known."""
    one, of_them = DEVICES if device is None else MANY.get(device.kind, DEVICES)
    members, total = number(len(opening.members)), opening.facts.get("total")
    head = (
        f"Betroffen sind {members} {one}"
        if total is None
        else f"Betroffen sind {members} von {number(total)} {of_them}"
    )
    if device is None or not said:
        return f"{head} {line}."
    return f"{head} {line}. Zum Beispiel {device.name or device.device_id}: {said}"


def _filled(text: str, rule: Rule, opening: Opening, device: Device | None) -> str:
    said = ""
    for literal, name in _pieces(text):
        # "Min." at the end of a sentence needs no second point.
        said += literal[1:] if literal.startswith(".") and said.endswith(".") else literal
        if name is not None:
            said += fact(rule, opening, device, name, dative=said.casefold().endswith(DATIVE))
    return said


def _pieces(text: str) -> Iterator[tuple[str, str | None]]:
    for literal, name, _, _ in Formatter().parse(text):
        yield literal, name


def fact(rule: Rule, opening: Opening, device: Device | None, name: str, dative: bool = False) -> str:
    """One of the names a sentence may use, as text; UNKNOWN when nobody knows."""
    text = _told(opening, device, name, dative)
    if text is not None:
        return text
    value = opening.facts.get(name)
    if value is None and name in rule.params:
        value = rule.params[name].value
    if value is None and device is not None and name in ATTRIBUTES:
        known = getattr(device, name)
        if isinstance(known, str):
            return known or UNKNOWN
        value = None if known is None else float(known)
    return UNKNOWN if value is None else quantity(value, name, _unit(rule, name), dative)


def _told(opening: Opening, device: Device | None, name: str, dative: bool) -> str | None:
    """The facts that follow from the finding itself."""
    if name == "name":
        return place_of(opening.subject, device) or UNKNOWN
    if name == "device_id":
        return opening.subject
    if name == "since":
        return moment(opening.since_ms, opening.opened_ms)
    if name in ("lasted", "silent"):
        return span_text((opening.opened_ms - opening.since_ms) / 1000, dative)
    if name == "members" and opening.members:
        return number(len(opening.members))
    return None


def _unit(rule: Rule, name: str) -> str:
    if name == "value" and rule.value is not None:
        try:
            return check_number(rule.value, scope_of(rule.device_kinds), {n: p.unit for n, p in rule.params.items()})
        except ExpressionError:
            return ""
    if name in rule.params:
        return rule.params[name].unit
    for kind in sorted(rule.device_kinds):
        if name in VALUES[kind]:
            return VALUES[kind][name].unit
    if name in DERIVED:
        return DERIVED[name].unit
    return ATTRIBUTES[name].unit if name in ATTRIBUTES else unit_of_name(name)


def quantity(value: float, name: str, unit: str, dative: bool = False) -> str:
    """A value with its unit as people write it: `35,2 W`, `12,5°`, `80 %`, `3 Std. 20 Min.`; a share is per cent."""
    if not isfinite(value):
        return UNKNOWN
    if unit == "s":
        return span_text(value, dative)
    if name.endswith("_share"):
        return f"{_short(100 * value, 0)} %"
    digits = DIGITS.get(unit, 2)
    if abs(value) >= WHOLE_FROM and unit not in ("V", "A"):
        digits = 0
    return f"{_short(value, digits)}{'' if unit in ('', '°') else ' '}{unit}"


def _short(value: float, digits: int) -> str:
    """No zeros at the end: 40 W, not 40,0 W."""
    text = number(value, digits)
    text = text.rstrip("0").rstrip(",") if "," in text else text
    return "0" if text in ("−0", "-0") else text


def span_text(seconds: float, dative: bool = False) -> str:
    """A span of time: `45 Sekunden`, `15 Minuten`, `3 Std. 20 Min.`, `2 Tage 3 Std.` (after `seit`: `2 Tagen`)."""
    if not isfinite(seconds):
        return UNKNOWN
    whole = round(seconds)
    if whole < 2 * MINUTE_S:
        return counted(whole, "Sekunde", "Sekunden")
    if whole < 2 * HOUR_S:
        return counted(round(whole / MINUTE_S), "Minute", "Minuten")
    minutes = round(whole / MINUTE_S)
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{number(hours)} Std. {minutes} Min." if minutes else f"{number(hours)} Stunden"
    days, hours = divmod(round(whole / HOUR_S), 24)
    said = counted(days, "Tag", "Tagen" if dative else "Tage")
    return f"{said} {hours} Std." if hours and days < 7 else said
