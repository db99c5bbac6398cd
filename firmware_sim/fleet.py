"""Puts firmware behind every line of the inventory: devices, their way through the air, their radio sessions."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from firmware_sim.cabinet import Cabinet, Supply
from firmware_sim.counter import Counter
from firmware_sim.device import Device
from firmware_sim.inventory import DeviceRow
from firmware_sim.lamp import Lamp, Rating, Wiring
from firmware_sim.lorawan import RadioGateway, Session, receptions
from firmware_sim.outlines import TOWNS
from firmware_sim.parking import DEMANDS, Bay
from firmware_sim.profile import Timeline, parse_profile
from firmware_sim.radio import Link, Weather, own_loss
from firmware_sim.region import Region
from firmware_sim.settings import Settings
from firmware_sim.sos import Delivery, SosButton

FACTORY_TIME_MS = 946_684_800_000
"""2000-01-01: what a clock shows that was never set."""

YEARS_AHEAD_MS = 10 * 365 * 86_400_000


@dataclass
class Fleet:
    """Every simulated device by id, and what connects them."""

    devices: dict[str, Device] = field(default_factory=dict)
    links: dict[str, Link] = field(default_factory=dict)
    sessions: dict[str, Session] = field(default_factory=dict)
    circuits: dict[str, list[Lamp]] = field(default_factory=dict)
    gateways: dict[str, RadioGateway] = field(default_factory=dict)

    def heard_only_by(self, gateway: RadioGateway) -> list[str]:
        """The LoRaWAN devices that no other gateway hears."""
        return [
            device_id
            for device_id, session in self.sessions.items()
            if all(reception.gateway is gateway for reception in session.receptions)
        ]


class FleetBuilder:
    """Builds the fleet of a region; `retry_scale` stretches the SOS buttons' back-off in time-lapse."""

    def __init__(self, region: Region, settings: Settings, seed: int, start_ms: int, retry_scale: float) -> None:
        self.region = region
        self.settings = settings
        self.seed = seed
        self.start_ms = start_ms
        self.retry_scale = retry_scale
        self.fleet = Fleet()
        self._supplies: dict[str, Supply] = {}
        self._timelines: dict[tuple[str, str], Timeline] = {}

    def build(self) -> Fleet:
        """One device for each row of the inventory, except gateways, which only receive."""
        self.fleet.gateways = {gateway.gateway_id: gateway for gateway in self.region.gateways}
        for row in self.region.rows:
            if row.kind != "gateway":
                self._add(row)
        for row in self.region.rows:
            if row.kind == "lamp":
                self._wire(row)
        return self.fleet

    def _add(self, row: DeviceRow) -> None:
        rng = Random(f"{self.seed} device {row.device_id} {self.start_ms}")
        device = self._device(row, rng)
        self.fleet.devices[row.device_id] = device
        if row.dev_eui:
            device.keeps_backlog = False
            self._add_session(row)
        else:
            self._set_clock(device, rng)
            if row.kind != "sos":
                device.dropout = self.settings.radio.dropout
        self.fleet.links[row.device_id] = self._link(row, device)

    def _device(self, row: DeviceRow, rng: Random) -> Device:
        common = (row.device_id, row.town, rng, self.start_ms, int(row.interval_s) * 1000)
        if row.kind == "lamp":
            rating = Rating(float(row.nominal_w), float(row.min_dim_pct), float(row.min_w))
            wiring = Wiring(self._supply(row.cabinet), row.phase, row.supply != "permanent")
            return Lamp(*common, rating, wiring, self._timeline(row))
        if row.kind == "cabinet":
            return Cabinet(*common, self._supply(row.device_id))
        if row.kind == "parking":
            return Bay(*common, DEMANDS[self.region.demands[row.site]])
        if row.kind == "counter":
            return Counter(*common, DEMANDS[self.region.demands[row.site]], int(row.capacity))
        assert row.kind == "sos", f"no firmware for kind {row.kind!r}"
        presses = self.settings.life.presses_per_button_day
        return SosButton(*common, presses, None if row.dev_eui else self._delivery)

    def _delivery(self, rng: Random) -> Delivery:
        return Delivery(rng, self.retry_scale)

    def _supply(self, cabinet: str) -> Supply:
        if cabinet not in self._supplies:
            self._supplies[cabinet] = Supply(Random(f"{self.seed} supply {cabinet}"))
        return self._supplies[cabinet]

    def _timeline(self, row: DeviceRow) -> Timeline:
        """One timeline for all lamps of a town with the same profile: dusk differs by seconds within a town."""
        key = (row.town, row.profile)
        if key not in self._timelines:
            lat, lon = next(town.centre for town in TOWNS if town.town == row.town)
            self._timelines[key] = Timeline(parse_profile(row.profile), lat, lon, self.start_ms)
        return self._timelines[key]

    def _set_clock(self, device: Device, rng: Random) -> None:
        draw, shares = rng.random(), self.settings.shares
        if device.kind not in ("lamp", "parking"):
            return
        if draw < shares.no_clock:
            device.clock.exists = False
        elif draw < shares.no_clock + shares.bad_clock:
            wrong_ms = YEARS_AHEAD_MS if rng.random() < 0.5 else FACTORY_TIME_MS - self.start_ms
            device.clock.offset_ms += wrong_ms

    def _add_session(self, row: DeviceRow) -> None:
        place_rng = Random(f"{self.seed} place {row.device_id}")
        heard = receptions((row.lat, row.lon), self.region.gateways, place_rng)
        rng = Random(f"{self.seed} session {row.device_id} {self.start_ms}")
        self.fleet.sessions[row.device_id] = Session(
            row.dev_eui, row.device_id, row.town, row.kind, row.device_type, heard, rng
        )

    def _link(self, row: DeviceRow, device: Device) -> Link:
        radio = self.settings.radio
        loss = radio.lorawan_loss if row.dev_eui else radio.loss
        delay_ms = radio.lorawan_delay_ms if row.dev_eui else radio.delay_ms
        weather = Weather(loss, radio.duplicate, radio.reorder, delay_ms, radio.burst_messages)
        rng = Random(f"{self.seed} link {row.device_id} {self.start_ms}")
        hold_ms = 10_000 if row.kind == "sos" else device.interval_ms
        return Link(weather, own_loss(loss, rng), hold_ms, rng)

    def _wire(self, row: DeviceRow) -> None:
        lamp, cabinet = self.fleet.devices[row.device_id], self.fleet.devices[row.cabinet]
        assert isinstance(lamp, Lamp) and isinstance(cabinet, Cabinet)
        cabinet.loads[row.phase].append(lamp)
        self.fleet.circuits.setdefault(f"circuit:{row.cabinet}/{row.circuit}", []).append(lamp)
