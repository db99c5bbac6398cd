"""From messages to the spool: what is acknowledged is committed, what is refused is kept with its raw bytes."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from core import frame as frames
from core.clock import ManualClock
from core.frame import LANES, Frame, Refusal
from core.mqtt import Message
from core.sqlite import Database
from gateway.check import ClockLimits
from gateway.intake import RAW_KEPT_BYTES_MAX, REFUSALS_PER_MESSAGE_MAX, Intake
from gateway.native import NativeSource
from gateway.spool import MIB, Spool
from tests.support.records import T0_MS, native_message

GOOD = {"t": T0_MS, "boot": 1, "seq": 1, "values": {"power_w": 35.2}}


class Bench:
    """An intake over a real spool; `told` notes in order what happened: committed frames, acknowledged messages."""

    def __init__(self, folder: Path, lane: str = "telemetry", frame_bytes_max: int = 512 * 1024) -> None:
        self.clock = ManualClock(T0_MS)
        self.spool = Spool(Database(folder / "spool.db"), self.clock, 64 * MIB)
        self.spool.open()
        self.events: list[str] = []
        self.rounds_of_waiting = 0
        self.intake = Intake(
            "gw1",
            lane,
            [(lambda topic: topic.startswith("partheland/"), NativeSource())],
            self.spool,
            self.clock,
            ClockLimits(),
            self._acknowledge,
            tell=lambda messages, batch: self.events.append("told"),
            wait_for_room=self._wait,
            passes_by=lambda topic: topic.startswith("elsewhere/"),
            frame_bytes_max=frame_bytes_max,
        )

    def _acknowledge(self, messages: Sequence[Message]) -> None:
        held = sum(len(one) for one in self.frames())
        self.events += [f"acknowledged {message.mid} with {held} held" for message in messages]

    def _wait(self, seconds: float) -> bool:
        self.rounds_of_waiting += 1
        if self.rounds_of_waiting == 3:
            self.spool.bytes_max = 64 * MIB
        return self.rounds_of_waiting < 5

    def frames(self) -> list[Frame]:
        entries = [entry for lane in LANES for entry in self.spool.lanes[lane].values()]
        return [frames.decode(self.spool.data(entry.id) or b"") for entry in sorted(entries, key=lambda one: one.id)]

    def refusals(self) -> list[Refusal]:
        return [refusal for one in self.frames() for refusal in one.refusals]

    def seqs(self) -> list[int]:
        return [seq for one in self.frames() for seq in one.readings.seq.tolist()]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_batch_is_one_frame_and_is_acknowledged_after_it_is_held(bench: Bench) -> None:
    bench.intake.handle([native_message(seq=seq, mid=seq) for seq in (1, 2, 3)])
    (frame,) = bench.frames()
    assert (frame.first_seq, frame.last_seq, frame.lane, frame.epoch) == (1, 3, "telemetry", bench.spool.epoch)
    assert [msgspec.json.decode(raw)["seq"] for raw in frame.raws] == [1, 2, 3]
    assert bench.events == [*(f"acknowledged {mid} with 3 held" for mid in (1, 2, 3)), "told"]


def test_sequence_numbers_go_on_without_a_hole_over_readings_and_refusals(bench: Bench) -> None:
    for seq in range(3):
        bench.intake.handle([native_message(seq=seq), native_message(payload=b"{")])
    assert [(one.first_seq, one.last_seq) for one in bench.frames()] == [(1, 2), (3, 4), (5, 6)]


BAD_MESSAGES = [
    ("bad_json", native_message(payload=b'{"boot": 1,')),
    ("bad_json", native_message(payload=b'{"boot":1,"seq":1,"values":{"power_w":NaN}}')),
    ("bad_json", native_message(payload=b"[" * 20_000)),
    ("bad_message", native_message(boot="one")),
    ("bad_message", native_message(seq=2**70)),
    ("too_large", native_message(payload=b"x" * (64 * 1024 + 1))),
    ("unknown_kind", native_message(kind="toaster")),
    ("unknown_town", native_message()._replace(topic="partheland/leipzig/lamp/L1/up")),
    ("bad_device_id", native_message(device_id="L 1")),
    ("bad_topic", native_message()._replace(topic=repr(b"partheland/\xff/lamp/L1/up"))),
    ("bad_topic", native_message()._replace(topic="partheland/borsdorf/" + "x" * 65_000)),
    ("out_of_range", native_message(values={"power_w": 1e9})),
    ("wrong_type", native_message(values={"power_w": "much"})),
    ("unknown_value", native_message(values={"watts": 35})),
    ("retained", native_message(kind="sos", values={"event": "press"}, retain=True)),
    ("retained", native_message(t=None, retain=True)),
]


@pytest.mark.parametrize(("code", "bad"), BAD_MESSAGES)
def test_what_can_not_be_taken_is_kept_raw_counted_and_acknowledged_and_the_next_one_is_taken(
    bench: Bench, code: str, bad: Message
) -> None:
    bench.intake.handle([bad, native_message(device_id="L2", mid=2)])
    bench.intake.handle([native_message(device_id="L2", seq=2, mid=3)])
    (refusal,) = bench.refusals()
    assert (refusal.code, refusal.raw) == (code, bad.payload[:RAW_KEPT_BYTES_MAX])
    assert (refusal.scope, bool(refusal.reason), refusal.received_ms) == ("message", True, T0_MS)
    assert bench.intake.counts[f"refused_{code}"] == 1
    assert bench.seqs() == [1, 2]
    assert len([event for event in bench.events if event.startswith("acknowledged")]) == 3


def test_one_bad_value_is_kept_out_and_its_reading_stays_with_its_raw_message(bench: Bench) -> None:
    bench.intake.handle([native_message(values={"power_w": 35, "watts": 1})])
    (frame,) = bench.frames()
    assert frame.readings.value_dicts() == [{"power_w": 35.0}]
    assert [(one.code, one.scope) for one in frame.refusals] == [("unknown_value", "value")]
    assert frame.raws[0] == frame.refusals[0].raw


def test_a_list_with_good_and_bad_entries_loses_only_the_bad_ones(bench: Bench) -> None:
    entries = [GOOD, {"boot": 1}, {**GOOD, "seq": 2, "values": {"power_w": 1e9}}, {**GOOD, "seq": 3}]
    bench.intake.handle([native_message(payload=entries)])
    assert bench.seqs() == [1, 3]
    assert [one.code for one in bench.refusals()] == ["bad_message", "out_of_range"]


def test_a_list_of_nonsense_does_not_become_a_thousand_copies_of_itself(bench: Bench) -> None:
    bench.intake.handle([native_message(payload=b"[" + b",".join([b"1"] * 2000) + b"]")])
    refusals = bench.refusals()
    assert len(refusals) == REFUSALS_PER_MESSAGE_MAX
    assert refusals[-1].reason.endswith(f"(and {2000 - REFUSALS_PER_MESSAGE_MAX} more in this message)")
    assert bench.intake.counts["refused_bad_message"] == 2000
    assert bench.spool.bytes < 200_000


def test_a_batch_too_large_for_one_frame_becomes_several_in_order(tmp_path: Path) -> None:
    bench = Bench(tmp_path, frame_bytes_max=100_000)
    big = [
        native_message(payload=msgspec.json.encode({**GOOD, "seq": seq}) + b" " * 30_000, mid=seq)
        for seq in range(1, 11)
    ]
    bench.intake.handle([*big, native_message(payload=b"{", mid=11)])
    assert len(bench.frames()) >= 4
    assert max(entry.bytes for entry in bench.spool.lanes["telemetry"].values()) <= 100_000
    assert (bench.seqs(), [one.code for one in bench.refusals()]) == (list(range(1, 11)), ["bad_json"])
    assert bench.events[0] == "acknowledged 1 with 11 held"
    numbers = [(one.first_seq, one.last_seq) for one in bench.frames()]
    assert [first for first, _ in numbers] == [1, *(last + 1 for _, last in numbers[:-1])]


def test_the_worst_message_there_may_be_still_fits_into_a_frame_that_can_be_sent(bench: Bench) -> None:
    entries = [b'{"boot":1,"seq":%d,"values":{"n":9}}' % number for number in range(1700)]
    bench.intake.handle([native_message(device_id="D" * 64, kind="lamp", payload=b"[" + b",".join(entries) + b"]")])
    bench.intake.handle([native_message(device_id="D" * 64, kind="other", payload=b"[" + b",".join(entries) + b"]")])
    assert max(entry.bytes for entry in bench.spool.lanes["telemetry"].values()) < 512 * 1024


def test_ten_thousand_invented_names_are_taken_on_an_open_kind_and_the_next_message_too(bench: Bench) -> None:
    bench.intake.handle(
        [
            native_message(kind="other", seq=part, values={f"n{part}_{number}": 1 for number in range(50)})
            for part in range(200)
        ]
    )
    bench.intake.handle([native_message(seq=500)])
    assert len(bench.seqs()) == 201
    assert sum(len(one.readings.numbers) for one in bench.frames()) == 10_001


def test_a_retained_reading_with_its_own_time_is_an_old_reading_and_is_taken(bench: Bench) -> None:
    bench.intake.handle([native_message(retain=True)])
    assert bench.seqs() == [1]


def test_messages_of_another_lane_are_acknowledged_and_leave_nothing(bench: Bench) -> None:
    bench.intake.handle([native_message()._replace(topic="elsewhere/borsdorf")])
    assert (bench.frames(), bench.events) == ([], ["acknowledged 1 with 0 held", "told"])


def test_a_topic_that_no_source_reads_is_kept_as_refused(bench: Bench) -> None:
    bench.intake.handle([native_message()._replace(topic="strange/topic")])
    assert [one.code for one in bench.refusals()] == ["bad_topic"]


def test_without_room_nothing_is_acknowledged_and_with_room_it_goes_on(bench: Bench) -> None:
    bench.spool.bytes_max = 0
    bench.intake.handle([native_message(mid=7)])
    assert bench.rounds_of_waiting == 3
    assert (bench.events, bench.intake.full) == (["acknowledged 7 with 1 held", "told"], False)


def test_told_to_stop_while_it_waits_it_acknowledges_nothing(bench: Bench) -> None:
    bench.spool.bytes_max = 0
    bench.rounds_of_waiting = 10
    bench.intake.handle([native_message()])
    assert (bench.frames(), bench.events, bench.intake.full) == ([], [], True)
