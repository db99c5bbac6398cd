"""Whether the embedded broker still keeps what it is given: every few seconds a message that it must store.

After its disk was full, nats-server goes on to answer but keeps nothing more, also with space free again, until it is
started anew. Nothing is lost by that, as it acknowledges nothing; but nobody would notice. The centre subscribes to the
canary, so that the broker must store it.
"""

from __future__ import annotations

import logging
import math
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from core.clock import Clock
from core.mqtt import Intake, Link, Session
from core.settings import Login
from core.topics import CANARY_TOPIC

log = logging.getLogger(__name__)

CLIENT_ID = "up-canary"
PAYLOAD = b"{}"
MIB = 1024**2
EVERY_S = 5.0
SILENT_S_MAX = 20.0
ROOM_BYTES_MIN = 16 * MIB
RESTART_PAUSE_S = 60.0
RESTART_PAUSE_S_MAX = 600.0
SLEPT_S = 10.0
WAITING_MAX = 24
RECONNECT_S_MAX = 2.0
STOP_S = 2.0


class Advice(Enum):
    """What `up` should do about the broker now."""

    NOTHING = "nothing"
    RESTART = "restart it"
    TELL_FULL = "say that the disk is full"


@dataclass
class Judge:
    """Judges the broker by its canaries; every time it is given is in seconds of one clock that only grows."""

    waits_since_s: float | None = None
    looked_at_s: float = -math.inf
    restart_from_s: float = -math.inf
    pause_s: float = RESTART_PAUSE_S
    told_full: bool = False
    troubled: bool = False

    def sent(self, now_s: float) -> None:
        """A canary went out; the first one without an answer starts the silence."""
        self.waits_since_s = now_s if self.waits_since_s is None else self.waits_since_s

    def acknowledged(self) -> bool:
        """The broker keeps what it is given; True when that was not so before and people were told."""
        was_troubled, self.troubled = self.troubled, False
        self.waits_since_s = None
        self.pause_s = RESTART_PAUSE_S
        self.told_full = False
        return was_troubled

    def broker_started(self) -> None:
        """Another process is the broker now; it is judged from the first canary that it is given."""
        self.waits_since_s = None

    def look(self, now_s: float, free_bytes: int) -> Advice:
        """What to do now. A restart that did not help is tried again after a longer pause, at least a minute."""
        slept, self.looked_at_s = now_s - self.looked_at_s > SLEPT_S, now_s
        if self.waits_since_s is None:
            return Advice.NOTHING
        if slept:  # we stood still ourselves: the silence may be ours
            self.waits_since_s = now_s
        if now_s - self.waits_since_s < SILENT_S_MAX:
            return Advice.NOTHING
        if free_bytes < ROOM_BYTES_MIN:
            told, self.told_full = self.told_full, True
            self.troubled = True
            return Advice.NOTHING if told else Advice.TELL_FULL
        if now_s < self.restart_from_s:
            return Advice.NOTHING
        self.restart_from_s = now_s + self.pause_s
        self.pause_s = min(2 * self.pause_s, RESTART_PAUSE_S_MAX)
        self.told_full = False
        self.troubled = True
        return Advice.RESTART


class Canary:
    """Sends canaries to the broker whose process `pid` names (None = it does not run), and acts on their silence."""

    def __init__(
        self,
        login: Login,
        data: Path,
        pid: Callable[[], int | None],
        restart: Callable[[], None],
        announce: Callable[[str], None],
        clock: Clock,
    ) -> None:
        self.login = login
        self.data = data
        self.pid = pid
        self.restart = restart
        self.announce = announce
        self.clock = clock
        self.judge = Judge()
        self._judged_pid: int | None = None
        self._session: Session | None = None
        self._waiting: list[Callable[[], bool]] = []
        self._due_at_s = -math.inf

    def look(self) -> None:
        """To be called again and again, by one thread; waits for nobody."""
        pid = self.pid()
        if pid != self._judged_pid:
            self._judged_pid = pid
            self._waiting.clear()
            self.judge.broker_started()
        if pid is None:
            return
        now_s = self.clock.monotonic_s()
        self._hear()
        if now_s >= self._due_at_s:
            self._due_at_s = now_s + EVERY_S
            self._send(now_s)
        free_bytes = self._free_bytes()
        self._act(self.judge.look(now_s, free_bytes), free_bytes)

    def stop(self) -> None:
        """Send no more."""
        if self._session is not None:
            self._session.stop(STOP_S)
            self._session = None

    def _hear(self) -> None:
        waiting = [is_acknowledged for is_acknowledged in self._waiting if not is_acknowledged()]
        heard = len(waiting) < len(self._waiting)
        self._waiting = waiting
        if heard and self.judge.acknowledged():
            self.announce("the broker acknowledges again")

    def _send(self, now_s: float) -> None:
        # A session keeps what was not acknowledged, to send it again: in a long silence a new one takes its place.
        if self._session is None or not self._session.alive() or len(self._waiting) >= WAITING_MAX:
            self.stop()
            self._waiting.clear()
            self._session = self._connect()
        is_acknowledged = self._session.publish_tracked(CANARY_TOPIC, PAYLOAD)
        if is_acknowledged is not None:
            self._waiting.append(is_acknowledged)
            self.judge.sent(now_s)

    def _connect(self) -> Session:
        own = self.login
        link = Link(
            own.host, own.port, CLIENT_ID, own.username, own.password, clean=True, reconnect_s_max=RECONNECT_S_MAX
        )
        session = Session(link, Intake((), lambda messages: None), self._note_failure)
        session.start()
        return session

    def _note_failure(self, error: BaseException) -> None:
        log.warning("the canary's session ended (%s); another one takes its place", error)

    def _free_bytes(self) -> int:
        try:
            return shutil.disk_usage(self.data).free
        except OSError:
            return 0  # no folder is no room

    def _act(self, advice: Advice, free_bytes: int) -> None:
        silence = f"the broker has not acknowledged anything for {SILENT_S_MAX:.0f} s"
        if advice is Advice.TELL_FULL:
            self.announce(
                f"{silence}: the disk of {self.data} is full ({free_bytes / MIB:.0f} MiB free, "
                f"{ROOM_BYTES_MIN // MIB} needed); devices keep their messages; free some space, then it goes on"
            )
        elif advice is Advice.RESTART:
            self.announce(f"{silence} although there is room on the disk; it is restarted, devices keep their messages")
            self.restart()
