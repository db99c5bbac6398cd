"""Values aggregated over a town: ?location=naunhof&sensor=temperature&aggregation=median."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from api.datahub.partheland_api.errors import not_found, wrong
from api.datahub.partheland_api.types import MEASURING
from api.datahub.partheland_api.units import SENSORS
from api.datahub.partheland_api.view import Seen
from api.problems import shown
from core.town import TOWNS

DIGITS = 4
COORDINATE_DIGITS = 6
EVERYWHERE = "*"


@dataclass(frozen=True, slots=True)
class Taken:
    """One device's value of the sensor that was asked for."""

    device_id: str
    coordinates: tuple[float, float]
    value: float
    timestamp: str


@dataclass(frozen=True, slots=True)
class Location:
    """One town's value; `devices` are those it was made of, `coordinates` the middle of them."""

    name: str
    sensor: str
    aggregation: str
    coordinates: tuple[float, float]
    value: float
    unit: str
    devices: list[str]


@dataclass(frozen=True)
class Wanted:
    """The three parameters as they were sent; '' counts as not sent."""

    location: str | None
    sensor: str | None
    aggregation: str | None

    @property
    def is_given(self) -> bool:
        """Whether the question is about locations at all."""
        return bool(self.location or self.sensor or self.aggregation)


def _newest(taken: Sequence[Taken]) -> float:
    return max(taken, key=lambda one: (one.timestamp, one.device_id)).value


def _of_values(function: Callable[[list[float]], float]) -> Callable[[Sequence[Taken]], float]:
    return lambda taken: function([one.value for one in taken])


AGGREGATIONS: Mapping[str, Callable[[Sequence[Taken]], float]] = {
    "median": _of_values(statistics.median),
    "mean": _of_values(statistics.fmean),
    "min": _of_values(min),
    "max": _of_values(max),
    "latest": _newest,
}
_TOWN_OF = {word.casefold(): town.id for town in TOWNS for word in (town.id, town.name)}


def check(wanted: Wanted) -> None:
    """Refuse what can't be aggregated, with the region's codes."""
    if not (wanted.location and wanted.sensor):
        missing = [name for name in ("location", "sensor") if not getattr(wanted, name)]
        message = f"Für eine Standort-Aggregation fehlt: {', '.join(missing)}."
        raise wrong("MISSING_PARAMETERS", message, missing=missing)
    if wanted.sensor not in SENSORS:
        message = f"Den Sensor {shown(wanted.sensor)} gibt es nicht; möglich: {', '.join(SENSORS)}."
        raise wrong("INVALID_SENSOR", message, allowed=list(SENSORS))
    if wanted.aggregation and wanted.aggregation not in AGGREGATIONS:
        message = f"Die Aggregation {shown(wanted.aggregation)} gibt es nicht; möglich: {', '.join(AGGREGATIONS)}."
        raise wrong("INVALID_AGGREGATION", message, allowed=list(AGGREGATIONS))


def aggregate(wanted: Wanted, devices: Callable[[], Iterable[Seen]]) -> list[Location]:
    """One location, or with * all that have a value, by name. Raises the refusals of `check`, and 404 for no value."""
    check(wanted)
    assert wanted.location is not None and wanted.sensor is not None, "check has refused them"
    town = None if wanted.location == EVERYWHERE else _TOWN_OF.get(wanted.location.casefold(), "")
    found: dict[str, list[Taken]] = {}
    for seen in devices():
        taken = _taken(seen, wanted.sensor) if town in (None, seen.device.town) else None
        if taken is not None:
            found.setdefault(seen.device.town, []).append(taken)
    if not found:
        message = f"Für {shown(wanted.location)} gibt es keine Messwerte von {wanted.sensor}."
        raise not_found(message, location=wanted.location[:100], sensor=wanted.sensor)
    return [_location(name, wanted.sensor, wanted.aggregation or "median", found[name]) for name in sorted(found)]


def _taken(seen: Seen, sensor: str) -> Taken | None:
    if seen.word not in MEASURING or seen.status != "online" or seen.coordinates is None:
        return None
    for one in seen.measured():
        if one.name == sensor:
            return Taken(seen.device.device_id, seen.coordinates, one.value, one.timestamp or "")
    return None


def _location(name: str, sensor: str, aggregation: str, taken: Sequence[Taken]) -> Location:
    middle = [round(statistics.fmean(one.coordinates[axis] for one in taken), COORDINATE_DIGITS) for axis in (0, 1)]
    value = AGGREGATIONS[aggregation](taken)
    devices = sorted(one.device_id for one in taken)
    return Location(name, sensor, aggregation, (middle[0], middle[1]), round(value, DIGITS), SENSORS[sensor], devices)
