"""Rule files become a book of rules. A broken rule is left out and told, all others go on.

Reading never raises for what stands in a file: bytes that are no text, text that is no TOML, and rules that make no
sense are all problems with a place and a remedy. What can't be opened raises OSError as it is.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from rules.check import sound_groups, sound_inhibitions, without_doubles
from rules.fields import PROBLEMS_MAX, Fields, Problem, Sheet, TooManyProblems, shown
from rules.locate import Located, Place, locate
from rules.read_rule import read_rule
from rules.spec import Rule

FILE_BYTES_MAX = 1_000_000
LIBRARY = Path(__file__).parent / "library"
WHOLE_FILE = Place(0, 0)


@dataclass(frozen=True)
class Book:
    """The rules that can be used, by name in the order of the alphabet, and what is wrong with the others.

    `warnings` concern rules that are in use all the same.
    """

    rules: dict[str, Rule]
    problems: list[Problem]
    warnings: list[Problem] = field(default_factory=list)


def load_book(paths: Sequence[Path], today: date) -> Book:
    """The rules of these files; of a folder, of all its *.toml. `today` decides which overrides have ended."""
    return _book([(str(file), file.read_bytes()) for file in _files(paths)], today)


def load_text(text: str, today: date, file: str = "rules.toml") -> Book:
    """The rules of one text, named `file` in problems."""
    return _book([(file, text.encode())], today)


def built_in(today: date) -> Book:
    """The rules that come with the platform."""
    return _book([], today, _library())


def in_force(paths: Sequence[Path], today: date) -> Book:
    """The rules that come with the platform, and those of these files; one of these takes the place of one that comes
    with it under the same name. A broken one takes no place.
    """
    return _book([(str(file), file.read_bytes()) for file in _files(paths)], today, _library())


def over_library(text: str, today: date, file: str = "rules.toml") -> Book:
    """The rules that come with the platform, with those of one text in place of their namesakes."""
    return _book([(file, text.encode())], today, _library())


def _library() -> list[tuple[str, bytes]]:
    return [(f"rules/library/{file.name}", file.read_bytes()) for file in sorted(LIBRARY.glob("*.toml"))]


def _files(paths: Iterable[Path]) -> list[Path]:
    found: dict[Path, Path] = {}
    for path in paths:
        for file in sorted(path.glob("*.toml")) if path.is_dir() else [path]:
            found.setdefault(file.resolve(), file)
    return list(found.values())


def _book(files: Sequence[tuple[str, bytes]], today: date, beneath: Sequence[tuple[str, bytes]] = ()) -> Book:
    """The rules of `files`, and those of `beneath` that none of them replaces."""
    read: list[Rule] = []
    names: set[str] = set()
    sheets: dict[str, Sheet] = {}
    replaced: set[str] = set()
    for number, (name, content) in enumerate([*files, *beneath]):
        sheet = sheets[name] = Sheet(name, Located(""))
        try:
            tables = _tables(sheet, content)
            names |= {fields.rule for fields in tables}
            rules_of_file = [rule for fields in tables if (rule := read_rule(fields, today)) is not None]
            read += [rule for rule in rules_of_file if number < len(files) or rule.name not in replaced]
            replaced |= {rule.name for rule in rules_of_file if number < len(files)}
        except TooManyProblems:
            what = f"more than {PROBLEMS_MAX} problems; none of the file's rules is used"
            sheet.problems.append(Problem(name, *WHOLE_FILE, "", what, "mend these first"))

    def complain(rule: Rule, key: str, what: str, fix: str) -> None:
        sheet, path = sheets[rule.source.file], ("rule", rule.name)
        place = sheet.located.value((*path, key)) if key else sheet.located.key(path)
        sheet.problems.append(Problem(sheet.file, *place, rule.name, what, fix))

    rules = sound_inhibitions(sound_groups(without_doubles(read, complain), names, complain), names, complain)
    problems = [problem for sheet in sheets.values() for problem in sorted(set(sheet.problems))]
    return Book(rules, problems, [warning for sheet in sheets.values() for warning in sheet.warnings])


def _tables(sheet: Sheet, content: bytes) -> list[Fields]:
    """The rules of one file as tables; none when it is no rule file."""
    read = parse_toml(sheet, content)
    for key in read:
        if key != "rule":
            place = sheet.located.key((key,))
            sheet.complain(place, "", f"there is no table {shown(key)}", "every rule begins with a line [rule.NAME]")
    tables = read.get("rule", {})
    if not isinstance(tables, dict):
        sheet.complain(sheet.located.value(("rule",)), "", "rule is no table", "begin each rule with [rule.NAME]")
        return []
    found = []
    for name, table in tables.items():
        if isinstance(table, dict):
            found.append(Fields(sheet, name, ("rule", name), table))
        else:
            place = sheet.located.key(("rule", name))
            sheet.complain(place, name, f"rule.{name} is no table", f"begin the rule with [rule.{name}]")
    return found


def parse_toml(sheet: Sheet, content: bytes) -> dict[str, Any]:
    """What stands in a TOML file; {} when it is none, which is told through `sheet`."""
    if len(content) > FILE_BYTES_MAX:
        what, fix = f"the file has {len(content)} bytes", f"split it: at most {FILE_BYTES_MAX} are read"
        sheet.complain(WHOLE_FILE, "", what, fix)
        return {}
    try:
        text = content.decode("utf-8").replace("\r\n", "\n")
        read = tomllib.loads(text)
        sheet.located = locate(text)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        sheet.complain(Place(line, 1), "", "this is no UTF-8", "save the file as UTF-8")
    except tomllib.TOMLDecodeError as error:
        what, place = _toml_error(str(error), text)
        sheet.complain(place, "", f"this is no TOML: {what}", "every text stands in quotes, each key once in its table")
    except (RecursionError, ValueError):
        sheet.complain(WHOLE_FILE, "", "this TOML is nested too deeply or holds absurd numbers", "write it plainly")
    else:
        return read
    return {}


def _toml_error(message: str, text: str) -> tuple[str, Place]:
    """The message of tomllib without its place, and the place."""
    match = re.fullmatch(r"(?P<what>.*) \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)", message)
    if match is None:
        return message, WHOLE_FILE
    if match["line"]:
        return match["what"], Place(int(match["line"]), int(match["column"]))
    return f"{match['what']} at the end", Place(text.count("\n") + 1, 1)
