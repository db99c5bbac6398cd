"""What a barrier's two totals tell: how many passed since its last word, and how far their balance can be right.

A loop misses a car now and then. If it misses each with the same small chance, coming or leaving, the balance of N
passages is off by sqrt(N m (1 − m)) cars. (Shared knowledge, domain A7: 300 entries a day, 1 %: 2.4 after a day.)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Flags = NDArray[np.bool_]

MISS_SHARE = 0.01
"""The chance that a passage is not counted. (Shared knowledge, domain A7.)"""
WRAPS = (1e4, 2.0**16, 1e5, 1e6, 2.0**24, 2.0**32)
"""Where totals begin again at 0 without a restart: mechanical digits and the widths of registers."""
WRAPPED_MOST = 500.0
"""So many cars at most may have passed between two words; if it takes more, the totals have started anew."""


def passed(before: tuple[Numbers, Numbers], now: tuple[Numbers, Numbers]) -> tuple[Numbers, Numbers, Flags]:
    """(f8[k], f8[k], bool[k]): entries and exits since the word before, or where the totals began anew, since then.

    `before` and `now` are entries and exits as reported, f8[k] each.
    """
    came, left = (_unwrapped(then, total) for then, total in zip(before, now, strict=True))
    anew = (came < 0) | (left < 0)
    return np.where(anew, now[0], came), np.where(anew, now[1], left), anew


def _unwrapped(before: Numbers, now: Numbers) -> Numbers:
    """f8[k]: how much a total grew; below 0 when it fell and no wrap explains it."""
    grew = now - before
    for top in WRAPS:
        wrapped = (grew < 0) & (before < top) & (grew + top <= WRAPPED_MOST)
        grew = np.where(wrapped, grew + top, grew)
    return grew


def clamped(lowest: Numbers, highest: Numbers, balance: Numbers, capacity: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """(f8[k], f8[k], f8[k]): the lowest and the highest balance that can be right, and by how much the count is off.

    Between empty and full lie `capacity` cars. Who has counted more was wrong: what is counted now is believed, so a
    new height is a full car park and lifts the lowest, a new depth an empty one. Above 0: too many came or too few
    left. A capacity of 0 or NaN is not known and corrects nothing.
    """
    room = np.where(capacity > 0, capacity, np.inf)
    over = np.where(balance > highest, np.maximum(balance - lowest - room, 0.0), 0.0)
    under = np.where(balance < lowest, np.maximum(highest - balance - room, 0.0), 0.0)
    return np.minimum(lowest + over, balance), np.maximum(highest - under, balance), over - under


def sigma(passages: Numbers) -> Numbers:
    """f8[k]: by how many cars the balance of so many passages is off by chance: one standard deviation."""
    found: Numbers = np.sqrt(passages * MISS_SHARE * (1 - MISS_SHARE))
    return found
