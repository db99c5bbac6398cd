"""Reading one table of a rule file: each field with its type and limits, and every problem with its place."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from rules.expression import ExpressionError, Node
from rules.locate import Located, Path, Place
from rules.parse import NUMBER_MAX, parse
from rules.spans import EXAMPLES, Span, SpanError, parse_span
from rules.vocabulary import nearest

TEXT_CHARS_MAX = 1_000
SHOWN_CHARS_MAX = 60
PROBLEMS_MAX = 200


class Problem(NamedTuple):
    """What is wrong with a rule file, where (line and column from 1, 0 = the whole file), and how to mend it."""

    file: str
    line: int
    column: int
    rule: str
    what: str
    fix: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.what}. Fix: {self.fix}"


class TooManyProblems(Exception):
    """A file has so many problems that reading on helps nobody."""


@dataclass
class Sheet:
    """One rule file while it is read: where things stand in it, and the problems found so far."""

    file: str
    located: Located
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def complain(self, place: Place, rule: str, what: str, fix: str) -> None:
        """One more problem. Raises TooManyProblems after PROBLEMS_MAX."""
        if len(self.problems) >= PROBLEMS_MAX:
            raise TooManyProblems
        self.problems.append(Problem(self.file, *place, rule, what, fix))


@dataclass
class Fields:
    """One table. A field that is missing gives its default; one that is wrong is told and gives its default."""

    sheet: Sheet
    rule: str
    path: Path
    table: Mapping[str, Any]

    def wrong(self, key: str | int, what: str, fix: str) -> None:
        """The value of a key can't be used."""
        self.sheet.complain(self.sheet.located.value((*self.path, key)), self.rule, what, fix)

    def wrong_inside(self, key: str, error: ExpressionError) -> None:
        """Something within the text of a key can't be used."""
        place = self.sheet.located.inside((*self.path, key), error.column)
        self.sheet.complain(place, self.rule, f"{key}: {error.what}", error.fix)

    def only(self, allowed: Collection[str]) -> None:
        """Refuse keys that are not among these."""
        for key in self.table:
            if key not in allowed:
                place = self.sheet.located.key((*self.path, key))
                self.sheet.complain(place, self.rule, f"there is no key {key} here", nearest(key, allowed))

    def need(self, keys: Collection[str], why: str) -> None:
        """Refuse a table that lacks one of these."""
        place = self.sheet.located.key(self.path)
        for key in keys:
            if key not in self.table:
                self.sheet.complain(place, self.rule, f"{key} is missing", f"add it; {why}")

    def text(self, key: str, default: str = "", choices: Collection[str] = ()) -> str:
        """A text, one of `choices` when there are some."""
        found = self.table.get(key, default)
        if not isinstance(found, str):
            self.wrong(key, f"{key} is {shown(found)}", "write a text in quotes")
        elif len(found) > TEXT_CHARS_MAX:
            self.wrong(key, f"{key} has {len(found)} characters", f"at most {TEXT_CHARS_MAX} are allowed")
        elif choices and found not in choices and key in self.table:
            self.wrong(key, f"{key} is {shown(found)}", nearest(found, choices))
        else:
            return found
        return default

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts."""
        found = self.table.get(key, [])
        if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
            self.wrong(key, f"{key} is {shown(found)}", 'write a list of texts, e.g. ["a", "b"]')
            return ()
        if len(set(found)) != len(found):
            self.wrong(key, f"{key} names one twice", "name each once")
        return tuple(found)

    def whole(self, key: str, default: int, low: int, high: int) -> int:
        """A whole number within limits."""
        found = self.table.get(key, default)
        if isinstance(found, bool) or not isinstance(found, int) or (key in self.table and not low <= found <= high):
            self.wrong(key, f"{key} is {shown(found)}", f"write a whole number {low} … {high}")
            return default
        return found

    def number(self, key: str, default: float, low: float = -NUMBER_MAX, high: float = NUMBER_MAX) -> float:
        """A number within limits."""
        found = self.table.get(key, default)
        usual = isinstance(found, int | float) and not isinstance(found, bool)
        if not usual or (key in self.table and not low <= found <= high):
            self.wrong(key, f"{key} is {shown(found)}", f"write a number {low:g} … {high:g}")
            return default
        return float(found)

    def flag(self, key: str, default: bool) -> bool:
        """True or false."""
        found = self.table.get(key, default)
        if not isinstance(found, bool):
            self.wrong(key, f"{key} is {shown(found)}", "write true or false, without quotes")
            return default
        return found

    def span(self, key: str, default: Span) -> Span:
        """A span of time."""
        found = self.table.get(key)
        if found is None:
            return default
        if not isinstance(found, str):
            self.wrong(key, f"{key} is {shown(found)}", EXAMPLES)
            return default
        try:
            return parse_span(found)
        except SpanError as error:
            what, _, fix = str(error).partition("; ")
            self.wrong(key, f"{key}: {what}", fix)
            return default

    def expression(self, key: str) -> Node | None:
        """The tree of an expression; None when it is missing or wrong."""
        found = self.table.get(key)
        if found is None:
            return None
        if not isinstance(found, str):
            self.wrong(key, f"{key} is {shown(found)}", "write an expression in quotes, e.g. 'power_w > 5'")
            return None
        try:
            return parse(found)
        except ExpressionError as error:
            self.wrong_inside(key, error)
            return None

    def inner(self, key: str) -> Fields | None:
        """A table inside; None when there is none."""
        found = self.table.get(key)
        if found is None:
            return None
        if not isinstance(found, Mapping):
            self.wrong(key, f"{key} is {shown(found)}", f"write a table, e.g. {key} = {{ … }}")
            return None
        return Fields(self.sheet, self.rule, (*self.path, key), found)

    def inners(self, key: str) -> list[Fields]:
        """The tables of an array of tables."""
        found = self.table.get(key, [])
        if not isinstance(found, list) or not all(isinstance(each, Mapping) for each in found):
            self.wrong(key, f"{key} is {shown(found)}", f"write a list of tables, e.g. lines [[….{key}]]")
            return []
        return [Fields(self.sheet, self.rule, (*self.path, key, number), one) for number, one in enumerate(found)]


def shown(value: object) -> str:
    """A found value for a message, cut where it gets long."""
    try:
        text = repr(value)
    except ValueError:  # a whole number of thousands of digits
        text = "a very long number"
    return text if len(text) <= SHOWN_CHARS_MAX else f"{text[:SHOWN_CHARS_MAX]}…"


def is_name(text: str) -> bool:
    """Whether a text can name a rule or a param."""
    return re.fullmatch(r"[a-z][a-z0-9_]{0,63}", text, re.ASCII) is not None
