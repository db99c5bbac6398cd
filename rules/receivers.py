"""Whether the ways to us stand: each receiver by itself, and all of them together.

A receiver through which many messages should have come and none did is deaf, whatever it says itself; when nobody is
heard at all, it is our own ear. Both are known within minutes, long before a device counts as silent.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rules.fleet import NONE
from rules.latest import NEVER_MS
from rules.rows import Rows, Words

EXPECTED_MIN = 30.0
"""A receiver, or all of them, is deaf when so many messages should have come through it and none did: chance does that
once in e^15 times where it hears half of them."""
DEAF_MS_MIN = 600_000
"""A restart takes minutes and is nobody's business."""


class Receivers:
    """r receivers by the numbers of their names. `via_ms` i8[r] the last word through each, -1 = never · `due` f8[r]
    messages that should have come since · `spoke` bool[r] whether anything came since the last tick.

    `anybody_ms`, `due_of_all`, `anybody_spoke` the same over all devices · `from_ms` since when we have listened
    without a break.
    """

    def __init__(self, words: Words) -> None:
        self.words = words
        self.via_ms = np.zeros(0, dtype=np.int64)
        self.due = np.zeros(0)
        self.anybody_ms = NEVER_MS
        self.spoke = np.zeros(0, dtype=np.bool_)
        self.anybody_spoke = False
        self.due_of_all = 0.0
        self.from_ms = NEVER_MS

    def begin(self, now_ms: int) -> None:
        """From now on somebody should be heard."""
        self.anybody_ms = max(self.anybody_ms, now_ms)
        self._grow()

    def away(self, until_ms: int) -> None:
        """Nobody could be heard until now, so nobody is due yet; and nobody was heard."""
        self.from_ms, self.due_of_all, self.due = until_ms, 0.0, np.zeros(len(self.due))

    def quiet_ms(self, now_ms: int) -> int:
        """For how long nobody was heard although we listened."""
        return now_ms - max(self.anybody_ms, self.from_ms)

    def take(self, rows: Rows) -> None:
        """What was heard."""
        self.anybody_ms = max(self.anybody_ms, int(rows.received_ms.max()))
        self.anybody_spoke = True
        told = rows.texts.get("gateway")
        self._grow()
        if told is not None:
            there = told != NONE
            np.maximum.at(self.via_ms, told[there], rows.received_ms[there])
            self.spoke[told[there]] = True

    def _grow(self) -> None:
        more = len(self.words.words) - len(self.via_ms)
        if more > 0:
            self.via_ms = np.append(self.via_ms, np.full(more, NEVER_MS, dtype=np.int64))
            self.due = np.append(self.due, np.zeros(more))
            self.spoke = np.append(self.spoke, np.zeros(more, dtype=np.bool_))

    def wait(self, home: NDArray[np.int32], due: NDArray[np.float64]) -> None:
        """Time went on to the next tick: `due` f8[n] messages of each device, `home` i4[n] its receiver."""
        self.due_of_all = 0.0 if self.anybody_spoke else self.due_of_all + float(due.sum())
        if len(self.due):
            wired = home != NONE
            more = np.bincount(home[wired], weights=due[wired], minlength=len(self.due))
            self.due = np.where(self.spoke, 0.0, self.due + more)
        self.anybody_spoke = False
        self.spoke[:] = False

    @property
    def all_deaf(self) -> bool:
        """Whether nobody at all is heard."""
        return self.due_of_all >= EXPECTED_MIN

    def deaf(self, now_ms: int) -> list[int]:
        """The receivers through which nothing comes any more."""
        quiet_ms = now_ms - np.maximum(self.via_ms, self.from_ms)
        quiet = (self.due >= EXPECTED_MIN) & (self.via_ms != NEVER_MS) & (quiet_ms >= DEAF_MS_MIN)
        return [int(place) for place in np.flatnonzero(quiet)]
