"""Expressions over columns: three-valued, the same as a slow interpreter, and never surer than what is known."""

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.device import Device
from rules.evaluate import FALSE, TRUE, UNKNOWN, Numbers, compile_number, compile_truth, select_truth, selects
from rules.expression import (
    And,
    Arithmetic,
    Call,
    Compare,
    Name,
    Negative,
    Node,
    Not,
    Number,
    Or,
)
from rules.expression import Truth as TruthNode
from rules.parse import parse

NAN = math.nan
NAMES = ("a", "b", "c")


@dataclass
class Table:
    """Columns by name; a function that keeps what was before is a column of its own."""

    columns: Mapping[str, Numbers]
    asked: list[str] = field(default_factory=list)

    def column(self, name: str) -> Numbers:
        self.asked.append(name)
        return self.columns[name]

    def call(self, function: str, name: str, argument: float) -> Numbers:
        return self.columns[f"{function} {name} {argument:g}"]


def table(**columns: list[float]) -> Table:
    return Table({name: np.array(column, dtype=np.float64) for name, column in columns.items()})


def truth(source: str, **columns: list[float]) -> list[int]:
    return [int(one) for one in np.atleast_1d(compile_truth(parse(source))(table(**columns)))]


def number(source: str, **columns: list[float]) -> list[float]:
    return [float(one) for one in np.atleast_1d(compile_number(parse(source))(table(**columns)))]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a < 2", [TRUE, FALSE, FALSE, UNKNOWN]),
        ("a <= 2", [TRUE, TRUE, FALSE, UNKNOWN]),
        ("a > 2", [FALSE, FALSE, TRUE, UNKNOWN]),
        ("a >= 2", [FALSE, TRUE, TRUE, UNKNOWN]),
        ("a == 2", [FALSE, TRUE, FALSE, UNKNOWN]),
        ("a != 2", [TRUE, FALSE, TRUE, UNKNOWN]),
        ("not a < 2", [FALSE, TRUE, TRUE, UNKNOWN]),
        ("1 < a < 3", [FALSE, TRUE, FALSE, UNKNOWN]),
        ("a < 2 or True", [TRUE] * 4),
        ("a < 2 and False", [FALSE] * 4),
        ("known(a)", [TRUE, TRUE, TRUE, FALSE]),
        ("not known(a + 1)", [FALSE, FALSE, FALSE, TRUE]),
    ],
)
def test_a_comparison_with_what_is_not_known_is_not_known(source: str, expected: list[int]) -> None:
    assert truth(source, a=[1, 2, 3, NAN]) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a + 1", [2, NAN]),
        ("-a", [-1, NAN]),
        ("abs(0 - a)", [1, NAN]),
        ("min(a, 5, b)", [1, NAN]),
        ("max(a, 5, b)", [7, NAN]),
        ("a / 0.5", [2, NAN]),
        ("b / (a - 1)", [NAN, NAN]),
        ("(a - 1) / (a - 1)", [NAN, NAN]),
        ("2 * 3 - 1", [5]),
    ],
)
def test_a_number_is_not_known_when_a_part_is_not_or_it_divides_by_zero(source: str, expected: list[float]) -> None:
    np.testing.assert_equal(number(source, a=[1, NAN], b=[7, 7]), expected)


def test_no_row_and_no_number_ever_warns() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert truth("a * 1e15 * 1e15 > b / a", a=[], b=[]) == []
        assert truth("a * a - a * a > 0", a=[1e200, math.inf, NAN]) == [UNKNOWN, UNKNOWN, UNKNOWN]
        assert truth("1 / 0.1 > a", a=[math.inf, -math.inf]) == [FALSE, TRUE]


def test_a_result_is_one_byte_a_row() -> None:
    found = compile_truth(parse("not (a < 1 and known(a)) or a != 3"))(table(a=[1, 2]))
    assert found.dtype == np.int8
    assert compile_number(parse("a * 2"))(table(a=[1, 2])).dtype == np.float64


