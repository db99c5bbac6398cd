"""Clock time in the towns, for whole columns of instants.

A zone is read once as the list of its changes from 1970 to 2100; before and after, the nearest offset known goes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from core.clock import MS_PER_S

ZONE = "Europe/Berlin"
DAY_MS = 86_400_000
HOUR_MS = 3_600_000
FIRST_MS, LAST_MS = 0, 4_133_980_800_000
"""1970-01-01 and 2101-01-01, UTC."""
_LOOK_EVERY_S = 7 * 86_400
"""No zone has gone forth and back within a week since 1970."""

Instants = NDArray[np.int64]


def offset_ms(t_ms: Instants, zone: str = ZONE) -> Instants:
    """i8[n]: local time minus UTC at these instants (Unix ms). An unknown zone raises ZoneInfoNotFoundError."""
    changes = _changes(zone)
    if t_ms.size:  # mostly no change lies between them
        first, last = np.searchsorted(changes.utc_ms, (t_ms.min(), t_ms.max()), side="right").tolist()
        if first == last:
            return np.full(t_ms.shape, changes.offset_ms[first])
    return changes.offset_ms[np.searchsorted(changes.utc_ms, t_ms, side="right")]


def local_ms(t_ms: Instants, zone: str = ZONE) -> Instants:
    """i8[n]: what a local clock shows at these instants, as ms since it showed 1970-01-01 00:00."""
    return t_ms + offset_ms(t_ms, zone)


def local_hour(t_ms: Instants, zone: str = ZONE) -> NDArray[np.float64]:
    """f8[n]: the hour of the local clock with its fraction, 0 up to 24 without 24."""
    return local_ms(t_ms, zone) % DAY_MS / HOUR_MS


def local_day(t_ms: Instants, zone: str = ZONE) -> Instants:
    """i8[n]: the local date, as days since 1970-01-01."""
    return local_ms(t_ms, zone) // DAY_MS


def utc_ms(clock_ms: Instants, zone: str = ZONE) -> Instants:
    """i8[n]: Unix ms at which a local clock shows this (ms since it showed 1970-01-01 00:00).

    What it shows twice in October is the first of the two; what it leaves out in March is an hour later, 02:30 = 03:30.
    """
    changes = _changes(zone)
    return clock_ms - changes.offset_ms[np.searchsorted(changes.clock_ms, clock_ms, side="right")]


@dataclass(frozen=True, eq=False)
class _Changes:
    """`utc_ms` i8[c] instants of change; `offset_ms` i8[c+1] the offset before the first and after each of them;
    `clock_ms` i8[c] from which clock time on the offset after a change counts.
    """

    utc_ms: Instants
    offset_ms: Instants
    clock_ms: Instants


@cache
def _changes(zone: str) -> _Changes:
    rules = ZoneInfo(zone)
    first_s, last_s = FIRST_MS // MS_PER_S, LAST_MS // MS_PER_S
    looks = [*range(first_s, last_s, _LOOK_EVERY_S), last_s]
    offsets = [_offset_s(look, rules) for look in looks]
    found = [
        _change_between(looks[number], looks[number + 1], rules)
        for number in range(len(looks) - 1)
        if offsets[number] != offsets[number + 1]
    ]
    at_ms = np.array(found, dtype=np.int64) * MS_PER_S
    after_ms = np.array([offsets[0], *(_offset_s(change, rules) for change in found)], dtype=np.int64) * MS_PER_S
    # The new offset counts from where the clock stands by the greater of both: first of two, an hour later than none.
    return _Changes(at_ms, after_ms, at_ms + np.maximum(after_ms[:-1], after_ms[1:]))


def _change_between(low_s: int, high_s: int, rules: ZoneInfo) -> int:
    """The second from which on the offset is no longer the one at `low_s`."""
    before_s = _offset_s(low_s, rules)
    while high_s - low_s > 1:
        middle_s = (low_s + high_s) // 2
        if _offset_s(middle_s, rules) == before_s:
            low_s = middle_s
        else:
            high_s = middle_s
    return high_s


def _offset_s(at_s: int, rules: ZoneInfo) -> int:
    offset = datetime.fromtimestamp(at_s, rules).utcoffset()
    assert offset is not None, f"{rules} tells no offset at {at_s}"
    return int(offset.total_seconds())
