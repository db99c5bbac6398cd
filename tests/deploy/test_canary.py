"""A broker that keeps nothing any more is noticed, said, and started anew as soon as there is room for it."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from core.clock import RealClock
from core.topics import CANARY_TOPIC
from deploy.canary import ROOM_BYTES_MIN, Advice, Judge
from deploy.credentials import load_or_create
from tests.api.conftest import client_of
from tests.deploy.running import Up, partheland, until
from tests.support.frames import fed_centre
from tests.support.small_disk import fill, mounted

MIB = 1024**2
TOPIC = "partheland/naunhof/lamp/NAU-1/up"
BATCH = 200
BATCHES_MAX = 100
ROOM, NO_ROOM = ROOM_BYTES_MIN, ROOM_BYTES_MIN - 1


def advices(judge: Judge, first_s: int, last_s: int, free_bytes: int) -> dict[int, Advice]:
    """What it advises when it looks every second; without the seconds at which there is nothing to do."""
    found = {now_s: judge.look(now_s, free_bytes) for now_s in range(first_s, last_s + 1)}
    return {now_s: advice for now_s, advice in found.items() if advice is not Advice.NOTHING}


def silent_since_0() -> Judge:
    judge = Judge()
    judge.look(0, ROOM)
    judge.sent(0)
    judge.sent(5)
    return judge


def test_a_broker_that_acknowledges_is_left_alone() -> None:
    judge = Judge()
    for now_s in range(0, 300, 5):
        judge.sent(now_s)
        assert advices(judge, now_s, now_s + 4, ROOM) == {}
        assert judge.acknowledged() is False


def test_a_broker_that_was_never_reached_is_not_judged() -> None:
    assert advices(Judge(), 0, 300, ROOM) == {}


def test_with_room_on_the_disk_it_is_restarted_after_twenty_seconds_of_silence() -> None:
    judge = silent_since_0()
    assert advices(judge, 1, 25, ROOM) == {20: Advice.RESTART}
    judge.broker_started()
    assert advices(judge, 26, 300, ROOM) == {}, "nothing was sent to the new one yet"
    judge.sent(300)
    assert judge.acknowledged() is True
    assert judge.acknowledged() is False, "that it is well again is news only once"


def test_restarts_that_do_not_help_are_at_least_a_minute_apart_and_become_rarer() -> None:
    assert list(advices(silent_since_0(), 1, 1500, ROOM)) == [20, 80, 200, 440, 920]


def test_a_full_disk_is_said_once_and_the_broker_restarted_as_soon_as_there_is_room() -> None:
    judge = silent_since_0()
    assert advices(judge, 1, 200, NO_ROOM) == {20: Advice.TELL_FULL}
    assert advices(judge, 201, 210, ROOM) == {201: Advice.RESTART}
    judge.broker_started()
    judge.sent(212)
    assert judge.acknowledged() is True


def test_each_full_disk_is_said() -> None:
    judge = silent_since_0()
    assert advices(judge, 1, 30, NO_ROOM) == {20: Advice.TELL_FULL}
    assert judge.acknowledged() is True
    judge.sent(31)
    assert advices(judge, 31, 90, NO_ROOM) == {51: Advice.TELL_FULL}


def test_a_pause_of_our_own_is_no_silence_of_the_broker() -> None:
    judge = silent_since_0()
    judge.look(4, ROOM)
    assert advices(judge, 1000, 1019, ROOM) == {}
    assert advices(judge, 1020, 1020, ROOM) == {1020: Advice.RESTART}


def test_a_canary_that_stays_away_is_a_reason_and_one_that_never_came_is_none(tmp_path: Path) -> None:
    with fed_centre(tmp_path) as fed, client_of(fed, dev=True) as client:
        for session in fed.ingest.sessions.values():
            session.ready.set()
        assert client.get("/readyz").status_code == 200
        fed.ingest.canary_heard_s = fed.ingest.clock.monotonic_s() - 29
        assert client.get("/readyz").status_code == 200
        fed.ingest.canary_heard_s -= 2
        answer = client.get("/readyz")
        assert answer.status_code == 503
        (reason,) = answer.json()["reasons"]
        assert reason.startswith("Nothing that the broker must keep came through for 30 s; see whether its disk is")


def test_a_gateway_without_room_is_a_note(tmp_path: Path) -> None:
    with fed_centre(tmp_path) as fed, client_of(fed, dev=True) as client:
        for session in fed.ingest.sessions.values():
            session.ready.set()
        fed.ingest.gateways = {"gw1": {"full": True}, "gw2": {"full": False}}
        (note,) = client.get("/readyz").json()["notes"]
        assert note.startswith("The gateway gw1 has no room for its spool; free disk space")


class Device:
    """A lamp that sends again what was not acknowledged when the broker comes back; it also hears canaries."""

    def __init__(self, client: paho.Client) -> None:
        self.client = client
        self.started_ms = RealClock().now_ms() - 3_600_000
        self.sent: list[paho.MQTTMessageInfo] = []
        self.canary_heard = threading.Event()
        client.on_message = lambda *_: self.canary_heard.set()
        client.on_connect = self._subscribe

    def _subscribe(self, *_: object) -> None:
        self.client.subscribe(CANARY_TOPIC, 1)

    def send(self, messages: int) -> None:
        """So many messages more."""
        for seq in range(len(self.sent) + 1, len(self.sent) + 1 + messages):
            body = {"t": self.started_ms + seq * 10, "boot": 1, "seq": seq, "values": {"power_w": 35.2}}
            self.sent.append(self.client.publish(TOPIC, json.dumps(body).encode(), 1))

    def acknowledged(self) -> int:
        """How many of its messages the broker has acknowledged."""
        return sum(message.is_published() for message in self.sent)

    def send_until_nothing_is_acknowledged(self) -> None:
        """As much as the broker takes."""
        for _ in range(BATCHES_MAX):
            self.send(BATCH)
            try:
                until(lambda: self.acknowledged() == len(self.sent), "all acknowledged", 3.0)
            except AssertionError:
                return
        raise AssertionError("a full disk took everything")


@contextmanager
def device(port: int, user: str = "", password: str = "") -> Iterator[Device]:
    """One that is connected."""
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="NAU-1")
    client.reconnect_delay_set(1, 1)
    client.max_inflight_messages_set(BATCH)
    if user:
        client.username_pw_set(user, password)
    lamp = Device(client)
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        yield lamp
    finally:
        client.disconnect()
        client.loop_stop()


def test_where_passwords_are_needed_the_canary_has_the_platforms(tmp_path: Path) -> None:
    with Up(tmp_path / "data", closed=True) as up:
        platform = load_or_create(up.data).platform
        with device(up.mqtt_port, platform.name, platform.password) as listener:
            until(listener.canary_heard.is_set, "a canary")


@pytest.mark.timeout(150)
def test_after_a_full_disk_it_goes_on_by_itself_and_everything_acknowledged_is_a_reading(tmp_path: Path) -> None:
    inventory = tmp_path / "lamps.csv"
    inventory.write_text("device_id,kind,town\nNAU-1,lamp,naunhof\n")
    with mounted(tmp_path / "disk", "size=64m") as disk, Up(disk / "data") as up:
        assert partheland("inventory", "import", inventory, "--data", up.data).returncode == 0
        with device(up.mqtt_port) as lamp:
            lamp.send(BATCH)
            until(lambda: up.count() == BATCH, "readings before")
            until(lamp.canary_heard.is_set, "a canary, which the centre hears too")
            broker = up.pids()["broker"]
            ballast = fill(disk, leave_bytes=MIB // 2)
            lamp.send_until_nothing_is_acknowledged()
            until(lambda: not up.is_ready(), "it says that it is not ready", 45.0)
            assert lamp.acknowledged() < len(lamp.sent)
            ballast.unlink()
            until(lambda: up.pids()["broker"] != broker, "another broker", 45.0)
            until(lambda: lamp.acknowledged() == len(lamp.sent), "all acknowledged", 45.0)
            until(lambda: up.count() == len(lamp.sent) and up.is_ready(), "all of it readings, and ready", 45.0)
        assert sum("it is restarted, devices keep their messages" in line for line in up.said()) == 1
        assert up.stop() == 0
