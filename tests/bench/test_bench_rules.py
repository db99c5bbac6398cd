"""All rules over a month of a region on file: `make bench`. Prints seconds, memory, and bytes of state for each device.

The region is played by the simulator, with its faults; DuckDB writes it as Parquet, and `partheland backtest` reads it
in a process of its own.
"""

import csv
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import numpy as np
import pytest

from firmware_sim.physics.plan import CABINET_FAULTS, FAULTS, STREET_FAULTS, Plan, usual_counts
from firmware_sim.physics.play import play
from firmware_sim.physics.played import Played
from rules.backtest import Pieces
from rules.fleet import make_fleet
from rules.judgement import Judgement
from rules.keep import columns_of
from rules.rows import Words
from tests.bench.processes import machine
from tests.detection.judge import as_input, rules

pytestmark = pytest.mark.bench
LAMPS, DAYS = int(os.environ.get("BENCH_LAMPS", "10000")), float(os.environ.get("BENCH_DAYS", "30"))
PARTS = 10


def write(played: Played, folder: Path, part: int) -> int:
    """One part of the region as Parquet; the number of readings."""
    names = [f"{part}-{name}" for name in played.device_ids]
    ids = np.array(names, dtype=object)
    columns = {
        "device_id": ids[played.device],
        "t": played.t_ms,
        "received": played.received_ms,
        **played.values,
        "gateway": np.array([*played.texts["gateway"].words, None], dtype=object)[played.texts["gateway"].codes],
    }
    with duckdb.connect() as connection:
        connection.register("readings", columns)
        connection.execute(f"COPY readings TO '{folder}/readings-{part}.parquet' (FORMAT parquet, COMPRESSION zstd)")
    return len(played.device)


def region(folder: Path) -> int:
    """The inventory and the readings of all parts in `folder`; the number of readings."""
    rows, count = [], 0
    for part in range(PARTS):
        counts = dict.fromkeys(FAULTS, 16)
        played = play(Plan(lamps=LAMPS // PARTS, days=DAYS, seed=300 + part, counts=counts))
        count += write(played, folder, part)
        rows += [
            {**row, "device_id": f"{part}-{row['device_id']}", "cabinet": _in(part, row)} for row in played.inventory
        ]
    with (folder / "inventory.csv").open("w", encoding="utf-8", newline="") as file:
        written = csv.DictWriter(file, list(rows[0]))
        written.writeheader()
        written.writerows(rows)
    with duckdb.connect() as connection:
        everything = (
            f"SELECT * FROM read_parquet('{folder}/readings-*.parquet', union_by_name = true) ORDER BY received"
        )
        connection.execute(f"COPY ({everything}) TO '{folder}/readings.parquet' (FORMAT parquet, COMPRESSION zstd)")
    return count


def _in(part: int, row: dict[str, str]) -> str:
    return f"{part}-{row['cabinet']}" if row["cabinet"] else ""


def test_a_month_of_ten_thousand_lamps(tmp_path: Path) -> None:
    readings = region(tmp_path)
    print(f"\n{machine()}\n{LAMPS:,} lamps × {DAYS:g} days, {readings:,} readings from Parquet, {len(rules())} rules")
    command = [
        sys.executable, "-m", "deploy.cli", "backtest", "--inventory", str(tmp_path / "inventory.csv"),
        "--readings", str(tmp_path / "readings.parquet"), "--out", str(tmp_path / "tickets.jsonl"),
    ]  # fmt: skip
    started_s = time.monotonic()
    subprocess.run(command, check=True, capture_output=True)
    spent_s = time.monotonic() - started_s
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = [json.loads(line) for line in (tmp_path / "tickets.jsonl").read_text().splitlines()]
    cpu_s, peak_gib = used.ru_utime + used.ru_stime, used.ru_maxrss / 1024**2
    print(f"  partheland backtest: {spent_s:.1f} s, CPU {cpu_s:.1f} s, peak {peak_gib:.2f} GiB")
    print(f"  {spent_s / readings * 1e6:.2f} µs a reading; {len(found)} findings")


SINGLE = {fault: number for fault, number in usual_counts().items() if fault not in (*CABINET_FAULTS, *STREET_FAULTS)}
"""One lamp in eight has a fault of its own or of its line. A cabinet's fault has all its lamps as members, and
seventeen broken cabinets in a town of forty are no town.
"""


@pytest.mark.parametrize("counts", [SINGLE, dict.fromkeys(FAULTS, 1)], ids=["many faults", "one of each sort"])
def test_bytes_of_state_for_each_device(counts: dict[str, int]) -> None:
    """After ten days in which every rule had something to do: what the rules keep, and what they keep to go back to."""
    played = play(Plan(lamps=2_000, days=10, seed=299, counts=counts))
    snapshot, table, windows = as_input(played.inventory, played)
    fleet, words = make_fleet(snapshot), Words()
    pieces = Pieces(table, fleet.numbers(table.device_ids), words)
    judgement = Judgement(rules(), words, windows, pieces.history)
    judgement.refresh(fleet, pieces.begin_ms)
    for until_ms, rows in pieces.each(pieces.end_ms):
        judgement.advance(rows, until_ms)
    state = sum(column.nbytes for column in columns_of(judgement).values())
    kept = [
        one
        for kept in judgement.late.kept
        for part in (kept.state.judges, kept.state.memories)
        for one in part.values()
    ]
    back = sum(column.nbytes for one in kept for column in one.values())
    print(f"\n{machine()}\n{len(fleet):,} devices, {len(rules())} rules, {len(played.truth)} faults in ten days")
    print(
        f"  bytes a device: {state / len(fleet):.0f} state of all rules, {back / len(fleet):.0f} on disk to go back to"
    )
