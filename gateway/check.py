"""Whether we believe what was decoded: clocks, names, types, ranges. Pure; columns in, columns and refusals out.

A refused value is kept out and reported, the rest of its reading is stored; a reading of which nothing is left is
refused whole. Unknown names are never guessed. An SOS reading is always kept: a press must not be lost to a bad number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from core.kinds import KIND_NUMBER, KINDS, SOS_EVENTS, Form, find_value
from core.reading import Quality, Readings, from_rows
from core.town import is_id
from gateway.source import Row

SOS = KIND_NUMBER["sos"]
VALUE_NAME_CHARACTERS_MAX = 64
VALUES_PER_READING_MAX = 64
NAMES_REMEMBERED_MAX = 128
TEXT_CHARACTERS_MAX = 64  # texts are names: of an event, of a receiver
UNKNOWN, NUMBER, FLAG, TEXT = range(4)
_FORM_NUMBER = {Form.NUMBER: NUMBER, Form.FLAG: FLAG, Form.TEXT: TEXT}


@dataclass(frozen=True)
class ClockLimits:
    """Which device times are believed: not before `earliest_ms`, not more than `ahead_ms` after the receipt, nor
    more than `behind_ms` before it (None = as far back as may be).
    """

    ahead_ms: int = 300_000
    behind_ms: int | None = None
    earliest_ms: int = 1_420_070_400_000  # 2015-01-01: before any device of ours was made


@dataclass(frozen=True)
class Doubt:
    """Something about one row that a person should see. `whole` = nothing of the row was kept."""

    row: int
    code: str
    reason: str
    whole: bool = False


@dataclass(frozen=True)
class Checked:
    """The readings that are kept, the row of each (u4[n]), and the doubts."""

    readings: Readings
    row: NDArray[np.uint32]
    doubts: list[Doubt]


def check(rows: Sequence[Row], received_ms: Sequence[int], limits: ClockLimits) -> Checked:
    """Judge decoded rows; `received_ms` has one entry a row."""
    crowded = [number for number, row in enumerate(rows) if len(row.values) > VALUES_PER_READING_MAX]
    if crowded:
        rows = [_thin_out(row) if len(row.values) > VALUES_PER_READING_MAX else row for row in rows]
    readings = _mark_unknown_events(_believe_clock(rows, received_ms, limits))
    doubts = [_crowded(number) for number in crowded]
    bad = _bad_values(rows, readings)
    if bad is None and not crowded:
        return Checked(readings, np.arange(len(rows), dtype=np.uint32), doubts)
    return _keep_out(rows, readings, bad, doubts)


def _believe_clock(rows: Sequence[Row], received_ms: Sequence[int], limits: ClockLimits) -> Readings:
    readings = from_rows(
        [row.device_id for row in rows],
        [row.kind for row in rows],
        [received if row.t_ms is None else row.t_ms for row, received in zip(rows, received_ms, strict=True)],
        received_ms,
        [row.boot for row in rows],
        [row.seq for row in rows],
        [row.values for row in rows],
    )
    t_ms = readings.t_ms
    suspect = (t_ms > readings.received_ms + limits.ahead_ms) | (t_ms < limits.earliest_ms)
    if limits.behind_ms is not None:
        suspect |= t_ms < readings.received_ms - limits.behind_ms
    if not suspect.any():
        return readings
    believed = np.where(suspect, readings.received_ms, t_ms)
    quality = np.where(suspect, np.uint8(Quality.CLOCK_SUSPECT), readings.quality)
    return readings.with_times(believed).with_quality(quality)


def _limits(names: tuple[str, ...]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.uint8]]:
    """As `_limits_of`, remembered unless somebody invents names: those would fill the memory."""
    return _limits_of(names) if len(names) <= NAMES_REMEMBERED_MAX else _limits_of.__wrapped__(names)


@lru_cache(maxsize=4096)
def _limits_of(names: tuple[str, ...]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.uint8]]:
    """low, high f8[kinds, names] and form u1[kinds, names] for a batch's names."""
    low = np.zeros((len(KINDS), len(names)))
    high = np.zeros((len(KINDS), len(names)))
    form = np.full((len(KINDS), len(names)), UNKNOWN, dtype=np.uint8)
    for kind_number, kind in enumerate(KINDS):
        for name_number, name in enumerate(names):
            value = find_value(kind, name) if _is_name(name) else None
            if value is not None:
                low[kind_number, name_number], high[kind_number, name_number] = value.low, value.high
                form[kind_number, name_number] = _FORM_NUMBER[value.form]
    return low, high, form


def _is_name(name: str) -> bool:
    return 0 < len(name) <= VALUE_NAME_CHARACTERS_MAX and name.isprintable()


def _mark_unknown_events(readings: Readings) -> Readings:
    """A button's event that we do not know may be a press: it stays as it is, and the reading is suspicious."""
    if "event" not in readings.names:
        return readings
    unknown = [event is not None and event not in SOS_EVENTS for event in readings.text_column("event")]
    doubtful = np.array(unknown, dtype=np.bool_) & (readings.quality == Quality.GOOD)
    return readings.with_quality(np.where(doubtful, np.uint8(Quality.SUSPICIOUS), readings.quality))


