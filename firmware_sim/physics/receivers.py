"""Who hears whom: for each device up to three gateways, the nearest best."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from firmware_sim.physics.plan import Doubles, Floats, Numbers

HEARD_MOST = 3
HEARD_FROM_DBM = -115.0
METRES_PER_DEGREE = 111_320.0


@dataclass(frozen=True)
class Receivers:
    """For each device its gateways (-1 = no further one) and how strong they hear it in dBm, best first."""

    gateway: Numbers
    level_dbm: Floats

    def rows(self, rows: Numbers) -> Receivers:
        """The same for some of the devices."""
        return Receivers(self.gateway[rows], self.level_dbm[rows])

    def only(self, gateway: int) -> Numbers:
        """The devices that no other gateway hears."""
        return np.flatnonzero((self.gateway[:, 0] == gateway) & (self.gateway[:, 1] < 0))


def place_receivers(lat: Doubles, lon: Doubles, gateway_places: Doubles, rng: np.random.Generator) -> Receivers:
    """Levels fall with distance and by what stands in between; the best gateway is always heard."""
    count = len(gateway_places)
    away_m = METRES_PER_DEGREE * np.hypot(
        lat[:, None] - gateway_places[:, 0], (lon[:, None] - gateway_places[:, 1]) * 0.626
    )
    level = -62.0 - 34.0 * np.log10(np.maximum(away_m, 30.0) / 50.0) + rng.normal(0.0, 5.0, (len(lat), count))
    order = np.argsort(-level, axis=1)[:, :HEARD_MOST]
    best = np.take_along_axis(level, order, axis=1)
    heard = best > HEARD_FROM_DBM
    heard[:, :1] = True
    gateway = np.where(heard, order, -1)
    return Receivers(gateway.astype(np.int64), np.maximum(best, -130.0).astype(np.float32))
