"""How far a rule had come on a device when the history was judged: its run, the finding that goes on, earlier ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from rules.counting import CountJudge
from rules.edges import Edge, Opening
from rules.explanation import Episode, Run
from rules.judgement import Judgement
from rules.judges import Judge, StateJudge
from rules.nightly import NightJudge
from rules.sentences import sentence_of
from rules.spec import Rule
from rules.topology import cabinet_subject, circuit_subject, phase_subject, site_subject


@dataclass(frozen=True, eq=False)
class Looked:
    """What there is to tell once the history has been judged up to the instant."""

    rule: Rule
    number: int
    at_ms: int
    judgement: Judgement
    edges: Sequence[Edge]


def run_of(judge: Judge | None, looked: Looked) -> Run | None:
    """The run of samples the device is in; None where there is none, or the rule knows no runs."""
    rule, number = looked.rule, looked.number
    interval_ms = looked.judgement.fleet.interval_ms[number : number + 1]
    if isinstance(judge, CountJudge):
        place = np.flatnonzero(judge.device == number)
        within_ms = int(judge.within_ms[number])
        changed_ms = judge.changed_ms[place[0]] if len(place) else np.zeros(0, dtype=np.int64)
        lately = changed_ms[changed_ms > looked.at_ms - within_ms]
        since_ms = int(lately[0]) if len(lately) else looked.at_ms
        lasted_s = (looked.at_ms - since_ms) / 1000.0
        return Run(bool(len(lately)), since_ms, 0, 1, 0, 1, lasted_s, within_ms / 1000.0, len(lately), rule.count)
    if not isinstance(judge, StateJudge | NightJudge):
        return None
    place = np.flatnonzero(judge.runs.device == number)
    if not len(place) or not judge.runs.is_bad[place[0]]:
        return None
    at, runs = place[0], judge.runs
    needed_s = float(rule.lasts.ms(interval_ms)[0]) / 1000.0 if rule.kind != "frozen" else 0.0
    lasted_s = float(runs.last_ms[at] - runs.start_ms[at]) / 1000.0
    samples, nights = int(runs.samples[at]), int(runs.nights[at])
    return Run(True, int(runs.start_ms[at]), samples, rule.min_samples, nights, rule.nights, lasted_s, needed_s)


def _subjects(looked: Looked) -> set[str]:
    """What findings of the rule may be about when they concern the device: itself, and the lines it hangs on."""
    device = looked.judgement.fleet.devices[looked.number]
    lines = {subject(device) for subject in (phase_subject, circuit_subject, cabinet_subject, site_subject)}
    home = int(looked.judgement.absence.hearing.home[looked.number])
    receiver = f"gateway:{looked.judgement.words.words[home]}" if home >= 0 else ""
    return {device.device_id, f"gateway:{device.device_id}", receiver, "platform", *lines} - {""}


def past_of(looked: Looked) -> tuple[Episode, ...]:
    """The findings of the rule, oldest first."""
    subjects, rule = _subjects(looked), looked.rule
    becomes = rule.group.becomes if rule.group is not None else ""
    found: dict[tuple[str, str, str], Episode] = {}
    for edge in looked.edges:
        key = (edge.rule, edge.subject, edge.episode)
        if edge.subject not in subjects or edge.rule not in {rule.name, becomes}:
            continue
        if isinstance(edge, Opening):
            device = looked.judgement.fleet.devices[edge.device] if edge.device >= 0 else None
            text = sentence_of(looked.judgement.rules[edge.rule], edge, device)
            found[key] = Episode(edge.subject, edge.since_ms, edge.opened_ms, None, text)
        elif key in found:
            found[key] = replace(found[key], closed_ms=edge.closed_ms)
    return tuple(found.values())


def open_of(looked: Looked) -> Episode | None:
    """The finding that goes on: the device's own, else that of its line when the device is part of it."""
    own = looked.judgement.blame.episodes.get((looked.rule.name, looked.number))
    going_on = [one for one in past_of(looked) if one.closed_ms is None]
    device_id = looked.judgement.fleet.devices[looked.number].device_id
    mine = [one for one in going_on if one.subject in (device_id, f"gateway:{device_id}")]
    if mine:
        return mine[-1]
    on_line = [one for one in going_on if own is not None and own.line == one.subject]
    if looked.rule.kind in ("group", "absence"):
        on_line = going_on
    return on_line[-1] if on_line else None
