"""DuckStore: what its file shows to people, how it grows with core.kinds, and that no crash halves a batch."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import duckdb
import pytest

import ingest.duck
from core import kinds
from core.reading import Readings, from_rows
from ingest.duck import DuckStore
from ingest.store import Query, StoreError

T0 = 1_768_068_000_000

DIE = """
import sys
from pathlib import Path
from core.reading import from_rows
from ingest.duck import DuckStore
store = DuckStore(Path(sys.argv[1]))
store.open()
for position in range(1, 4):
    ids = [f"NAU-L{position}-{number}" for number in range(1000)]
    times = [1768068000000] * 1000
    readings = from_rows(ids, ["lamp"] * 1000, times, times, [1] * 1000, range(1000), [{"dim_pct": 1.0}] * 1000)
    store.write(readings, position)
"""

FILL = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from core.reading import from_rows
from ingest.duck import DuckStore
from ingest.store import Query, StoreError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4 * 1024 * 1024, resource.RLIM_INFINITY))
store, rng = DuckStore(Path(sys.argv[1])), np.random.default_rng(1)
store.open()
troubles, number = [], 0
while number < 60 and len(troubles) < 6:
    values = [{"power_w": value} for value in rng.random(5000).tolist()]
    times = [1768068000000 + number * 5000 + row for row in range(5000)]
    try:
        store.write(from_rows(["L"] * 5000, ["lamp"] * 5000, times, times, [1] * 5000, times, values), number + 1)
        number += 1
    except StoreError as error:
        troubles.append(str(error))
        if len(troubles) == 3:
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
store.open()
print(len(troubles), store.position() == number, store.count(Query()) == 5000 * number, number, troubles[:1])
"""


def lamps(count: int, first: int = 0) -> Readings:
    numbers = range(first, first + count)
    return from_rows(
        [f"NAU-L{number % 50}" for number in numbers],
        ["lamp"] * count,
        [T0 + number for number in numbers],
        [T0 + number + 250 for number in numbers],
        [1] * count,
        list(numbers),
        [{"power_w": float(number)} for number in numbers],
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "readings.duckdb"


def test_people_who_open_the_file_find_ids_times_and_words(path: Path) -> None:
    store = DuckStore(path)
    store.open()
    store.write(lamps(3), 3)
    store.write(from_rows(["X1"], ["other"], [T0], [T0], [1], [1], [{"soil": 0.5}]), 4)
    store.close()
    with duckdb.connect(str(path), read_only=True) as connection:
        columns = "device_id, t, received, boot, seq, quality, power_w"
        found = connection.execute(f"SELECT {columns} FROM readings_lamp ORDER BY t LIMIT 1").fetchall()
        soil = connection.execute("""SELECT device_id, "values"['soil'] FROM readings_other""").fetchall()
    t, received = datetime(2026, 1, 10, 18), datetime(2026, 1, 10, 18, 0, 0, 250_000)
    assert found == [("NAU-L0", t, received, 1, 0, "good", 0.0)]
    assert soil == [("X1", 0.5)]


def test_a_value_that_is_new_in_the_table_of_kinds_gets_a_column(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = DuckStore(path)
    store.open()
    store.write(lamps(2), 2)
    store.close()
    flicker = kinds.Value("flicker_pct", "%", 0, 100, "Flimmern")
    grown = {**kinds.VALUES, "lamp": {**kinds.VALUES["lamp"], "flicker_pct": flicker}}
    monkeypatch.setattr(kinds, "VALUES", grown)
    monkeypatch.setattr(ingest.duck, "VALUES", grown)
    store.open()
    store.write(from_rows(["NAU-L7"], ["lamp"], [T0 + 9], [T0], [1], [9], [{"flicker_pct": 3.0}]), 3)
    assert [item.values for item in store.scan(Query())] == [{"power_w": 0.0}, {"power_w": 1.0}, {"flicker_pct": 3.0}]
    store.close()


@pytest.mark.parametrize(
    ("point", "stored"), [("store.before_write", 1), ("store.after_write", 1), ("store.after_position", 2)]
)
def test_a_kill_at_any_point_leaves_whole_batches_and_their_position(path: Path, point: str, stored: int) -> None:
    environment = {**os.environ, "PARTHELAND_CRASH_AT": f"{point}:2"}
    died = subprocess.run([sys.executable, "-c", DIE, str(path)], env=environment, check=False, timeout=60)
    assert died.returncode == -9
    store = DuckStore(path)
    store.open()
    assert (store.position(), store.count(Query())) == (stored, 1000 * stored)
    store.close()


def test_a_second_process_is_told_why_it_can_not_have_the_file(path: Path) -> None:
    store = DuckStore(path)
    store.open()
    second = subprocess.run(
        [sys.executable, "-c", DIE, str(path)], capture_output=True, text=True, check=False, timeout=60
    )
    assert "StoreError" in second.stderr
    assert "Only one process" in second.stderr
    store.close()


def test_questions_are_answered_from_other_threads_while_the_writer_writes(path: Path) -> None:
    store = DuckStore(path)
    store.open()
    finished = threading.Event()

    def ask() -> set[int]:
        remainders = set()
        while not finished.is_set():
            remainders.add(store.count(Query()) % 1000)
            found = [item.seq for item in store.page(Query("NAU-L7", limit=10_000)).items]
            assert found == [7 + 50 * number for number in range(len(found))]
        return remainders

    with ThreadPoolExecutor(2) as threads:
        askers = [threads.submit(ask) for _ in range(2)]
        for number in range(40):
            store.write(lamps(1000, 1000 * number), number + 1)
        finished.set()
        assert [asker.result() for asker in askers] == [{0}, {0}]
    assert store.count(Query()) == 40_000
    store.close()


def test_a_full_disk_is_told_loses_nothing_and_ends_when_there_is_room(path: Path) -> None:
    filled = subprocess.run(
        [sys.executable, "-c", FILL, str(path)], capture_output=True, text=True, check=False, timeout=60
    )
    assert filled.stderr == ""
    assert filled.stdout.startswith("3 True True 60 "), filled.stdout
    assert "Is the disk full?" in filled.stdout


def test_a_write_that_fails_is_undone_and_can_be_repeated(path: Path) -> None:
    store = DuckStore(path)
    store.open()
    broken = replace(lamps(100), t_ms=lamps(90).t_ms)
    with pytest.raises(StoreError, match="can't write"):
        store.write(broken, 100)
    assert store.write(lamps(100), 100) == []
    assert (store.position(), store.count(Query())) == (100, 100)
    assert store.count(Query(device_id="NAU-L49")) == 2
    store.close()


def test_a_name_said_twice_in_one_reading_stops_nothing(path: Path) -> None:
    store = DuckStore(path)
    store.open()
    once = from_rows(["X1"], ["other"], [T0], [T0], [1], [1], [{"a": 1.0, "b": 2.0}])
    store.write(replace(once, number_name=once.number_name * 0), 1)
    assert list(store.page(Query()).items[0].values) == ["a"]
    store.close()


def test_a_closed_store_says_so(path: Path) -> None:
    with pytest.raises(StoreError, match="not open"):
        DuckStore(path).page(Query(kind="lamp"))
