"""What rules about absence go by: when a device was heard, how many messages are missing, and how many may be.

How many may follows from the device's own losses (rules/hearing.py); of a line it is how many of its members are
silent together (rules/lines.py).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rules.explanation import Silence
from rules.fleet import NONE
from rules.judgement import ABSENCE_RULES, Judgement
from rules.latest import NEVER_MS
from rules.lines import QUIET, param
from rules.spec import Rule

OF_DEVICES = ("silent", "never_reported")


def silence_of(rule: Rule, judgement: Judgement, number: int, at_ms: int) -> Silence | None:
    """None for a rule that is not about absence."""
    overdue = next((one for one in judgement.overdue if one.rule.name == rule.name), None)
    if overdue is not None:
        last_ms, after_s = overdue.last_ms.get(number), rule.after.seconds
        if last_ms is None:
            return None
        return Silence(last_ms, after_s, (at_ms - last_ms) / 1000.0 / after_s, 1.0)
    if rule.name not in ABSENCE_RULES:
        return None
    heard = _heard(rule, judgement, number)
    if rule.name in OF_DEVICES:
        return heard
    return _of_line(rule, judgement, number, heard)


def _heard(rule: Rule, judgement: Judgement, number: int) -> Silence:
    absence = judgement.absence
    hearing, interval_s = absence.hearing, absence.interval_s
    heard_ms = int(hearing.heard_ms[number])
    missed = float(hearing.missed(absence.clock, interval_s)[number]) if judgement.promised[number] else 0.0
    allowed = None
    if rule.name in OF_DEVICES:
        one = np.array([number])
        limits = param(rule, "false_per_year"), param(rule, "misses_min"), param(rule, "misses_max")
        allowed = float(hearing.misses(one, absence.clock, interval_s[one], *limits)[0])
    return Silence(
        heard_ms=_instant(heard_ms),
        interval_s=float(interval_s[number]),
        missed=float(np.floor(missed)),
        allowed=allowed,
        messages=int(hearing.seen[number]),
        bursts=int(hearing.gaps[number]),
        explained_by=_explained_by(judgement, number),
    )


def _explained_by(judgement: Judgement, number: int) -> str:
    """The subject above the device that is down, '' = none."""
    absence = judgement.absence
    for subject, down in absence.down.items():
        members = absence.members(subject)
        if members is not None and members[number]:
            return subject
        if members is None and subject.startswith("gateway:") and down.rule == "gateway_down":
            home = int(absence.hearing.home[number])
            if home != NONE and subject == f"gateway:{judgement.words.words[home]}":
                return subject
    return ""


def _of_line(rule: Rule, judgement: Judgement, number: int, heard: Silence) -> Silence:
    absence, topology = judgement.absence, judgement.topology
    if rule.name not in ("circuit_down", "phase_down"):
        return _of_receiver(rule, judgement, number, heard)
    missed = absence.hearing.missed(absence.clock, absence.interval_s)
    level = topology.circuit if rule.name == "circuit_down" else topology.phase
    place = int(level.of[number])
    members = level.members(place) & absence.judged if place != NONE else np.zeros(len(missed), dtype=np.bool_)
    total = int(members.sum())
    return replace(
        heard,
        subject=level.subjects[place] if place != NONE else "",
        quiet=int((members & (missed > QUIET)).sum()),
        members=total,
        quiet_needed=max(param(rule, "members_min"), float(np.ceil(param(rule, "members_share") * total))),
    )


def _of_receiver(rule: Rule, judgement: Judgement, number: int, heard: Silence) -> Silence:
    """When something last came that way. How many messages are missing there nobody can say who has not looked at all
    devices.
    """
    receivers, home = judgement.absence.receivers, int(judgement.absence.hearing.home[number])
    if rule.name != "gateway_down":
        return replace(heard, heard_ms=_instant(receivers.anybody_ms), subject="platform")
    if home == NONE:
        return replace(heard, heard_ms=None)
    return replace(heard, heard_ms=_instant(receivers.via_ms[home]), subject=f"gateway:{judgement.words.words[home]}")


def _instant(at_ms: int) -> int | None:
    return None if at_ms == NEVER_MS else int(at_ms)
