"""From the spool to the centre: in order, SOS first, never more under way than allowed, and nothing stuck for ever."""

from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import frame as frames
from core.clock import ManualClock
from core.frame import Frame
from core.mqtt import Message
from core.sqlite import Database
from core.topics import CENTRE_TOPIC, ack_topic
from gateway.spool import MIB, Entry, Spool
from gateway.uplink import PASSED_OVER, RESEND_S_MAX, Ack, Uplink, Window
from tests.support.records import T0_MS, frame, reading


def entry(number: int, lane: str = "telemetry") -> Entry:
    return Entry(number, lane, 1, number, 1, T0_MS, 100)


def ids(entries: list[Entry]) -> list[int]:
    return [one.id for one in entries]


def ack(*numbers: int, epoch: int = 1) -> Ack:
    return Ack(epoch, [(number, number) for number in numbers])


WAITING = [entry(number) for number in range(1, 11)]


def test_no_more_than_the_window_is_under_way_and_nothing_twice() -> None:
    window = Window(3, 5.0)
    assert ids(window.choose(WAITING, 0.0)) == [1, 2, 3]
    assert ids(window.choose(WAITING, 1.0)) == []
    window.acknowledged(ack(1, 2), 1.0)
    assert ids(window.choose(WAITING[2:], 1.0)) == [4, 5]


def test_sos_passes_what_is_under_way() -> None:
    window = Window(2, 5.0)
    window.choose(WAITING, 0.0)
    assert ids(window.choose([entry(50, "sos"), *WAITING], 0.1)) == [50]


def test_while_the_centre_is_silent_one_frame_is_tried_ever_more_rarely_each_time_the_next() -> None:
    window = Window(4, 5.0)
    tries = [(second, ids(window.choose(WAITING[:4], float(second)))) for second in range(200)]
    sent = [(second, chosen) for second, chosen in tries if chosen]
    assert sent[:6] == [(0, [1, 2, 3, 4]), (5, [1]), (15, [2]), (35, [3]), (65, [4]), (95, [1])]
    assert max(later[0] - earlier[0] for earlier, later in pairwise(sent)) == RESEND_S_MAX


def test_a_sign_of_life_opens_the_window_again() -> None:
    window = Window(4, 5.0)
    window.choose(WAITING, 0.0)
    assert ids(window.choose(WAITING, 5.0)) == [1]
    window.acknowledged(ack(1), 6.0)
    assert ids(window.choose(WAITING[1:], 6.0)) == [2, 3, 4, 5]


def test_a_new_connection_sends_everything_again() -> None:
    window = Window(4, 5.0)
    window.choose(WAITING, 0.0)
    window.start_over()
    assert ids(window.choose(WAITING, 0.1)) == [1, 2, 3, 4]


def test_a_frame_that_was_lost_is_sent_again_although_others_are_acknowledged_all_the_time() -> None:
    window, waiting, sent_again_at = Window(4, 5.0), [entry(1)], 0
    for second in range(60):
        waiting.append(entry(second + 2))
        chosen = window.choose(waiting, float(second))
        if second and entry(1) in chosen:
            sent_again_at = sent_again_at or second
        window.acknowledged(ack(*(one.first_seq for one in chosen if one.id != 1)), float(second))
        waiting = [one for one in waiting if one.id == 1 or one not in chosen]
    assert sent_again_at == PASSED_OVER * 5


@pytest.mark.parametrize("lane", ["telemetry", "sos"])
def test_a_frame_that_the_centre_never_takes_does_not_stand_in_the_way_of_the_others(lane: str) -> None:
    window, delivered = Window(4, 5.0), set()
    waiting = [entry(1, lane), *WAITING[1:]]
    for second in range(300):
        chosen = [one for one in window.choose(waiting, float(second)) if one.id != 1]
        if second >= 100 and chosen:  # until then the centre is away
            delivered |= {one.id for one in chosen}
            window.acknowledged(ack(*(one.first_seq for one in chosen)), float(second))
            waiting = [one for one in waiting if one.id not in delivered]
    assert delivered == set(range(2, 11))


@given(st.lists(st.tuples(st.floats(0, 40), st.lists(st.integers(1, 12), max_size=4)), max_size=30), st.integers(1, 5))
def test_the_memory_of_the_window_is_bounded(steps: list[tuple[float, list[int]]], frames_max: int) -> None:
    window, now_s = Window(frames_max, 5.0), 0.0
    for passed_s, acknowledged in steps:
        now_s += passed_s
        window.choose([entry(99, "sos"), *WAITING], now_s)
        assert len(window.under_way) <= frames_max + 1
        assert window.under_way.keys() == window._sent_s.keys()
        window.acknowledged(ack(*acknowledged), now_s)


