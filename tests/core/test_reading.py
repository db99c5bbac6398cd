"""Columns of readings: what goes in as rows comes out as rows, however it is cut and put together."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from core.kinds import KINDS
from core.reading import EMPTY, Quality, Readings, Scalar, concat, from_rows
from tests.support.records import reading

INT64 = st.integers(-(2**53), 2**53)
VALUES = st.dictionaries(
    st.sampled_from(["power_w", "event", "gateway", "x", "ä ö"]),
    st.one_of(st.none(), st.floats(allow_nan=False), st.text(max_size=5)),
    max_size=4,
)
ROW = st.tuples(st.sampled_from(["L1", "L2", "P-1"]), st.sampled_from(KINDS), INT64, INT64, INT64, VALUES)
ROWS = st.lists(ROW, max_size=12)
Row = tuple[str, str, int, int, int, dict[str, Scalar | None]]


def readings_of(rows: list[Row]) -> Readings:
    ids, kinds, times, boots, seqs, values = zip(*rows, strict=True) if rows else ((),) * 6
    return from_rows(ids, kinds, times, times, boots, seqs, values)


def rows_of(readings: Readings) -> list[tuple[object, ...]]:
    kinds = [KINDS[number] for number in readings.kind.tolist()]
    columns = (readings.device_ids, kinds, readings.t_ms.tolist(), readings.boot.tolist(), readings.seq.tolist())
    return list(zip(*columns, readings.value_dicts(), strict=True))


def expected(rows: list[Row]) -> list[tuple[object, ...]]:
    return [(*row[:5], {name: value for name, value in row[5].items() if value is not None}) for row in rows]


@given(ROWS)
def test_rows_come_out_as_they_went_in_without_what_was_not_reported(rows: list[Row]) -> None:
    assert rows_of(readings_of(rows)) == expected(rows)


@given(ROWS, st.randoms(use_true_random=False))
def test_a_selection_keeps_exactly_the_chosen_rows_with_their_values(rows: list[Row], chance: object) -> None:
    keep = np.array([index * 7 % 3 != 1 for index in range(len(rows))], dtype=np.bool_)
    chosen = [row for row, kept in zip(rows, keep.tolist(), strict=True) if kept]
    assert rows_of(readings_of(rows).select(keep)) == expected(chosen)


@given(st.lists(ROWS, max_size=5))
def test_put_together_they_are_the_rows_one_after_the_other(parts: list[list[Row]]) -> None:
    assert rows_of(concat([readings_of(rows) for rows in parts])) == expected([row for rows in parts for row in rows])


def test_a_value_that_was_not_reported_is_missing_and_not_zero() -> None:
    both = concat([reading(values={"power_w": 0.0}), reading(seq=2, values={"voltage_v": 230.0})])
    assert both.column("power_w").tolist()[0] == 0.0
    assert np.isnan(both.column("power_w")[1])
    assert np.isnan(both.column("never_said")).all()


def test_flags_come_back_as_true_and_false_and_texts_as_texts() -> None:
    bay = reading(kind="parking", values={"occupied": True, "temp_c": 1.0, "gateway": "gw-7"})
    assert bay.value_dicts() == [{"occupied": True, "temp_c": 1.0, "gateway": "gw-7"}]
    assert bay.text_column("gateway") == ["gw-7"]
    assert bay.text_column("never_said") == [None]


def test_values_can_be_taken_out_without_touching_their_rows() -> None:
    lamp = reading(values={"power_w": 35.0, "voltage_v": 999.0, "gateway": "gw-7"})
    left = lamp.without_values(lamp.numbers == 999.0, np.array([True]))
    assert left.value_dicts() == [{"power_w": 35.0}]


def test_more_names_than_two_bytes_can_count_do_not_break_the_columns() -> None:
    invented = [
        from_rows(["X"], ["other"], [1], [1], [1], [part], [{f"n{part}_{number}": number for number in range(35_000)}])
        for part in range(2)
    ]
    together = concat(invented)
    assert len(together.names) == 70_000
    assert together.value_dicts()[1]["n1_34999"] == 34_999


def test_no_readings_are_no_readings() -> None:
    assert (len(EMPTY), len(concat([])), EMPTY.value_dicts()) == (0, 0, [])
    assert [quality.word for quality in Quality] == ["good", "suspicious", "clock_suspect"]
