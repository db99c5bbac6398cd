"""silent: a device that should have spoken and did not, for longer than its own radio loses messages.

How many misses are too many follows from each device's own gaps. Losses come in bursts, so a gap of k or more has the
probability q · (1 − 1/g)^(k−1) for each message, with q the share of messages after which a gap begins and g the mean
length of a gap (both from its counters, drawn towards the fleet's until there are enough). k is the smallest number
for which that happens less than once in 1,000 devices and years. (shared knowledge, domain A5.)

Most of a circuit quiet at once is no chance: that is one finding circuit_down with its members, and theirs are held
back. So many quiet that it must be our own ear: that is one finding silent_many on the platform, and theirs wait.
Either ends only when enough of them were heard again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rules.batch import Batch
from rules.edges import Closing, Edge, Opening
from rules.fleet import NONE, Fleet
from rules.latest import NEVER_MS, grown

RULE, CIRCUIT_RULE = "silent", "circuit_down"
YEAR_MS = 365.25 * 86_400_000
FALSE_PER_DEVICE_YEAR = 0.001
K_MIN, K_MAX = 4, 96
GAP_SHARE_PRIOR, GAP_LENGTH_PRIOR = 0.01, 2.0
MESSAGES_PRIOR, GAPS_PRIOR = 50.0, 10.0
QUIET_INTERVALS = 2.5
CIRCUIT_MEMBERS_MIN, CIRCUIT_SHARE, CIRCUIT_SHARE_BACK = 3, 0.6, 0.6
OURSELVES, OURSELVES_RULE = "platform", "silent_many"
OURSELVES_SHARE, OURSELVES_MIN = 0.3, 20
EVERYONE = slice(None)
Chosen = slice | NDArray[np.int64]
HEARD = "Das Gerät meldet sich wieder."
CIRCUIT_BACK = "Die Lampen des Strangs melden sich wieder."
CIRCUIT_GONE = "Diesen Strang gibt es im Verzeichnis nicht mehr."
ALL_BACK = "Die Geräte melden sich wieder."


@dataclass(eq=False)
class Silent:
    """n devices. `boot`, `seq` i8[n] of the newest message; `seen`, `gaps`, `lost` i8[n] messages heard, gaps in their
    counters, messages in those gaps; `open_heard_ms` i8[n] when the one that is silent was last heard, -1 = it is not.
    `groups` {subject: episode} of the circuits that are down, and of ourselves.
    """

    boot: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    seq: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    seen: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    gaps: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    lost: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    open_heard_ms: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    groups: dict[str, str] = field(default_factory=dict)

    def grow(self, length: int) -> None:
        """Room for so many devices."""
        for name in ("boot", "seq", "open_heard_ms"):
            setattr(self, name, grown(getattr(self, name), length, NEVER_MS))
        for name in ("seen", "gaps", "lost"):
            setattr(self, name, grown(getattr(self, name), length, 0))

    def advance(self, batch: Batch, fleet: Fleet) -> Iterator[Edge]:
        """Count what came and what did not; who speaks is not silent any more."""
        for rows in batch.rounds(np.arange(len(batch))):
            device = batch.device[rows]
            boot, seq = batch.readings.boot[rows], batch.readings.seq[rows]
            missing = np.where(boot == self.boot[device], seq - self.seq[device] - 1, 0)
            self.gaps[device] += missing > 0
            self.lost[device] += np.maximum(missing, 0)
            self.seen[device] += 1
            newest = (boot > self.boot[device]) | (seq > self.seq[device])
            self.seq[device] = np.where(newest, seq, self.seq[device])
            self.boot[device] = np.maximum(boot, self.boot[device])
        heard = batch.readings.received_ms > self.open_heard_ms[batch.device]
        back = np.unique(batch.device[heard & (self.open_heard_ms[batch.device] != NEVER_MS)])
        for number in back.tolist():
            heard_ms = int(batch.readings.received_ms[heard & (batch.device == number)].min())
            yield self._closing(fleet, number, heard_ms, HEARD)

    def misses(self, fleet: Fleet, chosen: Chosen = EVERYONE) -> NDArray[np.float64]:
        """f8[k]: how many missed messages in a row make each of the chosen devices silent."""
        gaps, lost = self.gaps[chosen], self.lost[chosen]
        share = (gaps + MESSAGES_PRIOR * GAP_SHARE_PRIOR) / (self.seen[chosen] + MESSAGES_PRIOR)
        usual = (self.lost.sum() + GAPS_PRIOR * GAP_LENGTH_PRIOR) / (self.gaps.sum() + GAPS_PRIOR)
        length = (lost + GAPS_PRIOR * usual) / (gaps + GAPS_PRIOR)
        messages = YEAR_MS / np.maximum(fleet.interval_ms[chosen], 1)
        with np.errstate(divide="ignore"):
            more = np.log(FALSE_PER_DEVICE_YEAR / (messages * share)) / np.log(1.0 - 1.0 / np.maximum(length, 1.001))
        found: NDArray[np.float64] = np.clip(1.0 + np.ceil(more), K_MIN, K_MAX)
        return found

    def overdue(
        self,
        fleet: Fleet,
        heard_ms: NDArray[np.int64],
        now_ms: int,
        listening_since_ms: int = NEVER_MS,
        chosen: Chosen = EVERYONE,
    ) -> NDArray[np.bool_]:
        """bool[k]: which of the chosen devices have been quiet for longer than their radio alone explains."""
        quiet_ms = now_ms - np.maximum(heard_ms[chosen], listening_since_ms)
        limit_ms = (self.misses(fleet, chosen) + 0.5) * fleet.interval_ms[chosen]
        found: NDArray[np.bool_] = _judged(fleet, heard_ms)[chosen] & (quiet_ms > limit_ms)
        return found

    def tick(self, fleet: Fleet, heard_ms: NDArray[np.int64], now_ms: int, listening_since_ms: int) -> Iterator[Edge]:
        """What follows from nobody having spoken until now. `heard_ms` i8[n]; silence before `listening_since_ms` is
        ours: it opens nothing, and nothing ends but by somebody speaking.
        """
        judged = _judged(fleet, heard_ms)
        quiet = judged & (now_ms - np.maximum(heard_ms, listening_since_ms) > QUIET_INTERVALS * fleet.interval_ms)
        yield from self._end_groups(fleet, judged, heard_ms, now_ms)
        unexplained = quiet & ~self.explained(fleet) & (self.open_heard_ms == NEVER_MS)
        if unexplained.sum() > max(OURSELVES_MIN, OURSELVES_SHARE * judged.sum()):
            yield from self._blame_ourselves(unexplained, judged, heard_ms, now_ms)
            return
        if OURSELVES in self.groups:
            return
        yield from self._begin_circuits(fleet, judged, quiet, heard_ms, now_ms)
        overdue = self.overdue(fleet, heard_ms, now_ms, listening_since_ms)
        misses = self.misses(fleet)
        for number in np.flatnonzero(overdue & ~self.explained(fleet) & (self.open_heard_ms == NEVER_MS)).tolist():
            yield self._opening(fleet, number, int(heard_ms[number]), now_ms, float(misses[number]))

    def explained(self, fleet: Fleet) -> NDArray[np.bool_]:
        """bool[n]: the lamps of circuits that are down: theirs is no fault of their own."""
        down = np.array([*[subject in self.groups for subject in fleet.circuits], False], dtype=np.bool_)
        found: NDArray[np.bool_] = down[fleet.circuit]  # -1, no circuit, is the last one
        return found

    def _blame_ourselves(
        self, quiet: NDArray[np.bool_], judged: NDArray[np.bool_], heard_ms: NDArray[np.int64], now_ms: int
    ) -> Iterator[Edge]:
        if OURSELVES in self.groups:
            return
        since_ms = int(heard_ms[quiet].max())
        self.groups[OURSELVES] = str(since_ms)
        facts = {"members": float(quiet.sum()), "of": float(judged.sum())}
        yield Opening(OURSELVES_RULE, OURSELVES, str(since_ms), NONE, since_ms, now_ms, facts)

    def _end_groups(
        self, fleet: Fleet, judged: NDArray[np.bool_], heard_ms: NDArray[np.int64], now_ms: int
    ) -> Iterator[Edge]:
        """A group ends when enough of its members were heard since; silence of ours proves nothing."""
        lately = judged & (now_ms - heard_ms <= QUIET_INTERVALS * fleet.interval_ms)
        for subject, episode in list(self.groups.items()):
            if subject == OURSELVES:
                members, share, rule, reason = judged, 1 - OURSELVES_SHARE, OURSELVES_RULE, ALL_BACK
            elif subject in fleet.circuits:
                members = judged & (fleet.circuit == fleet.circuits.index(subject))
                share, rule, reason = CIRCUIT_SHARE_BACK, CIRCUIT_RULE, CIRCUIT_BACK
            else:
                yield Closing(CIRCUIT_RULE, subject, self.groups.pop(subject), now_ms, CIRCUIT_GONE)
                continue
            speaking = members & lately & (heard_ms > int(episode))
            if speaking.sum() >= max(share * members.sum(), 1):
                yield Closing(rule, subject, self.groups.pop(subject), now_ms, reason)

    def _begin_circuits(
        self,
        fleet: Fleet,
        judged: NDArray[np.bool_],
        quiet: NDArray[np.bool_],
        heard_ms: NDArray[np.int64],
        now_ms: int,
    ) -> Iterator[Edge]:
        wired = fleet.circuit != NONE
        count = len(fleet.circuits)
        members = np.bincount(fleet.circuit[wired & judged], minlength=count)
        silent = np.bincount(fleet.circuit[wired & quiet], minlength=count)
        down = (silent >= CIRCUIT_MEMBERS_MIN) & (silent >= CIRCUIT_SHARE * members)
        for place in np.flatnonzero(down).tolist():
            if fleet.circuits[place] not in self.groups:
                mine = np.flatnonzero(quiet & (fleet.circuit == place))
                yield self._circuit_opening(fleet, place, mine, heard_ms, now_ms)

    def _circuit_opening(
        self, fleet: Fleet, place: int, members: NDArray[np.intp], heard_ms: NDArray[np.int64], now_ms: int
    ) -> Opening:
        subject, since_ms = fleet.circuits[place], int(heard_ms[members].max())
        self.groups[subject] = str(since_ms)
        ids = tuple(fleet.devices[number].device_id for number in members.tolist())
        of = int((fleet.circuit == place).sum())
        facts = {"members": float(len(ids)), "of": float(of)}
        return Opening(CIRCUIT_RULE, subject, str(since_ms), int(members[0]), since_ms, now_ms, facts, members=ids)

    def _opening(self, fleet: Fleet, number: int, heard_ms: int, now_ms: int, misses: float) -> Opening:
        self.open_heard_ms[number] = heard_ms
        device_id = fleet.devices[number].device_id
        facts = {"misses": misses, "interval_s": float(fleet.interval_ms[number]) / 1000, "heard_ms": float(heard_ms)}
        return Opening(RULE, device_id, str(heard_ms), number, heard_ms, now_ms, facts)

    def _closing(self, fleet: Fleet, number: int, closed_ms: int, reason: str) -> Closing:
        episode = str(int(self.open_heard_ms[number]))
        self.open_heard_ms[number] = NEVER_MS
        return Closing(RULE, fleet.devices[number].device_id, episode, closed_ms, reason)

    def end_all(self, fleet: Fleet, gone: NDArray[np.bool_], now_ms: int, reason: str) -> Iterator[Edge]:
        """Close what is open on these devices (bool[n]): they are not in service any more."""
        for number in np.flatnonzero(gone & (self.open_heard_ms != NEVER_MS)).tolist():
            yield self._closing(fleet, number, now_ms, reason)


def _judged(fleet: Fleet, heard_ms: NDArray[np.int64]) -> NDArray[np.bool_]:
    """bool[n]: who has promised to speak, and did once."""
    found: NDArray[np.bool_] = fleet.live & (fleet.interval_ms > 0) & ~fleet.switched & (heard_ms != NEVER_MS)
    return found
