"""From a gateway's message to the journal: judged, synced, then acknowledged; nothing twice, nothing half."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest

from core import frame as frames
from core.clock import ManualClock
from core.frame import Frame
from core.mqtt import Message
from core.reading import Quality, concat
from core.sqlite import StorageFull
from ingest.accept import Accept
from ingest.books import Verdict
from ingest.journal import Journal, JournalLimits
from ingest.windows import SEQ_WINDOW
from tests.sim.world import KnownDevices
from tests.support.records import T0_MS, frame, reading, refusal, uplink_message

KINDS = {"L1": "lamp", "L2": "lamp", "B1": "sos", "C1": "counter"}


class Bench:
    """An Accept over a real journal; `events` notes in order what was told to whom, with the journal's head then."""

    def __init__(self, folder: Path) -> None:
        self.journal = Journal(folder / "journal", ManualClock(T0_MS), JournalLimits())
        self.journal.open()
        self.events: list[str] = []
        self.acks: list[tuple[str, dict[str, object]]] = []
        self.waits = 0
        self.accept = Accept(
            self.journal, KnownDevices(KINDS, capacity=50), self._publish, self._acknowledge, self._wait
        )

    def _publish(self, topic: str, payload: bytes) -> bool:
        self.events.append(f"gateway at {self.journal.head}")
        self.acks.append((topic, msgspec.json.decode(payload)))
        return True

    def _acknowledge(self, messages: Sequence[Message]) -> None:
        self.events += [f"broker {message.mid} at {self.journal.head}" for message in messages]

    def _wait(self, seconds: float) -> bool:
        self.waits += 1
        return self.waits < 3

    def take(self, *held: Frame) -> None:
        self.accept.handle([uplink_message(one, mid=index) for index, one in enumerate(held)])

    def verdicts(self) -> list[str]:
        return [Verdict(one).name for block in self.journal.read(0) for one in block.verdict.tolist()]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def numbered(first_seq: int, *seqs: int, **more: object) -> Frame:
    return frame(concat([reading(seq=seq, t_ms=T0_MS + seq) for seq in seqs]), (), first_seq, **more)  # type: ignore[arg-type]


def test_gateway_and_broker_hear_of_it_after_it_is_in_the_journal(bench: Bench) -> None:
    bench.take(numbered(1, 1, 2), numbered(3, 3))
    assert bench.events == ["gateway at 3", "broker 0 at 3", "broker 1 at 3"]
    assert bench.acks == [("partheland/ack/gw1", {"epoch": 1, "ranges": [[1, 2], [3, 3]]})]


def test_each_gateway_and_epoch_is_told_of_its_own(bench: Bench) -> None:
    bench.take(numbered(1, 1, gateway="gw2"), numbered(1, 2), numbered(1, 3, epoch=2))
    assert sorted((topic, str(said)) for topic, said in bench.acks) == [
        ("partheland/ack/gw1", "{'epoch': 1, 'ranges': [[1, 1]]}"),
        ("partheland/ack/gw1", "{'epoch': 2, 'ranges': [[1, 1]]}"),
        ("partheland/ack/gw2", "{'epoch': 1, 'ranges': [[1, 1]]}"),
    ]


def test_a_frame_that_comes_again_is_acknowledged_again_and_kept_once(bench: Bench) -> None:
    bench.take(numbered(1, 1, 2), numbered(1, 1, 2))
    bench.take(numbered(1, 1, 2))
    assert (bench.journal.head, bench.accept.counts["repeated_frames"]) == (2, 2)
    assert [said["ranges"] for _, said in bench.acks] == [[[1, 2], [1, 2]], [[1, 2]]]


def test_a_frame_of_refusals_alone_is_kept_and_acknowledged(bench: Bench) -> None:
    bench.take(frame(refusals=[refusal(), refusal(scope="value")]))
    assert (bench.verdicts(), bench.acks[0][1]["ranges"]) == (["REFUSED"] * 2, [[1, 2]])


def test_unknown_devices_and_wrong_kinds_are_told_apart(bench: Bench) -> None:
    bench.take(frame(concat([reading("L1"), reading("X9"), reading("B1"), reading("L1", kind="other")]), [refusal()]))
    assert bench.verdicts() == ["ACCEPTED", "UNKNOWN_DEVICE", "WRONG_KIND", "WRONG_KIND", "REFUSED"]


