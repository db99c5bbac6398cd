"""/parken: where there is space now, for everybody, without a cookie."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from math import sqrt

from fastapi import Request, Response

from api.centre import AskCentre, Centre
from api.pages.view import chosen, refuse, render
from api.pages.vocabulary import AUDIENCES, TOWN_NAMES, town_name
from api.who import AskWho
from core.device import Site
from rules.records import AudienceState, SiteState

SENSOR_ERROR = 0.05
"""Share of bays whose sensor is wrong at any time, as trials of other towns report it."""
UNKNOWN_SHARE_MAX = 0.5
BANDS = {
    "free": ("frei", "ok"),
    "few": ("wenige frei", "warn"),
    "full": ("voll", "bad"),
    "stale": ("keine aktuellen Daten", "quiet"),
}


@dataclass(frozen=True)
class Lot:
    """One car park as it is shown. `free` None = not known well enough to say a number."""

    town: str
    site: Site
    band: str
    free: int | None
    capacity: int
    unknown: int
    measured_ms: int | None
    apart: tuple[AudienceState, ...]

    @property
    def word(self) -> str:
        """`frei`, `wenige frei`, `voll`, `keine aktuellen Daten`."""
        return BANDS[self.band][0]

    @property
    def tone(self) -> str:
        """The tone of the word."""
        return BANDS[self.band][1]

    @property
    def path(self) -> str:
        """The address of its own page."""
        return f"/parken/{self.town}/{self.site.site}"

    @property
    def key(self) -> str:
        """A name for its place in the page."""
        return f"lot-{self.town}-{self.site.site}"


def few_from(capacity: int) -> float:
    """At so many free bays or fewer a page says `wenige`: twice the spread of wrong sensors alone, at least 2."""
    return max(2.0, 2 * sqrt(capacity * SENSOR_ERROR * (1 - SENSOR_ERROR)))


def lot_of(site: Site, state: SiteState | None) -> Lot:
    """What may be said of one car park. The bays for one audience are apart; the big number is for everybody."""
    if state is None:
        return Lot(site.town, site, "stale", None, site.capacity or 0, site.capacity or 0, None, ())
    apart = tuple(one for one in state.audiences if one.audience in AUDIENCES and one.capacity)
    everybody = next((one for one in state.audiences if not one.audience and one.capacity), None)
    main = everybody if everybody is not None and apart else state
    is_stale = state.is_stale or state.measured_ms is None or main.unknown > main.capacity * UNKNOWN_SHARE_MAX
    if is_stale:
        band = "stale"
    elif main.free == 0:
        band = "full"
    else:
        band = "few" if main.free <= few_from(main.capacity) else "free"
    free = None if is_stale else main.free
    capacity = main.capacity or site.capacity or 0  # a car park without sensors counts no bays
    return Lot(site.town, site, band, free, capacity, main.unknown, state.measured_ms, () if is_stale else apart)


def lots(centre: Centre, town: str | None = None) -> list[Lot]:
    """All car parks by town and name."""
    states = {(state.town, state.site): state for state in centre.rules.live.sites()}
    found = [
        lot_of(site, states.get(key))
        for key, site in centre.inventory.snapshot().sites.items()
        if town in (None, site.town)
    ]
    return sorted(found, key=lambda lot: (town_name(lot.town), lot.site.name or lot.site.site))


def groups(found: Iterable[Lot]) -> list[tuple[str, list[Lot]]]:
    """Town by town; the ones without present data last, all towns together."""
    by_town: dict[str, list[Lot]] = {}
    stale = []
    for lot in found:
        if lot.band == "stale":
            stale.append(lot)
        else:
            by_town.setdefault(town_name(lot.town), []).append(lot)
    return [*by_town.items(), *([("Keine aktuellen Daten", stale)] if stale else [])]


def parking_page(request: Request, centre: AskCentre, who: AskWho, town: str | None = None) -> Response:
    """Every car park with what is free."""
    town = chosen(request, "town", town, TOWN_NAMES, "Einen Ort")
    found = lots(centre, town)
    with_space = sum(lot.band in ("free", "few") for lot in found)
    return render(
        request, who, "parking.html", active="parking", groups=groups(found), town=town, with_space=with_space,
        known=sum(lot.band != "stale" for lot in found), total=len(found),
    )  # fmt: skip


def site_page(request: Request, centre: AskCentre, who: AskWho, town: str, site: str) -> Response:
    """One car park."""
    known = centre.inventory.snapshot().sites.get((town, site))
    if known is None:
        refuse(request, HTTPStatus.NOT_FOUND, "Diesen Parkplatz gibt es hier nicht (mehr). Unter „Parken“ stehen alle.")
    lot = lot_of(known, centre.rules.live.site(town, site))
    bays = centre.rules.live.bays(town, site) if lot.band != "stale" else []
    return render(request, who, "parking_site.html", active="parking", lot=lot, bays=bays)
