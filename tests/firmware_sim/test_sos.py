import json
from random import Random

import pytest

from firmware_sim.device import Reading
from firmware_sim.sos import ATTEMPTS_MAX, RETRY_LONGEST_MS, Delivery, SosButton

START_MS = 1_768_000_000_000
PRESS = Reading(t_ms=START_MS, boot=3, seq=812, values={"event": "press", "press_id": 17, "battery_pct": 90})


def down(**message: object) -> bytes:
    return json.dumps(message).encode()


@pytest.fixture
def delivery() -> Delivery:
    return Delivery(Random(1))


def waits_s(delivery: Delivery, times: int) -> list[float]:
    """Send so many times, each as soon as it is due; the seconds between one and the next."""
    at_ms, waits = START_MS, []
    for _ in range(times):
        assert delivery.due(at_ms) == [PRESS]
        due_ms = delivery.next_due_ms()
        assert due_ms is not None
        waits.append((due_ms - at_ms) / 1000)
        at_ms = due_ms
    return waits


def test_a_press_goes_out_at_once_and_again_unchanged_with_back_off(delivery: Delivery) -> None:
    delivery.add(PRESS, START_MS)
    assert waits_s(delivery, 7) == pytest.approx([2, 4, 8, 16, 32, 60, 60], rel=0.21)


def test_between_two_tries_nothing_is_due(delivery: Delivery) -> None:
    delivery.add(PRESS, START_MS)
    delivery.due(START_MS)
    assert delivery.due(START_MS + 1_000) == []


def test_the_acknowledgement_of_this_press_ends_it(delivery: Delivery) -> None:
    delivery.add(PRESS, START_MS)
    delivery.due(START_MS)
    delivery.on_down(down(ack={"boot": 3, "seq": 812}))
    assert delivery.next_due_ms() is None
    assert delivery.due(START_MS + 10 * RETRY_LONGEST_MS) == []


@pytest.mark.parametrize("ack", [{"boot": 3, "seq": 811}, {"boot": 2, "seq": 812}])
def test_another_acknowledgement_does_not(delivery: Delivery, ack: dict[str, int]) -> None:
    delivery.add(PRESS, START_MS)
    delivery.on_down(down(ack=ack))
    assert delivery.due(START_MS) == [PRESS]


def test_a_state_for_the_press_lights_the_button_and_proves_that_it_arrived(delivery: Delivery) -> None:
    delivery.add(PRESS, START_MS)
    delivery.on_down(down(sos={"press_id": 17, "state": "accepted"}))
    assert delivery.light == "accepted"
    assert delivery.next_due_ms() is None


@pytest.mark.parametrize("payload", [b"", b"\xff", b"[]", b"1", b'{"ack":1}', b'{"ack":{"boot":3}}', b'{"sos":{}}'])
def test_a_downlink_that_makes_no_sense_is_counted_and_changes_nothing(delivery: Delivery, payload: bytes) -> None:
    delivery.add(PRESS, START_MS)
    delivery.on_down(payload)
    assert delivery.not_understood == 1
    assert delivery.due(START_MS) == [PRESS]


def test_after_very_many_tries_it_gives_up_and_counts_that(delivery: Delivery) -> None:
    delivery.add(PRESS, START_MS)
    waits_s(delivery, ATTEMPTS_MAX)
    assert delivery.due(START_MS + 10**9) == []
    assert (delivery.given_up, delivery.next_due_ms()) == (1, None)


def test_in_time_lapse_the_back_off_is_stretched_because_acknowledgements_travel_in_real_time() -> None:
    delivery = Delivery(Random(1), scale=120.0)
    delivery.add(PRESS, START_MS)
    assert waits_s(delivery, 1) == pytest.approx([240], rel=0.21)


def button(native: bool = True, presses_per_day: float = 0.0) -> SosButton:
    make = Delivery if native else None
    return SosButton("NAU-S01", "naunhof", Random(5), START_MS, 3_600_000, presses_per_day, make)


def readings_of(device: SosButton, hours: float) -> list[Reading]:
    readings = []
    while device.next_wake_ms < START_MS + hours * 3_600_000:
        readings += device.wake(device.next_wake_ms)
    return readings


def test_an_unpressed_button_says_each_hour_that_it_lives() -> None:
    readings = readings_of(button(), 24)
    assert [reading.values["event"] for reading in readings] == ["heartbeat"] * 24
    assert [reading.seq for reading in readings] == list(range(1, 25))


def test_a_pressed_button_repeats_the_press_until_it_is_acknowledged_through_its_topic() -> None:
    device = button()
    device.press(START_MS, "long_press")
    first, again = readings_of(device, 0.001)
    assert first is again
    device.on_down(down(ack={"boot": first.boot, "seq": first.seq}), START_MS + 5_000)
    assert {reading.values["event"] for reading in readings_of(device, 3)} == {"heartbeat"}


def test_a_lorawan_button_sends_each_press_three_times_confirmed_with_the_same_press_id() -> None:
    device = button(native=False)
    device.press(START_MS, "test")
    presses = [reading for reading in readings_of(device, 0.1) if reading.values["event"] == "test"]
    assert [reading.values["press_id"] for reading in presses] == [1, 1, 1]
    assert all(reading.confirmed for reading in presses)
    assert len({reading.seq for reading in presses}) == 3


def test_people_press_about_as_often_as_settled() -> None:
    device = button(native=False, presses_per_day=10)
    press_ids = {reading.values["press_id"] for reading in readings_of(device, 24 * 30)}
    assert 200 < max(int(press_id) for press_id in press_ids) < 400
