"""The language of the rule files: one line of comparisons and arithmetic becomes a small tree of our own.

    power_w < low_share * expected_w or lamp_failure == 1

rules/parse.py makes the tree, rules/units.py checks it, rules/evaluate.py runs it over columns, and explanations walk
it: each node knows the column it begins at, counted in characters from 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias


class ExpressionError(ValueError):
    """This text is no expression. `column` counts characters from 1; `what` was wrong, `fix` mends it."""

    def __init__(self, column: int, what: str, fix: str) -> None:
        super().__init__(f"column {column}: {what}. Fix: {fix}")
        self.column, self.what, self.fix = column, what, fix


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it is written; it takes the unit of what it stands next to."""

    value: float
    column: int


@dataclass(frozen=True, slots=True)
class Truth:
    """True or False as it is written."""

    value: bool
    column: int


@dataclass(frozen=True, slots=True)
class Text:
    """A text in quotes: in `select`, and the span of changes()."""

    text: str
    column: int


@dataclass(frozen=True, slots=True)
class Texts:
    """What stands right of `in`."""

    items: tuple[str, ...]
    column: int


@dataclass(frozen=True, slots=True)
class Name:
    """A value, an attribute, a derived value or a parameter."""

    name: str
    column: int


@dataclass(frozen=True, slots=True)
class Negative:
    """A minus before something that is no number as it is written."""

    operand: Node
    column: int


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """`operator` is one of + - * /."""

    operator: str
    left: Node
    right: Node
    column: int


@dataclass(frozen=True, slots=True)
class Compare:
    """`operator` is one of < <= > >= == != in. A chain a < b < c is the And of its pairs."""

    operator: str
    left: Node
    right: Node
    column: int


@dataclass(frozen=True, slots=True)
class And:
    """All of two or more."""

    parts: tuple[Node, ...]
    column: int


@dataclass(frozen=True, slots=True)
class Or:
    """Any of two or more."""

    parts: tuple[Node, ...]
    column: int


@dataclass(frozen=True, slots=True)
class Not:
    """The contrary."""

    operand: Node
    column: int


@dataclass(frozen=True, slots=True)
class Call:
    """One of vocabulary.FUNCTIONS."""

    function: str
    arguments: tuple[Node, ...]
    column: int


Node: TypeAlias = Number | Truth | Text | Texts | Name | Negative | Arithmetic | Compare | And | Or | Not | Call


def children(node: Node) -> tuple[Node, ...]:
    """The parts of a node, left to right; () for a leaf."""
    match node:
        case And(parts=parts) | Or(parts=parts) | Call(arguments=parts):
            return parts
        case Not(operand=operand) | Negative(operand=operand):
            return (operand,)
        case Arithmetic(left=left, right=right) | Compare(left=left, right=right):
            return (left, right)
    return ()


def walk(node: Node) -> Iterator[Node]:
    """The node and everything below it, from left to right."""
    yield node
    for child in children(node):
        yield from walk(child)


def names(node: Node) -> frozenset[str]:
    """Every name in it."""
    return frozenset(each.name for each in walk(node) if isinstance(each, Name))
