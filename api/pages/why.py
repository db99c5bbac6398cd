"""/geraet/{id}/warum: why a rule did or did not fire on a device at an instant, with everything it looked at."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus

from fastapi import Request, Response

from api.centre import AskCentre, Centre
from api.looking_back import explained
from api.pages.device import known_device
from api.pages.evidence import input_time, param_german, rules_of
from api.pages.places import spot_of
from api.pages.view import refuse, render
from api.problems import ProblemError
from api.who import AskWho
from core.clock import MS_PER_S, parse_instant_ms
from core.german import BERLIN
from ingest.store import StoreError
from rules.explanation import FIRED

TONES = {"open": "bad", "in_line": "bad", "not_yet": "warn", "waiting": "warn", "inhibited": "warn", "not_fired": "ok"}
VERDICTS_DE = {
    "open": "ausgelöst", "in_line": "ausgelöst", "not_yet": "noch nicht", "waiting": "wartet",
    "inhibited": "unterdrückt", "not_fired": "nicht ausgelöst", "unknown": "nicht zu entscheiden",
    "not_judged": "nicht beurteilt", "no_sample": "kein Messwert", "in_window": "nicht beurteilt",
    "out_of_service": "nicht beurteilt", "not_selected": "gilt hier nicht", "set_aside": "nicht beurteilt",
}  # fmt: skip
TRUTHS_DE = {"true": ("erfüllt", "ok"), "false": ("nicht erfüllt", "info"), "unknown": ("nicht bekannt", "quiet")}


def why_page(
    request: Request, centre: AskCentre, who: AskWho, device_id: str, rule: str | None = None, at: str | None = None
) -> Response:
    """The form, and the explanation when a rule is chosen."""
    snapshot = centre.inventory.snapshot()
    device = known_device(request, snapshot, who, device_id)
    rules = rules_of(centre, who, device)
    at_ms = _instant(request, centre, at)
    found = trouble = None
    if rule:
        if rule not in rules:
            refuse(request, HTTPStatus.BAD_REQUEST, f"Eine Regel „{rule[:40]}“ gilt für dieses Gerät nicht.")
        try:
            found = explained(centre, centre.rules.book.rules[rule], device, at_ms)
        except (StoreError, ProblemError):
            trouble = (
                "Die Messwerte sind gerade nicht erreichbar. Nichts ist verloren; versuchen Sie es gleich noch einmal."
            )
    return render(
        request, who, "why.html", active="map", device=device, spot=spot_of(device, snapshot.sites), rules=rules,
        rule=rule, at=input_time(at_ms), asked_ms=at_ms, found=found, trouble=trouble, truths=TRUTHS_DE,
        verdict=None if found is None else (VERDICTS_DE[found.verdict], TONES.get(found.verdict, "quiet")),
        fired=found is not None and found.verdict in FIRED, param_german=param_german,
    )  # fmt: skip


def _instant(request: Request, centre: Centre, text: str | None) -> int:
    """Unix ms of what a field for date and time holds (the towns' clock), or of an instant with its zone."""
    now_ms = centre.clock.now_ms()
    if not text:
        return now_ms
    try:
        told = datetime.fromisoformat(text)
        zoned = told.replace(tzinfo=BERLIN) if told.tzinfo is None else told
        return max(0, min(round(zoned.timestamp() * MS_PER_S), now_ms))
    except (ValueError, OverflowError):
        pass
    try:
        return max(0, min(parse_instant_ms(text), now_ms))
    except (ValueError, OverflowError):
        what = f"„{text[:40]}“ ist kein Zeitpunkt. Erwartet wird zum Beispiel 2026-01-10T18:40."
        refuse(request, HTTPStatus.BAD_REQUEST, what)
