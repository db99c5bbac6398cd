"""Acknowledgements to devices: those who must know are always told, the others while there is something left."""

from core.clock import ManualClock
from core.mqtt import Message
from gateway.courtesy import DownAcks
from gateway.intake import Batch
from gateway.source import Row
from tests.support.records import native_message

Told = list[tuple[str, bytes]]


def batch_of(rows: list[tuple[int, str, int]], ack_wanted: frozenset[int] = frozenset()) -> Batch:
    """Rows as (message, kind, seq)."""
    return Batch(
        [Row("D1", kind, None, 3, seq, {}) for _, kind, seq in rows],
        [index for index, _, _ in rows],
        [],
        set(ack_wanted),
    )


def acks(per_s: int) -> tuple[DownAcks, Told, ManualClock]:
    told: Told = []
    clock = ManualClock()

    def publish(topic: str, payload: bytes) -> bool:
        told.append((topic, payload))
        return True

    return DownAcks(publish, clock, per_s), told, clock


def test_a_device_is_told_of_the_last_reading_of_its_message() -> None:
    down, told, _ = acks(10)
    down.tell([native_message("D1")], batch_of([(0, "lamp", 811), (0, "lamp", 812)]))
    assert told == [("partheland/borsdorf/lamp/D1/down", b'{"ack":{"boot":3,"seq":812}}')]


def test_under_a_flood_only_the_budget_is_spent_and_it_fills_again() -> None:
    down, told, clock = acks(5)
    messages = [native_message(f"D{number}") for number in range(20)]
    flood = batch_of([(number, "lamp", 1) for number in range(20)])
    down.tell(messages, flood)
    assert len(told) == 5
    clock.advance(0.4)
    down.tell(messages, flood)
    assert len(told) == 7
    clock.advance(3600)
    down.tell(messages, flood)
    assert len(told) == 12


def test_buttons_and_devices_that_ask_are_told_when_nothing_is_left() -> None:
    down, told, _ = acks(0)
    messages = [native_message("B1", "sos"), native_message("L1"), native_message("L2")]
    down.tell(messages, batch_of([(0, "sos", 1), (1, "lamp", 2), (2, "lamp", 3)], frozenset({1})))
    assert [topic.split("/")[3] for topic, _ in told] == ["B1", "L1"]


def test_a_topic_that_is_not_native_is_passed_over() -> None:
    down, told, _ = acks(5)
    down.tell([Message("application/1/device/x/event/up", b"", 1, 1, False)], batch_of([(0, "lamp", 1)]))
    assert told == []
