"""What those beside a device say: the functions of the rule language that ask the neighbours.

Neighbours of a device are the up to sixteen nearest others in service, of the same kind and the same site (lamps: the
same circuit). Asked is what they had said by the time of the sample, as far as it was known at the end of the
allowance; so the answer never changes, in whatever order and pieces readings come. A sample that came more than a day
late gets no answer.

**echoes**: does this bay answer the cars of the bay beside it? Whenever the neighbour changes while this one is free,
it may become occupied within the span, too. If both see their own cars only, that is chance: a free bay gets a car
every quarter of an hour at the very busiest, 0.011 in ±5 s; with 2 % of cars that arrive side by side (two cars of one
family, somebody who parks again) at most P_CHANCE = 0.03. A sensor that feels the neighbour's car answers in
P_ECHO = 0.4 of the changes and more, with one message in four lost. Each answer is worth ln(P_ECHO / P_CHANCE) = 2.59,
each change without one ln((1 − P_ECHO) / (1 − P_CHANCE)) = −0.48; the sum since the best beginning is Page's cumulative
sum (Page 1954). Under chance it reaches h less often than once in e^h changes of the neighbour (Lorden 1971). For
h = 14 tests/rules/test_neighbours.py works out: once in 8.7 million, at 48 changes a day and four neighbours once in
124 years on a bay of the busiest car park, and hardly ever where nobody parks side by side. Who feels parked cars only,
not those that leave, answers arrivals; so a second sum looks at those alone, which at most doubles the rate. Of two
bays the disturbed one is that which answers the other more; for the other, and while that is open, nobody knows.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from math import log
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.kinds import KIND_NUMBER, VALUES
from rules.fleet import NONE, Fleet
from rules.nearby import NEIGHBOURS_MAX, neighbours_of
from rules.rows import ALLOWANCE_MS, Rows
from rules.word_log import WordLog

Numbers = NDArray[np.float64]
Places = NDArray[np.int64]
Call = tuple[str, str, float]

LEAST = 3
"""Fewer neighbours prove nothing."""
ADJACENT = 4
DAY_MS = 24 * 3_600_000
LATE_MS = DAY_MS
AGAIN_MS = 48 * 3_600_000
"""Judging anew goes back to the state before last: a day, with room (rules/late.py)."""
FRESH_INTERVALS = 2.5
SURGE_LEAST, WEEK_DAYS = 0.2, 7
SURGE_SHIFT_MS = 45 * 60_000
"""What fills every morning may fill so much earlier one morning."""
ECHO_CHANGES, ECHO_MS = 64, 14 * DAY_MS
"""The neighbour's newest changes that are looked at, none older than a fortnight."""
P_CHANCE, P_ECHO = 0.03, 0.4
ANSWER, NO_ANSWER = log(P_ECHO / P_CHANCE), log((1 - P_ECHO) / (1 - P_CHANCE))
LEAD = 1.5
"""So much more must a bay answer its neighbour than the neighbour answers it, to be called the disturbed one."""


