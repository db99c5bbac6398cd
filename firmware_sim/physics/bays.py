"""Parking bays: a message on each change and a heartbeat each hour, and sensors that stick, flap or are snowed in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from firmware_sim.outlines import TOWNS, Town
from firmware_sim.physics.controllers import loss_shares
from firmware_sim.physics.faults import Fault
from firmware_sim.physics.inventory_rows import car_park_row, device_row
from firmware_sim.physics.plan import DAY_MS, HOUR_MS, Doubles, Flags, Floats, Instants, Numbers, Plan
from firmware_sim.physics.played import Batch
from firmware_sim.physics.radio import BURST_LOSS, channel, single_arrivals
from firmware_sim.physics.receivers import place_receivers
from firmware_sim.physics.region import METRES_PER_DEGREE, Region
from firmware_sim.physics.restarts import Restarts, draw_restarts
from firmware_sim.physics.sensed import draw_bay_faults, reported_changes
from firmware_sim.physics.stays import DEMANDS, Changes, draw_changes
from firmware_sim.physics.warmth import weather

SITE_BAYS = (10, 40)
HEARTBEAT_MS = HOUR_MS
CHANNEL_MS = 15 * 60_000
SINK_DAYS = 4.0


@dataclass(frozen=True)
class Bays:
    """One entry for each bay: its site, and each site's town, demand and number of bays."""

    site: Numbers
    ids: list[str]
    site_town: Numbers
    site_demand: Numbers
    site_bays: Numbers
    lat: Doubles
    lon: Doubles

    def __len__(self) -> int:
        return len(self.site)

    def site_id(self, site: int) -> str:
        """A car park's id, unique within its town."""
        return f"{self.town(site).town}-p{site + 1}"

    def town(self, site: int) -> Town:
        """The town of a car park."""
        return TOWNS[int(self.site_town[site])]


def bay_rows(bays: Bays) -> list[dict[str, str]]:
    """One line of the inventory for each bay."""
    rows = []
    for index, (name, site) in enumerate(zip(bays.ids, bays.site.tolist(), strict=True)):
        town = bays.town(site)
        rows.append(device_row({
            "device_id": name, "kind": "parking", "model": "Bodensensor", "owner": town.owner, "town": town.town,
            "name": f"Stellplatz {name}", "lat": bays.lat[index], "lon": bays.lon[index], "site": bays.site_id(site),
            "interval_s": HEARTBEAT_MS // 1000,
        }))  # fmt: skip
    return rows


def site_rows(bays: Bays) -> list[dict[str, str]]:
    """One line of the sites' file for each car park."""
    rows = []
    for site, count in enumerate(bays.site_bays.tolist()):
        town, first = bays.town(site), int(np.flatnonzero(bays.site == site)[0])
        label = DEMANDS[int(bays.site_demand[site])].name
        place = (float(bays.lat[first]), float(bays.lon[first]))
        rows.append(car_park_row(town, bays.site_id(site), f"Parkplatz {label} {site + 1}", place, count))
    return rows


