"""From readings to findings: stage one on what has become known, absence at its ticks, stage two in the order of time.

    rows ─ known by now ─→ court (one rule after the other, columns) ─→ events ─┐
    ticks of 5 minutes ──→ absence (who should have spoken) ─────────→ changes ─┴→ blame ─→ edges

A function of the rules, the inventory, the windows, the repairs and the rows with their times of receipt: the order in
which rows come, the pieces they come in and restarts make no difference. Nothing here knows a database or a wall clock.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime

import numpy as np
from numpy.typing import NDArray

from rules.absence import TICK_MS, Absence
from rules.blame import OUT_OF_SERVICE, Blame
from rules.change import AbsenceRules
from rules.court import Court
from rules.edges import Edge
from rules.events import Event
from rules.fleet import Fleet
from rules.late import History, Late, no_history
from rules.latest import NEVER_MS
from rules.nights import Nights
from rules.presses import Overdue
from rules.repairs import Repair, Repaired
from rules.rows import NO_ROWS, Rows, Words, concat_rows
from rules.spec import Rule
from rules.topology import Topology, make_topology
from rules.windows import Muted, Window, muted, muted_at, unmuted_rows

STEP_MS = 60_000
"""The grid on which readings are judged: who knows when it was judged knows with what."""
ABSENCE_RULES = ("silent", "never_reported", "circuit_down", "phase_down", "gateway_down", "silent_many")


class Judgement:
    """The state of all rules over a fleet."""

    def __init__(
        self,
        rules: Mapping[str, Rule],
        words: Words,
        windows: Sequence[Window] = (),
        history: History = no_history,
    ) -> None:
        self.rules = rules
        self.words = words
        self.windows = tuple(windows)
        self.court = Court(rules, words)
        self.late = Late(self.court, history)
        self.absence = Absence(AbsenceRules(**{name: rules.get(name) for name in ABSENCE_RULES}), words)
        self.overdue = [Overdue(rule, words) for rule in rules.values() if rule.kind == "absence" and rule.event]
        self.blame = Blame(rules)
        self.ticked_ms = NEVER_MS
        self.heard = NO_ROWS

    def repaired(self, repairs: Sequence[Repair]) -> None:
        """From now on mind these repairs, which are all there are; `refresh` has been called."""
        self.court.repaired = Repaired(repairs)
        self.court.repaired.refresh(self.fleet)

    # -- inventory ---------------------------------------------------------------------------------------------------

    def refresh(self, fleet: Fleet, now_ms: int) -> list[Edge]:
        """Take in an inventory, new or changed; what is open on devices out of service ends."""
        devices = fleet.devices
        lat = np.array([np.nan if one.lat is None else one.lat for one in devices], dtype=np.float64)
        lon = np.array([np.nan if one.lon is None else one.lon for one in devices], dtype=np.float64)
        nights = Nights([one.profile for one in devices], lat, lon, [one.supply for one in devices])
        self.fleet: Fleet = fleet
        self.topology: Topology = make_topology(fleet)
        self.muted: list[Muted] = muted(self.windows, fleet, self.topology)
        self.ticked_ms = now_ms // TICK_MS * TICK_MS if self.ticked_ms == NEVER_MS else self.ticked_ms
        self.court.refresh(fleet, nights, today_of(now_ms))
        self.late.grow(len(fleet))
        self.late.keep(self.ticked_ms)
        self.promised = fleet.live & (fleet.interval_ms > 0)
        self.absence.refresh(fleet, self.topology, nights, self.promised & ~self._muted_at(now_ms), self.ticked_ms)
        for rule in self.overdue:
            rule.refresh(fleet, self.ticked_ms)
        self.blame.refresh(fleet, self.topology)
        self.blame.covered = self.absence.covered()
        gone = np.flatnonzero(~fleet.live)
        self.court.forget(gone)
        return list(self.blame.end_devices(gone.tolist(), now_ms, OUT_OF_SERVICE))

    def _muted_at(self, at_ms: int) -> NDArray[np.bool_]:
        return muted_at(self.muted, len(self.fleet), at_ms)

    def open_findings(self) -> set[tuple[str, str, str]]:
        """(rule, subject, episode) of all that is told and open."""
        return (
            self.blame.open_findings()
            | self.absence.open_findings()
            | {
                (one.rule.name, self.fleet.devices[device].device_id, str(since_ms))
                for one in self.overdue
                for device, since_ms in one.open_now()
            }
        )

    def conditions(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """(bool[n], bool[n]): who is silent, and who has a fault of its own or of its line."""
        silent, fault = np.zeros(len(self.fleet), dtype=np.bool_), self.absence.explained().copy()
        silent[list(self.absence.silent)] = True
        fault[[device for (_, device), episode in self.blame.episodes.items() if episode.told or episode.line]] = True
        return silent, fault

    def under(self, rules: Collection[str]) -> NDArray[np.bool_]:
        """bool[n]: who has an open finding of one of these rules, or is on a line or site that has one."""
        found = np.zeros(len(self.fleet), dtype=np.bool_)
        for (name, device), episode in self.blame.episodes.items():
            found[device] |= name in rules and (episode.told or bool(episode.line))
        for name, subject in self.blame.on_lines.open:
            group = self.rules[name].group
            level = self.topology.levels[group.by] if name in rules and group is not None else None
            if level is not None and subject in level.subjects:
                found |= level.members(level.subjects.index(subject))
        return found

    # -- readings ----------------------------------------------------------------------------------------------------

    def _may(self, rows: Rows) -> NDArray[np.bool_]:
        return self.fleet.live[rows.device] & unmuted_rows(self.muted, rows.device, rows.t_ms)

    def judge(self, rows: Rows, until_ms: int) -> list[Event]:
        """Stage one: what follows on single devices from rows that are known by now, sorted by device and time.

        Nothing of stage two is looked at, so this may be ahead of it.
        """
        if not len(rows):
            return []
        self.court.listen(rows)
        orderly = ~(rows.out_of_order | self.late.is_late(rows))
        if not orderly.all():
            troubled = np.unique(rows.device[~orderly])
            apart = np.isin(rows.device, troubled)
            found = self._one_after_the_other(rows.take(np.flatnonzero(apart)))
            rows = rows.take(np.flatnonzero(~apart))
        else:
            found = []
        found += self._in_order(rows)
        self.late.keep(until_ms)
        return sorted(found, key=lambda event: event.order)

    def _one_after_the_other(self, rows: Rows) -> list[Event]:
        """Rows of devices that spoke out of order: minute by minute, as they became known.

        No device looks at another, so each goes through its own minutes: first everybody's first step, then
        everybody's second, and so on.
        """
        minute_ms = -(-rows.own_known_ms // STEP_MS) * STEP_MS
        found: list[Event] = []
        for step, is_late in self.late.steps(rows, minute_ms):
            fresh, late = step[~is_late], step[is_late]
            if len(fresh):
                found += self._in_order(rows.take(fresh))
            if len(late):
                some = rows.take(late)
                found += self.late.again(some, self._may, minute_ms[late][some.starts])
        return found

    def _in_order(self, rows: Rows) -> list[Event]:
        found = self.court.take(rows, self._may(rows), self.late.last_ms)
        self.late.note(rows)
        return found

    def advance(self, rows: Rows, until_ms: int, hears: bool = True) -> list[Edge]:
        """Go on to `until_ms` with the rows that became known since, sorted by device and time."""
        return self.blame_for(self.judge(rows, until_ms), rows, until_ms, hears)

    def blame_for(self, events: Sequence[Event], rows: Rows, until_ms: int, hears: bool = True) -> list[Edge]:
        """Stage two: what the events, and nobody having spoken, lead to."""
        edges: list[Edge] = []
        place = 0
        for tick_ms, heard in self._ticks(rows.heard(), until_ms):
            while place < len(events) and events[place].known_ms <= tick_ms:
                edges += self.blame.take(events[place])
                place += 1
            edges += self._tick(heard, tick_ms, hears)
        for event in events[place:]:
            edges += self.blame.take(event)
        return edges

    def _ticks(self, heard: Rows, until_ms: int) -> Iterator[tuple[int, Rows]]:
        """The ticks up to `until_ms`, each with what was heard before it; what came after the last waits."""
        heard = concat_rows([self.heard, heard])
        first_ms = self.ticked_ms + TICK_MS
        count = max((until_ms - self.ticked_ms) // TICK_MS, 0)
        tick = np.clip(-((first_ms - heard.received_ms) // TICK_MS), 0, count)
        order = np.argsort(tick.astype(np.uint16) if count < 2**16 else tick, kind="stable")
        ends = np.searchsorted(tick[order], np.arange(count), side="right").tolist()
        heard, begin = heard.take(order), 0
        for number, end in enumerate(ends):
            yield first_ms + number * TICK_MS, heard.piece(begin, end)
            begin = end
        self.heard = heard.take(np.arange(begin, len(order)))

    def away(self, until_ms: int) -> None:
        """Nobody could be heard from the last tick until now; silence in it is our own."""
        tick_ms = until_ms // TICK_MS * TICK_MS
        if tick_ms > self.ticked_ms:
            self.absence.away(tick_ms)
            self.ticked_ms = tick_ms

    def _tick(self, heard: Rows, tick_ms: int, hears: bool) -> Iterator[Edge]:
        self.ticked_ms = tick_ms
        if self.muted:
            self._mind_windows(tick_ms)
        self.absence.take(heard)
        changes = list(self.absence.tick(tick_ms, hears))
        for rule in self.overdue:
            rule.take(heard)
            changes += rule.tick(tick_ms)
        for change in changes:
            yield self.blame.change(change)
        if changes:
            self.blame.covered = self.absence.covered()
        yield from self.blame.settle(tick_ms, self.absence.hearing.heard_ms, self.absence.hearing.late_ms)

    def _mind_windows(self, tick_ms: int) -> None:
        judged = self.promised & ~self._muted_at(tick_ms)
        self.absence.hearing.grant(judged & ~self.absence.judged, self.absence.clock)
        self.absence.judged = judged


def today_of(at_ms: int) -> date:
    """The UTC day of an instant: until when an override holds."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).date()
