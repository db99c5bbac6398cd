"""A batch of readings made ready for the rules: each with its device's number, in the order of the journal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.reading import Readings
from rules.fleet import NONE, Fleet
from rules.rows import in_turns


@dataclass(frozen=True, eq=False)
class Batch:
    """n readings of known devices. `device` i8[n] is each one's number in the fleet, `came_ms` i8[n] when it came to
    us: what a gateway had to keep for hours was received long before.
    """

    readings: Readings
    device: NDArray[np.int64]
    came_ms: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.device)

    def rounds(self, rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
        """The rows i8[m] in groups of at most one reading for each device: everyone's first, then everyone's
        second, and so on.

        In the order of the journal within each device, so what follows does not depend on how a replay is cut into
        batches.
        """
        ordered = rows[np.argsort(self.device[rows], kind="stable")]
        for turn in in_turns(self.device[ordered]):
            yield ordered[turn]


def make_batch(readings: Readings, fleet: Fleet, came_ms: NDArray[np.int64] | None = None) -> Batch:
    """The readings of devices that the fleet knows; `came_ms` None = each came when it was received."""
    device = fleet.numbers(readings.device_ids)
    came_ms = readings.received_ms if came_ms is None else came_ms
    known = device != NONE
    if known.all():
        return Batch(readings, device, came_ms)
    return Batch(readings.select(known), device[known], came_ms[known])
