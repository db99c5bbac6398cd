"""The German sentences of findings and tickets: what is the matter, with the numbers, in plain words."""

from __future__ import annotations

from core.device import Device
from core.german import local, number
from core.kinds import KIND_GERMAN
from rules.edges import Opening

PRIORITY = {
    "lamp_out": "normal",
    "silent": "low",
    "circuit_down": "high",
    "silent_many": "high",
    "sos_press": "immediate",
}


def title_of(edge: Opening, device: Device | None) -> str:
    """What a ticket is called; `device` None = it is about no device."""
    if device is None:
        return "Viele Geräte melden sich nicht"
    if edge.rule == "circuit_down":
        return f"Strang {edge.subject.partition(':')[2]} ausgefallen"
    name = device.name or f"{KIND_GERMAN[device.kind]} {device.device_id}"
    return {"lamp_out": f"{name} dunkel", "silent": f"{name} meldet sich nicht"}[edge.rule]


def sentence_of(edge: Opening) -> str:
    """Why, with the numbers."""
    facts = edge.facts
    if edge.rule == "lamp_out":
        return _lamp_out(edge)
    if edge.rule == "silent_many":
        return (
            f"{facts['members']:.0f} von {facts['of']:.0f} Geräten melden sich seit {clock_time(edge.since_ms)} nicht: "
            "vermutlich ist der Weg zu uns gestört (Funkempfänger, Netz, Vermittler), nicht die Geräte. "
            "Ihre eigenen Meldungen warten so lange."
        )
    if edge.rule == "circuit_down":
        return (
            f"{facts['members']:.0f} von {facts['of']:.0f} Lampen des Strangs melden sich seit "
            f"{clock_time(edge.since_ms)} nicht mehr: vermutlich ist die Versorgung ausgefallen."
        )
    return (
        f"Zuletzt gehört {clock_time(edge.since_ms)}. Es meldet sich sonst alle {duration(facts['interval_s'])}; "
        f"seither fehlen mehr als {facts['misses']:.0f} Meldungen hintereinander; so viele verliert der Funk nicht."
    )


def _lamp_out(edge: Opening) -> str:
    facts = edge.facts
    if facts["power_w"] != facts["power_w"] or facts["expected_w"] != facts["expected_w"]:
        return f"Die Lampe meldet selbst einen Fehler, seit {clock_time(edge.since_ms)}."
    return (
        f"Um {clock_time(edge.since_ms)} war die Lampe auf {facts['dim_pct']:.0f} % geschaltet; gemessen "
        f"{number(facts['power_w'], 1)} W statt {number(facts['expected_w'], 1)} W "
        f"(Grenze {number(facts['limit_w'], 1)} W), {facts['samples']:.0f} Messwerte hintereinander."
    )


def clock_time(ms: int) -> str:
    """An instant in local time, e.g. 12.01., 18:40 Uhr."""
    return f"{local(ms):%d.%m., %H:%M Uhr}"


def duration(seconds: float) -> str:
    """A span as people say it."""
    if seconds < 90:
        return f"{seconds:.0f} Sekunden"
    if seconds < 5400:
        return f"{seconds / 60:.0f} Minuten"
    return f"{seconds / 3600:.0f} Stunden"
