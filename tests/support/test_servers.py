"""The servers that other tests lean on: taken away and brought back, they are where they were, with what they had."""

import sys
import time
from pathlib import Path
from queue import Queue

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from tests.support.influxd import InfluxServer
from tests.support.processes import ServerProcess, ServerStartError, free_port, port_is_open

WAIT_S_MAX = 20.0


def test_a_killed_broker_comes_back_with_the_sessions_it_promised_to_keep(broker: ServerProcess) -> None:
    subscriber, received = persistent_subscriber(broker)
    subscriber.disconnect()
    subscriber.loop_stop()
    publish(broker, b"kept")
    broker.kill()
    gone = not port_is_open(broker.port)
    broker.start()
    subscriber, received = persistent_subscriber(broker)
    assert (gone, received.get(timeout=WAIT_S_MAX)) == (True, b"kept")
    subscriber.disconnect()
    subscriber.loop_stop()


@pytest.mark.influxd
def test_a_killed_influxd_comes_back_with_its_data(influxd: InfluxServer) -> None:
    bucket = influxd.new_bucket("kept-over-a-kill")
    influxd.write_lines(bucket, "lamp,device_id=BOR-0042 power_w=35.2 1768068000000000000")
    influxd.kill()
    gone = not port_is_open(influxd.server.port)
    influxd.start()
    answer = influxd.query_csv(f'from(bucket: "{bucket}") |> range(start: 2026-01-01T00:00:00Z)')
    assert gone
    assert "35.2" in answer
    assert "BOR-0042" in answer


def test_a_server_that_ends_at_once_says_what_it_printed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit('no such setting: colour')"]
    server = ServerProcess(command, free_port(), tmp_path / "server.log")
    with pytest.raises(ServerStartError, match="no such setting: colour"):
        server.start()


def persistent_subscriber(broker: ServerProcess) -> tuple[Client, "Queue[bytes]"]:
    """A connected client that keeps its session and its subscription, and where its messages arrive."""
    received: Queue[bytes] = Queue()
    subscribed: Queue[int] = Queue()
    client = Client(CallbackAPIVersion.VERSION2, client_id="keeper", clean_session=False)

    def on_message(_client: Client, _userdata: object, message: MQTTMessage) -> None:
        received.put(bytes(message.payload))

    client.on_message = on_message
    client.on_subscribe = lambda _client, _userdata, mid, _codes, _properties: subscribed.put(mid)
    connect(client, broker)
    client.subscribe("test/kept", qos=1)
    subscribed.get(timeout=WAIT_S_MAX)
    return client, received


def publish(broker: ServerProcess, payload: bytes) -> None:
    """The broker has acknowledged the payload when this returns."""
    client = Client(CallbackAPIVersion.VERSION2)
    connect(client, broker)
    client.publish("test/kept", payload, qos=1).wait_for_publish(WAIT_S_MAX)
    client.disconnect()
    client.loop_stop()


def connect(client: Client, broker: ServerProcess) -> None:
    """Connects and waits until the broker has accepted."""
    client.connect(broker.host, broker.port)
    client.loop_start()
    deadline_s = time.monotonic() + WAIT_S_MAX
    while not client.is_connected():
        assert time.monotonic() < deadline_s, "the broker did not accept the connection"
        time.sleep(0.01)
