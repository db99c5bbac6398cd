"""Barriers that count: car parks with a loop for coming and one for leaving cars, whose totals are sent.

Every loop misses a car now and then, coming and leaving ones alike. A faulty one misses more of those that leave, and
what is counted inside grows until it can't be (shared knowledge, domain A7). Totals go on for ever, begin at 0 each
night, or wrap at 65,536.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from firmware_sim.outlines import TOWNS
from firmware_sim.physics.controllers import loss_shares
from firmware_sim.physics.faults import Fault, Sort, draw_times
from firmware_sim.physics.inventory_rows import car_park_row, device_row
from firmware_sim.physics.plan import COUNTER_FAULTS, DAY_MS, MINUTE_MS, Doubles, Flags, Floats, Instants, Numbers, Plan
from firmware_sim.physics.played import Batch
from firmware_sim.physics.radio import lost_on_air, single_arrivals
from firmware_sim.physics.receivers import METRES_PER_DEGREE, place_receivers
from firmware_sim.physics.region import Region
from firmware_sim.physics.stays import DEMANDS, draw_changes

CAPACITIES = (80, 400)
INTERVAL_MS = 15 * MINUTE_MS
MISS_SHARES = (0.002, 0.012)
"""What a healthy loop misses of the cars, around the 1 % of the shared knowledge."""
WAYS = ("for ever", "nightly", "16 bits")
CLEAR_SHARE = 0.1
"""A count that has left [0, capacity] by so much of the capacity is clearly wrong: where A7 stops publishing it."""
SORTS = {"counter_drift": Sort(14.0, (0.03, 0.06))}  # share of the leaving cars that is missed beside the usual one


@dataclass(frozen=True)
class Counters:
    """One entry for each: its id, town and demand (indexes), spaces, place, and how its totals run."""

    ids: list[str]
    town: Numbers
    demand: Numbers
    capacity: Numbers
    lat: Doubles
    lon: Doubles
    way: list[str]

    def __len__(self) -> int:
        return len(self.ids)

    def site_id(self, index: int) -> str:
        """Its car park's id, unique within its town."""
        return f"{TOWNS[int(self.town[index])].town}-z{index + 1}"


def build_counters(plan: Plan) -> Counters:
    """The counters of the plan's seed."""
    rng = plan.random("gates")
    count = plan.counters
    town = np.arange(count) % len(TOWNS)
    centres = np.array([one.centre for one in TOWNS])[town].reshape(-1, 2)
    places = centres + rng.normal(0.0, 400.0 / METRES_PER_DEGREE, centres.shape)
    return Counters(
        ids=[f"{TOWNS[one].prefix}-Z{number:03d}" for number, one in enumerate(town.tolist(), 1)],
        town=town,
        demand=rng.permutation(np.arange(count) % len(DEMANDS)),
        capacity=rng.integers(*CAPACITIES, count),
        lat=places[:, 0],
        lon=places[:, 1],
        way=[str(rng.choice(WAYS)) for _ in range(count)],
    )


def counter_rows(counters: Counters) -> list[dict[str, str]]:
    """One line of the inventory for each."""
    return [
        device_row({
            "device_id": name, "kind": "counter", "model": "Induktionsschleife", "owner": TOWNS[town].owner,
            "town": TOWNS[town].town, "name": f"Zählschranke {name}", "lat": counters.lat[index],
            "lon": counters.lon[index], "site": counters.site_id(index), "supply": "permanent",
            "interval_s": INTERVAL_MS // 1000, "capacity": int(counters.capacity[index]),
        })
        for index, (name, town) in enumerate(zip(counters.ids, counters.town.tolist(), strict=True))
    ]  # fmt: skip


def counter_site_rows(counters: Counters) -> list[dict[str, str]]:
    """One line of the sites' file for each car park."""
    return [
        car_park_row(
            TOWNS[town], counters.site_id(index), f"Parkplatz mit Schranke {index + 1}",
            (float(counters.lat[index]), float(counters.lon[index])), int(counters.capacity[index]),
        )
        for index, town in enumerate(counters.town.tolist())
    ]  # fmt: skip


