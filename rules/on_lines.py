"""Findings on lines: the same on many devices of one circuit, phase, cabinet or site is one finding with members.

A device joins as soon as it has bad samples (it *stirs*), not when its own episode opens: that is known sooner.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from rules.edges import Closing, Edge, Opening
from rules.episodes import Episode, Line, evidence_of
from rules.fleet import NONE, Fleet
from rules.spec import Rule
from rules.topology import Topology

MENDED = "Die Messwerte sind wieder in Ordnung."
FEW_LEFT = "Die meisten Geräte sind wieder in Ordnung."
SETTLE_INTERVALS = 1.5
"""So long an episode waits for its neighbours when one of them shows the same."""
LEFT_SHARE = 0.25
"""A line's finding ends when no more of its members are still bad."""

Key = tuple[str, int]
"""An episode's rule and device."""


@dataclass
class OnLines:
    """`open` {(rule, subject): Line} · `stirring` {(rule, subject): {device: since}} who has bad samples just now ·
    `episodes`, `waiting` are those of who asks: all that is open, and what is not told yet.
    """

    rules: Mapping[str, Rule]
    episodes: dict[Key, Episode]
    waiting: set[Key]
    open: dict[tuple[str, str], Line] = field(default_factory=dict)
    stirring: dict[tuple[str, str], dict[int, int]] = field(default_factory=dict)

    def refresh(self, fleet: Fleet, topology: Topology) -> None:
        """Take in an inventory."""
        self.fleet, self.topology = fleet, topology

    def line_of(self, rule: Rule, device: int) -> str:
        """The subject on which the rule gathers this device; '' = on none."""
        if rule.group is None:
            return ""
        level = self.topology.levels[rule.group.by]
        place = int(level.of[device])
        return level.subjects[place] if place != NONE else ""

    def is_open(self, rule: Rule, device: int) -> bool:
        """Whether the rule has a finding on the device's line."""
        return (rule.name, self.line_of(rule, device)) in self.open

    def note(self, rule: Rule, device: int, since_ms: int | None) -> None:
        """The device has bad samples since then, or none any more (None)."""
        subject = self.line_of(rule, device)
        if not subject:
            return
        stirring = self.stirring.setdefault((rule.name, subject), {})
        if since_ms is None:
            stirring.pop(device, None)
        else:
            stirring[device] = since_ms

    def forget(self, devices: set[int]) -> None:
        """These are out of service."""
        for stirring in self.stirring.values():
            for device in devices & stirring.keys():
                del stirring[device]

    def join(self, rule: Rule, subject: str, key: Key, now_ms: int) -> Generator[Edge, None, bool]:
        """Whether the episode is told as part of a line, or waits for its neighbours (a generator's return value)."""
        assert rule.group is not None, "asked only for rules with a group"
        name = rule.group.becomes or rule.name
        line = self.open.get((name, subject))
        if line is None:
            stirring = self.stirring.get((rule.name, subject), {})
            of = self._size(rule, subject)
            if len(stirring) < max(rule.group.least, rule.group.share * of):
                settle_ms = SETTLE_INTERVALS * float(self.fleet.interval_ms[key[1]])
                return len(stirring) > 1 and now_ms - self.episodes[key].event.known_ms < settle_ms
            line = Line(min(stirring.values()), {(rule.name, device) for device in stirring}, len(stirring))
            self.open[name, subject] = line
            yield self._opening(self.rules[name], subject, line, self.episodes[key], now_ms, of)
        line.members.add(key)
        line.quiet_ms = 0
        self.episodes[key].line = subject
        self.waiting.discard(key)
        return True

    def _size(self, rule: Rule, subject: str) -> int:
        """How many devices in service hang on a line."""
        assert rule.group is not None, "asked only for rules with a group"
        level = self.topology.levels[rule.group.by]
        return int((level.members(level.subjects.index(subject)) & self.fleet.live).sum())

    def _opening(self, rule: Rule, subject: str, line: Line, episode: Episode, now_ms: int, of: int) -> Opening:
        facts = {**episode.event.values, "members": float(len(line.members)), "total": float(of)}
        device = episode.event.device
        return Opening(
            rule=rule.name,
            subject=subject,
            episode=str(line.since_ms),
            device=device,
            since_ms=line.since_ms,
            opened_ms=now_ms,
            facts=facts,
            members=self.ids(one for _, one in line.members),
            evidence=evidence_of(rule, episode.event, self.fleet.devices[device].device_id),
        )

    def leave(self, key: Key, subject: str, at_ms: int) -> Iterator[Edge]:
        """An episode that was told with its line is over."""
        group = self.rules[key[0]].group
        name = key[0] if group is None else group.becomes or key[0]
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
            self.episodes[key].line = ""
            self.episodes[key].not_before_ms = at_ms
            self.waiting.add(key)

    def ids(self, devices: Iterable[int]) -> tuple[str, ...]:
        """The ids of devices, sorted."""
        return tuple(sorted(self.fleet.devices[device].device_id for device in devices))