class Neighbours:
    """`devices` i8[m] those of the kinds that are asked, sorted · `beside` i8[m, 16] the neighbours of each, the
    nearest first, -1 = no more.
    """

    def __init__(self, calls: Collection[Call]) -> None:
        self.names = {name for _, name, _ in calls}
        keep_ms: dict[tuple[bool, str], int] = {}
        for function, name, span_s in calls:
            key = (function != "neighbours", name)
            span_ms = {"echoes": ECHO_MS, "surge": WEEK_DAYS * DAY_MS}.get(function, int(span_s * 1000))
            keep_ms[key] = max(keep_ms.get(key, 0), LATE_MS + AGAIN_MS + span_ms)
        self.logs = {key: WordLog(key[0], span_ms) for key, span_ms in keep_ms.items()}

    def refresh(self, fleet: Fleet) -> None:
        """Take in an inventory."""
        self.fleet = fleet
        kinds = [kind for kind, values in VALUES.items() if self.names & values.keys()]
        self.devices = np.flatnonzero(np.isin(fleet.kind, [KIND_NUMBER[kind] for kind in kinds]) & fleet.live)
        self.beside = neighbours_of(fleet, self.devices)
        for words in self.logs.values():
            words.refresh(fleet.interval_ms)

    def _beside(self, device: Places) -> Places:
        """i8[k, 16]: the neighbours of each; who is not in service has none."""
        place = np.minimum(np.searchsorted(self.devices, device), max(len(self.devices) - 1, 0))
        found = np.full((len(device), NEIGHBOURS_MAX), NONE, dtype=np.int64)
        there = self.devices[place] == device if len(self.devices) else np.zeros(len(device), dtype=np.bool_)
        found[there] = self.beside[place[there]]
        return found

    def listen(self, rows: Rows) -> None:
        """Take in rows that have become known since the last ones, of whatever devices, late ones too."""
        for (_, name), words in self.logs.items():
            if name in rows.values:
                words.take(rows, rows.column(name))

    def forget(self, devices: Places) -> None:
        """As if these devices had never said anything."""
        for words in self.logs.values():
            words.forget(devices)

    def ask(self, rows: Rows, function: str, name: str, span_s: float) -> Numbers:
        """f8[k]: one of the functions for each row; NaN = nobody knows."""
        found = np.full(len(rows), np.nan)
        row = np.flatnonzero(rows.own_known_ms - rows.t_ms <= LATE_MS)
        words = self.logs[function != "neighbours", name]
        if len(row) and len(words.device):
            found[row] = FUNCTIONS[function](self, words, rows.device[row], rows.t_ms[row], int(span_s * 1000))
        return found

    def last_words(self, words: WordLog, device: Places, t_ms: Places) -> tuple[Places, Places, NDArray[np.bool_]]:
        """(i8[k, 16], i8[k, 16], bool[k, 16]): the neighbours, the place of the last word of each, if there is one."""
        beside = self._beside(device)
        other = np.where(beside == NONE, 0, beside)
        last = words.known_by(other, (t_ms + ALLOWANCE_MS)[:, None]) - 1
        return other, last, (beside != NONE) & (last >= 0) & (words.device[last] == other)

    def _full(self, words: WordLog, device: Places, t_ms: Places) -> Numbers:
        """f8[k]: the share of the neighbours that are 1."""
        _, last, there = self.last_words(words, device, t_ms)
        return _share(there, words.value[np.where(there, last, 0)] == 1)

    def state(self) -> dict[str, NDArray[Any]]:
        """All that was said, as columns, for snapshots."""
        return {
            f"{int(changes)}.{name}.{column}": values
            for (changes, name), words in self.logs.items()
            for column, values in words.state().items()
        }

    def restore(self, columns: dict[str, NDArray[Any]]) -> None:
        """Become what `state` gave; a value that nobody asked for then begins without a past."""
        for (changes, name), words in self.logs.items():
            prefix = f"{int(changes)}.{name}."
            words.restore({key.removeprefix(prefix): one for key, one in columns.items() if key.startswith(prefix)})


def _neighbours(self: Neighbours, words: WordLog, device: Places, t_ms: Places, span_ms: int) -> Numbers:
    """The median of what they last said, no longer ago than 2.5 of their intervals."""
    other, last, there = self.last_words(words, device, t_ms)
    last = np.where(there, last, 0)
    there &= t_ms[:, None] - words.t_ms[last] <= FRESH_INTERVALS * self.fleet.interval_ms[other]
    return _median(np.where(there, words.value[last], np.nan))


def _turnover(self: Neighbours, words: WordLog, device: Places, t_ms: Places, span_ms: int) -> Numbers:
    """The median of how often each changed within the span."""
    other, last, there = self.last_words(words, device, t_ms)
    begin = np.minimum(words.said_by(other, (t_ms - span_ms)[:, None]), last + 1)
    return _median(np.where(there, words.sure_between(begin, last + 1).astype(np.float64), np.nan))


def _onsets(self: Neighbours, words: WordLog, device: Places, t_ms: Places, span_ms: int) -> Numbers:
    """The share of them that became 1 within the span and still are."""
    return _became(self, words, 1.0, device, t_ms, span_ms)


def _ends(self: Neighbours, words: WordLog, device: Places, t_ms: Places, span_ms: int) -> Numbers:
    """The share of them that became 0 within the span and still are."""
    return _became(self, words, 0.0, device, t_ms, span_ms)


def _became(self: Neighbours, words: WordLog, state: float, device: Places, t_ms: Places, span_ms: int) -> Numbers:
    _, last, there = self.last_words(words, device, t_ms)
    last = np.where(there, last, 0)
    became = words.is_sure[last] & (words.value[last] == state) & (words.t_ms[last] > t_ms[:, None] - span_ms)
    return _share(there, became)


