"""Questions that look at weeks of readings at once: why a rule did or did not fire, and what another number would find.

They take seconds, not milliseconds, so only a few run at a time, none reads more than can be held, and none runs on
without an end.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus

from api.centre import Centre
from api.discretion import presses_refused, sees_presses
from api.guards import foreign
from api.problems import ProblemError, shown
from api.who import Who
from core.device import Device
from core.kinds import KINDS
from ingest.duck import DuckStore
from rules.company import company_of, only
from rules.explain import explain
from rules.explanation import Explanation
from rules.fleet import INTERVAL_S
from rules.history import Asked, table_from
from rules.preview import DAY_MS, DAYS_MAX, Limits, Preview, PreviewError, TooLongError, changed, preview
from rules.spec import Rule

EXPLAIN_DAYS = 21
EXPLAIN_READINGS_MAX = 100_000
COMPANY_MAX = 60
PREVIEW_S_MAX = 60.0
PREVIEW_READINGS_MAX = {True: 1_500_000, False: 200_000}
"""Of a store that gives columns, and of one that gives reading by reading."""
WAIT_S_MAX = 20.0
RETRY_AFTER_S = 10

_explaining = threading.BoundedSemaphore(2)
_previewing = threading.Lock()


def rule_for(centre: Centre, name: str) -> Rule:
    """A rule in force; refused when there is none, or it is broken."""
    book = centre.rules.book
    found = book.rules.get(name)
    if found is not None:
        return found
    problem = next((one for one in book.problems if one.rule == name), None)
    if problem is not None:
        detail = f"The rule {name} is broken: line {problem.line}: {problem.what}. Fix: {problem.fix}."
        raise ProblemError(HTTPStatus.CONFLICT, detail)
    raise ProblemError(HTTPStatus.NOT_FOUND, f"There is no rule {shown(name)}; /api/v1/rules lists them.")


def device_for(centre: Centre, who: Who, device_id: str, rule: Rule) -> Device:
    """The device, if there is one and what the rule tells of it is theirs to see."""
    device = centre.inventory.snapshot().devices.get(device_id)
    if device is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, f"There is no device {shown(device_id)} in the inventory.")
    if not who.sees(device.town):
        raise foreign(who, f"device {shown(device_id)}")
    if rule.event and not sees_presses(who):
        raise presses_refused(who)
    return device


def explained(centre: Centre, rule: Rule, device: Device, at_ms: int) -> Explanation:
    """Why the rule did or did not fire, from the store's readings of the weeks before."""
    snapshot = centre.inventory.snapshot()
    interval_s = device.interval_s or INTERVAL_S.get(device.kind, 3600)
    most = int(EXPLAIN_READINGS_MAX / (EXPLAIN_DAYS * 86_400 / interval_s))
    ids = company_of(snapshot, device.device_id, max(1, min(most, COMPANY_MAX)))
    chosen = only(snapshot, ids)
    from_ms, to_ms = max(at_ms - EXPLAIN_DAYS * DAY_MS, 0), at_ms + 1
    asked = [
        Asked(kind, of_kind, from_ms, to_ms)
        for kind in KINDS
        if (of_kind := [one for one in ids if chosen.devices[one].kind == kind])
    ]
    with _seat(_explaining, WAIT_S_MAX):
        table = table_from(centre.store, asked)
        rules = centre.rules
        learned = rules.live.learned(device.device_id)
        return explain(rule, device.device_id, chosen, table, at_ms, rules.book.rules, rules.works(), learned)


def previewed(centre: Centre, rule: Rule, params: Mapping[str, float], days: int) -> Preview:
    """What the rule would have found with other numbers. Refused while another preview runs."""
    if not 1 <= days <= DAYS_MAX:
        raise ProblemError(HTTPStatus.BAD_REQUEST, f"days is {days}; expected 1 to {DAYS_MAX}.")
    if rule.kind == "event":
        raise ProblemError(HTTPStatus.BAD_REQUEST, f"{rule.name} tells every press at once; there is nothing to try.")
    try:
        after = changed(rule, params)
    except PreviewError as error:
        raise ProblemError(HTTPStatus.BAD_REQUEST, f"{error}.") from None
    store, now_ms = centre.store, centre.clock.now_ms()
    limits = Limits(PREVIEW_READINGS_MAX[isinstance(store, DuckStore)], PREVIEW_S_MAX)
    span_ms = (max(now_ms - days * DAY_MS, 0), now_ms)
    with _seat(_previewing, 0.0):
        try:
            return preview(
                after, centre.rules.book.rules, centre.inventory.snapshot(), lambda asked: table_from(store, asked),
                span_ms, limits, centre.clock.monotonic_s, centre.rules.works(),
            )  # fmt: skip
        except TooLongError:
            detail = f"This took longer than {PREVIEW_S_MAX:.0f} s and was stopped; ask for fewer days."
            raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, detail) from None


@contextmanager
def _seat(seats: threading.BoundedSemaphore | threading.Lock, wait_s: float) -> Iterator[None]:
    """One of few places; refused when none gets free in time."""
    if not (seats.acquire(timeout=wait_s) if wait_s > 0 else seats.acquire(blocking=False)):
        detail = "Somebody else looks back over weeks of readings just now; ask again in a moment."
        raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, detail, {"Retry-After": str(RETRY_AFTER_S)})
    try:
        yield
    finally:
        seats.release()
