"""What the rules know and tell: values of devices, states of bays and sites, findings, tickets, SOS cases.

Plain values. Their JSON for programs is written by api/, their German for people by api/pages/.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from core.reading import Scalar

PRIORITIES = ("immediate", "high", "normal", "low")
TICKET_STATUSES = (
    "reported", "open", "accepted", "in_progress", "done", "closed", "unsolvable", "duplicate", "false_alarm",
)  # fmt: skip
TICKETS_AT_WORK = frozenset({"reported", "open", "accepted", "in_progress", "done"})
CASE_STATES = ("received", "accepted", "closed")
CASE_CAUSES = ("real", "false", "test", "vandalism")
CONDITIONS = ("ok", "fault", "silent", "never")
BAY_STATES = ("free", "occupied", "unknown")


@dataclass(frozen=True)
class Latest:
    """What a device said last. `values` are the newest of each name, `value_t_ms` when each was measured.

    `t_ms` and `received_ms` are those of its newest reading (Unix ms); `condition` is one of CONDITIONS.
    """

    device_id: str
    t_ms: int
    received_ms: int
    quality: str
    condition: str
    values: dict[str, Scalar]
    value_t_ms: dict[str, int]


@dataclass(frozen=True)
class BayState:
    """One bay: free, occupied or unknown; `measured_ms` is when it last said so, `since_ms` since when it is so."""

    device_id: str
    state: str
    since_ms: int | None
    measured_ms: int | None
    audience: str | None


@dataclass(frozen=True)
class AudienceState:
    """The bays of one site that are for one audience ('' = everybody)."""

    audience: str
    capacity: int
    free: int
    occupied: int
    unknown: int


@dataclass(frozen=True)
class SiteState:
    """One car park. free + occupied + unknown = capacity, always; unknown is never shown as free.

    `measured_ms` is the newest measurement behind it; None = nobody ever measured. `is_stale` = too old to be shown.
    """

    town: str
    site: str
    capacity: int
    free: int
    occupied: int
    unknown: int
    measured_ms: int | None
    is_stale: bool
    audiences: tuple[AudienceState, ...] = ()


@dataclass(frozen=True)
class Evidence:
    """One measured value that a finding rests on."""

    device_id: str
    t_ms: int
    name: str
    value: Scalar


@dataclass(frozen=True)
class KeptParam:
    """A parameter of a rule as it held when a finding was opened; `origin` says who set it."""

    name: str
    value: float
    unit: str
    origin: str


@dataclass(frozen=True)
class Finding:
    """One episode of one rule on one subject. `since_ms` = onset in event time, `opened_ms` = when it was raised.

    `rule_hash`, `params` and `facts` (the numbers of its sentence) are as of its opening; empty where nobody kept them.
    """

    id: int
    rule: str
    subject: str
    town: str | None
    since_ms: int
    opened_ms: int
    closed_ms: int | None
    close_reason: str | None
    priority: str
    members: tuple[str, ...]
    text_de: str
    evidence: tuple[Evidence, ...]
    ticket_id: int | None
    rule_hash: str = ""
    params: tuple[KeptParam, ...] = ()
    facts: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """One thing that happened to a ticket or a case: when, who, what, the status after it, and what was said."""

    at_ms: int
    by: str
    action: str
    status: str
    note: str


@dataclass(frozen=True)
class Ticket:
    """Work for somebody. `subject` is what it is about (a device id, or circuit:…); `actions` what may be done next.

    `findings` and `steps` are filled for one ticket that is looked at, empty in lists.
    """

    id: int
    status: str
    priority: str
    town: str | None
    kind: str | None
    rule: str
    subject: str
    title_de: str
    since_ms: int
    opened_ms: int
    updated_ms: int
    closed_ms: int | None
    close_reason: str | None
    actions: tuple[str, ...]
    text_de: str = ""
    findings: tuple[Finding, ...] = ()
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True)
class SosCase:
    """A press of an SOS button and what was done about it. A press while it is open joins it: `presses` counts.

    `event` is the kind of the first press, `unknown` when the button said something that nobody knows. `town` None =
    a button that is not in the inventory. `is_late` = it came 10 minutes or more after it was pressed.
    """

    id: int
    device_id: str
    town: str | None
    state: str
    event: str
    is_test: bool
    is_late: bool
    pressed_ms: int
    received_ms: int
    last_press_ms: int
    presses: int
    accepted_by: str | None
    accepted_ms: int | None
    called_back_ms: int | None
    informed_ms: int | None
    closed_ms: int | None
    cause: str | None
    updated_ms: int
    actions: tuple[str, ...]
    steps: tuple[Step, ...] = field(default=())
