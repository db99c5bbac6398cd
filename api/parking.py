"""Car parks over HTTP: how many places are free, how old that is, and which bays."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from fastapi import Path, Query, Response

from api.centre import AskCentre, Centre, as_json, when
from api.items import SiteItem, site_item
from api.problems import ProblemError, shown
from api.readings import ID_QUERY
from api.tickets import TownQuery, known_town


@dataclass(frozen=True)
class SitesPage:
    """Every car park, by town and id."""

    items: list[SiteItem]


@dataclass(frozen=True)
class BayItem:
    """One bay: free, occupied or unknown; `since` when it is so, `measured_at` when it last said so."""

    device_id: str
    state: str
    since: str | None
    measured_at: str | None
    audience: str | None


@dataclass(frozen=True)
class SiteWithBays(SiteItem):
    """One car park with its bays."""

    bays: list[BayItem]


def sites(centre: AskCentre, town: TownQuery = None) -> Response:
    """All car parks now."""
    known_town(town)
    return as_json(SitesPage(site_items(centre, town)))


def site(
    centre: AskCentre,
    site_id: Annotated[str, Path(pattern=ID_QUERY)],
    town: Annotated[str | None, Query(description="Needed where two towns use the same id.")] = None,
) -> Response:
    """One car park with its bays."""
    known_town(town)
    found = [one for one in site_items(centre, town) if one.id == site_id]
    if not found:
        raise ProblemError(HTTPStatus.NOT_FOUND, f"There is no car park {shown(site_id)}.")
    if len(found) > 1:
        towns = ", ".join(one.town for one in found)
        raise ProblemError(HTTPStatus.CONFLICT, f"{shown(site_id)} is in {towns}; name one with ?town=.")
    bays = [
        BayItem(bay.device_id, bay.state, when(bay.since_ms), when(bay.measured_ms), bay.audience)
        for bay in centre.rules.live.bays(found[0].town, site_id)
    ]
    return as_json(SiteWithBays(**{name: getattr(found[0], name) for name in vars(found[0])}, bays=bays))


def site_items(centre: Centre, town: str | None = None) -> list[SiteItem]:
    """The car parks of a town, or all, as JSON."""
    known = centre.inventory.snapshot().sites
    return [
        site_item(known[(state.town, state.site)], state)
        for state in centre.rules.live.sites()
        if town in (None, state.town) and (state.town, state.site) in known
    ]
