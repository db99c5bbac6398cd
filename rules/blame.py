"""Stage two: what happened on single devices becomes findings, each blamed on the first thing that explains it.

An episode that opens on a device is told at once, unless

- its readings came so late that they tell of the past: then only once fresh ones say the same;
- something else explains it (`inhibited_by`), on this device or above it: then only if it outlasts that;
- many beside it have the same (`group`): then that is one finding on their line, with the members in it.

Few events come here, so this is plain code over dictionaries; what comes in the same order gives the same findings.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rules.change import Change
from rules.edges import Closing, Edge, Opening
from rules.episodes import Episode, Line
from rules.events import CALMS, CLOSES, OPENS, REFUTED, Event
from rules.fleet import NONE, Fleet
from rules.records import Evidence
from rules.rows import ALLOWANCE_MS
from rules.spec import Rule
from rules.topology import Topology

MENDED = "Die Messwerte sind wieder in Ordnung."
HEARD, LINE_BACK = "Das Gerät meldet sich wieder.", "Die Geräte melden sich wieder."
FEW_LEFT = "Die meisten Geräte sind wieder in Ordnung."
REFUTED_LATE = "Durch Nachlieferung widerlegt."
OUT_OF_SERVICE = "Das Gerät ist nicht mehr in Betrieb."
RULE_GONE = "Die Regel gibt es nicht mehr."
SETTLE_INTERVALS = 1.5
"""So long an episode waits for its neighbours when one of them shows the same."""
LATELY_INTERVALS = 2.5
"""A device that has said nothing for longer may be well again: nothing new is told of it."""
OUTLAST_INTERVALS, OUTLAST_MS = 2.5, 60 * 3_600_000
"""So much longer than what explained it an episode must last; the second is for rules that look at whole nights."""
LEFT_SHARE = 0.25
"""A line's finding ends when no more of its members are still bad."""


