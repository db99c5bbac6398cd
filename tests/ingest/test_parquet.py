"""An export as Parquet says the same as the CSV it came from."""

from pathlib import Path

import duckdb
import pytest

from ingest.parquet import csv_to_parquet
from ingest.store import StoreError

CSV = (
    'device_id,t,received,power_w,lamp_failure,gateway,\'=odd,"a,b"\n'
    "L1,2026-01-10T18:00:00.123Z,2026-01-10T18:00:01.000Z,35.2,true,g1,,\n"
    "L2,2026-01-10T18:00:00.000Z,2026-01-10T18:00:01.000Z,,,,5,7\n"
)


def test_types_and_missing_values_are_kept(tmp_path: Path) -> None:
    source, target = tmp_path / "x.csv", tmp_path / "x.parquet"
    source.write_text(CSV)
    assert csv_to_parquet(source, target, "lamp") == 2
    question = f'SELECT device_id, epoch_ms(t), power_w, lamp_failure, gateway, "=odd", "a,b" FROM \'{target}\''
    assert duckdb.connect().execute(question).fetchall() == [
        ("L1", 1_768_068_000_123, 35.2, True, "g1", None, None),
        ("L2", 1_768_068_000_000, None, None, None, 5.0, 7.0),
    ]


def test_an_export_without_readings_is_an_empty_table(tmp_path: Path) -> None:
    source, target = tmp_path / "x.csv", tmp_path / "x.parquet"
    source.write_text(CSV.splitlines()[0] + "\n")
    assert csv_to_parquet(source, target, "lamp") == 0
    assert target.stat().st_size > 0


def test_a_place_that_can_not_be_written_is_said(tmp_path: Path) -> None:
    source = tmp_path / "x.csv"
    source.write_text(CSV)
    with pytest.raises(StoreError, match="can't be written"):
        csv_to_parquet(source, tmp_path / "nowhere" / "x.parquet", "lamp")
