"""The judgement's whole state as columns and one text, so that a snapshot and what follows it give the same again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rules.blame import Blame
from rules.change import Down
from rules.court import Court
from rules.episodes import Episode, Line
from rules.events import OPENS, Event
from rules.judgement import Judgement
from rules.memory import arrays_of
from rules.rows import Rows

Columns = dict[str, NDArray[Any]]
RECEIVERS = ("anybody_ms", "due_of_all", "missed_of_all", "from_ms", "spoke_of_all", "has_heard")


def columns_of(judgement: Judgement) -> Columns:
    """The state as columns by name; take it back with `take_back`."""
    columns: Columns = {}
    for name, judge in judgement.court.judges.items():
        columns |= prefixed(f"judge.{name}.", judge.state())
    for name, memory in judgement.court.memories.every().items():
        columns |= prefixed(f"memory.{name}.", memory.arrays())
    if judgement.court.memories.neighbours is not None:
        columns |= prefixed("neighbours.", judgement.court.memories.neighbours.state())
    absence = judgement.absence
    for name, part in (("hearing", absence.hearing), ("receivers", absence.receivers)):
        columns |= prefixed(f"{name}.", arrays_of(part))
    clock = absence.clock
    columns |= {"clock.ons": clock.ons, "clock.was_powered": clock.was_powered}
    # What the listening clock says means nothing under another inventory; how long each has been waited for does.
    columns["hearing.listened_s"] = clock.now_s - absence.hearing.listened_s
    columns["hearing.ons"] = (clock.ons_now - absence.hearing.ons).astype(np.int16)
    for name, seats in judgement.court.memories.given_seats().items():
        columns[f"seats.{name}"] = seats.holders()
    columns |= prefixed("heard.", rows_as_columns(judgement.heard))
    columns |= prefixed("episode.", _episodes_as_columns(judgement.blame))
    columns["late.last_ms"] = judgement.late.last_ms
    return {**columns, "told": np.frombuffer(json.dumps(_told(judgement)).encode(), dtype=np.uint8)}


def take_back(judgement: Judgement, columns: Mapping[str, NDArray[Any]]) -> None:
    """Become what `columns_of` gave; the judgement has today's rules and an inventory with the same numbers.

    A rule that is new, or of another kind than it was, begins without a past. Raises KeyError or ValueError for what is
    no state.
    """
    told = json.loads(columns["told"].tobytes())
    _court_from(judgement.court, columns, told)
    absence = judgement.absence
    _put(absence.hearing, without(columns, "hearing."))
    _put(absence.receivers, without(columns, "receivers."))
    receivers = absence.receivers
    for name, value in told["receivers"].items():
        setattr(receivers, name, value)
    if len(columns["clock.ons"]) == len(absence.clock.ons):
        absence.clock.ons, absence.clock.was_powered = columns["clock.ons"], columns["clock.was_powered"]
    clock, hearing = absence.clock, absence.hearing
    clock.blind_s, clock.blind_ms = told["blind"][0], (told["blind"][1], told["blind"][2])
    clock.look()
    hearing.listened_s = clock.now_s[: len(hearing.listened_s)] - hearing.listened_s
    hearing.ons = (clock.ons_now[: len(hearing.ons)] - hearing.ons).astype(np.int16)
    absence.silent = {int(device): (rule, since) for device, rule, since in told["silent"]}
    absence.down = {subject: Down(rule, since, absence.members(subject)) for subject, rule, since in told["down"]}
    absence.forget_explained()
    for rule in judgement.overdue:
        rule.restore(told["overdue"].get(rule.rule.name, []))
    judgement.late.last_ms = columns["late.last_ms"].copy()
    judgement.late.begin_anew(told["ticked_ms"])
    judgement.heard = rows_from(without(columns, "heard."))
    _episodes_from(judgement.blame, without(columns, "episode."), told)
    _blame_from(judgement.blame, told)
    judgement.blame.covered = absence.covered()


def _court_from(court: Court, columns: Mapping[str, NDArray[Any]], told: Mapping[str, Any]) -> None:
    for name, judge in court.judges.items():
        state = without(columns, f"judge.{name}.")
        if state and told["kinds"].get(name) == judge.rule.kind:
            judge.restore(state)
    for name, memory in court.memories.every().items():
        _put(memory.memory, without(columns, f"memory.{name}."))
    for name, seats in court.memories.given_seats().items():
        seats.hold(columns[f"seats.{name}"])
    if court.memories.neighbours is not None:
        court.memories.neighbours.restore(without(columns, "neighbours."))


def _told(judgement: Judgement) -> dict[str, Any]:
    absence, blame = judgement.absence, judgement.blame
    receivers = absence.receivers
    return {
        "ticked_ms": judgement.ticked_ms,
        "overdue": {rule.rule.name: rule.state() for rule in judgement.overdue},
        "kinds": {name: judge.rule.kind for name, judge in judgement.court.judges.items()},
        "versions": {name: rule.version for name, rule in judgement.rules.items()},
        "receivers": {name: getattr(receivers, name) for name in RECEIVERS},
        "blind": [absence.clock.blind_s, *absence.clock.blind_ms],
        "silent": [[device, rule, since] for device, (rule, since) in sorted(absence.silent.items())],
        "down": [[subject, down.rule, down.since_ms] for subject, down in sorted(absence.down.items())],
        "shapes": _shapes(blame),
        "subjects": _subjects(blame),
        "waiting": sorted(blame.waiting),
        "well": sorted(blame.well),
        "suspected": sorted(blame.suspected),
        "stirring": [[*key, sorted(those.items())] for key, those in sorted(blame.on_lines.stirring.items()) if those],
        "lines": [
            [*key, line.since_ms, sorted(line.members), line.at_first, line.quiet_ms]
            for key, line in sorted(blame.on_lines.open.items())
        ],
    }


def _shapes(blame: Blame) -> list[tuple[str, tuple[str, ...]]]:
    """The rule and the names of the values of each sort of episode: what many have in common."""
    return sorted({(one.event.rule, tuple(one.event.values)) for one in blame.episodes.values()})


def _subjects(blame: Blame) -> list[str]:
    """The lines that episodes are told as part of; the first is none."""
    return sorted({"", *(one.line for one in blame.episodes.values())})


def _episodes_as_columns(blame: Blame) -> Columns:
    """Columns of e episodes, sorted: `shape` u2[e], `subject` u4[e] by the lists in the text, `device` i4[e],
    `is_told` bool[e], `ms` i8[e, 5] known, t, received, since, not before · `values` f8, one episode's after another's.
    """
    every = [one for _, one in sorted(blame.episodes.items())]
    shape = {sort: number for number, sort in enumerate(_shapes(blame))}
    subject = {name: number for number, name in enumerate(_subjects(blame))}
    times = [
        (one.event.known_ms, one.event.t_ms, one.event.received_ms, one.event.since_ms, one.not_before_ms)
        for one in every
    ]
    return {
        "shape": np.array([shape[one.event.rule, tuple(one.event.values)] for one in every], dtype=np.uint16),
        "subject": np.array([subject[one.line] for one in every], dtype=np.uint32),
        "device": np.array([one.event.device for one in every], dtype=np.int32),
        "is_told": np.array([one.told for one in every], dtype=np.bool_),
        "ms": np.array(times, dtype=np.int64).reshape(-1, 5),
        "values": np.array([value for one in every for value in one.event.values.values()], dtype=np.float64),
    }


def _episodes_from(blame: Blame, columns: Columns, told: Mapping[str, Any]) -> None:
    """Episodes of rules that are no more are left out: the database's are closed when the journal has been read."""
    blame.episodes.clear()
    values = iter(columns["values"].tolist())
    rows = zip(*(columns[name].tolist() for name in ("shape", "subject", "device", "is_told", "ms")), strict=True)
    for shape, subject, device, is_told, (known_ms, t_ms, received_ms, since_ms, not_before_ms) in rows:
        rule, names = told["shapes"][shape]
        seen = {name: next(values) for name in names}
        event = Event(known_ms, rule, device, OPENS, t_ms, received_ms, since_ms, seen)
        if rule in blame.rules:
            blame.episodes[rule, device] = Episode(event, is_told, told["subjects"][subject], not_before_ms)


