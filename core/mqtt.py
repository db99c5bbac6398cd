"""MQTT 3.1.1 sessions: the one place that knows paho (with core.mqtt_client).

A session drives paho's socket from one thread of its own, so that three things hold that paho's own loop does not give:
messages reach the handler in batches (one commit for many), an acknowledgement goes out only when the handler asks for
it, and an exception ends the thread *loudly*: `on_fatal` is called and the process ends, its supervisor starts it anew.
Reconnects wait with full jitter, so that many gateways do not come back in step.
"""

from __future__ import annotations

import logging
import random
import select
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from core.clock import Clock, RealClock
from core.guarded import Fatal, guarded_thread
from core.mqtt_client import BatchClient, Message

__all__ = ["Intake", "Link", "Message", "MqttError", "Session"]

log = logging.getLogger(__name__)

RECONNECT_S_FIRST = 0.2
RECONNECT_S_MAX = 30.0
CONNECT_TIMEOUT_S = 5.0
IDLE_S = 1.0
GATHER_STEPS = 4
SUBSCRIBE_REFUSED = 0x80


class MqttError(RuntimeError):
    """The broker does not do what the session needs; the text says what and what to do."""


@dataclass(frozen=True)
class Link:
    """Where a session connects to, and as whom. `clean` False keeps the session at the broker while we are away."""

    host: str
    port: int
    client_id: str
    username: str = ""
    password: str = field(default="", repr=False)
    clean: bool = False
    keepalive_s: int = 20
    reconnect_s_max: float = RECONNECT_S_MAX


@dataclass(frozen=True)
class Intake:
    """What a session subscribes to, and how it gathers: a batch goes to `handle` when it has `batch_max` messages
    or `wait_s` after its first one. `handle` runs in the session's thread and acknowledges what it has made durable.
    """

    filters: Sequence[str]
    handle: Callable[[list[Message]], None]
    batch_max: int = 1000
    wait_s: float = 0.01


