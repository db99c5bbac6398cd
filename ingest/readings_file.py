"""A file of readings for a backtest: `device_id,t,received,<values>` as CSV or Parquet, checked, as numpy columns.

Times are ISO 8601 (without a zone: UTC), whole numbers of Unix ms, or Parquet's timestamps; an empty `received` is `t`.
What a gateway would have kept out is kept out here too, counted and told: values outside of their range, and clocks
that nobody believes (then `t` is the receipt). What makes no sense as a row is a problem with its line and column.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.clock import iso
from core.inventory_cells import shown
from core.kinds import VALUES, Form, Value
from core.town import is_id
from ingest.parquet import EMPTY, WRONG, Columns, CsvShape
from ingest.reading_columns import Codes, ReadingColumns

FIXED = ("device_id", "t", "received")
OUR_OWN = frozenset(("boot", "seq", "quality", "kind", "values"))
"""Columns of our own exports that rules do not look at: left out without a word."""
PROBLEMS_SHOWN_MAX = 20
HEADER_BYTES_MAX = 1_000_000
AHEAD_MS = 300_000
EARLIEST_MS = 1_420_070_400_000
"""The clocks that a gateway believes: not so far ahead of the receipt, not before 2015 when it came later."""
SECONDS_MIN, SECONDS_MAX = 1_000_000_000, 10_000_000_000
"""Instants of this century in seconds; in ms they all lie in early 1970."""
EXPECTED_INSTANT = "expected ISO 8601, e.g. 2026-01-10T18:00:00Z, or Unix ms"
EXPECTED_COLUMNS = "expected device_id,t,received,<values>"

Doubles = NDArray[np.float64]


class ReadingsFileError(ValueError):
    """A file of readings that can't be taken. `problems`: the first of them, one sentence each; `count` is of all."""

    def __init__(self, path: Path, problems: Sequence[str], count: int | None = None) -> None:
        self.path, self.problems = path, tuple(problems)
        self.count = len(problems) if count is None else count
        super().__init__(f"{path}: {self.problems[0]}" if self.problems else f"{path} can't be read")


def known_values() -> dict[str, Value]:
    """Every value some kind reports, with the widest of its ranges."""
    found: dict[str, Value] = {}
    for values in VALUES.values():
        for value in values.values():
            first = found.get(value.name, value)
            low, high = min(first.low, value.low), max(first.high, value.high)
            found[value.name] = Value(value.name, value.unit, low, high, value.german, value.form)
    return found


def read_readings(path: Path, skip_bad: bool = False, needed: Collection[str] | None = None) -> ReadingColumns:
    """The readings of a .csv or .parquet file. Rows that make no sense are refused, or left out with `skip_bad`.

    Numbers that are not `needed` (None = all are) may be left out where the file can be checked without reading them.
    Raises ReadingsFileError with line and column of the first problems, and StoreError when the file can't be opened.
    """
    if not path.is_file():
        raise ReadingsFileError(path, ["there is no such file"])
    if path.suffix.casefold() == ".parquet":
        with Columns(path) as columns:
            return _Reader(columns.of_parquet(), None, skip_bad, needed).read()
    shape = csv_shape(path)
    with Columns(path) as columns:
        return _Reader(columns.of_csv(shape), shape, skip_bad).read()


def read_store(path: Path, kind: str, from_ms: int | None, to_ms: int | None) -> ReadingColumns:
    """The readings of one kind in the file of a stopped DuckDB store, from_ms <= t < to_ms."""
    with Columns(path) as columns:
        return _Reader(columns.of_store(kind, from_ms, to_ms), None, skip_bad=False).read()


def csv_shape(path: Path) -> CsvShape:
    """The header of a CSV and what separates its cells. Raises ReadingsFileError."""
    with path.open("rb") as lines:
        head = [lines.readline(HEADER_BYTES_MAX) for _ in range(2)]
    try:
        first, second = head[0].decode("utf-8-sig"), head[1].decode(errors="replace")
    except UnicodeDecodeError:
        raise ReadingsFileError(path, ["line 1 is not UTF-8; save the file as 'CSV UTF-8'"]) from None
    skipped = 1 if first.strip().casefold() in ("sep=;", "sep=,") else 0
    header = second if skipped else first
    if not header.strip():
        raise ReadingsFileError(path, [f"the file is empty; {EXPECTED_COLUMNS}"])
    delimiter = ";" if header.count(";") > header.count(",") else ","
    names = [name.strip().casefold() for name in next(csv.reader([header], delimiter=delimiter))]
    for place, name in enumerate(names):
        if name in names[:place]:
            raise ReadingsFileError(path, [f"line {skipped + 1}, column {name}: stands twice in the header"])
    return CsvShape(names, delimiter, skipped)


