"""The way through the air and the network: lost in bursts, doubled, late, out of order, all from the seed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

LOSS_MAX = 0.8
LOSS_IN_BURST = 0.9
"""Inside a bad spell nearly everything is lost, not quite everything."""


@dataclass(frozen=True)
class Weather:
    """What a fleet's messages meet on average; shares are 0..1, the burst's length is in messages."""

    loss: float
    duplicate: float
    reorder: float
    delay_ms: float
    burst_messages: float = 4.0


class Link:
    """One device's way to the broker: a two-state (Gilbert-Elliott) channel with memory of good and bad spells.

    In a bad spell 90 % is lost, in a good one a quarter of the average; how long the good spells are follows from the
    average. `hold_ms` is how long a message must be held back to be overtaken: about the device's interval.
    """

    def __init__(self, weather: Weather, loss: float, hold_ms: int, rng: Random) -> None:
        loss = min(LOSS_MAX, max(0.0, loss))
        self._weather = weather
        self._hold_ms = hold_ms
        self._rng = rng
        self._loss_good = loss / 4
        bad_share = (loss - self._loss_good) / (LOSS_IN_BURST - self._loss_good)
        self._leave_bad = 1 / weather.burst_messages
        self._enter_bad = min(1.0, self._leave_bad * bad_share / (1 - bad_share))
        self._bad = rng.random() < bad_share
        self._delay_mu = math.log(max(1.0, weather.delay_ms))

    def is_lost(self) -> bool:
        """Whether the next message is lost; each call is one message sent."""
        rng = self._rng
        lost = rng.random() < (LOSS_IN_BURST if self._bad else self._loss_good)
        if rng.random() < (self._leave_bad if self._bad else self._enter_bad):
            self._bad = not self._bad
        return lost

    def delays_ms(self) -> list[int]:
        """The delay of each copy of a message that gets through: one, now and then two, now and then overtaken."""
        rng = self._rng
        delay_ms = int(rng.lognormvariate(self._delay_mu, 0.6))
        if rng.random() < self._weather.reorder:
            delay_ms += int(self._hold_ms * rng.uniform(1.2, 2.5))
        if rng.random() < self._weather.duplicate:
            return [delay_ms, delay_ms + rng.randrange(200, 60_000)]
        return [delay_ms]


def own_loss(average: float, rng: Random) -> float:
    """A device's own loss rate: some stand well, some behind a wall; the fleet's mean stays the average."""
    return average * rng.gammavariate(4.0, 0.25)
