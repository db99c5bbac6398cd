"""Sun and air over the region: when it is dusk, and how cold it is."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime

DUSK_ELEVATION_DEG = -3.3
"""Lamps burn while the sun is lower than this: about 35 lx on the street."""

DAY_MS = 86_400_000
_J2000_MS = 946_728_000_000  # 2000-01-01T12:00:00Z


def sun_elevation_deg(at_ms: float, lat: float, lon: float) -> float:
    """Height of the sun's centre above the horizon in degrees, without refraction, good to about 0.02 degrees."""
    days = (at_ms - _J2000_MS) / DAY_MS
    anomaly = math.radians(357.528 + 0.9856003 * days)
    longitude = math.radians(280.460 + 0.9856474 * days + 1.915 * math.sin(anomaly) + 0.020 * math.sin(2 * anomaly))
    tilt = math.radians(23.439 - 0.0000004 * days)
    ascension = math.atan2(math.cos(tilt) * math.sin(longitude), math.cos(longitude))
    declination = math.asin(math.sin(tilt) * math.sin(longitude))
    sidereal = math.radians((18.697374558 + 24.06570982441908 * days) % 24 * 15)
    hour_angle = sidereal + math.radians(lon) - ascension
    latitude = math.radians(lat)
    return math.degrees(
        math.asin(
            math.sin(latitude) * math.sin(declination)
            + math.cos(latitude) * math.cos(declination) * math.cos(hour_angle)
        )
    )


def dusk_ms(day: date, lat: float, lon: float, elevation_deg: float = DUSK_ELEVATION_DEG) -> int:
    """Unix ms at which the sun sinks below the elevation on the evening of that day."""
    noon_ms = _solar_noon_ms(day, lon)
    return _crossing_ms(noon_ms, noon_ms + DAY_MS // 2, lat, lon, elevation_deg)


def dawn_ms(day: date, lat: float, lon: float, elevation_deg: float = DUSK_ELEVATION_DEG) -> int:
    """Unix ms at which the sun rises above the elevation at the end of the night that began on that day."""
    noon_ms = _solar_noon_ms(day, lon)
    return _crossing_ms(noon_ms + DAY_MS, noon_ms + DAY_MS // 2, lat, lon, elevation_deg)


def ambient_c(at_ms: float) -> float:
    """A plain outdoor temperature in °C: 9.5 on average, ±10 over the year, ±4 over the day."""
    year = 2 * math.pi * ((at_ms / DAY_MS) % 365.25 - 200) / 365.25
    day = 2 * math.pi * (at_ms / DAY_MS - 14 / 24)
    return 9.5 + 10.0 * math.cos(year) + 4.0 * math.cos(day)


def _solar_noon_ms(day: date, lon: float) -> int:
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return int(midnight.timestamp() * 1000) + DAY_MS // 2 - round(lon / 360 * DAY_MS)


def _crossing_ms(high_ms: int, low_ms: int, lat: float, lon: float, elevation_deg: float) -> int:
    """The instant between a high sun and a low sun at which it passes the elevation; to 100 ms."""
    highest = sun_elevation_deg(high_ms, lat, lon)
    lowest = sun_elevation_deg(low_ms, lat, lon)
    if not lowest < elevation_deg < highest:
        raise ValueError(f"at latitude {lat} the sun does not pass {elevation_deg}° that day; go further from the pole")
    while abs(high_ms - low_ms) > 100:
        middle_ms = (high_ms + low_ms) // 2
        if sun_elevation_deg(middle_ms, lat, lon) > elevation_deg:
            high_ms = middle_ms
        else:
            low_ms = middle_ms
    return low_ms
