"""Which readings were there before: by example, and against an oracle that remembers everything."""

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from ingest.windows import SEQ_WINDOW, SLOTS_FIRST, Judged, Windows
from tests.support.soak import rounds

pytestmark = pytest.mark.slow

Heard = tuple[str, int, int, int]  # device, boot, seq, t


def judge(windows: Windows, *heard: Heard) -> Judged:
    ids, boots, seqs, times = zip(*heard, strict=True)
    told = np.ones(len(heard), dtype=np.bool_)
    return windows.judge(windows.slots(ids), np.array(boots), np.array(seqs), np.array(times), told)


def verdicts(windows: Windows, *heard: Heard) -> str:
    """n new, r repeat, a ask; a letter for each."""
    judged = judge(windows, *heard)
    pairs = zip(judged.fresh.tolist(), judged.ask.tolist(), strict=True)
    return "".join("n" if fresh else "a" if ask else "r" for fresh, ask in pairs)


def one(seq: int, boot: int = 1, t: int | None = None, device: str = "L1") -> Heard:
    return device, boot, seq, boot * 10_000_000 + seq if t is None else t


def test_a_reading_is_new_once() -> None:
    windows = Windows()
    assert verdicts(windows, one(1), one(2), one(1)) == "nnr"
    assert verdicts(windows, one(2), one(3), one(1, device="L2")) == "rnn"


def test_reordering_within_the_window_loses_nothing_and_doubles_nothing() -> None:
    windows = Windows()
    assert verdicts(windows, one(SEQ_WINDOW)) == "n"
    assert verdicts(windows, *(one(seq) for seq in range(SEQ_WINDOW - 1, 0, -1))) == "n" * (SEQ_WINDOW - 1)
    assert verdicts(windows, *(one(seq) for seq in range(1, SEQ_WINDOW + 1))) == "r" * SEQ_WINDOW


def test_what_is_older_than_the_window_is_asked_for() -> None:
    windows = Windows()
    assert [verdicts(windows, one(seq)) for seq in (1, 1 + SEQ_WINDOW + 64)] == ["n", "n"]
    assert verdicts(windows, one(1), one(2)) == "aa"


def test_the_boot_before_is_still_known_and_older_ones_are_asked_for() -> None:
    windows = Windows()
    verdicts(windows, one(1, boot=1), one(1, boot=2))
    assert verdicts(windows, one(1, boot=1), one(2, boot=1)) == "rn"
    verdicts(windows, one(1, boot=3))
    assert verdicts(windows, one(1, boot=1), one(3, boot=1), one(1, boot=2)) == "aar"


def test_a_counter_of_boots_that_was_reset_begins_anew_and_old_boots_of_the_same_number_are_asked_for() -> None:
    windows = Windows()
    for batch in ([one(1, boot=1, t=100)], [one(1, boot=6, t=150)], [one(1, boot=7, t=200), one(2, boot=7, t=300)]):
        verdicts(windows, *batch)
    assert verdicts(windows, one(1, boot=1, t=400), one(2, boot=1, t=500)) == "nn"
    assert verdicts(windows, one(1, boot=1, t=400), one(2, boot=7, t=300)) == "rr"
    assert verdicts(windows, one(1, boot=1, t=100)) == "a"


def test_within_the_last_two_boots_a_number_is_one_reading_whatever_time_it_says() -> None:
    windows = Windows()
    assert verdicts(windows, one(1, boot=3, t=100)) == "n"
    assert verdicts(windows, one(1, boot=3, t=105), one(2, boot=3, t=106)) == "rn"


def test_an_old_boot_without_a_clock_does_not_push_out_the_last_two() -> None:
    windows = Windows()
    for boot in (3, 4, 5):
        verdicts(windows, one(1, boot=boot, t=boot * 100))
    late = windows.judge(windows.slots(["L1"]), np.array([3]), np.array([1]), np.array([900]), np.array([False]))
    assert (late.fresh.tolist(), late.ask.tolist()) == ([False], [True])
    assert verdicts(windows, one(1, boot=4, t=950), one(1, boot=5, t=960)) == "rr"


def test_numbers_as_large_as_a_message_may_say_are_told_apart() -> None:
    windows = Windows()
    huge = [0, 2**31, 2**37, 2**38, 2**53 - 64, 2**53]
    assert verdicts(windows, *(one(seq, t=seq) for seq in huge)).count("r") == 0
    windows = Windows()
    assert [verdicts(windows, one(seq, t=seq)) for seq in huge] == ["n"] * 6


def test_more_devices_than_there_was_room_for_are_all_remembered() -> None:
    windows = Windows()
    many = [one(1, device=f"D{number}") for number in range(3 * SLOTS_FIRST)]
    assert verdicts(windows, *many) == "n" * len(many)
    assert verdicts(Windows.from_bytes(windows.to_bytes()), *many) == "r" * len(many)