class Bench:
    """An uplink over a real spool; `sent` holds what was published, `connected` says whether it may be."""

    def __init__(self, folder: Path, window: int = 4, message_bytes_max: int = 1200) -> None:
        self.clock = ManualClock(T0_MS)
        self.spool = Spool(Database(folder / "spool.db"), self.clock, 64 * MIB)
        self.spool.open()
        self.sent: list[tuple[str, bytes, int]] = []
        self.connected = True
        self.uplink = Uplink(
            "gw1", self.spool, Window(window, 5.0), self._publish, self.clock, message_bytes_max, self.fail
        )

    def fail(self, error: BaseException) -> None:
        raise error

    def _publish(self, topic: str, payload: bytes, qos: int) -> bool:
        if self.connected:
            self.sent.append((topic, payload, qos))
        return self.connected

    def add(self, lane: str = "telemetry") -> Entry:
        def seal(epoch: int, first_seq: int) -> Frame:
            return frame(reading(), (), first_seq, "gw1", epoch, lane)

        return self.spool.append(lane, seal)

    def turn(self) -> list[tuple[str, list[int], int]]:
        self.sent.clear()
        self.uplink.turn()
        return [
            (topic, [frames.decode(data).first_seq for data in frames.unpack(payload)], qos)
            for topic, payload, qos in self.sent
        ]

    def hear(self, *numbers: int, epoch: int | None = None) -> None:
        said = {"epoch": self.spool.epoch if epoch is None else epoch, "ranges": [(one, one) for one in numbers]}
        self.uplink.handle([Message(ack_topic("gw1"), msgspec.json.encode(said), 1, 0, False)])


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


TELEMETRY, SOS = "partheland/uplink/gw1/telemetry", "partheland/uplink/gw1/sos"


def test_frames_of_one_lane_travel_together_as_far_as_a_message_goes(bench: Bench) -> None:
    size, *_ = [bench.add().bytes for _ in range(4)]
    bench.add("sos")
    bench.uplink.message_bytes_max = 2 * (size + 4)
    assert bench.turn() == [(SOS, [5], 1), (TELEMETRY, [1, 2], 0), (TELEMETRY, [3], 0)]


def test_frames_stay_in_the_spool_until_the_centre_holds_them(bench: Bench) -> None:
    for _ in range(3):
        bench.add()
    bench.turn()
    assert bench.spool.depth()[0] == 3
    bench.hear(1, 3)
    assert [one.first_seq for one in bench.spool.waiting(9)] == [2]


def test_an_acknowledgement_of_another_epoch_or_of_other_records_releases_nothing(bench: Bench) -> None:
    bench.add()
    bench.turn()
    bench.hear(1, epoch=bench.spool.epoch - 1)
    bench.hear(2, 77)
    bench.uplink.handle([Message(ack_topic("gw1"), b'{"epoch": "?"}', 1, 0, False)])
    bench.uplink.handle([Message(ack_topic("gw1"), b"\xff", 1, 0, False)])
    assert bench.spool.depth()[0] == 1


def test_a_centre_that_answers_late_is_believed_although_the_frames_were_given_up(bench: Bench) -> None:
    for _ in range(4):
        bench.add()
    bench.turn()
    bench.clock.advance(6)
    assert [numbers for _, numbers, _ in bench.turn()] == [[1]]
    bench.hear(1, 2, 3, 4)
    assert (bench.spool.depth()[0], bench.turn()) == (0, [])


def test_without_a_connection_nothing_is_lost_and_afterwards_everything_goes(bench: Bench) -> None:
    for _ in range(3):
        bench.add()
    bench.connected = False
    assert bench.turn() == []
    bench.connected = True
    assert [numbers for _, numbers, _ in bench.turn()] == [[1, 2, 3]]


def test_the_centres_greeting_makes_everything_go_again(bench: Bench) -> None:
    bench.add()
    bench.turn()
    bench.uplink.handle([Message(CENTRE_TOPIC, b'{"here":true}', 1, 1, False)])
    assert [numbers for _, numbers, _ in bench.turn()] == [[1]]


def test_a_backlog_larger_than_the_window_drains_in_order(bench: Bench) -> None:
    for _ in range(23):
        bench.add()
    seen: list[int] = []
    while bench.spool.depth()[0]:
        numbers = [number for _, group, _ in bench.turn() for number in group]
        assert 0 < len(numbers) <= 4
        seen += numbers
        bench.hear(*numbers)
    assert seen == list(range(1, 24))


def test_its_thread_sends_what_comes_and_ends_when_told(bench: Bench) -> None:
    bench.add()
    bench.uplink.start()
    bench.uplink.wake()
    alive = bench.uplink.alive()
    bench.uplink.stop()
    assert (alive, bench.uplink.alive(), len(bench.sent) >= 1) == (True, False, True)
