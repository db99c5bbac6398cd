"""The embedded broker: closed to devices until the gateway's sessions stand, and it keeps what they have not taken."""

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from core.clock import RealClock
from core.mqtt import Intake, Link, Message, MqttError, Session
from core.settings import Settings
from deploy.broker import config_text, establish
from deploy.credentials import load_or_create
from gateway.process import Gateway, durable_sessions
from tests.deploy.running import command, environment, partheland, publish, until
from tests.support.processes import ServerProcess, free_port

TOPIC = "partheland/naunhof/lamp/NAU-0001/up"


@pytest.fixture
def own(tmp_path: Path) -> Iterator[ServerProcess]:
    """Our broker, not started, without passwords."""
    yield from _broker(tmp_path, "--dev")


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[ServerProcess]:
    """Our broker, not started, with passwords."""
    yield from _broker(tmp_path)


def _broker(tmp_path: Path, *more: str) -> Iterator[ServerProcess]:
    port = free_port()
    line = command("broker", "--data", tmp_path / "data", "--mqtt-port", port, *more)
    server = ServerProcess(line, port, tmp_path / "broker.log", environment())
    yield server
    server.stop()


class Hearing:
    """A session of the gateway, by its client id, that collects what comes and acknowledges if it `takes`."""

    def __init__(self, port: int, client_id: str, filters: tuple[str, ...], takes: bool, user: str = "", pw: str = ""):
        self.heard: list[Message] = []
        link = Link("127.0.0.1", port, client_id, user, pw)
        self.session = Session(link, Intake(filters, self._handle, wait_s=0.0), lambda error: None)
        self.takes = takes

    def _handle(self, messages: list[Message]) -> None:
        self.heard += messages
        if self.takes:
            self.session.acknowledge(messages)

    def __enter__(self) -> "Hearing":
        self.session.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.session.stop()


def native_session(port: int, takes: bool = True) -> Hearing:
    filters = dict(durable_sessions(Settings()))
    return Hearing(port, "gw-gw1-native", filters["gw-gw1-native"], takes)


def test_the_configuration_says_what_the_settings_say_and_opens_no_monitoring(tmp_path: Path) -> None:
    settings = Settings()
    broker = replace(settings.broker, sync_interval="always", ack_wait_s=2.5, max_inflight=1234, max_payload_bytes=4096)
    config = json.loads(config_text(replace(settings, broker=broker), tmp_path, "0.0.0.0", 1883, None))
    assert config["mqtt"] == {"host": "0.0.0.0", "port": 1883, "ack_wait": "2.5s", "max_ack_pending": 1234}
    assert config["jetstream"]["sync_interval"] == "always"
    assert (config["max_payload"], config["host"]) == (4096, "127.0.0.1")
    assert not {"http", "http_port", "https_port", "monitor_port", "cluster", "authorization"} & config.keys()


def test_passwords_are_made_once_and_only_we_may_read_them(tmp_path: Path) -> None:
    first = load_or_create(tmp_path)
    assert load_or_create(tmp_path) == first
    assert len({first.platform.password, first.devices.password}) == 2
    assert (tmp_path / "secrets.toml").stat().st_mode & 0o777 == 0o600
    assert first.platform.password not in repr(first)
    assert [path.name for path in tmp_path.iterdir()] == ["secrets.toml"]


def test_the_sessions_that_are_made_first_are_those_the_gateway_opens(tmp_path: Path) -> None:
    gateway = Gateway(Settings(), tmp_path, RealClock())
    opened = [(session.link.client_id, tuple(session.intake.filters)) for session in gateway.sessions.values()]
    assert durable_sessions(Settings()) == opened
    assert {"gw-gw1-sos", "gw-gw1-native", "gw-gw1-radio"} == {client_id for client_id, _ in opened}
    assert not any(session.link.clean for session in gateway.sessions.values())
    for session in (gateway.uplink_session, *gateway.sessions.values()):
        session.stop()


def test_a_device_that_speaks_the_instant_the_port_opens_is_kept_for_a_gateway_that_never_ran(
    own: ServerProcess,
) -> None:
    device = EagerDevice(own.port)
    device.start()
    own.start()
    device.join(30.0)
    assert device.acknowledged
    with native_session(own.port) as gateway:
        until(lambda: bool(gateway.heard), "the message of the eager device")
    assert [message.payload for message in gateway.heard] == [b"first words"]


