"""/: what the region is and how it does right now, with a door for each of the people it is for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from fastapi import Request, Response

from api.centre import AskCentre, Centre
from api.pages import shape
from api.pages.parking import Lot, lots
from api.pages.view import render
from api.route import Policy
from api.who import AskWho, Who
from core.device import Device
from rules.records import CONDITIONS

BURNS_W = 3.0
"""A lamp that draws more than this gives light; less is its controller's own."""
GRID = 8


@dataclass(frozen=True)
class Count:
    """Devices of one kind by condition; `burning` = lamps that give light by their last word, None = not asked."""

    total: int
    ok: int
    fault: int
    silent: int
    never: int
    burning: int | None = None


@dataclass(frozen=True)
class Work:
    """What waits for the person who is signed in; None = not their work."""

    tickets_new: int | None = None
    tickets_now: int | None = None
    cases_open: int | None = None


def start_page(request: Request, centre: AskCentre, who: AskWho) -> Response:
    """The region at a glance."""
    devices = [one for one in centre.inventory.snapshot().devices.values() if one.in_use]
    lamps = [one for one in devices if one.kind == "lamp"]
    found = lots(centre)
    return render(
        request, who, "start.html", active="start", lamps=_count(centre, lamps),
        buttons=_count(centre, [one for one in devices if one.kind == "sos"]),
        lots=_lot_words(found), work=_work(centre, who), region_drawn=_region(centre, lamps),
        may_tickets=who.may(Policy.TICKETS), may_sos=who.may(Policy.SOS),
    )  # fmt: skip


def _count(centre: Centre, devices: Sequence[Device]) -> Count:
    ids = [one.device_id for one in devices]
    of = (
        np.bincount(centre.rules.live.conditions(ids), minlength=len(CONDITIONS))
        if ids
        else np.zeros(len(CONDITIONS), int)
    )
    burning = None
    if devices and devices[0].kind == "lamp":
        heard = [one for one in centre.rules.live.latest_of(ids) if one is not None and one.condition != "silent"]
        powers = [one.values.get("power_w") for one in heard]
        burning = sum(isinstance(power, float | int) and power > BURNS_W for power in powers)
    ok, fault, silent, never = (int(of[CONDITIONS.index(name)]) for name in ("ok", "fault", "silent", "never"))
    return Count(len(ids), ok, fault, silent, never, burning)


def _lot_words(found: Sequence[Lot]) -> dict[str, int]:
    known = [lot for lot in found if lot.band != "stale"]
    return {
        "total": len(found),
        "known": len(known),
        "with_space": sum(lot.band in ("free", "few") for lot in known),
        "free": sum(lot.free or 0 for lot in known),
    }


def _work(centre: Centre, who: Who) -> Work:
    tickets_new = tickets_now = cases_open = None
    if who.may(Policy.TICKETS):
        tickets = centre.rules.tickets
        tickets_new = len(tickets.page(town=who.town, statuses=("reported", "open"), limit=100)[0])
        tickets_now = len(tickets.page(town=who.town, statuses=("accepted", "in_progress"), limit=100)[0])
    if who.may(Policy.SOS):
        cases_open = len(centre.rules.cases.page(town=who.town, state="open", limit=100)[0])
    return Work(tickets_new, tickets_now, cases_open)


def _region(centre: Centre, lamps: Sequence[Device]) -> dict[str, object]:
    """The drawing of the region: outlines, and its lamps as points of light."""
    placed = [one for one in lamps if one.lat is not None and one.lon is not None]
    found = centre.rules.live.conditions([one.device_id for one in placed]).tolist() if placed else []
    by: dict[str, list[tuple[float, float]]] = {name: [] for name in CONDITIONS}
    for one, condition in zip(placed, found, strict=True):
        by[CONDITIONS[condition]].append((one.lat or 0.0, one.lon or 0.0))
    return {
        "width": shape.WIDTH,
        "height": shape.HEIGHT,
        "outlines": shape.outlines(),
        "ok": shape.dots(by["ok"], GRID),
        "quiet": shape.dots([*by["silent"], *by["never"]], GRID),
        "silent": "",
        "fault": shape.diamonds(by["fault"], 7),
    }
