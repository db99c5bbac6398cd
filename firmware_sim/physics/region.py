"""Where the lamps hang: gateways, cabinets with circuits on three phases, lamps along them, as columns."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from firmware_sim.outlines import TOWNS, shared_out
from firmware_sim.physics.models import MODELS, SOLAR, Model
from firmware_sim.physics.nights import (
    DIMMED_INDEXES,
    FULL_NIGHT,
    FULL_NIGHT_INDEX,
    HALF_NIGHT_INDEX,
    PROFILES,
    WEEKEND_INDEX,
    Nights,
    lay_out,
)
from firmware_sim.physics.plan import Doubles, Floats, Numbers, Plan
from firmware_sim.physics.receivers import Receivers, place_receivers

ALL_MODELS = (*MODELS, SOLAR)
SOLAR_INDEX = len(MODELS)
SOLAR_SHARE = 0.02
SUPPLIES = ("permanent", "switched_dusk", "switched_halfnight")
CIRCUIT_LAMPS = (8, 60)
LAMP_DISTANCE_M = 32.0
METRES_PER_DEGREE = 111_320.0


@dataclass(frozen=True)
class Circuits:
    """One entry for each circuit: where its lamps begin and end, its cabinet (an index), its name and its supply."""

    first: Numbers
    last: Numbers
    cabinet: Numbers
    number: Numbers
    town: Numbers
    supply: Numbers

    def rows(self, circuit: int) -> Numbers:
        """The lamps on one circuit."""
        return np.arange(self.first[circuit], self.last[circuit])


@dataclass(frozen=True)
class Lamps:
    """One entry for each lamp. `circuit` -1 marks a solar lamp; `night` counts the entries of `Region.nights`."""

    circuit: Numbers
    phase: Numbers
    town: Numbers
    model: Numbers
    profile: Numbers
    night: Numbers
    supply: Numbers
    lat: Doubles
    lon: Doubles
    tolerance: Floats
    standby_w: Floats
    heard: Receivers

    def plate(self, name: str) -> Floats:
        """A field of the models, one number for each lamp."""
        return np.array([float(getattr(model, name)) for model in ALL_MODELS], np.float32)[self.model]

    def __len__(self) -> int:
        return len(self.circuit)


@dataclass
class Region:
    """What stands where, and the nights of each profile in each town."""

    lamps: Lamps
    circuits: Circuits
    cabinet_ids: list[str]
    lamp_ids: list[str]
    gateway_ids: list[str]
    gateway_places: Doubles
    span_ms: tuple[int, int]
    nights: list[Nights] = field(default_factory=list)

    def circuit_subject(self, circuit: int) -> str:
        """The subject of a circuit."""
        return f"circuit:{self.circuit_path(circuit)}"

    def circuit_path(self, circuit: int) -> str:
        """Cabinet and circuit, as subjects name them."""
        return f"{self.cabinet_ids[int(self.circuits.cabinet[circuit])]}/K{int(self.circuits.number[circuit])}"

    def nights_of(self, lamp: int) -> Nights:
        """What one lamp is told."""
        return self.nights[int(self.lamps.night[lamp])]

    def full_night_of(self, lamp: int) -> Nights:
        """What it would be told if its profile were lost: light from dusk to dawn."""
        return lay_out(FULL_NIGHT, TOWNS[int(self.lamps.town[lamp])].centre, *self.span_ms)

    def model_of(self, lamp: int) -> Model:
        """The lamp's type."""
        return ALL_MODELS[int(self.lamps.model[lamp])]


