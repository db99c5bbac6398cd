"""Repairs of lamps: from then on what a lamp is used to is learned anew, and nothing is compared with what it was.

A repair is what a person says with a ticket about a lamp: that it is done, or closed without having been called done
before. A false alarm, a duplicate, what can't be solved and what measured well again by itself is none. It is a fact of
the database with its instant, and it holds for all samples from that instant on: a restart, a replay and a backtest
find the same.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.clock import iso, parse_instant_ms
from rules.fleet import NONE, Fleet
from rules.rows import Rows
from rules.windows import Window

COLUMNS = ("device_id", "at")


@dataclass(frozen=True)
class Repair:
    """A lamp was repaired at an instant; `step` is the number of the ticket's step that says so, 0 = none does."""

    device_id: str
    at_ms: int
    step: int = 0


@dataclass(frozen=True)
class Works:
    """What people announced and did, which readings do not tell: `windows` of announced work, and `repairs`."""

    windows: Sequence[Window] = ()
    repairs: Sequence[Repair] = ()


NO_WORKS = Works()


class RepairsError(ValueError):
    """A list of repairs that can't be taken; says which line and why."""


def parse_repairs(text: str) -> list[Repair]:
    """The repairs of a CSV text with the columns device_id and at. Raises RepairsError."""
    reader = csv.DictReader(text.splitlines())
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise RepairsError(f"column {', '.join(missing)} is missing; expected {','.join(COLUMNS)}")
    found = []
    for row in reader:
        try:
            found.append(Repair(row["device_id"], parse_instant_ms(row["at"] or "")))
        except ValueError as error:
            raise RepairsError(f"line {reader.line_num}: {error}") from None
    return found


def repairs_as_csv(repairs: Iterable[Repair]) -> str:
    """As `parse_repairs` reads it."""
    return "\n".join([",".join(COLUMNS), *(f"{one.device_id},{iso(one.at_ms)}" for one in repairs), ""])


class Repaired:
    """The repairs by the numbers of the fleet: `device` i8[r], `at_ms` i8[r]."""

    def __init__(self, repairs: Iterable[Repair] = ()) -> None:
        self.repairs = list(repairs)
        self.device = np.zeros(0, dtype=np.int64)
        self.at_ms = np.zeros(0, dtype=np.int64)

    def refresh(self, fleet: Fleet) -> None:
        """Take in an inventory, new or changed; what it does not know is left out."""
        number = fleet.numbers([one.device_id for one in self.repairs])
        at_ms = np.array([one.at_ms for one in self.repairs], dtype=np.int64)
        self.device, self.at_ms = number[number != NONE], at_ms[number != NONE]

    def pieces(
        self, rows: Rows, last_ms: NDArray[np.int64]
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64] | None]]:
        """(devices i8[d] that were repaired before these rows and after the piece before, rows i8[p] of the piece,
        None = all), for rows sorted by device and time; `last_ms` i8[n] the newest sample of each device before them.
        """
        if not len(rows):
            return
        due = np.flatnonzero((self.at_ms > last_ms[self.device]) & (self.at_ms <= rows.t_ms.max()))
        due = due[np.isin(self.device[due], rows.present)]
        nobody = np.zeros(0, dtype=np.int64)
        if not len(due):
            yield nobody, None
            return
        repairs = np.zeros(len(rows), dtype=np.int64)
        for device, at_ms in zip(self.device[due].tolist(), self.at_ms[due].tolist(), strict=True):
            repairs += (rows.device == device) & (rows.t_ms >= at_ms)
        for count in np.unique(repairs).tolist():
            piece = np.flatnonzero(repairs == count)
            yield (np.unique(rows.device[piece]) if count else nobody), piece
