"""Where something is, in words: street and pole, car park, cabinet and circuit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from api.pages.vocabulary import kind_name, town_name
from core.device import Device, Site
from core.german import joined

STREETS_SHOWN_MAX = 3


@dataclass(frozen=True)
class Spot:
    """A place for people: what stands there, where, in which town; `lat` and `lon` where they are known."""

    what: str
    where: str
    town: str
    lat: float | None = None
    lon: float | None = None
    device_id: str | None = None


def where_of(device: Device, sites: Mapping[tuple[str, str], Site]) -> str:
    """`Lange Straße, Mast 12`, `P+R Bahnhof`, or the device's own name; never empty."""
    site = sites.get((device.town, device.site or ""))
    parts = [device.street or (site.name or site.site if site is not None else None)]
    if device.pole:
        parts.append(f"Mast {device.pole}")
    if device.kind == "sos" and device.name:
        parts.insert(0, device.name)
    return ", ".join(part for part in parts if part) or device.name or device.device_id


def spot_of(device: Device, sites: Mapping[tuple[str, str], Site]) -> Spot:
    """The place of one device."""
    where = where_of(device, sites)
    return Spot(kind_name(device.kind), where, town_name(device.town), device.lat, device.lon, device.device_id)


def spot_of_subject(
    subject: str, town: str | None, devices: Mapping[str, Device], sites: Mapping[tuple[str, str], Site]
) -> Spot:
    """The place of what a ticket is about: a device, or a circuit, phase, cabinet, gateway or site by its subject."""
    sort, _, rest = subject.partition(":")
    if subject == "platform":
        return Spot("Plattform", "viele Orte zugleich", town_name(town))
    if not rest:
        device = devices.get(subject)
        return spot_of(device, sites) if device is not None else Spot("Unbekanntes Gerät", subject, town_name(town))
    if sort == "site":
        site_town, _, site_id = rest.partition("/")
        site = sites.get((site_town, site_id))
        if site is not None:
            return Spot("Parkplatz", site.name or site.site, town_name(site_town), site.lat, site.lon)
    if sort in ("circuit", "phase", "cabinet"):
        return _supply(sort, rest, town, devices)
    if sort == "gateway" and rest in devices:
        return spot_of(devices[rest], sites)
    what = {"gateway": "Empfänger", "feed": "Datenweg"}.get(sort, "Ort")
    return Spot(what, rest, town_name(town))


def _supply(sort: str, rest: str, town: str | None, devices: Mapping[str, Device]) -> Spot:
    cabinet, *more = rest.split("/")
    words = [f"Schaltschrank {cabinet}"]
    words += [f"Stromkreis {more[0]}"] if more else []
    words += [f"Phase {more[1]}"] if len(more) > 1 else []
    of_cabinet = [one for one in devices.values() if one.cabinet == cabinet and one.in_use]
    fed = [one for one in of_cabinet if not more or one.circuit == more[0]]
    streets = street_words(fed)
    placed = next((one for one in fed if one.lat is not None and one.lon is not None), None)
    where = f"{streets} ({', '.join(words)})" if streets else ", ".join(words)
    what = {"circuit": "Stromkreis", "phase": "Phase", "cabinet": "Schaltschrank"}[sort]
    at = (placed.lat, placed.lon) if placed is not None else (None, None)
    return Spot(what, where, town_name(town or (fed[0].town if fed else None)), *at)


def street_words(devices: Iterable[Device]) -> str:
    """`Lange Straße, Markt und 2 weitere`; empty when none has a street."""
    streets = list(dict.fromkeys(one.street for one in devices if one.street))
    more = len(streets) - STREETS_SHOWN_MAX
    shown = streets[:STREETS_SHOWN_MAX]
    return joined([*shown, f"{more} weitere"] if more > 0 else shown) if shown else ""
