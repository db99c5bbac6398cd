"""What the platform's own words are called in German, and the tone in which a page shows them.

A tone is one of ok, warn, bad, quiet, info; each has its colour in site.css and its shape in macros.html.
"""

from __future__ import annotations

import re

from core.german import number
from core.kinds import KIND_GERMAN, SOS, VALUES, Form, find_value
from core.reading import Scalar
from core.town import TOWNS

TOWN_NAMES = {town.id: town.name for town in TOWNS}

ROLE_NAMES = {
    "technician": "Montage",
    "yard": "Bauhof",
    "dispatcher": "Notrufstelle",
    "admin": "Verwaltung",
}

RULE_NAMES = {
    "lamp_out": "Lampe dunkel",
    "lamp_partial": "Lampe zu schwach",
    "power_high": "Leistung zu hoch",
    "day_burner": "brennt am Tag",
    "not_on": "geht nicht an",
    "cycling": "flackert",
    "pf_low": "Leistungsfaktor zu niedrig",
    "driver_hot": "Vorschaltgerät zu heiß",
    "voltage_low": "Spannung zu niedrig",
    "voltage_high": "Spannung zu hoch",
    "circuit_down": "ganze Straße dunkel",
    "silent_many": "viele melden sich nicht",
    "phase_down": "jede dritte Lampe dunkel",
    "pole_tilt": "Mast schief",
    "silent": "meldet sich nicht",
    "never_reported": "hat sich noch nie gemeldet",
    "frozen": "Messwert steht",
    "gateway_down": "Empfänger ausgefallen",
    "battery_low": "Batterie fast leer",
    "bay_stuck": "Stellplatz klemmt",
    "bay_flapping": "Stellplatz wechselt dauernd",
    "sos_press": "Notruf",
    "sos_test_overdue": "Notrufknopf: Prüfung fällig",
    "energy_drift": "Verbrauch verändert",
    "rule_broken": "Regel gestört",
}

CONDITION_NAMES = {
    "ok": ("in Ordnung", "ok"),
    "fault": ("gestört", "bad"),
    "silent": ("meldet sich nicht", "warn"),
    "never": ("noch nie gemeldet", "quiet"),
}

STATUS_NAMES = {
    "reported": ("gemeldet", "info"),
    "open": ("offen", "bad"),
    "accepted": ("angenommen", "warn"),
    "in_progress": ("in Arbeit", "warn"),
    "done": ("erledigt", "ok"),
    "closed": ("abgeschlossen", "ok"),
    "unsolvable": ("nicht lösbar", "quiet"),
    "duplicate": ("doppelt", "quiet"),
    "false_alarm": ("Fehlalarm", "quiet"),
}

PRIORITY_NAMES = {
    "immediate": ("sofort", "bad"),
    "high": ("dringend", "warn"),
    "normal": ("normal", "info"),
    "low": ("hat Zeit", "quiet"),
}

TICKET_ACTIONS = {
    "accept": "Annehmen",
    "start": "Arbeit beginnen",
    "done": "Erledigt",
    "close": "Abschließen",
    "unsolvable": "Nicht lösbar",
    "duplicate": "Doppelt gemeldet",
    "false_alarm": "Fehlalarm",
    "reopen": "Wieder öffnen",
    "note": "Notiz speichern",
}
TICKET_DONE = {
    "opened": "entstanden",
    "reported": "gemeldet",
    "accept": "angenommen",
    "start": "Arbeit begonnen",
    "done": "erledigt",
    "close": "abgeschlossen",
    "unsolvable": "als nicht lösbar abgelegt",
    "duplicate": "als doppelt abgelegt",
    "false_alarm": "als Fehlalarm abgelegt",
    "reopen": "wieder geöffnet",
    "note": "Notiz",
    "repeated": "wieder aufgetreten",
    "reopened": "wieder da",
    "recovered": "Messwerte wieder in Ordnung",
}

