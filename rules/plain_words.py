"""A rule in plain German, without a device: what it looks for, whom it is about, how long it must last."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from core.german import counted, joined, number
from core.kinds import KIND_GERMAN
from rules.expression import And, Arithmetic, Call, Compare, Name, Negative, Node, Not, Number, Or, Text
from rules.judgement import ABSENCE_RULES
from rules.sentences import MANY, quantity, span_text
from rules.source_text import source_of
from rules.spans import Span, parse_span
from rules.spec import Group, Rule
from rules.terms import FUNCTIONS_DE, Terms, param_words

SIGNS = {"<": "unter", "<=": "höchstens", ">": "über", ">=": "mindestens", "==": "=", "!=": "nicht"}
MOST = {"min": "das Kleinere", "max": "das Größere"}
ARITHMETIC = {"+": "+", "-": "−", "*": "×", "/": "÷"}
RULE_KINDS = {
    "state": "Zustand", "count": "Häufigkeit", "frozen": "Stillstand", "schedule": "Nachtmittel", "absence": "Stille",
    "group": "viele zugleich", "event": "Zeichen",
}  # fmt: skip

GATHERED = {
    "circuit": "an einem Strang", "phase": "an einer Phase", "cabinet": "an einem Schaltschrank",
    "site": "auf einem Platz",
}  # fmt: skip


class PlainWords:
    """The German of one rule, as its parameters are for most devices; `titles` of the other rules, by name."""

    def __init__(self, rule: Rule, titles: Mapping[str, str] = MappingProxyType({})) -> None:
        self.rule = rule
        self.titles = titles
        self.terms = Terms(rule)

    def about(self) -> str:
        """Whom it is about: `Lampen`, `alle Geräte`."""
        kinds = sorted(self.rule.device_kinds)
        if len(kinds) > 4:
            return "alle Geräte"
        return joined([MANY[kind][0] if kind in MANY else KIND_GERMAN[kind] for kind in kinds])

    def looks_for(self) -> str:
        """When it fires, in one sentence."""
        rule = self.rule
        if rule.when is not None and rule.name not in ABSENCE_RULES:
            said = f"Löst aus, {self._course(self.condition(rule.when))}."
            if rule.group is None or rule.group.alone:
                return said
            return f"{said} Gemeldet wird es erst, wenn {many_of(rule.group)} das zeigen."
        if rule.name in ABSENCE_RULES:
            return self._absence()
        if rule.together and rule.group is not None:
            parts = joined([f"„{self.titles.get(name, name)}“" for name in rule.together])
            return f"Löst aus, wenn {many_of(rule.group)} zugleich {parts} zeigen, keines davon nur vereinzelt."
        return self._without_condition()

    def _course(self, said: str) -> str:
        rule = self.rule
        if rule.kind == "count":
            return f"wenn das {rule.count}-mal in {span_words(rule.within)} kommt und geht: {said}"
        if rule.kind == "schedule" and rule.value is not None:
            return f"wenn im Mittel einer Nacht gilt: {said}. Gemittelt wird: {self.expression(rule.value)}"
        return f"wenn gilt: {said}"

    def _without_condition(self) -> str:
        rule = self.rule
        if rule.kind == "event":
            return "Löst bei jedem solchen Zeichen aus, sofort und immer."
        if rule.event:
            return f"Löst aus, wenn die Probe länger als {span_words(rule.after)} ausbleibt."
        if rule.kind == "frozen":
            names = joined([self.terms.german(name) for name in rule.values])
            return f"Löst aus, wenn {names} {span_words(rule.lasts)} lang bis auf die letzte Stelle gleich bleiben."
        return f"{rule.title_de}."

    def _absence(self) -> str:
        name = self.rule.name
        if name == "silent":
            return "Löst aus, wenn mehr Meldungen in Folge fehlen, als der Funk des Geräts sonst verliert."
        if name == "never_reported":
            return "Löst aus, wenn ein Gerät in Betrieb ist und noch nie etwas von ihm kam."
        if name in ("circuit_down", "phase_down"):
            least, share = (self.rule.params[one].value for one in ("members_min", "members_share"))
            line = "Phase" if name == "phase_down" else "Leitung"
            return (
                f"Löst aus, wenn an einer {line} mindestens {number(least)} Lampen und {number(100 * share)} % "
                "zugleich verstummen, während ringsum etwas ankommt."
            )
        if name == "gateway_down":
            return "Löst aus, wenn über einen Empfänger viele Meldungen kommen müssten und keine kommt."
        return "Löst aus, wenn von niemandem mehr etwas ankommt."

    def lasting(self) -> str:
        """How long it must last, how often, in how many nights; '' = at once."""
        rule, parts = self.rule, []
        if rule.lasts != Span() and rule.kind != "frozen":
            parts.append(f"{span_words(rule.lasts)} lang")
        if rule.min_samples > 1:
            parts.append(f"in {number(rule.min_samples)} Messwerten in Folge")
        if rule.nights > 1:
            parts.append(f"in {counted(rule.nights, 'Nacht', 'Nächten')}")
        return ", ".join(parts)

    def gate(self) -> list[str]:
        """When it looks at all, all of these; [] = always."""
        where = self.rule.where
        if where is None:
            return []
        return [self.condition(part, inside=True) for part in (where.parts if isinstance(where, And) else (where,))]

    def condition(self, tree: Node, inside: bool = False) -> str:
        """A condition in words."""
        match tree:
            case And(parts=parts) | Or(parts=parts):
                word = " und " if isinstance(tree, And) else " oder "
                said = word.join(self.condition(part, inside=True) for part in parts)
                return f"({said})" if inside and isinstance(tree, Or) else said
            case Not(operand=operand):
                return f"nicht ({self.condition(operand)})"
            case Compare(operator=operator, left=left, right=right):
                if self._is_flag(left) and isinstance(right, Number):
                    return f"{self.expression(left)}: {'ja' if right.value else 'nein'}"
                unit = self.terms.unit_of(left)
                return f"{self.expression(left)} {SIGNS[operator]} {self.expression(right, unit)}"
        return source_of(tree)

    def _is_flag(self, tree: Node) -> bool:
        inner = tree.arguments[0] if isinstance(tree, Call) else tree
        return isinstance(inner, Name) and self.terms.is_flag(inner.name)

    def expression(self, tree: Node, unit: str = "") -> str:
        """A number in words: names in German, parameters as their numbers."""
        match tree:
            case Number(value=value):
                return quantity(value, "", unit)
            case Name(name=name):
                param = self.rule.params.get(name)
                return self.terms.german(name) if param is None else param_words(name, param.value, param.unit)
            case Negative(operand=operand):
                return f"−{self.expression(operand, unit)}"
            case Arithmetic(operator=operator, left=left, right=right):
                return f"{self.expression(left)} {ARITHMETIC[operator]} {self.expression(right)}"
            case Call():
                return self._called(tree)
        return source_of(tree)

    def _called(self, tree: Call) -> str:
        first = self.expression(tree.arguments[0])
        if tree.function == "first":
            return first
        if tree.function in MOST:
            return f"{MOST[tree.function]} von {joined([self.expression(each) for each in tree.arguments])}"
        match tree.arguments[1:]:
            case (Text(text=text),):
                return f"Wechsel von {first} in {span_words(parse_span(text))}"
        return FUNCTIONS_DE.get(tree.function, "{0}").format(first)


def many_of(group: Group) -> str:
    """`an einem Strang mindestens 3 Geräte und 60 %`."""
    return f"{GATHERED[group.by]} mindestens {number(group.least)} Geräte und {number(100 * group.share)} %"


def span_words(span: Span) -> str:
    """`59 Minuten`, `2,5 Meldeabstände`, both where it says both."""
    parts = [span_text(span.seconds)] if span.seconds or not span.intervals else []
    parts += [counted_intervals(span.intervals)] if span.intervals else []
    return " und ".join(parts)


def counted_intervals(count: float) -> str:
    """`ein Meldeabstand`, `6 Meldeabstände`."""
    return "ein Meldeabstand" if count == 1 else f"{number(count)} Meldeabstände"
