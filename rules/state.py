"""How each rule does: in force, broken in its file, or set aside because it failed at run time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rules.fields import Problem
from rules.load import Book

IN_FORCE, BROKEN, SET_ASIDE = "in_force", "broken", "set_aside"


@dataclass(frozen=True)
class RuleState:
    """One rule by name. `problems` are those of its file; a rule may be in force beside a broken one of its name."""

    name: str
    state: str
    reason: str | None
    problems: tuple[Problem, ...]


def states_of(book: Book, aside: Mapping[str, str]) -> list[RuleState]:
    """Every rule there is or should be, broken ones first, then by name."""
    problems: dict[str, list[Problem]] = {}
    for one in book.problems:
        problems.setdefault(one.rule, []).append(one)
    found = []
    for name in sorted({*book.rules, *problems} - {""}):
        told = tuple(problems.get(name, ()))
        if name not in book.rules:
            found.append(RuleState(name, BROKEN, f"{told[0].what}; {told[0].fix}", told))
        elif name in aside:
            found.append(RuleState(name, SET_ASIDE, aside[name], told))
        else:
            found.append(RuleState(name, IN_FORCE, None, told))
    return sorted(found, key=lambda one: (one.state == IN_FORCE, one.name))
