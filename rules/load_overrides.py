"""A file of overrides for a backtest: what if this rule had other params for that model, line or device.

[[override]]
rule = "lamp_out"
device = "BOR-L0012"            # or model, town, cabinet, circuit
params = { low_share = 0.2 }
author = "R. Vogt"
reason = "dims to 10 %"
until = 2027-03-01              # may be left out

The same checks as for overrides within rule files; they stand behind those, so of two for the same the later one wins.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path

from rules.fields import PROBLEMS_MAX, Fields, Problem, Sheet, TooManyProblems, shown
from rules.load import WHOLE_FILE, Book, parse_toml
from rules.locate import Located
from rules.read_params import read_override
from rules.spec import Rule
from rules.vocabulary import nearest


def with_overrides(book: Book, path: Path, today: date) -> Book:
    """The book with the overrides of a file in its rules; its problems are told with the book's. Raises OSError."""
    sheet = Sheet(str(path), Located(""))
    rules = dict(book.rules)
    try:
        read = parse_toml(sheet, path.read_bytes())
        for key in read:
            if key != "override":
                place = sheet.located.key((key,))
                sheet.complain(place, "", f"there is no table {shown(key)}", "every override begins with [[override]]")
        for one in Fields(sheet, "", (), read).inners("override"):
            _take(one, rules, today)
    except TooManyProblems:
        sheet.problems.append(Problem(str(path), *WHOLE_FILE, "", f"more than {PROBLEMS_MAX} problems", "mend these"))
    return Book(rules, [*book.problems, *sheet.problems], [*book.warnings, *sheet.warnings])


def _take(one: Fields, rules: dict[str, Rule], today: date) -> None:
    """One override into its rule."""
    one.need(("rule",), "an override says which rule it is for")
    name = one.text("rule")
    rule = rules.get(name)
    if rule is None:
        if name:
            one.wrong("rule", f"there is no rule {shown(name)}", nearest(name, rules))
        return
    rest: Mapping[str, object] = {key: value for key, value in one.table.items() if key != "rule"}
    before = len(one.sheet.problems)
    override = read_override(Fields(one.sheet, name, one.path, rest), rule.params, today)
    if len(one.sheet.problems) == before:
        rules[name] = replace(rule, overrides=(*rule.overrides, override))
