"""Telling native devices that their message is safe: …/down {"ack": {"boot": 3, "seq": 812}}, after the commit.

SOS buttons and devices that ask ("ack": true) are always told; others while a budget per second lasts, because under
a flood the answers would cost more than the readings. A device that hears nothing sends again, which changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from core.clock import Clock
from core.mqtt import Message
from core.topics import down_topic, parse_native
from gateway.intake import Batch


class DownAcks:
    """Answers to native devices. `publish(topic, payload)` may fail; then the device asks again by sending again."""

    def __init__(self, publish: Callable[[str, bytes], bool], clock: Clock, per_s: int) -> None:
        self.publish = publish
        self.clock = clock
        self.per_s = per_s
        self._left = float(per_s)
        self._filled_at_s = clock.monotonic_s()

    def tell(self, messages: Sequence[Message], batch: Batch) -> None:
        """Answer each message of a batch with the last reading it held."""
        self._refill()
        last_of: dict[int, int] = dict(zip(batch.message_of, range(len(batch.rows)), strict=True))
        for index, row_number in last_of.items():
            row = batch.rows[row_number]
            must = row.kind == "sos" or index in batch.ack_wanted
            if not must and self._left < 1:
                continue
            speaker = parse_native(messages[index].topic)
            if speaker is None:
                continue
            self._left -= not must
            payload = f'{{"ack":{{"boot":{row.boot},"seq":{row.seq}}}}}'.encode()
            self.publish(down_topic(speaker.town, speaker.kind, speaker.device_id), payload)

    def _refill(self) -> None:
        now_s = self.clock.monotonic_s()
        self._left = min(float(self.per_s), self._left + (now_s - self._filled_at_s) * self.per_s)
        self._filled_at_s = now_s
