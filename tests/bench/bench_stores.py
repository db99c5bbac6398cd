"""What a reading costs on its way into a store: `python -m tests.bench.bench_stores [duckdb] [influxdb]`.

Lamp readings with five values of 100,000 devices, written as one consumer does. CPU is this process alone, without
influxd; the look-up of device numbers, the transaction with its fsync and DuckDB's checkpoints are in it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np

from core.clock import RealClock
from core.reading import Readings, from_rows
from ingest.duck import DuckStore
from ingest.influx import InfluxStore
from ingest.store import Query, Store
from tests.support.influxd import InfluxServer, find_influxd

DEVICES = 100_000
DIFFERENT_BATCHES = 10
T0 = 1_768_068_000_000


def batches(size: int, rng: Random) -> list[Readings]:
    """Some batches with different devices and values; times and seqs are moved for each use."""
    return [
        from_rows(
            [f"NAU-L{rng.randrange(DEVICES):06d}" for _ in range(size)],
            ["lamp"] * size,
            [T0 + rng.randrange(1000) for _ in range(size)],
            [T0 + 1200] * size,
            [3] * size,
            list(range(size)),
            [
                {
                    "power_w": round(rng.gauss(35, 3), 1),
                    "voltage_v": round(rng.gauss(230, 2), 1),
                    "current_a": round(rng.gauss(0.16, 0.02), 3),
                    "dim_pct": float(rng.choice((50, 100))),
                    "driver_temp_c": round(rng.gauss(31, 4), 1),
                }
                for _ in range(size)
            ],
        )
        for _ in range(DIFFERENT_BATCHES)
    ]


def measure(store: Store, size: int, total: int, round_number: int) -> str:
    """One line: CPU µs per reading, readings/s, the slowest call."""
    made, calls = batches(size, Random(1)), max(3, total // size)
    start_ms = T0 + round_number * 3_600_000
    slowest_s, cpu_s, wall_s = 0.0, 0.0, 0.0
    for number in range(calls):
        batch = made[number % DIFFERENT_BATCHES]
        times = batch.t_ms - T0 + start_ms + number * 1000
        readings = replace(batch, t_ms=times, received_ms=times + 250, seq=batch.seq + np.int64(number * size))
        cpu_before_s, before_s = time.process_time(), time.perf_counter()
        store.write(readings, store.position() + size)
        took_s = time.perf_counter() - before_s
        cpu_s, wall_s, slowest_s = cpu_s + time.process_time() - cpu_before_s, wall_s + took_s, max(slowest_s, took_s)
    rows = calls * size
    return (
        f"{store.name:9} {size:6,} a call: {cpu_s / rows * 1e6:5.2f} µs CPU per reading, "
        f"{rows / wall_s:9,.0f} readings/s, slowest call {slowest_s * 1e3:5.0f} ms"
    )


def ask(store: Store) -> str:
    """How long the questions of the API take on what was written."""
    device, end = "NAU-L000007", f"{T0 + 5000}.NAU-L0.0.0"
    questions: dict[str, Callable[[], object]] = {
        "count of a device": lambda: store.count(Query(device)),
        "page of a device": lambda: store.page(Query(device)).items,
        "deep page of a kind": lambda: store.page(Query(kind="lamp", after=end)).items,
    }
    said = []
    for name, question in questions.items():
        before_s = time.perf_counter()
        question()
        said.append(f"{name} {(time.perf_counter() - before_s) * 1e3:,.0f} ms")
    return f"{store.name:9} {store.count(Query()):,} readings: {', '.join(said)}"


def run(store: Store, total: int) -> None:
    """Prints all figures of one store."""
    store.open()
    for number, size in enumerate((500, 2_000, 10_000, 20_000)):
        print(measure(store, size, total, number), flush=True)
    print(ask(store), flush=True)
    store.close()


def main() -> None:
    """Measure the named stores, or both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stores", nargs="*", default=["duckdb", "influxdb"], help="duckdb, influxdb")
    parser.add_argument("--readings", type=int, default=400_000, help="for each size of batch")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if "duckdb" in wanted.stores:
            duck = DuckStore(folder / "readings.duckdb")
            run(duck, wanted.readings)
            print(f"{duck.name:9} file {duck.path.stat().st_size / (4 * wanted.readings):.1f} bytes per reading")
        program = find_influxd()
        if "influxdb" in wanted.stores and program is not None:
            server = InfluxServer(folder, program)
            server.start()
            try:
                server.set_up()
                clock = RealClock()
                run(InfluxStore(server.url, server.token, server.org, folder / "position", clock), wanted.readings)
            finally:
                server.stop()


if __name__ == "__main__":
    main()
