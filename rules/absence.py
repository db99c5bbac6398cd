"""Who should have spoken and did not, and whose fault that is: the first that explains it, from the top.

    platform ─ receiver (gateway) ─ cabinet ─ circuit ─ phase ─ device

What is explained higher up is no fault of those below; when it ends, they get a full time to speak again, and only who
is still quiet then has a fault of its own. A level is blamed only once what stands beside it was heard: then the way
to us works. All of this happens at ticks of the platform's clock; nothing else depends on time alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from rules.change import AbsenceRules, Change, Down
from rules.fleet import NONE, Fleet
from rules.hearing import Hearing, ListeningClock
from rules.latest import NEVER_MS
from rules.lines import BACK_SHARE, QUIET, Silence, lines_down, param
from rules.nights import Nights
from rules.receivers import Receivers
from rules.rows import Rows, Words
from rules.spec import Rule
from rules.topology import Topology

TICK_MS = 300_000
LATE_MIN = 3.0
"""Nobody is silent for fewer missed messages, whatever a rule says."""
PLATFORM = "platform"
CLOCK_ERROR_MS = 300_000
"""A device whose clock is fast spoke before its receiver fell silent, whatever it says."""
BY_DAY_DEG = 3.0
"""With the sun higher than this nobody switches lights on or off: what cuts a line then is no switching."""

Flags = NDArray[np.bool_]


class Absence:
    """The state besides what was heard: `down` {subject: Down}, and `silent` {device: (rule, since)} of those that are
    silent by themselves.
    """

    def __init__(self, rules: AbsenceRules, words: Words) -> None:
        self.rules = rules
        self.words = words
        self.clock = ListeningClock()
        self.hearing = Hearing()
        self.receivers = Receivers(words)
        self.down: dict[str, Down] = {}
        self.silent: dict[int, tuple[str, int]] = {}
        self.was_deaf = False

    def refresh(self, fleet: Fleet, topology: Topology, nights: Nights, judged: Flags, now_ms: int) -> None:
        """Take in an inventory; `judged` bool[n]: who has promised to speak and is in service."""
        waited_s = self.clock.now_s - self.hearing.listened_s if len(self.hearing.heard_ms) else np.zeros(0)
        self.fleet, self.topology, self.judged = fleet, topology, judged
        self.in_service = fleet.live & (fleet.interval_ms > 0)
        self.promised_s = np.maximum(fleet.interval_ms / 1000.0, 1.0)
        self.clock.refresh(nights, now_ms)
        self.hearing.grow(fleet, self.clock, now_ms)
        self.interval_s = self.hearing.interval_s(self.promised_s)
        self.hearing.listened_s[: len(waited_s)] = self.clock.now_s[: len(waited_s)] - waited_s
        self.hearing.ons[: len(waited_s)] = self.clock.ons_now[: len(waited_s)]
        self.receivers.begin(now_ms)
        self.receiver_of = np.array(
            [self.words.of(one.device_id) if one.kind == "gateway" else NONE for one in fleet.devices], dtype=np.int32
        )
        self.down = {
            subject: Down(down.rule, down.since_ms, self.members(subject)) for subject, down in self.down.items()
        }
        self._explained: Flags | None = None

    def take(self, rows: Rows) -> None:
        """What was heard since the last tick."""
        if not len(rows):
            return
        self.hearing.take(rows, self.clock, self.interval_s, ~self.explained())
        self.interval_s = self.hearing.interval_s(self.promised_s)
        self.receivers.take(rows, self.receiver_of)
        self._explained = None

    # -- ticks -------------------------------------------------------------------------------------------------------

    def tick(self, now_ms: int, hears: bool) -> Iterator[Change]:
        """What follows from nobody having spoken until now. `hears` False = we know that nobody could reach us."""
        before_ms = self.clock.now_ms
        self.clock.advance(now_ms)
        yield from self._devices_back(now_ms)
        speaking = self.judged & self.clock.powered_now & ~self.explained()
        due = np.where(speaking, (now_ms - before_ms) / 1000.0 / self.interval_s, 0.0)
        self.receivers.wait(self.hearing.home, due)
        if not hears:
            self.receivers.away(now_ms)
        deaf = not hears or self.receivers.all_deaf
        if deaf:
            self.clock.deaf((now_ms - before_ms) / 1000.0)
            self.hearing.excused[:] = True
        elif self.was_deaf:  # everybody has a full time again to be heard
            self.hearing.grant(np.ones(len(self.fleet), dtype=np.bool_), self.clock)
            self.receivers.away(now_ms)
        self.was_deaf = deaf
        yield from self._receivers(now_ms, deaf)
        yield from self._platform(now_ms, deaf and hears)
        if deaf:
            return
        yield from self._lines_back(now_ms)
        missed = self.hearing.missed(self.clock, self.interval_s)
        yield from self._lines_down(now_ms, missed)
        yield from self._devices_down(now_ms, missed)

    def away(self, until_ms: int) -> None:
        """We were not there since the last tick."""
        seconds = (until_ms - self.clock.now_ms) / 1000.0
        self.clock.advance(until_ms)
        self.clock.deaf(seconds)
        self.hearing.excused[:] = True
        self.receivers.away(until_ms)

    def explained(self) -> Flags:
        """bool[n]: whose silence is that of something above them, or told already."""
        if self._explained is None:
            found = np.zeros(len(self.fleet), dtype=np.bool_)
            for subject, down in self.down.items():
                found |= self._below(subject, down)
            found[list(self.silent)] = True
            self._explained = found
        return self._explained

    def open_findings(self) -> set[tuple[str, str, str]]:
        """(rule, subject, episode) of every absence that goes on."""
        lines = {(down.rule, subject, str(down.since_ms)) for subject, down in self.down.items()}
        return lines | {(rule, self._subject(device), str(since)) for device, (rule, since) in self.silent.items()}

    def forget_explained(self) -> None:
        """Work out anew who is explained."""
        self._explained = None

    def covered(self) -> dict[str, Flags]:
        """{rule: bool[n]} the devices that each rule about absence explains now."""
        found: dict[str, Flags] = {}
        for subject, down in self.down.items():
            below = self._below(subject, down)
            found[down.rule] = found[down.rule] | below if down.rule in found else below
        return found

    def _below(self, subject: str, down: Down) -> Flags:
        if down.members is not None:
            return down.members
        return self._of_receiver(subject) & (self.hearing.heard_ms <= down.since_ms + CLOCK_ERROR_MS)

    def _of_receiver(self, subject: str) -> Flags:
        """bool[n]: the devices that speak through a receiver, and itself where it is one of them."""
        name = subject.removeprefix("gateway:")
        receiver, itself = self.words.number.get(name, NONE - 1), self.fleet.number.get(name)
        its: Flags = (self.hearing.home == receiver) | (self.hearing.through == receiver)
        if itself is not None:
            its[itself] = True
        return its

    def members(self, subject: str) -> Flags | None:
        """bool[n]: who hangs on a line; None for a receiver."""
        sort, _, _ = subject.partition(":")
        if sort == "gateway":
            return None
        level = self.topology.levels.get(sort)
        if level is None:
            return np.full(len(self.fleet), sort == PLATFORM)
        return level.members(level.subjects.index(subject) if subject in level.subjects else NONE - 1)

    def _platform(self, now_ms: int, deaf: bool) -> Iterator[Change]:
        rule = self.rules.silent_many
        if rule is None:
            return
        one_receiver = any(subject.startswith("gateway:") for subject in self.down)
        since_ms = self.receivers.anybody_ms
        lasts = self.receivers.quiet_ms(now_ms) >= rule.lasts.seconds * 1000
        devices = np.flatnonzero(self.judged)
        many = len(devices) >= param(rule, "members_min")
        if deaf and lasts and many and not one_receiver and PLATFORM not in self.down:
            yield self._opens(rule, PLATFORM, since_ms, now_ms, devices, {"members": float(len(devices))})
        elif PLATFORM in self.down and since_ms > self.down[PLATFORM].since_ms:
            yield self._closes(PLATFORM, now_ms)

    def _receivers(self, now_ms: int, all_deaf: bool) -> Iterator[Change]:
        rule, via_ms, home = self.rules.gateway_down, self.receivers.via_ms, self.hearing.home
        for subject, down in list(self.down.items()):
            if down.members is None and via_ms[self.words.of(subject.removeprefix("gateway:"))] > down.since_ms:
                yield self._closes(subject, now_ms)
        deaf = self.receivers.deaf(now_ms) if rule is not None else []
        if deaf and all_deaf and len(np.unique(home[self.judged])) > 1:
            return
        for place in deaf:
            subject = f"gateway:{self.words.words[place]}"
            if rule is not None and subject not in self.down:
                devices = np.flatnonzero(self.judged & (home == place) & ~self.explained())
                facts = {"members": float(len(devices))}
                yield self._opens(rule, subject, int(via_ms[place]), now_ms, devices, facts)

    # -- lines -------------------------------------------------------------------------------------------------------

    def _lines_down(self, now_ms: int, missed: NDArray[np.float64]) -> Iterator[Change]:
        """Phases whose circuit lives on, circuits whose cabinet lives on, cabinets."""
        judged = self.judged & ~self.explained()
        quiet = judged & (missed > QUIET)
        if not quiet.any():
            return
        receivers = self.receivers
        silence = Silence(
            self.hearing, self.topology, self.interval_s, judged, quiet, missed, receivers.via_ms, receivers.anybody_ms,
            now_ms,
        )  # fmt: skip
        for rule, level, place in lines_down(silence, self.rules.circuit_down, self.rules.phase_down):
            if level.subjects[place] not in self.down:
                mine = quiet & level.members(place)
                facts = {"members": float(mine.sum()), "total": float((level.members(place) & self.judged).sum())}
                since_ms = int(self.hearing.heard_ms[mine].max())
                if since_ms == NEVER_MS:  # nobody on it was ever heard: it has been so since they were waited for
                    since_ms = now_ms - int((missed[mine] * self.interval_s[mine]).max() * 1000)
                sun_deg = float(self.clock.nights.sun_deg(np.flatnonzero(mine)[:1], np.array([since_ms]))[0])
                facts |= {"sun_deg": sun_deg} if sun_deg > BY_DAY_DEG else {}
                yield self._opens(rule, level.subjects[place], since_ms, now_ms, np.flatnonzero(mine), facts)

    def _lines_back(self, now_ms: int) -> Iterator[Change]:
        for subject, down in list(self.down.items()):
            if subject == PLATFORM or down.members is None:
                continue
            members = down.places[self.judged[down.places]]
            back = np.count_nonzero(self.hearing.heard_ms[members] > down.since_ms)
            if not len(members) or back >= BACK_SHARE * len(members):
                yield self._closes(subject, now_ms)

    # -- devices -----------------------------------------------------------------------------------------------------

    def _devices_down(self, now_ms: int, missed: NDArray[np.float64]) -> Iterator[Change]:
        """Who is overdue by itself; most are not even near it, and are not looked at."""
        late = np.flatnonzero(self.judged & (missed > LATE_MIN) & ~self.explained())
        never = self.hearing.heard_ms[late] == NEVER_MS
        for rule, devices in ((self.rules.silent, late[~never]), (self.rules.never_reported, late[never])):
            if rule is None or not len(devices):
                continue
            limits = param(rule, "false_per_year"), param(rule, "misses_min"), param(rule, "misses_max")
            misses = self.hearing.misses(devices, self.clock, self.interval_s[devices], *limits)
            for place in np.flatnonzero(missed[devices] > misses + 0.5).tolist():
                yield from self._device_opens(rule, int(devices[place]), float(misses[place]), missed, now_ms)

    def _device_opens(
        self, rule: Rule, device: int, misses: float, missed: NDArray[np.float64], now_ms: int
    ) -> Iterator[Change]:
        heard_ms, interval_s = int(self.hearing.heard_ms[device]), float(self.interval_s[device])
        since_ms = heard_ms if heard_ms != NEVER_MS else now_ms - int(missed[device] * interval_s * 1000)
        subject = self._subject(device)
        is_receiver = subject.startswith("gateway:")
        if is_receiver and (subject in self.down or self.rules.gateway_down is None):
            return
        name = self.rules.gateway_down.name if is_receiver and self.rules.gateway_down is not None else rule.name
        self.silent[device] = (name, since_ms)
        self._explained = None
        facts = {"misses": misses, "interval_s": interval_s}
        yield Change(name, subject, True, since_ms, now_ms, (device,), facts)

    def _devices_back(self, now_ms: int) -> Iterator[Change]:
        for device, (rule, since_ms) in sorted(self.silent.items()):
            heard_ms = int(self.hearing.heard_ms[device])
            spoke = heard_ms != NEVER_MS if rule == "never_reported" else heard_ms > since_ms
            if spoke or not self.in_service[device]:
                del self.silent[device]
                self._explained = None
                yield Change(rule, self._subject(device), False, since_ms, now_ms, (device,), {})

    def _subject(self, device: int) -> str:
        one = self.fleet.devices[device]
        return f"gateway:{one.device_id}" if one.kind == "gateway" else one.device_id

    # -- both --------------------------------------------------------------------------------------------------------

    def _opens(
        self,
        rule: Rule,
        subject: str,
        since_ms: int,
        now_ms: int,
        devices: NDArray[np.int64],
        facts: Mapping[str, float],
    ) -> Change:
        self.down[subject] = Down(rule.name, since_ms, self.members(subject))
        self._explained = None
        return Change(rule.name, subject, True, since_ms, now_ms, tuple(devices.tolist()), facts)

    def _closes(self, subject: str, now_ms: int) -> Change:
        down = self.down.pop(subject)
        below = self._below(subject, down)
        self._explained = None
        # Who has been heard again with what was kept for him has no more to say than the others yet.
        self.hearing.grant(below if down.members is not None else self._of_receiver(subject), self.clock)
        return Change(down.rule, subject, False, down.since_ms, now_ms, tuple(np.flatnonzero(below).tolist()), {})
