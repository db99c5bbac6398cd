"""The proof: a clean state is ok; what is missing, lost or damaged is found and named."""

from collections.abc import Iterator
from pathlib import Path

import apsw
import duckdb
import pytest

from core.clock import ManualClock
from core.sqlite import StorageError, StorageInUse
from ingest.duck import DuckStore
from ingest.store import Query, StoreAway
from ingest.verify import Report, verify, verify_files
from tests.support.frames import FedCentre, Said, fed_centre, lamps, make_frame, message_of, refused


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[FedCentre]:
    with fed_centre(tmp_path) as fed:
        yield fed


def everything(centre: FedCentre) -> None:
    """Accepted, repeated, unknown, of a wrong kind, refused whole and in part: nine records."""
    strange = [Said("WHO", 1, {"power_w": 1.0}), Said("NAU-L1", 99, {"occupied": True}, kind="parking")]
    said = [*lamps(4), lamps(1)[0], *strange]
    centre.take(make_frame(said, [refused(), refused("out_of_range", scope="value")]))


def files(centre: FedCentre, deep: bool = True) -> Report:
    centre.ingest.stop()
    centre.store.close()
    return verify_files(centre.folder, [DuckStore(centre.store.path)], ManualClock(), deep)


def test_a_clean_state_is_ok_and_its_sums_hold(centre: FedCentre) -> None:
    everything(centre)
    report = verify(centre.ingest, deep=True)
    assert (report.ok, report.problems) == (True, [])
    assert (report.received, report.journaled, report.quarantined) == (9, 5, 4)
    assert (report.accepted, report.duplicates) == (4, 1)
    assert report.stored == {"duckdb": 4}
    assert report.positions == {"duckdb": 9, "quarantine": 9}
    assert report.journal_head == 9
    line = report.gateways[0]
    assert (line.id, line.epoch, line.first_seq, line.last_seq, line.missing) == ("gw1", 1, 1, 9, [])


def test_an_empty_platform_is_ok(centre: FedCentre) -> None:
    assert verify(centre.ingest, deep=True).ok


def test_the_files_of_a_stopped_platform_give_the_same_report(centre: FedCentre) -> None:
    everything(centre)
    running = verify(centre.ingest, deep=True)
    assert files(centre) == running


def test_records_that_did_not_come_are_named(centre: FedCentre) -> None:
    centre.take(make_frame(lamps(3)), make_frame(lamps(2, first=10), first_seq=7))
    report = verify(centre.ingest)
    assert not report.ok
    assert report.gateways[0].missing == [(4, 6)]
    assert "3 records of gateway gw1, epoch 1 did not come (yet): 4 … 6" in report.problems[0]


def test_a_gap_is_closed_by_the_frame_that_comes_late(centre: FedCentre) -> None:
    centre.take(make_frame(lamps(2, first=5), first_seq=3), make_frame(lamps(2)))
    assert verify(centre.ingest).ok


def test_a_frame_that_comes_again_changes_nothing(centre: FedCentre) -> None:
    frame = make_frame(lamps(3))
    centre.take(frame, frame)
    report = verify(centre.ingest)
    assert (report.ok, report.received, report.stored) == (True, 3, {"duckdb": 3})


def test_a_store_that_lost_rows_is_found(centre: FedCentre) -> None:
    centre.take(make_frame(lamps(5)))
    centre.ingest.stop()
    centre.store.close()
    with duckdb.connect(str(centre.store.path)) as connection:
        connection.execute("DELETE FROM lamp WHERE seq = 2")
    report = verify_files(centre.folder, [DuckStore(centre.store.path)], ManualClock())
    assert not report.ok
    assert report.problems == [
        "duckdb holds 4 readings, expected 5: 1 are not there (the quarantine shows what a store refused)"
    ]


def test_a_store_that_deletes_old_readings_may_hold_fewer(centre: FedCentre) -> None:
    centre.take(make_frame(lamps(5)))
    centre.ingest.stop()
    centre.store.close()
    with duckdb.connect(str(centre.store.path)) as connection:
        connection.execute("DELETE FROM lamp WHERE seq = 2")
    report = verify_files(centre.folder, [DuckStore(centre.store.path)], ManualClock(), keeps_all=False)
    assert report.ok
    assert any("which may be the old ones that it deletes" in note for note in report.notes)


def test_a_store_with_a_row_twice_is_found(centre: FedCentre) -> None:
    centre.take(make_frame(lamps(5)))
    centre.ingest.stop()
    centre.store.close()
    with duckdb.connect(str(centre.store.path)) as connection:
        connection.execute("INSERT INTO lamp SELECT * FROM lamp WHERE seq = 2")
    report = verify_files(centre.folder, [DuckStore(centre.store.path)], ManualClock())
    assert report.problems == ["duckdb holds 6 readings, only 5 were accepted: 1 too many"]


def test_a_store_that_is_behind_is_a_note_and_what_it_must_hold_is_still_compared(centre: FedCentre) -> None:
    centre.take(make_frame(lamps(5)))
    centre.ingest.writers[0].stop()
    centre.ingest.accepts["telemetry"].handle([message_of(make_frame(lamps(3, first=5), first_seq=6))])
    report = files(centre)
    assert report.ok, report.problems
    assert report.stored == {"duckdb": 5}
    assert report.notes[0] == "duckdb has 3 records of the journal still before it"
    with duckdb.connect(str(centre.store.path)) as connection:
        connection.execute("DELETE FROM lamp WHERE seq = 2")
    report = verify_files(centre.folder, [DuckStore(centre.store.path)], ManualClock())
    assert report.problems[0].startswith("duckdb holds 4 readings, expected 5: 1 are not there")


