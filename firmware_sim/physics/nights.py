"""What lamps are told: profiles laid out over the nights of a play, and where the sun stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

import numpy as np

from firmware_sim import sky
from firmware_sim.physics.plan import DAY_MS, Doubles, Floats, Instants, Numbers
from firmware_sim.profile import night_steps, parse_profile

FULL_NIGHT = ""
HALF_NIGHT = "100@dusk;0@23:30;100@04:45;0@dawn"
DIMMED = (
    "100@dusk;50@23:00;100@05:00;0@dawn",
    "80@dusk;40@22:00;60@05:30;0@dawn",
    "100@dusk;70@21:00;30@00:00;70@05:00;100@06:00;0@dawn",
    "Fr-Sa:100@dusk;50@01:00;0@dawn|100@dusk;50@22:30;100@05:00;0@dawn",
)
WEEKEND = "Fr-Sa:100@dusk;0@01:00;100@05:30;0@dawn|100@dusk;0@23:00;100@04:30;0@dawn"
PROFILES = (FULL_NIGHT, HALF_NIGHT, *DIMMED, WEEKEND)
FULL_NIGHT_INDEX, HALF_NIGHT_INDEX, WEEKEND_INDEX = 0, 1, len(PROFILES) - 1
DIMMED_INDEXES = tuple(range(2, 2 + len(DIMMED)))

DAY_ELEVATION_DEG = 3.0
"""Above this nobody argues whether it is day; below its night twin nobody argues whether it is night."""
NIGHT_ELEVATION_DEG = -7.0
APART_STEPS = 5
"""Of ten minutes."""
SETTLED_MS = 15 * 60_000
"""So long after a switching nobody judges whether the lamp did what it was told."""


@dataclass(frozen=True)
class Nights:
    """One profile at one place: what is told from `times_ms[i]` on, and when the light went on the last time."""

    times_ms: Instants
    dims_pct: Floats
    on_ms: Instants
    lat: float
    lon: float

    def index(self, at_ms: Instants) -> Numbers:
        """The piece in force at each instant."""
        return np.searchsorted(self.times_ms, at_ms, side="right") - 1

    def dim_pct(self, at_ms: int) -> float:
        """What is told at one instant."""
        return float(self.dims_pct[int(np.searchsorted(self.times_ms, at_ms, side="right")) - 1])

    def spans(self, from_ms: int, least_pct: float = 1.0) -> list[tuple[int, int]]:
        """(begin, end) of every piece from then on in which at least that light is told, in order."""
        edges = zip(self.times_ms[:-1], self.times_ms[1:], self.dims_pct[:-1], strict=True)
        return [(max(int(a), from_ms), int(b)) for a, b, dim in edges if dim >= least_pct and b > from_ms]

    def next_on_ms(self, from_ms: int, least_pct: float = 1.0) -> int | None:
        """The first instant from then on at which at least that light is told; None when there is none."""
        spans = self.spans(from_ms, least_pct)
        return spans[0][0] if spans else None

    def next_plain_night_ms(self, from_ms: int) -> int | None:
        """The first instant from then on at which light is told, it is night, and the switching is long past."""
        for begin_ms, end_ms in self.spans(from_ms):
            settled = self.times_ms[int(np.searchsorted(self.times_ms, begin_ms, side="right")) - 1] + SETTLED_MS
            for at_ms in range(max(begin_ms, int(settled)), end_ms, 60_000):
                if sky.sun_elevation_deg(at_ms, self.lat, self.lon) < NIGHT_ELEVATION_DEG:
                    return at_ms
        return None

    def next_plain_evening_ms(self, from_ms: int) -> int | None:
        """The same, of a light that was switched on after that instant: what is late shows only then."""
        later = self.on_ms[self.on_ms >= from_ms]
        return self.next_plain_night_ms(int(later[0])) if len(later) else None

    def next_left_out_ms(self, from_ms: int) -> int | None:
        """The first instant from then on at which no light is told although it is night, the switching long past."""
        edges = zip(self.times_ms[:-1].tolist(), self.times_ms[1:].tolist(), self.dims_pct[:-1].tolist(), strict=True)
        for begin_ms, end_ms, dim_pct in edges:
            for at_ms in range(max(begin_ms + SETTLED_MS, from_ms), end_ms if dim_pct <= 0 else 0, 10 * 60_000):
                if sky.sun_elevation_deg(at_ms, self.lat, self.lon) < NIGHT_ELEVATION_DEG:
                    return at_ms
        return None

    def next_apart_ms(self, from_ms: int, other: Nights, late_ms: int) -> int | None:
        """When from then on `other`, that much late, first tells another light for most of an hour, both being lit."""
        at_ms = np.arange(from_ms, int(self.times_ms[-1]), 10 * 60_000)
        own, told = self.dims_pct[self.index(at_ms)], other.dims_pct[other.index(at_ms - late_ms)]
        apart = (own > 0) & (told > 0) & (own != told)
        lasting = np.flatnonzero(np.convolve(apart, np.ones(APART_STEPS), "valid") == APART_STEPS)
        return int(at_ms[lasting[0]]) if len(lasting) else None

    def next_day_ms(self, from_ms: int) -> int:
        """The first instant of full day from then on."""
        for at_ms in range(from_ms, from_ms + 2 * DAY_MS, 60_000):
            if sky.sun_elevation_deg(at_ms, self.lat, self.lon) > DAY_ELEVATION_DEG:
                return at_ms
        raise ValueError(f"at latitude {self.lat} there is no day; go further from the pole")


@cache
def lay_out(profile: str, place: tuple[float, float], start_ms: int, end_ms: int) -> Nights:
    """The nights of a profile from two days before the start to two days after the end."""
    parsed = parse_profile(profile)
    evening = datetime.fromtimestamp(start_ms / 1000, UTC).date() - timedelta(days=2)
    times: list[int] = []
    dims: list[float] = []
    for _ in range((end_ms - start_ms) // DAY_MS + 5):
        for time_ms, dim_pct in night_steps(parsed, evening, *place):
            times.append(max(time_ms, times[-1]) if times else time_ms)
            dims.append(dim_pct)
        evening += timedelta(days=1)
    return Nights(np.array(times), np.array(dims, np.float32), _on_since(times, dims), *place)


def _on_since(times: Sequence[int], dims: Sequence[float]) -> Instants:
    since: list[int] = []
    for number, (time_ms, dim) in enumerate(zip(times, dims, strict=True)):
        stays_on = dim > 0 and number > 0 and dims[number - 1] > 0
        since.append(since[-1] if number and (stays_on or dim <= 0) else time_ms)
    return np.array(since)


def ambient_c(at_ms: Doubles | Instants) -> Doubles:
    """Outdoor temperature in °C: 9.5 on average, ±10 over the year, ±5 over the day; weather comes on top."""
    year = 2 * np.pi * ((at_ms / DAY_MS) % 365.25 - 200) / 365.25
    day = 2 * np.pi * (at_ms / DAY_MS - 14 / 24)
    return np.asarray(9.5 + 10.0 * np.cos(year) + 5.0 * np.cos(day), np.float64)
