"""What a lamp is told to do: the profile column of the inventory CSV.

    100@dusk;50@23:00;100@05:00;0@dawn          one profile for every night
    Fr-Sa:100@dusk;0@01:00|Mo-Th:100@dusk;…     by weekday of the evening (Mo Tu We Th Fr Sa Su; lists and ranges);
                                                a part without days holds for the days that no other part names
    (empty)                                     100@dusk;0@dawn, also for days that nothing names

A clock time from 12:00 on belongs to the evening, an earlier one to the morning after; both are local time. A step
that would fall after dawn is void. A step whose clock time comes before the step written ahead of it (50@21:00 in June,
when dusk is later) takes effect together with that one. At dawn the light goes off unless a dawn step says otherwise.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from firmware_sim import sky

LOCAL = ZoneInfo("Europe/Berlin")
DEFAULT_PROFILE = "100@dusk;0@dawn"
WEEKDAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")

_DAYS = re.compile(r"^((?:Mo|Tu|We|Th|Fr|Sa|Su)(?:[-,](?:Mo|Tu|We|Th|Fr|Sa|Su))*):(.*)$")
_STEP = re.compile(r"^(\d{1,3}(?:\.\d+)?)@(dusk|dawn|(\d{2}):(\d{2}))$")


@dataclass(frozen=True)
class Step:
    """From `at` on the lamp is told `dim_pct`; `at` is "dusk", "dawn" or minutes since local midnight."""

    dim_pct: float
    at: str | int


Profile = tuple[tuple[Step, ...], ...]
"""Seven tuples of steps, by weekday of the evening, Monday first."""


def parse_profile(text: str) -> Profile:
    """The steps for each weekday; a ValueError says which part is not understood and what one looks like."""
    named: dict[int, tuple[Step, ...]] = {}
    rest: tuple[Step, ...] | None = None
    for part in text.split("|") if text.strip() else []:
        match = _DAYS.match(part.strip())
        if match is None and rest is not None:
            raise ValueError(f"profile part {part!r} is a second one without days; expected e.g. Fr-Sa:")
        if match is None:
            rest = _steps(part.strip())
            continue
        for day in _days(match.group(1)):
            if day in named:
                raise ValueError(f"profile part {part!r} names {WEEKDAYS[day]}, which has its steps already")
            named[day] = _steps(match.group(2))
    return tuple(named.get(day, rest or _steps(DEFAULT_PROFILE)) for day in range(7))


def _days(text: str) -> list[int]:
    days: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        start = WEEKDAYS.index(first)
        length = (WEEKDAYS.index(last or first) - start) % 7 + 1
        days += [(start + offset) % 7 for offset in range(length)]
    return days


def _steps(text: str) -> tuple[Step, ...]:
    steps = []
    for part in text.split(";"):
        match = _STEP.match(part.strip())
        if match is None:
            raise ValueError(f"profile step {part!r} is not understood; expected e.g. 100@dusk, 50@23:00 or 0@dawn")
        dim_pct = float(match.group(1))
        minutes = int(match.group(3)) * 60 + int(match.group(4)) if match.group(3) else 0
        if dim_pct > 100 or minutes >= 24 * 60:
            raise ValueError(f"profile step {part!r} is out of range; expected 0..100 % and 00:00..23:59")
        steps.append(Step(dim_pct, minutes if match.group(3) else match.group(2)))
    return tuple(steps)


def night_steps(profile: Profile, evening: date, lat: float, lon: float) -> list[tuple[int, float]]:
    """(Unix ms, dim_pct) of the night that begins on that evening, in order; the last entry is dawn."""
    dawn_ms = sky.dawn_ms(evening, lat, lon)
    steps: list[tuple[int, float]] = []
    dawn_pct = 0.0
    for step in profile[evening.weekday()]:
        if step.at == "dawn":
            dawn_pct = step.dim_pct
            continue
        at_ms = sky.dusk_ms(evening, lat, lon) if step.at == "dusk" else _clock_ms(evening, step.at)
        if at_ms < dawn_ms:
            steps.append((max(at_ms, steps[-1][0]) if steps else at_ms, step.dim_pct))
    return [*steps, (dawn_ms, dawn_pct)]


def _clock_ms(evening: date, minutes: str | int) -> int:
    """Unix ms of a local clock time of that night; doubled in October: the first; missing in March: one later."""
    assert isinstance(minutes, int)
    day = evening if minutes >= 12 * 60 else evening + timedelta(days=1)
    local = datetime(day.year, day.month, day.day, minutes // 60, minutes % 60, tzinfo=LOCAL)
    return int(local.timestamp() * 1000)


class Timeline:
    """A profile at a place, laid out over time: piecewise constant, extended night by night as it is asked."""

    def __init__(self, profile: Profile, lat: float, lon: float, start_ms: int) -> None:
        self.profile = profile
        self.lat = lat
        self.lon = lon
        self._next_evening = datetime.fromtimestamp(start_ms / 1000, UTC).date() - timedelta(days=2)
        self._times_ms: list[int] = []
        self._dims_pct: list[float] = []

    def dim_pct(self, at_ms: int) -> float:
        """The command in action at that instant; instants before the timeline's start count as its first night."""
        return self._dims_pct[self._index(at_ms)]

    def segments(self, from_ms: int, to_ms: int) -> Iterator[tuple[int, float]]:
        """(duration ms, dim_pct) of each constant piece between the two instants."""
        index = self._index(from_ms)
        self._extend(to_ms)
        while from_ms < to_ms:
            end_ms = min(to_ms, self._times_ms[index + 1])
            yield end_ms - from_ms, self._dims_pct[index]
            from_ms, index = end_ms, index + 1

    def next_on_ms(self, at_ms: int) -> int:
        """The instant itself when the light is commanded on then, else the next at which it will be."""
        index = self._index(at_ms)
        if self._dims_pct[index] > 0:
            return at_ms
        for _ in range(64):
            index += 1
            self._extend(self._times_ms[index - 1] + sky.DAY_MS)
            if self._dims_pct[index] > 0:
                return self._times_ms[index]
        raise ValueError("this profile never switches the light on")

    def _index(self, at_ms: int) -> int:
        self._extend(at_ms)
        return max(0, bisect_right(self._times_ms, at_ms) - 1)

    def _extend(self, at_ms: int) -> None:
        while not self._times_ms or self._times_ms[-1] <= at_ms + 2 * sky.DAY_MS:
            for time_ms, dim_pct in night_steps(self.profile, self._next_evening, self.lat, self.lon):
                self._times_ms.append(max(time_ms, self._times_ms[-1]) if self._times_ms else time_ms)
                self._dims_pct.append(dim_pct)
            self._next_evening += timedelta(days=1)
