"""What the lamps behind a cabinet should draw together, for the rules about its meter.

Lamps that are told the same at the same time, with the same lowest step, are a lot: their power is one line over the
step they are told. A cabinet of a hundred lamps has a handful of lots.
A cabinet with a nominal power of its own switches so much besides, by its own profile: streets without controllers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rules.fleet import MIN_W_SHARE, NONE, Fleet
from rules.nights import Nights
from rules.topology import feeders

Numbers = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Feeders:
    """l lots sorted by cabinet. `begin` i8[n+1]: those of device i are begin[i] up to begin[i+1] · `lamp` i8[l] one of
    each, for what it is told · `min_dim_pct`, `low_w`, `full_w` f8[l]: the lowest step, and the sums of the power there
    and at 100 % over the lamps whose nominal power the inventory tells.
    """

    begin: Integers
    lamp: Integers
    min_dim_pct: Numbers
    low_w: Numbers
    full_w: Numbers

    def lamps_full_w(self, device: Integers) -> Numbers:
        """f8[k]: the power of all lamps at 100 %; NaN for what feeds none that is known."""
        total = np.append(0.0, np.cumsum(self.full_w))
        found: Numbers = total[self.begin[device + 1]] - total[self.begin[device]]
        return np.where(self.begin[device + 1] > self.begin[device], found, np.nan)

    def lamps_w(self, device: Integers, t_ms: Integers, nights: Nights) -> Numbers:
        """f8[k]: the power that the lamps behind each device should draw at each instant (Unix ms); NaN = none."""
        count = self.begin[device + 1] - self.begin[device]
        row = np.repeat(np.arange(len(device)), count)
        lot = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count) + self.begin[device][row]
        told_pct = nights.at(self.lamp[lot], t_ms[row]).dim_pct
        low_pct = self.min_dim_pct[lot]
        share = np.clip((told_pct - low_pct) / np.maximum(100.0 - low_pct, 1.0), 0.0, 1.0)
        watts = np.where(told_pct < low_pct, 0.0, self.low_w[lot] + (self.full_w - self.low_w)[lot] * share)
        return np.where(count > 0, np.bincount(row, weights=watts, minlength=len(device)), np.nan)


def make_feeders(fleet: Fleet, nights: Nights) -> Feeders:
    """The lots of an inventory: lamps in service with a nominal power, whose cabinet is a device, and such cabinets."""
    feeder = np.where(fleet.of_kind("cabinet"), np.arange(len(fleet)), feeders(fleet))
    lamp = np.flatnonzero((feeder != NONE) & fleet.live & ~np.isnan(fleet.nominal_w))
    key = np.stack([feeder[lamp], nights.group[lamp], fleet.min_dim_pct[lamp].astype(np.int64)])
    _, first, lot = np.unique(key, axis=1, return_index=True, return_inverse=True)
    lot = lot.ravel()
    full_w = fleet.nominal_w[lamp]
    low_w = np.where(np.isnan(fleet.min_w[lamp]), full_w * MIN_W_SHARE, fleet.min_w[lamp])
    of = feeder[lamp[first]]
    return Feeders(
        begin=np.searchsorted(of, np.arange(len(fleet) + 1)),
        lamp=lamp[first],
        min_dim_pct=fleet.min_dim_pct[lamp[first]],
        low_w=np.bincount(lot, weights=np.minimum(low_w, full_w), minlength=len(first)).astype(np.float64),
        full_w=np.bincount(lot, weights=full_w, minlength=len(first)).astype(np.float64),
    )
