"""Why a rule did or did not fire on a device at an instant: the real judges run over its history and are asked.

Nothing here judges: a court that is watched takes the readings as always; what it saw last of the device, the run it
had come to, and what stage two made of it is told. (What people miss elsewhere: shared knowledge, features 29 and 30.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.inventory import Snapshot
from rules.backtest import Pieces, Table
from rules.counting import CountJudge
from rules.court import Court
from rules.edges import Edge
from rules.evaluate import TRUE, compile_truth, selects
from rules.events import Event
from rules.explain_silence import silence_of
from rules.explain_state import Looked, open_of, past_of, run_of
from rules.explain_words import sentence_for
from rules.explanation import Explanation, Inhibitor, Origin, Sample
from rules.fleet import make_fleet
from rules.inputs import Inputs
from rules.judgement import ABSENCE_RULES, Judgement, today_of
from rules.judges import Judge, StateJudge
from rules.late import Late
from rules.nightly import SAMPLES_MIN, SCALE, NightJudge
from rules.repairs import NO_WORKS, Works
from rules.rows import Rows, Words
from rules.rule_columns import RuleColumns
from rules.source_text import source_of
from rules.spec import Rule
from rules.terms import Terms, param_words
from rules.windows import Muted, Window

Learned = Mapping[str, Mapping[str, Any]]
"""What the platform has learned of the device in all its life: {memory: {column: what it holds of it}}."""
PAST_MAX = 5


class _WatchedCourt(Court):
    """A court that keeps what one rule saw of one device: the newest sample, and the newest that was judged."""

    def __init__(self, rules: Mapping[str, Rule], words: Words, rule: Rule, device_id: str) -> None:
        super().__init__(rules, words)
        self.watched = rule
        self.device_id = device_id
        self.terms = Terms(rule)
        self.where = None if rule.where is None else compile_truth(rule.where)
        self.sample: Sample | None = None
        self.judged: Sample | None = None

    def _ask(self, judge: Judge, inputs: Inputs, may: NDArray[np.bool_]) -> list[Event]:
        found = super()._ask(judge, inputs, may)
        if judge.rule.name == self.watched.name and isinstance(judge, StateJudge | NightJudge | CountJudge):
            self._look(judge, inputs, may)
        return found

    def _look(self, judge: StateJudge | NightJudge | CountJudge, inputs: Inputs, may: NDArray[np.bool_]) -> None:
        rows, device = inputs.rows, self.fleet.number[self.device_id]
        mine = np.flatnonzero(rows.device == device)
        if not len(mine) or not judge.selected[device]:
            return
        self.sample = self._sample(judge, inputs, mine[-1:], may)
        says = may[mine]
        if self.where is not None:
            says = says & (self.where(RuleColumns(inputs.some(mine), judge.params)) == TRUE)
        if says.any():
            row = mine[np.flatnonzero(says)[-1:]]
            self.judged = self.sample if row[0] == mine[-1] else self._sample(judge, inputs, row, may)

    def _sample(
        self,
        judge: StateJudge | NightJudge | CountJudge,
        inputs: Inputs,
        row: NDArray[np.int64],
        may: NDArray[np.bool_],
    ) -> Sample:
        columns = RuleColumns(inputs.some(row), judge.params, _mean(judge, self.fleet.number[self.device_id]))
        t_ms, received_ms = int(inputs.rows.t_ms[row[0]]), int(inputs.rows.received_ms[row[0]])
        return Sample(t_ms, received_ms, 0.0, self.terms.conditions(columns), not bool(may[row[0]]))


def _mean(judge: StateJudge | NightJudge | CountJudge, device: int) -> NDArray[np.float64] | None:
    """What a rule about nights has averaged so far tonight; None for other rules."""
    if not isinstance(judge, NightJudge):
        return None
    count = int(judge.count[device])
    mean = float(judge.total[device]) / (count * SCALE) if count >= SAMPLES_MIN else np.nan
    return np.array([mean])


class _Watching(Judgement):
    """A judgement whose court is watched."""

    def __init__(
        self, rules: Mapping[str, Rule], pieces: Pieces, words: Words, windows: Sequence[Window], court: _WatchedCourt
    ) -> None:
        super().__init__(rules, words, windows, pieces.history)
        self.court: Court = court
        self.late = Late(self.court, pieces.history)


def needed_for(rule: Rule, rules: Mapping[str, Rule]) -> dict[str, Rule]:
    """The rules that have a say in what becomes of this one: itself, its parts, what inhibits it, and absence."""
    becomes = rule.group.becomes if rule.group is not None else ""
    found = {rule.name, *rule.inhibited_by, *ABSENCE_RULES, becomes} & rules.keys()
    found |= {part for name in found for part in rules[name].together}
    return {name: one for name, one in rules.items() if name in found}


def explain(
    rule: Rule,
    device_id: str,
    snapshot: Snapshot,
    table: Table,
    at_ms: int,
    rules: Mapping[str, Rule],
    works: Works = NO_WORKS,
    learned: Learned | None = None,
) -> Explanation:
    """Why `rule` did or did not fire on a device of the inventory by `at_ms`.

    `table` holds its readings and those of its company (see `company_of`); later ones are not looked at. What was
    learned before they begin is in `learned`. Raises KeyError for a device that the inventory does not have.
    """
    rules = needed_for(rule, {**rules, rule.name: rule})
    fleet, words = make_fleet(snapshot), Words()
    number = fleet.number[device_id]
    pieces = Pieces(table, fleet.numbers(table.device_ids), words)
    court = _WatchedCourt(rules, words, rule, device_id)
    judgement = _Watching(rules, pieces, words, works.windows, court)
    pieces.names = sorted(court.needs & table.values.keys())
    begin_ms = min(pieces.begin_ms, at_ms) if len(pieces.order) else at_ms
    edges = list(judgement.refresh(fleet, begin_ms))
    judgement.repaired([one for one in works.repairs if begin_ms <= one.at_ms <= at_ms])
    for name, held in (learned or {}).items():
        if name in court.memories.every():
            court.memories.every()[name].put_one(number, held)
    if not len(pieces.order):
        return _told(Looked(rule, number, at_ms, judgement, edges), court)
    edges += _judged(judgement, pieces, at_ms)
    found = _told(Looked(rule, number, at_ms, judgement, edges), court)
    readings = int((fleet.numbers(table.device_ids)[table.device] == number).sum())
    return replace(found, readings=readings, from_ms=begin_ms)


def _judged(judgement: Judgement, pieces: Pieces, at_ms: int) -> list[Edge]:
    """Go through the history as a backtest does; what came after the last tick was heard, too."""
    edges: list[Edge] = []
    for piece_end_ms, rows in pieces.each(at_ms):
        edges += judgement.advance(_known(rows, at_ms), piece_end_ms)
    judgement.absence.take(judgement.heard)
    for one in judgement.overdue:
        one.take(judgement.heard)
    return edges


def _known(rows: Rows, at_ms: int) -> Rows:
    """The rows that had come by then."""
    known = rows.received_ms <= at_ms
    return rows if bool(known.all()) else rows.take(np.flatnonzero(known))


def _told(looked: Looked, court: _WatchedCourt) -> Explanation:
    rule, judgement, number, at_ms = looked.rule, looked.judgement, looked.number, looked.at_ms
    fleet, judge = judgement.fleet, judgement.court.judges.get(rule.name)
    device = fleet.devices[number]
    found = Explanation(
        rule=rule.name,
        version=rule.version,
        title_de=rule.title_de,
        device_id=device.device_id,
        at_ms=at_ms,
        verdict="unknown",
        sentence_de="",
        is_selected=device.kind in rule.device_kinds and selects(rule.select, device),
        is_in_service=bool(fleet.live[number]),
        window=next((one.window.reason or "" for one in judgement.muted if _covers(one, number, at_ms)), None),
        select=source_of(rule.select),
        params=origins_of(rule, looked),
        sample=_aged(court.sample, at_ms),
        judged=_aged(court.judged, at_ms),
        run=run_of(judge, looked),
        inhibited_by=tuple(
            Inhibitor(name, judgement.rules[name].title_de if name in judgement.rules else name)
            for name in judgement.blame.inhibitors(rule, number)
        ),
        open=open_of(looked),
        past=past_of(looked)[-PAST_MAX:],
        silence=silence_of(rule, judgement, number, at_ms),
    )
    verdict, sentence = sentence_for(found, rule, looked.judgement, number)
    return replace(found, verdict=verdict, sentence_de=sentence)


def _covers(muted: Muted, number: int, at_ms: int) -> bool:
    return bool(muted.devices[number]) and muted.window.from_ms <= at_ms < muted.window.to_ms


def origins_of(rule: Rule, looked: Looked) -> tuple[Origin, ...]:
    """The parameters as they hold for the device."""
    resolved = rule.resolved(looked.judgement.fleet.devices[looked.number], today_of(looked.at_ms))
    units = {name: param.unit for name, param in rule.params.items()}
    return tuple(
        Origin(name, one.value, units[name], one.origin, param_words(name, one.value, units[name]))
        for name, one in resolved.items()
    )


def _aged(sample: Sample | None, at_ms: int) -> Sample | None:
    return None if sample is None else replace(sample, age_s=(at_ms - sample.t_ms) / 1000.0)
