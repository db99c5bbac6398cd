"""paho's client with three shortcuts on the receiving side; only core.mqtt uses it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import paho.mqtt.client as paho

READ_BYTES = 262_144
PUBACK_HEAD = b"\x40\x02"  # MQTT 3.1.1, section 3.4: type and remaining length, then the packet identifier


class Message(NamedTuple):
    """One PUBLISH as it came. `mid` acknowledges it."""

    topic: str
    payload: bytes
    mid: int
    qos: int
    retain: bool


class BatchClient(paho.Client):
    """paho with three shortcuts on the receiving side, which the profile named (docs/benchmarks.md).

    It reads the socket in large pieces instead of three small ones a message, hands a message over without looking for
    topic-specific callbacks, of which we have none, and sends the acknowledgements of a batch in one piece. All three
    lean on paho's own methods; tests/core/test_mqtt.py holds them to it.
    """

    received: list[Message]
    _unread = b""
    _unread_at = 0

    def has_unread(self) -> bool:
        """Whether bytes were read from the socket that are in no packet yet."""
        return self._unread_at < len(self._unread)

    def forget_unread(self) -> None:
        """The connection is new."""
        self._unread, self._unread_at = b"", 0

    def acknowledge_all(self, mids: Sequence[int]) -> None:
        """A PUBACK for each message, written together."""
        if mids:
            packets = b"".join([PUBACK_HEAD + mid.to_bytes(2, "big") for mid in mids])
            self._packet_queue(paho.PUBACK, packets, mids[-1], 1)

    def _sock_recv(self, bufsize: int) -> bytes:
        if self._unread_at >= len(self._unread):
            self._unread, self._unread_at = super()._sock_recv(READ_BYTES), 0
        start = self._unread_at
        self._unread_at = min(start + bufsize, len(self._unread))
        return self._unread[start : self._unread_at]

    def _handle_on_message(self, message: paho.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = repr(message._topic)  # no source reads it; it is refused by this name
        self.received.append(Message(topic, bytes(message.payload), message.mid, message.qos, message.retain))