def _blame_from(blame: Blame, told: Mapping[str, Any]) -> None:
    """What stage two held besides the episodes, which come first."""
    on_lines = blame.on_lines
    for kept in (on_lines.open, on_lines.stirring, blame.waiting):
        kept.clear()
    blame.waiting |= {(rule, device) for rule, device in told["waiting"] if (rule, device) in blame.episodes}
    blame.well = {(rule, device) for rule, device in told["well"]}
    blame.suspected = {(rule, device) for rule, device in told["suspected"]}
    for rule, subject, those in told["stirring"]:
        on_lines.stirring[rule, subject] = dict(those)
    for rule, subject, since_ms, members, at_first, quiet_ms in told["lines"]:
        if rule in blame.rules:
            on_lines.open[rule, subject] = Line(since_ms, {(name, one) for name, one in members}, at_first, quiet_ms)


def ticked_ms(columns: Mapping[str, NDArray[Any]]) -> int:
    """The instant of the last tick in a state."""
    return int(json.loads(columns["told"].tobytes())["ticked_ms"])


def rows_as_columns(rows: Rows) -> Columns:
    """The columns of rows by name; `rows_from` takes them back."""
    fixed = {"device": rows.device, "t_ms": rows.t_ms, "received_ms": rows.received_ms}
    return {**fixed, **prefixed("value.", dict(rows.values)), **prefixed("text.", dict(rows.texts))}


def rows_from(columns: Columns) -> Rows:
    """The rows that `rows_as_columns` gave."""
    values, texts = without(columns, "value."), without(columns, "text.")
    return Rows(columns["device"], columns["t_ms"], columns["received_ms"], values, texts)


def prefixed(prefix: str, columns: Mapping[str, NDArray[Any]]) -> Columns:
    """The columns with something in front of their names."""
    return {prefix + name: column for name, column in columns.items()}


def without(columns: Mapping[str, NDArray[Any]], prefix: str) -> Columns:
    """The columns whose names begin so, without it."""
    return {name.removeprefix(prefix): column for name, column in columns.items() if name.startswith(prefix)}


def _put(part: object, columns: Columns) -> None:
    for name, column in columns.items():
        if hasattr(part, name):
            setattr(part, name, column.copy())
