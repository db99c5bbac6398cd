"""/geraet/{id}: what a device is, how it is, what it said last, and its curve.

Of an SOS button whoever does not answer it sees where it is and how it is, and nothing that tells of a press.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from fastapi import Request, Response

from api.centre import AskCentre, Centre
from api.discretion import HIDDEN_VALUES, SOS, findings_for, sees_presses
from api.pages.evidence import input_time, rules_of
from api.pages.places import spot_of
from api.pages.plot import Limit, Plot, Span, day_span, plot_of, week_span
from api.pages.view import chosen, refuse, render
from api.pages.vocabulary import CONDITION_NAMES, TOWN_NAMES, value_name, value_words
from api.problems import ProblemError
from api.route import Policy
from api.who import AskWho, Who
from core.device import Device
from core.device_types import find_device_type
from core.inventory import Snapshot
from core.kinds import VALUES, Form
from ingest.store import LIMIT_MAX, Query, StoredReading, StoreError
from rules.records import Latest

SPANS = {"24h": "24 Stunden", "7d": "7 Tage"}
FIRST_VALUE = {
    "lamp": "power_w",
    "cabinet": "power_l1_w",
    "parking": "occupied",
    "counter": "occupied_count",
    "sos": "battery_pct",
}
INTERVAL_S = 3600
FINDINGS_MAX = 20


@dataclass(frozen=True)
class ValueRow:
    """One value as it was said last."""

    name: str
    german: str
    words: str
    t_ms: int


def main_value(kind: str) -> str | None:
    """The value that says most about a device of this kind."""
    return FIRST_VALUE.get(kind)


def interval_of(device: Device | None) -> int:
    """How often it promised to speak, in seconds."""
    if device is None:
        return INTERVAL_S
    known = find_device_type(device.device_type or "")
    return device.interval_s or (known.interval_s if known is not None else 0) or INTERVAL_S


def value_rows(kind: str, latest: Latest | None) -> list[ValueRow]:
    """What it said last, in the order of the table of kinds."""
    if latest is None:
        return []
    order = {name: at for at, name in enumerate(VALUES.get(kind, {}))}
    names = sorted(latest.values, key=lambda name: (order.get(name, len(order)), name))
    return [
        ValueRow(
            name,
            value_name(kind, name),
            value_words(kind, name, latest.values[name]),
            latest.value_t_ms.get(name, latest.t_ms),
        )
        for name in names
    ]


def readings_in(centre: Centre, device_id: str, span: Span) -> list[StoredReading] | None:
    """The readings of a span; None when the store can't answer now."""
    try:
        query = Query(device_id=device_id, from_ms=span.from_ms, to_ms=span.to_ms, limit=LIMIT_MAX)
        return list(centre.store.page(query).items)
    except (StoreError, ProblemError):
        return None


def limits_of(device: Device | None, name: str) -> list[Limit]:
    """Levels that the inventory knows for a value."""
    if device is not None and name == "power_w" and device.nominal_w:
        return [Limit("Nennleistung", device.nominal_w)]
    return []


def device_page(
    request: Request,
    centre: AskCentre,
    who: AskWho,
    device_id: str,
    value: str | None = None,
    span: str | None = None,
) -> Response:
    """One device."""
    snapshot = centre.inventory.snapshot()
    device = known_device(request, snapshot, who, device_id)
    latest = centre.rules.live.latest(device_id)
    discreet = device.kind == SOS and not sees_presses(who)
    rows = [one for one in value_rows(device.kind, latest) if not (discreet and one.name in HIDDEN_VALUES)]
    curves = {} if discreet else _curves(device, latest)
    name = chosen(request, "value", value, curves, "Einen Messwert") or next(iter(curves), None)
    length = chosen(request, "span", span, SPANS, "Einen Zeitraum") or "24h"
    at = centre.rules.live.conditions([device_id])[0]
    return render(
        request, who, "device.html", active="map", device=device, spot=spot_of(device, snapshot.sites), latest=latest,
        rows=rows, curves=curves, name=name, span=length, spans=SPANS, plot=_plot(centre, device, name, length),
        condition=list(CONDITION_NAMES.values())[at], device_type=find_device_type(device.device_type or ""),
        why_rules=rules_of(centre, who, device) if who.may(Policy.TICKETS) else {},
        why_at=input_time(centre.clock.now_ms()),
        findings=findings_for(centre, who, subject=device_id, limit=FINDINGS_MAX), discreet=discreet,
    )  # fmt: skip


def known_device(request: Request, snapshot: Snapshot, who: Who, device_id: str) -> Device:
    """The device of an address; refused where there is none, or it is not theirs to see."""
    device = snapshot.devices.get(device_id)
    if device is None:
        refuse(request, HTTPStatus.NOT_FOUND, "Dieses Gerät steht nicht im Verzeichnis. Die Karte zeigt alle Geräte.")
    if not who.sees(device.town):
        sentence = f"Dieses Gerät gehört zu {TOWN_NAMES[device.town]}. Ihr Zugang gilt für einen anderen Ort."
        refuse(request, HTTPStatus.FORBIDDEN, sentence)
    return device


def _curves(device: Device, latest: Latest | None) -> dict[str, str]:
    """The values that have a curve, the telling one first."""
    known = VALUES.get(device.kind, {})
    said = latest.values if latest is not None else {}
    names = [name for name, one in said.items() if not isinstance(one, str)]
    first = main_value(device.kind)
    order = {name: at for at, name in enumerate(known)}
    names.sort(key=lambda name: (name != first, order.get(name, len(order)), name))
    return {
        name: value_name(device.kind, name) for name in names if name not in known or known[name].form is not Form.TEXT
    }


def _plot(centre: Centre, device: Device, name: str | None, length: str) -> Plot | None:
    if name is None:
        return None
    now_ms = centre.clock.now_ms()
    span = week_span(now_ms) if length == "7d" else day_span(now_ms)
    readings = readings_in(centre, device.device_id, span)
    if readings is None:
        return None
    return plot_of(readings, device.kind, name, span, interval_of(device), limits_of(device, name))
