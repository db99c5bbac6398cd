"""Samples that come after younger ones of the same device: history is judged anew, and only the difference is told.

Twice a day the state of all rules is kept. When samples come late, the devices they are from go back to the newest
state that is older than them, and everything since, late samples and all, is judged again in the order of time. What
was told and turns out never to have been is ended with that reason; what is now true and goes on begins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rules.court import SAMPLES, WORDS, Court, CourtState
from rules.events import CALMS, OPENS, REFUTED, REPAIRED, STIRS, Event
from rules.fleet import NONE
from rules.latest import NEVER_MS, grown
from rules.rows import NO_ROWS, Rows, last_true, ranges, running_max

KEEP_EVERY_MS = 12 * 3_600_000
KEPT = 2
History = Callable[[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]], Rows]
"""(devices i8[d] sorted, after i8[d], until i8[d] Unix ms): all samples of these devices after the one instant that
were known by the other, sorted by device and time."""
May = Callable[[Rows], NDArray[np.bool_]]


def no_history(devices: NDArray[np.int64], after_ms: NDArray[np.int64], until_ms: NDArray[np.int64]) -> Rows:
    """Nothing is kept."""
    return NO_ROWS


@dataclass(frozen=True, eq=False)
class Kept:
    """The state at an instant, and `last_ms` i8[n] the newest sample judged of each device."""

    state: CourtState
    last_ms: NDArray[np.int64]


class Late:
    """`last_ms` i8[n] the newest sample judged of each device · `ignored` how many came too late for anything."""

    def __init__(self, court: Court, history: History) -> None:
        self.court = court
        self.history = history
        self.last_ms = np.zeros(0, dtype=np.int64)
        self.kept: list[Kept] = []
        self.kept_ms = NEVER_MS
        self.ignored = 0

    def grow(self, devices: int) -> None:
        """Room for so many devices."""
        self.last_ms = grown(self.last_ms, devices, NEVER_MS)

    def keep(self, at_ms: int) -> None:
        """Keep the state when its time has come."""
        if at_ms - self.kept_ms >= KEEP_EVERY_MS or self.kept_ms == NEVER_MS:
            self.kept_ms = at_ms
            self.kept = [*self.kept[-(KEPT - 1) :], Kept(self.court.state(), self.last_ms.copy())]

    def begin_anew(self, at_ms: int) -> None:
        """After a restart: only what is younger than now can be judged again."""
        self.kept, self.kept_ms = [], NEVER_MS
        self.keep(at_ms)

    def note(self, rows: Rows) -> None:
        """These have been judged, in their order."""
        if not len(rows):
            return
        last = np.append(rows.starts[1:], len(rows)) - 1
        self.last_ms[rows.present] = np.maximum(self.last_ms[rows.present], rows.t_ms[last])

    def is_late(self, rows: Rows) -> NDArray[np.bool_]:
        """bool[k]: which come after a younger one, or are said for the second time."""
        found: NDArray[np.bool_] = rows.t_ms <= self.last_ms[rows.device]
        return found

    def steps(self, rows: Rows, minute_ms: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.bool_]]]:
        """Everybody's first step, everybody's second, and so on: (rows i8[s], whether each is part of a late step).

        `minute_ms` i8[k] when each row is judged. A minute with a late sample is a step of its own; all minutes up to
        it are one, for in them the order of time is that in which they became known.
        """
        order = np.lexsort((rows.t_ms, minute_ms, rows.device))
        device, minute, t_ms = rows.device[order], minute_ms[order], rows.t_ms[order]
        own = np.append(True, device[1:] != device[:-1])
        begins = own | np.append(True, minute[1:] != minute[:-1])
        first, ends = np.flatnonzero(begins), np.append(np.flatnonzero(begins)[1:], len(device))
        newest_ms = running_max(t_ms, own)[ends - 1]
        is_first = own[first]
        before_ms = np.where(is_first, NEVER_MS, np.append(NEVER_MS, newest_ms[:-1]))
        is_late = t_ms[first] <= np.maximum(before_ms, self.last_ms[device[first]])
        another = is_first | is_late | np.append(True, is_late[:-1])
        number = np.cumsum(another)
        number -= number[last_true(is_first)]
        for step in range(int(number.max()) + 1):
            mine = np.flatnonzero(number == step)
            chosen = ranges(first[mine], ends[mine])
            row, late = order[chosen], np.repeat(is_late[mine], ends[mine] - first[mine])
            in_order = np.argsort(row)
            yield row[in_order], late[in_order]

    def again(self, rows: Rows, may: May, until_ms: NDArray[np.int64]) -> list[Event]:
        """Judge the devices of these rows anew, each with samples that are late; what is different now.

        `until_ms` i8[d] is when it is judged, for each of them.
        """
        late = self.is_late(rows)
        devices, oldest_ms = rows.present, rows.t_ms[rows.starts]
        after_ms, which = np.full(len(devices), NEVER_MS), np.full(len(devices), NONE)
        for number, kept in enumerate(self.kept):
            last_ms = grown(kept.last_ms, len(self.last_ms), NEVER_MS)[devices]
            older = last_ms < oldest_ms
            after_ms[older], which[older] = last_ms[older], number
        too_late, back = devices[which == NONE], which != NONE
        found = self._words(rows.take(np.flatnonzero(late)), too_late, may)
        found += self._from(which[back], devices[back], after_ms[back], may, until_ms[back])
        is_too_late = np.isin(rows.device, too_late)
        self.ignored += int(np.count_nonzero(late & is_too_late))
        left = rows.take(np.flatnonzero(~late & is_too_late))
        found += self.court.take(left, may(left), self.last_ms)
        self.note(rows)
        return found

    def _words(self, said: Rows, too_late: NDArray[np.int64], may: May) -> list[Event]:
        """What late samples say in words. Of devices that can't go back, all of them are remembered."""
        matters, event = np.isin(said.device, too_late), said.texts.get("event")
        said = said.take(np.flatnonzero(matters if event is None else matters | (event != NONE)))
        return self.court.take(said, may(said), self.last_ms, WORDS)

    def _from(
        self,
        which: NDArray[np.int64],
        devices: NDArray[np.int64],
        after_ms: NDArray[np.int64],
        may: May,
        until_ms: NDArray[np.int64],
    ) -> list[Event]:
        """Each device from the state `which` i8[d] of those kept."""
        if not len(devices):
            return []
        judges = self.court.judges
        before = {name: judge.open_on(devices) for name, judge in judges.items()}
        rows = self.history(devices, after_ms, until_ms)
        for number, kept in enumerate(self.kept):
            self.court.put(devices[which == number], kept.state)
        last_ms = self.last_ms.copy()
        last_ms[devices] = after_ms
        events = self.court.take(rows, may(rows), last_ms, SAMPLES)
        newest: dict[tuple[str, int, bool], Event] = {}
        for event in sorted(events, key=lambda one: (one.t_ms, one.known_ms)):
            newest[event.rule, event.device, event.what in (STIRS, CALMS)] = event
        found = [event for (_, _, is_unrest), event in newest.items() if is_unrest]
        at_ms = dict(zip(devices.tolist(), until_ms.tolist(), strict=True))
        for name, judge in judges.items():
            after = judge.open_on(devices)
            found += [
                _ended(name, device, at_ms[device], newest.get((name, device, False)))
                for device in sorted(before[name] - after)
            ]
            opened = [newest.get((name, device, False)) for device in sorted(after - before[name])]
            found += [event for event in opened if event is not None and event.what == OPENS]
        return found


def _ended(rule: str, device: int, at_ms: int, last: Event | None) -> Event:
    what = REPAIRED if last is not None and last.what == REPAIRED else REFUTED
    return Event(at_ms, rule, device, what, at_ms, at_ms, 0, {})
