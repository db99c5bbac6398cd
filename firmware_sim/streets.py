"""Streets with lamps: cabinets, circuits, poles and what the type plates say, for one town."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

from firmware_sim.inventory import DeviceRow
from firmware_sim.outlines import Point, Town, anywhere, contains, moved, near
from firmware_sim.settings import Settings

POLE_DISTANCE_M = 32.0

# Common street names; which one stands where is invented.
STREETS = (
    "Hauptstraße", "Bahnhofstraße", "Leipziger Straße", "Grimmaische Straße", "Lindenstraße", "Gartenstraße",
    "Schulstraße", "Kirchgasse", "Mühlenweg", "Am Anger", "Parthenaue", "Wiesenweg", "Ringstraße", "Feldstraße",
    "Birkenweg", "Ahornweg", "Waldstraße", "Teichstraße", "Dorfstraße", "Siedlungsweg", "Südstraße", "Nordstraße",
    "August-Bebel-Straße", "Goethestraße", "Schillerstraße", "Lutherstraße", "Rosenweg", "Fliederweg", "Amselweg",
    "Am Sportplatz", "Zur Aue", "Alte Poststraße", "Wurzener Straße", "Ammelshainer Weg", "Gewerbering",
)  # fmt: skip

PROFILES = (
    "",
    "100@dusk;50@23:00;100@05:00;0@dawn",
    "100@dusk;50@22:00;30@00:00;100@04:30;0@dawn",
    "Fr-Sa:100@dusk;50@01:00;100@06:00;0@dawn|Su-Th:100@dusk;50@23:00;100@05:00;0@dawn",
)
HALF_NIGHT_PROFILE = "100@dusk;0@23:00;100@05:00;0@dawn"


@dataclass(frozen=True)
class Model:
    """A luminaire with its plate: nominal power, lowest dim step, power there."""

    name: str
    nominal_w: float
    min_dim_pct: int
    min_w: float


# Invented names; powers as usual for LED street lights of village roads up to a main road.
MODELS = (
    Model("LED-Mastleuchte 18", 18.0, 10, 3.4),
    Model("LED-Mastleuchte 27", 27.0, 10, 4.6),
    Model("LED-Ansatzleuchte 36", 36.0, 10, 5.8),
    Model("LED-Ansatzleuchte 52", 52.0, 20, 12.5),
    Model("LED-Hauptstraße 74", 74.0, 20, 17.0),
)


@dataclass(frozen=True)
class _Circuit:
    """What all lamps of a circuit share."""

    cabinet: str
    number: int
    street: str
    model: Model
    profile: str
    supply: str


class TownLighting:
    """Lays out one town's cabinets, circuits and lamps."""

    def __init__(self, town: Town, ring: list[Point], rng: Random) -> None:
        self._town = town
        self._ring = ring
        self._rng = rng
        self._rows: list[DeviceRow] = []
        self._lamps = 0
        self._streets: list[str] = []

    def build(self, lamps: int, settings: Settings) -> list[DeviceRow]:
        """The rows of the town's cabinets, each followed by its lamps."""
        sizes = settings.sizes
        per_cabinet = sizes.lamps_per_circuit * sizes.circuits_per_cabinet
        quarters = self._quarters(1 + lamps // 180)
        for cabinet in range(1, math.ceil(lamps / per_cabinet) + 1):
            quarter, reach_m = self._rng.choice(quarters)
            place = near(quarter, reach_m, self._ring, self._rng)
            self._add_cabinet(cabinet, place, min(per_cabinet, lamps - self._lamps), settings)
        return self._rows

    def _quarters(self, count: int) -> list[tuple[Point, float]]:
        """The middle of the town three times, and villages around it, each with how far it reaches in metres."""
        villages = [(anywhere(self._ring, self._rng), 150.0) for _ in range(count)]
        return [(self._town.centre, 450.0)] * (count + 1) + villages

    def _add_cabinet(self, number: int, place: Point, lamps: int, settings: Settings) -> None:
        cabinet = f"{self._town.prefix}-C{number:02d}"
        rows_before = len(self._rows)
        for circuit in range(1, math.ceil(lamps / settings.sizes.lamps_per_circuit) + 1):
            plan = self._plan_circuit(cabinet, circuit, settings)
            done = (circuit - 1) * settings.sizes.lamps_per_circuit
            self._add_lamps(plan, place, min(settings.sizes.lamps_per_circuit, lamps - done))
        row = DeviceRow(
            device_id=cabinet, kind="cabinet", model="Schaltschrank mit Zähler", owner=self._town.owner,
            town=self._town.town, name=f"Schaltschrank {self._town.name} {number}", lat=place[0], lon=place[1],
            street=self._rows[rows_before].street, supply="permanent", interval_s="900", cabinet=cabinet,
        )  # fmt: skip
        self._rows.insert(rows_before, row)

    def _plan_circuit(self, cabinet: str, number: int, settings: Settings) -> _Circuit:
        rng, shares = self._rng, settings.shares
        profile, supply, draw = rng.choice(PROFILES), "permanent", rng.random()
        if draw < shares.switched_dusk:
            supply = "switched_dusk"
        elif draw < shares.switched_dusk + shares.switched_halfnight:
            profile, supply = HALF_NIGHT_PROFILE, "switched_halfnight"
        model = rng.choices(MODELS, (4, 4, 3, 2, 1))[0]
        return _Circuit(cabinet, number, self._next_street(), model, profile, supply)

    def _next_street(self) -> str:
        if not self._streets:
            self._streets = list(STREETS)
            self._rng.shuffle(self._streets)
        return self._streets.pop()

    def _add_lamps(self, circuit: _Circuit, start: Point, lamps: int) -> None:
        place, heading = start, self._rng.uniform(0.0, 2 * math.pi)
        for at in range(lamps):
            place, heading = self._next_pole(place, heading)
            self._lamps += 1
            self._rows.append(self._lamp_row(circuit, place, f"L{at % 3 + 1}"))

    def _next_pole(self, place: Point, heading: float) -> tuple[Point, float]:
        """The next pole along the street, and where the street leads; it turns away from the town's border."""
        for turn in range(24):
            bent = heading + self._rng.gauss(0.0, 0.05) + turn * math.pi / 12 * (-1) ** turn
            step_m = POLE_DISTANCE_M + self._rng.gauss(0.0, 1.5)
            following = moved(place, step_m * math.sin(bent), step_m * math.cos(bent))
            if contains(self._ring, following):
                return following, bent
        return place, heading

    def _lamp_row(self, circuit: _Circuit, place: Point, phase: str) -> DeviceRow:
        town, model = self._town, circuit.model
        return DeviceRow(
            device_id=f"{town.prefix}-L{self._lamps:04d}", kind="lamp", model=model.name, owner=town.owner,
            town=town.town, name=f"Leuchte {self._lamps} {circuit.street}", lat=place[0], lon=place[1],
            street=circuit.street, pole=f"{self._lamps:04d}", cabinet=circuit.cabinet, circuit=str(circuit.number),
            phase=phase, supply=circuit.supply, nominal_w=f"{model.nominal_w:g}", min_dim_pct=str(model.min_dim_pct),
            min_w=f"{model.min_w:g}", interval_s="900", profile=circuit.profile,
        )  # fmt: skip