def _bad_values(rows: Sequence[Row], readings: Readings) -> NDArray[np.bool_] | None:
    """bool[numbers + texts], True where a value can't stay; None when all can."""
    low, high, form = _limits(readings.names)
    kind = readings.kind[readings.number_row]
    expected = form[kind, readings.number_name]
    numbers = readings.numbers
    bad = (numbers < low[kind, readings.number_name]) | (numbers > high[kind, readings.number_name])
    bad |= (expected == UNKNOWN) | (expected == TEXT) | np.isinf(numbers)
    said_flag = _said_flag(rows, len(numbers))
    bad |= said_flag & (expected == NUMBER)
    bad |= (expected == FLAG) & (numbers != 0) & (numbers != 1)
    if not len(readings.texts):
        return bad if bad.any() else None
    text_expected = form[readings.kind[readings.text_row], readings.text_name]
    names = [readings.names[number] for number in readings.text_name.tolist()]
    unfit = [not _is_fit(name, text) for name, text in zip(names, readings.texts, strict=True)]
    every = np.concatenate([bad, (text_expected != TEXT) | np.array(unfit, dtype=np.bool_)])
    return every if every.any() else None


def _is_fit(name: str, text: str) -> bool:
    return is_id(text) if name == "gateway" else len(text) <= TEXT_CHARACTERS_MAX


def _said_flag(rows: Sequence[Row], count: int) -> NDArray[np.bool_]:
    """bool[numbers]: whether the device wrote true or false there."""
    every = [value.__class__ is bool for row in rows for value in row.values.values()]
    if len(every) != count:  # texts, nulls and NaN are no numbers
        every = [value.__class__ is bool for row in rows for value in row.values.values() if _is_number(value)]
    return np.array(every, dtype=np.bool_)


def _is_number(value: object) -> bool:
    return value is not None and value.__class__ is not str and value == value  # NaN is not equal to itself


def _keep_out(rows: Sequence[Row], readings: Readings, bad: NDArray[np.bool_] | None, doubts: list[Doubt]) -> Checked:
    """Leave the bad values out, say why, and refuse rows of which nothing is left."""
    if bad is None:
        bad = np.zeros(len(readings.numbers) + len(readings.texts), dtype=np.bool_)
    bad_numbers, bad_texts = bad[: len(readings.numbers)], bad[len(readings.numbers) :]
    for index in np.flatnonzero(bad_numbers).tolist():
        doubts.append(_doubt(rows, readings, int(readings.number_row[index]), int(readings.number_name[index])))
    for index in np.flatnonzero(bad_texts).tolist():
        doubts.append(_doubt(rows, readings, int(readings.text_row[index]), int(readings.text_name[index])))
    thinned = readings.without_values(bad_numbers, bad_texts)
    doubted = np.zeros(len(rows), dtype=np.bool_)
    doubted[[doubt.row for doubt in doubts]] = True
    left = np.zeros(len(rows), dtype=np.bool_)
    left[thinned.number_row] = True
    left[thinned.text_row] = True
    whole = doubted & ~left & (readings.kind != SOS)
    quality = np.where(doubted & (thinned.quality == Quality.GOOD), np.uint8(Quality.SUSPICIOUS), thinned.quality)
    kept = thinned.with_quality(quality).select(~whole)
    marked = [Doubt(doubt.row, doubt.code, doubt.reason, bool(whole[doubt.row])) for doubt in doubts]
    return Checked(kept, np.flatnonzero(~whole).astype(np.uint32), marked)


def _doubt(rows: Sequence[Row], readings: Readings, row: int, name_number: int) -> Doubt:
    """The sentence that says what was wrong with one value and what was expected."""
    kind, name = rows[row].kind, readings.names[name_number]
    found = repr(rows[row].values[name])[:80]
    value = find_value(kind, name) if _is_name(name) else None
    if value is None:
        return Doubt(row, "unknown_value", f"'{name[:80]}' is no value of kind '{kind}' (it said {found})")
    said = rows[row].values[name]
    if value.form is Form.FLAG:
        return Doubt(row, "wrong_type", f"{name} is {found}, expected true or false")
    if name == "gateway" and isinstance(said, str):
        return Doubt(row, "bad_gateway_id", f"{name} is {found}, expected an id: A-Z a-z 0-9 _ -, 1 to 64 characters")
    if value.form is Form.TEXT and isinstance(said, str):
        return Doubt(row, "too_long", f"{name} has {len(said)} characters, expected at most {TEXT_CHARACTERS_MAX}")
    if value.form is Form.TEXT or isinstance(said, bool | str):
        return Doubt(row, "wrong_type", f"{name} is {found}, expected a {value.form.value}")
    expected = f"{value.low:g} to {value.high:g} {value.unit}".rstrip()
    return Doubt(row, "out_of_range", f"{name} is {found}, expected {expected}")


def _thin_out(row: Row) -> Row:
    return row._replace(values=dict(list(row.values.items())[:VALUES_PER_READING_MAX]))


def _crowded(row: int) -> Doubt:
    return Doubt(row, "too_many_values", f"only the first {VALUES_PER_READING_MAX} values of a reading are taken")