def test_what_names_no_column_is_worked_out_once_and_has_no_dimension() -> None:
    columns = table(a=[1, 2])
    always = compile_truth(parse("1 + 1 == 2 and not 3 < abs(2)"))
    assert (always(columns).shape, int(always(columns)), columns.asked) == ((), TRUE, [])
    assert truth("a < 2 * 60 * 60", a=[1, 7200]) == [TRUE, FALSE]


def test_functions_that_keep_what_was_before_are_asked_of_the_columns() -> None:
    columns = Table(
        {
            "delta a 0": np.array([1.0]),
            "changes a 3600": np.array([4.0]),
            "median_of a 3": np.array([NAN]),
            "age a 0": np.array([60.0]),
            "rate a 0": np.array([5.0]),
        }
    )
    source = "delta(a) == 1 and changes(a, '1h') >= 4 and age(a) < 61 and rate(a) > 4"
    assert compile_truth(parse(source))(columns).tolist() == [TRUE]
    assert compile_truth(parse("median_of(a, 3) > 1"))(columns).tolist() == [UNKNOWN]


# Random trees, and an interpreter that is slow and plain to compare with.

numbers = st.recursive(
    st.sampled_from([Name(name, 1) for name in NAMES])
    | st.sampled_from([0.0, 1.0, -2.5, 3.0]).map(lambda x: Number(x, 1)),
    lambda inner: (
        st.builds(lambda sign, x, y: Arithmetic(sign, x, y, 1), st.sampled_from("+-*/"), inner, inner)
        | st.builds(lambda x: Negative(x, 1), inner)
        | st.builds(lambda name, x, y: Call(name, (x, y), 1), st.sampled_from(["min", "max"]), inner, inner)
        | st.builds(lambda x: Call("abs", (x,), 1), inner)
    ),
    max_leaves=6,
)
SIGNS = ["<", "<=", ">", ">=", "==", "!="]
atoms = (
    st.builds(lambda sign, x, y: Compare(sign, x, y, 1), st.sampled_from(SIGNS), numbers, numbers)
    | st.builds(lambda x: Call("known", (x,), 1), numbers)
    | st.booleans().map(lambda x: TruthNode(x, 1))
)


def joined(leaves: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    return st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, min_size=2, max_size=3).map(lambda parts: And(tuple(parts), 1))
            | st.lists(inner, min_size=2, max_size=3).map(lambda parts: Or(tuple(parts), 1))
            | inner.map(lambda x: Not(x, 1))
        ),
        max_leaves=6,
    )


truths = joined(atoms)
without_known = joined(atoms.filter(lambda tree: not isinstance(tree, Call)))
cells = st.sampled_from([0.0, 1.0, -1.0, 2.5, -2.5, 3.0, 1e9, NAN])
rows = st.lists(st.tuples(cells, cells, cells), min_size=1, max_size=5)


def run(tree: Node, cells: Sequence[tuple[float, ...]]) -> list[int]:
    columns = Table({name: np.array([row[at] for row in cells]) for at, name in enumerate(NAMES)})
    return [int(one) for one in np.broadcast_to(compile_truth(tree)(columns), len(cells))]


PLAIN: dict[str, Callable[[float, float], float]] = {
    "+": lambda x, y: x + y,
    "-": lambda x, y: x - y,
    "*": lambda x, y: x * y,
    "/": lambda x, y: NAN if y == 0 else x / y,
    "min": lambda x, y: NAN if math.isnan(x + y) else min(x, y),
    "max": lambda x, y: NAN if math.isnan(x + y) else max(x, y),
    "<": lambda x, y: x < y,
    "<=": lambda x, y: x <= y,
    ">": lambda x, y: x > y,
    ">=": lambda x, y: x >= y,
    "==": lambda x, y: x == y,
    "!=": lambda x, y: x != y,
}


def slow_number(tree: Node, row: Mapping[str, float]) -> float:
    match tree:
        case Number(value=value):
            return value
        case Name(name=name):
            return row[name]
        case Negative(operand=x):
            return -slow_number(x, row)
        case Arithmetic(operator=sign, left=x, right=y) | Call(function=sign, arguments=(x, y)):
            return PLAIN[sign](slow_number(x, row), slow_number(y, row))
        case Call(arguments=(x,)):
            return abs(slow_number(x, row))
    raise AssertionError(tree)


