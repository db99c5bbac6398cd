"""How a process of the platform runs until it is asked to stop, and what its end means."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from types import FrameType

from core.mqtt import MqttError
from core.sqlite import StorageError
from deploy.output import EXIT_BAD_INPUT, EXIT_OK, EXIT_OUR_FAULT, say

log = logging.getLogger(__name__)

LOOK_S = 0.1


class StopRequest:
    """SIGTERM or SIGINT. Once asked, the process has `deadline_s` to end by itself (0 = any time), then it is ended."""

    def __init__(self, deadline_s: float = 0.0) -> None:
        self.deadline_s = deadline_s
        self.asked = False

    def listen(self) -> None:
        """From now on; in the main thread only."""
        signal.signal(signal.SIGTERM, self._ask)
        signal.signal(signal.SIGINT, self._ask)

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        # A plain flag: an event's lock may be held by the very thread this handler interrupts.
        first, self.asked = not self.asked, True
        if first and self.deadline_s:
            timer = threading.Timer(self.deadline_s, lambda: os._exit(EXIT_OUR_FAULT))
            timer.daemon = True
            timer.start()

    def runs(self) -> bool:
        """Wait a moment; False when it was asked to stop."""
        if not self.asked:
            time.sleep(LOOK_S)
        return not self.asked


def verdict(part: str, fatal: BaseException | None) -> int:
    """The exit code for what ended a part, said in one sentence; None = it was asked to stop."""
    if fatal is None:
        log.info("stopped as asked")
        return EXIT_OK
    if isinstance(fatal, StorageError | MqttError):
        say(f"{part}: {fatal}")
        return EXIT_BAD_INPUT
    log.error("ended by a fault", exc_info=fatal)
    say(f"{part} ended by a fault of ours ({type(fatal).__name__}: {fatal}); its log tells more")
    return EXIT_OUR_FAULT