CASE_STATES = {
    "received": ("unbeantwortet", "bad"),
    "accepted": ("übernommen", "warn"),
    "closed": ("abgeschlossen", "ok"),
}
CASE_CAUSES = {
    "real": "echter Notfall",
    "false": "Fehlalarm",
    "test": "Test",
    "vandalism": "Vandalismus",
}
CASE_ACTIONS = {
    "accept": "Übernehmen",
    "callback": "Zurückgerufen",
    "informed": "Leitstelle informiert",
    "close": "Abschließen",
}
CASE_DONE = {
    "accept": "übernommen",
    "callback": "zurückgerufen",
    "informed": "Leitstelle informiert",
    "close": "abgeschlossen",
}
SOS_EVENTS = {
    "press": "gedrückt",
    "long_press": "lange gedrückt",
    "double_press": "zweimal gedrückt",
    "cancel": "abgebrochen",
    "test": "Test",
    "heartbeat": "Lebenszeichen",
    "tamper": "Gehäuse geöffnet",
    "unknown": "unbekanntes Zeichen",
}

STAGE_NAMES = {
    "planned": "geplant",
    "installed": "montiert, noch nicht in Betrieb",
    "live": "ja",
    "maintenance": "in Wartung",
    "retired": "abgebaut",
}
AUDIENCES = {
    "disabled": "Menschen mit Behinderung",
    "charging": "Ladeplätze",
    "family": "Familien",
    "women": "Frauen",
    "carsharing": "Carsharing",
    "truck": "Lkw",
    "bus": "Busse",
}
BAY_STATES = {"free": "frei", "occupied": "belegt", "unknown": "keine Daten"}
SITE_TYPES = {
    "OFF_STREET_PARKING_GROUND": "Parkplatz",
    "ON_STREET": "am Straßenrand",
    "CAR_PARK": "Parkhaus",
    "UNDERGROUND": "Tiefgarage",
}
_OSM_DAYS = {"Tu": "Di", "We": "Mi", "Th": "Do", "Su": "So", "PH": "Feiertage", "off": "geschlossen"}
_STAY_UNITS = {"H": ("Stunde", "Stunden"), "M": ("Minute", "Minuten"), "D": ("Tag", "Tage")}


def town_name(town: str | None) -> str:
    """The town as it writes itself; what is in none is in the region."""
    return TOWN_NAMES.get(town or "", town or "Partheland")


def kind_name(kind: str | None) -> str:
    """The German name of a kind, such as `Lampe`."""
    return KIND_GERMAN.get(kind or "", kind or "Sonstiges")


def value_name(kind: str, name: str) -> str:
    """`Leistung`; a value that the kind does not know keeps its own name."""
    known = find_value(kind, name) if kind in VALUES else None
    return known.german if known is not None else name


def value_words(kind: str, name: str, value: Scalar) -> str:
    """`35,2 W`, `ja`, `lange gedrückt`."""
    known = find_value(kind, name) if kind in VALUES else None
    if isinstance(value, str):
        return SOS_EVENTS.get(value, value) if name == SOS[0].name else value
    if isinstance(value, bool) or (known is not None and known.form is Form.FLAG):
        return "ja" if value else "nein"
    unit = known.unit if known is not None else ""
    return f"{number(float(value))} {unit}".rstrip()


def fee_words(fee: str | None) -> str:
    """`kostenlos`, `gebührenpflichtig`, or what the town wrote."""
    return {None: "", "": "", "no": "kostenlos", "yes": "gebührenpflichtig"}.get(fee, fee or "")


def hours_words(opening_hours: str | None) -> str:
    """Opening hours with German days; `immer offen` for 24/7."""
    if opening_hours == "24/7":
        return "immer offen"
    return re.sub(r"\b(Tu|We|Th|Su|PH|off)\b", lambda found: _OSM_DAYS[found[0]], opening_hours or "")


def stay_words(max_stay: str | None) -> str:
    """`höchstens 2 Stunden` for PT2H; other text stays as the town wrote it."""
    found = re.fullmatch(r"PT?(\d+)([HMD])", max_stay or "")
    if found is None:
        return max_stay or ""
    count, (one, many) = int(found[1]), _STAY_UNITS[found[2]]
    return f"höchstens {count} {one if count == 1 else many}"
