"""The rules over HTTP: which there are and how they do, why one did or did not fire, what another number would find."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from fastapi import Depends, Path, Query, Request, Response

from api.centre import AskCentre, Centre, as_json, when
from api.looking_back import device_for, explained, previewed, rule_for
from api.problems import ProblemError, shown
from api.readings import ID_QUERY, Instant
from api.tickets import FINDING_RULE
from api.who import AskWho, Who
from core.clock import parse_instant_ms
from rules.fields import Problem
from rules.preview import DAYS_MAX, Preview
from rules.spec import Rule
from rules.state import IN_FORCE, states_of
from rules.told import Row

BODY_BYTES_MAX = 16 * 1024
ROWS_SHOWN_MAX = 200
RulePath = Annotated[str, Path(pattern=FINDING_RULE)]


@dataclass(frozen=True)
class RuleParam:
    """A parameter; `origin` is `rule`, or whom an override is for, then with who set it, why, and until when."""

    name: str
    value: float
    unit: str
    origin: str
    author: str | None = None
    reason: str | None = None
    until: str | None = None


@dataclass(frozen=True)
class RuleProblem:
    """What is wrong in a rule file, where (from 1, 0 = the whole file), and how to mend it."""

    file: str
    line: int
    column: int
    rule: str
    what: str
    fix: str


@dataclass(frozen=True)
class RuleItem:
    """A rule. `state`: in_force, broken (its file can't be used: `problems`), or set_aside (it failed: `reason`).

    Of a broken rule only its name is known, and where it stands.
    """

    name: str
    state: str
    reason: str | None
    title_de: str | None
    kind: str | None
    priority: str | None
    version: str | None
    params: list[RuleParam]
    inhibited_by: list[str]
    talq: str | None
    status: str | None
    sentence_de: str | None
    file: str
    line: int
    problems: list[RuleProblem]


@dataclass(frozen=True)
class RulesPage:
    """All rules by name; `problems` are those that belong to no rule."""

    items: list[RuleItem]
    problems: list[RuleProblem]


@dataclass(frozen=True)
class ExplanationItem:
    """Why a rule did or did not fire: `verdict` and the sentence that says it; the rest shows what was looked at."""

    rule: str
    version: str
    title_de: str
    device_id: str
    at: str
    verdict: str
    sentence_de: str
    is_selected: bool
    is_in_service: bool
    window: str | None
    select: str
    params: list[dict[str, Any]]
    sample: dict[str, Any] | None
    judged: dict[str, Any] | None
    run: dict[str, Any] | None
    inhibited_by: list[dict[str, Any]]
    open: dict[str, Any] | None
    past: list[dict[str, Any]]
    silence: dict[str, Any] | None
    readings: int
    from_: str | None


@dataclass(frozen=True)
class PreviewItem:
    """What another version of a rule would have found: the first findings of each sort, and how many there are."""

    rule: str
    before: str
    after: str
    from_: str | None
    to: str | None
    devices: int
    devices_of: int
    readings: int
    counts: dict[str, int]
    new: list[dict[str, Any]]
    gone: list[dict[str, Any]]
    moved: list[dict[str, Any]]


class Wanted(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a preview."""

    params: dict[str, float] = {}
    days: int = DAYS_MAX


def rules(centre: AskCentre) -> Response:
    """Every rule, and what is wrong with rule files."""
    states = states_of(centre.rules.book, centre.rules.live.set_aside())
    items = [
        _item(centre.rules.book.rules.get(one.name), one.name, one.state, one.reason, one.problems) for one in states
    ]
    free = [problem_item(one) for one in centre.rules.book.problems if not one.rule]
    return as_json(RulesPage(items, free))


def explain(
    centre: AskCentre,
    who: AskWho,
    rule: RulePath,
    device_id: Annotated[str, Query(pattern=ID_QUERY)],
    at: Annotated[str | None, Query(description=f"{Instant}; now when left out.")] = None,
) -> Response:
    """Why a rule did or did not fire on a device at an instant."""
    found = rule_for(centre, rule)
    device = device_for(centre, who, device_id, found)
    told = explained(centre, found, device, instant_of(centre, at)).as_json()
    return as_json(told)


async def wanted_of(request: Request) -> Wanted:
    """What a preview is asked for."""
    body = await request.body()
    if len(body) > BODY_BYTES_MAX:
        raise ProblemError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"expected at most {BODY_BYTES_MAX} bytes.")
    try:
        return msgspec.json.decode(body or b"{}", type=Wanted)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        detail = (
            f'The body can\'t be used: {error}. Expected JSON such as {{"params": {{"limit_v": 205}}, "days": 30}}.'
        )
        raise ProblemError(HTTPStatus.BAD_REQUEST, detail) from None


