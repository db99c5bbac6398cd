"""Plays a world to a real MQTT broker at its own speed. The only file here that knows paho and the wall clock.

A handful of connections carry the whole fleet; each device stays on one, so its messages keep their order. Everything
is QoS 1, the number of messages without PUBACK is bounded, and the end waits for the last of them.
"""

from __future__ import annotations

import contextlib
import queue
import ssl
import threading
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any
from urllib.parse import unquote, urlsplit

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from firmware_sim.sos import SosButton
from firmware_sim.world import NEVER_MS, World

CONNECTIONS = 4
IN_FLIGHT_MAX = 100
"""Messages without PUBACK on one connection."""

CONNECT_TIMEOUT_S = 30.0
DRAIN_TIMEOUT_S = 30.0
RECONNECT_LONGEST_S = 30.0
REPORT_EVERY_S = 30.0


class BrokerError(Exception):
    """The broker can't be reached, refuses us, or does not acknowledge; the text is one sentence for people."""


@dataclass(frozen=True)
class Broker:
    """Where the broker is and who we are there."""

    host: str
    port: int
    username: str | None = None
    password: str | None = None
    tls: bool = False

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def parse_broker(url: str) -> Broker:
    """A broker from `mqtt://user:password@host:port` (mqtts:// for TLS; scheme, user and port may be left out)."""
    parts = urlsplit(url if "://" in url else f"mqtt://{url}")
    try:
        port = parts.port
    except ValueError as error:
        raise ValueError(f"broker {url!r}: the port must be a number from 1 to 65535") from error
    if parts.scheme not in ("mqtt", "mqtts", "tcp", "ssl") or not parts.hostname:
        expected = "mqtt://host:1883 or mqtts://user:password@host:8883"
        raise ValueError(f"broker {url!r} is not understood; expected {expected}")
    tls = parts.scheme in ("mqtts", "ssl")
    username = unquote(parts.username) if parts.username else None
    password = unquote(parts.password) if parts.password else None
    return Broker(parts.hostname, port or (8883 if tls else 1883), username, password, tls)


def now_ms() -> int:
    """The wall clock in Unix ms: where a run starts when nobody says otherwise."""
    return time.time_ns() // 1_000_000


