"""The books: duplicates judged with the journal's help, and the same books after a fold as before the crash."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from core.frame import Frame
from core.reading import Readings, concat
from ingest.books import Asked, Books, Verdict
from ingest.windows import SEQ_WINDOW
from tests.support.records import T0_MS, frame, reading, refusal

A, D = int(Verdict.ACCEPTED), int(Verdict.DUPLICATE)


class Memory:
    """What the journal would say: every accepted (device, t, seq)."""

    def __init__(self) -> None:
        self.known: list[Readings] = []
        self.questions = 0

    def was_there(self, device_id: str, asked: Asked) -> NDArray[np.bool_]:
        self.questions += 1
        there = concat(self.known)
        return asked.among(there.select(np.array([one == device_id for one in there.device_ids], dtype=np.bool_)))

    def take(self, readings: Readings, verdict: NDArray[np.uint8]) -> None:
        self.known.append(readings.select(verdict == Verdict.ACCEPTED))


def said(*rows: tuple[int, int, int], device_id: str = "L1") -> Readings:
    """Readings as (boot, seq, t)."""
    return concat([reading(device_id, boot, seq, T0_MS + t) for boot, seq, t in rows])


def untimed(boot: int, seq: int, t: int) -> Readings:
    one = reading("L1", boot, seq, T0_MS + t)
    return one.with_times(one.received_ms)


def judge(books: Books, memory: Memory, readings: Readings) -> list[int]:
    verdict = np.full(len(readings), Verdict.ACCEPTED, dtype=np.uint8)
    books.judge(frame(readings), verdict, memory.was_there)
    memory.take(readings, verdict)
    return list(verdict.tolist())


def test_repeats_are_duplicates() -> None:
    books, memory = Books(), Memory()
    assert judge(books, memory, said((1, 1, 0), (1, 2, 10), (1, 1, 0))) == [A, A, D]
    assert judge(books, memory, said((1, 2, 10), (1, 3, 20))) == [D, A]
    assert memory.questions == 0


def test_what_is_too_old_for_the_windows_is_asked_for_by_time_and_number() -> None:
    books, memory = Books(), Memory()
    judge(books, memory, said((1, 1, 0)))
    judge(books, memory, said((1, SEQ_WINDOW + 65, 5000)))
    assert judge(books, memory, said((1, 1, 0), (1, 2, 10), (1, 2, 10))) == [D, A, D]
    assert memory.questions == 1


def test_two_readings_of_one_instant_are_two_also_when_they_come_late() -> None:
    books, memory = Books(), Memory()
    for boot in (1, 2, 3):
        judge(books, memory, said((boot, 1, boot * 1000)))
    assert judge(books, memory, said((1, 7, 1500), (1, 8, 1500))) == [A, A]
    assert judge(books, memory, said((1, 8, 1500), (1, 9, 1500))) == [D, A]


def test_a_device_that_stamps_each_try_anew_is_still_heard_once() -> None:
    books, memory = Books(), Memory()
    assert judge(books, memory, said((3, 1, 0), (3, 1, 5))) == [A, D]
    assert judge(books, memory, said((3, 1, 900))) == [D]


def test_old_boots_without_a_clock_are_told_apart_by_their_numbers_alone() -> None:
    books, memory = Books(), Memory()
    for boot in (3, 4, 5):
        assert judge(books, memory, untimed(boot, 1, boot * 1000)) == [A]
    assert judge(books, memory, untimed(3, 1, 9000)) == [D]
    assert judge(books, memory, concat([untimed(3, 2, 9100), untimed(2, 1, 9100), untimed(2, 1, 9200)])) == [A, A, D]
    assert judge(books, memory, concat([untimed(4, 1, 9300), untimed(5, 1, 9300), untimed(2, 1, 9400)])) == [D, D, D]


def test_a_device_without_a_clock_is_told_apart_by_its_numbers_alone() -> None:
    books, memory = Books(), Memory()
    assert judge(books, memory, untimed(1, 1, 0)) == [A]
    assert judge(books, memory, untimed(1, 1, 9_000)) == [D]


def test_a_radio_frame_that_is_heard_again_later_is_a_repeat() -> None:
    books, memory, session = Books(), Memory(), 1_768_000_000
    assert judge(books, memory, said((session, 7, 0))) == [A]
    assert judge(books, memory, said((session, 7, 197_000), (session, 8, 300_000))) == [D, A]


def test_only_devices_that_are_known_are_judged() -> None:
    books = Books()
    verdict = np.array([Verdict.UNKNOWN_DEVICE, Verdict.ACCEPTED], dtype=np.uint8)
    books.judge(frame(concat([reading("X9"), reading("L1")])), verdict, Memory().was_there)
    assert verdict.tolist() == [Verdict.UNKNOWN_DEVICE, Verdict.ACCEPTED]
    assert list(books.windows.slot_of) == ["L1"]


def test_records_are_counted_by_what_became_of_them() -> None:
    books = Books()
    refusals = [refusal(), refusal(scope="value")]
    held = frame(concat([reading(seq=1), reading(seq=1), reading("X9")]), refusals, first_seq=1)
    verdict = np.array([A, D, Verdict.UNKNOWN_DEVICE, Verdict.REFUSED, Verdict.REFUSED], dtype=np.uint8)
    books.enter(held, verdict, T0_MS)
    assert dict(books.counts) == {
        "accepted": 1, "duplicate": 1, "unknown_device": 1, "wrong_kind": 0, "refused": 1, "value_refused": 1,
        "records": 5,
    }  # fmt: skip
    assert books.ledger.holds("gw1", 1, 1, 5)


ROWS = st.lists(st.tuples(st.integers(1, 4), st.integers(1, 2500), st.integers(0, 30)), min_size=1, max_size=12)


@given(st.lists(ROWS, max_size=10), st.integers(0, 10))
def test_a_fold_of_the_journal_gives_the_books_as_they_were(batches: list[list[tuple[int, int, int]]], at: int) -> None:
    live, memory, opening = Books(), Memory(), b""
    blocks: list[tuple[Frame, NDArray[np.uint8]]] = []
    first_seq = 1
    for number, rows in enumerate(batches):
        if number == at % len(batches):
            opening, blocks = live.to_bytes(), []
        held = frame(said(*rows), first_seq=first_seq)
        verdict = np.full(len(held), Verdict.ACCEPTED, dtype=np.uint8)
        live.judge(held, verdict, memory.was_there)
        memory.take(held.readings, verdict)
        live.enter(held, verdict, T0_MS)
        blocks.append((held, verdict))
        first_seq += len(held)
    folded = Books.from_bytes(opening) if opening else Books()
    for held, verdict in blocks:
        folded.refold(held, verdict)
        folded.enter(held, verdict, T0_MS)
    assert folded.to_bytes() == live.to_bytes()