def _surge(self: Neighbours, words: WordLog, device: Places, t_ms: Places, span_ms: int) -> Numbers:
    """How many more of them are 1 than at this time of day, or 45 min later, on all days but one of the week before, as
    a share (that one may have been a fair, or the last snow).

    0 where fewer than a fifth became 1 within the span, NaN without that week.
    """
    found = _onsets(self, words, device, t_ms, span_ms)
    some = np.flatnonzero(found >= SURGE_LEAST)
    whom, now_ms = device[some], t_ms[some]
    days_ms = [now_ms - back * DAY_MS for back in range(1, WEEK_DAYS + 1)]
    then = [self._full(words, whom, day_ms) for day_ms in days_ms]
    later = [self._full(words, whom, day_ms + SURGE_SHIFT_MS) for day_ms in days_ms]
    usual = np.sort(np.maximum(then, later), axis=0)[-2]
    found = np.where(np.isnan(found), np.nan, 0.0)
    found[some] = np.maximum(self._full(words, whom, now_ms) - usual, 0.0)
    return found


def _share(there: NDArray[np.bool_], chosen: NDArray[np.bool_]) -> Numbers:
    """f8[k]: how many of those who are there are chosen; NaN where too few are there."""
    known = there.sum(axis=1)
    found: Numbers = np.where(known >= LEAST, (there & chosen).sum(axis=1) / np.maximum(known, 1), np.nan)
    return found


def _median(values: Numbers) -> Numbers:
    """f8[k] over the known ones of each row; NaN where there are too few."""
    values.sort(axis=1)  # what is not known goes to the end
    known = np.sum(~np.isnan(values), axis=1)
    row = np.arange(len(values))
    middle = (values[row, np.maximum(known - 1, 0) // 2] + values[row, known // 2 % NEIGHBOURS_MAX]) / 2
    found: Numbers = np.where(known >= LEAST, middle, np.nan)
    return found


def _echoes(self: Neighbours, words: WordLog, device: Places, t_ms: Places, span_ms: int) -> Numbers:
    """The evidence, as told above; it is asked for when the device itself becomes 1, and unknown at other times."""
    found = np.full(len(device), np.nan)
    own = words.said_by(device, t_ms) - 1
    onset = (own >= words.begin(device)) & (words.t_ms[own] == t_ms) & (words.value[own] == 1)
    chosen = np.flatnonzero(onset)
    if not len(chosen):
        return found
    device, t_ms = device[chosen], t_ms[chosen]
    beside = self._beside(device)[:, :ADJACENT]
    other = np.where(beside == NONE, 0, beside).ravel()
    mine = np.repeat(device, ADJACENT)
    until_ms = np.repeat(t_ms, ADJACENT)
    evidence = _evidence(words, mine, other, until_ms, span_ms)
    is_mine = evidence - _evidence(words, other, mine, until_ms, span_ms) >= LEAD
    evidence = np.where(beside == NONE, 0.0, evidence.reshape(beside.shape))
    best = np.argmax(evidence, axis=1)[:, None]
    decided = np.take_along_axis(is_mine.reshape(beside.shape), best, axis=1)
    found[chosen] = np.where(decided, np.take_along_axis(evidence, best, axis=1), np.nan)[:, 0]
    return found


def _evidence(words: WordLog, mine: Places, other: Places, until_ms: Places, span_ms: int) -> Numbers:
    """f8[p]: the cumulative sum that `mine` answers the newest changes of `other`."""
    known_ms = until_ms + ALLOWANCE_MS
    behind = np.minimum(words.known_by(other, known_ms), words.said_by(other, until_ms - span_ms))
    place = behind[:, None] - 1 - np.arange(ECHO_CHANGES)
    there = place >= words.begin(other)[:, None]
    place = np.maximum(place, 0)
    changed_ms = words.t_ms[place]
    there &= changed_ms > (until_ms - ECHO_MS)[:, None]
    before = words.said_by(mine[:, None], changed_ms - span_ms - 1) - 1
    was_free = (before >= words.begin(mine)[:, None]) & (words.value[before] == 0)
    after = np.minimum(before + 1, len(words.device) - 1)
    answers = (before + 1 < words.known_by(mine, known_ms)[:, None]) & (words.t_ms[after] <= changed_ms + span_ms)
    worth = np.where(answers & (words.value[after] == 1), ANSWER, NO_ANSWER)
    worth = np.where(there & words.is_sure[place] & was_free, worth, 0.0)
    arrivals = np.where(words.value[place] == 1, worth, 0.0)
    sums = np.maximum(np.cumsum(worth, axis=1).max(axis=1), np.cumsum(arrivals, axis=1).max(axis=1))
    found: Numbers = np.maximum(sums, 0.0)
    return found


Function = Callable[[Neighbours, WordLog, Places, Places, int], Numbers]
FUNCTIONS: dict[str, Function] = {
    "neighbours": _neighbours,
    "turnover": _turnover,
    "onsets": _onsets,
    "ends": _ends,
    "surge": _surge,
    "echoes": _echoes,
}
