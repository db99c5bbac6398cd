"""The whole play: region, faults, blocks of lamps, cabinets, bays and buttons, sorted by arrival."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from firmware_sim.physics.bays import bay_batch, bay_rows, build_bays, site_rows
from firmware_sim.physics.buttons import EVENTS, button_batch, button_rows
from firmware_sim.physics.cabinet_faults import draw_cabinet_faults
from firmware_sim.physics.cabinets import add_power, cabinet_batch
from firmware_sim.physics.cells import Cells
from firmware_sim.physics.controllers import Controllers, build_controllers
from firmware_sim.physics.counters import (
    build_counters,
    counter_batch,
    counter_rows,
    counter_site_rows,
    draw_counter_faults,
)
from firmware_sim.physics.events import draw_circuit_events, draw_gateway_troubles, window_rows
from firmware_sim.physics.faults import Fault, draw_faults
from firmware_sim.physics.group_control import build_streets, draw_street_faults, street_batch, street_rows
from firmware_sim.physics.inventory_rows import cabinet_rows, gateway_rows, lamp_rows
from firmware_sim.physics.lamps import cut_lines, energy_wh, give_orders, light_w
from firmware_sim.physics.mains import cabinet_volts, lamp_volts
from firmware_sim.physics.measure import lamp_values
from firmware_sim.physics.observe import drop_unseen, find_observable, truth_rows
from firmware_sim.physics.plan import Doubles, Floats, Plan, check_plan
from firmware_sim.physics.played import Batch, Played, sorted_columns
from firmware_sim.physics.radio import arrivals
from firmware_sim.physics.region import Region, build_region
from firmware_sim.physics.solar import draw_batteries
from firmware_sim.physics.warmth import driver_c, tilt_deg, weather

BLOCK_CELLS = 600_000
"""So many cells at once stay near the processor."""


@dataclass
class _Stage:
    """What the blocks of lamps share."""

    plan: Plan
    region: Region
    controllers: Controllers
    faults: Sequence[Fault]
    troubles: Sequence[Fault]
    at_cabinets: Floats
    outdoor_c: Doubles
    gusts: Doubles
    cabinet_w: Floats

    def play(self, first: int, last: int) -> Batch:
        """The readings of lamps `first` to `last` that arrive."""
        rng = self.plan.random("lamps", first)
        cells = Cells(self.plan, self.region, self.controllers, self.faults, first, last, rng)
        cells.lay_out()
        give_orders(cells)
        cut_lines(cells)
        volts = lamp_volts(cells, self.at_cabinets)
        watts = light_w(cells, volts)
        add_power(cells, watts, self.cabinet_w)
        heat = driver_c(cells, watts, self.outdoor_c)
        values = lamp_values(cells, watts, volts, heat, tilt_deg(cells, self.gusts), energy_wh(cells, watts))
        return self._arrived(cells, values)

    def _arrived(self, cells: Cells, values: dict[str, Floats]) -> Batch:
        controllers, rows = self.controllers, cells.rows
        heard = self.region.lamps.heard.rows(rows)
        sent = arrivals(cells.t_ms, heard, controllers.loss[rows], self.troubles, cells.between, cells.rng)
        at = np.flatnonzero(sent.arrives & cells.speaks)
        device = np.repeat(rows, self.plan.slots)[at]
        received = sent.received_ms.ravel()[at]
        # What has no clock is stamped by the gateway that heard it.
        t_ms = cells.t_ms.ravel()[at] + np.where(controllers.no_clock[device], 0, controllers.clock_ms[device])
        columns = {name: column.ravel()[at] for name, column in values.items()}
        columns["gateways"] = sent.gateways.ravel()[at]
        return Batch(device, t_ms, received, columns, {"gateway": sent.gateway.ravel()[at].astype(np.int16)})


def play(plan: Plan) -> Played:
    """Everything the plan asks for; the same plan gives the same bytes. A ValueError says what is wrong with it."""
    check_plan(plan)
    region = build_region(plan)
    controllers = build_controllers(plan, region)
    faults = draw_faults(plan, region, controllers)
    faults += draw_cabinet_faults(plan, region, controllers, faults)
    faults += draw_batteries(plan, region, {int(row) for fault in faults for row in fault.rows})
    events = draw_circuit_events(plan, region, faults)
    troubles = draw_gateway_troubles(plan, region)
    batches = _lamp_batches(plan, region, controllers, [*faults, *events], troubles)
    faults += [trouble for trouble in troubles if trouble.name == "gateway_down"]
    find_observable(region, faults, plan)
    streets = build_streets(plan)
    street_faults = draw_street_faults(plan, streets)
    drop_unseen(street_faults, plan)
    faults += street_faults
    explained = [event for event in [*events, *troubles] if event.name != "gateway_down"]
    inventory = [*lamp_rows(plan, region), *cabinet_rows(plan, region), *gateway_rows(region)]
    batches.append(street_batch(plan, streets, street_faults, len(inventory)))
    inventory += street_rows(plan, streets)
    smaller = _play_smaller_part(plan, region, troubles, len(inventory))
    inventory += smaller.inventory
    columns = sorted_columns([*batches, *smaller.batches], {"gateway": tuple(region.gateway_ids), "event": EVENTS})
    return Played(
        inventory, smaller.sites, [row["device_id"] for row in inventory], *columns, windows=window_rows(events),
        truth=_by_start(truth_rows(faults, region.lamp_ids), smaller.truth),
        events=_by_start(truth_rows(explained, region.lamp_ids), smaller.events),
    )  # fmt: skip


@dataclass
class _SmallerPart:
    """Bays, counters and buttons: what they add."""

    inventory: list[dict[str, str]] = field(default_factory=list)
    sites: list[dict[str, str]] = field(default_factory=list)
    batches: list[Batch] = field(default_factory=list)
    truth: list[dict[str, str]] = field(default_factory=list)
    events: list[dict[str, str]] = field(default_factory=list)


def _play_smaller_part(plan: Plan, region: Region, troubles: list[Fault], first_device: int) -> _SmallerPart:
    part = _SmallerPart()
    if plan.bays:
        bays = build_bays(plan)
        part.inventory, part.sites = bay_rows(bays), site_rows(bays)
        batch, faults, events = bay_batch(plan, region, bays, troubles, first_device)
        drop_unseen(faults, plan)
        part.batches.append(batch)
        part.truth, part.events = truth_rows(faults, bays.ids), truth_rows(events, bays.ids)
    if plan.counters:
        _add_counters(part, plan, region, troubles, first_device)
    if plan.buttons:
        rows = button_rows(plan)
        ids = [row["device_id"] for row in rows]
        batch, faults = button_batch(plan, ids, first_device + len(part.inventory))
        drop_unseen(faults, plan)
        part.inventory += rows
        part.batches.append(batch)
        part.truth += truth_rows(faults, ids)
    return part


def _add_counters(part: _SmallerPart, plan: Plan, region: Region, troubles: list[Fault], first_device: int) -> None:
    counters = build_counters(plan)
    faults = draw_counter_faults(plan, counters)
    part.batches.append(counter_batch(plan, region, counters, faults, troubles, first_device + len(part.inventory)))
    drop_unseen(faults, plan)
    part.inventory += counter_rows(counters)
    part.sites += counter_site_rows(counters)
    part.truth += truth_rows(faults, counters.ids)


def _by_start(*groups: list[dict[str, str]]) -> list[dict[str, str]]:
    rows = [row for group in groups for row in group]
    return sorted(rows, key=lambda row: (row["start"], row["fault"], row["subject"]))


def _lamp_batches(
    plan: Plan, region: Region, controllers: Controllers, happenings: Sequence[Fault], troubles: Sequence[Fault]
) -> list[Batch]:
    """All lamps block by block, then the cabinets that feed them."""
    count = len(region.lamps)
    if not count:
        return []
    cabinets = len(region.cabinet_ids)
    at_cabinets = cabinet_volts(plan, cabinets)
    stage = _Stage(
        plan, region, controllers, happenings, troubles, at_cabinets, *weather(plan),
        np.zeros((cabinets * 3, plan.slots), np.float32),
    )  # fmt: skip
    step = max(1, BLOCK_CELLS // plan.slots)
    batches = [stage.play(first, min(first + step, count)) for first in range(0, count, step)]
    return [*batches, cabinet_batch(plan, region, stage.cabinet_w, at_cabinets, happenings, count)]
