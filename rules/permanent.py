"""How a number that was tried is made to last: the whole rule with it, as lines for a rule file of the town's own.

A rule in a file in the folder `rules/` of the data takes the place of its namesake that comes with the platform.
"""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

from rules.load import LIBRARY, over_library
from rules.spec import Rule

LONG_AGO = date(1970, 1, 1)
"""No override had ended by then: so all are read."""
LIBRARY_PREFIX = "rules/library/"
NUMBER = r"-?[0-9][0-9_]*(?:\.[0-9_]+)?(?:[eE][+-]?[0-9]+)?"
_HEADER = re.compile(r"^\s*\[+\s*rule\s*\.\s*([A-Za-z0-9_\-\"']+)")


def lines_for(rule: Rule) -> str | None:
    """The text of the rule's file with the numbers of `rule` in it; None when its file is no longer what was read."""
    file = rule.source.file
    path = LIBRARY / file.removeprefix(LIBRARY_PREFIX) if file.startswith(LIBRARY_PREFIX) else Path(file)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    found = _with_params(_part_of(text, rule.name), rule)
    read = over_library(found, LONG_AGO).rules.get(rule.name)
    return found if read is not None and read.hash == rule.hash else None


def _part_of(text: str, name: str) -> str:
    """The lines of one rule, with its overrides and tests."""
    kept: list[str] = []
    inside = False
    for line in text.splitlines():
        header = _HEADER.match(line)
        if header is not None:
            inside = header[1].strip("\"'") == name
        if inside:
            kept.append(line)
    while kept and (not kept[-1].strip() or kept[-1].lstrip().startswith("#")):
        kept.pop()
    return "\n".join(kept) + "\n"


def _with_params(text: str, rule: Rule) -> str:
    """The first table of parameters with the rule's numbers in it; those of overrides stay as they are."""
    head, override, rest = text.partition(f"[[rule.{rule.name}.override]]")
    for name, param in rule.params.items():
        wanted = param.value

        def written(match: re.Match[str], wanted: float = wanted) -> str:
            return match[0] if float(match[2]) == wanted else f"{match[1]}{_number(wanted)}"

        head = re.sub(rf"(\b{re.escape(name)}\s*=\s*)({NUMBER})", written, head, count=1)
    return head + override + rest


def _number(value: float) -> str:
    """207 and 0.25, with as many digits as the number has."""
    short = f"{value:.15g}"
    return short if float(short) == value else repr(value)
