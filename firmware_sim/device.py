"""What every firmware has: a clock that drifts, a boot counter, sequence numbers, a schedule and a small memory.

A device is woken by the world at `next_wake_ms` (true simulated time) and answers with the readings it wants to send.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from random import Random

from firmware_sim.payloads import Values

BACKLOG_READINGS_MAX = 96
"""A device remembers a day of quarter hours; older readings are overwritten."""

_BOOT_EPOCH_S = 1_577_836_800  # 2020-01-01
_BOOT_STEP_S = 10


@dataclass(slots=True)
class Reading:
    """One reading as the firmware hands it to its modem; `t_ms` is the device's own clock, None when it has none."""

    t_ms: int | None
    boot: int
    seq: int
    values: Values
    confirmed: bool = False


class Clock:
    """A device's clock: so many parts per million fast, set right by the network every few hours, never quite."""

    def __init__(self, rng: Random, sync_ms: int = 6 * 3_600_000) -> None:
        self.ppm = rng.gauss(0.0, 20.0)
        self.offset_ms = rng.gauss(0.0, 250.0)
        self.exists = True
        self._sync_ms = sync_ms
        self._phase_ms = rng.randrange(sync_ms)

    def read_ms(self, now_ms: int) -> int | None:
        """What the device believes the time is, in Unix ms; None without a clock."""
        if not self.exists:
            return None
        since_sync_ms = (now_ms - self._phase_ms) % self._sync_ms
        return int(now_ms + self.offset_ms + self.ppm * 1e-6 * since_sync_ms)


def first_boot(start_ms: int) -> int:
    """The boot counter at the start of a run, from its start time: the fleet powers up then.

    So a later run never repeats the numbers of an earlier one, and a platform that keeps its data takes it as new.
    """
    return max(1, (start_ms // 1000 - _BOOT_EPOCH_S) // _BOOT_STEP_S)


class Device:
    """The base of every firmware: identity, counters, and what happens on power-up, in a dead spot and in silence.

    `dropout` is the chance per reading that the device loses its network for one to three readings; it keeps those and
    sends them later as one backfill, oldest first, when `keeps_backlog`.
    """

    kind = ""

    def __init__(self, device_id: str, town: str, rng: Random, start_ms: int, interval_ms: int) -> None:
        self.device_id = device_id
        self.town = town
        self.rng = rng
        self.interval_ms = interval_ms
        self.clock = Clock(rng)
        self.boot = first_boot(start_ms)
        self.seq = 0
        self.dead = False
        self.keeps_backlog = False
        self.dropout = 0.0
        self.offline_until_ms = 0
        self.backlog: deque[Reading] = deque(maxlen=BACKLOG_READINGS_MAX)
        self.rejoin = True
        self.next_wake_ms = start_ms + rng.randrange(max(1, interval_ms))
        self._slot_ms = self.next_wake_ms

    def wake(self, now_ms: int) -> list[Reading]:
        """The readings of this instant, and the next wake time set; a firmware without power says nothing."""
        raise NotImplementedError

    def power_up(self, now_ms: int) -> None:
        """Start again: next boot number, sequence from 1, a new schedule within two minutes, a new radio session."""
        self.boot += 1
        self.seq = 0
        self.rejoin = True
        self._slot_ms = self.next_wake_ms = now_ms + self.rng.randrange(5_000, 120_000)

    def reading(self, now_ms: int, values: Values, confirmed: bool = False) -> Reading:
        """A reading with the next sequence number and the device's own time."""
        self.seq += 1
        return Reading(self.clock.read_ms(now_ms), self.boot, self.seq, values, confirmed)

    def next_slot(self) -> None:
        """Set the next wake to the next slot of the schedule, up to 2 % of the interval late."""
        self._slot_ms += round(self.interval_ms * (1 - self.clock.ppm * 1e-6))
        self.next_wake_ms = self._slot_ms + self.rng.randrange(max(1, self.interval_ms // 50))

    def go_offline(self, now_ms: int, until_ms: int) -> None:
        """Lose the network, not the power, until then."""
        self.offline_until_ms = max(until_ms, now_ms)

    def hold_back(self, now_ms: int, readings: list[Reading]) -> list[list[Reading]]:
        """The messages to send now, each a list of readings; none while offline, a backfill first afterwards."""
        if self.dropout and now_ms >= self.offline_until_ms and self.rng.random() < self.dropout:
            self.go_offline(now_ms, now_ms + int(self.interval_ms * self.rng.uniform(0.5, 3.0)))
        if now_ms < self.offline_until_ms:
            if self.keeps_backlog and self.clock.exists:
                self.backlog.extend(readings)
            return []
        messages = [[reading] for reading in readings]
        if self.backlog and messages:
            messages.insert(0, list(self.backlog))
            self.backlog.clear()
        return messages
