"""Reading one [rule.NAME] of a file: which fields its kind has, what they may be, whether expressions make sense."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from string import Formatter
from types import MappingProxyType

from core.kinds import SOS_EVENTS
from rules.expression import ExpressionError, Node, Truth
from rules.fields import Fields, is_name, shown
from rules.read_params import VALUE, read_overrides, read_params
from rules.read_test import read_test
from rules.spans import NO_TIME, Span
from rules.spec import (
    GAP,
    GROUPS,
    KINDS_OF_RULES,
    LATE,
    MISSING,
    Group,
    Param,
    Rule,
    RuleTest,
    Sooner,
    Source,
)
from rules.units import check_number, check_select, check_truth, device_kinds, scope_of
from rules.vocabulary import ATTRIBUTES, DERIVED, FACTS, PRIORITIES, STATUSES, TALQ_EVENTS, nearest

COUNT_MAX = 10_000
TESTS_MAX = 100

COMMON = frozenset(
    (
        *("title_de", "kind", "select", "params", "inhibited_by", "group", "late", "priority", "talq", "status"),
        *("sentence_de", "hold", "override", "test"),
    )
)
NEEDED = ("title_de", "kind", "select")
ABSENCE_PARAMS = ("false_per_year", "misses_min", "misses_max")
LINE_PARAMS = ("false_per_year", "members_min", "members_share")
SILENT_LINES = ("circuit_down", "phase_down", "gateway_down", "silent_many")
SILENT_DEVICES = ("silent", "never_reported")
"""Silence is judged by these alone (rules/absence.py)."""
_JUDGED = frozenset(("where", "max_gap", "missing", "for", "min_samples", "clear_for", "clear_samples"))


@dataclass(frozen=True)
class Sort:
    """What a kind of rule must say, and may say besides what every rule may."""

    needs: tuple[str, ...]
    may: frozenset[str]


SORTS: Mapping[str, Sort] = {
    "state": Sort(("when",), _JUDGED | {"clear", "nights", "sooner"}),
    "count": Sort(("when", "clear", "count", "within"), _JUDGED | {"nights"}),
    "frozen": Sort(("values", "for"), _JUDGED),
    "schedule": Sort((VALUE, "when"), _JUDGED | {"clear", "nights"}),
    "absence": Sort((), frozenset(("after", "event", "where", "for"))),
    "group": Sort((), _JUDGED | {"when", "clear", "together", "by", "min", "share"}),
    "event": Sort(("event",), frozenset(("where",))),
}


def read_rule(fields: Fields, today: date) -> Rule | None:
    """The rule of one table; None when something is wrong with it, which is told through `fields`."""
    before = len(fields.sheet.problems)
    if not is_name(fields.rule):
        what = f"'{shown(fields.rule)}' can't name a rule"
        place = fields.sheet.located.key(fields.path)
        fields.sheet.complain(place, fields.rule, what, "use a-z, 0-9 and _, beginning with a letter")
    fields.need(NEEDED, "every rule has it")
    kind = fields.text("kind", choices=KINDS_OF_RULES)
    if kind not in SORTS:
        return None
    sort = SORTS[kind]
    fields.only([*COMMON, *sort.needs, *sort.may])
    fields.need(sort.needs, f"a rule of kind {kind} has it")
    rule = _RuleReader(fields, kind, read_params(fields), today).read()
    return rule if len(fields.sheet.problems) == before else None


@dataclass
class _RuleReader:
    """The fields of one rule."""

    fields: Fields
    kind: str
    params: dict[str, Param]
    today: date

    def read(self) -> Rule:
        """The rule; good for nothing when there were problems."""
        fields, select = self.fields, self.select()
        kinds = device_kinds(select)
        scope = scope_of(kinds)
        value, group = self.value(scope), self.group()
        self.absence()
        self.many()
        self.sentence(scope)
        rule = Rule(
            name=fields.rule,
            kind=self.kind,
            title_de=fields.text("title_de"),
            select=select,
            device_kinds=kinds,
            where=self.truth("where", scope),
            when=self.truth("when", scope),
            clear=self.truth("clear", scope),
            lasts=self.lasts(),
            min_samples=fields.whole("min_samples", 1, 1, COUNT_MAX),
            nights=fields.whole("nights", 1, 1, COUNT_MAX),
            sooner=self.sooner(scope),
            lasts_clear=fields.span("clear_for", NO_TIME),
            clear_samples=fields.whole("clear_samples", 1, 1, COUNT_MAX),
            hold=fields.span("hold", NO_TIME),
            max_gap=self.some_time("max_gap", GAP),
            missing=fields.text("missing", "keep", MISSING),
            params=MappingProxyType(self.params),
            inhibited_by=fields.texts("inhibited_by"),
            group=group,
            late=fields.span("late", LATE),
            priority=fields.text("priority", "normal", PRIORITIES),
            talq=fields.text("talq", "", {"", *TALQ_EVENTS}),
            status=fields.text("status", "ok", STATUSES),
            sentence_de=fields.text("sentence_de"),
            overrides=read_overrides(fields, self.params, self.today),
            tests=self.tests(kinds),
            source=Source(fields.sheet.file, fields.sheet.located.key(fields.path).line),
        )
        return replace(self.of_its_kind(rule, scope), value=value)

    def of_its_kind(self, rule: Rule, scope: dict[str, str]) -> Rule:
        """The rule with the fields that only one kind has."""
        return replace(
            rule,
            count=self.fields.whole("count", 0, 1, COUNT_MAX),
            within=self.some_time("within", NO_TIME),
            values=self.values(scope),
            after=self.some_time("after", NO_TIME),
            event=self.fields.text("event", "", SOS_EVENTS),
            together=self.fields.texts("together"),
        )

    def select(self) -> Node:
        """Which devices; all when it is missing or wrong, so that the rest can be looked at."""
        found = self.fields.expression("select")
        every = Truth(True, 1)
        if found is None:
            return every
        try:
            check_select(found)
        except ExpressionError as error:
            self.fields.wrong_inside("select", error)
            return every
        if not device_kinds(found):
            self.fields.wrong("select", "no kind of device can fit this select", "join alternatives with `or`")
        return found

    def truth(self, key: str, scope: dict[str, str], fields: Fields | None = None) -> Node | None:
        """A condition."""
        fields = fields or self.fields
        found = fields.expression(key)
        if found is None:
            return None
        try:
            check_truth(found, scope, self.units())
        except ExpressionError as error:
            fields.wrong_inside(key, error)
        return found

    def units(self) -> dict[str, str]:
        """The units of the params."""
        return {name: param.unit for name, param in self.params.items()}

    def value(self, scope: dict[str, str]) -> Node | None:
        """What a schedule averages over a night; its unit goes into the scope of `when` as `value`."""
        found = self.fields.expression(VALUE) if self.kind == "schedule" else None
        if found is None:
            return None
        try:
            scope[VALUE] = check_number(found, scope, self.units())
        except ExpressionError as error:
            self.fields.wrong_inside(VALUE, error)
            scope[VALUE] = ""
        return found

    def values(self, scope: dict[str, str]) -> tuple[str, ...]:
        """What must stand still for a frozen value."""
        reported = [name for name in scope if name not in DERIVED and name not in ATTRIBUTES]
        found = self.fields.texts("values")
        for name in found:
            if name not in reported:
                self.fields.wrong("values", f"devices of this rule report no number {name}", nearest(name, reported))
        if "values" in self.fields.table and not found:
            self.fields.wrong("values", "values is empty", 'name at least one, e.g. ["power_w"]')
        return found

    def some_time(self, key: str, default: Span) -> Span:
        """A span that is not zero."""
        span = self.fields.span(key, default)
        if key in self.fields.table and span == NO_TIME:
            self.fields.wrong(key, f"{key} is no time at all", "write a longer one")
        return span

    def lasts(self) -> Span:
        """How long it must last; what stands still must do so for some time."""
        return self.some_time("for", NO_TIME) if self.kind == "frozen" else self.fields.span("for", NO_TIME)

    def sooner(self, scope: dict[str, str]) -> Sooner | None:
        """The second way to open."""
        inner = self.fields.inner("sooner")
        if inner is None:
            return None
        inner.only(("when", "for", "min_samples"))
        inner.need(("when",), "sooner is a condition with its own for and min_samples")
        when = self.truth("when", scope, inner)
        samples = inner.whole("min_samples", 1, 1, COUNT_MAX)
        return Sooner(when or Truth(False, 1), inner.span("for", NO_TIME), samples)

    def group(self) -> Group | None:
        """How many at once are one. A rule of kind group writes it without a table, or has params for silent lines."""
        own = self.kind == "group" and "group" not in self.fields.table
        if own and set(LINE_PARAMS) <= self.params.keys():
            return None
        inner = self.fields if own else self.fields.inner("group")
        if inner is None:
            return None
        if not own:
            inner.only(("by", "min", "share", "becomes", "alone"))
        inner.need(("by", "min", "share"), 'e.g. by = "circuit", min = 3, share = 0.6')
        by, least = inner.text("by", "", GROUPS), inner.whole("min", 1, 1, COUNT_MAX)
        becomes = "" if own else inner.text("becomes", "")
        alone = not own and inner.flag("alone", True)
        return Group(by, least, inner.number("share", 1.0, 0.0, 1.0), becomes, alone)

    def tests(self, kinds: frozenset[str]) -> tuple[RuleTest, ...]:
        """The rule's tests."""
        found = self.fields.inners("test")
        if len(found) > TESTS_MAX:
            self.fields.wrong("test", f"{len(found)} tests", f"at most {TESTS_MAX} are allowed")
        return tuple(read_test(one, kinds) for one in found[:TESTS_MAX])

    def absence(self) -> None:
        """Absence says either how sure it must be that messages are missing, or after which time without an event."""
        table = self.fields.table
        if self.kind != "absence" or {"after", "event"} <= table.keys():
            return
        if "after" in table or "event" in table:
            self.fields.need(("after", "event"), 'absence of an event has both, e.g. after = "30d", event = "test"')
        if self.fields.rule not in SILENT_DEVICES and not {"after", "event"} & table.keys():
            what = f"silence is judged by {' and '.join(SILENT_DEVICES)} alone"
            self.fields.wrong("kind", what, 'change the params of those, or write after = "30d", event = "test"')
            return
        missing = [name for name in ABSENCE_PARAMS if name not in self.params]
        if missing and not ("after" in table or "event" in table):
            fix = f"write params = {{ {', '.join(f'{name} = …' for name in ABSENCE_PARAMS)} }}, or after and event"
            self.fields.wrong("params", f"absence lacks the params {', '.join(missing)}", fix)

    def many(self) -> None:
        """A group looks at each device (when), at other rules (together), or is one of those about silent lines."""
        table = self.fields.table
        if self.kind != "group":
            return
        says = [key for key in ("when", "together") if key in table]
        if len(says) > 1:
            self.fields.wrong("together", "this group has both when and together", "leave one of them out")
        elif not says and self.fields.rule not in SILENT_LINES:
            what = f"nothing says what the group {self.fields.rule} looks at"
            fix = 'add when = \'…\' (on each device) or together = ["rule", "rule"]'
            self.fields.sheet.complain(self.fields.sheet.located.key(self.fields.path), self.fields.rule, what, fix)
        if len(self.fields.texts("together")) == 1:
            self.fields.wrong("together", "together names one rule", "name two or more, or use that rule's own group")

    def sentence(self, scope: dict[str, str]) -> None:
        """Refuse a sentence that names what is not there."""
        known = {*scope, *self.params, *ATTRIBUTES, *FACTS}
        for key in ("sentence_de", "title_de"):
            try:
                parts = list(Formatter().parse(self.fields.text(key)))
            except ValueError as error:
                self.fields.wrong(key, f"{key}: {error}", "names stand in {…}; a brace itself is written {{ or }}")
                continue
            for _, name, form, conversion in parts:
                if name is not None and (form or conversion or name not in known):
                    what = f"{key} names {{{name}}}" + (" with a form" if form or conversion else "")
                    self.fields.wrong(key, f"{what}, which is not known", nearest(name, known))
