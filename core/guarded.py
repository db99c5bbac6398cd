"""Threads that can't die silently: the one supervising loop of our processes.

An exception that nobody expected is logged with its traceback and handed to `on_fatal`; the process ends then, and
whoever supervises it starts it anew. A thread that dies unseen leaves a process that looks alive and does nothing.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)

Fatal = Callable[[BaseException], None]


def guarded_thread(name: str, body: Callable[[], None], on_fatal: Fatal) -> threading.Thread:
    """A thread, not started yet, that runs `body` and reports what ends it by mistake."""

    def run() -> None:
        try:
            body()
        except BaseException as error:  # supervising loop: a dead thread must end the process, not go unseen
            log.exception("%s failed", name)
            on_fatal(error)

    return threading.Thread(target=run, name=name, daemon=True)
