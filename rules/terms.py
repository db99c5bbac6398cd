"""A rule's conditions over one row, taken apart: each part with its truth and the numbers it was found with.

The parts are evaluated by what evaluates the whole (rules/evaluate.py), on the columns that the judge has just used.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from core.kinds import VALUES, Form
from rules.evaluate import FALSE, TRUE, compile_number, compile_truth
from rules.explanation import Condition, Named, Term
from rules.expression import And, Call, Compare, ExpressionError, Name, Node, Not, Number, Or, walk
from rules.rule_columns import RuleColumns
from rules.sentences import UNKNOWN, quantity, span_text
from rules.source_text import source_of
from rules.spec import Rule
from rules.units import check_number, scope_of
from rules.vocabulary import ATTRIBUTES, DERIVED

TRUTHS = {FALSE: "false", 1: "unknown", TRUE: "true"}
KEYS = {
    "where": "Wird beurteilt, wenn",
    "when": "Löst aus, wenn",
    "sooner": "Löst schneller aus, wenn",
    "clear": "Ist vorbei, wenn",
    "value": "Gemittelt wird über jede Nacht",
}
OPERATORS = {"<": "weniger als ", "<=": "höchstens ", ">": "mehr als ", ">=": "mindestens ", "==": "", "!=": "nicht "}
MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
SMALL = 0.01
STANDSTILL = "same_s"
"""What the number is called that a rule of kind `frozen` compares."""
FUNCTIONS_DE = {
    "abs": "{0} (ohne Vorzeichen)",
    "delta": "{0}: Unterschied zum vorigen Wert",
    "rate": "{0} je Stunde",
    "gap": "{0}: Abstand zur vorigen Meldung",
    "age": "{0}: unverändert seit",
    "changes": "{0}: Wechsel in der Zeit",
    "median_of": "{0}: mittlerer der letzten Werte",
    "neighbours": "{0} bei den Nachbarn",
    "turnover": "{0}: Wechsel bei den Nachbarn in der Zeit",
    "onsets": "{0}: Anteil der Nachbarn, bei denen es eben begann",
    "ends": "{0}: Anteil der Nachbarn, bei denen es eben endete",
    "surge": "{0}: Anteil der Nachbarn, mehr als sonst um diese Zeit",
    "echoes": "{0}: wie sehr es den Wechseln eines Nachbarn folgt",
}


class Terms:
    """The names of one rule with their units and German words, and its conditions as terms."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.units = {name: param.unit for name, param in rule.params.items()}
        self.scope = scope_of(rule.device_kinds)
        if rule.value is not None:
            self.scope["value"] = self.unit_of(rule.value)

    def conditions(self, columns: RuleColumns) -> tuple[Condition, ...]:
        """All conditions of the rule over columns of one row."""
        rule = self.rule
        trees = {"where": rule.where, "when": rule.when, "clear": rule.clears}
        trees["sooner"] = rule.sooner.when if rule.sooner is not None else None
        found = [Condition(key, KEYS[key], self.term(tree, columns)) for key, tree in trees.items() if tree is not None]
        if rule.kind == "frozen":
            found.append(Condition("when", KEYS["when"], self._frozen(columns)))
        return tuple(found)

    def _frozen(self, columns: RuleColumns) -> Term:
        same_s = float(columns.inputs.same_s(self.rule.values)[0])
        needed_s = self.rule.lasts.seconds
        names = ", ".join(self.german(name) for name in self.rule.values)
        left = Named(STANDSTILL, f"{names}: unverändert seit", same_s, "s", span_text(same_s, dative=True))
        right = Named("for", "", needed_s, "s", span_text(needed_s, dative=True))
        text = f"{', '.join(self.rule.values)} unchanged for {self.rule.lasts}"
        truth = "true" if same_s >= needed_s else "false"
        german = f"{left.german} {left.words}, verlangt ist mindestens {right.words}"
        values = tuple(self.named(Name(name, 1), columns) for name in self.rule.values)
        return Term(text, truth, german, values, (), ">=", left, right)

    def term(self, tree: Node, columns: RuleColumns) -> Term:
        """One condition, or a part of one."""
        truth = TRUTHS[int(np.ravel(compile_truth(tree)(columns))[0])]
        match tree:
            case And(parts=parts):
                return Term(source_of(tree), truth, "alles davon", (), tuple(self.term(one, columns) for one in parts))
            case Or(parts=parts):
                return Term(source_of(tree), truth, "eines davon", (), tuple(self.term(one, columns) for one in parts))
            case Not(operand=operand):
                return Term(source_of(tree), truth, "nicht", (), (self.term(operand, columns),))
            case Compare():
                return self._comparison(tree, truth, columns)
        return Term(source_of(tree), truth, source_of(tree), self._values(tree, columns))

    def _comparison(self, tree: Compare, truth: str, columns: RuleColumns) -> Term:
        left, right, operator = tree.left, tree.right, tree.operator
        if self._is_limit(left) and not self._is_limit(right):
            left, right, operator = right, left, MIRRORED[operator]
        one, other = self.named(left, columns), self.named(right, columns)
        flag = isinstance(left, Name) and self.is_flag(left.name)  # how often a flag changed is a number
        if isinstance(right, Number) or flag:
            unit = one.unit
            other = Named("", "", other.value, unit, self.words(other.value, source_of(left), unit, flag))
        if flag:
            one = Named(one.name, one.german, one.value, one.unit, self.words(one.value, one.name, one.unit, True))
        needed = f"verlangt ist {OPERATORS[operator]}{other.words}"
        needed = "womit zu vergleichen ist, ist nicht bekannt" if other.value is None else needed
        german = f"{one.german}{':' if flag else ''} {one.words}, {needed}"
        return Term(source_of(tree), truth, german, self._values(tree, columns), (), operator, one, other)

    def _is_limit(self, tree: Node) -> bool:
        """Whether a side names nothing but parameters and numbers."""
        return all(not isinstance(each, Name) or each.name in self.rule.params for each in walk(tree))

    def is_flag(self, name: str) -> bool:
        """Whether a reported value is yes or no."""
        known = [VALUES[kind][name] for kind in sorted(self.rule.device_kinds) if name in VALUES[kind]]
        return bool(known) and known[0].form is Form.FLAG

    def _values(self, tree: Node, columns: RuleColumns) -> tuple[Named, ...]:
        """Every name in it once, and every call that remembers what was before."""
        found = {source_of(each): each for each in walk(tree) if isinstance(each, Name) or _keeps(each)}
        return tuple(self.named(each, columns) for each in found.values())

    def named(self, tree: Node, columns: RuleColumns) -> Named:
        """One side of a comparison, or one name, as a number with its words."""
        text, unit = source_of(tree), self.unit_of(tree)
        value = _first(compile_number(tree)(columns))
        name = text if isinstance(tree, Name) else next(self._own_names(tree), text)
        return Named(text, self.label(tree), value, unit, self.words(value, name if unit else text, unit, False))

    def words(self, value: float | None, name: str, unit: str, flag: bool) -> str:
        """A number as people write it."""
        if value is None:
            return UNKNOWN
        if flag and value in (0.0, 1.0):
            return "ja" if value else "nein"
        return quantity(value, name, unit)

    def label(self, tree: Node) -> str:
        """What a side of a comparison is called in German."""
        if isinstance(tree, Name):
            return self.german(tree.name)
        if isinstance(tree, Call) and tree.function == "first":
            return self.label(tree.arguments[0])
        inner = next(self._own_names(tree), "")
        if isinstance(tree, Call) and inner:
            return FUNCTIONS_DE.get(tree.function, "{0}").format(self.german(inner))
        return self.german(inner) if inner and len(list(self._own_names(tree))) == 1 else source_of(tree)

    def _own_names(self, tree: Node) -> Iterator[str]:
        return (each.name for each in walk(tree) if isinstance(each, Name) and each.name not in self.rule.params)

    def german(self, name: str) -> str:
        """What a name is called in German; a parameter keeps its own."""
        for kind in sorted(self.rule.device_kinds):
            if name in VALUES[kind]:
                return VALUES[kind][name].german
        if name in DERIVED:
            return DERIVED[name].german
        if name == "value":
            return "Mittel der Nacht"
        return ATTRIBUTES[name].german if name in ATTRIBUTES else name

    def unit_of(self, tree: Node) -> str:
        """The unit of a number; '' when it has none."""
        try:
            return check_number(tree, self.scope, self.units)
        except ExpressionError:
            return ""


def param_words(name: str, value: float, unit: str) -> str:
    """A parameter as people write it; very small ones with all their digits."""
    if value and not unit and not name.endswith("_share") and abs(value) < SMALL:
        return f"{value:.6f}".rstrip("0").replace(".", ",")
    return quantity(value, name, unit)


def _keeps(tree: Node) -> bool:
    return isinstance(tree, Call) and tree.function not in ("abs", "min", "max", "first", "known")


def _first(column: NDArray[np.float64]) -> float | None:
    value = float(np.ravel(column)[0])
    return None if np.isnan(value) else value


def leaf_of(term: Term, truth: str) -> Term | None:
    """The first comparison that made a condition what it was: false, or unknown."""
    if not term.parts:
        return term if term.truth == truth else None
    if term.german == "nicht":
        return term.parts[0] if term.truth == truth else None
    return next((found for part in term.parts if (found := leaf_of(part, truth)) is not None), None)