def test_a_repeat_in_another_frame_is_a_duplicate(bench: Bench) -> None:
    bench.take(numbered(1, 1, 2), numbered(3, 2, 3))
    assert bench.verdicts() == ["ACCEPTED", "ACCEPTED", "DUPLICATE", "ACCEPTED"]


def test_an_old_reading_that_stands_in_two_frames_of_one_batch_is_accepted_once(bench: Bench) -> None:
    bench.take(numbered(1, 5))
    bench.take(numbered(2, 5 + SEQ_WINDOW + 64))
    bench.take(numbered(3, 6), numbered(4, 6))
    bench.take(numbered(5, 6))
    assert bench.verdicts() == ["ACCEPTED"] * 3 + ["DUPLICATE"] * 2


def test_a_count_above_the_capacity_is_suspicious_and_kept(bench: Bench) -> None:
    counts = [
        reading("C1", seq=seq, kind="counter", values={"occupied_count": count})
        for seq, count in ((1, 50.0), (2, 51.0))
    ]
    bench.take(frame(concat([*counts, reading("L1")])))
    (block,) = bench.journal.read(0)
    assert block.accepted.quality.tolist() == [Quality.GOOD, Quality.SUSPICIOUS, Quality.GOOD]


def damaged(held: Frame) -> Message:
    message = uplink_message(held, mid=9)
    return message._replace(payload=message.payload[:-1] + bytes([message.payload[-1] ^ 1]))


@pytest.mark.parametrize(
    "bad",
    [
        damaged(numbered(1, 1)),
        Message("partheland/uplink/gw1/telemetry", b"", 9, 0, False),
        Message("partheland/uplink/gw1/telemetry", b"\0\0\0\7garbage", 9, 0, False),
        Message("partheland/uplink/gw1/telemetry", b"\xff" * 50, 9, 0, False),
        Message("partheland/uplink/gw1/telemetry", uplink_message(numbered(1, 1)).payload[:-5], 9, 0, False),
        uplink_message(numbered(1, 1))._replace(topic="partheland/uplink/gw7/telemetry"),
        uplink_message(frame()),
    ],
)
def test_a_damaged_message_is_not_acknowledged_to_the_gateway_and_the_next_one_is_taken(
    bench: Bench, bad: Message
) -> None:
    bench.accept.handle([bad])
    assert (bench.acks, bench.journal.head) == ([], 0)
    bench.accept.handle([bad, uplink_message(numbered(1, 1))])
    assert (bench.journal.head, len(bench.acks)) == (1, 1)


def test_of_several_frames_in_a_message_those_before_the_damage_are_taken(bench: Bench) -> None:
    datas = [frames.encode(numbered(1, 1)), frames.encode(numbered(2, 2))[:-1] + b"?", frames.encode(numbered(3, 3))]
    bench.accept.handle([Message("partheland/uplink/gw1/telemetry", frames.pack(datas), 1, 0, False)])
    assert bench.acks[0][1]["ranges"][0] == [1, 1]  # type: ignore[index]
    assert bench.accept.counts["damaged_messages"] == 1


def test_without_room_nobody_hears_of_it_and_with_room_it_is_kept_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    append, failures = bench.journal.append, iter([True, True, False])

    def sometimes_full(entries: Sequence[object]) -> int:
        if next(failures):
            assert bench.events == []
            raise StorageFull("no room")
        return append(entries)  # type: ignore[arg-type]

    monkeypatch.setattr(bench.journal, "append", sometimes_full)
    bench.take(numbered(1, 1, 2))
    assert (bench.waits, bench.verdicts(), bench.accept.full) == (2, ["ACCEPTED"] * 2, False)


def test_told_to_stop_while_it_waits_it_tells_nobody(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(entries: Sequence[object]) -> int:
        raise StorageFull("no room")

    monkeypatch.setattr(bench.journal, "append", full)
    bench.take(numbered(1, 1))
    assert (bench.events, bench.accept.full) == ([], True)


def test_the_frame_is_kept_byte_for_byte_with_its_raw_messages(bench: Bench) -> None:
    bench.take(numbered(1, 1))
    (block,) = bench.journal.read(0)
    assert block.frame.raws == (b"raw 0",)
    (stored,) = bench.journal.segments[0].database.execute("SELECT frame FROM block")
    assert bytes(stored[0]) == frames.encode(numbered(1, 1))
    assert np.array_equal(block.verdict, [Verdict.ACCEPTED])
