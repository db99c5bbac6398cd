"""Memories that only devices of one kind need: a lamp has no room for what a bay remembers.

Devices of the kind are numbered by themselves, in the order of their numbers in the fleet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from core.kinds import KIND_NUMBER
from rules.fleet import NONE, Fleet
from rules.memory import Memory, arrays_of
from rules.rows import Rows

M = TypeVar("M", bound=Memory)


class Seats:
    """`of` i4[n] the place of each device of a kind among its like, -1 = of another kind; `kind` None = all devices."""

    def __init__(self, kind: str | None) -> None:
        self.kind = kind
        self.of = np.zeros(0, dtype=np.int32)
        self.before = self.of

    def refresh(self, fleet: Fleet) -> None:
        """Take in an inventory."""
        mine = np.ones(len(fleet), dtype=np.bool_) if self.kind is None else fleet.kind == KIND_NUMBER[self.kind]
        self.before, self.of = self.of, np.where(mine, np.cumsum(mine) - 1, NONE).astype(np.int32)

    def __len__(self) -> int:
        return int(self.of.max()) + 1 if len(self.of) else 0

    def rows(self, rows: Rows) -> Rows:
        """The rows with the places of their devices instead of the numbers."""
        return rows if self.kind is None else replace(rows, device=self.of[rows.device].astype(np.int64))

    def moved(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(places before, places now) of those that have both and are not where they were."""
        now = self.of[: len(self.before)]
        moved = np.flatnonzero((self.before != NONE) & (now != NONE) & (self.before != now))
        return self.before[moved].astype(np.int64), now[moved].astype(np.int64)


class Seated(Generic[M]):
    """A memory and the seats of those it is for."""

    def __init__(self, memory: M, seats: Seats) -> None:
        self.memory = memory
        self.seats = seats

    def refresh(self) -> None:
        """Room for all, and everybody in his place, after the seats have been given anew."""
        self.memory.grow(len(self.seats))
        before, now = self.seats.moved()
        if len(now):
            held = {name: column[before].copy() for name, column in self.arrays().items()}
            self.memory.forget(np.union1d(before, now))
            for name, column in self.arrays().items():
                column[now] = held[name]

    def forget(self, devices: NDArray[np.int64]) -> None:
        """As if these had never said anything."""
        self.memory.forget(self._places(devices))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The columns by name."""
        return arrays_of(self.memory)

    def put_back(self, devices: NDArray[np.int64], arrays: Mapping[str, NDArray[Any]]) -> None:
        """What it held of some devices when `arrays` were taken; those that were not there then are forgotten."""
        places = self._places(devices)
        self.memory.forget(places)
        for name, column in arrays.items():
            known = places[places < len(column)]
            getattr(self.memory, name)[known] = column[known]

    def put_one(self, device: int, held: Mapping[str, Any]) -> None:
        """What is held of one device, as `held_of` gave it."""
        for place in self._places(np.array([device])).tolist():
            for name, row in held.items():
                getattr(self.memory, name)[place] = row

    def held_of(self, device: int) -> dict[str, Any]:
        """What is held of one device, by column; nothing where it has no place."""
        places = self._places(np.array([device])).tolist()
        return {name: column[place].copy() for place in places for name, column in self.arrays().items()}

    def _places(self, devices: NDArray[np.int64]) -> NDArray[np.int64]:
        places = self.seats.of[devices].astype(np.int64)
        found: NDArray[np.int64] = places[places != NONE]
        return found
