"""From the spool to the centre: frames go out in order, SOS first, and leave the spool when the centre says so.

`Window` is the pure part: what may be sent at an instant. While the centre is silent only one frame is tried now and
then, each time the next one: one that the centre can't take must not stand in the way of the others. The centre's first
sign of life (an acknowledgement, its greeting, a new connection) opens the window again.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence

import msgspec

from core.clock import Clock
from core.crashpoint import crashpoint
from core.frame import pack
from core.guarded import Fatal, guarded_thread
from core.mqtt import Message
from core.topics import CENTRE_TOPIC, uplink_topic
from gateway.spool import Entry, Spool

log = logging.getLogger(__name__)

RESEND_S_MAX = 30.0
PASSED_OVER = 4  # a frame that waits so many times the patience while others are acknowledged was lost on the way
TURN_S = 0.5


class Ack(msgspec.Struct):
    """What the centre holds: frames of one epoch, each as [first_seq, last_seq]."""

    epoch: int
    ranges: list[tuple[int, int]]


class Window:
    """Which frames are under way. Time is monotonic seconds, given by the caller."""

    def __init__(self, frames_max: int, resend_s: float) -> None:
        self.frames_max = frames_max
        self.resend_s = resend_s
        self.under_way: dict[tuple[int, int], Entry] = {}
        self.silent_turns = 0
        self._sent_s: dict[tuple[int, int], float] = {}
        self._last_sign_s = 0.0

    def choose(self, waiting: Iterable[Entry], now_s: float) -> list[Entry]:
        """The frames to send now, in their order; they count as under way from now on."""
        if self.under_way and now_s - self._last_sign_s >= self._patience_s():
            self.silent_turns += 1
            self._forget(list(self.under_way))
        if self.silent_turns == 0:
            self._forget([key for key, at_s in self._sent_s.items() if now_s - at_s >= PASSED_OVER * self.resend_s])
        chosen = []
        for entry in self._allowed(list(waiting)):
            if entry.lane != "sos" and len(self.under_way) >= self.frames_max:
                break
            key = (entry.epoch, entry.first_seq)
            if key not in self.under_way:
                if not self.under_way:
                    self._last_sign_s = now_s
                self.under_way[key] = entry
                self._sent_s[key] = now_s
                chosen.append(entry)
        return chosen

    def _allowed(self, waiting: list[Entry]) -> list[Entry]:
        """All; or while the centre is silent the SOS frames and one other, each time the next."""
        others = [entry for entry in waiting if entry.lane != "sos"]
        if self.silent_turns == 0 or not others:
            return waiting
        tried = others[(self.silent_turns - 1) % len(others)]
        return [*(entry for entry in waiting if entry.lane == "sos"), tried]

    def _forget(self, keys: Iterable[tuple[int, int]]) -> None:
        for key in keys:
            self.under_way.pop(key, None)
            self._sent_s.pop(key, None)

    def _patience_s(self) -> float:
        return min(RESEND_S_MAX, self.resend_s * float(2 ** min(self.silent_turns, 10)))

    def acknowledged(self, ack: Ack, now_s: float) -> None:
        """The centre holds these frames; the others that are under way go on waiting."""
        self.silent_turns = 0
        self._last_sign_s = now_s
        self._forget([(ack.epoch, first) for first, _ in ack.ranges])

    def start_over(self) -> None:
        """Connection or centre are new: nothing is under way, everything unacknowledged is sent again."""
        self.silent_turns = 0
        self._forget(list(self.under_way))


class Uplink:
    """The thread that keeps the window full. `publish(topic, payload, qos)` is False when there is no connection."""

    def __init__(
        self,
        gateway: str,
        spool: Spool,
        window: Window,
        publish: Callable[[str, bytes, int], bool],
        clock: Clock,
        message_bytes_max: int,
        on_fatal: Fatal,
    ) -> None:
        self.gateway = gateway
        self.spool = spool
        self.window = window
        self.publish = publish
        self.clock = clock
        self.message_bytes_max = message_bytes_max
        self._lock = threading.Lock()
        self._work = threading.Event()
        self._stopping = threading.Event()
        self._thread = guarded_thread("uplink", self._run, on_fatal)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; what was not acknowledged stays in the spool."""
        self._stopping.set()
        self._work.set()
        self._thread.join(5.0)

    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def wake(self) -> None:
        """There is something new to send."""
        self._work.set()

    def start_over(self) -> None:
        """The connection is new."""
        with self._lock:
            self.window.start_over()
        self.wake()

    def handle(self, messages: Sequence[Message]) -> None:
        """Acknowledgements and greetings of the centre."""
        for message in messages:
            if message.topic == CENTRE_TOPIC:
                self.start_over()
                continue
            try:
                ack = msgspec.json.decode(message.payload, type=Ack)
            except msgspec.MsgspecError as error:
                log.warning("an acknowledgement that can't be read (%s) is ignored: the frames are sent again", error)
                continue
            crashpoint("uplink.before_release")
            with self._lock:
                self.window.acknowledged(ack, self.clock.monotonic_s())
                # Also what is no longer under way: a slow centre may answer after it was given up.
                self.spool.release(self.spool.find(ack.epoch, ack.ranges))
            crashpoint("uplink.after_release")
        self.wake()

    def turn(self) -> None:
        """Send what the window allows: a few frames a message, each message of one lane."""
        with self._lock:
            # SOS frames pass the ones that are under way, so a few more than the window are looked at.
            waiting = self.spool.waiting(2 * self.window.frames_max)
            chosen = self.window.choose(waiting, self.clock.monotonic_s())
        for group in _group(chosen, self.message_bytes_max):
            lane = group[0].lane
            # A frame may have been acknowledged meanwhile, from an earlier sending: then it is gone.
            datas = [data for entry in group if (data := self.spool.data(entry.id)) is not None]
            if not datas:
                continue
            payload = pack(datas)
            if not self.publish(uplink_topic(self.gateway, lane), payload, 1 if lane == "sos" else 0):
                self.start_over_quietly()
                return
            crashpoint("uplink.after_send")

    def start_over_quietly(self) -> None:
        """No connection: nothing is under way; the next connection begins anew."""
        with self._lock:
            self.window.start_over()

    def _run(self) -> None:
        while not self._stopping.is_set():
            if not self._work.wait(TURN_S):
                self.spool.tidy()
            self._work.clear()
            self.turn()


def _group(entries: Sequence[Entry], bytes_max: int) -> list[list[Entry]]:
    """Neighbours of one lane together, as long as they fit into one message."""
    groups: list[list[Entry]] = []
    size = 0
    for entry in entries:
        fits = groups and groups[-1][0].lane == entry.lane and size + entry.bytes + 4 <= bytes_max
        if fits:
            groups[-1].append(entry)
            size += entry.bytes + 4
        else:
            groups.append([entry])
            size = entry.bytes + 4
    return groups
