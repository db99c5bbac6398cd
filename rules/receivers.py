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
EXPECTED_EACH = 1.05
"""And so many of each device in the mean: many speak at the full quarter of an hour, all of them together. It must be
known before a line counts as quiet (rules/lines.py)."""
FRESH_MS = 300_000
SPEAKS_SHARE = 0.02
"""Stragglers: when no more than so many of the messages due come in time, the way is cut."""
DEAF_MS_MIN = 600_000
"""A restart takes minutes and is nobody's business."""


class Receivers:
    """r receivers by the numbers of their names. `via_ms` i8[r] the last word through each, -1 = never · `due` f8[r]
    messages that should have come since · `missed` f8[r] the same for each device in the mean ·
    `spoke` i8[r] fresh messages since the last tick.

    `anybody_ms`, `due_of_all`, `missed_of_all`, `spoke_of_all` the same over all devices · `from_ms` since when we
    have listened without a break.
    """

    def __init__(self, words: Words) -> None:
        self.words = words
        self.via_ms = np.zeros(0, dtype=np.int64)
        self.due = np.zeros(0)
        self.anybody_ms = NEVER_MS
        self.spoke = np.zeros(0, dtype=np.int64)
        self.spoke_of_all = 0
        self.has_heard = False
        self.due_of_all = 0.0
        self.from_ms = NEVER_MS
        self.missed = np.zeros(0)
        self.missed_of_all = 0.0

    def begin(self, now_ms: int) -> None:
        """From now on somebody should be heard."""
        self.anybody_ms = max(self.anybody_ms, now_ms)
        self._grow()

    def away(self, until_ms: int) -> None:
        """Nobody could be heard until now, so nobody is due yet; and nobody was heard."""
        self.from_ms, self.due_of_all, self.missed_of_all = until_ms, 0.0, 0.0
        self.due, self.missed = np.zeros(len(self.due)), np.zeros(len(self.due))

    def quiet_ms(self, now_ms: int) -> int:
        """For how long nobody was heard although we listened."""
        return now_ms - max(self.anybody_ms, self.from_ms)

    def take(self, rows: Rows, receiver_of: NDArray[np.int32]) -> None:
        """What was heard; `receiver_of` i4[n] is the receiver that a device is itself, -1 = it is none.

        What comes late was under way already and does not show that the way still stands.
        """
        self.anybody_ms = max(self.anybody_ms, int(rows.received_ms.max()))
        fresh = rows.received_ms - rows.t_ms <= FRESH_MS
        self.spoke_of_all += int(fresh.sum())
        told = rows.texts.get("gateway")
        self._grow()
        for through in (told, receiver_of[rows.device]):
            if through is not None:
                there = through != NONE
                np.maximum.at(self.via_ms, through[there], rows.received_ms[there])
                self.spoke += np.bincount(through[there & fresh], minlength=len(self.spoke))

    def _grow(self) -> None:
        more = len(self.words.words) - len(self.via_ms)
        if more > 0:
            self.via_ms = np.append(self.via_ms, np.full(more, NEVER_MS, dtype=np.int64))
            self.due = np.append(self.due, np.zeros(more))
            self.missed = np.append(self.missed, np.zeros(more))
            self.spoke = np.append(self.spoke, np.zeros(more, dtype=np.int64))

    def wait(self, home: NDArray[np.int32], due: NDArray[np.float64]) -> None:
        """Time went on to the next tick: `due` f8[n] messages of each device, `home` i4[n] its receiver."""
        total, speakers = float(due.sum()), int(np.count_nonzero(due))
        speaks = self.spoke_of_all > SPEAKS_SHARE * total
        self.has_heard |= speaks
        waits = self.has_heard and not speaks  # before the first word nobody has fallen silent
        self.due_of_all = self.due_of_all + total if waits else 0.0
        self.missed_of_all = self.missed_of_all + total / float(max(speakers, 1)) if waits else 0.0
        if len(self.due):
            place = home - NONE  # who has no receiver is counted in front
            more = np.bincount(place, weights=due, minlength=len(self.due) + 1)[1:]
            each = more / np.maximum(np.bincount(place[due > 0], minlength=len(self.due) + 1)[1:], 1)
            spoke = self.spoke > SPEAKS_SHARE * more
            self.due = np.where(spoke, 0.0, self.due + more)
            self.missed = np.where(spoke, 0.0, self.missed + each)
        self.spoke_of_all = 0
        self.spoke[:] = 0

    @property
    def all_deaf(self) -> bool:
        """Whether nobody at all is heard."""
        return self.due_of_all >= EXPECTED_MIN and self.missed_of_all >= EXPECTED_EACH

    def deaf(self, now_ms: int) -> list[int]:
        """The receivers through which nothing comes any more."""
        quiet_ms = now_ms - np.maximum(self.via_ms, self.from_ms)
        quiet = (self.due >= EXPECTED_MIN) & (self.missed >= EXPECTED_EACH)
        quiet &= (self.via_ms != NEVER_MS) & (quiet_ms >= DEAF_MS_MIN)
        return [int(place) for place in np.flatnonzero(quiet)]
