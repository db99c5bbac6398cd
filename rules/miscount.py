"""By how much a barrier has miscounted lately: cars beyond full or below empty, and how many of them chance explains.

What it had to be corrected by is summed with its sign, so that a car park that holds a few more than its capacity, full
each noon and empty each night, comes out at nothing, and a loop that misses more leaving than coming cars does not.
Who sets its totals to 0 at night counts nobody who passes between its last word and that; as many as passed at the rate
of the word before are taken off. All sums are forgotten little by little: what a counter did in spring says nothing
about a loop that broke in autumn.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rules.latest import NEVER_MS, grown
from rules.passages import Numbers, clamped, passed, sigma
from rules.rows import Rows, in_turns

FORGET_MS = 14 * 86_400_000
"""After so long, e⁻¹ of it is left. A car park of 80 turned over once a day needs about so long to show a bias of 3 %
(four sigma of 1 %); a longer time would hide a new fault behind the old sigma and keep a mended one open."""

FROM_ZERO = ("balance", "lowest", "highest", "net", "passages", "hidden", "per_ms")


class Miscount:
    """n devices: `entries`, `exits` f8[n] as last told, NaN = never · `told_ms` i8[n] when · `balance`, `lowest`,
    `highest` f8[n] since its first word · `per_ms` f8[n] how fast cars passed before its last word · and all fading:
    `net` f8[n] the corrections with their sign, `passages`, `hidden` f8[n] counted ones and those behind restarts.
    """

    def __init__(self) -> None:
        self.entries, self.exits = np.zeros(0), np.zeros(0)
        self.told_ms = np.zeros(0, dtype=np.int64)
        self.balance, self.lowest, self.highest = np.zeros(0), np.zeros(0), np.zeros(0)
        self.net, self.passages, self.hidden = np.zeros(0), np.zeros(0), np.zeros(0)
        self.per_ms = np.zeros(0)

    def grow(self, devices: int) -> None:
        """Room for so many devices."""
        self.entries, self.exits = grown(self.entries, devices, np.nan), grown(self.exits, devices, np.nan)
        self.told_ms = grown(self.told_ms, devices, NEVER_MS)
        for name in FROM_ZERO:
            setattr(self, name, grown(getattr(self, name), devices, 0.0))

    def forget(self, devices: NDArray[np.int64]) -> None:
        """Nothing is known of these any more."""
        self.entries[devices], self.exits[devices], self.told_ms[devices] = np.nan, np.nan, NEVER_MS
        for name in FROM_ZERO:
            getattr(self, name)[devices] = 0.0

    def take(self, rows: Rows, capacity: Numbers) -> tuple[Numbers, Numbers]:
        """(f8[k], f8[k]): whole cars miscounted, without their sign, and their sigma; NaN where nothing can be said.

        `capacity` f8[k], NaN = not known. Who tells how many are inside has a count of its own, which is believed.
        """
        miscount, chance = np.full(len(rows), np.nan), np.full(len(rows), np.nan)
        entries, exits = rows.column("entries"), rows.column("exits")
        counts = ~np.isnan(entries) & ~np.isnan(exits) & np.isnan(rows.column("occupied_count"))
        told = np.flatnonzero(counts & (capacity > 0))
        for turn in in_turns(rows.device[told]):
            row = told[turn]
            device = rows.device[row]
            self._one_each(device, rows.t_ms[row], (entries[row], exits[row]), capacity[row])
            sure = np.maximum(np.abs(self.net[device]) - self.hidden[device], 0.0)
            miscount[row], chance[row] = np.rint(sure), sigma(self.passages[device])
        return miscount, np.round(chance, 1)

    def _one_each(
        self, device: NDArray[np.int64], t_ms: NDArray[np.int64], now: tuple[Numbers, Numbers], capacity: Numbers
    ) -> None:
        is_first = np.isnan(self.entries[device])
        came, left, anew = passed((self.entries[device], self.exits[device]), now)
        came, left = np.where(is_first, 0.0, came), np.where(is_first, 0.0, left)
        pause_ms = np.where(is_first, 1.0, np.maximum(t_ms - self.told_ms[device], 1.0))
        left_over = np.exp(-pause_ms / FORGET_MS)
        hidden = np.where(anew & ~is_first, self.per_ms[device] * pause_ms, 0.0)
        self.entries[device], self.exits[device], self.told_ms[device] = *now, t_ms
        self.balance[device] += came - left
        low, high, off = clamped(self.lowest[device], self.highest[device], self.balance[device], capacity)
        self.lowest[device], self.highest[device] = low, high
        self.net[device] = self.net[device] * left_over + off
        self.passages[device] = self.passages[device] * left_over + came + left
        self.hidden[device] = self.hidden[device] * left_over + hidden
        self.per_ms[device] = (came + left) / pause_ms
