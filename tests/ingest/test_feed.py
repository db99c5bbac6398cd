"""The journal as stores see it: accepted readings only, by position, without a gap."""

from pathlib import Path

import numpy as np
import pytest

from core import frame as frames
from core.clock import ManualClock
from core.reading import concat
from ingest.books import Verdict
from ingest.feed import JournalFeed
from ingest.journal import Entry, Journal, JournalLimits
from tests.support.records import T0_MS, frame, reading, refusal

A, D, U, R = Verdict.ACCEPTED, Verdict.DUPLICATE, Verdict.UNKNOWN_DEVICE, Verdict.REFUSED


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    made = Journal(tmp_path / "journal", ManualClock(T0_MS), JournalLimits(segment_bytes=400))
    made.open()
    return made


def add(journal: Journal, seqs: list[int], verdicts: list[Verdict], refusals: int = 0) -> None:
    readings = concat([reading(seq=seq) for seq in seqs]) if seqs else None
    made = frame(readings, [refusal()] * refusals, journal.head + 1)
    journal.append([Entry(frames.encode(made), made, np.array(verdicts, dtype=np.uint8))])


def test_stores_get_what_was_accepted_and_the_position_after_it(journal: Journal) -> None:
    add(journal, [1, 2, 3], [A, D, U])
    add(journal, [4], [A, R], refusals=1)
    readings, position = JournalFeed(journal).read(0, 1000)
    assert (readings.seq.tolist(), position, JournalFeed(journal).head) == ([1, 4], 5, 5)


def test_where_nothing_concerns_a_store_the_position_moves_on(journal: Journal) -> None:
    add(journal, [], [R, R], refusals=2)
    readings, position = JournalFeed(journal).read(0, 1000)
    assert (len(readings), position) == (0, 2)


def test_at_the_end_there_is_nothing_and_the_position_stays(journal: Journal) -> None:
    add(journal, [1], [A])
    readings, position = JournalFeed(journal).read(1, 1000)
    assert (len(readings), position, JournalFeed(journal).wait(1, 0.01)) == (0, 1, False)


def test_step_by_step_everything_comes_once_over_segments(journal: Journal) -> None:
    for seq in range(1, 60, 2):
        add(journal, [seq, seq + 1], [A, A])
    assert len(journal.segments) > 3
    found, position = [], 0
    while position < journal.head:
        readings, position = JournalFeed(journal).read(position, 5)
        found += readings.seq.tolist()
    assert found == list(range(1, 61))


def test_a_store_that_was_away_too_long_goes_on_with_the_oldest_there_is(journal: Journal) -> None:
    for seq in range(1, 20):
        add(journal, [seq], [A])
    journal.segments.pop(0).close()
    journal._recent.clear()
    readings, position = JournalFeed(journal).read(0, 1)
    assert (readings.seq.tolist()[0], position) == (journal.tail + 1, journal.tail + 1)
