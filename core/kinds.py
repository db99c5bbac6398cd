"""The one table of kinds and values: what a device may say, in which unit, within which plausible range.

Names follow uCIFI / LwM2M objects 3411, 3416, 3418, 3429, 3431 with the unit last. The ranges are physical
limits with room (a 16 A street-light circuit at 253 V is 4 kW; a lamp controller switches less), not thresholds of
rules: what lies outside can't be a measurement and is kept out.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Form(Enum):
    """How a value is written."""

    NUMBER = "number"
    FLAG = "flag"
    TEXT = "text"


@dataclass(frozen=True)
class Value:
    """One value: its unit ('' = none), its plausible range (inclusive), and its name for people."""

    name: str
    unit: str
    low: float
    high: float
    german: str
    form: Form = Form.NUMBER


def _flag(name: str, german: str) -> Value:
    return Value(name, "", 0, 1, german, Form.FLAG)


def _text(name: str, german: str) -> Value:
    return Value(name, "", 0, 0, german, Form.TEXT)


def _phases(pattern: str, unit: str, low: float, high: float, german: str) -> tuple[Value, ...]:
    return tuple(Value(pattern.format(p), unit, low, high, f"{german} L{p}") for p in (1, 2, 3))


COMMON = (
    Value("battery_pct", "%", 0, 100, "Batteriestand"),
    Value("battery_v", "V", 0, 60, "Batteriespannung"),
    Value("rssi_dbm", "dBm", -160, 20, "Empfangspegel"),
    Value("snr_db", "dB", -40, 40, "Rauschabstand"),
    Value("gateways", "", 0, 255, "Empfänger, die es hörten"),
    _text("gateway", "Empfänger"),
)

LAMP = (
    Value("power_w", "W", -50, 5_000, "Leistung"),
    Value("voltage_v", "V", 0, 500, "Spannung"),
    Value("current_a", "A", 0, 32, "Strom"),
    Value("power_factor", "", -1, 1, "Leistungsfaktor"),
    Value("dim_pct", "%", 0, 100, "Dimmstufe"),
    Value("energy_wh", "Wh", 0, 1e9, "Energie"),
    Value("burning_h", "h", 0, 1e6, "Brennstunden"),
    Value("driver_temp_c", "°C", -60, 150, "Temperatur des Vorschaltgeräts"),
    Value("tilt_deg", "°", 0, 180, "Neigung"),
    _flag("relay_closed", "Relais geschlossen"),
    _flag("lamp_failure", "Lampe meldet Fehler"),
    _flag("supply_lost", "Versorgung ausgefallen"),
)

CABINET = (
    *_phases("power_l{}_w", "W", -200_000, 200_000, "Leistung"),
    *_phases("voltage_l{}_v", "V", 0, 500, "Spannung"),
    *_phases("current_l{}_a", "A", 0, 630, "Strom"),
    Value("energy_wh", "Wh", 0, 1e12, "Energie"),
    _flag("door_open", "Tür offen"),
    _flag("rcd_open", "FI-Schalter ausgelöst"),
)

PARKING = (
    _flag("occupied", "Belegt"),
    Value("temp_c", "°C", -60, 100, "Temperatur"),
    Value(
        "uptime_s", "s", 0, 1e9, "In Betrieb seit dem Neustart"
    ),  # 0 in the message that a device sends when it starts
)

COUNTER = (
    Value("entries", "", 0, 2**53, "Einfahrten"),
    Value("exits", "", 0, 2**53, "Ausfahrten"),
    Value("occupied_count", "", 0, 100_000, "Belegte Plätze"),
)

SOS = (_text("event", "Ereignis"), Value("press_id", "", 0, 2**53, "Nummer des Drucks"))

SOS_EVENTS = ("press", "long_press", "double_press", "cancel", "test", "heartbeat", "tamper")

# The order is fixed: a kind's number stands in frames on disk. New kinds go to the end.
KINDS = ("lamp", "cabinet", "parking", "counter", "gateway", "other", "sos")
KIND_NUMBER = {kind: number for number, kind in enumerate(KINDS)}
OPEN_KINDS = frozenset({"gateway", "other"})  # any number under any name is stored, no rule looks at it

VALUES: dict[str, dict[str, Value]] = {
    kind: {value.name: value for value in (*own, *COMMON)}
    for kind, own in {
        "lamp": LAMP,
        "cabinet": CABINET,
        "parking": PARKING,
        "counter": COUNTER,
        "gateway": (),
        "other": (),
        "sos": SOS,
    }.items()
}

KIND_GERMAN = {
    "lamp": "Lampe",
    "cabinet": "Schaltschrank",
    "parking": "Stellplatz",
    "counter": "Zählschranke",
    "gateway": "Empfänger",
    "other": "Sonstiges",
    "sos": "Notrufknopf",
}


def find_value(kind: str, name: str) -> Value | None:
    """The row of a value; for open kinds a row without range; None when the kind does not know the name."""
    known = VALUES[kind].get(name)
    if known is None and kind in OPEN_KINDS:
        return Value(name, "", float("-inf"), float("inf"), name)
    return known
