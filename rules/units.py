"""Units: what may be added to what and compared with what, told before a rule ever sees a reading.

A name's unit is its suffix (power_w, low_v, steady_s), or none. A number as it is written takes the unit of what it
stands next to. What has no unit may multiply and divide anything; V · A = W, W · h = Wh and their divisions are known;
every other product or quotient is refused: divide by something of the same unit first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from core.kinds import KINDS, VALUES, Form
from rules.evaluate import FALSE, select_truth
from rules.expression import (
    And,
    Arithmetic,
    Call,
    Compare,
    ExpressionError,
    Name,
    Negative,
    Node,
    Not,
    Number,
    Or,
    Text,
    Texts,
    Truth,
)
from rules.spans import SpanError, parse_span
from rules.vocabulary import ATTRIBUTES, DERIVED, FUNCTIONS, MEDIAN_MAX, MEDIAN_MIN, nearest

SUFFIXES = {
    "w": "W",
    "v": "V",
    "a": "A",
    "pct": "%",
    "wh": "Wh",
    "h": "h",
    "s": "s",
    "c": "°C",
    "deg": "°",
    "dbm": "dBm",
    "db": "dB",
}
NONE: Final = ""
LITERAL: Final = "number"
"""A number as it is written: takes the unit of what it stands next to."""

_PRODUCTS = {("V", "A"): "W", ("W", "h"): "Wh"}
_QUOTIENTS = {("W", "V"): "A", ("W", "A"): "V", ("Wh", "h"): "W", ("Wh", "W"): "h"}

Scope = Mapping[str, str]
"""The names an expression may use, with their units."""


def unit_of_name(name: str) -> str:
    """The unit a name's suffix says: low_v is V; '' when it has none."""
    head, _, suffix = name.rpartition("_")
    return SUFFIXES.get(suffix, NONE) if head else NONE


def device_kinds(select: Node) -> frozenset[str]:
    """The kinds of devices a `select` can take."""
    return frozenset(kind for kind in KINDS if select_truth(select, {"kind": kind}) != FALSE)


def scope_of(kinds: frozenset[str]) -> dict[str, str]:
    """What expressions about devices of these kinds may name: reported numbers, attributes and derived values."""
    reported = {v.name: v.unit for kind in sorted(kinds) for v in VALUES[kind].values() if v.form is not Form.TEXT}
    attributes = {row.name: row.unit for row in ATTRIBUTES.values() if row.number}
    derived = {row.name: row.unit for row in DERIVED.values() if row.kinds & kinds}
    return {**reported, **attributes, **derived}


def check_truth(tree: Node, scope: Scope, params: Scope) -> None:
    """Refuse what is no condition, names what is not there, or mixes units. Raises ExpressionError."""
    _Checker(scope, params).truth(tree)


def check_number(tree: Node, scope: Scope, params: Scope) -> str:
    """The unit of an arithmetic expression. Raises ExpressionError as check_truth does."""
    unit = _Checker(scope, params).number(tree)
    return NONE if unit == LITERAL else unit


@dataclass(frozen=True)
class _Checker:
    scope: Scope
    params: Scope

    def truth(self, tree: Node) -> None:
        match tree:
            case Truth():
                return
            case And(parts=parts) | Or(parts=parts):
                for part in parts:
                    self.truth(part)
            case Not(operand=operand):
                self.truth(operand)
            case Compare(operator="in"):
                fix = "`in` stands in select; write a == 1 or a == 2"
                raise ExpressionError(tree.column, "`in` compares texts, and readings are numbers", fix)
            case Compare(left=left, right=right):
                self.same([left, right], f"compared by {tree.operator}")
            case Call(function="known", arguments=(argument,)):
                self.number(argument)
            case _:
                shown = f"{tree.name} == 1" if isinstance(tree, Name) else "power_w > 5"
                raise ExpressionError(tree.column, "a number where a condition is expected", f"compare it: {shown}")

    def number(self, tree: Node) -> str:
        match tree:
            case Number():
                return LITERAL
            case Name(name=name):
                return self.name(name, tree.column)
            case Negative(operand=operand):
                return self.number(operand)
            case Arithmetic(operator="+" | "-" as operator, left=left, right=right):
                return self.same([left, right], f"in one {'sum' if operator == '+' else 'difference'}")
            case Arithmetic():
                return self.product(tree)
            case Call() if tree.function != "known":
                return self.call(tree)
        if isinstance(tree, Text | Texts):
            fix = "texts stand in select only; a flag is 0 or 1"
            raise ExpressionError(tree.column, "a text where a number is expected", fix)
        fix = "a flag is compared with 0 or 1; conditions are joined with and, or, not"
        raise ExpressionError(tree.column, "a condition where a number is expected", fix)

    def name(self, name: str, column: int) -> str:
        if name in self.params:
            return self.params[name]
        if name in self.scope:
            return self.scope[name]
        fix = nearest(name, [*self.scope, *self.params])
        if name in ATTRIBUTES:
            fix = "attributes that are texts stand in select only"
        raise ExpressionError(column, f"there is no {name}", fix)

    def same(self, parts: list[Node], how: str) -> str:
        unit = LITERAL
        for part in parts:
            own = self.number(part)
            if unit not in (own, LITERAL) and own != LITERAL:
                raise ExpressionError(part.column, f"{_shown(unit)} and {_shown(own)} {how}", _mend(unit, own))
            unit = own if unit == LITERAL else unit
        return unit

    def product(self, tree: Arithmetic) -> str:
        left, right = self.number(tree.left), self.number(tree.right)
        if left == right == LITERAL:
            return LITERAL
        left, right = _plain(left), _plain(right)
        if tree.operator == "*":
            known = _PRODUCTS.get((left, right)) or _PRODUCTS.get((right, left))
            unit = known or (left or right if NONE in (left, right) else None)
        else:
            if isinstance(tree.right, Number) and tree.right.value == 0:
                raise ExpressionError(tree.right.column, "divided by 0", "divide by another number")
            unit = NONE if left == right else left if right == NONE else _QUOTIENTS.get((left, right))
        if unit is None:
            what = f"{_shown(left)} {tree.operator} {_shown(right)} has no unit we know"
            raise ExpressionError(tree.column, what, _mend_product(left, right))
        return unit

    def call(self, tree: Call) -> str:
        first = tree.arguments[0]
        function = FUNCTIONS[tree.function]
        if not (function.kept or function.asks):
            return self.same(list(tree.arguments), f"in {tree.function}()")
        if not isinstance(first, Name) or first.name in self.params:
            fix = f"write {function.usage} with one value's name"
            raise ExpressionError(first.column, f"{tree.function}() remembers one value, no expression", fix)
        unit = self.number(first)
        if function.asks and (first.name in DERIVED or first.name in ATTRIBUTES):
            fix = "name what devices report, e.g. occupied"
            raise ExpressionError(first.column, f"neighbours say nothing of {first.name}", fix)
        _check_second(tree)
        if tree.function == "rate":
            return "W" if unit == "Wh" else f"{unit}/h"
        return NONE if function.span else {"age": "s", "gap": "s"}.get(tree.function, unit)


