"""The inventory of a played region, in the columns of the inventory file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

from firmware_sim.inventory import DeviceRow, SiteRow
from firmware_sim.outlines import TOWNS, Town
from firmware_sim.physics.cabinets import cabinet_places
from firmware_sim.physics.faults import PHASES
from firmware_sim.physics.nights import PROFILES
from firmware_sim.physics.plan import Plan
from firmware_sim.physics.region import SUPPLIES, Region

DEVICE_COLUMNS = tuple(column.name for column in fields(DeviceRow))
SITE_COLUMNS = tuple(column.name for column in fields(SiteRow))


def device_row(cells: Mapping[str, object]) -> dict[str, str]:
    """One line of the inventory: what is not named stays empty; what is not said otherwise is live."""
    row = dict.fromkeys(DEVICE_COLUMNS, "") | {"device_type": "native", "stage": "live"}
    for name, value in cells.items():
        row[name] = f"{value:.6f}" if name in ("lat", "lon") else str(value)
    return row


def car_park_row(town: Town, site_id: str, name: str, place: tuple[float, float], capacity: int) -> dict[str, str]:
    """One line of the sites' file for a car park that is always open."""
    return dict.fromkeys(SITE_COLUMNS, "") | {
        "site": site_id, "town": town.town, "name": name, "lat": f"{place[0]:.6f}", "lon": f"{place[1]:.6f}",
        "type": "OFF_STREET_PARKING_GROUND", "address": f"{town.zip_code} {town.name}", "opening_hours": "24/7",
        "capacity": str(capacity), "capacity_disabled": "0", "capacity_charging": "0",
    }  # fmt: skip


def lamp_rows(plan: Plan, region: Region) -> list[dict[str, str]]:
    """One line for each lamp, solar ones without circuit and phase."""
    lamps = region.lamps
    rows = []
    for index, device_id in enumerate(region.lamp_ids):
        town, model, circuit = TOWNS[int(lamps.town[index])], region.model_of(index), int(lamps.circuit[index])
        row = device_row({
            "device_id": device_id, "kind": "lamp", "model": model.name, "owner": town.owner, "town": town.town,
            "name": f"Leuchte {device_id}", "lat": lamps.lat[index], "lon": lamps.lon[index], "pole": device_id[4:],
            "nominal_w": model.nominal_w, "min_dim_pct": model.min_dim_pct, "min_w": model.min_w,
            "interval_s": plan.interval_s, "profile": PROFILES[int(lamps.profile[index])],
        })  # fmt: skip
        if circuit >= 0:
            cabinet, name = region.circuit_path(circuit).split("/")
            row |= {"cabinet": cabinet, "circuit": name, "phase": PHASES[int(lamps.phase[index])]}
            row["supply"] = SUPPLIES[int(lamps.supply[index])]
        rows.append(row)
    return rows


def cabinet_rows(plan: Plan, region: Region) -> list[dict[str, str]]:
    """One line for each cabinet."""
    towns = {town.prefix: town for town in TOWNS}
    places = zip(region.cabinet_ids, *cabinet_places(region), strict=True)
    return [
        device_row({
            "device_id": name, "kind": "cabinet", "model": "Schaltschrank", "owner": towns[name[:3]].owner,
            "town": towns[name[:3]].town, "name": f"Schaltschrank {name}", "lat": lat, "lon": lon, "cabinet": name,
            "supply": "permanent", "interval_s": plan.interval_s,
        })
        for name, lat, lon in places
    ]  # fmt: skip


def gateway_rows(region: Region) -> list[dict[str, str]]:
    """One line for each gateway; they only receive, so no interval is promised."""
    return [
        device_row({
            "device_id": name, "kind": "gateway", "device_type": "", "model": "LoRaWAN-Gateway",
            "town": TOWNS[number % len(TOWNS)].town, "owner": TOWNS[number % len(TOWNS)].owner,
            "name": f"Funkempfänger {name}", "lat": place[0], "lon": place[1],
        })
        for number, (name, place) in enumerate(zip(region.gateway_ids, region.gateway_places.tolist(), strict=True))
    ]  # fmt: skip
