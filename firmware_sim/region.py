"""Generates the region from one seed: cabinets, circuits and lamps along streets, car parks, buttons, gateways."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

from firmware_sim.inventory import DeviceRow, SiteRow, write_rows
from firmware_sim.lorawan import RadioGateway, dev_eui
from firmware_sim.outlines import TOWNS, Point, Town, anywhere, contains, load_outlines, moved, near, shared_out
from firmware_sim.payloads import BAY_TYPE, LAMP_TYPE, SOS_TYPE
from firmware_sim.settings import Settings
from firmware_sim.streets import TownLighting

# What a car park is called, which demand it has (parking.DEMANDS), its type (ParkAPI v3), fee, longest stay.
SITE_SORTS = (
    ("P+R Bahnhof", "station", "OFF_STREET_PARKING_GROUND", "no", ""),
    ("Markt", "centre", "OFF_STREET_PARKING_GROUND", "yes", "PT2H"),
    ("Wohngebiet", "residents", "ON_STREET", "no", ""),
    ("See", "lake", "OFF_STREET_PARKING_GROUND", "yes", "P1D"),
)
BARRIER_CAPACITIES = (48, 60, 84, 120)


@dataclass
class Region:
    """What stands where: the rows of both CSV files, each car park's demand, and the gateways as receivers."""

    rows: list[DeviceRow] = field(default_factory=list)
    sites: list[SiteRow] = field(default_factory=list)
    demands: dict[str, str] = field(default_factory=dict)
    gateways: list[RadioGateway] = field(default_factory=list)

    def write_csv(self, inventory_path: Path, sites_path: Path) -> None:
        """Write the inventory and the sites."""
        write_rows(inventory_path, DeviceRow, self.rows)
        write_rows(sites_path, SiteRow, self.sites)


