"""An SOS button: a press goes out again and again until somebody has it on disk, a heartbeat says the button lives."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from firmware_sim.device import Device, Reading
from firmware_sim.payloads import Values

RETRY_FIRST_MS = 2_000
RETRY_LONGEST_MS = 60_000
ATTEMPTS_MAX = 500
"""About eight hours of a minute each; then the battery matters more."""

LORAWAN_REPEATS_MS = (0, 5_000, 20_000)
"""A class A device hears no acknowledgement it could rely on: three frames, one press_id."""


@dataclass(slots=True)
class _Pending:
    reading: Reading
    due_ms: int
    attempts: int = 0


class Delivery:
    """Pure state machine: which presses still have to be sent, and when. Time is given, nothing is read.

    `scale` stretches the back-off when simulated time runs faster than the network (`--speed`): acknowledgements travel
    in real time.
    """

    def __init__(self, rng: Random, scale: float = 1.0) -> None:
        self._rng = rng
        self._scale = scale
        self._pending: dict[tuple[int, int], _Pending] = {}
        self.light = ""
        self.given_up = 0
        self.not_understood = 0

    def add(self, reading: Reading, now_ms: int) -> None:
        """Take over a press; it is due at once."""
        self._pending[reading.boot, reading.seq] = _Pending(reading, now_ms)

    def due(self, now_ms: int) -> list[Reading]:
        """The presses to send now, unchanged since the first time (t, boot, seq, press_id); each is due again later."""
        readings = []
        for key, pending in list(self._pending.items()):
            if pending.due_ms > now_ms:
                continue
            if pending.attempts >= ATTEMPTS_MAX:
                del self._pending[key]
                self.given_up += 1
                continue
            wait_ms = min(RETRY_LONGEST_MS, RETRY_FIRST_MS * 2 ** min(pending.attempts, 16))
            pending.attempts += 1
            pending.due_ms = now_ms + max(1, int(wait_ms * self._scale * self._rng.uniform(0.8, 1.2)))
            readings.append(pending.reading)
        return readings

    def next_due_ms(self) -> int | None:
        """When the next press is due; None when all arrived."""
        return min((pending.due_ms for pending in self._pending.values()), default=None)

    def on_down(self, payload: bytes) -> None:
        """A message on `…/down`: an acknowledgement ends a press's repeats, a case's state shows on the button's light.

        A state for a press also proves that it arrived. What is not understood is counted and changes nothing.
        """
        try:
            message = json.loads(payload)
            if not isinstance(message, dict):
                raise TypeError("a downlink is a JSON object")
            if "ack" in message:
                self._pending.pop((int(message["ack"]["boot"]), int(message["ack"]["seq"])), None)
            if "sos" in message:
                press_id, self.light = int(message["sos"]["press_id"]), str(message["sos"]["state"])
                for key, pending in list(self._pending.items()):
                    if pending.reading.values.get("press_id") == press_id:
                        del self._pending[key]
        except (ValueError, TypeError, KeyError):
            self.not_understood += 1


class SosButton(Device):
    """Heartbeats each hour, and now and then a person, a child or a test; `delivery` is None for LoRaWAN buttons."""

    kind = "sos"

    def __init__(
        self,
        device_id: str,
        town: str,
        rng: Random,
        start_ms: int,
        interval_ms: int,
        presses_per_day: float,
        make_delivery: Callable[[Random], Delivery] | None,
    ) -> None:
        super().__init__(device_id, town, rng, start_ms, interval_ms)
        self.delivery = make_delivery(rng) if make_delivery else None
        self.press_id = 0
        self._battery_pct = rng.uniform(70.0, 100.0)
        self._presses_per_ms = presses_per_day / 86_400_000
        self._press_ms = self._next_press_ms(start_ms)
        self._cancel_ms: int | None = None
        self._repeats: list[tuple[int, Values]] = []
        self._heartbeat_ms = self.next_wake_ms
        self._plan(start_ms)

    def wake(self, now_ms: int) -> list[Reading]:
        """Readings of presses due for the first time or again, and the heartbeat."""
        readings: list[Reading] = []
        if now_ms >= self._press_ms:
            self._press_ms = self._next_press_ms(now_ms)
            self.press(now_ms, self.rng.choices(*_EVENTS)[0])
        if self._cancel_ms is not None and now_ms >= self._cancel_ms:
            self._cancel_ms = None
            self._send(now_ms, "cancel")
        if self.delivery is not None:
            readings += self.delivery.due(now_ms)
        for at_ms, values in [repeat for repeat in self._repeats if repeat[0] <= now_ms]:
            self._repeats.remove((at_ms, values))
            readings.append(self.reading(now_ms, values, confirmed=True))
        if now_ms >= self._heartbeat_ms:
            self._heartbeat_ms = now_ms + self.interval_ms + self.rng.randrange(60_000)
            readings.append(self.reading(now_ms, self._values("heartbeat")))
        self._plan(now_ms)
        return readings

    def press(self, now_ms: int, event: str, may_cancel: bool = True) -> None:
        """Somebody presses: a new press_id; one press in eight is taken back by the same hand some seconds later."""
        self.press_id += 1
        if event != "test" and may_cancel and self.rng.random() < 0.125:
            self._cancel_ms = now_ms + self.rng.randrange(5_000, 30_000)
        self._send(now_ms, event)
        self._plan(now_ms)

    def power_up(self, now_ms: int) -> None:
        """Pending presses and the press counter are kept in flash; the heartbeat comes soon."""
        super().power_up(now_ms)
        self._heartbeat_ms = self.next_wake_ms
        self._plan(now_ms)

    def on_down(self, payload: bytes, now_ms: int) -> None:
        """Hand a downlink to the state machine."""
        if self.delivery is not None:
            self.delivery.on_down(payload)
            self._plan(now_ms)

    def _send(self, now_ms: int, event: str) -> None:
        """Put it into the queue; wake sends what is due."""
        values = self._values(event)
        if self.delivery is not None:
            self.delivery.add(self.reading(now_ms, values), now_ms)
        else:
            self._repeats += [(now_ms + wait_ms, values) for wait_ms in LORAWAN_REPEATS_MS]

    def _values(self, event: str) -> Values:
        self._battery_pct = max(0.0, self._battery_pct - 0.0005)
        return {"event": event, "press_id": self.press_id, "battery_pct": round(self._battery_pct)}

    def _next_press_ms(self, now_ms: int) -> int:
        if self._presses_per_ms <= 0:
            return now_ms + 10**15
        return now_ms + int(self.rng.expovariate(self._presses_per_ms))

    def _plan(self, now_ms: int) -> None:
        wakes = [self._press_ms, self._heartbeat_ms, *(at_ms for at_ms, _ in self._repeats)]
        if self._cancel_ms is not None:
            wakes.append(self._cancel_ms)
        due_ms = self.delivery.next_due_ms() if self.delivery else None
        if due_ms is not None:
            wakes.append(due_ms)
        self.next_wake_ms = max(now_ms, min(wakes))


_EVENTS = (("press", "long_press", "double_press", "test", "tamper"), (60, 20, 5, 12, 3))
