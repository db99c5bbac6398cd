"""The write loop with a journal, a store and a clock that are moved by hand."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

import pytest

from core.clock import ManualClock
from core.frame import Refusal
from core.reading import EMPTY, Readings, from_rows
from ingest.duck import DuckStore
from ingest.store import Refuse, StoreAway, StoreError
from ingest.writer import (
    BATCH_AT_START,
    BATCH_MAX,
    BATCH_MIN,
    GATHER_S,
    PAUSE_S_MAX,
    PERSON_PAUSE_S,
    StoreWriter,
    WriterState,
    next_batch,
    pause_after,
)
from tests.support.platform import until

REFUSED = Refusal("store_refused", "why", "message", "", "D1", "lamp", 0, b"")


class HandStop(threading.Event):
    """A stop event whose waits only move the clock; real ones would make the tests slow."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__()
        self.clock = clock
        self.waits: list[float] = []
        self.on_wait: Callable[[], None] = lambda: None

    def wait(self, timeout: float | None = None) -> bool:
        self.on_wait()
        self.waits.append(timeout or 0.0)
        self.clock.advance(timeout or 0.0)
        return self.is_set()


@dataclass
class FakeFeed:
    """Positions 0 … head - 1 hold one reading each, but for `empty`; stops the writer when nothing comes any more."""

    head: int
    clock: ManualClock
    stop: threading.Event
    empty: frozenset[int] = frozenset()
    arrivals: list[tuple[float, int]] = field(default_factory=list)

    def read(self, position: int, limit: int) -> tuple[Readings, int]:
        end = min(self.head, position + limit)
        seqs = [number for number in range(position, end) if number not in self.empty]
        return (lamps(seqs) if seqs else EMPTY), end

    def wait(self, position: int, timeout_s: float) -> bool:
        if position < self.head:
            return True
        if not self.arrivals:
            self.stop.set()
            return False
        at_s, count = self.arrivals.pop(0)
        self.clock.advance(max(0.0, at_s - self.clock.monotonic_s()))
        self.head += count
        return True


class FakeStore(DuckStore):
    """Keeps seqs; `troubles` are raised by the next writes, each of which takes `took_s`."""

    name = "fake"

    def __init__(self, clock: ManualClock, troubles: list[Exception] | None = None, took_s: float = 0.0) -> None:
        self.clock, self.troubles, self.took_s = clock, troubles or [], took_s
        self.at, self.writes, self.opened = 0, list[list[int]](), 0
        self.at_s: list[float] = []

    def open(self) -> None:
        self.opened += 1

    def position(self) -> int:
        return self.at

    def write(self, readings: Readings, position: int, refuse: Refuse | None = None) -> list[Refusal]:
        self.clock.advance(self.took_s)
        if self.troubles:
            raise self.troubles.pop(0)
        assert refuse is not None
        if 13 in readings.seq:
            refuse([REFUSED])
        self.writes.append(readings.seq.tolist())
        self.at_s.append(self.clock.monotonic_s())
        self.at = position
        return []


def lamps(seqs: list[int]) -> Readings:
    count = len(seqs)
    return from_rows([f"D{seq}" for seq in seqs], ["lamp"] * count, seqs, seqs, [1] * count, seqs, [{}] * count)