def test_gaps_repeats_and_boots_are_counted() -> None:
    windows = Windows()
    for batch in ([one(1), one(2), one(5), one(5)], [one(1, boot=2), one(3, boot=2)], [one(1, boot=3)]):
        verdicts(windows, *batch)
    assert windows.counted("L1") == {
        "heard": 6, "lost": 3, "repeats": 1, "boots": 3, "boot": 3, "last_seq": 1, "last_t_ms": 30_000_001,
        "last_heard_ms": 0,
    }  # fmt: skip
    assert windows.counted("L2") is None


class WindowsAgainstMemory(RuleBasedStateMachine):
    """Devices whose boots only grow, or are reset and then heard only near; everything may come again, late, mixed.

    The oracle remembers all readings. What the windows want to ask is answered from it, as the journal does.
    """

    @initialize()
    def begin(self) -> None:
        self.windows = Windows()
        self.said: dict[str, list[Heard]] = {"L1": [], "L2": []}  # every reading that a device ever made
        self.boot = {"L1": 1, "L2": 1}
        self.seq = {"L1": 0, "L2": 0}
        self.now = 1000
        self.accepted: set[Heard] = set()
        self.counted: dict[str, int] = {"L1": 0, "L2": 0}
        self.floor = {"L1": 0, "L2": 0}
        self.highest = 0

    devices = st.sampled_from(["L1", "L2"])

    def make(self, device: str, gap: int) -> Heard:
        self.now += 10
        self.seq[device] += gap
        heard = (device, self.boot[device], self.seq[device], self.now)
        self.said[device].append(heard)
        return heard

    def tell(self, batch: list[Heard]) -> None:
        if not batch:
            return
        judged = judge(self.windows, *batch)
        fresh_now: set[Heard] = set()
        for index, heard in enumerate(batch):
            known = heard in self.accepted or heard in fresh_now
            if judged.ask[index]:
                self.windows.note_old(self.windows.slot_of[heard[0]], heard[3], known)
                is_fresh = not known
            else:
                is_fresh = bool(judged.fresh[index])
            assert is_fresh == (not known), (heard, judged)
            if is_fresh:
                fresh_now.add(heard)
                self.counted[heard[0]] += 1
        self.accepted |= fresh_now

    @rule(device=devices, gaps=st.lists(st.sampled_from([1, 1, 1, 2, 63, 64, 65, 1023, 1024, 1025, 5000]), max_size=12))
    def hear_new_ones(self, device: str, gaps: list[int]) -> None:
        self.tell([self.make(device, gap) for gap in gaps])

    @rule(device=devices, gaps=st.lists(st.integers(1, 3), max_size=30), chance=st.randoms(use_true_random=False))
    def hear_new_ones_mixed_up_and_doubled(self, device: str, gaps: list[int], chance: "np.random.Generator") -> None:
        batch = [self.make(device, gap) for gap in gaps]
        batch += batch[::3]
        chance.shuffle(batch)
        self.tell(batch)

    @rule(device=devices, gaps=st.lists(st.integers(1, 700), max_size=6))
    def make_some_that_come_later(self, device: str, gaps: list[int]) -> None:
        for gap in gaps:
            self.make(device, gap)

    @rule(device=devices, picks=st.lists(st.integers(0, 10_000), max_size=20))
    def hear_anything_of_the_past(self, device: str, picks: list[int]) -> None:
        past = [heard for heard in self.said[device] if heard[3] >= self.floor[device]]
        self.tell([past[pick % len(past)] for pick in picks if past])

    @rule(device=devices, more=st.integers(1, 3))
    def reboot(self, device: str, more: int) -> None:
        self.boot[device] += more
        self.seq[device] = 0

    @rule(device=devices)
    def reset_the_counter_of_boots(self, device: str) -> None:
        """To a number that is none of the last two boots: within those, boot and seq are what a reading is known by."""
        for _ in range(2):
            self.highest += 1000  # far away, so that the counter does not come back to them after the reset
            self.boot[device] = self.highest
            self.seq[device] = 0
            self.tell([self.make(device, 1)])
        self.boot[device] = 1
        self.seq[device] = 0
        self.tell([self.make(device, 1)])
        self.floor[device] = self.now

    @rule()
    def restart(self) -> None:
        self.windows = Windows.from_bytes(self.windows.to_bytes())

    @invariant()
    def every_reading_is_counted_once(self) -> None:
        for device, count in getattr(self, "counted", {}).items():
            found = self.windows.counted(device)
            assert (found["heard"] if found else 0) == count


WindowsAgainstMemory.TestCase.settings = settings(max_examples=rounds(150), stateful_step_count=40, deadline=None)
TestWindowsAgainstMemory = WindowsAgainstMemory.TestCase