def build_bays(plan: Plan) -> Bays:
    """Car parks of 10 to 40 bays around the towns' centres."""
    rng = plan.random("bays")
    sizes = rng.integers(*SITE_BAYS, plan.bays // SITE_BAYS[0] + 1)
    ends = np.minimum(np.cumsum(sizes), plan.bays)
    ends = ends[: int(np.searchsorted(ends, plan.bays)) + 1] if plan.bays else ends[:0]
    counts = np.diff(ends, prepend=0)
    site = np.repeat(np.arange(len(counts)), counts)
    towns = np.arange(len(counts)) % len(TOWNS)
    centres = np.array([town.centre for town in TOWNS])[towns].reshape(-1, 2)
    places = centres + rng.normal(0.0, 400.0 / METRES_PER_DEGREE, centres.shape)
    ids = [f"{TOWNS[int(towns[at])].prefix}-P{number:04d}" for number, at in enumerate(site.tolist(), 1)]
    demand = rng.permutation(np.arange(len(counts)) % len(DEMANDS))
    beside = np.arange(len(site)) * 0.000002
    return Bays(site, ids, towns, demand, counts, places[site, 0] + beside, places[site, 1] + beside)


def bay_batch(
    plan: Plan, region: Region, bays: Bays, troubles: list[Fault], first_device: int
) -> tuple[Batch, list[Fault], list[Fault]]:
    """The readings that arrive, the faults of bays, and the events that only look like it."""
    rng = plan.random("bay messages")
    outdoor_c, _ = weather(plan)
    true = draw_changes(plan, bays.site_demand[bays.site], rng)
    faults, events = draw_bay_faults(plan, bays.site, bays.ids, true, outdoor_c, rng)
    for fault in faults:
        if fault.name == "bay_snow":
            site = int(bays.site[fault.rows[0]])
            fault.subject = f"site:{bays.town(site).town}/{bays.site_id(site)}"
    restarts = draw_restarts(plan, len(bays), [*faults, *events], rng)
    told = reported_changes(plan, true, [*faults, *events], restarts, rng)
    bay, t_ms, occupied, beat = _messages(plan, told, restarts, len(bays), rng)
    battery = _battery_pct(plan, bay, t_ms, faults, len(bays), rng)
    alive = _alive(bay, t_ms, faults)
    slot = np.minimum((t_ms - plan.start_ms) // plan.interval_ms, plan.slots - 1)
    temp_c = outdoor_c[slot].astype(np.float32) + rng.normal(0, 0.4, len(t_ms)).astype(np.float32)
    bad, even = channel(loss_shares(plan.loss, len(bays), rng), (plan.end_ms - plan.start_ms) // CHANNEL_MS + 1, rng)
    lost = rng.random(len(t_ms)) < even[bay]
    lost |= bad[bay, (t_ms - plan.start_ms) // CHANNEL_MS] & (rng.random(len(t_ms)) < BURST_LOSS)
    heard = place_receivers(bays.lat, bays.lon, region.gateway_places, rng)
    sent = single_arrivals(t_ms, bay, heard, lost, troubles, rng)
    at = np.flatnonzero(sent.arrives & alive)
    values: dict[str, Floats] = {
        "occupied": occupied.astype(np.float32)[at],
        "temp_c": temp_c[at],
        "uptime_s": np.where(beat, restarts.uptime_s(bay, t_ms), np.nan).astype(np.float32)[at],
        "battery_pct": np.where(beat, battery, np.nan).astype(np.float32)[at],
        "gateways": sent.gateways[at],
    }
    texts = {"gateway": sent.gateway[at].astype(np.int16)}
    return Batch(bay[at] + first_device, t_ms[at], sent.received_ms[at], values, texts), faults, events


def _messages(
    plan: Plan, told: Changes, restarts: Restarts, bays: int, rng: np.random.Generator
) -> tuple[Numbers, Instants, Flags, Flags]:
    """bay, instant, state, and whether it is a heartbeat or the message of a start."""
    beats = (plan.end_ms - plan.start_ms) // HEARTBEAT_MS
    offsets = plan.start_ms + rng.integers(0, HEARTBEAT_MS, (bays, 1))
    beat_ms = (offsets + np.arange(beats) * HEARTBEAT_MS + rng.integers(0, 3000, (bays, beats))).ravel()
    beat_bay = np.repeat(np.arange(bays), beats)
    beat_bay, beat_ms = np.concatenate([beat_bay, restarts.bay]), np.concatenate([beat_ms, restarts.t_ms])
    within = (told.t_ms >= plan.start_ms) & (told.t_ms < plan.end_ms)
    bay = np.concatenate([told.bay[within], beat_bay])
    t_ms = np.concatenate([told.t_ms[within], beat_ms])
    occupied = np.concatenate([told.occupied[within], told.at(beat_bay, beat_ms)])
    beat = np.concatenate([np.zeros(int(within.sum()), np.bool_), np.ones(len(beat_bay), np.bool_)])
    played = t_ms < plan.end_ms
    return bay[played], t_ms[played], occupied[played], beat[played]


def _battery_pct(
    plan: Plan, bay: Numbers, t_ms: Instants, faults: list[Fault], bays: int, rng: np.random.Generator
) -> Floats:
    """Slowly down over years, a little less in the cold of the night; failing ones sink within days."""
    days = (t_ms - plan.start_ms) / DAY_MS
    charge = rng.uniform(30.0, 97.0, bays)[bay] - 0.02 * days + 0.8 * np.sin(2 * np.pi * (t_ms / DAY_MS - 0.4))
    for fault in faults:
        if fault.name == "battery_low":
            own = (bay == int(fault.rows[0])) & (t_ms >= fault.start_ms) & (t_ms < fault.until_ms(plan.end_ms))
            done = np.minimum((t_ms[own] - fault.start_ms) / (SINK_DAYS * DAY_MS), 1.0)
            charge[own] += (fault.size - charge[own]) * done
            low = t_ms[own][np.round(charge[own]) < 20]
            fault.observable_ms = int(low.min()) if len(low) else None
    return np.round(charge).astype(np.float32)


def _alive(bay: Numbers, t_ms: Instants, faults: list[Fault]) -> Flags:
    alive = np.ones(len(t_ms), np.bool_)
    for fault in faults:
        if fault.name == "silent":
            alive &= ~((bay == int(fault.rows[0])) & (t_ms >= fault.start_ms) & (t_ms < (fault.end_ms or 2**62)))
    return alive