def preview(centre: AskCentre, who: AskWho, rule: RulePath, wanted: Annotated[Wanted, Depends(wanted_of)]) -> Response:
    """What a rule would have found in the last days with other numbers."""
    found = previewed(centre, rule_for(centre, rule), wanted.params, wanted.days)
    return as_json(_preview_item(found, who))


def instant_of(centre: Centre, text: str | None) -> int:
    """Unix ms, at most now: nobody knows the future."""
    now_ms = centre.clock.now_ms()
    if text is None:
        return now_ms
    try:
        return max(0, min(parse_instant_ms(text), now_ms))
    except (ValueError, OverflowError):
        detail = f"at is {shown(text)}, which is no instant; expected e.g. 2026-01-10T18:00:00Z or Unix milliseconds."
        raise ProblemError(HTTPStatus.BAD_REQUEST, detail) from None


def problem_item(one: Problem) -> RuleProblem:
    """A problem without the folder it stands in, which is the operator's business."""
    return RuleProblem(file_words(one.file), one.line, one.column, one.rule, one.what, one.fix)


def file_words(file: str) -> str:
    """`rules/library/lamps.toml` for those that come with the platform, `rules/own.toml` for those of the town."""
    return file if file.startswith("rules/library/") else f"rules/{file.rpartition('/')[2]}"


def _item(rule: Rule | None, name: str, state: str, reason: str | None, problems: tuple[Problem, ...]) -> RuleItem:
    told = [problem_item(one) for one in problems]
    if rule is None:
        first = told[0]
        return RuleItem(
            name, state, reason, None, None, None, None, [], [], None, None, None, first.file, first.line, told
        )
    return RuleItem(
        name=name,
        state=state,
        reason=None if state == IN_FORCE else reason,
        title_de=rule.title_de,
        kind=rule.kind,
        priority=rule.priority,
        version=rule.version,
        params=params_of(rule),
        inhibited_by=list(rule.inhibited_by),
        talq=rule.talq,
        status=rule.status,
        sentence_de=rule.sentence_de,
        file=file_words(rule.source.file),
        line=rule.source.line,
        problems=told,
    )


def params_of(rule: Rule) -> list[RuleParam]:
    """The parameters of a rule, then those that are set for some."""
    found = [RuleParam(one.name, one.value, one.unit, "rule") for one in rule.params.values()]
    for each in rule.overrides:
        until = each.until.isoformat() if each.until else None
        found += [
            RuleParam(name, value, rule.params[name].unit, f"{each.by} {each.of}", each.author, each.reason, until)
            for name, value in each.params.items()
        ]
    return found


def _preview_item(found: Preview, who: Who) -> PreviewItem:
    new = [row for row in found.comparison.new if who.sees(row["town"])]
    gone = [row for row in found.comparison.gone if who.sees(row["town"])]
    moved = [(before, after) for before, after in found.comparison.moved if who.sees(after["town"])]
    return PreviewItem(
        rule=found.after.name,
        before=found.before.version,
        after=found.after.version,
        from_=when(found.from_ms),
        to=when(found.to_ms),
        devices=found.devices,
        devices_of=found.of,
        readings=found.readings,
        counts={"new": len(new), "gone": len(gone), "moved": len(moved), "same": found.comparison.same},
        new=[short(row) for row in new[:ROWS_SHOWN_MAX]],
        gone=[short(row) for row in gone[:ROWS_SHOWN_MAX]],
        moved=[{"before": short(before), "after": short(after)} for before, after in moved[:ROWS_SHOWN_MAX]],
    )


def short(row: Row) -> dict[str, Any]:
    """A finding of a preview without its evidence."""
    names = ("rule", "subject", "town", "since", "opened_at", "closed_at", "text_de", "members")
    return {name: row[name] for name in names}
