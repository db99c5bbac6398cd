"""What of SOS buttons is only for who answers them: that one was pressed, and when.

Where a button stands and whether it works is for everybody who looks after devices. Readings of the kind `sos` and
findings of the rule `sos_press` are presses; whoever may not see them gets answers as if there were none, and no key
of a page that would tell of one.
"""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus

from api.centre import Centre
from api.problems import ProblemError
from api.route import Policy
from api.who import Who
from core.kinds import KINDS
from core.kinds import SOS as SOS_VALUES
from ingest.store import Page, Query, Store, key_of, key_text
from rules.desk_cases import RULE as PRESS_RULE
from rules.records import Finding

SOS = "sos"
OTHER_KINDS = tuple(kind for kind in KINDS if kind != SOS)
HIDDEN_VALUES = frozenset(value.name for value in SOS_VALUES)


def sees_presses(who: Who) -> bool:
    """Whether presses of SOS buttons are theirs to see."""
    return who.may(Policy.SOS)


def presses_refused(who: Who) -> ProblemError:
    """The refusal of presses to who does not answer them."""
    detail = (
        "Presses of SOS buttons are for dispatchers and admins; you come in as "
        f"{who.role}. /api/v1/devices tells where the buttons are and when they were last heard."
    )
    return ProblemError(HTTPStatus.FORBIDDEN, detail)


def check_readings(centre: Centre, who: Who, query: Query) -> None:
    """Refuse a question that means presses. Raises ProblemError."""
    if sees_presses(who):
        return
    device = centre.inventory.snapshot().devices.get(query.device_id) if query.device_id is not None else None
    if query.kind == SOS or (device is not None and device.kind == SOS):
        raise presses_refused(who)


def page_for(who: Who, store: Store, query: Query) -> Page:
    """One page of readings, of all kinds that are theirs when the question names none."""
    if query.kind is not None or sees_presses(who):
        return store.page(query)
    pages = [store.page(replace(query, kind=kind)) for kind in OTHER_KINDS]
    found = sorted((item for page in pages for item in page.items), key=key_of)
    items = found[: query.limit]
    more = len(found) > query.limit or any(page.next is not None for page in pages)
    return Page(items, key_text(items[-1]) if more else None)


def count_for(who: Who, store: Store, query: Query) -> int:
    """How many readings there are of the kinds that are theirs."""
    if query.kind is not None or sees_presses(who):
        return store.count(query)
    return sum(store.count(replace(query, kind=kind)) for kind in OTHER_KINDS)


def findings_for(
    centre: Centre,
    who: Who,
    town: str | None = None,
    rule: str | None = None,
    subject: str | None = None,
    is_open: bool | None = None,
    after: int | None = None,
    limit: int = 100,
) -> list[Finding]:
    """Findings that are theirs, newest first; those before the number `after`. Raises ProblemError."""
    if not sees_presses(who) and rule == PRESS_RULE:
        raise presses_refused(who)
    hidden = None if sees_presses(who) else PRESS_RULE
    return centre.rules.findings.page(town, rule, subject, is_open, after, limit, but_rule=hidden)