def draw_counter_faults(plan: Plan, counters: Counters) -> list[Fault]:
    """Loops that miss leaving cars; at most half of them, so that healthy ones are there to be mistaken."""
    rng = plan.random("gate faults")
    free = rng.permutation(len(counters)).tolist()
    faults = []
    for name in COUNTER_FAULTS:
        for _ in range(min(plan.count(name), len(counters) // 2)):
            index = free.pop()
            fault = Fault(name, counters.ids[index], np.array([index]), *draw_times(SORTS[name], plan, rng))
            fault.size = float(rng.uniform(*SORTS[name].sizes))
            faults.append(fault)
    return faults


def counter_batch(
    plan: Plan, region: Region, counters: Counters, faults: list[Fault], troubles: list[Fault], first_device: int
) -> Batch:
    """The totals that arrive; writes into each fault when its count is clearly wrong."""
    rng = plan.random("gate totals")
    count = len(counters)
    slots = (plan.end_ms - plan.start_ms) // INTERVAL_MS
    t_ms = plan.start_ms + rng.integers(0, INTERVAL_MS, (count, 1)) + np.arange(slots) * INTERVAL_MS
    entries, exits = np.zeros(t_ms.shape, np.float32), np.zeros(t_ms.shape, np.float32)
    for index in range(count):
        fault = next((one for one in faults if one.subject == counters.ids[index]), None)
        entries[index], exits[index] = _totals(plan, counters, index, t_ms[index], fault, rng)
    device = np.repeat(np.arange(count), slots)
    lost = lost_on_air(loss_shares(plan.loss, count, rng), slots, rng).ravel()
    heard = place_receivers(counters.lat, counters.lon, region.gateway_places, rng)
    sent = single_arrivals(t_ms.ravel(), device, heard, lost, troubles, rng)
    at = np.flatnonzero(sent.arrives)
    values: dict[str, Floats] = {
        "entries": entries.ravel()[at],
        "exits": exits.ravel()[at],
        "gateways": sent.gateways[at],
    }
    texts = {"gateway": sent.gateway[at].astype(np.int16)}
    return Batch(device[at] + first_device, t_ms.ravel()[at], sent.received_ms[at], values, texts)


def _totals(
    plan: Plan, counters: Counters, index: int, t_ms: Instants, fault: Fault | None, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """The two totals at these instants."""
    capacity = int(counters.capacity[index])
    cars = draw_changes(plan, np.full(capacity, counters.demand[index]), rng)
    came, left = np.sort(cars.t_ms[cars.occupied]), np.sort(cars.t_ms[~cars.occupied])
    usual = rng.uniform(*MISS_SHARES)
    sees_in, sees_out = rng.random(len(came)) >= usual, rng.random(len(left)) >= usual
    if fault is not None:
        during = (left >= fault.start_ms) & (left < fault.until_ms(plan.end_ms))
        sees_out &= ~(during & (rng.random(len(left)) < fault.size))
        inside = _number(came, t_ms) - _number(left, t_ms)
        wrong = _missed(left, sees_out, fault.start_ms, t_ms) - _missed(came, sees_in, fault.start_ms, t_ms)
        beyond = np.maximum(inside + wrong - capacity, -(inside + wrong)) > CLEAR_SHARE * capacity
        fault.observable_ms = int(t_ms[beyond.argmax()]) if beyond.any() else None
    begins = rng.integers(0, 60_000, 2).tolist()
    entries, exits = (
        _told(counters.way[index], seen, t_ms, plan.start_ms, begin)
        for seen, begin in zip((came[sees_in], left[sees_out]), begins, strict=True)
    )
    return entries, exits


def _number(passages_ms: Instants, t_ms: Instants) -> Numbers:
    """How many had passed until each instant."""
    return np.searchsorted(passages_ms, t_ms, side="right")


def _missed(passages_ms: Instants, seen: Flags, from_ms: int, t_ms: Instants) -> Numbers:
    """How many passed unseen between an instant and each of the others."""
    return _number(passages_ms[~seen & (passages_ms >= from_ms)], t_ms)


def _told(way: str, seen_ms: Instants, t_ms: Instants, start_ms: int, begin: int) -> Floats:
    """A total as the counter sends it: since it was built, since midnight, or in a register of 16 bits."""
    if way == "nightly":
        since_ms = np.maximum(t_ms // DAY_MS * DAY_MS, start_ms)
        return (_number(seen_ms, t_ms) - _number(seen_ms, since_ms)).astype(np.float32)
    total = begin + _number(seen_ms, t_ms) - _number(seen_ms, np.array([start_ms]))
    return (total % 2**16 if way == "16 bits" else total).astype(np.float32)