def _check_second(tree: Call) -> None:
    match tree.function, tree.arguments[1:]:
        case name, (Text(text=text, column=column),) if FUNCTIONS[name].span:
            try:
                span = parse_span(text)
            except SpanError as error:
                raise ExpressionError(column, f"{name}() needs a span of time", str(error)) from None
            if not span.fixed or not span.seconds:
                fix = 'write it in units, e.g. "1h"'
                raise ExpressionError(column, f"{name}() needs the same span for every device, not zero", fix)
        case "median_of", (Number(value=count),) if count in range(MEDIAN_MIN, MEDIAN_MAX + 1):
            return
        case _, ():
            return
        case _, (second,):
            fix = f"write {FUNCTIONS[tree.function].usage}"
            fix += f" with {MEDIAN_MIN} to {MEDIAN_MAX}" if tree.function == "median_of" else ""
            raise ExpressionError(second.column, f"the second argument of {tree.function}() does not fit", fix)


def check_select(tree: Node) -> None:
    """Refuse a `select` that is no condition over attributes of the inventory. Raises ExpressionError."""
    match tree:
        case Truth():
            return
        case And(parts=parts) | Or(parts=parts):
            for part in parts:
                check_select(part)
        case Not(operand=operand):
            check_select(operand)
        case Call(function="known", arguments=(Name(name=name, column=column),)):
            _attribute_is_number(name, column)
        case Compare(left=Name(name=name, column=column)):
            _check_attribute(tree, _attribute_is_number(name, column))
        case _:
            fix = 'write an attribute and what it is compared with, e.g. kind == "lamp" and nominal_w > 20'
            raise ExpressionError(tree.column, "this is no condition over attributes", fix)


def _attribute_is_number(name: str, column: int) -> bool:
    if name not in ATTRIBUTES:
        raise ExpressionError(column, f"there is no attribute {name}", nearest(name, ATTRIBUTES))
    return ATTRIBUTES[name].number


def _check_attribute(tree: Compare, number: bool) -> None:
    assert isinstance(tree.left, Name)
    name, right = tree.left.name, tree.right
    if number and not isinstance(right, Number):
        raise ExpressionError(right.column, f"{name} is a number", f"compare it with one, e.g. {name} > 20")
    if number:
        return
    if (
        isinstance(right, Number | Name)
        or not isinstance(right, Text | Texts)
        or tree.operator not in ("==", "!=", "in")
    ):
        fix = f'write {name} == "…", {name} != "…" or {name} in ("…", "…")'
        raise ExpressionError(right.column, f"{name} is a text", fix)
    choices = ATTRIBUTES[name].choices
    for text in (right.text,) if isinstance(right, Text) else right.items:
        if choices and text not in choices:
            raise ExpressionError(right.column, f"no {name} is '{text[:40]}'", nearest(text, choices))


def _plain(unit: str) -> str:
    return NONE if unit == LITERAL else unit


def _shown(unit: str) -> str:
    return unit or "a number without unit"


def _mend(left: str, right: str) -> str:
    if {left, right} == {"h", "s"}:
        return "use the same unit for both: 1 h = 3600 s, name the param with _s and write it in seconds"
    if NONE in (left, right):
        unit = left or right
        suffix = next((one for one, other in SUFFIXES.items() if other == unit), "")
        return f"end the param's name with _{suffix}, the suffix of {unit}" if suffix else "compare it with a number"
    return "compare and add only what has the same unit"


def _mend_product(left: str, right: str) -> str:
    if "%" in (left, right):
        return "divide the % by a param in % first, e.g. dim_pct / full_pct with full_pct = 100"
    return "divide by a value of the same unit first; known are V * A = W, W * h = Wh, Wh / h = W, Wh / W = h"
