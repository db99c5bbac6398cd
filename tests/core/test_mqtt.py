"""A session against a real broker: batches, acknowledgements only on demand, and no silent death."""

import inspect
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import paho.mqtt.client as paho
import pytest

from core.mqtt import Intake, Link, Message, Session
from core.mqtt_client import BatchClient
from tests.support.fleet import Fleet
from tests.support.platform import until
from tests.support.processes import ServerProcess

TOPIC = "partheland/naunhof/lamp/NAU-L1/up"


class Reader:
    """A handler that keeps what it gets and acknowledges it, or not."""

    def __init__(self, port: int, client_id: str = "reader", acknowledges: bool = True, **intake: float) -> None:
        self.batches: list[list[Message]] = []
        self.acknowledges = acknowledges
        self.fatal: list[BaseException] = []
        self.breaks = threading.Event()
        self.session = Session(
            Link("127.0.0.1", port, client_id, reconnect_s_max=0.3),
            Intake(("partheland/#",), self.handle, int(intake.get("batch_max", 100)), intake.get("wait_s", 0.01)),
            self.fatal.append,
        )

    def handle(self, messages: list[Message]) -> None:
        if self.breaks.is_set():
            raise ValueError("a mistake in the handler")
        self.batches.append(messages)
        if self.acknowledges:
            self.session.acknowledge(messages)

    @property
    def payloads(self) -> list[bytes]:
        return [message.payload for batch in self.batches for message in batch]


@contextmanager
def reading(port: int, client_id: str = "reader", acknowledges: bool = True, **intake: float) -> Iterator[Reader]:
    reader = Reader(port, client_id, acknowledges, **intake)
    reader.session.start()
    until("subscribed", lambda: reader.session.connected, 10)
    try:
        yield reader
    finally:
        reader.session.stop()


@pytest.fixture
def fleet(broker: ServerProcess) -> Iterator[Fleet]:
    found = Fleet(broker.port)
    yield found
    found.stop()


def test_messages_arrive_in_order_and_in_batches(broker: ServerProcess, fleet: Fleet) -> None:
    with reading(broker.port, wait_s=0.1) as reader:
        wanted = [str(number).encode() for number in range(1000)]
        for payload in wanted:
            fleet.publish(TOPIC, payload)
        until("all arrived", lambda: len(reader.payloads) == 1000, 20)
        assert reader.payloads == wanted
        assert max(len(batch) for batch in reader.batches) == 100
        assert all(message.topic == TOPIC for batch in reader.batches for message in batch)


def test_messages_of_every_size_come_through_whole(broker: ServerProcess, fleet: Fleet) -> None:
    sizes = [0, 1, 127, 128, 16_383, 16_384, 65_536, 300_000, 700_000]
    with reading(broker.port) as reader:
        wanted = [os.urandom(size) for size in sizes]
        for payload in wanted:
            fleet.publish(TOPIC, payload)
        until("all arrived", lambda: len(reader.payloads) == len(sizes), 20)
        assert reader.payloads == wanted


def test_what_was_not_acknowledged_comes_again_to_the_next_session(broker: ServerProcess, fleet: Fleet) -> None:
    with reading(broker.port, acknowledges=False) as reader:
        fleet.publish(TOPIC, b"once")
        until("it arrived", lambda: bool(reader.payloads), 10)
    with reading(broker.port) as again:
        until("it came again", lambda: again.payloads == [b"once"], 10)
    fleet.publish(TOPIC, b"twice")
    with reading(broker.port) as third:
        until("only the new one comes", lambda: third.payloads == [b"twice"], 10)


def test_a_session_keeps_what_was_sent_while_it_was_away(broker: ServerProcess, fleet: Fleet) -> None:
    with reading(broker.port):
        pass
    fleet.publish(TOPIC, b"while away")
    fleet.settle()
    with reading(broker.port) as reader:
        until("it arrived", lambda: reader.payloads == [b"while away"], 10)


def test_a_mistake_in_the_handler_is_reported_and_ends_the_thread(broker: ServerProcess, fleet: Fleet) -> None:
    with reading(broker.port) as reader:
        reader.breaks.set()
        fleet.publish(TOPIC, b"bang")
        until("it was reported", lambda: bool(reader.fatal), 10)
        until("the thread ended", lambda: not reader.session.alive(), 10)
        assert "a mistake in the handler" in str(reader.fatal[0])


def test_a_broker_that_was_killed_is_found_again(broker: ServerProcess, fleet: Fleet) -> None:
    with reading(broker.port) as reader:
        broker.kill()
        until("the loss was seen", lambda: not reader.session.connected, 10)
        assert not reader.session.publish(TOPIC, b"into the void")
        broker.start()
        until("connected again", lambda: reader.session.connected, 20)
        fleet.publish(TOPIC, b"after")
        until("it arrived", lambda: b"after" in reader.payloads, 20)


def test_publishing_from_another_thread_does_not_wait_for_traffic(broker: ServerProcess) -> None:
    with reading(broker.port, "one") as one, reading(broker.port, "two") as two:
        for number in range(50):
            assert one.session.publish(TOPIC, str(number).encode(), 1)
        until("all arrived", lambda: len(two.payloads) == 50, 5)


def test_a_broker_that_does_not_exist_is_no_mistake() -> None:
    reader = Reader(1, "nobody")
    reader.session.start()
    until("it tried", lambda: reader.session.alive(), 5)
    reader.session.stop()
    assert reader.fatal == []
    assert not reader.session.alive()


def test_the_methods_of_paho_that_we_override_are_still_there() -> None:
    assert list(inspect.signature(paho.Client._packet_queue).parameters)[1:5] == ["command", "packet", "mid", "qos"]
    for name in ("_sock_recv", "_handle_on_message"):
        ours, theirs = getattr(BatchClient, name), getattr(paho.Client, name)
        assert list(inspect.signature(ours).parameters) == list(inspect.signature(theirs).parameters)