@dataclass
class _Reader:
    """One file on its way. `wrong` {column: the rows of the file whose cell makes no sense}."""

    columns: Columns
    shape: CsvShape | None
    skip_bad: bool
    needed: Collection[str] | None = None
    wrong: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    def read(self) -> ReadingColumns:
        """The columns, checked."""
        self._check_header()
        device_ids, device = self.columns.words("device_id")
        self._note("device_id", device < 0)
        t_ms, received_ms = self._times()
        values, texts = self._values()
        found = ReadingColumns(device_ids, device, t_ms, received_ms, values, texts)
        found = self._without_wrong(found)
        self._believe_clocks(found)
        return ReadingColumns(**{**vars(found), "remarks": tuple(self.remarks)})

    def _check_header(self) -> None:
        there = self.columns.types
        missing = [name for name in FIXED[:2] if name not in there]
        if missing:
            what = f"column {' and '.join(missing)} is missing; {EXPECTED_COLUMNS}"
            raise ReadingsFileError(self.columns.path, [f"line 1: {what}" if self.shape else what])
        known = known_values()
        strange = [name for name in there if name not in known and name not in FIXED and name not in OUR_OWN]
        if strange:
            named = ", ".join(name or "(without a name)" for name in strange)
            self.remarks.append(f"left out, for no device reports such a value: {named}")

    def _note(self, name: str, wrong: NDArray[np.bool_]) -> None:
        rows = np.flatnonzero(wrong)
        if len(rows):
            self.wrong[name] = rows

    def _bad_type(self, name: str, expected: str) -> ReadingsFileError:
        what = f"column {name} has the type {self.columns.types[name]}; {expected}"
        return ReadingsFileError(self.columns.path, [what])

    def _times(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        t_ms = self.columns.instants("t")
        if t_ms is None:
            raise self._bad_type("t", EXPECTED_INSTANT)
        self._note("t", t_ms <= WRONG)
        if len(t_ms) and int(t_ms.min()) >= SECONDS_MIN and int(t_ms.max()) < SECONDS_MAX:
            what = f"column t: {int(t_ms[0])} is {iso(int(t_ms[0]))} in Unix ms; were seconds meant? Multiply by 1000"
            raise ReadingsFileError(self.columns.path, [what])
        if "received" not in self.columns.types:
            return t_ms, t_ms.copy()
        received_ms = self.columns.instants("received")
        if received_ms is None:
            raise self._bad_type("received", EXPECTED_INSTANT)
        self._note("received", received_ms == WRONG)
        absent = np.flatnonzero(received_ms == EMPTY)
        received_ms[absent] = t_ms[absent]
        return t_ms, received_ms

    def _values(self) -> tuple[dict[str, Doubles], dict[str, Codes]]:
        values: dict[str, Doubles] = {}
        texts: dict[str, Codes] = {}
        for name, value in known_values().items():
            if name not in self.columns.types:
                continue
            if value.form is Form.TEXT:
                texts[name] = self._words(name)
                continue
            if self._may_be_left_out(value):
                continue
            numbers = self.columns.numbers(name)
            if numbers is None:
                raise self._bad_type(name, "expected numbers")
            values[name] = self._in_range(value, numbers)
        return values, texts

    def _may_be_left_out(self, value: Value) -> bool:
        if self.needed is None or value.name in self.needed:
            return False
        return self.columns.is_within(value.name, value.low, value.high, value.form is Form.FLAG)

    def _words(self, name: str) -> Codes:
        words, codes = self.columns.words(name)
        strange = [number for number, word in enumerate(words) if name == "gateway" and not is_id(word)]
        if strange:
            out = np.isin(codes, strange)
            self.remarks.append(f"{name}: {int(out.sum())} kept out, {shown(words[strange[0]])} is no id")
            codes = np.where(out, np.int32(-1), codes)
        return words, codes

    def _in_range(self, value: Value, numbers: Doubles) -> Doubles:
        """The numbers without what can't be a measurement; most files have none, and then nothing is copied."""
        out = (numbers < value.low) | (numbers > value.high)
        if value.form is Form.FLAG:
            out |= (numbers > 0) & (numbers < 1)
        if not out.any():
            return numbers
        wrong = np.isinf(numbers)
        self._note(value.name, wrong)
        kept_out = out & ~wrong
        if kept_out.any():
            first = int(np.flatnonzero(kept_out)[0])
            count, example = int(kept_out.sum()), f"{numbers[first]:g} {value.unit}".rstrip()
            what = f"{value.name}: {count} kept out, no measurement can be e.g. {example}"
            self.remarks.append(f"{what}; possible are {value.low:g} … {value.high:g}")
        return np.where(out, np.nan, numbers)

    # -- what is wrong -----------------------------------------------------------------------------------------------

    def _without_wrong(self, found: ReadingColumns) -> ReadingColumns:
        """The rows that make sense. Raises ReadingsFileError unless the others may be skipped."""
        rejects = self.columns.rejects
        if not self.wrong and not rejects:
            return found
        rows = np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *self.wrong.values()]))
        count = len(rows) + len(rejects)
        problems = self._problems(rows[:PROBLEMS_SHOWN_MAX])
        if not self.skip_bad:
            raise ReadingsFileError(self.columns.path, problems[:PROBLEMS_SHOWN_MAX], count)
        self.remarks += problems[:PROBLEMS_SHOWN_MAX]
        self.remarks.append(f"{count} of {len(found) + len(rejects)} rows were skipped")
        keep = np.ones(len(found), dtype=np.bool_)
        keep[rows] = False
        return ReadingColumns(
            device_ids=found.device_ids,
            device=found.device[keep],
            t_ms=found.t_ms[keep],
            received_ms=found.received_ms[keep],
            values={name: column[keep] for name, column in found.values.items()},
            texts={name: (words, codes[keep]) for name, (words, codes) in found.texts.items()},
        )

    def _problems(self, rows: NDArray[np.int64]) -> list[str]:
        """Sentences for the first rows in which something is wrong, and for the lines that are no rows."""
        lines = self._lines(rows.tolist())
        word = "line" if self.shape else "row"
        found = [(reject.line, f"line {reject.line} {reject.reason}") for reject in self.columns.rejects]
        for name, wrong in self.wrong.items():
            for row in np.intersect1d(wrong, rows).tolist():
                place = f"{word} {lines[row]}, column {name}"
                found.append((lines[row], f"{place}: {_why(name, self.columns.shown(name, row))}"))
        return [text for _, text in sorted(found)]

    def _lines(self, rows: Sequence[int]) -> dict[int, int]:
        """The line of the file where each row stands; of Parquet the number of the row, from 1."""
        found = {row: row + 1 for row in rows}
        if self.shape is None or not rows:
            return found
        path, width = self.columns.path, len(self.shape.names)
        number = -2  # the header is -1, the first row 0
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as lines:
            for _ in range(self.shape.skipped):
                lines.readline()
            reader = csv.reader(lines, delimiter=self.shape.delimiter)
            for cells in reader:
                if len(cells) != width:
                    continue
                number += 1
                if number in found:
                    found[number] = reader.line_num + self.shape.skipped
                if number >= rows[-1]:
                    break
        return found

    def _believe_clocks(self, found: ReadingColumns) -> None:
        """Clocks that nobody believes: `t` becomes the receipt, as with a gateway. In place."""
        t_ms, received_ms = found.t_ms, found.received_ms
        doubtful = (t_ms > received_ms + AHEAD_MS) | ((t_ms < EARLIEST_MS) & (received_ms >= EARLIEST_MS))
        rows = np.flatnonzero(doubtful)
        if len(rows):
            first = int(rows[0])
            what = f"{found.device_ids[int(found.device[first])]} at {iso(int(t_ms[first]))}"
            t_ms[rows] = received_ms[rows]
            self.remarks.append(f"clocks that can't be right: {len(rows)} readings, first {what}; t = received there")


def _why(name: str, text: str) -> str:
    text = text.strip()
    if name == "device_id":
        return "is empty; expected the id of a device"
    if name in FIXED:
        return f"{shown(text)} is no instant; {EXPECTED_INSTANT}" if text else f"is empty; {EXPECTED_INSTANT}"
    return f"{shown(text)} is no number; expected e.g. 35.2, true, false, or nothing"
