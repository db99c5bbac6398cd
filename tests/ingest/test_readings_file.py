"""Files of readings: every way to write an instant and a value, what is kept out, and what is wrong with its line."""

from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from numpy.typing import NDArray

from core.reading import Scalar, from_rows
from ingest.duck import DuckStore
from ingest.parquet import csv_to_parquet
from ingest.reading_columns import ReadingColumns, joined
from ingest.readings_file import ReadingsFileError, read_readings, read_store

T_MS = 1_768_068_000_000  # 2026-01-10T18:00:00Z
HEADER = "device_id,t,received,power_w,lamp_failure,gateway\n"


def read(folder: Path, text: str, name: str = "readings.csv", skip_bad: bool = False) -> ReadingColumns:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return read_readings(path, skip_bad)


def refused(folder: Path, text: str) -> list[str]:
    with pytest.raises(ReadingsFileError) as caught:
        read(folder, text)
    return list(caught.value.problems)


def same(one: ReadingColumns, other: ReadingColumns) -> bool:
    columns: list[tuple[NDArray[Any], NDArray[Any]]]
    columns = [(one.device, other.device), (one.t_ms, other.t_ms), (one.received_ms, other.received_ms)]
    columns += [(one.values[name], other.values[name]) for name in one.values]
    columns += [(one.texts[name][1], other.texts[name][1]) for name in one.texts]
    return all(np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in columns) and (
        (one.device_ids, one.values.keys(), {name: words for name, (words, _) in one.texts.items()})
        == (other.device_ids, other.values.keys(), {name: words for name, (words, _) in other.texts.items()})
    )


@pytest.mark.parametrize(
    "instant",
    [
        "2026-01-10T18:00:00Z",
        "2026-01-10T18:00:00.000Z",
        "2026-01-10T19:00:00+01:00",
        "2026-01-10T18:00:00",
        "2026-01-10 18:00",
        "1768068000000",
        '"2026-01-10T18:00:00Z"',
    ],
)
def test_an_instant_is_iso_8601_or_unix_ms_and_without_a_zone_utc(tmp_path: Path, instant: str) -> None:
    found = read(tmp_path, f"{HEADER}A,{instant},{instant},1,,\n")
    assert (found.t_ms.tolist(), found.received_ms.tolist()) == ([T_MS], [T_MS])


def test_empty_is_not_reported_and_flags_are_words_or_numbers(tmp_path: Path) -> None:
    rows = [
        f"A,{T_MS},,35.2,true,gw-1",
        f"A,{T_MS + 1},,,0,",
        f"B,{T_MS + 2},,-1,False,gw-0",
        f"B,{T_MS + 3},,nan,1,gw-1",
    ]
    found = read(tmp_path, HEADER + "\n".join(rows) + "\n")
    assert found.device_ids == ("A", "B")
    assert found.device.tolist() == [0, 0, 1, 1]
    np.testing.assert_array_equal(found.values["power_w"], [35.2, np.nan, -1.0, np.nan])
    np.testing.assert_array_equal(found.values["lamp_failure"], [1, 0, 0, 1])
    assert found.texts["gateway"][0] == ("gw-0", "gw-1")
    assert found.texts["gateway"][1].tolist() == [1, -1, 0, 1]
    assert found.received_ms.tolist() == found.t_ms.tolist()
    assert found.remarks == ()


def test_a_file_needs_no_received_and_columns_may_stand_in_any_order(tmp_path: Path) -> None:
    found = read(tmp_path, f"power_w,t,device_id\n3,{T_MS},A\n")
    assert (found.received_ms.tolist(), found.values["power_w"].tolist()) == ([T_MS], [3.0])


def test_a_german_spreadsheet_is_read_as_it_is(tmp_path: Path) -> None:
    found = read(tmp_path, "\ufeffsep=;\r\nDevice_ID;t;power_w\r\nA;2026-01-10T18:00:00Z;35,2\r\n")
    assert (found.t_ms.tolist(), found.values["power_w"].tolist()) == ([T_MS], [35.2])


def test_unknown_columns_are_told_and_left_out_but_not_those_of_our_own_exports(tmp_path: Path) -> None:
    found = read(tmp_path, f"device_id,t,boot,seq,quality,power_kw,power_w\nA,{T_MS},1,2,good,3,4\n")
    assert set(found.values) == {"power_w"}
    assert found.remarks == ("left out, for no device reports such a value: power_kw",)


