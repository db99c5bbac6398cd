"""Memories that only devices of one kind need: a lamp has no room for what a bay remembers.

Devices of the kind are numbered by themselves, in the order of their numbers in the fleet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
    """`of` i4[n] the place of each device of a kind among its like, -1 = it has none; `kind` None = all devices.

    With `needs_one`, only those of the kind that need one now: an inventory may give and take seats then.
    """

    def __init__(self, kind: str | None, needs_one: Callable[[Fleet], NDArray[np.bool_]] | None = None) -> None:
        self.kind = kind
        self.needs_one = needs_one
        self.of = np.zeros(0, dtype=np.int32)
        self.before = self.of

    def refresh(self, fleet: Fleet) -> None:
        """Take in an inventory."""
        mine = np.ones(len(fleet), dtype=np.bool_) if self.kind is None else fleet.kind == KIND_NUMBER[self.kind]
        if self.needs_one is not None:
            mine &= self.needs_one(fleet)
        self.before, self.of = self.of, np.where(mine, np.cumsum(mine) - 1, NONE).astype(np.int32)

    def __len__(self) -> int:
        return int(self.of.max()) + 1 if len(self.of) else 0

    def rows(self, rows: Rows) -> Rows:
        """The rows with the places of their devices instead of the numbers."""
        return rows if self.kind is None else replace(rows, device=self.of[rows.device].astype(np.int64))

    def holders(self) -> NDArray[np.int32]:
        """i4[h]: the devices that have a place, in the order of their places."""
        return np.flatnonzero(self.of != NONE).astype(np.int32)

    def hold(self, holders: NDArray[np.int32]) -> None:
        """Those that had a place when the memories were kept; `refresh` takes them where they belong now."""
        self.of = np.full(len(self.of), NONE, dtype=np.int32)
        self.of[holders] = np.arange(len(holders))

    def came(self) -> NDArray[np.int64]:
        """i8[m]: the places now of those that had none."""
        before = np.full(len(self.of), NONE, dtype=np.int32)
        before[: len(self.before)] = self.before
        found: NDArray[np.int64] = self.of[(before == NONE) & (self.of != NONE)].astype(np.int64)
        return found

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
        came = self.seats.came()
        if len(now) or len(came):
            held = {name: column[before].copy() for name, column in self.arrays().items()}
            self.memory.forget(np.unique(np.concatenate((before, now, came))))
            for name, column in self.arrays().items():
                column[now] = held[name]

    def forget(self, devices: NDArray[np.int64]) -> None:
        """As if these had never said anything."""
        self.memory.forget(self.places(devices))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The columns by name."""
        return arrays_of(self.memory)

    def put_back(
        self, devices: NDArray[np.int64], arrays: Mapping[str, NDArray[Any]], of_then: NDArray[np.int32]
    ) -> None:
        """What it held of some devices when `arrays` were taken; those that had no place then are forgotten.

        `of_then` i4[n] are the places as they were.
        """
        now, then = self.seats.of[devices], np.full(len(devices), NONE, dtype=np.int32)
        known = devices < len(of_then)
        then[known] = of_then[devices[known]]
        self.memory.forget(now[now != NONE].astype(np.int64))
        both = (now != NONE) & (then != NONE)
        for name, column in arrays.items():
            getattr(self.memory, name)[now[both]] = column[then[both]]

    def put_one(self, device: int, held: Mapping[str, Any]) -> None:
        """What is held of one device, as `held_of` gave it."""
        for place in self.places(np.array([device])).tolist():
            for name, row in held.items():
                getattr(self.memory, name)[place] = row

    def held_of(self, device: int) -> dict[str, Any]:
        """What is held of one device, by column; nothing where it has no place."""
        places = self.places(np.array([device])).tolist()
        return {name: column[place].copy() for place in places for name, column in self.arrays().items()}

    def places(self, devices: NDArray[np.int64]) -> NDArray[np.int64]:
        """i8[d]: where these devices sit; those of another kind are left out."""
        places = self.seats.of[devices].astype(np.int64)
        found: NDArray[np.int64] = places[places != NONE]
        return found
