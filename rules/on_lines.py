"""Findings on lines: the same on many devices of one circuit, phase, cabinet or site is one finding with members.

A device joins as soon as it has bad samples (it *stirs*), not when its own episode opens: that is known sooner.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from rules.edges import Closing, Edge, Opening
from rules.episodes import Episode, Line, evidence_of
from rules.events import CALMS, STIRS, Event
from rules.fleet import NONE, Fleet
from rules.spec import Rule
from rules.topology import Topology

MENDED = "Die Messwerte sind wieder in Ordnung."
FEW_LEFT = "Die meisten Geräte sind wieder in Ordnung."
SETTLE_INTERVALS = 1.5
"""So long an episode waits for its neighbours when one of them shows the same."""
LEFT_SHARE = 0.25
"""A line's finding ends when no more of its members are still bad."""

PART_LEAST, PART_SHARE = 2, 0.2
"""Of what several rules see together none may be an exception: each has so many members, and this share of them."""

Key = tuple[str, int]
"""An episode's rule and device."""


@dataclass
class OnLines:
    """`open` {(rule, subject): Line} · `stirring` {(rule, subject): {device: since}} who has bad samples just now, also
    as a part of another rule: {(rule/part, subject): …} · `episodes`, `waiting` are those of who asks: all that is
    open, and what is not told yet.
    """

    rules: Mapping[str, Rule]
    episodes: dict[Key, Episode]
    waiting: set[Key]
    open: dict[tuple[str, str], Line] = field(default_factory=dict)
    stirring: dict[tuple[str, str], dict[int, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.wholes = {part: [whole for whole in self.rules.values() if part in whole.together] for part in self.rules}

    def refresh(self, fleet: Fleet, topology: Topology) -> None:
        """Take in an inventory."""
        self.fleet, self.topology = fleet, topology

    def line_of(self, rule: Rule, device: int) -> str:
        """The subject on which the rule gathers this device; '' = on none. A cabinet is on its own."""
        if rule.group is None:
            return ""
        if rule.group.by == "cabinet" and self.fleet.devices[device].kind == "cabinet":
            return f"cabinet:{self.fleet.devices[device].device_id}"
        level = self.topology.levels[rule.group.by]
        place = int(level.of[device])
        return level.subjects[place] if place != NONE else ""

    def is_open(self, rule: Rule, device: int) -> bool:
        """Whether the rule has a finding on the device's line."""
        return (rule.name, self.line_of(rule, device)) in self.open

    def note(self, rule: Rule, event: Event) -> Iterator[Edge]:
        """A run of bad samples begins or ends on a device: what follows for rules that see several others together."""
        self._note(rule.name, self.line_of(rule, event.device), event)
        for whole in self.wholes[rule.name]:
            subject = self.line_of(whole, event.device)
            if subject:
                self._note(_part(whole, rule.name), subject, event)
                yield from self._combine(whole, subject, event)

    def _note(self, name: str, subject: str, event: Event) -> None:
        if subject and event.what == CALMS:
            self.stirring.get((name, subject), {}).pop(event.device, None)
        elif subject:
            self.stirring.setdefault((name, subject), {})[event.device] = event.t_ms

    def _combine(self, whole: Rule, subject: str, event: Event) -> Iterator[Edge]:
        """A line on which all parts of a rule show is one finding; it goes on for as long as enough of them do."""
        assert whole.group is not None, "rules.load sees to it"
        parts = [self.stirring.get((_part(whole, name), subject), {}) for name in whole.together]
        members = {(name, device) for name, part in zip(whole.together, parts, strict=True) for device in part}
        line = self.open.get((whole.name, subject))
        if line is not None:
            line.members |= members
            few = len(members) <= LEFT_SHARE * line.at_first
            line.quiet_ms = 0 if not few else line.quiet_ms or event.known_ms
            yield from self._end(whole.name, subject, event.known_ms)
            return
        of = self._size(whole, subject)
        many = len(members) >= max(whole.group.least, whole.group.share * of)
        fewest = min(len(part) for part in parts)
        if event.what == STIRS and many and fewest >= max(PART_LEAST, PART_SHARE * len(members)):
            since_ms = max(min(part.values()) for part in parts)  # one lamp may have had too little for days
            line = Line(since_ms, members, len(members))
            self.open[whole.name, subject] = line
            yield self._opening(whole, subject, line, event, event.known_ms, of)

    def forget(self, devices: set[int]) -> None:
        """These are out of service."""
        for stirring in self.stirring.values():
            for device in devices & stirring.keys():
                del stirring[device]

    def join(self, rule: Rule, subject: str, key: Key, now_ms: int) -> Generator[Edge, None, bool]:
        """Whether the episode is told as part of a line, or waits for its neighbours (a generator's return value)."""
        assert rule.group is not None, "asked only for rules with a group"
        name = self._told_as(rule)
        line = self.open.get((name, subject))
        if line is None:
            stirring = self.stirring.get((rule.name, subject), {})
            of = self._size(rule, subject)
            if len(stirring) < max(rule.group.least, rule.group.share * of):
                settle_ms = SETTLE_INTERVALS * float(self.fleet.interval_ms[key[1]])
                return len(stirring) > 1 and now_ms - self.episodes[key].event.known_ms < settle_ms
            line = Line(min(stirring.values()), {(rule.name, device) for device in stirring}, len(stirring))
            self.open[name, subject] = line
            yield self._opening(self.rules[name], subject, line, self.episodes[key].event, now_ms, of)
        line.members.add(key)
        line.quiet_ms = 0
        self.episodes[key].line = subject
        self.waiting.discard(key)
        return True

    def _told_as(self, rule: Rule) -> str:
        """The rule under which it is told on lines; its own where the other one is broken."""
        return rule.group.becomes if rule.group is not None and rule.group.becomes in self.rules else rule.name

    def _size(self, rule: Rule, subject: str) -> int:
        """How many devices in service hang on a line."""
        assert rule.group is not None, "asked only for rules with a group"
        level = self.topology.levels[rule.group.by]
        if subject not in level.subjects:
            return 0
        return int((level.members(level.subjects.index(subject)) & self.fleet.live).sum())

    def _opening(self, rule: Rule, subject: str, line: Line, event: Event, now_ms: int, of: int) -> Opening:
        facts = {**event.values, "members": float(len(line.members)), "total": float(of)}
        return Opening(
            rule=rule.name,
            subject=subject,
            episode=str(line.since_ms),
            device=event.device,
            since_ms=line.since_ms,
            opened_ms=now_ms,
            facts=facts,
            members=self.ids(one for _, one in line.members),
            evidence=evidence_of(rule, event, self.fleet.devices[event.device].device_id),
        )

    def leave(self, key: Key, subject: str, at_ms: int) -> Iterator[Edge]:
        """An episode that was told with its line is over."""
        name = self._told_as(self.rules[key[0]])
        line = self.open.get((name, subject))
        if line is None:
            return
        line.members.discard(key)
        if len(self._still(line)) <= LEFT_SHARE * line.at_first and not line.quiet_ms:
            line.quiet_ms = at_ms
        yield from self._end(name, subject, at_ms)

    def settle(self, now_ms: int) -> Iterator[Edge]:
        """What has been quiet for long enough by now is over."""
        for name, subject in sorted(self.open):
            yield from self._end(name, subject, now_ms)

    def _still(self, line: Line) -> list[Key]:
        return sorted(key for key in line.members if key in self.episodes)

    def _end(self, name: str, subject: str, at_ms: int) -> Iterator[Edge]:
        """A line that has been quiet for as long as its rule wants is over; what is left has a fault of its own."""
        line = self.open[name, subject]
        if not line.quiet_ms or at_ms - line.quiet_ms < self.rules[name].lasts_clear.seconds * 1000:
            return
        still = self._still(line)
        del self.open[name, subject]
        yield Closing(name, subject, str(line.since_ms), at_ms, FEW_LEFT if still else MENDED)
        for key in still:
            episode = self.episodes[key]
            if episode.told or episode.line not in ("", subject):
                continue  # it has a finding of its own, or another line's, which goes on
            episode.line, episode.not_before_ms = "", at_ms
            self.waiting.add(key)

    def ids(self, devices: Iterable[int]) -> tuple[str, ...]:
        """The ids of devices, sorted."""
        return tuple(sorted(self.fleet.devices[device].device_id for device in devices))


def _part(whole: Rule, name: str) -> str:
    """Under which name the devices are noted that show one part of a rule."""
    return f"{whole.name}/{name}"
