"""How those who wait for news hear that there is some."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Signal:
    """`ring` calls everyone who listens; they must only take note and return. `told` counts the rings for notices of
    the outbox, so that who waits need not ask the database each time.
    """

    def __init__(self) -> None:
        self.told = 0
        self._lock = threading.Lock()
        self._listeners: set[Callable[[], None]] = set()

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` from now on; returns what ends that."""
        with self._lock:
            self._listeners.add(listener)

        def leave() -> None:
            with self._lock:
                self._listeners.discard(listener)

        return leave

    def tell(self) -> None:
        """There is news in the outbox."""
        self.ring(told=True)

    def ring(self, told: bool = False) -> None:
        """There is news."""
        with self._lock:
            self.told += told
            listeners = list(self._listeners)
        for listener in listeners:
            listener()
