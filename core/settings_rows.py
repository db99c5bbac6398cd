"""What one setting is, and how a found value becomes one."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar, get_origin, get_type_hints

T = TypeVar("T")

PORT_MAX = 65_535
MIB = 1024 * 1024
ID = r"[A-Za-z0-9_-]{1,64}"
ID_EXPECTED = "1 to 64 of the characters A-Z a-z 0-9 _ -"
SHOWN_CHARS_MAX = 60
_WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


@dataclass(frozen=True)
class Rule:
    """What a setting may be: numbers lie in `low` … `high`, texts (each one of a list) match `pattern` or `choices`."""

    help: str
    low: float
    high: float
    pattern: str
    expected: str
    choices: tuple[str, ...]
    secret: bool


@dataclass(frozen=True)
class Row:
    """One setting: its name, its type (str, bool, int, float, or tuple for a list of texts), default and rule."""

    name: str
    kind: type
    default: Any
    rule: Rule


def setting(
    default: T,
    sentence: str,
    *,
    low: float = 0,
    high: float = 0,
    pattern: str = "",
    expected: str = "",
    choices: tuple[str, ...] = (),
    secret: bool = False,
) -> T:
    """A row of a table of settings."""
    rule = Rule(sentence, low, high, pattern, expected, choices, secret)
    made: T = field(default=default, metadata={"rule": rule})
    return made


class Table:
    """Base of the tables: a repr that never shows a secret."""

    def __repr__(self) -> str:
        shown = (
            f"{row.name}={'***' if row.rule.secret and getattr(self, row.name) else repr(getattr(self, row.name))}"
            for row in rows_of(type(self))
        )
        return f"{type(self).__name__}({', '.join(shown)})"


def rows_of(table: type[Table]) -> tuple[Row, ...]:
    """The rows of a table, in order."""
    hints = get_type_hints(table)
    return tuple(
        Row(each.name, get_origin(hints[each.name]) or hints[each.name], each.default, each.metadata["rule"])
        for each in fields(table)  # type: ignore[arg-type]  # every table is a dataclass, its base is none
    )


def expectation(row: Row) -> str:
    """What a setting may be, in words."""
    rule = row.rule
    if row.kind is bool:
        return "true or false"
    if row.kind in (int, float):
        return f"a {'whole ' if row.kind is int else ''}number {rule.low:.15g} … {rule.high:.15g}"
    one = f"one of {', '.join(rule.choices)}" if rule.choices else rule.expected or "a text"
    if row.kind is tuple:
        return f"a list, each {one}"
    return f"{one}, not empty" if rule.pattern and not rule.expected else one


def fits(row: Row, value: object) -> bool:
    """Whether a typed value may stand in this row. A whole number may stand for a number, never a flag for one."""
    if row.kind is tuple:
        return isinstance(value, list | tuple) and all(_text_fits(row.rule, each) for each in value)
    if row.kind is str:
        return _text_fits(row.rule, value)
    if isinstance(value, bool) or row.kind is bool:
        return isinstance(value, bool) and row.kind is bool
    allowed = int | float if row.kind is float else int
    return isinstance(value, allowed) and row.rule.low <= value <= row.rule.high


def _text_fits(rule: Rule, value: object) -> bool:
    if not isinstance(value, str):
        return False
    if rule.choices:
        return value in rule.choices
    return not rule.pattern or re.fullmatch(rule.pattern, value) is not None


def from_text(row: Row, text: str) -> object:
    """The typed value of an environment variable's text; the text itself when it is none of this type."""
    readers: dict[type, Callable[[str], object]] = {
        bool: lambda word: _WORDS[word.lower()],
        int: int,
        float: float,
        tuple: lambda words: tuple(word.strip() for word in words.split(",") if word.strip()),
        str: str,
    }
    try:
        return readers[row.kind](text.strip() if row.kind is not str else text)
    except (KeyError, ValueError):
        return text


def shown(row: Row, value: object) -> str:
    """A found value for a message: cut where it gets long, and never a secret."""
    if row.rule.secret:
        return "(hidden)"
    text = repr(value)
    return text if len(text) <= SHOWN_CHARS_MAX else f"{text[:SHOWN_CHARS_MAX]}…"