@dataclass
class Bench:
    """A writer with everything around it by hand; `run` ends when the journal is empty."""

    head: int = 0
    troubles: list[Exception] = field(default_factory=list)
    took_s: float = 0.0
    fatal: list[BaseException] = field(default_factory=list)
    refused: list[tuple[Refusal, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock = ManualClock(1_768_068_000_000)
        self.stop = HandStop(self.clock)
        self.feed = FakeFeed(self.head, self.clock, self.stop)
        self.store = FakeStore(self.clock, self.troubles, self.took_s)
        self.writer = StoreWriter(
            self.store, self.feed, self.clock, Random(5), self.refuse, self.fatal.append, self.stop
        )
        self.states: list[WriterState] = []
        self.stop.on_wait = lambda: self.states.append(self.writer.state())

    def run_thread(self) -> None:
        """Run in the writer's own thread, which is the one that reports what nobody foresaw."""
        self.writer.start()
        until("the thread ended", lambda: not self.writer.state().is_running and bool(self.fatal), 10)

    def refuse(self, refusals: list[Refusal]) -> None:
        self.refused += [(refusal, self.store.at) for refusal in refusals]

    @property
    def stored(self) -> list[int]:
        return [seq for write in self.store.writes for seq in write]


def test_everything_in_the_journal_is_written_once_and_in_order() -> None:
    bench = Bench(head=9_001)
    bench.writer.run()
    assert bench.stored == list(range(9_001))
    assert (bench.writer.position, bench.writer.state().lag, bench.writer.state().trouble) == (9_001, 0, None)


def test_it_goes_on_where_the_store_is() -> None:
    bench = Bench(head=100)
    bench.store.at = 60
    bench.writer.run()
    assert bench.stored == list(range(60, 100))


def test_a_stretch_without_readings_moves_the_position() -> None:
    bench = Bench(head=50)
    bench.feed.empty = frozenset(range(50))
    bench.writer.run()
    assert (bench.stored, bench.store.at) == ([], 50)


def test_a_store_that_is_away_loses_nothing_and_gets_the_readings_later() -> None:
    bench = Bench(head=5_000, troubles=[StoreAway("down") for _ in range(30)])
    bench.writer.run()
    assert bench.stored == list(range(5_000))
    pauses = bench.stop.waits[:30]
    assert max(pauses) <= PAUSE_S_MAX
    assert max(pauses[12:]) > 10
    assert bench.store.opened == 31


def test_a_store_that_says_when_is_left_alone_until_then() -> None:
    bench = Bench(head=10, troubles=[StoreAway("busy", 17.0), StoreAway("busy", 1e9)])
    bench.writer.run()
    assert 17.0 <= bench.stop.waits[0] < 18.0
    assert 600.0 <= bench.stop.waits[1] < 601.0


def test_a_store_that_needs_a_person_is_tried_slowly_and_says_so() -> None:
    bench = Bench(head=10, troubles=[StoreError("the token is wrong")])
    bench.writer.run()
    told = bench.states[0]
    assert (told.trouble, told.needs_person, told.since_ms) == ("the token is wrong", True, 1_768_068_000_000)
    assert PERSON_PAUSE_S / 2 <= bench.stop.waits[0] <= PERSON_PAUSE_S
    assert bench.stored == list(range(10))
    assert (bench.writer.state().trouble, bench.writer.state().since_ms) == (None, None)


def test_since_when_is_the_first_of_several_failures() -> None:
    bench = Bench(head=10, troubles=[StoreAway("down"), StoreAway("still down"), KeyError("ours")])
    bench.run_thread()
    assert bench.writer.state().since_ms == 1_768_068_000_000
    assert bench.clock.now_ms() > 1_768_068_000_000


def test_refusals_are_handed_on_before_the_position_moves() -> None:
    bench = Bench(head=20)
    bench.writer.run()
    assert bench.refused == [(REFUSED, 0)]


def test_an_error_nobody_foresaw_is_told_and_ends_the_thread() -> None:
    bench = Bench(head=20, troubles=[ZeroDivisionError("ours")])
    bench.run_thread()
    assert [type(error) for error in bench.fatal] == [ZeroDivisionError]
    assert bench.writer.state().is_running is False
    assert "ours" in (bench.writer.state().trouble or "")


def test_a_backlog_is_written_in_growing_batches_without_pauses() -> None:
    bench = Bench(head=200_000)
    bench.writer.run()
    sizes = [len(write) for write in bench.store.writes]
    assert sizes[:4] == [BATCH_AT_START, 2 * BATCH_AT_START, 4 * BATCH_AT_START, 8 * BATCH_AT_START]
    assert max(sizes) == BATCH_MAX
    assert set(bench.stop.waits) <= {GATHER_S}


def test_a_slow_store_gets_smaller_batches_but_never_tiny_ones() -> None:
    bench = Bench(head=10_000, took_s=3.0)
    bench.writer.run()
    sizes = [len(write) for write in bench.store.writes]
    assert sizes[:4] == [BATCH_AT_START, 1000, BATCH_MIN, BATCH_MIN]


def test_a_trickle_is_gathered_for_half_a_second_and_a_late_reading_goes_at_once() -> None:
    bench = Bench(head=0)
    start_s = bench.clock.monotonic_s()
    bench.feed.arrivals = [(start_s + 0.1 * number, 3) for number in range(1, 31)] + [(start_s + 60.0, 1)]
    bench.writer.run()
    assert bench.stored == list(range(91))
    gaps_s = [later - earlier for earlier, later in zip(bench.store.at_s, bench.store.at_s[1:], strict=False)]
    assert min(gaps_s) >= GATHER_S - 0.001
    assert bench.store.at_s[-1] - start_s == pytest.approx(60.0)


def test_a_thread_starts_and_stops_and_may_be_stopped_unstarted() -> None:
    bench = Bench(head=10)
    bench.writer.start()
    assert bench.writer.stop() is True
    assert Bench().writer.stop() is True


@pytest.mark.parametrize("failures", [1, 2, 5, 50, 10_000])
def test_pauses_are_spread_over_the_whole_span_and_bounded(failures: int) -> None:
    rng = Random(1)
    pauses = [pause_after(failures, None, rng) for _ in range(200)]
    longest = min(PAUSE_S_MAX, 0.5 * 2.0 ** min(failures, 20))
    assert 0 <= min(pauses) < 0.1 * longest
    assert 0.9 * longest < max(pauses) <= longest


def test_a_batch_stays_within_its_bounds() -> None:
    assert next_batch(BATCH_MAX, BATCH_MAX, 0.01) == BATCH_MAX
    assert next_batch(BATCH_MIN, 1, 10.0) == BATCH_MIN
    assert next_batch(4000, 3999, 0.01) == 4000
    assert next_batch(4000, 4000, 1.0) == 4000
