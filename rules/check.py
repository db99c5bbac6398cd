"""What no rule can be checked for alone: names that occur twice, or are not there, and inhibition in a circle."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

from rules.spec import Rule
from rules.vocabulary import nearest

Complain = Callable[[Rule, str, str, str], None]
"""Tells a problem of a rule: the key it concerns ('' = the rule itself), what is wrong, how to mend it."""


def without_doubles(found: Iterable[Rule], complain: Complain) -> dict[str, Rule]:
    """Rules by name, sorted. Of two with one name the first stays, the other is told."""
    rules: dict[str, Rule] = {}
    for rule in found:
        first = rules.setdefault(rule.name, rule)
        if first is not rule:
            what = f"there is a rule {rule.name} already, in {first.source.file} line {first.source.line}"
            complain(rule, "", what, "give one of them another name")
    return dict(sorted(rules.items()))


def sound_inhibitions(rules: Mapping[str, Rule], names: Collection[str], complain: Complain) -> dict[str, Rule]:
    """The rules whose inhibitors exist (`names`: of every rule there is, broken ones too) and that are in no circle."""
    kept: dict[str, Rule] = {}
    for name, rule in rules.items():
        unknown = [one for one in rule.inhibited_by if one not in names]
        for one in unknown:
            complain(rule, "inhibited_by", f"there is no rule {one} to be inhibited by", nearest(one, names))
        if not unknown:
            kept[name] = rule
    circles = {name: way for name in kept if (way := _way_back(kept, name))}
    for name, way in circles.items():
        what = f"inhibition in a circle: {' → '.join(way)}"
        complain(kept[name], "inhibited_by", what, "take one of these out of an inhibited_by")
    return {name: rule for name, rule in kept.items() if name not in circles}


def sound_groups(rules: Mapping[str, Rule], names: Collection[str], complain: Complain) -> dict[str, Rule]:
    """The rules whose groups name rules that exist: what they become, and what they see together.

    What is seen together must show runs of samples on devices, which only rules of kind state do.
    """
    kept: dict[str, Rule] = {}
    for name, rule in rules.items():
        becomes = rule.group.becomes if rule.group is not None else ""
        named = [("group", becomes)] if becomes else []
        wrong = [(key, one) for key, one in named + [("together", one) for one in rule.together] if one not in names]
        for key, one in wrong:
            complain(rule, key, f"there is no rule {one}", nearest(one, names))
        odd = [one for one in rule.together if one in rules and rules[one].kind != "state"]
        for one in odd:
            complain(rule, "together", f"{one} is a rule of kind {rules[one].kind}", "name rules of kind state")
        if not wrong and not odd:
            kept[name] = rule
    return kept


def _way_back(rules: Mapping[str, Rule], start: str) -> tuple[str, ...]:
    """The shortest way from a rule over its inhibitors back to itself, both ends named; () when there is none."""
    waiting: list[tuple[str, ...]] = [(start,)]
    seen = {start}
    for way in waiting:
        for name in rules[way[-1]].inhibited_by:
            if name == start:
                return (*way, start)
            if name in rules and name not in seen:
                seen.add(name)
                waiting.append((*way, name))
    return ()
