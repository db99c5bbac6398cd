"""Reading the params of a rule and who overrides them for what."""

from __future__ import annotations

import keyword
from collections.abc import Mapping
from datetime import date, datetime
from types import MappingProxyType
from typing import Any, Final

from core.kinds import KINDS
from core.town import TOWN_IDS
from rules.fields import Fields, Problem, is_name, shown
from rules.spec import OVERRIDE_ORDER, Override, Param
from rules.units import scope_of, unit_of_name
from rules.vocabulary import ATTRIBUTES, FACTS, FUNCTIONS, nearest

PARAMS_MAX = 30
OVERRIDES_MAX = 1_000
VALUE: Final = "value"
RESERVED = frozenset((VALUE, *keyword.kwlist))


def read_params(fields: Fields) -> dict[str, Param]:
    """The params of a rule by name."""
    inner = fields.inner("params")
    if inner is None:
        return {}
    if len(inner.table) > PARAMS_MAX:
        fields.wrong("params", f"{len(inner.table)} params", f"at most {PARAMS_MAX} are allowed")
    taken = {*scope_of(frozenset(KINDS)), *FUNCTIONS, *ATTRIBUTES, *FACTS, *RESERVED}
    for name in inner.table:
        if not is_name(name) or name in taken:
            what = f"{shown(name)} can't name a param" + (", it names something else" if name in taken else "")
            inner.wrong(name, what, "use another name: a-z, 0-9 and _, its unit last, e.g. limit_w")
    return {name: Param(name, inner.number(name, 0.0), unit_of_name(name)) for name in inner.table}


def read_overrides(fields: Fields, params: dict[str, Param], today: date) -> tuple[Override, ...]:
    """The overrides of a rule, in the order of the file; one that has ended is told as a warning."""
    found = fields.inners("override")
    if len(found) > OVERRIDES_MAX:
        fields.wrong("override", f"{len(found)} overrides", f"at most {OVERRIDES_MAX} are allowed")
    return tuple(read_override(one, params, today) for one in found[:OVERRIDES_MAX])


def read_override(fields: Fields, params: Mapping[str, Param], today: date) -> Override:
    """One override; what is wrong with it is told through `fields`."""
    fields.only((*OVERRIDE_ORDER, "params", "author", "reason", "until"))
    fields.need(("params", "author", "reason"), "an override says what, who and why")
    by = [key for key in OVERRIDE_ORDER if key in fields.table]
    if len(by) != 1:
        what = f"an override for {' and '.join(by) or 'nothing'}"
        fields.wrong(by[-1] if by else "params", what, f"name exactly one of {', '.join(OVERRIDE_ORDER)}")
    for key in ("author", "reason", *by):
        if key in fields.table and not fields.text(key).strip():
            fields.wrong(key, f"{key} is empty", "write it down: in two years nobody else remembers")
    of = fields.text(by[0], choices=TOWN_IDS if by[0] == "town" else ()) if by else ""
    inner = fields.inner("params")
    values: dict[str, float] = {}
    for name in inner.table if inner else ():
        assert inner is not None
        if name in params:
            values[name] = inner.number(name, 0.0)
        else:
            inner.wrong(name, f"the rule has no param {shown(name)}", nearest(name, params))
    until = _until(fields, today)
    author, reason = fields.text("author"), fields.text("reason")
    return Override(by[0] if by else "model", of, MappingProxyType(values), author, reason, until)


def _until(fields: Fields, today: date) -> date | None:
    found: Any = fields.table.get("until")
    if found is None:
        return None
    if not isinstance(found, date) or isinstance(found, datetime):
        fields.wrong("until", f"until is {shown(found)}", "write a day without quotes, e.g. 2027-03-01")
        return None
    if found < today:
        place = fields.sheet.located.value((*fields.path, "until"))
        what, fix = f"the override ended on {found}", "take it out, or give it a new day"
        fields.sheet.warnings.append(Problem(fields.sheet.file, *place, fields.rule, what, fix))
    return found
