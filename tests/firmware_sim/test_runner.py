import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from firmware_sim import runner
from firmware_sim.cli import main
from firmware_sim.runner import Broker, BrokerError, Runner, parse_broker
from firmware_sim.settings import Radio
from firmware_sim.sos import SosButton
from tests.firmware_sim.conftest import MakeWorld
from tests.support.processes import ServerProcess, free_port

WAIT_S = 20.0
SMALL = ["--lamps", "40", "--bays", "10", "--buttons", "4", "--counters", "1", "--start", "1768050000000"]


class Gateway:
    """Hears everything that devices send, and acknowledges SOS messages as the platform's gateway does."""

    def __init__(self, port: int) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self.changed = threading.Condition()
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="test-gateway", clean_session=False)
        self.client.on_message = self.on_message
        self.client.connect("127.0.0.1", port)
        subscribed = threading.Event()
        self.client.on_subscribe = lambda *_: subscribed.set()
        self.client.subscribe([("partheland/+/+/+/up", 1), ("application/+/device/+/event/+", 1)])
        self.client.loop_start()
        assert subscribed.wait(WAIT_S)

    def on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        with self.changed:
            self.heard.append((message.topic, bytes(message.payload)))
            self.changed.notify_all()
        if "/sos/" in message.topic:
            reading = json.loads(message.payload)
            ack = json.dumps({"ack": {"boot": reading["boot"], "seq": reading["seq"]}})
            self.client.publish(message.topic.removesuffix("up") + "down", ack, qos=1)

    def wait_for(self, count: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.heard) >= count, WAIT_S)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def gateway(broker: ServerProcess) -> Iterator[Gateway]:
    listening = Gateway(broker.port)
    yield listening
    listening.close()


def test_what_is_played_to_a_broker_is_what_would_be_written_to_files(
    broker: ServerProcess, gateway: Gateway, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [*SMALL, "--for", "6h", "--speed", "1000000000", "--json", "--truth", str(tmp_path / "truth.csv")]
    assert main(["--broker", f"mqtt://127.0.0.1:{broker.port}", *options]) == 0
    published = json.loads(capsys.readouterr().out)["messages"]
    gateway.wait_for(published)
    assert main(["--out", str(tmp_path / "o"), *options]) == 0
    lines = (tmp_path / "o" / "messages.ndjson").read_text(encoding="utf-8").splitlines()
    written = sorted((message["topic"], message["payload"]) for message in map(json.loads, lines))
    assert sorted((topic, payload.decode()) for topic, payload in gateway.heard) == written
    assert (tmp_path / "truth.csv").exists()


def test_a_pressed_button_goes_quiet_once_the_gateway_has_acknowledged(
    broker: ServerProcess, gateway: Gateway, make_world: MakeWorld
) -> None:
    world = make_world(hours=1, lamps=0, bays=0, buttons=7, speed=900.0, live=True)
    buttons = (one for one in world.fleet.devices.values() if isinstance(one, SosButton))
    button, delivery = next((one, one.delivery) for one in buttons if one.delivery)
    button.press(world.run.start_ms, "press")
    Runner(world, Broker("127.0.0.1", broker.port), 1, lambda _: None).run()
    assert delivery.next_due_ms() is None
    topic = f"partheland/{button.town}/sos/{button.device_id}/up"
    presses = [payload for heard, payload in gateway.heard if heard == topic and b'"press"' in payload]
    assert len(set(presses)) == 1


def test_a_broker_that_dies_in_the_middle_gets_every_message_in_the_end(
    broker: ServerProcess, gateway: Gateway, make_world: MakeWorld
) -> None:
    world = make_world(hours=6, buttons=0, speed=6 * 3600 / 3, live=True)
    player = Runner(world, Broker("127.0.0.1", broker.port), 1, lambda _: None)
    played = threading.Thread(target=player.run)
    played.start()
    while player.published < 200 and played.is_alive():
        played.join(0.01)
    broker.kill()
    played.join(0.5)
    broker.start()
    played.join(WAIT_S * 2)
    assert not played.is_alive()
    expected = {(message.topic, message.payload) for message in make_world(hours=6, buttons=0).messages()}
    with gateway.changed:
        gateway.changed.wait_for(lambda: set(gateway.heard) >= expected, WAIT_S)
    assert set(gateway.heard) == expected


def test_a_broker_that_is_not_there_is_one_sentence_and_exit_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(runner, "CONNECT_TIMEOUT_S", 0.3)
    assert main(["--broker", f"127.0.0.1:{free_port()}", *SMALL, "--for", "1h"]) == 2
    assert "no broker answers at 127.0.0.1" in capsys.readouterr().err


def test_what_is_still_on_its_way_at_the_end_is_not_waited_for(broker: ServerProcess, make_world: MakeWorld) -> None:
    """Everything is held back for 18 to 150 simulated minutes; waiting would take up to a quarter of an hour."""
    held = Radio(loss=0.0, lorawan_loss=0.0, reorder=1.0)
    world = make_world(hours=1 / 240, lamps=400, radio=held, speed=10.0, live=True)
    player = Runner(world, Broker("127.0.0.1", broker.port), 1, lambda _: None)
    assert player.run() == world.tally.handed_out > 0


def test_a_run_that_began_at_an_earlier_instant_catches_up_at_once(
    broker: ServerProcess, make_world: MakeWorld
) -> None:
    """Six hours at a thousandth of the speed would take years; their start was long enough ago that they are over."""
    world = make_world(hours=6, speed=0.001, live=True)
    long_ago_ms = runner.now_ms() - 6 * 3_600_000 * 1000
    player = Runner(world, Broker("127.0.0.1", broker.port), 1, lambda _: None, long_ago_ms)
    assert player.run() == world.tally.handed_out > 500


def test_the_password_can_come_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Broker] = []

    def run(self: Runner) -> int:
        seen.append(self.broker)
        return 0

    monkeypatch.setattr(Runner, "run", run)
    (tmp_path / "password").write_text("s3cret\n")
    options = ["--broker", "mqtt://devices@127.0.0.1", "--password-file", str(tmp_path / "password"), "--for", "1m"]
    assert main([*options, *SMALL]) == 0
    assert (seen[0].username, seen[0].password) == ("devices", "s3cret")


def test_stopping_in_the_middle_leaves_nothing_unacknowledged(broker: ServerProcess, make_world: MakeWorld) -> None:
    world = make_world(hours=24, speed=3600.0, live=True)
    player = Runner(world, Broker("127.0.0.1", broker.port), 1, lambda _: None)
    played = threading.Thread(target=player.run)
    played.start()
    while player.published < 50 and played.is_alive():
        played.join(0.01)
    player.stopped.set()
    played.join(WAIT_S)
    assert not played.is_alive()


@pytest.mark.parametrize(
    ("url", "broker"),
    [
        ("mqtt://localhost:1884", Broker("localhost", 1884)),
        ("localhost", Broker("localhost", 1883)),
        ("127.0.0.1:99", Broker("127.0.0.1", 99)),
        ("mqtts://sim:p%40ss@host", Broker("host", 8883, "sim", "p@ss", tls=True)),
    ],
)
def test_a_brokers_address_is_a_url_with_the_usual_shortcuts(url: str, broker: Broker) -> None:
    assert parse_broker(url) == broker


@pytest.mark.parametrize("url", ["http://host", "mqtt://", "mqtt://host:port", "mqtt://host:99999"])
def test_another_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="broker"):
        parse_broker(url)


def test_the_password_is_not_shown() -> None:
    assert "secret" not in str(parse_broker("mqtt://sim:secret@host"))
    assert issubclass(BrokerError, Exception)
