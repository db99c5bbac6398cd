"""Sends messages to a broker with QoS 1, a window at a time, and knows when each is acknowledged."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Self

from core.clock import Clock, RealClock
from core.mqtt import Intake, Link, Session
from core.settings import Login
from deploy.output import BadInput

WINDOW = 500
STUCK_S_MAX = 30.0
LOOK_S = 0.002


class Publisher:
    """One connection. Leaving the `with` block waits until everything is acknowledged; raises BadInput when stuck."""

    def __init__(self, login: Login, name: str, clock: Clock | None = None) -> None:
        self.login = login
        self.clock = clock or RealClock()
        self.sent = 0
        link = Link(login.host, login.port, f"{name}-{os.getpid()}", login.username, login.password, clean=True)
        self._session = Session(link, Intake((), lambda messages: None), lambda error: None)
        self._waiting: deque[Callable[[], bool]] = deque()

    def publish(self, topic: str, payload: bytes) -> None:
        """Send; waits while the window is full. Raises BadInput when the broker acknowledges nothing."""
        self._until(lambda: self._unacknowledged() < WINDOW)
        self._until(lambda: self._try(topic, payload))
        self.sent += 1

    def _try(self, topic: str, payload: bytes) -> bool:
        acknowledged = self._session.publish_tracked(topic, payload)
        if acknowledged is None:
            return False
        self._waiting.append(acknowledged)
        return True

    def _unacknowledged(self) -> int:
        while self._waiting and self._waiting[0]():
            self._waiting.popleft()
        return len(self._waiting)

    def _until(self, done: Callable[[], bool]) -> None:
        deadline_s = self.clock.monotonic_s() + STUCK_S_MAX
        while not done():
            if self.clock.monotonic_s() > deadline_s:
                where = f"{self.login.host}:{self.login.port}"
                why = "acknowledges nothing" if self._session.connected else "can't be reached, or refuses this sign-in"
                raise BadInput(f"the broker {where} {why}; {self.sent} messages were sent before")
            time.sleep(LOOK_S)

    def __enter__(self) -> Self:
        self._session.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._until(lambda: self._unacknowledged() == 0)
        finally:
            self._session.stop()
