"""When groups of lamps change their level: profiles laid out over a span of nights, all groups at once.

A night begins at noon of its day. Its steps take effect in the order they are written:

- a clock time from 12:00 on is on that day, an earlier one on the morning after; twice in October: the first of the
  two; left out in March: an hour later, 02:30 = 03:30 (rules/localtime.py);
- dusk and dawn are the sun at −3.3°, about 35 lx on the street. Where it does not get there, rules/sun.py says when;
- a step at dawn or after it is void;
- a step that comes before the one written ahead of it (50@21:00 in June, when dusk is later) takes effect with it; one
  that nothing is written ahead of takes effect by the clock, in daylight too;
- from dawn on it is what the dawn step says wherever it is written, without one 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.profile import DAYS_PER_WEEK, Profile, Step
from rules.localtime import utc_ms
from rules.sun import DAY_MS, crossings

DUSK_ELEVATION_DEG = -3.3
_CLOCK, _DUSK, _DAWN = 0, 1, 2
SHORTEST_MS = 25 * 60_000
"""On a switched line nobody is waited for in a stretch that is shorter: a controller joins within ten minutes and may
then have a quarter of an hour to its first message. In June half-night lamps get some minutes of power before dawn.
"""
_NOON_MINUTE = 12 * 60
_MINUTE_MS = 60_000
_EPOCH_WEEKDAY = 3  # 1970-01-01 was a Thursday
_DAYS_AROUND = 4
"""Room for what the first night's noon and the last night's dawn reach beyond their days, in any zone."""

Integers = NDArray[np.int64]
Numbers = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class StepBook:
    """The steps of p profiles, one after the other, night by night from Monday on; each night ends with its dawn.

    `first`, `count` i8[p·7] of a night's steps; `kind`, `minute` i8[s], `dim_pct` f8[s] of each step.
    """

    first: Integers
    count: Integers
    kind: Integers
    minute: Integers
    dim_pct: Numbers


@dataclass(frozen=True, eq=False)
class Lines:
    """g groups of lamps that are told the same. `profile` i8[g] into the book; `lat`, `lon` f8[g] degrees;
    `always_powered` bool[g] whether they have power at level 0 too.
    """

    profile: Integers
    lat: Numbers
    lon: Numbers
    always_powered: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.profile)

    def only(self, chosen: NDArray[np.bool_]) -> Lines:
        """Some of the groups, in the same order."""
        return Lines(self.profile[chosen], self.lat[chosen], self.lon[chosen], self.always_powered[chosen])


@dataclass(frozen=True, eq=False)
class Timetable:
    """The changes of level of g groups, sorted by group and instant.

    A place in it is group · `span_ms` + ms since `start_ms`: `key` i8[c+1] of each change, and the end of the last
    group; `dim_pct` f8[c] from there on, and `powered` bool[c] whether there is power for long; `powered_ms` i8[c] ms
    with it before, counted through all groups: only differences within a group mean something.
    """

    start_ms: int
    span_ms: int
    key: Integers
    dim_pct: Numbers
    powered: NDArray[np.bool_]
    powered_ms: Integers

    def places(self, group: Integers, t_ms: Integers | int) -> Integers:
        """i8[k]: the places of these groups at these instants, which must lie well inside the span of nights."""
        return group * self.span_ms + (t_ms - self.start_ms)

    def newest(self, place: Integers) -> Integers:
        """i8[k]: the number of the newest change at or before each place."""
        return np.searchsorted(self.key, place, side="right") - 1

    def powered_until_ms(self, place: Integers) -> Integers:
        """i8[k]: ms with power before each place, counted from somewhere that is the same for all of a group."""
        newest = self.newest(place)
        return self.powered_ms[newest] + self.powered[newest] * (place - self.key[newest])


def write_book(profiles: Sequence[Profile]) -> StepBook:
    """The steps of these profiles as columns."""
    nights = [_in_order(night) for profile in profiles for night in profile.nights]
    count = np.array([len(night) for night in nights], dtype=np.int64)
    steps = [step for night in nights for step in night]
    return StepBook(
        first=np.cumsum(count) - count,
        count=count,
        kind=np.array([_kind(step) for step in steps], dtype=np.int64),
        minute=np.array([step.minute or 0 for step in steps], dtype=np.int64),
        dim_pct=np.array([step.dim_pct for step in steps], dtype=np.float64),
    )


def lay_out(book: StepBook, lines: Lines, first_day: int, days: int, zone: str) -> Timetable:
    """The timetable of the nights begun on so many days from one on (days since 1970-01-01)."""
    start_ms, span_ms = (first_day - 1) * DAY_MS, (days + _DAYS_AROUND) * DAY_MS
    day = np.arange(first_day, first_day + days, dtype=np.int64)
    dusk_ms, dawn_ms = _dusk_and_dawn(day, lines)
    # One row for each group and night, one entry for each step of it.
    night = (lines.profile[:, None] * DAYS_PER_WEEK + (day + _EPOCH_WEEKDAY) % DAYS_PER_WEEK).ravel()
    count = book.count[night]
    row = np.repeat(np.arange(len(night)), count)
    step = np.arange(len(row)) + np.repeat(book.first[night] - (np.cumsum(count) - count), count)
    group, kind = row // days, book.kind[step]
    at_ms = np.where(kind == _DUSK, dusk_ms[row], dawn_ms[row])
    clock = np.flatnonzero(kind == _CLOCK)
    at_ms[clock] = _clock_ms(day[row[clock] % days], book.minute[step[clock]], zone)
    valid = (kind == _DAWN) | (at_ms < dawn_ms[row])
    key = group[valid] * span_ms + (at_ms[valid] - start_ms)
    return _timetable(start_ms, span_ms, np.maximum.accumulate(key), book.dim_pct[step[valid]], lines)


def _timetable(start_ms: int, span_ms: int, key: Integers, dim_pct: Numbers, lines: Lines) -> Timetable:
    """Without steps that change nothing: of several at the same instant the last counts."""
    last = np.append(key[1:] != key[:-1], True)[: len(key)]
    key, dim_pct = key[last], dim_pct[last]
    group = key // span_ms
    changes = np.ones(len(key), dtype=np.bool_)
    changes[1:] = (dim_pct[1:] != dim_pct[:-1]) | (group[1:] != group[:-1])
    key, dim_pct, group = key[changes], dim_pct[changes], group[changes]
    key = np.append(key, len(lines) * span_ms)
    powered = lines.always_powered[group] | _for_long(dim_pct > 0, group, np.diff(key))
    with_power_ms = np.where(powered, np.diff(key), 0)
    powered_ms = np.cumsum(with_power_ms) - with_power_ms
    return Timetable(start_ms, span_ms, key, dim_pct, powered, powered_ms)


def _for_long(lit: NDArray[np.bool_], group: Integers, lasts_ms: Integers) -> NDArray[np.bool_]:
    """bool[c]: which pieces with light belong to a stretch in which a controller can join and speak."""
    begins = lit & np.append(True, ~lit[:-1] | (group[1:] != group[:-1]))
    stretch = np.cumsum(begins)
    stretch_ms = np.bincount(stretch, weights=np.where(lit, lasts_ms, 0), minlength=1)
    return np.asarray(lit & (stretch_ms[stretch] >= SHORTEST_MS), dtype=np.bool_)


def _dusk_and_dawn(day: Integers, lines: Lines) -> tuple[Integers, Integers]:
    """i8[g·d], i8[g·d]: of each group and day; each place is reckoned once."""
    places, place = np.unique(np.stack([lines.lat, lines.lon]), axis=1, return_inverse=True)
    dusk_ms, dawn_ms = crossings(day[None, :], places[0][:, None], places[1][:, None], DUSK_ELEVATION_DEG)
    place = place.ravel()
    return dusk_ms[place].ravel(), dawn_ms[place].ravel()


def _clock_ms(day: Integers, minute: Integers, zone: str) -> Integers:
    """i8[k]: Unix ms of clock times in the nights begun on these days."""
    clock_ms = (day + (minute < _NOON_MINUTE)) * DAY_MS + minute * _MINUTE_MS
    return utc_ms(clock_ms, zone)


def _in_order(night: tuple[Step, ...]) -> list[Step]:
    """The steps of a night with its dawn as the last of them."""
    dawn = [step for step in night if step.sun == "dawn"] or [Step(0.0, sun="dawn")]
    return [step for step in night if step.sun != "dawn"] + dawn


def _kind(step: Step) -> int:
    return _CLOCK if step.sun is None else _DUSK if step.sun == "dusk" else _DAWN
