"""Where in a TOML file something stands: tomllib says what a file means, this says in which line and column.

The text is scanned once more for its keys. It must be TOML that tomllib has taken: what is odd here was refused there.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

Path = tuple[str | int, ...]
"""The way to a value: keys, and for elements of arrays their numbers from 0."""

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_PLAIN = re.compile(r"[^,\]}\n#]*")
_STRINGS = (
    re.compile(r'"""(?:[^\\"]|\\.|"{1,2}(?!"))*"""(?:"{1,2}(?!"))?', re.DOTALL),
    re.compile(r"'''(?:[^']|'{1,2}(?!'))*'''(?:'{1,2}(?!'))?", re.DOTALL),
    re.compile(r'"(?:[^"\\\n]|\\.)*"'),
    re.compile(r"'[^'\n]*'"),
)


class Place(NamedTuple):
    """Line and column, both from 1."""

    line: int
    column: int


class Spot(NamedTuple):
    """Offsets in the text: of the key, of its value, and of the first character inside when the value is a text."""

    key: int
    value: int
    inside: int


@dataclass
class Located:
    """The keys and values of one file by their paths."""

    text: str
    spots: dict[Path, Spot] = field(default_factory=dict)

    def key(self, path: Path) -> Place:
        """Where a key stands; for what has no line of its own, the nearest around it."""
        return self._place(self._nearest(path).key)

    def value(self, path: Path) -> Place:
        """Where a value stands; for what has no line of its own, the nearest around it."""
        return self._place(self._nearest(path).value)

    def inside(self, path: Path, column: int) -> Place:
        """Where the character `column` (from 1) of a text stands; exact for texts without backslashes."""
        spot = self._nearest(path)
        return self._place(min(spot.inside + column - 1, max(len(self.text) - 1, 0)))

    def _nearest(self, path: Path) -> Spot:
        while path and path not in self.spots:
            path = path[:-1]
        return self.spots.get(path, Spot(0, 0, 0))

    def _place(self, offset: int) -> Place:
        starts = self._starts
        line = bisect_right(starts, offset)
        return Place(line, offset - starts[line - 1] + 1)

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *(match.end() for match in re.finditer("\n", self.text))]


def locate(text: str) -> Located:
    """The places of everything in a TOML text that tomllib takes."""
    scan = _Scan(text.replace("\r\n", "\n"))
    scan.run()
    return Located(scan.text, scan.spots)


@dataclass
class _Scan:
    """One pass over a text; `at` is where we are."""

    text: str
    at: int = 0
    spots: dict[Path, Spot] = field(default_factory=dict)
    arrays: dict[Path, int] = field(default_factory=dict)

    def run(self) -> None:
        """Headers and pairs, one after the other."""
        table: Path = ()
        self.blank()
        while self.at < len(self.text):
            before = self.at
            table = self.header() if self.text[self.at] == "[" else self.pair(table)
            self.blank()
            if self.at == before:
                return

    def blank(self) -> None:
        """Over white space, line ends and comments."""
        match = _BLANK.match(self.text, self.at)
        self.at = match.end() if match else self.at

    def header(self) -> Path:
        """[a.b] or [[a.b]]: the table that follows."""
        start, double = self.at, self.text.startswith("[[", self.at)
        self.at += 2 if double else 1
        path: Path = ()
        keys = self.keys()
        for number, key in enumerate(keys):
            path = (*path, key)
            if path in self.arrays and not (double and number == len(keys) - 1):
                path = (*path, self.arrays[path])
        if double:
            self.arrays[path] = self.arrays.get(path, -1) + 1
            self.spots.setdefault(path, Spot(start, start, start))
            path = (*path, self.arrays[path])
        self.spots[path] = Spot(start, start, start)
        self.at = min(self.at + (2 if double else 1), len(self.text))
        return path

    def keys(self) -> list[str]:
        """A dotted key, up to what follows it."""
        found: list[str] = []
        while self.at < len(self.text):
            self.blank()
            bare = _BARE.match(self.text, self.at)
            if bare:
                found.append(bare.group())
                self.at = bare.end()
            else:
                found.append(self.string().strip("\"'"))
            self.blank()
            if not self.text.startswith(".", self.at):
                break
            self.at += 1
        return found

    def pair(self, table: Path) -> Path:
        """Key = value; gives back the table it stands in."""
        key, path = self.at, (*table, *self.keys())
        self.at += 1  # the =
        self.blank()
        self.value(path, key)
        return table

    def value(self, path: Path, key: int) -> None:
        """A value of any kind, with everything inside."""
        start, first = self.at, self.text[self.at : self.at + 1]
        inside = start
        if first and first in "\"'":
            triple = self.text.startswith(first * 3, start)
            inside = start + (3 if triple else 1)
            inside += triple and self.text.startswith("\n", inside)
            self.string()
        elif first == "{":
            self.inner("}", path)
        elif first == "[":
            self.inner("]", path)
        else:
            plain = _PLAIN.match(self.text, start)
            self.at = plain.end() if plain else start
        self.spots[path] = Spot(key, start, inside)

    def string(self) -> str:
        """Over a quoted text."""
        for pattern in _STRINGS:
            match = pattern.match(self.text, self.at)
            if match:
                self.at = match.end()
                return match.group()
        self.at += 1
        return ""

    def inner(self, end: str, path: Path) -> None:
        """Over an inline table or an array."""
        self.at += 1
        number = 0
        self.blank()
        while self.at < len(self.text) and self.text[self.at] != end:
            before = self.at
            if end == "}":
                self.pair(path)
            else:
                self.value((*path, number), self.at)
                number += 1
            self.blank()
            self.at += self.text.startswith(",", self.at)
            self.blank()
            if self.at == before:
                return
        self.at += 1