def build_region(plan: Plan) -> Region:
    """The region of the plan's seed; without lamps it has towns and gateways only."""
    rng = plan.random("region")
    gateway_ids, gateway_places = _gateways(plan, rng)
    span_ms = (plan.start_ms, plan.end_ms)
    solar = round(plan.lamps * SOLAR_SHARE)
    circuits, cabinets = _circuits(plan.lamps - solar, rng)
    lamps = _lamps(circuits, cabinets, solar, gateway_places, rng)
    region = Region(lamps, circuits, *_names(cabinets, lamps.town), gateway_ids, gateway_places, span_ms)
    keys, lamps.night[:] = np.unique(lamps.town * len(PROFILES) + lamps.profile, return_inverse=True)
    region.nights = [
        lay_out(PROFILES[key % len(PROFILES)], TOWNS[key // len(PROFILES)].centre, *span_ms) for key in keys.tolist()
    ]
    return region


def _gateways(plan: Plan, rng: np.random.Generator) -> tuple[list[str], Doubles]:
    count = max(len(TOWNS), round(plan.lamps / 140))
    centres = np.array([TOWNS[number % len(TOWNS)].centre for number in range(count)])
    places = centres + rng.normal(0.0, 450.0 / METRES_PER_DEGREE, (count, 2)) * (1.0, 1.6)
    names = [f"gw-{TOWNS[number % len(TOWNS)].town}-{number // len(TOWNS) + 1}" for number in range(count)]
    return names, places


def _circuits(lamps: int, rng: np.random.Generator) -> tuple[Circuits, Numbers]:
    """The circuits, and the town of each cabinet."""
    least, most = CIRCUIT_LAMPS
    sizes = np.clip(np.round(rng.lognormal(3.2, 0.5, lamps // least + 1)), least, most).astype(np.int64)
    ends = np.minimum(np.cumsum(sizes), lamps)
    ends = ends[: int(np.searchsorted(ends, lamps)) + 1] if lamps else ends[:0]
    if len(ends) > 1 and ends[-1] - ends[-2] < least:
        ends = np.delete(ends, -2)
    firsts = np.concatenate([[0], ends[:-1]]).astype(np.int64)[: len(ends)]
    held = np.cumsum(rng.integers(1, 4, len(ends) + 1))
    cabinet = np.searchsorted(held, np.arange(len(ends)), side="right").astype(np.int64)
    starts = np.concatenate([[0], held])
    cabinets = int(cabinet[-1]) + 1 if len(ends) else 0
    shares = shared_out(cabinets, [town.population for town in TOWNS])
    towns = np.repeat(np.arange(len(TOWNS)), shares)
    supply = rng.choice(3, len(ends), p=(0.74, 0.17, 0.09))
    number = np.arange(len(ends)) - starts[cabinet] + 1
    return Circuits(firsts, ends, cabinet, number, towns[cabinet], supply), towns


def _lamps(
    circuits: Circuits, cabinets: Numbers, solar: int, gateway_places: Doubles, rng: np.random.Generator
) -> Lamps:
    sizes = circuits.last - circuits.first
    circuit = np.repeat(np.arange(len(sizes)), sizes)
    position = np.arange(len(circuit)) - circuits.first[circuit]
    usual = rng.choice(len(MODELS), len(sizes), p=[model.share for model in MODELS])
    model = np.where(rng.random(len(circuit)) < 0.85, usual[circuit], rng.choice(len(MODELS), len(circuit)))
    supply = circuits.supply[circuit]
    profile = _profiles(circuits, circuit, position, model, rng)
    lat, lon = _along(circuits, cabinets, circuit, position, rng)
    towns = np.concatenate([circuits.town[circuit], rng.integers(0, len(TOWNS), solar)])
    centres = np.array([town.centre for town in TOWNS])[towns[len(circuit) :]].reshape(-1, 2)
    stops = centres + rng.normal(0.0, 700.0 / METRES_PER_DEGREE, centres.shape)
    total = len(towns)
    tolerance = np.clip(rng.normal(1.0, 0.018, total), 0.94, 1.06)
    tolerance[rng.random(total) < 0.01] = 0.92  # weak from the factory, and fine
    lat, lon = np.concatenate([lat, stops[:, 0]]), np.concatenate([lon, stops[:, 1]])
    filler = np.zeros(solar, np.int64)
    return Lamps(
        circuit=np.concatenate([circuit, filler - 1]),
        phase=np.concatenate([position % 3, filler]),
        town=towns,
        model=np.concatenate([model, filler + SOLAR_INDEX]),
        profile=np.concatenate([profile, filler + DIMMED_INDEXES[1]]),
        night=np.zeros(total, np.int64),
        supply=np.concatenate([supply, filler]),
        lat=lat,
        lon=lon,
        tolerance=tolerance.astype(np.float32),
        standby_w=rng.uniform(0.3, 1.1, total).astype(np.float32),
        heard=place_receivers(lat, lon, gateway_places, rng),
    )


def _profiles(
    circuits: Circuits, circuit: Numbers, position: Numbers, model: Numbers, rng: np.random.Generator
) -> Numbers:
    """One profile for a circuit; on some every second lamp is off at night; what can't dim burns all night."""
    count = len(circuits.supply)
    choices = np.array([FULL_NIGHT_INDEX, HALF_NIGHT_INDEX, *DIMMED_INDEXES, WEEKEND_INDEX])
    mixed = rng.choice(choices, count, p=(0.24, 0.08, *([0.14] * len(DIMMED_INDEXES)), 0.12))
    dusk = rng.choice(choices[[0, *range(2, 2 + len(DIMMED_INDEXES))]], count)
    half = rng.choice([HALF_NIGHT_INDEX, WEEKEND_INDEX], count)
    usual = np.choose(circuits.supply, [mixed, dusk, half])
    profile = usual[circuit]
    alternate = (rng.random(count) < 0.25) & (circuits.supply == 0)
    profile = np.where(alternate[circuit] & (position % 2 == 1), HALF_NIGHT_INDEX, profile)
    stiff = np.array([not known.dims for known in MODELS])[model] & np.isin(profile, DIMMED_INDEXES)
    return np.where(stiff, FULL_NIGHT_INDEX, profile)


def _along(
    circuits: Circuits, cabinets: Numbers, circuit: Numbers, position: Numbers, rng: np.random.Generator
) -> tuple[Doubles, Doubles]:
    """Lamps stand in a row from their cabinet on, each circuit in its own direction."""
    centres = np.array([town.centre for town in TOWNS])[cabinets].reshape(-1, 2)
    stands = centres + rng.normal(0.0, 700.0 / METRES_PER_DEGREE, centres.shape) * (1.0, 1.6)
    heading = rng.uniform(0, 2 * np.pi, len(circuits.first))[circuit]
    away_deg = (position + 1) * LAMP_DISTANCE_M / METRES_PER_DEGREE
    start = stands[circuits.cabinet[circuit]].reshape(-1, 2)
    return start[:, 0] + away_deg * np.sin(heading), start[:, 1] + 1.6 * away_deg * np.cos(heading)


def _names(cabinets: Numbers, lamp_towns: Numbers) -> tuple[list[str], list[str]]:
    cabinet_ids = [f"{TOWNS[town].prefix}-C{number:02d}" for town, number in _numbered(cabinets)]
    lamp_ids = [f"{TOWNS[town].prefix}-L{number:04d}" for town, number in _numbered(lamp_towns)]
    return cabinet_ids, lamp_ids


def _numbered(towns: Numbers) -> list[tuple[int, int]]:
    """Each with its number within its town, from 1."""
    order = np.argsort(towns, kind="stable")
    numbers = np.empty(len(towns), np.int64)
    edges = np.searchsorted(towns[order], np.arange(len(TOWNS) + 1))
    for begin, end in pairwise(edges.tolist()):
        numbers[order[begin:end]] = np.arange(1, end - begin + 1)
    return list(zip(towns.tolist(), numbers.tolist(), strict=True))
