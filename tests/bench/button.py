"""A button that is pressed once a second, and a console that watches: how long until somebody can see it."""

import json
import threading
import time
import urllib.request

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from core.clock import RealClock
from tests.support.platform import until


class Button:
    """One SOS button that is pressed once a second and waits for the gateway's answer on …/down."""

    def __init__(self, port: int, http: str) -> None:
        self.seen: dict[int, float] = {}
        self.answered: dict[int, float] = {}
        self.pressed: dict[int, float] = {}
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id="button")
        self._client.on_message = self._hear
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        until("the button is connected", self._client.is_connected, 10)
        self._client.subscribe("partheland/naunhof/sos/BUTTON/down", 1)
        self._stopping = threading.Event()
        self._console = urllib.request.urlopen(f"{http}/api/v1/events?kinds=sos", timeout=60)
        threading.Thread(target=self._watch, daemon=True).start()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _hear(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        seq = json.loads(message.payload).get("ack", {}).get("seq")
        if seq in self.pressed:
            self.answered.setdefault(seq, time.monotonic())

    def _watch(self) -> None:
        """What a console does: every event of the stream is the case with all its presses so far."""
        for line in self._console:
            if line.startswith(b"data: "):
                now_s = time.monotonic()
                for seq in range(1, int(json.loads(line[6:])["presses"]) + 1):
                    self.seen.setdefault(seq, now_s)

    def _run(self) -> None:
        seq = 0
        while not self._stopping.wait(1.0):
            seq += 1
            self.pressed[seq] = time.monotonic()
            press = {"t": RealClock().now_ms(), "boot": 1, "seq": seq, "values": {"event": "test", "press_id": seq}}
            self._client.publish("partheland/naunhof/sos/BUTTON/up", json.dumps(press), 1)

    def stop(self) -> tuple[list[float], list[float]]:
        """Seconds from each press to the gateway's answer, and to the console, sorted; every press must have both."""
        self._stopping.set()
        self._thread.join()
        until("every press was answered", lambda: len(self.answered) == len(self.pressed), 10)
        self._client.disconnect()
        self._client.loop_stop()
        until("every press was seen", lambda: len(self.seen) == len(self.pressed), 10)
        answers = sorted(self.answered[seq] - at_s for seq, at_s in self.pressed.items())
        return answers, sorted(self.seen[seq] - at_s for seq, at_s in self.pressed.items())


def words(delays_s: list[float]) -> str:
    """Sorted delays as a line for people."""
    p99_s = delays_s[min(int(len(delays_s) * 0.99), len(delays_s) - 1)]
    p50_s = delays_s[len(delays_s) // 2]
    return f"p50 {p50_s:.3f} s, p99 {p99_s:.3f} s, worst {delays_s[-1]:.3f} s, {len(delays_s)} presses"