def slow(tree: Node, row: Mapping[str, float]) -> bool | None:
    """True, False, or None = unknown."""
    match tree:
        case TruthNode(value=value):
            return value
        case Compare(operator=sign, left=x, right=y):
            left, right = slow_number(x, row), slow_number(y, row)
            return None if math.isnan(left) or math.isnan(right) else bool(PLAIN[sign](left, right))
        case Not(operand=inner):
            found = slow(inner, row)
            return None if found is None else not found
        case And(parts=parts):
            each = [slow(part, row) for part in parts]
            return False if False in each else None if None in each else True
        case Or(parts=parts):
            each = [slow(part, row) for part in parts]
            return True if True in each else None if None in each else False
        case Call(arguments=(x,)):
            return not math.isnan(slow_number(x, row))
    raise AssertionError(tree)


@given(truths, rows)
def test_columns_say_what_a_slow_interpreter_says_row_by_row(
    tree: Node, cells: list[tuple[float, float, float]]
) -> None:
    word = {True: TRUE, False: FALSE, None: UNKNOWN}
    expected = [word[slow(tree, dict(zip(NAMES, row, strict=True)))] for row in cells]
    assert run(tree, cells) == expected


@given(without_known, rows, st.integers(0, 2))
def test_knowing_less_never_turns_true_into_false_or_back(
    tree: Node, cells: list[tuple[float, float, float]], at: int
) -> None:
    less = [(*row[:at], NAN, *row[at + 1 :]) for row in cells]
    for full, poor in zip(run(tree, cells), run(tree, less), strict=True):
        assert poor in (full, UNKNOWN)


@given(truths, truths, truths, rows)
def test_the_laws_of_kleene_hold(p: Node, q: Node, r: Node, cells: list[tuple[float, float, float]]) -> None:
    def same(one: Node, other: Node) -> bool:
        return run(one, cells) == run(other, cells)

    def both(*parts: Node) -> Node:
        return And(parts, 1)

    def either(*parts: Node) -> Node:
        return Or(parts, 1)

    def contrary(part: Node) -> Node:
        return Not(part, 1)

    assert same(contrary(contrary(p)), p)
    assert same(contrary(both(p, q)), either(contrary(p), contrary(q)))
    assert same(contrary(either(p, q)), both(contrary(p), contrary(q)))
    assert same(both(p, q), both(q, p))
    assert same(both(p, both(q, r)), both(p, q, r))
    assert same(both(p, either(q, r)), either(both(p, q), both(p, r)))
    assert same(either(p, both(p, q)), p)
    assert same(both(p, TruthNode(True, 1)), p)
    assert same(either(p, TruthNode(False, 1)), p)


def lamp(**fields: str | float) -> Device:
    return Device(**({"device_id": "NAU-L1", "kind": "lamp", "town": "naunhof"} | fields))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("source", "chosen"),
    [
        ('kind == "lamp"', True),
        ('kind == "lamp" and nominal_w >= 20', True),
        ("nominal_w < 20", False),
        ('kind in ("sos", "lamp")', True),
        ('kind not in ("sos", "lamp")', False),
        ('model == "LED-40"', False),
        ('model != "LED-40"', False),
        ('not model == "LED-40"', False),
        ("not known(model)", True),
        ('model == "LED-40" or stage == "live"', True),
        ('supply == "permanent" and profile == "100@dusk;0@dawn"', True),
        ("True", True),
    ],
)
def test_a_device_is_selected_only_when_the_inventory_says_so(source: str, chosen: bool) -> None:
    assert selects(parse(source), lamp(nominal_w=40)) is chosen


@given(st.sampled_from([None, "LED-40", "LED-60"]), st.sampled_from([None, 10.0, 50.0]))
def test_a_select_knows_what_an_attribute_that_is_missing_leaves_open(model: str | None, watts: float | None) -> None:
    tree = parse('model == "LED-40" and nominal_w > 20')
    parts = [
        UNKNOWN if model is None else TRUE if model == "LED-40" else FALSE,
        UNKNOWN if watts is None else TRUE if watts > 20 else FALSE,
    ]
    assert select_truth(tree, {"model": model, "nominal_w": watts}) == min(parts)
