"""The broker is only a pipe: the same path over Mosquitto, which forgets everything when it is killed."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from tests.support.fleet import Fleet, lamp_message, topic_of
from tests.support.platform import Platform, until
from tests.support.processes import ServerProcess, free_port
from tests.support.require import require

T_MS = 1_768_068_000_000
DEVICES = [f"NAU-L{number:03d}" for number in range(50)]


def mosquitto(folder: Path) -> ServerProcess:
    """A Mosquitto as Debian ships it, not yet started."""
    found = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    program = require("mosquitto", found, "mosquitto is not installed")
    folder.mkdir(parents=True)
    port = free_port()
    config = folder / "mosquitto.conf"
    config.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence true\npersistence_location {folder}/\n"
        "max_inflight_messages 4000\nmax_queued_messages 0\nuser root\n"
    )
    return ServerProcess([program, "-c", str(config)], port, folder / "mosquitto.log")


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    found = Platform(tmp_path / "platform", broker=mosquitto(tmp_path / "mosquitto"))
    try:
        found.start()
        found.commission(f"{device_id},lamp,naunhof" for device_id in DEVICES)
        yield found
    finally:
        found.stop()


def test_what_the_gateway_took_survives_a_broker_that_forgets(platform: Platform) -> None:
    fleet = Fleet(platform.broker.port)
    every = [
        (topic_of(device_id), lamp_message(seq, T_MS + 60_000 * seq)) for seq in range(40) for device_id in DEVICES
    ]
    for topic, payload in every[:1000]:
        fleet.publish(topic, payload)
    fleet.settle()
    until("the first half is there", lambda: platform.journaled(1000))
    platform.centre.kill()
    answers = Answers(platform.broker.port)
    for topic, payload in every[1000:]:
        fleet.publish(topic, payload[:-1] + ',"ack":true}')
    until("the gateway has told every device that its reading is safe", lambda: len(answers.heard) == 1000)
    answers.stop()
    platform.broker.kill()
    platform.broker.start()
    platform.centre.start()
    until("all came", lambda: platform.status("/readyz") == 200 and platform.journaled(2000))
    until("everything is stored", platform.drained)
    report = platform.get("/api/v1/verify")
    assert report["ok"], report["problems"]
    assert platform.get("/api/v1/readings/count?kind=lamp")["count"] == len(every)
    fleet.stop()


class Answers:
    """What the gateway tells devices: the readings it has committed."""

    def __init__(self, port: int) -> None:
        self.heard: set[tuple[str, int]] = set()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id="answers")
        self._client.on_message = self._note
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        until("it listens", self._client.is_connected, 10)
        self._client.subscribe("partheland/+/+/+/down", 1)

    def _note(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        self.heard.add((message.topic.split("/")[3], json.loads(message.payload)["ack"]["seq"]))

    def stop(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()