class Session:
    """One connection to one broker, kept up until `stop`."""

    def __init__(
        self,
        link: Link,
        intake: Intake,
        on_fatal: Fatal,
        on_ready: Callable[[], None] = lambda: None,
        clock: Clock | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self.link = link
        self.intake = intake
        self.on_fatal = on_fatal
        self.on_ready = on_ready
        self.clock = clock or RealClock()
        self.rng = rng or random.Random()
        self.ready = threading.Event()
        self.connects = 0
        self.turned_at_s = self.clock.monotonic_s()
        self._stopping = threading.Event()
        self._granted = 0
        self._pending: list[Message] = []
        self._error: MqttError | None = None
        self._thread: threading.Thread | None = None
        self._wake_read, self._wake_write = socket.socketpair()
        self._client = self._make_client()

    # -- what others call ------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Connect and serve in a thread of its own."""
        self._thread = guarded_thread(f"mqtt {self.link.client_id}", self._run, self.on_fatal)
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Finish the batch in hand, disconnect, end the thread."""
        self._stopping.set()
        self._wake()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout_s)
        self._wake_read.close()
        self._wake_write.close()

    def stopping_within(self, seconds: float) -> bool:
        """Wait; True as soon as `stop` is called: a handler that waits for something gives up then."""
        return self._stopping.wait(seconds)

    @property
    def connected(self) -> bool:
        """Whether the broker accepted us and granted every subscription."""
        return self.ready.is_set()

    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def publish(self, topic: str, payload: bytes, qos: int = 0, retain: bool = False) -> bool:
        """Hand a message to the connection; False when there is none (the caller keeps the message and tries again)."""
        if not self.connected:
            return False
        return self._client.publish(topic, payload, qos, retain).rc == MQTTErrorCode.MQTT_ERR_SUCCESS

    def publish_tracked(self, topic: str, payload: bytes) -> Callable[[], bool] | None:
        """Publish with QoS 1; the answer tells whether the broker has acknowledged it. None = no connection."""
        if not self.connected:
            return None
        sent = self._client.publish(topic, payload, 1)
        return sent.is_published if sent.rc == MQTTErrorCode.MQTT_ERR_SUCCESS else None

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """Tell the broker that these are durable here; from the handler only."""
        self._client.acknowledge_all([message.mid for message in messages if message.qos])

    # -- the thread ------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            if self._connect():
                failures = 0 if self._serve() else failures + 1
            else:
                failures += 1
            self.ready.clear()
            self._pending.clear()  # unacknowledged, so the broker sends them again
            if not self._stopping.is_set():
                self._stopping.wait(self._pause_s(failures))

    def _pause_s(self, failures: int) -> float:
        ceiling = min(self.link.reconnect_s_max, RECONNECT_S_FIRST * 2 ** min(failures, 16))
        return self.rng.uniform(0, ceiling)

    def _connect(self) -> bool:
        self._client.forget_unread()
        try:
            self._client.connect(self.link.host, self.link.port, self.link.keepalive_s)
        except (OSError, ValueError) as error:
            log.info("%s: no connection to %s:%s (%s)", self.link.client_id, self.link.host, self.link.port, error)
            return False
        return True

    def _serve(self) -> bool:
        """Read, gather, hand over, write, until the connection ends. True when it had been granted everything."""
        due_at_s = 0.0
        while not self._stopping.is_set():
            self.turned_at_s = now_s = self.clock.monotonic_s()
            gathering = bool(self._pending)
            if gathering:
                self._rest(min(due_at_s - now_s, self.intake.wait_s / GATHER_STEPS))
            if not self._turn(0.0 if gathering else IDLE_S):
                return self.ready.is_set()
            now_s = self.clock.monotonic_s()
            if not gathering:
                due_at_s = now_s + self.intake.wait_s
            if self._pending and (now_s >= due_at_s or len(self._pending) >= self.intake.batch_max):
                self._hand_over()
        self._say_goodbye()
        return True

    def _rest(self, seconds: float) -> None:
        """Leave the socket alone while a batch gathers: waking up for every message costs more than the message."""
        if seconds > 0 and not self._client.want_write():
            readable, _, _ = select.select([self._wake_read], [], [], seconds)
            if readable:
                self._wake_read.recv(4096)

    def _turn(self, timeout_s: float) -> bool:
        """One select and what it allows; False when the connection is gone."""
        sock = self._client.socket()
        if sock is None:
            return False
        wants_write = [sock] if self._client.want_write() else []
        has_unread = self._client.has_unread() and len(self._pending) < self.intake.batch_max
        if has_unread:
            timeout_s = 0.0
        readable, writable, _ = select.select([sock, self._wake_read], wants_write, [], timeout_s)
        if self._wake_read in readable:
            self._wake_read.recv(4096)
        if (sock in readable or has_unread) and not self._read():
            return False
        if (writable or self._client.want_write()) and self._client.loop_write() != MQTTErrorCode.MQTT_ERR_SUCCESS:
            return False
        if self._client.loop_misc() != MQTTErrorCode.MQTT_ERR_SUCCESS:
            return False
        if self._error is not None:
            raise self._error
        return True

    def _read(self) -> bool:
        """Take packets until the socket has no more PUBLISH or the batch is full."""
        while len(self._pending) < self.intake.batch_max:
            before = len(self._pending)
            if self._client.loop_read() != MQTTErrorCode.MQTT_ERR_SUCCESS:
                return False
            if len(self._pending) == before and not self._client.has_unread():
                break
        return True

    def _hand_over(self) -> None:
        batch = list(self._pending)
        self._pending.clear()
        self.intake.handle(batch)
        if self._client.want_write():
            self._client.loop_write()

    def _say_goodbye(self) -> None:
        if self._pending:
            self._hand_over()
        self._client.disconnect()
        while self._client.socket() is not None and self._client.want_write():
            if self._client.loop_write() != MQTTErrorCode.MQTT_ERR_SUCCESS:
                break

    # -- paho's callbacks: each only notes what happened --------------------------------------------------------------

    def _make_client(self) -> BatchClient:
        client = BatchClient(
            CallbackAPIVersion.VERSION2,
            client_id=self.link.client_id,
            clean_session=self.link.clean,
            protocol=paho.MQTTv311,
            manual_ack=True,
            reconnect_on_failure=False,
        )
        client.received = self._pending
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.max_inflight_messages_set(1000)
        if self.link.username:
            client.username_pw_set(self.link.username, self.link.password)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_socket_register_write = self._on_register_write
        return client

    def _on_connect(self, client: paho.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            log.warning("%s: the broker refused the connection: %s", self.link.client_id, reason)
            return
        self.connects += 1
        self._granted = 0
        # Subscribed anew on every connect: a broker that lost the session must not stay silent (telegraf#9703).
        if self.intake.filters:
            client.subscribe([(topic_filter, 1) for topic_filter in self.intake.filters])
        else:
            self._become_ready()

    def _on_subscribe(self, _client: paho.Client, _data: Any, _mid: int, reasons: Any, _properties: Any) -> None:
        refused = [reason for reason in reasons if reason.value >= SUBSCRIBE_REFUSED]
        if refused:
            self._error = MqttError(
                f"the broker refused a subscription of '{self.link.client_id}' to {list(self.intake.filters)}: "
                f"give this user the right to subscribe there"
            )
            return
        self._become_ready()

    def _become_ready(self) -> None:
        self.ready.set()
        self.on_ready()

    def _on_register_write(self, _client: paho.Client, _data: Any, _sock: Any) -> None:
        if threading.current_thread() is not self._thread:
            self._wake()

    def _wake(self) -> None:
        try:
            self._wake_write.send(b"w")
        except OSError:
            log.debug("%s: wake-up after the end", self.link.client_id)
