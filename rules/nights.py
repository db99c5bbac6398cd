"""What each lamp is told to do at any instant, and whether it has power.

Lamps with the same profile, at the same place to 0.02° (a dusk that differs by less than 10 s) and alike in their
supply are a group; only groups have timetables. These are laid out in blocks of 64 days when somebody asks for a time
in them, and forgotten when there are too many: what is answered depends on the instant alone, never on what was asked
before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from core.clock import MS_PER_S
from core.profile import DEFAULT_PROFILE, Profile, parse_profile
from rules.localtime import FIRST_MS, LAST_MS, ZONE, local_ms, utc_ms
from rules.sun import DAY_MS, sun_elevation_deg
from rules.timetable import Lines, StepBook, Timetable, lay_out, write_book

PLACE_DEG = 0.02
REGION_LAT, REGION_LON = 51.30, 12.58
"""Where lamps are taken to stand when no place at all is known: the middle of the Partheland."""
STEADY_DAYS_MAX = 8
"""A change of level further away than this is told as this far: a profile repeats within a week."""
STEADY_S_MAX = STEADY_DAYS_MAX * 86_400
NO_NIGHT = 2**16 - 1
"""Instead of a night where those of many devices are kept: two bytes each, which last until 2149."""

ORIGIN_DAY = 19_723
ORIGIN_MS = ORIGIN_DAY * DAY_MS
"""2024-01-01T00:00:00Z: where blocks and seconds with power are counted from."""
BLOCK_DAYS = 64
BLOCK_MS = BLOCK_DAYS * DAY_MS
BLOCKS_MAX = 6
_DAYS_BEYOND = STEADY_DAYS_MAX + 2

Integers = NDArray[np.int64]
Numbers = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Told:
    """k rows. `dim_pct` f8 the level told · `since_step_s` f8 since the last change of level · `to_step_s` f8 to the
    nearest change, before or after · `is_powered` bool. Seconds are at least 0 and at most STEADY_S_MAX.
    """

    dim_pct: Numbers
    since_step_s: Numbers
    to_step_s: Numbers
    is_powered: Flags


@dataclass(frozen=True, eq=False)
class Grouping:
    """n devices in g groups: `group` i4[n], the `lines` of the groups and the `book` of their profiles."""

    group: NDArray[np.int32]
    lines: Lines
    book: StepBook


@dataclass(eq=False)
class Nights:
    """n devices by their numbers. `profiles` as the inventory has them, None = the default; `lat`, `lon` f8[n] NaN =
    unknown, taken as the mean of those known; `supply` None = permanent. A text that is no profile raises ProfileError.

    Rows are (device, instant in Unix ms), in any order; they cost least when those of a device stand together.
    """

    profiles: Sequence[str | None]
    lat: Numbers
    lon: Numbers
    supply: Sequence[str | None]
    zone: str = ZONE
    group: NDArray[np.int32] = field(init=False)
    lines: Lines = field(init=False)
    _group: Integers = field(init=False)
    _book: StepBook = field(init=False)
    _timetables: dict[int, Timetable] = field(init=False, default_factory=dict)
    _powered_before_ms: dict[int, Integers] = field(init=False)
    _offsets_ms: dict[int, Integers] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.lat, self.lon = _known(self.lat, REGION_LAT), _known(self.lon, REGION_LON)
        grouping = grouped(self.profiles, self.lat, self.lon, self.supply)
        self.group, self.lines, self._book = grouping.group, grouping.lines, grouping.book
        self._group = self.group.astype(np.int64)
        self._powered_before_ms = {0: np.zeros(len(self.lines), dtype=np.int64)}

    @property
    def is_switched(self) -> Flags:
        """bool[g]: the groups whose power is switched off by day."""
        return ~self.lines.always_powered

    def at(self, device: Integers, t_ms: Integers) -> Told:
        """All that is told at these instants, with one look into the timetables."""
        blocks = list(_by_block(t_ms))
        if len(blocks) == 1:
            return self._told(blocks[0][0], self._group[device], t_ms)
        count = len(t_ms)
        columns = Told(np.empty(count), np.empty(count), np.empty(count), np.empty(count, dtype=np.bool_))
        for block, rows in blocks:
            told = self._told(block, self._group[device[rows]], t_ms[rows])
            columns.dim_pct[rows], columns.since_step_s[rows] = told.dim_pct, told.since_step_s
            columns.to_step_s[rows], columns.is_powered[rows] = told.to_step_s, told.is_powered
        return columns

    def dim_pct(self, device: Integers, t_ms: Integers) -> Numbers:
        """f8[k]: the level in percent that the profiles tell."""
        return self.at(device, t_ms).dim_pct

    def since_step_s(self, device: Integers, t_ms: Integers) -> Numbers:
        """f8[k]: seconds since the last step that changed the level, at most STEADY_S_MAX."""
        return self.at(device, t_ms).since_step_s

    def to_step_s(self, device: Integers, t_ms: Integers) -> Numbers:
        """f8[k]: seconds to the nearest change of level, before or after, at most STEADY_S_MAX."""
        return self.at(device, t_ms).to_step_s

    def is_powered(self, device: Integers, t_ms: Integers) -> Flags:
        """bool[k]: whether the lamps have power: always on a permanent supply, else while the level is above 0."""
        return self.at(device, t_ms).is_powered

    def powered_s(self, t_ms: int) -> Numbers:
        """f8[g]: seconds with power of each group since ORIGIN_MS, negative before it.

        The first time far from what was asked before costs a step for each block in between. Before 1970 and after
        2100 nothing is added.
        """
        powered_ms = np.full(len(self.lines), min(max(t_ms, FIRST_MS), LAST_MS) - ORIGIN_MS, dtype=np.int64)
        switched = np.flatnonzero(self.is_switched)
        if len(switched):
            powered_ms[switched] = self._powered_ms(switched, np.full(len(switched), t_ms, dtype=np.int64))
        return powered_ms / MS_PER_S

    def powered_s_of(self, device: Integers, t_ms: Integers) -> Numbers:
        """f8[k]: seconds with power of these devices up to these instants; the rest as for `powered_s`."""
        return self._powered_ms(self._group[device], t_ms) / MS_PER_S

    def night(self, t_ms: Integers) -> NDArray[np.int32]:
        """i4[k]: the night of each instant, as the local date it begins on (days since 1970-01-01).

        It lasts from noon to noon by the clock: 25 hours once in October, 23 once in March.
        """
        night = (local_ms(t_ms, self.zone) - DAY_MS // 2) // DAY_MS
        return night.astype(np.int32)

    def ended_ms(self, night: NDArray[np.int32]) -> Integers:
        """i8[k]: the noon at which each night is over, in Unix ms."""
        return utc_ms((night.astype(np.int64) + 1) * DAY_MS + DAY_MS // 2, self.zone)

    def sun_deg(self, device: Integers, t_ms: Integers) -> Numbers:
        """f8[k]: the height of the sun in degrees where each device stands, without refraction; right to 0.01°."""
        return sun_elevation_deg(t_ms, self.lat[device], self.lon[device])

    def _told(self, block: int, group: Integers, t_ms: Integers) -> Told:
        timetable = self._timetable(block)
        place = timetable.places(group, t_ms)
        newest = timetable.newest(place)
        since_s = (place - timetable.key[newest]) / MS_PER_S
        until_s = (timetable.key[newest + 1] - place) / MS_PER_S
        np.minimum(since_s, STEADY_S_MAX, out=since_s)
        np.minimum(until_s, since_s, out=until_s)
        return Told(timetable.dim_pct[newest], since_s, until_s, timetable.powered[newest])

    def _powered_ms(self, group: Integers, t_ms: Integers) -> Integers:
        t_ms = np.clip(t_ms, FIRST_MS, LAST_MS)
        powered_ms = np.empty(len(t_ms), dtype=np.int64)
        for block, rows in _by_block(t_ms):
            timetable, here = self._timetable(block), group[rows]
            until_ms = timetable.powered_until_ms(timetable.places(here, t_ms[rows]))
            powered_ms[rows] = until_ms + self._offset_ms(block, timetable)[here]
        return powered_ms

    def _offset_ms(self, block: int, timetable: Timetable) -> Integers:
        """i8[g]: what a block's own count of ms with power lacks to that since the origin."""
        found = self._offsets_ms.get(block)
        if found is None:
            begin_ms = timetable.powered_until_ms(timetable.places(np.arange(len(self.lines)), _start_ms(block)))
            found = self._offsets_ms[block] = self._before_ms(block) - begin_ms
        return found

    def _before_ms(self, block: int) -> Integers:
        """i8[g]: ms with power from the origin to the begin of a block; blocks in between are added up on the way."""
        known, step = self._powered_before_ms, 1 if block > 0 else -1
        if block in known:
            return known[block]
        for number in range(0, block, step):
            if number + step not in known:
                known[number + step] = known[number] + step * self._within_ms(min(number, number + step))
        return known[block]

    def _within_ms(self, block: int) -> Integers:
        """i8[g]: ms with power in a block. Only who can lack power is laid out for it."""
        within_ms = np.full(len(self.lines), BLOCK_MS, dtype=np.int64)
        switched = np.flatnonzero(~self.lines.always_powered)
        if len(switched):
            timetable = self._lay_out(block, self.lines.only(~self.lines.always_powered))
            group = np.arange(len(switched))
            ends_ms = [
                timetable.powered_until_ms(timetable.places(group, _start_ms(number))) for number in (block, block + 1)
            ]
            within_ms[switched] = ends_ms[1] - ends_ms[0]
        return within_ms

    def _timetable(self, block: int) -> Timetable:
        if block not in self._timetables:
            self._timetables[block] = self._lay_out(block, self.lines)
            if len(self._timetables) > BLOCKS_MAX:
                del self._timetables[max(self._timetables, key=lambda held: abs(held - block))]
        return self._timetables[block]

    def _lay_out(self, block: int, lines: Lines) -> Timetable:
        first_day = ORIGIN_DAY + block * BLOCK_DAYS - _DAYS_BEYOND
        return lay_out(self._book, lines, first_day, BLOCK_DAYS + 2 * _DAYS_BEYOND, self.zone)


