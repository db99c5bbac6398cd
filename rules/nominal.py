"""What a lamp draws at 100 %, where the inventory does not say: from its first night on which it burned.

A sample at a lower step counts with the share that a lamp of its sort draws there. Sums are whole tenths of a watt, so
that the pieces in which readings come make no difference.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rules.latest import grown
from rules.nights import NO_NIGHT
from rules.rows import Rows, by_night, in_turns

SCALE = 10
SAMPLES_MIN = 4
BURNING_W = 4.0
"""Less is standby, not light."""


class Nominal:
    """n lamps: `value_w` f4[n] learned, NaN = not yet · `night` u2[n], `total` i4[n], `count` u2[n] of the one
    so far.
    """

    def __init__(self) -> None:
        self.value_w = np.zeros(0, dtype=np.float32)
        self.night = np.zeros(0, dtype=np.uint16)
        self.total = np.zeros(0, dtype=np.int32)
        self.count = np.zeros(0, dtype=np.uint16)

    def grow(self, devices: int) -> None:
        """Room for so many lamps."""
        self.value_w, self.night = grown(self.value_w, devices, np.nan), grown(self.night, devices, NO_NIGHT)
        self.total, self.count = grown(self.total, devices, 0), grown(self.count, devices, 0)

    def forget(self, devices: NDArray[np.int64]) -> None:
        """Learn these anew."""
        self.value_w[devices], self.night[devices] = np.nan, NO_NIGHT
        self.total[devices], self.count[devices] = 0, 0

    def take(self, rows: Rows, night: NDArray[np.int32], full_w: NDArray[np.float64]) -> NDArray[np.float64]:
        """f8[k]: the power at 100 % to reckon with, NaN until it is learned.

        `full_w` f8[k] is what a sample says of it, NaN where it says nothing.
        """
        found = np.full(len(rows), np.nan)
        piece, first = by_night(rows.device, night)
        told = np.flatnonzero(full_w > BURNING_W)
        total = np.bincount(piece[told], np.rint(full_w[told] * SCALE), len(first)).astype(np.int32)
        count = np.bincount(piece[told], minlength=len(first)).astype(np.uint16)
        device = rows.device[first]
        value_w = np.zeros(len(first), dtype=np.float32)
        for mine in in_turns(device):
            self._begin_night(device[mine], night[first[mine]])
            self.total[device[mine]] += total[mine]
            self.count[device[mine]] += count[mine]
            value_w[mine] = self.value_w[device[mine]]
        found[:] = value_w[piece]
        return found

    def _begin_night(self, device: NDArray[np.int64], night: NDArray[np.int32]) -> None:
        over = device[self.night[device] != night]
        self.night[device] = night
        enough = over[(self.count[over] >= SAMPLES_MIN) & np.isnan(self.value_w[over])]
        self.value_w[enough] = self.total[enough] / (self.count[enough] * np.float32(SCALE))
        self.total[over], self.count[over] = 0, 0