class Connection:
    """One MQTT connection with a bound on unacknowledged messages and full-jitter reconnects."""

    def __init__(
        self, broker: Broker, client_id: str, topics: list[str], on_down: Callable[[str, bytes], None]
    ) -> None:
        self._broker = broker
        self._topics = topics
        self._on_down = on_down
        self._changed = threading.Condition()
        self._unacknowledged = 0
        self._connected = False
        self._refused = ""
        self._failures = 0
        self._jitter = Random()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=True)

    def start(self) -> None:
        """Begin to connect in the background."""
        client = self._client
        client.max_inflight_messages_set(IN_FLIGHT_MAX)
        if self._broker.username is not None:
            client.username_pw_set(self._broker.username, self._broker.password)
        if self._broker.tls:
            client.tls_set_context(ssl.create_default_context())
        client.on_connect = self._connected_now
        client.on_connect_fail = self._not_connected
        client.on_disconnect = self._disconnected
        client.on_publish = self._acknowledged
        client.on_message = self._message
        client.connect_async(self._broker.host, self._broker.port, keepalive=30)
        client.loop_start()

    def wait_connected(self, timeout_s: float) -> None:
        """Return once connected; a BrokerError when refused or not there in time."""
        with self._changed:
            self._changed.wait_for(lambda: self._connected or self._refused, timeout_s)
            if self._refused:
                raise BrokerError(f"the broker at {self._broker} refused the connection: {self._refused}")
            if not self._connected:
                waited = f"within {timeout_s:.0f} s"
                raise BrokerError(f"no broker answers at {self._broker} {waited}; start it or check --broker")

    def publish(self, topic: str, payload: bytes, stopped: threading.Event) -> bool:
        """Hand over one message; waits while too many are unacknowledged, False when stopped meanwhile."""
        with self._changed:
            while self._unacknowledged >= IN_FLIGHT_MAX:
                if stopped.is_set():
                    return False
                self._changed.wait(0.2)
            self._unacknowledged += 1
        # Without a connection paho keeps the message and sends it after the reconnect.
        self._client.publish(topic, payload, qos=1)
        return True

    def drain(self, timeout_s: float) -> int:
        """Wait for the outstanding PUBACKs; returns how many are still missing."""
        with self._changed:
            self._changed.wait_for(lambda: self._unacknowledged == 0, timeout_s)
            return self._unacknowledged

    def stop(self) -> None:
        """Disconnect and end the thread."""
        self._client.disconnect()
        self._client.loop_stop()

    def _connected_now(self, client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        with self._changed:
            self._connected = not reason.is_failure
            self._refused = str(reason) if reason.is_failure else ""
            self._failures = 0 if self._connected else self._failures
            self._changed.notify_all()
        if self._connected and self._topics:
            client.subscribe([(topic, 1) for topic in self._topics])

    def _not_connected(self, client: mqtt.Client, _data: Any) -> None:
        self._back_off(client)

    def _disconnected(self, client: mqtt.Client, _data: Any, _flags: Any, _reason: Any, _properties: Any) -> None:
        with self._changed:
            self._connected = False
        self._back_off(client)

    def _back_off(self, client: mqtt.Client) -> None:
        """Wait a random time up to a doubling limit before the next try, so that a fleet does not return at once."""
        self._failures += 1
        limit_s = min(RECONNECT_LONGEST_S, 0.5 * 2 ** min(self._failures, 10))
        wait_s = self._jitter.uniform(0.05, limit_s)
        client.reconnect_delay_set(wait_s, wait_s)  # type: ignore[arg-type]

    def _acknowledged(self, _client: mqtt.Client, _data: Any, _mid: int, _reason: Any, _properties: Any) -> None:
        with self._changed:
            self._unacknowledged -= 1
            self._changed.notify_all()

    def _message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        self._on_down(message.topic, bytes(message.payload))


class Runner:
    """Publishes a world's messages when they are due; `report` gets a sentence now and then.

    `origin_ms` is the real instant at which the run's start was or will be, None = when `run` is called. What was due
    since then goes out at once.
    """

    def __init__(
        self, world: World, broker: Broker, seed: int, report: Callable[[str], None], origin_ms: int | None = None
    ) -> None:
        self.world = world
        self.origin_ms = origin_ms
        self.broker = broker
        self.seed = seed
        self.report = report
        self.stopped = threading.Event()
        self.published = 0
        self._downs: queue.Queue[tuple[str, bytes]] = queue.Queue(maxsize=10_000)
        self._began_s = 0.0
        self._reported_s = 0.0

    def run(self) -> int:
        """Play to the end, or until `stopped` is set; returns the number of messages acknowledged by the broker."""
        connections = [self._connection(number) for number in range(CONNECTIONS)]
        try:
            for connection in connections:
                connection.start()
            for connection in connections:
                connection.wait_connected(CONNECT_TIMEOUT_S)
            self._play(connections)
            missing = sum(connection.drain(DRAIN_TIMEOUT_S) for connection in connections)
        finally:
            for connection in connections:
                connection.stop()
        if missing:
            count = f"{missing} of {self.published} messages"
            raise BrokerError(f"{count} were not acknowledged by the broker at {self.broker}")
        return self.published

    def _connection(self, number: int) -> Connection:
        topics = [
            f"partheland/{device.town}/sos/{device.device_id}/down"
            for device in self.world.fleet.devices.values()
            if isinstance(device, SosButton) and device.delivery and _connection_of(device.device_id) == number
        ]
        return Connection(self.broker, f"partheland-sim-{self.seed}-{number}", topics, self._keep_down)

    def _play(self, connections: list[Connection]) -> None:
        self._began_s = self._reported_s = time.monotonic()
        if self.origin_ms is not None:
            self._began_s -= (now_ms() - self.origin_ms) / 1000
        while not self.stopped.is_set():
            until_ms = self._simulated_ms()
            # What is still on its way at the end is not waited for: a held-back message may be hours late.
            for message in self.world.due(until_ms if until_ms < self.world.end_ms else NEVER_MS):
                connection = connections[_connection_of(message.device_id)]
                if not connection.publish(message.topic, message.payload, self.stopped):
                    return
                self.published += 1
                self._report_now_and_then()
                while self._hear_down(0.0):
                    pass
            next_ms = self.world.next_ms()
            if next_ms is None:
                return
            self._wait_until(min(next_ms, self.world.end_ms))

    def _simulated_ms(self) -> int:
        run = self.world.run
        return run.start_ms + int((time.monotonic() - self._began_s) * 1000 * run.speed)

    def _wait_until(self, at_ms: int) -> None:
        """Wait until that simulated instant, or until a downlink has come and changed what comes next."""
        while not self.stopped.is_set():
            wait_s = (at_ms - self._simulated_ms()) / 1000 / self.world.run.speed
            if wait_s <= 0 or self._hear_down(min(wait_s, 0.5)):
                return

    def _hear_down(self, wait_s: float) -> bool:
        """Hand the next downlink to its device; False when none came in time."""
        try:
            topic, payload = self._downs.get(wait_s > 0, wait_s)
        except queue.Empty:
            return False
        self.world.down(topic.split("/")[3], payload)
        return True

    def _report_now_and_then(self) -> None:
        if time.monotonic() - self._reported_s >= REPORT_EVERY_S:
            self._reported_s = time.monotonic()
            self.report(f"{self.published} messages sent, {self.world.tally.lost} lost on the way")

    def _keep_down(self, topic: str, payload: bytes) -> None:
        # A full queue drops: the button asks again, which is what it does on a bad line as well.
        with contextlib.suppress(queue.Full):
            self._downs.put_nowait((topic, payload))


def _connection_of(device_id: str) -> int:
    return zlib.crc32(device_id.encode()) % CONNECTIONS
