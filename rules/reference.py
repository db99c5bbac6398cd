"""The power each lamp is used to: learned for itself and for each band of dimming, from its first good nights.

    reference_w = ratio(band) · expected_w(dim)

A night's ratio is the mean of power over expected power of its settled samples. The first night sets it, nights within
6 % of it move it, and after fourteen it stays: a lamp that fades is compared with what it was, not with last week.
After a repair it is learned anew.
(Shared knowledge, domain A3.) Sums are whole numbers, so that the pieces in which readings come make no difference.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rules.latest import grown
from rules.nights import NO_NIGHT
from rules.rows import Rows, by_night, in_turns

BANDS_PCT = (35.0, 60.0, 85.0)
"""Upper ends of all bands but the last: drivers draw more than their share at low steps, each its own."""
BANDS = len(BANDS_PCT) + 1
NIGHTS = 14
SAMPLES_MIN = 4
NEAR = 0.06
SCALE = 1000
PATIENCE = 3
PLAUSIBLE = (0.5, 1.6)
"""A sample outside is a fault, not a habit."""
FIRST_LOW = np.array([0.6, 0.7, 0.75, 0.75], dtype=np.float32)
FIRST_HIGH = np.array([1.6, 1.3, 1.2, 1.2], dtype=np.float32)
"""What the first night of each band may say: a new lamp with constant light output draws 80 %, and far down the curve
of an unknown driver is only guessed. After a repair it may say all that is plausible: somebody has seen the lamp."""


class Reference:
    """n devices, four bands: `ratio` f4[n, 4], NaN = not learned · `nights` u1[n, 4] learned from · `night` u2[n] the
    night being summed up, `first` u2[n] the first one, `total` i4[n, 4] and `count` u2[n, 4] its sums ·
    `is_repaired` bool[n] it was learned before.
    """

    def __init__(self) -> None:
        self.ratio = np.zeros((0, BANDS), dtype=np.float32)
        self.nights = np.zeros((0, BANDS), dtype=np.uint8)
        self.night = np.zeros(0, dtype=np.uint16)
        self.first = np.zeros(0, dtype=np.uint16)
        self.total = np.zeros((0, BANDS), dtype=np.int32)
        self.count = np.zeros((0, BANDS), dtype=np.uint16)
        self.is_repaired = np.zeros(0, dtype=np.bool_)

    def grow(self, devices: int) -> None:
        """Room for so many devices."""
        more = devices - len(self.night)
        if more <= 0:
            return
        self.ratio = np.concatenate((self.ratio, np.full((more, BANDS), np.nan, dtype=np.float32)))
        self.nights = np.concatenate((self.nights, np.zeros((more, BANDS), dtype=np.uint8)))
        self.night, self.first = grown(self.night, devices, NO_NIGHT), grown(self.first, devices, NO_NIGHT)
        self.total = np.concatenate((self.total, np.zeros((more, BANDS), dtype=np.int32)))
        self.count = np.concatenate((self.count, np.zeros((more, BANDS), dtype=np.uint16)))
        self.is_repaired = np.concatenate((self.is_repaired, np.zeros(more, dtype=np.bool_)))

    def forget(self, devices: NDArray[np.int64]) -> None:
        """As if these had never burned."""
        self.ratio[devices], self.nights[devices] = np.nan, 0
        self.night[devices] = self.first[devices] = NO_NIGHT
        self.total[devices], self.count[devices], self.is_repaired[devices] = 0, 0, False

    def learn_anew(self, devices: NDArray[np.int64]) -> None:
        """These were repaired: whatever lamp is in there now, it is as it should be."""
        self.forget(devices)
        self.is_repaired[devices] = True

    def take(
        self, rows: Rows, night: NDArray[np.int32], share: NDArray[np.float64], dim_pct: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """f8[k]: the ratio to use for each row; where nothing is learned of its band that of the others, and where
        nothing at all is learned NaN for the first nights, then 1: what could not be learned by then was never well.

        `share` f8[k] is power over expected power where the lamp is settled, NaN elsewhere; `dim_pct` f8[k].
        """
        if not len(rows):
            return np.zeros(0)
        band = sum((dim_pct >= upper_pct for upper_pct in BANDS_PCT), np.zeros(len(rows), dtype=np.int64))
        piece, first = by_night(rows.device, night)
        device, piece_night = rows.device[first], night[first]
        good = np.flatnonzero((share > PLAUSIBLE[0]) & (share < PLAUSIBLE[1]))
        good = good[self.nights[rows.device[good], band[good]] < NIGHTS]
        cell = piece * BANDS + band
        total, count = self._sums(cell[good], share[good], len(first))
        told = np.empty((len(first), BANDS), dtype=np.float32)
        is_new = np.zeros(len(first), dtype=np.bool_)
        for mine in in_turns(device):
            self._begin_night(device[mine], piece_night[mine])
            self.total[device[mine]] += total[mine]
            self.count[device[mine]] += count[mine]
            told[mine] = self.ratio[device[mine]]
            is_new[mine] = piece_night[mine] - self.first[device[mine]] < PATIENCE
        found = told.ravel()[cell].astype(np.float64)
        unknown = np.flatnonzero(np.isnan(found))
        if len(unknown):
            found[unknown] = _of_other_bands(told, is_new)[piece[unknown]]
        ratio: NDArray[np.float64] = found
        return ratio

    def _sums(
        self, cell: NDArray[np.int64], share: NDArray[np.float64], pieces: int
    ) -> tuple[NDArray[np.int32], NDArray[np.uint16]]:
        total = np.bincount(cell, weights=np.rint(share * SCALE), minlength=pieces * BANDS)
        count = np.bincount(cell, minlength=pieces * BANDS)
        return total.astype(np.int32).reshape(-1, BANDS), count.astype(np.uint16).reshape(-1, BANDS)

    def _begin_night(self, device: NDArray[np.int64], night: NDArray[np.int32]) -> None:
        """A device that speaks of another night than before: the one before is over and counts."""
        over = device[self.night[device] != night]
        self.night[device] = night
        first = self.first[device]
        self.first[device] = np.where(first == NO_NIGHT, night, first)
        if not len(over):
            return
        total, count = self.total[over], self.count[over]
        with np.errstate(all="ignore"):
            mean = (total / (count.astype(np.float32) * SCALE)).astype(np.float32)
        ratio, nights = self.ratio[over], self.nights[over]
        full = count >= SAMPLES_MIN  # fewer wait for the next night: a step may be short
        enough = full & (nights < NIGHTS)
        repaired = self.is_repaired[over, np.newaxis]
        low, high = np.where(repaired, PLAUSIBLE[0], FIRST_LOW), np.where(repaired, PLAUSIBLE[1], FIRST_HIGH)
        sets = enough & (nights == 0) & (mean > low) & (mean < high)
        with np.errstate(all="ignore"):
            moves = enough & (nights > 0) & (np.abs(mean / ratio - 1) < NEAR)
            moved = ratio + (mean - ratio) / (nights + np.float32(1))
        self.ratio[over] = np.where(sets, mean, np.where(moves, moved, ratio))
        self.nights[over] = nights + (sets | moves)
        self.total[over], self.count[over] = np.where(full, 0, total), np.where(full, 0, count)


def _of_other_bands(ratio: NDArray[np.float32], is_new: NDArray[np.bool_]) -> NDArray[np.float64]:
    """f8[p]: the mean over the bands that are known; where none is, 1, but NaN for who is new."""
    known = ~np.isnan(ratio)
    total = np.where(known, ratio, 0.0).sum(axis=1, dtype=np.float64)
    none = np.where(is_new, np.nan, 1.0)
    found: NDArray[np.float64] = np.where(known.any(axis=1), total / np.maximum(known.sum(axis=1), 1), none)
    return found