def test_a_value_that_can_be_no_measurement_is_kept_out_and_told(tmp_path: Path) -> None:
    found = read(tmp_path, f"{HEADER}A,{T_MS},,99999,0.5,a b\nA,{T_MS + 1},,40,1,gw\n")
    np.testing.assert_array_equal(found.values["power_w"], [np.nan, 40.0])
    np.testing.assert_array_equal(found.values["lamp_failure"], [np.nan, 1.0])
    assert found.texts["gateway"][1].tolist() == [-1, 1]
    assert [remark.split(":")[0] for remark in found.remarks] == ["power_w", "lamp_failure", "gateway"]


def test_a_clock_that_nobody_believes_gives_way_to_the_receipt(tmp_path: Path) -> None:
    ahead, early = T_MS + 400_000, 5_000
    found = read(tmp_path, f"{HEADER}A,{ahead},{T_MS},1,,\nA,{early},{T_MS + 1},1,,\nA,{T_MS},{T_MS},1,,\n")
    assert found.t_ms.tolist() == [T_MS, T_MS + 1, T_MS]
    assert found.remarks[0].startswith("clocks that can't be right: 2 readings, first A at 2026-01-10T18:06:40.000Z")


def test_each_bad_cell_is_told_with_line_column_and_what_was_expected(tmp_path: Path) -> None:
    rows = [
        f"A,{T_MS},,1,,",
        "",  # an empty line is no row
        "A,yesterday,,x,,",
        f"A,{T_MS}",
        f",{T_MS},12:00,1,,",
        f"A,{T_MS},,1,,,,7",
        f"A,,{T_MS},1,,",
    ]
    assert refused(tmp_path, HEADER + "\n".join(rows) + "\n") == [
        "line 4, column power_w: 'x' is no number; expected e.g. 35.2, true, false, or nothing",
        "line 4, column t: 'yesterday' is no instant; expected ISO 8601, e.g. 2026-01-10T18:00:00Z, or Unix ms",
        "line 5 has fewer cells than the header's 6; is the file cut off?",
        "line 6, column device_id: is empty; expected the id of a device",
        "line 6, column received: '12:00' is no instant; expected ISO 8601, e.g. 2026-01-10T18:00:00Z, or Unix ms",
        "line 7 has more cells than the header's 6",
        "line 8, column t: is empty; expected ISO 8601, e.g. 2026-01-10T18:00:00Z, or Unix ms",
    ]


def test_bad_rows_can_be_skipped_and_are_counted(tmp_path: Path) -> None:
    text = f"{HEADER}A,{T_MS},,1,,\nA,never,,2,,\nB,{T_MS},,3,,\nB,{T_MS}\n"
    found = read(tmp_path, text, skip_bad=True)
    assert found.values["power_w"].tolist() == [1.0, 3.0]
    assert found.remarks[-1] == "2 of 4 rows were skipped"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the file is empty; expected device_id,t,received,<values>"),
        ("a,b\n1,2\n", "line 1: column device_id and t is missing; expected device_id,t,received,<values>"),
        ("device_id,t,t\nA,1,2\n", "line 1, column t: stands twice in the header"),
        ("device_id,t\nA,1768068000\n", "column t: 1768068000 is 1970-01-21T11:07:48.000Z in Unix ms; were seconds"),
    ],
)
def test_a_file_that_is_no_file_of_readings_says_why(tmp_path: Path, text: str, said: str) -> None:
    assert refused(tmp_path, text)[0].startswith(said)


def test_an_empty_table_has_no_readings(tmp_path: Path) -> None:
    assert len(read(tmp_path, HEADER)) == 0


def test_bytes_that_are_no_text_are_refused_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "latin.csv"
    path.write_bytes(f"device_id,t,gateway\nA,{T_MS},g\nB,{T_MS},".encode() + b"Stra\xdfe\n")
    with pytest.raises(ReadingsFileError) as caught:
        read_readings(path)
    assert "line 3 is not UTF-8" in str(caught.value)


def test_parquet_gives_what_the_csv_gives(tmp_path: Path) -> None:
    text = f"{HEADER}A,2026-01-10T18:00:00.000Z,2026-01-10T18:00:01.500Z,35.2,true,gw\nB,2026-01-10T18:00:01Z,,,,\n"
    found = read(tmp_path, text)
    csv_to_parquet(tmp_path / "readings.csv", tmp_path / "readings.parquet", "lamp")
    assert same(read_readings(tmp_path / "readings.parquet"), found)