def test_a_writer_that_stands_still_is_a_problem(centre: FedCentre) -> None:
    centre.take(make_frame(lamps(1)))
    centre.ingest.writers[0].stop()
    report = verify(centre.ingest)
    assert report.problems == ["the writer of duckdb stands still: it was not started"]


class AwayStore(DuckStore):
    """A store that does not answer questions."""

    def count(self, query: Query) -> int:
        raise StoreAway("nobody answers")


def test_a_store_that_is_away_is_a_note(centre: FedCentre) -> None:
    centre.take(make_frame(lamps(1)))
    centre.ingest.stop()
    centre.store.close()
    report = verify_files(centre.folder, [AwayStore(centre.store.path)], ManualClock())
    assert report.ok
    assert report.stored == {"duckdb": None}
    assert "duckdb could not be asked: nobody answers" in report.notes


def test_a_store_that_can_not_be_opened_is_a_problem(centre: FedCentre) -> None:
    centre.take(make_frame(lamps(1)))
    centre.ingest.stop()
    centre.store.close()
    centre.store.path.write_bytes(b"no database at all" * 1000)
    report = verify_files(centre.folder, [DuckStore(centre.store.path)], ManualClock())
    assert not report.ok
    assert report.problems[0].startswith("duckdb could not be asked: DuckDB can't open")


def spoil(centre: FedCentre, sql: str) -> None:
    """Change the journal's file behind its back."""
    (path,) = (centre.folder / "journal").glob("segment-*.db")
    connection = apsw.Connection(str(path))
    try:
        connection.execute(sql)
    finally:
        connection.close()


DAMAGES = {
    "frame": "UPDATE block SET frame = CAST(substr(frame, 1, length(frame) - 9) AS BLOB) WHERE position = 3",
    "verdict": "UPDATE block SET verdict = x'0101' WHERE position = 3",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_block_of_a_stopped_platform_is_named(centre: FedCentre, damage: str) -> None:
    centre.take(make_frame(lamps(3)), make_frame(lamps(2, first=3), first_seq=4))
    centre.ingest.stop()
    centre.store.close()
    spoil(centre, DAMAGES[damage])
    report = verify_files(centre.folder, [DuckStore(centre.store.path)], ManualClock())
    assert not report.ok
    assert "damaged" in report.problems[0]


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_and_missing_blocks_under_a_running_platform_are_named_one_by_one(
    centre: FedCentre, damage: str
) -> None:
    centre.take(*(make_frame(lamps(2, first=2 * n), first_seq=1 + 2 * n) for n in range(30)))
    segment = centre.ingest.journal.segments[0]
    segment.database.execute(DAMAGES[damage].replace("position = 3", "position = 4"))
    segment.database.execute("DELETE FROM block WHERE position = 44")
    report = verify(centre.ingest, deep=True)
    assert not report.ok
    assert "the block at position 4 is damaged" in report.problems[0]
    assert report.problems[1].endswith("positions 44 … 45 are not there")
    assert len(report.problems) == 2
    assert verify(centre.ingest, deep=False).ok


def test_blocks_that_are_gone_at_the_end_are_found(centre: FedCentre) -> None:
    centre.take(make_frame(lamps(2)), make_frame(lamps(2, first=2), first_seq=3))
    centre.ingest.journal.segments[0].database.execute("DELETE FROM block WHERE position = 2")
    report = verify(centre.ingest, deep=True)
    assert report.problems[0].endswith("positions 2 … 3 are not there")


def test_books_that_disagree_with_the_blocks_are_found(centre: FedCentre) -> None:
    centre.take(make_frame(lamps(3)))
    centre.ingest.journal.books.counts["accepted"] -= 1
    centre.ingest.journal.books.counts["duplicate"] += 1
    report = verify(centre.ingest, deep=True)
    assert "the journal's blocks, counted again, give other numbers than its books" in report.problems
    assert "duckdb holds 3 readings, only 2 were accepted: 1 too many" in report.problems


def test_a_quarantine_that_lost_its_counts_is_found(centre: FedCentre) -> None:
    centre.take(make_frame((), [refused(), refused()]))
    centre.ingest.quarantine.database.execute("DELETE FROM counted")
    assert verify(centre.ingest).problems == ["the quarantine counted 0 records, expected at least 2"]


def test_a_folder_without_a_journal_is_refused_and_stays_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="there is no journal in"):
        verify_files(tmp_path, [], ManualClock())
    assert list(tmp_path.iterdir()) == []


def test_a_running_platforms_files_are_not_opened(centre: FedCentre) -> None:
    with pytest.raises(StorageInUse, match="in use by another process"):
        verify_files(centre.folder, [], ManualClock())


def test_several_segments_are_walked_and_pruned_ones_are_no_problem(centre: FedCentre) -> None:
    journal = centre.ingest.journal
    centre.take(make_frame(lamps(3)))
    with journal.exclusive():
        journal._rotate()
    centre.take(make_frame(lamps(3, first=3), first_seq=4))
    assert verify(centre.ingest, deep=True).ok
    centre.clock.advance(30 * 86_400)
    assert len(journal.prune(journal.head)) == 1
    report = verify(centre.ingest, deep=True)
    assert (report.ok, report.received, report.stored) == (True, 6, {"duckdb": 6})
    assert "1 blocks of the journal were read again" in report.notes
