"""How long a bay is free and occupied: the 95th percentile of both, learned as it goes, and the present one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rules.latest import NEVER_MS, grown
from rules.rows import Rows, in_turns

PERCENTILE = 0.95
FIRST_S = 12 * 3_600.0
STEP = 0.4
"""The estimate moves by 0.4 · 0.95 in its logarithm when a stay was longer, back by 0.4 · 0.05 when it was not, which
comes to rest where one stay in twenty is longer (Robbins and Monro 1951)."""
LONGEST_S = 30 * 86_400.0
NO_STATE = 2
SILENT_MS = 12 * 3_600_000
"""Who was silent for longer may have changed to and fro meanwhile: its stay begins anew."""


class Stays:
    """n devices: `usual_s` f4[n, 2] of being free and occupied · `state` u1[n] 0 free, 1 occupied, 2 = nobody knows ·
    `changed_ms`, `seen_ms` i8[n] its last change and its last word.
    """

    def __init__(self) -> None:
        self.usual_s = np.zeros((0, 2), dtype=np.float32)
        self.state = np.zeros(0, dtype=np.uint8)
        self.changed_ms = np.zeros(0, dtype=np.int64)
        self.seen_ms = np.zeros(0, dtype=np.int64)

    def grow(self, devices: int) -> None:
        """Room for so many devices."""
        more = np.full((max(devices - len(self.usual_s), 0), 2), FIRST_S, dtype=np.float32)
        self.usual_s = np.concatenate((self.usual_s, more))
        self.state = grown(self.state, devices, NO_STATE)
        self.changed_ms = grown(self.changed_ms, devices, NEVER_MS)
        self.seen_ms = grown(self.seen_ms, devices, NEVER_MS)

    def forget(self, devices: NDArray[np.int64]) -> None:
        """Nothing is known of these any more."""
        self.usual_s[devices], self.state[devices], self.changed_ms[devices] = FIRST_S, NO_STATE, NEVER_MS

    def take(self, rows: Rows, occupied: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(f8[k], f8[k]): the usual time in this state and that since the last change, in s; NaN = nothing was said."""
        usual_s, stay_s = np.full(len(rows), np.nan), np.full(len(rows), np.nan)
        told = np.flatnonzero(~np.isnan(occupied))
        for turn in in_turns(rows.device[told]):
            row = told[turn]
            self._one_each(rows.device[row], rows.t_ms[row], occupied[row].astype(np.uint8))
            usual_s[row] = self.usual_s[rows.device[row], self.state[rows.device[row]]]
            stay_s[row] = (rows.t_ms[row] - self.changed_ms[rows.device[row]]) / 1000.0
        return usual_s, stay_s

    def _one_each(self, device: NDArray[np.int64], t_ms: NDArray[np.int64], state: NDArray[np.uint8]) -> None:
        self.state[device[t_ms - self.seen_ms[device] > SILENT_MS]] = NO_STATE
        self.seen_ms[device] = t_ms
        changed = self.state[device] != state
        known = changed & (self.state[device] != NO_STATE)
        leaves, left = device[known], self.state[device[known]]
        stay_s = (t_ms[known] - self.changed_ms[leaves]) / 1000.0
        step = np.where(stay_s > self.usual_s[leaves, left], STEP * PERCENTILE, -STEP * (1 - PERCENTILE))
        self.usual_s[leaves, left] = np.minimum(self.usual_s[leaves, left] * np.exp(step), LONGEST_S)
        self.changed_ms[device[changed]], self.state[device[changed]] = t_ms[changed], state[changed]
