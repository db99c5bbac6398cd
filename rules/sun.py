"""How high the sun stands, and when it passes a height.

The formulas are those of NOAA's solar calculator (its spreadsheet NOAA_Solar_Calculations_day), taken from Jean Meeus,
Astronomical Algorithms, chapter 25 "low accuracy": good to 0.01° in our time. Heights are of the sun's centre, without
refraction.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

DAY_MS = 86_400_000
_J2000_MS = 946_728_000_000  # 2000-01-01T12:00:00Z
_CENTURY_MS = 36_525 * DAY_MS
_CYCLE_MS = 146_097 * DAY_MS
"""400 years of the calendar: the formula's polynomials hold for some centuries, seasons for all."""
_TABLE_DAYS = 47_847
"""Days from 1970 to the end of 2100. Declination and equation of time bend so little in a day that a straight line
between midnights is right to 0.001°."""
_ROUNDS = 6
"""Each round makes the error of a crossing at our latitude a hundred times smaller; the first begins with hours."""

Numbers = NDArray[np.float64]
Instants = NDArray[np.int64]


def sun_elevation_deg(t_ms: Instants, lat: ArrayLike, lon: ArrayLike) -> Numbers:
    """f8[n]: the height of the sun in degrees at these instants (Unix ms) and places (degrees north and east).

    Times and places go together as numpy broadcasts them.
    """
    declination_rad, equation_ms = _declination_and_equation(np.asarray(t_ms, dtype=np.int64))
    lat_rad = np.radians(np.asarray(lat, dtype=np.float64))
    lon_ms = np.asarray(lon, dtype=np.float64) / 360 * DAY_MS
    hour_angle_rad = ((t_ms % DAY_MS) + equation_ms + lon_ms - DAY_MS / 2) * (2 * np.pi / DAY_MS)
    height = np.sin(lat_rad) * np.sin(declination_rad)
    height = height + np.cos(lat_rad) * np.cos(declination_rad) * np.cos(hour_angle_rad)
    elevation_deg: Numbers = np.degrees(np.arcsin(np.clip(height, -1.0, 1.0)))
    return elevation_deg


def crossings(day: Instants, lat: ArrayLike, lon: ArrayLike, elevation_deg: float) -> tuple[Instants, Instants]:
    """i8, i8: Unix ms at which the sun sinks below the height on the evenings of these days, and rises above it after.

    `day` counts from 1970-01-01; days and places go together as numpy broadcasts them. Where the sun stays below all
    day, dusk is at its highest point and dawn at the next one: one night follows the other. Where it stays above all
    night, dusk and dawn are the same instant, at its lowest point: a night without length.
    """
    lat_rad = np.radians(np.asarray(lat, dtype=np.float64))
    noon_ms = np.asarray(day, dtype=np.int64) * DAY_MS + DAY_MS / 2 - np.asarray(lon, dtype=np.float64) / 360 * DAY_MS
    dusk_ms = _crossing(noon_ms, 1, lat_rad, elevation_deg)
    dawn_ms = _crossing(noon_ms + DAY_MS, -1, lat_rad, elevation_deg)
    return dusk_ms, np.maximum(dusk_ms, dawn_ms)


def _crossing(noon_ms: Numbers, side: int, lat_rad: Numbers, elevation_deg: float) -> Instants:
    """The instant after (`side` 1) or before (-1) a noon: the hour angle for the sun as it is then, round by round."""
    shape = np.broadcast_shapes(noon_ms.shape, lat_rad.shape)
    at_ms = np.broadcast_to(np.rint(noon_ms + side * DAY_MS / 4), shape).astype(np.int64)
    height, sin_lat, cos_lat = np.sin(np.radians(elevation_deg)), np.sin(lat_rad), np.cos(lat_rad)
    # At the poles themselves every hour angle is as good as any other; the sun is above or below.
    cos_lat = np.maximum(cos_lat, 1e-9)
    for _ in range(_ROUNDS):
        declination_rad, equation_ms = _declination_and_equation(at_ms)
        cosine = (height - sin_lat * np.sin(declination_rad)) / (cos_lat * np.cos(declination_rad))
        after_noon_ms = np.arccos(np.clip(cosine, -1.0, 1.0)) * (DAY_MS / (2 * np.pi))
        at_ms = np.rint(noon_ms - equation_ms + side * after_noon_ms).astype(np.int64)
    return at_ms


def _declination_and_equation(t_ms: Instants) -> tuple[Numbers, Numbers]:
    """The sun's declination (rad) and the equation of time (ms): from the table of days, beyond it by the formula.

    Which of the two an instant gets depends on nothing but the instant.
    """
    day, within_ms = np.divmod(t_ms, DAY_MS)
    if day.size and (day.min() < 0 or day.max() >= _TABLE_DAYS):
        inside = (day >= 0) & (day < _TABLE_DAYS)
        near, far = _declination_and_equation(np.where(inside, t_ms, 0)), _formula(t_ms)
        return np.where(inside, near[0], far[0]), np.where(inside, near[1], far[1])
    share = within_ms / DAY_MS
    declination_rad, equation_ms = _table()
    declination_step, equation_step = _table_steps()
    return declination_rad[day] + share * declination_step[day], equation_ms[day] + share * equation_step[day]


@cache
def _table() -> tuple[Numbers, Numbers]:
    return _formula(np.arange(_TABLE_DAYS + 1, dtype=np.int64) * DAY_MS)


@cache
def _table_steps() -> tuple[Numbers, Numbers]:
    declination_rad, equation_ms = _table()
    return np.diff(declination_rad), np.diff(equation_ms)


def _formula(t_ms: Instants) -> tuple[Numbers, Numbers]:
    """Declination (rad) and equation of time (ms) at each instant. The names are Meeus'; t in Julian centuries.

    Before 1800 and after 2200 the sun is that of the same date 400, 800 … years nearer.
    """
    t = ((t_ms - _J2000_MS + _CYCLE_MS // 2) % _CYCLE_MS - _CYCLE_MS // 2) / _CENTURY_MS
    mean_longitude = np.radians(280.46646 + t * (36000.76983 + 0.0003032 * t))
    anomaly = np.radians(357.52911 + t * (35999.05029 - 0.0001537 * t))
    eccentricity = 0.016708634 - t * (0.000042037 + 0.0000001267 * t)
    centre_deg = (
        np.sin(anomaly) * (1.914602 - t * (0.004817 + 0.000014 * t))
        + np.sin(2 * anomaly) * (0.019993 - 0.000101 * t)
        + np.sin(3 * anomaly) * 0.000289
    )
    node = np.radians(125.04 - 1934.136 * t)
    apparent = mean_longitude + np.radians(centre_deg - 0.00569 - 0.00478 * np.sin(node))
    mean_tilt_deg = 23 + (26 + (21.448 - t * (46.815 + t * (0.00059 - 0.001813 * t))) / 60) / 60
    tilt = np.radians(mean_tilt_deg + 0.00256 * np.cos(node))
    declination_rad = np.arcsin(np.sin(tilt) * np.sin(apparent))
    y = np.tan(tilt / 2) ** 2
    equation_rad = (
        y * np.sin(2 * mean_longitude)
        - 2 * eccentricity * np.sin(anomaly)
        + 4 * eccentricity * y * np.sin(anomaly) * np.cos(2 * mean_longitude)
        - 0.5 * y * y * np.sin(4 * mean_longitude)
        - 1.25 * eccentricity**2 * np.sin(2 * anomaly)
    )
    return declination_rad, equation_rad * (DAY_MS / (2 * np.pi))
