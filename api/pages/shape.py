"""The region as an SVG drawing: the towns' outlines and devices on them, in one projection.

The outlines are those of api/static/towns.geojson (© GeoBasis-DE / BKG 2021, changed). Equal lengths look equal in
the middle of the region; at its edges they are off by less than 0.3 %.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from math import cos, radians

from api.pages.static_files import OWN
from core.town import TOWNS

WIDTH = 1000
MARGIN = 16
WEST, EAST, SOUTH, NORTH = 12.402, 12.694, 51.205, 51.421
_SCALE_X = (WIDTH - 2 * MARGIN) / (EAST - WEST)
_SCALE_Y = _SCALE_X / cos(radians((SOUTH + NORTH) / 2))
HEIGHT = round((NORTH - SOUTH) * _SCALE_Y) + 2 * MARGIN
ATTRIBUTION = "© GeoBasis-DE / BKG 2021 (Daten verändert)"

# Where a name stands well inside its outline; the middle of a crooked outline may lie outside of it.
_LABELS = {
    "borsdorf": (51.3490, 12.5370),
    "brandis": (51.3270, 12.6180),
    "grosspoesna": (51.2590, 12.4760),
    "naunhof": (51.2790, 12.5900),
    "belgershain": (51.2350, 12.5500),
    "parthenstein": (51.2470, 12.6260),
    "machern": (51.3770, 12.6260),
}


@dataclass(frozen=True)
class Outline:
    """A town in the drawing: its path, and where its name stands."""

    town: str
    name: str
    path: str
    label_x: int
    label_y: int


def place(lat: float, lon: float) -> tuple[int, int]:
    """Where a place is in the drawing."""
    return round(MARGIN + (lon - WEST) * _SCALE_X), round(MARGIN + (NORTH - lat) * _SCALE_Y)


@cache
def outlines() -> tuple[Outline, ...]:
    """The seven towns in the platform's order."""
    features = json.loads((OWN / "towns.geojson").read_text(encoding="utf-8"))["features"]
    rings = {one["properties"]["town"]: one["geometry"]["coordinates"] for one in features}
    found = []
    for town in TOWNS:
        path = "".join(_ring(ring) for polygon in rings[town.id] for ring in polygon)
        x, y = place(*_LABELS[town.id])
        found.append(Outline(town.id, town.name, path, x, y))
    return tuple(found)


def _ring(ring: Iterable[tuple[float, float]]) -> str:
    points = [place(lat, lon) for lon, lat in ring]
    return "M" + "L".join(f"{x} {y}" for x, y in points) + "Z"


def dots(places: Iterable[tuple[float, float]], grid: int = 1) -> str:
    """A path of dots (drawn by a stroke with round caps); those that fall on one square of `grid` become one."""
    return "".join(f"M{x} {y}h0" for x, y in _squares(places, grid))


def diamonds(places: Iterable[tuple[float, float]], radius: int = 9, grid: int = 4) -> str:
    """A path of diamonds, for what needs somebody; as coarse as `dots`."""
    r = radius
    return "".join(f"M{x} {y - r}l{r} {r}-{r} {r}-{r}-{r}z" for x, y in _squares(places, grid))


def triangles(places: Iterable[tuple[float, float]], radius: int = 9, grid: int = 8) -> str:
    """A path of triangles, for what is no longer heard; as coarse as `dots`."""
    r = radius
    return "".join(f"M{x} {y - r}l{r} {2 * r}h-{2 * r}z" for x, y in _squares(places, grid))


def _squares(places: Iterable[tuple[float, float]], grid: int) -> list[tuple[int, int]]:
    return sorted({(x // grid * grid, y // grid * grid) for x, y in (place(*one) for one in places)})
