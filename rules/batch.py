"""A batch of readings made ready for the rules: each with its device's number, in the order of the journal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.reading import Readings
from rules.fleet import NONE, Fleet


@dataclass(frozen=True, eq=False)
class Batch:
    """n readings of known devices. `device` i8[n] is each one's number in the fleet."""

    readings: Readings
    device: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.device)

    def rounds(self, rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
        """The rows i8[m] in groups of at most one reading for each device: everyone's first, then everyone's
        second, and so on.

        In the order of the journal within each device, so what follows does not depend on how a replay is cut into
        batches.
        """
        if not len(rows):
            return
        ordered = rows[np.argsort(self.device[rows], kind="stable")]
        device = self.device[ordered]
        starts = np.flatnonzero(np.concatenate(([True], device[1:] != device[:-1])))
        sizes = np.diff(np.concatenate((starts, [len(device)])))
        rank = np.arange(len(device)) - np.repeat(starts, sizes)
        by_rank = ordered[np.argsort(rank, kind="stable")]
        ends = np.cumsum(np.bincount(rank))
        yield from np.split(by_rank, ends[:-1])


def make_batch(readings: Readings, fleet: Fleet) -> Batch:
    """The readings of devices that the fleet knows."""
    device = fleet.numbers(readings.device_ids)
    known = device != NONE
    if known.all():
        return Batch(readings, device)
    return Batch(readings.select(known), device[known])