class EagerDevice(threading.Thread):
    """Knocks at the port without a pause and publishes as soon as somebody opens."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.port = port
        self.acknowledged = False

    def run(self) -> None:
        client = paho.Client(CallbackAPIVersion.VERSION2)
        deadline_s = time.monotonic() + 30.0
        while time.monotonic() < deadline_s:
            try:
                client.connect("127.0.0.1", self.port)
                break
            except OSError:
                time.sleep(0.001)
        client.loop_start()
        sent = client.publish(TOPIC, b"first words", 1)
        sent.wait_for_publish(10.0)
        self.acknowledged = sent.is_published()
        client.disconnect()
        client.loop_stop()


def test_what_waits_for_the_gateway_is_neither_lost_nor_taken_by_the_client_that_makes_its_sessions(
    own: ServerProcess,
) -> None:
    payloads = [b"%d" % number for number in range(300)]
    own.start()
    publish(own.port, TOPIC, payloads)
    for end in (own.stop, own.kill):
        end()
        own.start()
    with native_session(own.port) as gateway:
        until(lambda: len({message.payload for message in gateway.heard}) == len(payloads), "all messages again")
    assert sorted(int(message.payload) for message in gateway.heard) == list(range(300))


def test_what_the_gateway_has_acknowledged_does_not_come_again_after_a_restart(own: ServerProcess) -> None:
    own.start()
    publish(own.port, TOPIC, [b"taken"])
    with native_session(own.port) as gateway:
        until(lambda: bool(gateway.heard), "the message")
    own.stop()
    own.start()
    publish(own.port, TOPIC, [b"new"])
    with native_session(own.port) as gateway:
        until(lambda: bool(gateway.heard), "the new message")
        time.sleep(0.3)
    assert [message.payload for message in gateway.heard] == [b"new"]


def test_devices_may_speak_as_devices_and_hear_what_is_sent_down_and_nothing_else(
    closed: ServerProcess, tmp_path: Path
) -> None:
    closed.start()
    users = load_or_create(tmp_path / "data")
    platform, devices = users.platform, users.devices
    with Hearing(closed.port, "all", ("partheland/#", "application/#"), True, platform.name, platform.password) as all_:
        until(lambda: all_.session.connected, "the platform's own subscription")
        for topic in ("partheland/ack/gw1", "partheland/centre", "partheland/naunhof/lamp/L1/down", TOPIC):
            publish(closed.port, topic, [b"x"], devices.name, devices.password)
        until(lambda: bool(all_.heard), "the message a device may send")
        time.sleep(0.3)
        assert [message.topic for message in all_.heard] == [TOPIC]
    link = Link("127.0.0.1", closed.port, "dev", devices.name, devices.password, clean=False)
    establish(link, ["partheland/naunhof/lamp/NAU-0001/down"], 5.0)
    with pytest.raises(MqttError, match="refused a subscription"):
        establish(link, ["partheland/+/+/+/up"], 5.0)
    with pytest.raises(MqttError, match="no answer"):
        establish(Link("127.0.0.1", closed.port, "stranger"), [TOPIC], 0.5)


def test_a_taken_port_is_one_sentence(own: ServerProcess, tmp_path: Path) -> None:
    own.start()
    second = partheland("broker", "--dev", "--data", tmp_path / "other", "--mqtt-port", own.port)
    assert second.returncode == 1
    assert second.stderr.strip().splitlines() == [
        f"partheland: the broker: port {own.port} is in use: stop the program that has it, or choose another "
        "with --mqtt-port"
    ]


def test_a_store_that_can_not_be_used_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "data" / "broker").mkdir(parents=True)
    (tmp_path / "data" / "broker" / "store").write_text("no folder")
    broker = partheland("broker", "--dev", "--data", tmp_path / "data", "--mqtt-port", free_port())
    assert (broker.returncode, len(broker.stderr.strip().splitlines())) == (1, 1)
    assert "the broker does not start" in broker.stderr
    assert "is not a directory" in broker.stderr


def test_a_broker_that_runs_elsewhere_is_left_alone(tmp_path: Path) -> None:
    config = tmp_path / "partheland.toml"
    config.write_text("[broker]\nembedded = false\n")
    broker = partheland("broker", "--config", config, "--data", tmp_path / "data")
    assert (broker.returncode, "embedded is false" in broker.stderr) == (1, True)
