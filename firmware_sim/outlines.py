"""The outlines of the seven municipalities and the little geometry the simulator needs."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

OUTLINES_PATH = Path(__file__).parent / "data" / "partheland_vg5000.geojson"
METRES_PER_DEGREE = 111_320.0

Point = tuple[float, float]
"""(lat, lon) in degrees, WGS84."""


@dataclass(frozen=True)
class Town:
    """One municipality: its id in topics and files, its prefix in device ids, and its people (Destatis, 2018-12-31)."""

    town: str
    prefix: str
    name: str
    owner: str
    zip_code: str
    population: int
    centre: Point


TOWNS = (
    Town("borsdorf", "BOR", "Borsdorf", "Gemeinde Borsdorf", "04451", 8265, (51.347926, 12.538822)),
    Town("brandis", "BRA", "Brandis", "Stadt Brandis", "04821", 9613, (51.333915, 12.609467)),
    Town("grosspoesna", "GRO", "Großpösna", "Gemeinde Großpösna", "04463", 5301, (51.270633, 12.502563)),
    Town("naunhof", "NAU", "Naunhof", "Stadt Naunhof", "04683", 8735, (51.278107, 12.587583)),
    Town("belgershain", "BEL", "Belgershain", "Gemeinde Belgershain", "04683", 3334, (51.23412, 12.549364)),
    Town("parthenstein", "PAR", "Parthenstein", "Gemeinde Parthenstein", "04668", 3483, (51.252814, 12.63711)),
    Town("machern", "MAC", "Machern", "Gemeinde Machern", "04827", 6664, (51.358963, 12.628959)),
)


def load_outlines(path: Path = OUTLINES_PATH) -> dict[str, list[Point]]:
    """Town id -> outer ring as (lat, lon) points, first point repeated at the end."""
    features = json.loads(path.read_text(encoding="utf-8"))["features"]
    rings = {
        feature["properties"]["name"]: [(lat, lon) for lon, lat in feature["geometry"]["coordinates"][0][0]]
        for feature in features
    }
    return {town.town: rings[town.name] for town in TOWNS}


def contains(ring: list[Point], point: Point) -> bool:
    """Whether the point lies inside the ring (even-odd rule; a point exactly on the edge may be either)."""
    lat, lon = point
    inside = False
    for (lat_a, lon_a), (lat_b, lon_b) in itertools.pairwise(ring):
        if (lat_a > lat) != (lat_b > lat) and lon < lon_a + (lat - lat_a) / (lat_b - lat_a) * (lon_b - lon_a):
            inside = not inside
    return inside


def moved(point: Point, east_m: float, north_m: float) -> Point:
    """The point so many metres further east and north; good to a metre over a few kilometres."""
    lat, lon = point
    return (
        lat + north_m / METRES_PER_DEGREE,
        lon + east_m / (METRES_PER_DEGREE * math.cos(math.radians(lat))),
    )


def distance_m(a: Point, b: Point) -> float:
    """Distance in metres on a flat map around the two points, enough for a region of 30 km."""
    north_m = (a[0] - b[0]) * METRES_PER_DEGREE
    east_m = (a[1] - b[1]) * METRES_PER_DEGREE * math.cos(math.radians((a[0] + b[0]) / 2))
    return math.hypot(north_m, east_m)


def near(centre: Point, reach_m: float, ring: list[Point], rng: Random) -> Point:
    """A point around the centre (normally distributed by `reach_m`) that lies inside the ring."""
    for _ in range(1000):
        point = moved(centre, rng.gauss(0.0, reach_m), rng.gauss(0.0, reach_m))
        if contains(ring, point):
            return point
    raise ValueError(f"no place within {reach_m:.0f} m of {centre} lies inside the outline")


def anywhere(ring: list[Point], rng: Random) -> Point:
    """A point somewhere inside the ring."""
    lats, lons = [point[0] for point in ring], [point[1] for point in ring]
    while True:
        point = (rng.uniform(min(lats), max(lats)), rng.uniform(min(lons), max(lons)))
        if contains(ring, point):
            return point


def shared_out(total: int, weights: Sequence[int]) -> list[int]:
    """The total in whole parts by weight; the largest remainders get what is left over."""
    whole = sum(weights)
    parts = [total * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda at: (-(total * weights[at] % whole), at))
    for at in by_remainder[: total - sum(parts)]:
        parts[at] += 1
    return parts
