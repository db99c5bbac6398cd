"""/regeln: every rule in plain German, what is wrong with those that do not work, and a threshold tried on the history
before it goes live.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Request, Response

from api.centre import AskCentre, Centre
from api.looking_back import previewed
from api.pages.evidence import param_german
from api.pages.view import count_from, refuse, render
from api.problems import ProblemError
from api.route import Policy
from api.rules import file_words
from api.who import AskWho, Who, form_fields
from core.clock import parse_instant_ms
from core.german import number
from rules.permanent import lines_for
from rules.plain_words import RULE_KINDS, PlainWords, span_words
from rules.preview import DAYS_MAX, Preview, changed
from rules.sentences import place_of
from rules.spec import Rule
from rules.state import IN_FORCE, RuleState, states_of
from rules.terms import param_words
from rules.told import Row

Form = Annotated[dict[str, str], Depends(form_fields)]
SHOWN_MAX = 40
FIELD = "p_"
BUSY = (
    "Das ging gerade nicht: Jemand anders probiert eben, oder es dauert zu lange. "
    "Versuchen Sie es gleich noch einmal, oder mit weniger Tagen."
)
STATES_DE = {"in_force": ("in Kraft", "ok"), "broken": ("gestört", "bad"), "set_aside": ("beiseitegelegt", "warn")}


@dataclass(frozen=True)
class RuleRow:
    """A rule as the list shows it; of a broken one only its name and its problems are known."""

    state: RuleState
    rule: Rule | None
    about: str
    looks_for: str
    lasting: str


@dataclass(frozen=True)
class Field:
    """A parameter in the form: as it is in force, and what was typed. `percent` = people write it in per cent."""

    name: str
    german: str
    unit: str
    in_force: str
    typed: str
    origins: tuple[str, ...]


@dataclass(frozen=True)
class Change:
    """A finding that would be new or gone, or that moved; `before` None = it has not moved."""

    where: str
    title: str
    since_ms: int
    text_de: str
    closed_ms: int | None
    before: tuple[int, int | None] | None = None


@dataclass(frozen=True)
class Tried:
    """What a preview found, for people."""

    preview: Preview
    new: list[Change]
    gone: list[Change]
    moved: list[Change]
    lines: str | None
    changes: list[str]


def rules_page(request: Request, centre: AskCentre, who: AskWho) -> Response:
    """All rules; those that do not work first."""
    book = centre.rules.book
    states = states_of(book, centre.rules.live.set_aside())
    titles = {one.name: one.title_de for one in book.rules.values()}
    rows = [_row(one, book.rules.get(one.name), titles) for one in states]
    return render(
        request, who, "rules.html", active="yard", rows=[one for one in rows if one.state.state == IN_FORCE],
        broken=[one for one in rows if one.state.state != IN_FORCE or one.state.problems], states=STATES_DE,
        problems=[one for one in book.problems if not one.rule], file_words=file_words,
    )  # fmt: skip


def rule_page(request: Request, centre: AskCentre, who: AskWho, rule: str) -> Response:
    """One rule."""
    return _rule_view(request, centre, who, _rule(request, centre, rule))


def try_rule(request: Request, centre: AskCentre, who: AskWho, rule: str, form: Form) -> Response:
    """What the rule would have found in the last days with the numbers of the form."""
    found = _rule(request, centre, rule)
    days = count_from(request, form.get("days"), "Die Zahl der Tage", DAYS_MAX) or DAYS_MAX
    try:
        wanted = _wanted(found, form)
    except ValueError as error:
        return _rule_view(request, centre, who, found, form=form, trouble=str(error), status=HTTPStatus.BAD_REQUEST)
    try:
        tried = _tried(centre, who, found, previewed(centre, found, wanted, days))
    except ProblemError as error:
        return _rule_view(request, centre, who, found, form=form, trouble=BUSY, status=error.status)
    return _rule_view(request, centre, who, found, form=form, tried=tried)


def _wanted(rule: Rule, form: Mapping[str, str]) -> dict[str, float]:
    """The numbers that were changed. Raises ValueError with a sentence for people."""
    wanted: dict[str, float] = {}
    for name, param in rule.params.items():
        typed = form.get(FIELD + name, "")
        try:
            value = _number(typed, name)
        except ValueError:
            what = f"„{typed[:40]}“ bei „{param_german(name)}“ ist keine Zahl."
            raise ValueError(f"{what} Erwartet wird zum Beispiel 25, 0,25 oder 207.") from None
        if value is not None and value != param.value:
            wanted[name] = value
    if not wanted:
        raise ValueError("Ändern Sie mindestens eine Zahl, dann gibt es etwas zu vergleichen.")
    return wanted


def _rule(request: Request, centre: Centre, name: str) -> Rule:
    found = centre.rules.book.rules.get(name)
    if found is None:
        refuse(
            request,
            HTTPStatus.NOT_FOUND,
            "Diese Regel gibt es nicht, oder sie ist gestört. Unter „Regeln“ stehen alle.",
        )
    return found


def _rule_view(
    request: Request,
    centre: Centre,
    who: Who,
    rule: Rule,
    form: Mapping[str, str] | None = None,
    trouble: str | None = None,
    tried: Tried | None = None,
    status: int = HTTPStatus.OK,
) -> Response:
    form = form or {}
    names = {one.name: one.title_de for one in centre.rules.book.rules.values()}
    plain = PlainWords(rule, names)
    aside = centre.rules.live.set_aside().get(rule.name)
    return render(
        request, who, "rule.html", status, active="yard", rule=rule, plain=plain, fields=_fields(rule, form),
        state=STATES_DE["set_aside" if aside else "in_force"], aside=aside, kind_de=RULE_KINDS[rule.kind],
        file=file_words(rule.source.file), clear=None if rule.clear is None else plain.condition(rule.clear),
        clear_for=span_words(rule.lasts_clear) if rule.lasts_clear.seconds else "",
        inhibitors=[(name, names.get(name)) for name in rule.inhibited_by], days=form.get("days") or DAYS_MAX,
        may_try=who.may(Policy.ADMIN) and bool(rule.params) and rule.kind != "event", trouble=trouble, tried=tried,
        days_max=DAYS_MAX,
    )  # fmt: skip


def _row(state: RuleState, rule: Rule | None, titles: Mapping[str, str]) -> RuleRow:
    if rule is None:
        return RuleRow(state, None, "", "", "")
    plain = PlainWords(rule, titles)
    return RuleRow(state, rule, plain.about(), plain.looks_for(), plain.lasting())


def _fields(rule: Rule, form: Mapping[str, str]) -> list[Field]:
    found = []
    for name, param in rule.params.items():
        origins = tuple(
            f"{one.by} {one.of}: {param_words(name, one.params[name], param.unit)} ({one.author}: {one.reason})"
            for one in rule.overrides
            if name in one.params
        )
        shown = param_words(name, param.value, param.unit)
        percent = name.endswith("_share")
        plain = number(param.value * 100 if percent else param.value, 6).rstrip("0").rstrip(",")
        typed = form.get(FIELD + name) or plain.replace(".", "")
        found.append(Field(name, param_german(name), "%" if percent else param.unit, shown, typed, origins))
    return found


def _number(text: str, name: str) -> float | None:
    """A number as people write it; None for nothing. A share is written in per cent. Raises ValueError."""
    plain = text.strip().replace("\u2212", "-").removesuffix("%").strip()
    if not plain:
        return None
    if "," in plain:
        plain = plain.replace(".", "").replace(",", ".")
    value = float(plain)
    return round(value / 100, 12) if name.endswith("_share") else value


def _tried(centre: Centre, who: Who, rule: Rule, found: Preview) -> Tried:
    comparison = found.comparison

    def change(row: Row, before: Row | None = None) -> Change:
        device = centre.inventory.snapshot().devices.get(row["subject"])
        title = centre.rules.book.rules[row["rule"]].title_de
        was = None if before is None else _times(before)
        since_ms, closed_ms = _times(row)
        where = place_of(row["subject"], device) or "Plattform"
        return Change(where, title, since_ms, row["text_de"], closed_ms, was)

    def theirs(rows: tuple[Row, ...]) -> list[Change]:
        return [change(row) for row in rows if who.sees(row["town"])]

    moved = [change(after, before) for before, after in comparison.moved if who.sees(after["town"])]
    changes = [
        f"{param_german(name)}: {param_words(name, param.value, param.unit)} statt "
        f"{param_words(name, rule.params[name].value, param.unit)}"
        for name, param in found.after.params.items()
        if param.value != rule.params[name].value
    ]
    lines = lines_for(changed(rule, {name: one.value for name, one in found.after.params.items()}))
    return Tried(found, theirs(comparison.new), theirs(comparison.gone), moved, lines, changes)


def _times(row: Row) -> tuple[int, int | None]:
    closed = row["closed_at"]
    return parse_instant_ms(row["since"]), None if closed is None else parse_instant_ms(closed)