@dataclass
class Blame:
    """`episodes` open, by rule and device · `waiting` those not told yet, `well` those whose newest sample was good,
    `suspected` those that change to and fro ·
    `stirring` {rule and line: {device: since}} who has bad samples just now · `lines` with a finding of their own.
    """

    rules: Mapping[str, Rule]
    episodes: dict[tuple[str, int], Episode] = field(default_factory=dict)
    stirring: dict[tuple[str, str], dict[int, int]] = field(default_factory=dict)
    lines: dict[tuple[str, str], Line] = field(default_factory=dict)
    waiting: set[tuple[str, int]] = field(default_factory=set)
    well: set[tuple[str, int]] = field(default_factory=set)
    suspected: set[tuple[str, int]] = field(default_factory=set)

    def refresh(self, fleet: Fleet, topology: Topology) -> None:
        """Take in an inventory."""
        self.fleet = fleet
        self.topology = topology
        self.covered: dict[str, NDArray[np.bool_]] = {}

    # -- events ------------------------------------------------------------------------------------------------------

    def take(self, event: Event) -> Iterator[Edge]:
        """What follows from one event."""
        rule = self.rules[event.rule]
        key = (event.rule, event.device)
        if event.what == OPENS:
            self.episodes[key] = Episode(event)
            yield from self._tell(rule, key, event.known_ms, event.received_ms - event.t_ms)
        elif event.what in (CLOSES, REFUTED):
            yield from self.end(key, event.known_ms, MENDED if event.what == CLOSES else REFUTED_LATE)
        else:
            self._note_unrest(rule, event)

    def _note_unrest(self, rule: Rule, event: Event) -> None:
        if rule.kind == "count":
            (self.suspected.discard if event.what == CALMS else self.suspected.add)((rule.name, event.device))
            return
        if event.what == CALMS:
            self.well.add((rule.name, event.device))
        else:
            self.well.discard((rule.name, event.device))
        subject = self._line_of(rule, event.device)
        if subject:
            stirring = self.stirring.setdefault((rule.name, subject), {})
            if event.what == CALMS:
                stirring.pop(event.device, None)
            else:
                stirring[event.device] = event.t_ms

    def settle(self, now_ms: int, last_ms: NDArray[np.int64], late_ms: NDArray[np.int32]) -> Iterator[Edge]:
        """Look again at what had to wait, where the device has said something lately."""
        for name, subject in sorted(self.lines):
            yield from self._end_line(name, subject, now_ms)
        for key in sorted(self.waiting):
            device = key[1]
            if key in self.well or self._explained(self.rules[key[0]], key, now_ms):
                continue
            is_known = last_ms[device] + ALLOWANCE_MS <= now_ms  # else what it said may be about to end this
            if last_ms[device] < self.episodes[key].not_before_ms or not is_known:
                continue
            if now_ms - last_ms[device] <= LATELY_INTERVALS * self.fleet.interval_ms[device]:
                yield from self._tell(self.rules[key[0]], key, now_ms, int(late_ms[device]))

    def _tell(self, rule: Rule, key: tuple[str, int], now_ms: int, late_ms: int) -> Iterator[Edge]:
        """Tell of an episode, or let it wait."""
        episode, device = self.episodes[key], key[1]
        self.waiting.add(key)
        if self._explained(rule, key, now_ms):
            return
        if late_ms > int(rule.late.ms(self.fleet.interval_ms[device : device + 1])[0]):
            return
        if rule.group is not None:
            subject = self._line_of(rule, device)
            if subject and (yield from self._in_line(rule, subject, key, now_ms)):
                return
        self.waiting.discard(key)
        episode.told = True
        yield self._opening(rule, episode, now_ms)

    def _explained(self, rule: Rule, key: tuple[str, int], now_ms: int) -> bool:
        """Whether something else accounts for an episode; then it must outlast that by some time."""
        if not self._inhibited(rule, key[1]):
            return False
        patience_ms = OUTLAST_INTERVALS * self.fleet.interval_ms[key[1]] if rule.nights == 1 else OUTLAST_MS
        self.episodes[key].not_before_ms = now_ms + int(patience_ms)
        return True

    def _inhibited(self, rule: Rule, device: int) -> bool:
        return any(True for _ in self.inhibitors(rule, device))

    def inhibitors(self, rule: Rule, device: int) -> Iterator[str]:
        """The rules that explain just now what this one sees on a device."""
        for name in rule.inhibited_by:
            covered = self.covered.get(name)
            other = self.rules.get(name)
            joins = rule.group is not None and rule.group.becomes == name
            on_line = other is not None and not joins and (name, self._line_of(other, device)) in self.lines
            here = (name, device) in self.suspected or (name, device) in self.episodes
            if on_line or here or (covered is not None and bool(covered[device])):
                yield name

    # -- lines -------------------------------------------------------------------------------------------------------

    def _line_of(self, rule: Rule, device: int) -> str:
        if rule.group is None:
            return ""
        level = self.topology.levels[rule.group.by]
        place = int(level.of[device])
        return level.subjects[place] if place != NONE else ""

    def _in_line(self, rule: Rule, subject: str, key: tuple[str, int], now_ms: int) -> Generator[Edge, None, bool]:
        """Whether the episode is told as part of a line, or waits for its neighbours (a generator's return value)."""
        assert rule.group is not None, "asked only for rules with a group"
        name = rule.group.becomes or rule.name
        line = self.lines.get((name, subject))
        if line is None:
            stirring = self.stirring.get((rule.name, subject), {})
            place = self.topology.levels[rule.group.by].subjects.index(subject)
            of = int((self.topology.levels[rule.group.by].members(place) & self.fleet.live).sum())
            if len(stirring) < max(rule.group.least, rule.group.share * of):
                settle_ms = SETTLE_INTERVALS * float(self.fleet.interval_ms[key[1]])
                return len(stirring) > 1 and now_ms - self.episodes[key].event.known_ms < settle_ms
            line = Line(min(stirring.values()), {(rule.name, device) for device in stirring}, len(stirring))
            self.lines[name, subject] = line
            yield self._line_opening(self.rules[name], subject, line, self.episodes[key], now_ms, of)
        line.members.add(key)
        line.quiet_ms = 0
        self.episodes[key].line = subject
        self.waiting.discard(key)
        return True

    def _line_opening(self, rule: Rule, subject: str, line: Line, episode: Episode, now_ms: int, of: int) -> Opening:
        facts = {**episode.event.values, "members": float(len(line.members)), "total": float(of)}
        return Opening(
            rule=rule.name,
            subject=subject,
            episode=str(line.since_ms),
            device=episode.event.device,
            since_ms=line.since_ms,
            opened_ms=now_ms,
            facts=facts,
            members=self._ids(device for _, device in line.members),
            evidence=self._evidence(rule, episode.event),
        )

    def _leave_line(self, key: tuple[str, int], subject: str, at_ms: int) -> Iterator[Edge]:
        group = self.rules[key[0]].group
        name = key[0] if group is None else group.becomes or key[0]
        line = self.lines.get((name, subject))
        if line is None:
            return
        line.members.discard(key)
        if len(self._still(line)) <= LEFT_SHARE * line.at_first and not line.quiet_ms:
            line.quiet_ms = at_ms
        yield from self._end_line(name, subject, at_ms)

    def _still(self, line: Line) -> list[tuple[str, int]]:
        return sorted(key for key in line.members if key in self.episodes)

    def _end_line(self, name: str, subject: str, at_ms: int) -> Iterator[Edge]:
        """A line that has been quiet for as long as its rule wants is over; what is left has a fault of its own."""
        line = self.lines[name, subject]
        if not line.quiet_ms or at_ms - line.quiet_ms < self.rules[name].lasts_clear.seconds * 1000:
            return
        still = self._still(line)
        del self.lines[name, subject]
        yield Closing(name, subject, str(line.since_ms), at_ms, FEW_LEFT if still else MENDED)
        for key in still:
            self.episodes[key].line = ""
            self.episodes[key].not_before_ms = at_ms
            self.waiting.add(key)

    # -- ends --------------------------------------------------------------------------------------------------------

    def end(self, key: tuple[str, int], at_ms: int, reason: str) -> Iterator[Edge]:
        """An episode is over."""
        episode = self.episodes.pop(key, None)
        self.waiting.discard(key)
        self.well.discard(key)
        if episode is None:
            return
        if episode.told:
            subject = self.fleet.devices[key[1]].device_id
            yield Closing(key[0], subject, str(episode.event.since_ms), at_ms, reason)
        if episode.line:
            yield from self._leave_line(key, episode.line, at_ms)

    def end_devices(self, devices: Iterable[int], at_ms: int, reason: str) -> Iterator[Edge]:
        """All that is open on these is over: they are out of service."""
        gone = set(devices)
        for key in sorted(key for key in self.episodes if key[1] in gone):
            yield from self.end(key, at_ms, reason)
        for stirring in self.stirring.values():
            for device in gone & stirring.keys():
                del stirring[device]

    # -- absence -----------------------------------------------------------------------------------------------------

    def change(self, change: Change) -> Edge:
        """An absence began or ended."""
        if not change.opens:
            is_one = len(change.devices) == 1
            gone = is_one and not self.fleet.live[change.devices[0]]
            reason = OUT_OF_SERVICE if gone else HEARD if is_one else LINE_BACK
            return Closing(change.rule, change.subject, str(change.since_ms), change.at_ms, reason)
        rule = self.rules[change.rule]
        is_one = len(change.devices) == 1 and self.fleet.devices[change.devices[0]].device_id == change.subject
        return Opening(
            rule=rule.name,
            subject=change.subject,
            episode=str(change.since_ms),
            device=change.devices[0] if change.devices else NONE,
            since_ms=change.since_ms,
            opened_ms=change.at_ms,
            facts=dict(change.facts),
            members=() if is_one else self._ids(change.devices),
        )

    def open_findings(self) -> set[tuple[str, str, str]]:
        """(rule, subject, episode) of all that is told and open on devices and lines."""
        devices = self.fleet.devices
        found = {
            (rule, devices[device].device_id, str(episode.event.since_ms))
            for (rule, device), episode in self.episodes.items()
            if episode.told
        }
        return found | {(rule, subject, str(line.since_ms)) for (rule, subject), line in self.lines.items()}

    # -- words -------------------------------------------------------------------------------------------------------

    def _opening(self, rule: Rule, episode: Episode, now_ms: int) -> Opening:
        event = episode.event
        return Opening(
            rule=rule.name,
            subject=self.fleet.devices[event.device].device_id,
            episode=str(event.since_ms),
            device=event.device,
            since_ms=event.since_ms,
            opened_ms=now_ms,
            facts=dict(event.values),
            evidence=self._evidence(rule, event),
        )

    def _evidence(self, rule: Rule, event: Event) -> tuple[Evidence, ...]:
        device_id = self.fleet.devices[event.device].device_id
        return tuple(
            Evidence(device_id, event.t_ms, name, value)
            for name, value in event.values.items()
            if name not in rule.params and not np.isnan(value)
        )

    def _ids(self, devices: Iterable[int]) -> tuple[str, ...]:
        return tuple(sorted(self.fleet.devices[device].device_id for device in devices))
