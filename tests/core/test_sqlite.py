"""SQLite files: one owner, damage noticed, no room survived, and a sentence instead of a traceback."""

import threading
from pathlib import Path

import pytest

from core.sqlite import Database, StorageDamaged, StorageError, StorageFull, StorageInUse
from tests.support.small_disk import fill, mounted

SCHEMA = "CREATE TABLE IF NOT EXISTS kept (id INTEGER PRIMARY KEY, data BLOB)"
INSERT = "INSERT INTO kept (data) VALUES (?)"
COUNT = "SELECT count(*) FROM kept"


def opened(path: Path, synchronous: str = "FULL") -> Database:
    database = Database(path, synchronous)
    database.open(SCHEMA)
    return database


def add(database: Database, count: int = 1, size: int = 100) -> None:
    with database.transaction() as connection:
        connection.executemany(INSERT, [(bytes(size),)] * count)


def test_what_was_committed_is_there_after_the_next_opening(tmp_path: Path) -> None:
    database = opened(tmp_path / "a.db")
    add(database, 3)
    database.close()
    assert opened(tmp_path / "a.db").execute(COUNT) == [(3,)]


def test_each_commit_is_synced_in_a_write_ahead_log(tmp_path: Path) -> None:
    database = opened(tmp_path / "a.db")
    assert database.execute("PRAGMA journal_mode") == [("wal",)]
    assert database.execute("PRAGMA synchronous") == [(2,)]
    assert database.execute("PRAGMA locking_mode") == [("exclusive",)]


def test_a_transaction_that_fails_leaves_nothing(tmp_path: Path) -> None:
    database = opened(tmp_path / "a.db")
    with pytest.raises(ZeroDivisionError), database.transaction() as connection:
        connection.execute(INSERT, (b"half",))
        raise ZeroDivisionError
    assert database.execute(COUNT) == [(0,)]


def test_a_second_opener_is_told_that_the_file_is_in_use(tmp_path: Path) -> None:
    first = opened(tmp_path / "a.db")
    add(first)
    with pytest.raises(StorageInUse, match=r"a\.db is in use by another process: stop it"):
        opened(tmp_path / "a.db")
    add(first)
    first.close()
    assert opened(tmp_path / "a.db").execute(COUNT) == [(2,)]


def test_an_opener_that_was_refused_holds_nothing_and_may_try_again(tmp_path: Path) -> None:
    first, second = opened(tmp_path / "a.db"), Database(tmp_path / "a.db")
    with pytest.raises(StorageInUse):
        second.open(SCHEMA)
    first.close()
    second.open(SCHEMA)
    add(second)
    second.close()
    assert opened(tmp_path / "a.db").execute(COUNT) == [(1,)]


def test_a_file_that_is_no_database_is_named_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(b"these are my notes " * 500)
    with pytest.raises(StorageDamaged, match=r"a\.db is damaged .*restore it or move it away"):
        opened(path)
    assert path.read_bytes() == b"these are my notes " * 500


def test_a_database_with_damaged_pages_is_noticed_when_it_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    database = opened(path)
    add(database, 2000)
    database.close()
    content = bytearray(path.read_bytes())
    content[4096 * 3 : 4096 * 20] = b"\xa5" * (4096 * 17)
    path.write_bytes(content)
    with pytest.raises(StorageDamaged, match="restore it"):
        opened(path)


def test_damage_that_is_met_while_reading_row_by_row_is_a_storage_error_too(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    database = opened(path)
    add(database, 2000)
    database.close()
    content = bytearray(path.read_bytes())
    content[4096 * 3 : 4096 * 20] = b"\xa5" * (4096 * 17)
    path.write_bytes(content)
    unchecked = Database(path, check=False)
    unchecked.open(SCHEMA)
    with pytest.raises(StorageDamaged):
        list(unchecked.rows("SELECT * FROM kept"))


@pytest.mark.parametrize("path", ["missing/a.db", "."])
def test_a_folder_that_is_missing_or_in_the_way_is_one_clear_sentence(tmp_path: Path, path: str) -> None:
    with pytest.raises(StorageError, match="can't be opened: does its folder exist, may we write there"):
        opened(tmp_path / path)


def test_a_folder_that_may_not_be_written_is_one_clear_sentence(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=4m,ro") as disk, pytest.raises(StorageError, match="may we write there"):
        opened(disk / "a.db")


def test_a_limit_on_the_file_rolls_back_and_says_so(tmp_path: Path) -> None:
    database = opened(tmp_path / "a.db")
    add(database, 10)
    database.execute("PRAGMA max_page_count=20")
    with pytest.raises(StorageFull, match=r"no room for .*free disk space"):
        add(database, 2000)
    assert database.execute(COUNT) == [(10,)]
    database.execute("PRAGMA max_page_count=100000")
    add(database, 5)
    assert database.execute(COUNT) == [(15,)]


def test_a_full_disk_rolls_back_and_with_room_it_goes_on(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=3m") as disk:
        database = opened(disk / "a.db")
        add(database, 10, 1000)
        ballast = fill(disk)
        with pytest.raises(StorageFull):
            add(database, 1000, 1000)
        ballast.unlink()
        add(database, 5, 1000)
        assert (database.execute(COUNT), database.execute("PRAGMA quick_check")) == ([(15,)], [("ok",)])
        database.close()
        assert opened(disk / "a.db").execute(COUNT) == [(15,)]


def test_a_full_disk_at_the_start_is_one_clear_sentence(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=1m") as disk:
        fill(disk)
        with pytest.raises(StorageFull, match=r"free disk space|the disk refuses"):
            opened(disk / "a.db")


def test_it_may_be_used_from_several_threads_one_at_a_time(tmp_path: Path) -> None:
    database = opened(tmp_path / "a.db")
    worker = threading.Thread(target=add, args=(database,))
    worker.start()
    worker.join()
    assert database.execute(COUNT) == [(1,)]
