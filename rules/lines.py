"""Which lines are cut: phases whose circuit lives on, circuits whose cabinet lives on, whole cabinets.

A line is blamed when so many on it fell quiet together that their radio does not explain it, next to nobody on it
speaks, and what stands beside it does: then neither the receiver nor the line above it is the reason.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rules.fleet import NONE
from rules.hearing import Hearing
from rules.spec import Rule
from rules.topology import Level, Topology

QUIET = 1.6
"""So many intervals without a word make a device quiet: one message has been missed and the next is late."""
SPEAKS, SPEAK_SHARE = 1.2, 0.1
"""Who was heard within so many intervals speaks; a line of which more than so many speak is alive."""
BESIDE_SHARE, BACK_SHARE = 0.6, 0.5
WAIT_INTERVALS = 4.0
"""So long a circuit waits for word from beside it; then it is blamed without."""
YEAR_INTERVALS = 35_040.0
"""Quarter hours in a year: so often chance has its try."""

Flags = NDArray[np.bool_]
Line = tuple[Rule, Level, int]


@dataclass(frozen=True, eq=False)
class Silence:
    """Who is quiet at a tick. `judged` bool[n] who should speak and has no other excuse, `quiet` bool[n] who of them
    does not, `missed` f8[n] messages overdue · `via_ms` i8[r] the last word through each receiver, `anybody_ms` of all.
    """

    hearing: Hearing
    topology: Topology
    interval_s: NDArray[np.float64]
    judged: Flags
    quiet: Flags
    missed: NDArray[np.float64]
    via_ms: NDArray[np.int64]
    anybody_ms: int
    now_ms: int

    def since_ms(self, quiet: Flags) -> int:
        """The last word of any of these."""
        return int(self.hearing.heard_ms[quiet].max())

    def lives(self, others: Flags, quiet: Flags) -> bool:
        """Whether most of the others spoke an interval after the quiet ones stopped: they were not cut with them."""
        if not others.any() or not quiet.any():
            return False
        after_ms = self.since_ms(quiet) + float(np.median(self.interval_s[quiet])) * 1000
        return bool((self.hearing.heard_ms[others] > after_ms).mean() >= BESIDE_SHARE)

    def path_lives(self, quiet: Flags) -> bool:
        """Whether the receivers of the quiet ones (or anybody, where they are not known) were heard after them."""
        home = self.hearing.home[quiet]
        home = home[home != NONE]
        if not len(home):
            return self.anybody_ms > self.since_ms(quiet)
        return bool((self.via_ms[home] > self.since_ms(quiet)).mean() >= BACK_SHARE)


def lines_down(silence: Silence, circuit_down: Rule | None, phase_down: Rule | None) -> list[Line]:
    """The lines that are cut now, each the highest that explains its members."""
    topology = silence.topology
    found: list[Line] = []
    in_phase = np.zeros(len(silence.judged), dtype=np.bool_)
    if phase_down is not None:
        for place in _candidates(silence, phase_down, topology.phase, silence.quiet):
            members = topology.phase.members(place)
            rest = topology.circuit.members(int(topology.circuit_of_phase[place])) & ~members & silence.judged
            mine = silence.quiet & members
            if silence.lives(rest, mine) and silence.path_lives(mine):
                found.append((phase_down, topology.phase, place))
                in_phase |= members
    if circuit_down is not None:
        circuits = _candidates(silence, circuit_down, topology.circuit, silence.quiet & ~in_phase)
        for cabinet in sorted({int(topology.cabinet_of_circuit[place]) for place in circuits}):
            own = [place for place in circuits if topology.cabinet_of_circuit[place] == cabinet]
            found += _of_cabinet(silence, circuit_down, cabinet, own)
    return found


def _candidates(silence: Silence, rule: Rule, level: Level, quiet: Flags) -> list[int]:
    """The lines of which so many are quiet at once that their radio does not explain it, and next to nobody speaks.

    What they stopped together counts: one that has been quiet for longer proves no more than the others.
    """
    count = level.count(quiet)
    near = np.flatnonzero(count >= param(rule, "members_min"))  # most lines are not, and are not looked at
    if not len(near):
        return []
    members = level.on(near)
    members = members[silence.judged[members]]
    speaking = members[silence.missed[members] < SPEAKS]
    of, speak = (np.bincount(level.of[some], minlength=len(level))[near] for some in (members, speaking))
    enough = (count[near] >= param(rule, "members_share") * of) & (speak <= SPEAK_SHARE * of)
    limit = np.log(param(rule, "false_per_year") / YEAR_INTERVALS)
    found = []
    for place in near[enough].tolist():
        mine = level.on(np.array([place]))
        mine = mine[quiet[mine]]
        together = np.full(len(mine), silence.missed[mine].min())
        if silence.hearing.chance(mine, together).sum() <= limit:
            found.append(int(place))
    return found


def _of_cabinet(silence: Silence, rule: Rule, cabinet: int, circuits: list[int]) -> list[Line]:
    """What is cut behind one cabinet: all of it, these circuits, or nothing yet."""
    topology = silence.topology
    mine = np.isin(topology.circuit.of, circuits) & silence.quiet
    if not silence.path_lives(mine):
        return []
    lines = np.flatnonzero(topology.cabinet_of_circuit == cabinet)
    if len(circuits) == len(lines) > 1:
        return [(rule, topology.cabinet, cabinet)]
    rest = topology.cabinet.members(cabinet) & ~np.isin(topology.circuit.of, circuits) & silence.judged
    waited_ms = silence.now_ms - silence.since_ms(mine)
    patience_ms = WAIT_INTERVALS * 1000 * float(np.median(silence.interval_s[mine]))
    if rest.any() and not silence.lives(rest, mine) and waited_ms <= patience_ms:
        return []
    return [(rule, topology.circuit, place) for place in circuits]


def param(rule: Rule, name: str) -> float:
    """A parameter of a rule about absence, the same for all devices."""
    return rule.params[name].value
