"""Our line protocol, read back by a small parser written after InfluxDB's description of it."""

import math
import re
from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from core.kinds import KINDS, VALUES, Form
from core.reading import EMPTY, Quality, Readings, Scalar, from_rows
from ingest.influx_lines import T_MS_MAX, TAKEN_NAMES, encode_lines, expressible

FIELD = re.compile(r'((?:[^,= \\]|\\.)+)=("(?:[^"\\]|\\.)*"|[^," ]+)(,?)', re.DOTALL)
LINE = re.compile(
    r'(\w+),device_id=([\w-]+) ((?:(?:[^,= \\]|\\.)+=(?:"(?:[^"\\]|\\.)*"|[^," ]+),?)+) (-?\d+)\n', re.DOTALL
)

numbers = st.floats(allow_nan=False, allow_infinity=False)
names = st.text(st.characters(codec="utf-8"), max_size=12)
texts = st.text(st.characters(codec="utf-8"), max_size=30)
device_ids = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)


@st.composite
def rows(draw: st.DrawFn) -> tuple[str, str, int, int, int, int, dict[str, Scalar]]:
    kind = draw(st.sampled_from(KINDS))
    values: dict[str, Scalar] = {}
    for value in draw(st.lists(st.sampled_from(list(VALUES[kind].values())), max_size=6)):
        forms: dict[Form, st.SearchStrategy[Scalar]] = {
            Form.TEXT: texts,
            Form.FLAG: st.booleans(),
            Form.NUMBER: numbers,
        }
        values[value.name] = draw(forms[value.form])
    if kind == "other":
        free = draw(st.dictionaries(names, numbers, max_size=4))
        values |= {name: number for name, number in free.items() if name not in VALUES[kind]}
    integers = st.integers(0, 2**62)
    t_ms = draw(st.integers(0, T_MS_MAX))
    return draw(device_ids), kind, t_ms, draw(integers), draw(integers), draw(integers), values


def parse(word: str) -> int | Scalar:
    if word.startswith('"'):
        return re.sub(r'\\(["\\])', r"\1", word[1:-1])
    if word in ("true", "false"):
        return word == "true"
    return int(word[:-1]) if word.endswith("i") else float(word)


def columns(given_rows: list[tuple[str, str, int, int, int, int, dict[str, Scalar]]]) -> Readings:
    device_ids, kinds, t_ms, received, boots, seqs, values = zip(*given_rows, strict=True)
    return from_rows(device_ids, kinds, t_ms, received, boots, seqs, values)


@given(st.lists(rows(), min_size=1, max_size=8))
def test_every_line_says_what_the_reading_said(
    given_rows: list[tuple[str, str, int, int, int, int, dict[str, Scalar]]],
) -> None:
    readings, refusals = expressible(columns(given_rows))
    text = encode_lines(readings).decode()
    lines = list(LINE.finditer(text))
    assert "".join(line.group() for line in lines) == text
    assert len(lines) == len(given_rows)
    refused = {name for refusal in refusals for row in given_rows for name in row[6] if repr(name) in refusal.reason}
    for line, (device_id, kind, t_ms, received, boot, seq, values) in zip(lines, given_rows, strict=True):
        fields = {re.sub(r"\\([,= ])", r"\1", name): parse(word) for name, word, _ in FIELD.findall(line[3])}
        assert (line[1], line[2], int(line[4])) == (kind, device_id, t_ms * 1_000_000 + seq % 1000)
        own = {"received": received, "boot": boot, "seq": seq, "quality": "good"}
        assert {name: fields.pop(name) for name in own} == own
        kept = {name: value for name, value in values.items() if name in fields}
        assert fields == kept
        assert values.keys() - kept.keys() <= refused


@given(names)
def test_a_name_is_either_written_so_that_it_reads_back_or_refused(name: str) -> None:
    readings, refusals = expressible(from_rows(["D1"], ["other"], [0], [0], [1], [1], [{name: 1.0}]))
    number_of_fields = len(FIELD.findall(encode_lines(readings).decode()[len("other,device_id=D1 ") :]))
    assert number_of_fields == (4 if refusals else 5)


def test_names_that_are_ours_or_the_servers_are_refused() -> None:
    taken = [*sorted(TAKEN_NAMES), "_field", "_time", "", "a\nb", "back\\slash", "x" * 1001]
    readings = from_rows(["D1"], ["other"], [0], [0], [1], [1], [dict.fromkeys(taken, 1.0)])
    good, refusals = expressible(readings)
    assert encode_lines(good) == b'other,device_id=D1 received=0i,boot=1i,seq=1i,quality="good" 1\n'
    assert {refusal.scope for refusal in refusals} == {"value"}
    assert len(refusals) == len(taken)


def test_ids_and_times_that_can_not_be_said_cost_the_reading() -> None:
    ids = ["ok", "with space", "comma,", "", "x" * 65, "ü", "a\nb", "late"]
    readings = from_rows(ids, ["lamp"] * 8, [0] * 7 + [2**62], [0] * 8, [1] * 8, [1] * 8, [{}] * 8)
    good, refusals = expressible(readings)
    assert good.device_ids == ("ok",)
    assert [refusal.device_id for refusal in refusals] == ids[1:]
    assert {refusal.scope for refusal in refusals} == {"message"}


def test_numbers_no_line_can_carry_are_refused() -> None:
    readings = from_rows(["D1"], ["other"], [0], [0], [1], [1], [{"a": math.inf, "b": -math.inf, "c": 1.0}])
    good, refusals = expressible(readings)
    assert encode_lines(good).count(b"=") == 1 + 4 + 1
    assert len(refusals) == 2


def test_values_may_come_in_any_order_of_rows() -> None:
    readings = from_rows(["A", "B"], ["lamp"] * 2, [0, 0], [0, 0], [1, 1], [1, 2], [{"power_w": 1.0}, {"power_w": 2.0}])
    turned = replace(readings, number_row=readings.number_row[::-1], numbers=readings.numbers[::-1])
    assert encode_lines(turned) == encode_lines(readings)


def test_the_quality_is_a_word() -> None:
    readings = from_rows(["A"] * 3, ["lamp"] * 3, [0] * 3, [0] * 3, [1] * 3, [1, 2, 3], [{}] * 3)
    text = encode_lines(readings.with_quality(np.arange(3, dtype=np.uint8))).decode()
    assert re.findall(r'quality="(\w+)"', text) == [quality.word for quality in Quality]


def test_no_readings_are_no_lines() -> None:
    assert encode_lines(EMPTY) == b""
    assert expressible(EMPTY) == (EMPTY, [])