@pytest.mark.parametrize(
    ("sql_type", "instant"),
    [
        ("TIMESTAMP", "make_timestamp(1768068000000000)"),
        ("TIMESTAMP_NS", "make_timestamp(1768068000000000)"),
        ("TIMESTAMPTZ", "make_timestamp(1768068000000000)"),
        ("BIGINT", "1768068000000"),
        ("DOUBLE", "1768068000000"),
        ("VARCHAR", "'2026-01-10T18:00:00Z'"),
        ("VARCHAR", "'1768068000000'"),
    ],
)
def test_parquet_may_hold_instants_in_any_usual_type(tmp_path: Path, sql_type: str, instant: str) -> None:
    path = tmp_path / "readings.parquet"
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        columns = f"'A' AS device_id, {instant}::{sql_type} AS t, NULL::{sql_type} AS received, 35.2::FLOAT AS power_w"
        connection.execute(f"COPY (SELECT {columns}, true AS lamp_failure) TO '{path}' (FORMAT parquet)")
    found = read_readings(path)
    assert (found.t_ms.tolist(), found.received_ms.tolist()) == ([T_MS], [T_MS])
    assert (found.values["power_w"].tolist(), found.values["lamp_failure"].tolist()) == ([35.2], [1.0])


def test_parquet_with_bad_rows_or_types_says_which(tmp_path: Path) -> None:
    path = tmp_path / "readings.parquet"
    with duckdb.connect() as connection:
        rows = "(VALUES ('A', 1768068000000), (NULL, 1768068000000), ('B', NULL)) AS r(device_id, t)"
        connection.execute(f"COPY (FROM {rows}) TO '{path}' (FORMAT parquet)")
        with pytest.raises(ReadingsFileError) as caught:
            read_readings(path)
        assert caught.value.problems == (
            "row 2, column device_id: is empty; expected the id of a device",
            "row 3, column t: is empty; expected ISO 8601, e.g. 2026-01-10T18:00:00Z, or Unix ms",
        )
        connection.execute(f"COPY (SELECT 'A' AS device_id, DATE '2026-01-10' AS t) TO '{path}' (FORMAT parquet)")
        with pytest.raises(ReadingsFileError, match="column t has the type DATE; expected ISO 8601"):
            read_readings(path)


@pytest.mark.parametrize(
    ("name", "told", "remarks"),
    [
        ("power_w", "35.2::DOUBLE", 0),
        ("power_w", "NULL::DOUBLE", 0),
        ("power_w", "'nan'::DOUBLE", 0),
        ("power_w", "1e9::DOUBLE", 1),
        ("lamp_failure", "1.0::DOUBLE", 0),
        ("lamp_failure", "true", 0),
        ("lamp_failure", "0.5::DOUBLE", 1),
    ],
)
def test_a_number_that_nobody_needs_is_read_only_where_something_is_wrong(
    tmp_path: Path, name: str, told: str, remarks: int
) -> None:
    path = tmp_path / "readings.parquet"
    with duckdb.connect() as connection:
        columns = f"'A' AS device_id, {T_MS} AS t, {told} AS {name}, 230.0::DOUBLE AS voltage_v"
        connection.execute(f"COPY (SELECT {columns}) TO '{path}' (FORMAT parquet)")
    found = read_readings(path, needed={"voltage_v"})
    assert len(found.remarks) == remarks
    assert set(found.values) == ({"voltage_v", name} if remarks else {"voltage_v"})


def test_several_files_become_one(tmp_path: Path) -> None:
    lamps = read(tmp_path, f"{HEADER}L,{T_MS},,35.2,,gw-2\n", "lamps.csv")
    bays = read(tmp_path, f"device_id,t,occupied,gateway\nB,{T_MS},true,gw-1\n", "bays.csv")
    found = joined([lamps, bays])
    assert found.device_ids == ("B", "L")
    assert found.device.tolist() == [1, 0]
    np.testing.assert_array_equal(found.values["occupied"], [np.nan, 1.0])
    assert [found.texts["gateway"][0][code] for code in found.texts["gateway"][1].tolist()] == ["gw-2", "gw-1"]
    assert len(joined([])) == 0


def test_the_file_of_a_stopped_store_is_read_as_columns(tmp_path: Path) -> None:
    store = DuckStore(tmp_path / "readings.duckdb")
    store.open()
    times = [T_MS, T_MS + 900_000]
    values: list[dict[str, Scalar]] = [{"power_w": 35.2, "lamp_failure": True, "gateway": "gw"}, {"power_w": 36.0}]
    received = [T_MS + 2_000, T_MS + 901_000]
    store.write(from_rows(["L", "L"], ["lamp", "lamp"], times, received, [1, 1], [1, 2], values), 7)
    store.close()
    found = read_store(tmp_path / "readings.duckdb", "lamp", None, None)
    assert (found.t_ms.tolist(), found.received_ms.tolist()) == (times, received)
    assert found.values["power_w"].tolist() == [35.2, 36.0]
    assert (found.texts["gateway"][0], found.remarks) == (("gw",), ())
    assert len(read_store(tmp_path / "readings.duckdb", "lamp", T_MS + 1, None)) == 1
    assert len(read_store(tmp_path / "readings.duckdb", "other", None, None)) == 0