def grouped(profiles: Sequence[str | None], lat: Numbers, lon: Numbers, supply: Sequence[str | None]) -> Grouping:
    """The groups of n devices; profiles that mean the same are the same however they are written."""
    texts: dict[str, int] = {}
    meanings: dict[Profile, int] = {}
    for text in profiles:
        told = (text or "").strip() or DEFAULT_PROFILE
        if told not in texts:
            texts[told] = meanings.setdefault(parse_profile(told), len(meanings))
    profile = np.array([texts[(text or "").strip() or DEFAULT_PROFILE] for text in profiles], dtype=np.int64)
    always = np.array([not (one or "").startswith("switched") for one in supply], dtype=np.int64)
    cells = np.rint(np.stack([lat, lon]) / PLACE_DEG).astype(np.int64).reshape(2, -1)
    keys, group = np.unique(np.stack([profile, *cells, always]), axis=1, return_inverse=True)
    lines = Lines(keys[0], keys[1] * PLACE_DEG, keys[2] * PLACE_DEG, keys[3] == 1)
    return Grouping(group.ravel().astype(np.int32), lines, write_book(list(meanings)))


def _known(degrees: Numbers, otherwise: float) -> Numbers:
    unknown = np.isnan(degrees)
    mean = otherwise if unknown.all() else float(degrees[~unknown].mean())
    return np.where(unknown, mean, degrees)


def _start_ms(block: int) -> int:
    return ORIGIN_MS + block * BLOCK_MS


def _by_block(t_ms: Integers) -> Iterator[tuple[int, slice | Integers]]:
    """(block, its rows) for each block that instants lie in, in their order."""
    if not len(t_ms):
        return
    first, last = (int((t - ORIGIN_MS) // BLOCK_MS) for t in (t_ms.min(), t_ms.max()))
    if first == last:
        yield first, slice(None)
        return
    blocks = (t_ms - ORIGIN_MS) // BLOCK_MS
    near = last - first < BLOCKS_MAX
    for block in range(first, last + 1) if near else np.unique(blocks).tolist():
        yield block, np.flatnonzero(blocks == block)
