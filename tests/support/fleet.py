"""Devices for tests: they publish at QoS 1 over a real connection and remember what the broker acknowledged."""

import json
import random
import threading
from collections.abc import Iterable

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from tests.support.platform import until


class Fleet:
    """One connection that speaks for many devices, and comes back when the broker was away."""

    def __init__(self, port: int, client_id: str = "fleet") -> None:
        self.acknowledged: set[object] = set()
        self._under_way: dict[int, object] = {}
        self._early: set[int] = set()
        self._lock = threading.Lock()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=False)
        self._client.max_inflight_messages_set(500)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_publish = self._note
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        until("the fleet is connected", self._client.is_connected, 10)

    def publish(self, topic: str, payload: bytes | str, name: object = None, retain: bool = False) -> None:
        """Send; `name` is what `acknowledged` gets when the broker has it."""
        info = self._client.publish(topic, payload, 1, retain)
        with self._lock:  # never around paho's own calls: it holds locks of its own while it calls us
            if info.mid in self._early:
                self._early.remove(info.mid)
                self.acknowledged.add(name)
            else:
                self._under_way[info.mid] = name

    def _note(self, _client: object, _data: object, mid: int, _reason: object, _properties: object) -> None:
        with self._lock:
            if mid in self._under_way:
                self.acknowledged.add(self._under_way.pop(mid))
            else:
                self._early.add(mid)

    def settle(self, seconds: float = 60) -> None:
        """Wait until the broker acknowledged everything."""
        until("the broker acknowledged everything", lambda: not self._under_way, seconds)

    @property
    def unsettled(self) -> int:
        """How many the broker has not acknowledged."""
        return len(self._under_way)

    def stop(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()


def topic_of(device_id: str, kind: str = "lamp", town: str = "naunhof") -> str:
    """Where a device speaks."""
    return f"partheland/{town}/{kind}/{device_id}/up"


def lamp_message(seq: int, t_ms: int, boot: int = 1, **values: object) -> str:
    """A lamp's message as DESIGN.md has it."""
    found = values or {"power_w": 35.2 + seq % 7, "dim_pct": 100, "voltage_v": 230.1}
    return json.dumps({"t": t_ms, "boot": boot, "seq": seq, "values": found}, separators=(",", ":"))


def shuffled_with_repeats(
    messages: Iterable[tuple[str, str]], share: float, reach: int, seed: int
) -> list[tuple[str, str]]:
    """The messages, a share of them twice, each moved by up to `reach` places."""
    rng = random.Random(seed)
    many = [(message, place) for place, message in enumerate(messages)]
    many += [(message, place) for message, place in many if rng.random() < share]
    many.sort(key=lambda one: one[1] + rng.uniform(0, reach))
    return [message for message, _ in many]
