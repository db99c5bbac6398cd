"""/karte: where things stand and how they are; the list and the map show the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from fastapi import Request, Response

from api.centre import AskCentre, Centre, as_json
from api.pages import shape
from api.pages.parking import lots
from api.pages.places import where_of
from api.pages.view import chosen, count_from, render, with_query
from api.pages.vocabulary import CONDITION_NAMES, TOWN_NAMES, kind_name, town_name
from api.route import Policy
from api.who import AskWho, Who
from core.device import Device
from core.kinds import KINDS
from core.town import TOWNS
from rules.records import CONDITIONS

PUBLIC_KINDS = ("lamp", "parking", "counter", "sos")
PAGE_SIZE = 50
GRID = 5
E5 = 100_000
SEVERITY = {"fault": 0, "silent": 1, "never": 2, "ok": 3}
"""Which condition stands first in the list."""


@dataclass(frozen=True)
class Row:
    """One device in the list. `href` only for people who may see more."""

    what: str
    where: str
    town: str
    word: str
    tone: str
    href: str | None


@dataclass(frozen=True)
class Filter:
    """What the list and the map are narrowed to; None = everything."""

    town: str | None
    kind: str | None
    condition: str | None


def kinds_for(who: Who) -> dict[str, str]:
    """The kinds that somebody may see, with their names."""
    return {kind: kind_name(kind) for kind in KINDS if kind in PUBLIC_KINDS or who.may(Policy.SIGNED_IN)}


def map_page(
    request: Request,
    centre: AskCentre,
    who: AskWho,
    town: str | None = None,
    kind: str | None = None,
    condition: str | None = None,
    page: str | None = None,
) -> Response:
    """The map with its equal list."""
    wanted = _filter(request, who, town, kind, condition)
    devices, conditions = found(centre, who, wanted)
    number = max(count_from(request, page, "Die Seite", 100_000) or 1, 1)
    pages = max(1, -(-len(devices) // PAGE_SIZE))
    number = min(number, pages)
    first = (number - 1) * PAGE_SIZE
    sites = centre.inventory.snapshot().sites
    rows = [
        _row(one, conditions[at], who, where_of(one, sites))
        for at, one in enumerate(devices[first : first + PAGE_SIZE], first)
    ]
    query = {"town": wanted.town, "kind": wanted.kind, "condition": wanted.condition}
    counts = np.bincount(conditions, minlength=len(CONDITIONS)).tolist()
    return render(
        request, who, "map.html", active="map", rows=rows, total=len(devices), wanted=wanted, kinds=kinds_for(who),
        towns=TOWN_NAMES, counts=dict(zip(CONDITIONS, counts, strict=True)), region_drawn=_drawing(devices, conditions),
        data_url=with_query("/karte/geraete.json", **query), page=number, pages=pages,
        previous_url=with_query("/karte", **query, page=number - 1) if number > 1 else None,
        next_url=with_query("/karte", **query, page=number + 1) if number < pages else None,
        details=who.may(Policy.SIGNED_IN),
    )  # fmt: skip


def map_data(
    request: Request,
    centre: AskCentre,
    who: AskWho,
    town: str | None = None,
    kind: str | None = None,
    condition: str | None = None,
) -> Response:
    """The same devices as columns: degrees · 10⁵, one digit for kind, condition and town; ids for who is signed in."""
    devices, conditions = found(centre, who, _filter(request, who, town, kind, condition))
    placed = [at for at, one in enumerate(devices) if one.lat is not None and one.lon is not None]
    at_kind, at_town = {kind: at for at, kind in enumerate(KINDS)}, {one.id: at for at, one in enumerate(TOWNS)}
    shown = [devices[at] for at in placed]
    columns = {
        "kinds": [kind_name(one) for one in KINDS],
        "towns": [one.name for one in TOWNS],
        "conditions": [list(CONDITION_NAMES[one]) for one in CONDITIONS],
        "lat": [round((one.lat or 0.0) * E5) for one in shown],
        "lon": [round((one.lon or 0.0) * E5) for one in shown],
        "kind": "".join(str(at_kind[one.kind]) for one in shown),
        "town": "".join(str(at_town[one.town]) for one in shown),
        "condition": "".join(str(conditions[at]) for at in placed),
        "sites": _sites(centre, town) if kind in (None, "", "parking", "counter") else [],
    }
    if who.may(Policy.SIGNED_IN):
        columns["id"] = [one.device_id if who.sees(one.town) else "" for one in shown]
    return as_json(columns)


def found(centre: Centre, who: Who, wanted: Filter) -> tuple[list[Device], Sequence[int]]:
    """The devices that match, what needs somebody first, and the condition of each."""
    kinds = kinds_for(who)
    matching = [
        one
        for one in centre.inventory.snapshot().devices.values()
        if one.in_use and one.kind in kinds and wanted.town in (None, one.town) and wanted.kind in (None, one.kind)
    ]
    if not matching:
        return [], []
    conditions = centre.rules.live.conditions([one.device_id for one in matching]).tolist()
    severity = [SEVERITY[name] for name in CONDITIONS]
    chosen_at = [at for at in range(len(matching)) if wanted.condition in (None, CONDITIONS[conditions[at]])]
    chosen_at.sort(key=lambda at: (severity[conditions[at]], *_order(matching[at])))
    return [matching[at] for at in chosen_at], [conditions[at] for at in chosen_at]


def _order(device: Device) -> tuple[str, str, str]:
    return device.town, device.street or device.site or "", device.device_id


def _filter(request: Request, who: Who, town: str | None, kind: str | None, condition: str | None) -> Filter:
    return Filter(
        chosen(request, "town", town, TOWN_NAMES, "Einen Ort"),
        chosen(request, "kind", kind, kinds_for(who), "Eine Art"),
        chosen(request, "condition", condition, CONDITION_NAMES, "Einen Zustand"),
    )


def _row(device: Device, condition: int, who: Who, where: str) -> Row:
    word, tone = CONDITION_NAMES[CONDITIONS[condition]]
    may_open = who.may(Policy.SIGNED_IN) and who.sees(device.town)
    href = f"/geraet/{device.device_id}" if may_open else None
    return Row(kind_name(device.kind), where, town_name(device.town), word, tone, href)


def _sites(centre: Centre, town: str | None) -> list[dict[str, object]]:
    return [
        {
            "name": lot.site.name or lot.site.site,
            "lat": round(lot.site.lat * E5),
            "lon": round(lot.site.lon * E5),
            "href": lot.path,
            "word": lot.word,
            "tone": lot.tone,
            "free": lot.free,
        }
        for lot in lots(centre, town or None)
        if lot.site.lat is not None and lot.site.lon is not None
    ]


def _drawing(devices: Sequence[Device], conditions: Sequence[int]) -> dict[str, object]:
    """The map without JavaScript."""
    by: dict[str, list[tuple[float, float]]] = {name: [] for name in CONDITIONS}
    for one, condition in zip(devices, conditions, strict=True):
        if one.lat is not None and one.lon is not None:
            by[CONDITIONS[condition]].append((one.lat, one.lon))
    return {
        "width": shape.WIDTH,
        "height": shape.HEIGHT,
        "outlines": shape.outlines(),
        "ok": shape.dots(by["ok"], GRID),
        "quiet": shape.dots(by["never"], 2 * GRID),
        "silent": shape.triangles(by["silent"]),
        "fault": shape.diamonds(by["fault"]),
    }
