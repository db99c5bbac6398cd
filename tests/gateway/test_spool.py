"""The gateway's memory: what was committed is there after any restart, in order, and nothing is numbered twice."""

from pathlib import Path

import pytest

from core import frame as frames
from core.clock import ManualClock
from core.frame import Frame
from core.sqlite import Database, StorageFull
from gateway.spool import MIB, SOS_RESERVE_BYTES, Entry, Spool
from tests.support.records import T0_MS, frame, reading, refusal
from tests.support.small_disk import fill, mounted


def spool_at(folder: Path, clock: ManualClock | None = None, bytes_max: int = 64 * MIB) -> Spool:
    spool = Spool(Database(folder / "spool.db"), clock or ManualClock(T0_MS), bytes_max)
    spool.open()
    return spool


def add(spool: Spool, lane: str = "telemetry", size: int = 10, kept: dict[str, bytes] | None = None) -> Entry:
    def seal(epoch: int, first_seq: int) -> Frame:
        return frame(reading(), [refusal(raw=bytes(size))], first_seq, "gw1", epoch, lane)

    return spool.append(lane, seal, kept)


def test_what_was_appended_waits_with_contiguous_numbers(tmp_path: Path) -> None:
    spool = spool_at(tmp_path)
    entries = [add(spool) for _ in range(3)]
    assert [(one.first_seq, one.last_seq) for one in entries] == [(1, 2), (3, 4), (5, 6)]
    assert spool.waiting(10) == entries
    assert frames.decode(spool.data(entries[1].id) or b"").first_seq == 3
    assert spool.depth() == (3, sum(one.bytes for one in entries), T0_MS)


def test_sos_overtakes_everything_that_waits(tmp_path: Path) -> None:
    spool = spool_at(tmp_path)
    order = [add(spool, lane) for lane in ("telemetry", "sos", "telemetry", "sos")]
    assert spool.waiting(10) == [order[1], order[3], order[0], order[2]]
    assert spool.waiting(3) == [order[1], order[3], order[0]]


def test_after_a_restart_everything_waits_again_under_its_old_numbers_and_a_new_epoch_begins(tmp_path: Path) -> None:
    before = spool_at(tmp_path)
    entries = [add(before, lane) for lane in ("telemetry", "sos", "telemetry")]
    before.close()
    after = spool_at(tmp_path)
    assert after.waiting(10) == [entries[1], entries[0], entries[2]]
    assert (after.epoch > before.epoch, add(after).first_seq) == (True, 1)


def test_epochs_grow_when_the_clock_is_set_back(tmp_path: Path) -> None:
    epochs = []
    for ms in (T0_MS, T0_MS - 1_000_000, 0, T0_MS + 5):
        spool = spool_at(tmp_path, ManualClock(ms))
        epochs.append(spool.epoch)
        spool.close()
    assert epochs == [T0_MS, T0_MS + 1, T0_MS + 2, T0_MS + 5]


def test_what_was_released_is_gone_at_once_and_deleted_with_the_next_commit(tmp_path: Path) -> None:
    spool = spool_at(tmp_path)
    first, second = add(spool), add(spool)
    spool.release([first, first])
    assert (spool.waiting(5), spool.bytes) == ([second], second.bytes)
    add(spool)
    assert spool.database.execute("SELECT id FROM frame ORDER BY id") == [(second.id,), (second.id + 1,)]
    assert spool.data(first.id) is None


def test_what_was_released_is_deleted_without_a_commit_when_it_tidies(tmp_path: Path) -> None:
    spool = spool_at(tmp_path)
    spool.release([add(spool)])
    spool.tidy()
    assert spool.database.execute("SELECT count(*) FROM frame") == [(0,)]
    spool.tidy()


def test_ids_of_frames_are_never_used_twice(tmp_path: Path) -> None:
    spool = spool_at(tmp_path)
    first = add(spool)
    spool.release([first])
    spool.close()
    assert add(spool_at(tmp_path)).id > first.id


def test_frames_are_found_by_exactly_the_records_they_hold(tmp_path: Path) -> None:
    spool = spool_at(tmp_path)
    first, second = add(spool), add(spool)
    assert spool.find(spool.epoch, [(1, 2), (3, 4), (5, 6)]) == [first, second]
    assert spool.find(spool.epoch, [(1, 3), (2, 2)]) == []
    assert spool.find(spool.epoch - 1, [(1, 2)]) == []
    spool.release([first])
    assert spool.find(spool.epoch, [(1, 2)]) == []


def test_small_things_are_kept_in_the_same_commit(tmp_path: Path) -> None:
    spool = spool_at(tmp_path)
    add(spool, kept={"session/L1": b"one"})
    spool.keep("session/L2", b"two")
    add(spool, kept={"session/L1": b"three"})
    spool.close()
    assert spool_at(tmp_path).kept() == {"session/L1": b"three", "session/L2": b"two"}


def test_when_it_is_full_the_last_part_is_for_sos_alone(tmp_path: Path) -> None:
    spool = spool_at(tmp_path, bytes_max=SOS_RESERVE_BYTES + MIB)
    for _ in range(2):
        add(spool, size=600_000)
    with pytest.raises(StorageFull, match="the spool holds 1 MiB and may hold 1 MiB"):
        add(spool)
    for _ in range(28):
        add(spool, "sos", size=600_000)
    with pytest.raises(StorageFull):
        add(spool, "sos")
    spool.release(list(spool.lanes["sos"].values()))
    assert add(spool, "sos").first_seq == 61


def test_a_refused_append_uses_no_number_and_leaves_no_trace(tmp_path: Path) -> None:
    spool = spool_at(tmp_path)
    spool.bytes_max = 0
    with pytest.raises(StorageFull):
        add(spool)
    spool.bytes_max = 64 * MIB
    assert (add(spool).first_seq, spool.depth()[0]) == (1, 1)


def test_a_full_disk_is_waited_out_without_losing_what_was_committed_or_released(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=4m") as disk:
        spool = spool_at(disk)
        held = [add(spool, size=1000) for _ in range(5)]
        spool.release(held[:1])
        ballast = fill(disk)
        with pytest.raises(StorageFull):
            add(spool, size=500_000)
        spool.tidy()
        ballast.unlink()
        assert add(spool).first_seq == 11
        spool.close()
        assert [one.first_seq for one in spool_at(disk).waiting(10)] == [3, 5, 7, 9, 11]


def test_on_a_disk_that_stays_full_tidying_up_and_closing_raise_nothing(tmp_path: Path) -> None:
    spool = spool_at(tmp_path)
    spool.release([add(spool)])
    spool.database.execute("CREATE TEMP TRIGGER full BEFORE DELETE ON main.frame BEGIN SELECT no_room(); END")

    def no_room(*_: object) -> None:
        raise StorageFull("no room")

    spool.database.connection.create_scalar_function("no_room", no_room)
    spool.tidy()
    assert spool.database.execute("SELECT count(*) FROM frame") == [(1,)]
    spool.close()
    assert spool_at(tmp_path).depth()[0] == 1