class _Surveyor:
    """Walks through the region and writes down what it finds; one instance makes one region."""

    def __init__(self, settings: Settings, seed: int) -> None:
        self.settings = settings
        self.seed = seed
        self.region = Region()
        self.outlines: dict[str, list[Point]] = load_outlines()

    def survey(self) -> Region:
        """The region, in the order of the inventory file."""
        self.add_lighting()
        self.add_car_parks()
        self.add_barriers()
        self.add_buttons()
        self.add_gateways()
        return self.region

    def add_lighting(self) -> None:
        lamps = shared_out(self.settings.sizes.lamps, [town.population for town in TOWNS])
        rows: list[DeviceRow] = []
        for town, count in zip(TOWNS, lamps, strict=True):
            rng = Random(f"{self.seed} streets {town.town}")
            rows += TownLighting(town, self.outlines[town.town], rng).build(count, self.settings)
        self.region.rows += self._with_lorawan(rows, "lamp", LAMP_TYPE)

    def add_car_parks(self) -> None:
        sizes = self.settings.sizes
        count = min(sizes.sites, sizes.bays)
        if count == 0:
            return
        rng = Random(f"{self.seed} car parks")
        bays_by_site = shared_out(sizes.bays, [rng.randrange(8, 40) for _ in range(count)])
        rows: list[DeviceRow] = []
        for number, bays in enumerate(bays_by_site):
            site = self._add_site(number, bays, rng)
            first = sum(row.town == site.town for row in rows) + 1
            rows += [_bay_row(site, first + at, at) for at in range(bays)]
        self.region.rows += self._with_lorawan(rows, "parking", BAY_TYPE)

    def add_barriers(self) -> None:
        rng = Random(f"{self.seed} barriers")
        for number in range(self.settings.sizes.counters):
            capacity = BARRIER_CAPACITIES[number % len(BARRIER_CAPACITIES)]
            site = self._add_site(number, capacity, rng, "Parkplatz mit Schranke")
            town = _town(site.town)
            row = DeviceRow(
                device_id=f"{town.prefix}-Z{number + 1:02d}", kind="counter", model="Zählschranke", owner=town.owner,
                town=town.town, name=f"Schranke {site.name}", lat=site.lat, lon=site.lon, street=site.address,
                site=site.site, supply="permanent", interval_s="300", capacity=str(site.capacity),
            )  # fmt: skip
            self.region.rows.append(row)

    def add_buttons(self) -> None:
        rng = Random(f"{self.seed} buttons")
        counts = shared_out(self.settings.sizes.buttons, [town.population for town in TOWNS])
        rows = []
        for town, count in zip(TOWNS, counts, strict=True):
            for number in range(1, count + 1):
                place = near(town.centre, 500.0, self.outlines[town.town], rng)
                row = DeviceRow(
                    device_id=f"{town.prefix}-S{number:02d}", kind="sos", model="Notrufsäule", owner=town.owner,
                    town=town.town, name=f"Notrufsäule {town.name} {number}", lat=place[0], lon=place[1],
                    interval_s="3600",
                )  # fmt: skip
                rows.append(row)
        share = self.settings.shares.lorawan_buttons
        self.region.rows += self._with_lorawan(rows, "sos", SOS_TYPE, share)

    def add_gateways(self) -> None:
        rng = Random(f"{self.seed} gateways")
        for number in range(self.settings.sizes.gateways):
            town = TOWNS[number % len(TOWNS)]
            ring = self.outlines[town.town]
            place = near(town.centre, 300.0, ring, rng) if number < len(TOWNS) else anywhere(ring, rng)
            gateway_id = f"0016c001f1{rng.getrandbits(24):06x}"
            self.region.gateways.append(RadioGateway(gateway_id, town.town, place))
            row = DeviceRow(
                device_id=gateway_id, kind="gateway", device_type="", model="LoRaWAN-Gateway", owner=town.owner,
                town=town.town, name=f"Funkempfänger {town.name} {number // len(TOWNS) + 1}", lat=place[0],
                lon=place[1],
            )  # fmt: skip
            self.region.rows.append(row)

    def _add_site(self, number: int, capacity: int, rng: Random, sort: str = "") -> SiteRow:
        town = TOWNS[number * 3 % len(TOWNS)]
        label, demand, site_type, fee, max_stay = SITE_SORTS[(number + 2 * (number // len(TOWNS))) % len(SITE_SORTS)]
        label = f"{sort} {label}" if sort else label
        ring = self.outlines[town.town]
        place = near(town.centre, 600.0, ring, rng)
        while not contains(ring, moved(place, 60.0, 40.0)):
            place = near(town.centre, 600.0, ring, rng)
        site = SiteRow(
            site=f"{town.town}-{'b' if sort else 'p'}{number + 1}", town=town.town,
            name=f"{label} {town.name}", lat=place[0], lon=place[1],
            type=site_type, address=f"{town.zip_code} {town.name}", fee=fee, opening_hours="24/7", max_stay=max_stay,
            capacity=capacity, capacity_disabled=min(capacity, max(1, capacity // 25)),
            capacity_charging=2 if demand == "centre" and capacity >= 8 else 0,
        )  # fmt: skip
        self.region.sites.append(site)
        self.region.demands[site.site] = demand
        return site

    def _with_lorawan(
        self, rows: list[DeviceRow], kind: str, device_type: str, share: float | None = None
    ) -> list[DeviceRow]:
        """Turn whole circuits or car parks to LoRaWAN until the share is reached; the last one in part."""
        rng = Random(f"{self.seed} lorawan {kind}")
        groups: dict[tuple[str, ...], list[str]] = {}
        for row in rows:
            if row.kind == kind:
                single = row.device_id if kind == "sos" else ""
                groups.setdefault((row.cabinet, row.circuit, row.site, single), []).append(row.device_id)
        keys = sorted(groups)
        rng.shuffle(keys)
        members = [device_id for key in keys for device_id in groups[key]]
        share = self.settings.shares.lorawan if share is None else share
        chosen = set(members[: round(share * len(members))])
        return [
            replace(row, device_type=device_type, dev_eui=dev_eui(rng)) if row.device_id in chosen else row
            for row in rows
        ]


def generate(settings: Settings, seed: int) -> Region:
    """The region of that seed; the same settings and seed give the same region."""
    return _Surveyor(settings, seed).survey()


def _bay_row(site: SiteRow, number: int, at: int) -> DeviceRow:
    town = _town(site.town)
    audience = ""
    if at < site.capacity_disabled:
        audience = "DISABLED"
    elif at < site.capacity_disabled + site.capacity_charging:
        audience = "CHARGING"
    # Bays stand side by side, 2.5 m each, in rows of twenty, 16 m apart.
    lat = site.lat + at // 20 * 0.000144
    lon = site.lon + at % 20 * 0.0000359
    return DeviceRow(
        device_id=f"{town.prefix}-P{number:03d}", kind="parking", model="Bodensensor", owner=town.owner, town=town.town,
        name=f"{site.name} Stellplatz {at + 1}", lat=lat, lon=lon, street=site.address, site=site.site,
        interval_s="3600", audience=audience,
    )  # fmt: skip


def _town(town_id: str) -> Town:
    return next(town for town in TOWNS if town.town == town_id)
