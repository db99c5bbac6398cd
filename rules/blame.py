"""Stage two: what happened on single devices becomes findings, each blamed on the first thing that explains it.

An episode that opens on a device is told at once, unless

- its readings came so late that they tell of the past: then only once fresh ones say the same;
- something else explains it (`inhibited_by`), on this device or above it: then only if it outlasts that;
- many beside it have the same (`group`): then that is one finding on their line, with the members in it.

Few events come here, so this is plain code over dictionaries; what comes in the same order gives the same findings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rules.change import Change
from rules.edges import Closing, Edge, Opening
from rules.episodes import Episode, evidence_of
from rules.events import CALMS, CLOSES, OPENS, REFUTED, REPAIRED, Event
from rules.fleet import NONE, Fleet
from rules.on_lines import MENDED, OnLines
from rules.rows import ALLOWANCE_MS
from rules.spec import Rule
from rules.topology import Topology

HEARD, LINE_BACK = "Das Gerät meldet sich wieder.", "Die Geräte melden sich wieder."
REFUTED_LATE = "Durch Nachlieferung widerlegt."
LEARNS_ANEW = "Als repariert gemeldet; was gewöhnlich ist, wird neu gelernt."
OUT_OF_SERVICE, RULE_GONE = "Das Gerät ist nicht mehr in Betrieb.", "Die Regel gibt es nicht mehr."
ENDS = {CLOSES: MENDED, REFUTED: REFUTED_LATE, REPAIRED: LEARNS_ANEW}
HOUR_MS, DAY_S = 3_600_000, 86_400
NOBODY = np.zeros(0, dtype=np.int64)
LATELY_INTERVALS = 2.5
"""A device that has said nothing for longer may be well again: nothing new is told of it."""
OUTLAST_INTERVALS, OUTLAST_DAY_MS, OUTLAST_NIGHTS_MS = 3.0, 30 * HOUR_MS, 66 * HOUR_MS
"""So much longer than what explained it an episode must last: until there were samples again that may say otherwise.
Rules that take a day or more to close look at one part of the day only; others look at whole nights.
"""
LOOK_AGAIN = 0.8
"""What explains it is looked for again when so much of that is left."""


@dataclass
class Blame:
    """`episodes` open, by rule and device · `waiting` those not told yet, `well` those whose newest sample was good,
    `suspected` those that change to and fro · `on_lines` what many show at once.
    """

    rules: Mapping[str, Rule]
    episodes: dict[tuple[str, int], Episode] = field(default_factory=dict)
    waiting: set[tuple[str, int]] = field(default_factory=set)
    well: set[tuple[str, int]] = field(default_factory=set)
    suspected: set[tuple[str, int]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.on_lines = OnLines(self.rules, self.episodes, self.waiting)

    def refresh(self, fleet: Fleet, topology: Topology) -> None:
        """Take in an inventory."""
        self.fleet = fleet
        self.topology = topology
        self.on_lines.refresh(fleet, topology)
        self.covered: dict[str, NDArray[np.bool_]] = {}

    # -- events ------------------------------------------------------------------------------------------------------

    def take(self, event: Event) -> Iterator[Edge]:
        """What follows from one event."""
        rule = self.rules[event.rule]
        key = (event.rule, event.device)
        if event.what == OPENS:
            self.episodes[key] = Episode(event)
            yield from self._tell(rule, key, event.known_ms, event.received_ms - event.t_ms)
        elif event.what in ENDS:
            yield from self.end(key, event.known_ms, ENDS[event.what])
        else:
            yield from self._note_unrest(rule, event)

    def _note_unrest(self, rule: Rule, event: Event) -> Iterator[Edge]:
        if rule.kind == "count":
            (self.suspected.discard if event.what == CALMS else self.suspected.add)((rule.name, event.device))
            return
        if event.what == CALMS:
            self.well.add((rule.name, event.device))
        else:
            self.well.discard((rule.name, event.device))
        yield from self.on_lines.note(rule, event)

    def settle(self, now_ms: int, last_ms: NDArray[np.int64], late_ms: NDArray[np.int32]) -> Iterator[Edge]:
        """Look again at what had to wait, where the device has said something lately."""
        yield from self.on_lines.settle(now_ms)
        for key in sorted(self.waiting):
            device = key[1]
            rule = self.rules[key[0]]
            if key in self.well or self._explained_lately(rule, key, now_ms) or self._explained(rule, key, now_ms):
                continue
            is_known = last_ms[device] + ALLOWANCE_MS <= now_ms  # else what it said may be about to end this
            if last_ms[device] < self.episodes[key].not_before_ms or not is_known:
                continue
            if now_ms - last_ms[device] <= LATELY_INTERVALS * self.fleet.interval_ms[device]:
                yield from self._tell(rule, key, now_ms, int(late_ms[device]))

    def _tell(self, rule: Rule, key: tuple[str, int], now_ms: int, late_ms: int) -> Iterator[Edge]:
        """Tell of an episode, or let it wait."""
        episode, device = self.episodes[key], key[1]
        self.waiting.add(key)
        if self._explained(rule, key, now_ms):
            return
        if late_ms > int(rule.late.ms(self.fleet.interval_ms[device : device + 1])[0]):
            return
        if rule.group is not None:
            subject = self.on_lines.line_of(rule, device)
            if subject and (yield from self.on_lines.join(rule, subject, key, now_ms)):
                return
            if not rule.group.alone:
                return
        self.waiting.discard(key)
        episode.told = True
        yield self._opening(rule, episode, now_ms)

    def _explained(self, rule: Rule, key: tuple[str, int], now_ms: int) -> bool:
        """Whether something else accounts for an episode; then it must outlast that by some time."""
        if not self._inhibited(rule, key[1]):
            return False
        self.episodes[key].not_before_ms = now_ms + self._patience_ms(rule, key[1])
        return True

    def _explained_lately(self, rule: Rule, key: tuple[str, int], now_ms: int) -> bool:
        """Whether it was explained so lately that it need not be asked again: most of its patience is left."""
        left_ms = self.episodes[key].not_before_ms - now_ms
        return left_ms > 0 and left_ms > LOOK_AGAIN * self._patience_ms(rule, key[1])

    def _patience_ms(self, rule: Rule, device: int) -> int:
        if rule.nights > 1:
            return OUTLAST_NIGHTS_MS
        if rule.lasts_clear.seconds >= DAY_S:
            return OUTLAST_DAY_MS
        return int(OUTLAST_INTERVALS * self.fleet.interval_ms.item(device))

    def _inhibited(self, rule: Rule, device: int) -> bool:
        return any(True for _ in self.inhibitors(rule, device))

    def inhibitors(self, rule: Rule, device: int) -> Iterator[str]:
        """The rules that explain just now what this one sees on a device: there, on its line, at its cabinet; to a
        cabinet, what is wrong with the lamps it feeds.
        """
        feeder, fed = self.topology.feeder.item(device), self.topology.fed.get(device, NOBODY)
        for name in rule.inhibited_by:
            key = (name, device)
            covered = self.covered.get(name)
            if (
                key in self.episodes
                or key in self.suspected
                or (name, feeder) in self.episodes
                or (covered is not None and (covered.item(device) or bool(covered[fed].any())))
                or self._on_line(rule, name, device, fed)
            ):
                yield name

    def _on_line(self, rule: Rule, name: str, device: int, fed: NDArray[np.int64]) -> bool:
        """Whether a rule that this one does not join has a finding on the line of the device, or of one it feeds."""
        other = self.rules.get(name)
        if other is None or other.group is None or (rule.group is not None and rule.group.becomes == name):
            return False
        return self.on_lines.is_open(other, device) or any(self.on_lines.is_open(other, one) for one in fed.tolist())

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
            yield from self.on_lines.leave(key, episode.line, at_ms)

    def end_devices(self, devices: Iterable[int], at_ms: int, reason: str) -> Iterator[Edge]:
        """All that is open on these is over: they are out of service."""
        gone = set(devices)
        for key in sorted(key for key in self.episodes if key[1] in gone):
            yield from self.end(key, at_ms, reason)
        self.on_lines.forget(gone)

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
            members=() if is_one else self.on_lines.ids(change.devices),
        )

    def open_findings(self) -> set[tuple[str, str, str]]:
        """(rule, subject, episode) of all that is told and open on devices and lines."""
        devices = self.fleet.devices
        found = {
            (rule, devices[device].device_id, str(episode.event.since_ms))
            for (rule, device), episode in self.episodes.items()
            if episode.told
        }
        return found | {(rule, subject, str(line.since_ms)) for (rule, subject), line in self.on_lines.open.items()}

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
            evidence=evidence_of(rule, event, self.fleet.devices[event.device].device_id),
        )
