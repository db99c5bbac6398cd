"""Expressions over columns: a tree becomes a closure once, the closure runs over as many rows as there are.

A truth is i1: FALSE 0, UNKNOWN 1, TRUE 2; `and` is the least, `or` the greatest, `not` 2 − x (Kleene). A number that is
not known is NaN, and what is compared with it is UNKNOWN. Dividing by zero gives NaN: a share of nothing is not known.
What depends on no column comes back without a dimension and broadcasts against the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any, Final, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from core.device import Device
from core.profile import DEFAULT_PROFILE
from rules.expression import And, Arithmetic, Call, Compare, Name, Negative, Node, Not, Number, Or, Text, Texts, walk
from rules.expression import Truth as TruthNode
from rules.spans import parse_span
from rules.vocabulary import ATTRIBUTES

Numbers = NDArray[np.float64]
Truths = NDArray[np.int8]

FALSE: Final = 0
UNKNOWN: Final = 1
TRUE: Final = 2


class Columns(Protocol):
    """The rows an expression is evaluated on, as columns of one length; NaN = not known."""

    def column(self, name: str) -> Numbers:
        """f8[n]: a value, an attribute, a derived value or a parameter."""

    def call(self, function: str, name: str, argument: float) -> Numbers:
        """f8[n]: a function that keeps what was before, of the value `name`.

        `argument` is the span of changes() in seconds, the number of median_of(), 0 for delta, rate and age.
        """


S = TypeVar("S", bound=np.generic)
NumberOf = Callable[[Columns], Numbers]
TruthOf = Callable[[Columns], Truths]


def compile_truth(tree: Node) -> TruthOf:
    """i1[n] of a condition: FALSE, UNKNOWN or TRUE for each row. The tree must have passed rules.units.check."""
    return _compiled(tree, _truth(tree), np.int8)


def compile_number(tree: Node) -> NumberOf:
    """f8[n] of an arithmetic expression; NaN = not known. The tree must have passed rules.units.check."""
    return _compiled(tree, _number(tree), np.float64)


def _compiled(tree: Node, made: Callable[[Columns], Any], form: type[S]) -> Callable[[Columns], NDArray[S]]:
    inner = _constant(tree, made)

    def run(columns: Columns) -> NDArray[S]:
        with np.errstate(all="ignore"):
            return np.asarray(inner(columns), dtype=form)

    return run


def _constant(tree: Node, made: Callable[[Columns], Any]) -> Callable[[Columns], Any]:
    """What names no column is worked out once."""
    if any(isinstance(each, Name) for each in walk(tree)):
        return made
    with np.errstate(all="ignore"):
        value = made(_NoColumns())
    return lambda columns: value


class _NoColumns:
    """The columns of an expression without names."""

    def column(self, name: str) -> Numbers:
        raise AssertionError(f"a constant asks for the column {name}")

    def call(self, function: str, name: str, argument: float) -> Numbers:
        raise AssertionError(f"a constant calls {function}({name})")


def _number(tree: Node) -> NumberOf:
    match tree:
        case Number(value=value):
            number = np.float64(value)
            return lambda columns: number  # type: ignore[return-value]  # a scalar broadcasts like a column
        case Name(name=name):
            return lambda columns: columns.column(name)
        case Negative(operand=operand):
            inner = _constant(operand, _number(operand))
            return lambda columns: -inner(columns)
        case Arithmetic(operator=operator, left=left, right=right):
            one, other = _constant(left, _number(left)), _constant(right, _number(right))
            work = _ARITHMETIC[operator]
            return lambda columns: work(one(columns), other(columns))
        case Call():
            return _called(tree)
    raise AssertionError(f"{tree} is no number; rules.units.check lets no such tree pass")


def _called(tree: Call) -> NumberOf:
    first = tree.arguments[0]
    if tree.function in _PURE:
        inner = [_constant(each, _number(each)) for each in tree.arguments]
        work = _PURE[tree.function]
        return lambda columns: reduce(work, (each(columns) for each in inner))
    if tree.function == "abs":
        only = _number(first)
        return lambda columns: np.abs(only(columns))
    assert isinstance(first, Name), f"{tree.function} keeps what was before of a value, and {first} is none"
    function, name, argument = tree.function, first.name, kept_argument(tree)
    return lambda columns: columns.call(function, name, argument)


def kept_argument(tree: Call) -> float:
    """The second argument of a function that keeps what was before: seconds or a number; 0 where it has none."""
    match tree.arguments[1:]:
        case (Text(text=text),):
            return parse_span(text).seconds
        case (Number(value=value),):
            return value
    return 0.0


def _truth(tree: Node) -> TruthOf:
    match tree:
        case TruthNode(value=value):
            truth = np.int8(TRUE if value else FALSE)
            return lambda columns: truth  # type: ignore[return-value]  # a scalar broadcasts like a column
        case Compare(operator=operator, left=left, right=right):
            one, other = _constant(left, _number(left)), _constant(right, _number(right))
            compare = _COMPARE[operator]
            return lambda columns: compare(one(columns), other(columns))
        case And(parts=parts) | Or(parts=parts):
            inner = [_constant(part, _truth(part)) for part in parts]
            work: Any = np.minimum if isinstance(tree, And) else np.maximum
            return lambda columns: reduce(work, (each(columns) for each in inner))
        case Not(operand=operand):
            contrary = _truth(operand)
            return lambda columns: 2 - contrary(columns)
        case Call(function="known", arguments=(argument,)):
            number = _number(argument)
            return lambda columns: 2 - 2 * _as_int8(np.isnan(number(columns)))
    raise AssertionError(f"{tree} is no condition; rules.units.check lets no such tree pass")


def _as_int8(flags: Any) -> Truths:
    viewed: Truths = flags.view(np.int8)
    return viewed


def _less(left: Numbers, right: Numbers) -> Truths:
    return 1 + _as_int8(left < right) - _as_int8(left >= right)


def _less_or_equal(left: Numbers, right: Numbers) -> Truths:
    return 1 + _as_int8(left <= right) - _as_int8(left > right)


def _equal(left: Numbers, right: Numbers) -> Truths:
    return 1 + _as_int8(left == right) - _as_int8(left < right) - _as_int8(left > right)


def _divide(left: Numbers, right: Numbers) -> Numbers:
    return np.asarray(left / np.where(right == 0, np.nan, right))


_ARITHMETIC: dict[str, Callable[[Numbers, Numbers], Numbers]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": _divide,
}
_COMPARE: dict[str, Callable[[Numbers, Numbers], Truths]] = {
    "<": _less,
    "<=": _less_or_equal,
    ">": lambda left, right: _less(right, left),
    ">=": lambda left, right: _less_or_equal(right, left),
    "==": _equal,
    "!=": lambda left, right: 2 - _equal(left, right),
}
_PURE: dict[str, Any] = {
    "min": np.minimum,
    "max": np.maximum,
    "first": lambda one, other: np.where(np.isnan(one), other, one),
}

Attributes = Mapping[str, str | float | None]


def selects(tree: Node, device: Device) -> bool:
    """Whether a rule's `select` takes this device. What the inventory does not say is unknown: not selected.

    Without `supply` a device has a permanent one, without `profile` the usual one, as core.device says.
    """
    attributes = {name: getattr(device, name) for name in ATTRIBUTES}
    attributes["supply"] = device.supply or "permanent"
    attributes["profile"] = device.profile or DEFAULT_PROFILE
    return select_truth(tree, attributes) == TRUE


def select_truth(tree: Node, attributes: Attributes) -> int:
    """FALSE, UNKNOWN or TRUE of a `select` over attributes; one that is None or missing is not known."""
    match tree:
        case TruthNode(value=value):
            return TRUE if value else FALSE
        case And(parts=parts):
            return min(select_truth(part, attributes) for part in parts)
        case Or(parts=parts):
            return max(select_truth(part, attributes) for part in parts)
        case Not(operand=operand):
            return TRUE - select_truth(operand, attributes)
        case Call(function="known", arguments=(argument,)):
            return FALSE if _plain(argument, attributes) is None else TRUE
        case Compare(operator=operator, left=left, right=right):
            return _compare_plain(operator, _plain(left, attributes), _plain(right, attributes))
    raise AssertionError(f"{tree} is no select; rules.units.check_select lets no such tree pass")


def _compare_plain(operator: str, left: Any, right: Any) -> int:
    if left is None or right is None:
        return UNKNOWN
    return TRUE if _PLAIN_COMPARE[operator](left, right) else FALSE


def _plain(tree: Node, attributes: Attributes) -> Any:
    match tree:
        case Name(name=name):
            return attributes.get(name)
        case Number(value=value):
            return value
        case Text(text=text):
            return text
        case Texts(items=items):
            return items
    raise AssertionError(f"{tree} is no part of a select; rules.units.check_select lets no such tree pass")


_PLAIN_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
    "==": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    "in": lambda left, right: left in right,
}
