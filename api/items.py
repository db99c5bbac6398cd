"""What our own API answers: findings, tickets, SOS cases and car parks as JSON, times in UTC.

The same forms go through the live stream, so a reader that follows it holds what a GET would give.
"""

from __future__ import annotations

from dataclasses import dataclass

from api.centre import Centre, when
from core.device import Device, Site
from core.reading import Scalar
from rules.records import Finding, SiteState, SosCase, Step, Ticket
from rules.spec import HASH_CHARS_SHOWN


@dataclass(frozen=True)
class EvidenceItem:
    """One measured value that a finding rests on."""

    device_id: str
    t: str | None
    name: str
    value: Scalar


@dataclass(frozen=True)
class ParamItem:
    """A parameter of a rule and where it comes from: `rule`, or e.g. `model LED-40 (R. Vogt)`."""

    name: str
    value: float
    unit: str
    origin: str


@dataclass(frozen=True)
class FindingItem:
    """One episode of one rule on one subject; `closed_at` null = it goes on. `ticket` is the work it belongs to.

    `rule_version`, `params` and `facts` (the numbers of the sentence) are as of its opening; null and empty for
    findings from before they were kept.
    """

    id: int
    rule: str
    subject: str
    town: str | None
    since: str | None
    opened_at: str | None
    closed_at: str | None
    close_reason: str | None
    priority: str
    members: list[str]
    text_de: str
    evidence: list[EvidenceItem]
    ticket: int | None
    rule_version: str | None
    params: list[ParamItem]
    facts: dict[str, float]


@dataclass(frozen=True)
class StepItem:
    """What happened, when, by whom, and the status after it."""

    at: str | None
    by: str
    action: str
    status: str
    note: str


@dataclass(frozen=True)
class TicketItem:
    """Work for somebody. `actions` are possible now, each as POST …/tickets/{id}/{action}.

    `findings` and `steps` are filled when one ticket is asked for.
    """

    id: int
    status: str
    priority: str
    town: str | None
    kind: str | None
    rule: str
    subject: str
    device_id: str | None
    title_de: str
    text_de: str
    since: str | None
    opened_at: str | None
    updated_at: str | None
    closed_at: str | None
    close_reason: str | None
    name: str | None
    street: str | None
    pole: str | None
    lat: float | None
    lon: float | None
    actions: list[str]
    findings: list[FindingItem]
    steps: list[StepItem]


@dataclass(frozen=True)
class SosItem:
    """A press of an SOS button and what was done about it. `town` null = the inventory does not know the button."""

    id: int
    state: str
    event: str
    device_id: str
    town: str | None
    name: str | None
    street: str | None
    lat: float | None
    lon: float | None
    is_test: bool
    is_late: bool
    pressed_at: str | None
    received_at: str | None
    last_press_at: str | None
    presses: int
    accepted_by: str | None
    accepted_at: str | None
    called_back_at: str | None
    informed_at: str | None
    closed_at: str | None
    cause: str | None
    actions: list[str]
    steps: list[StepItem]


@dataclass(frozen=True)
class AudienceItem:
    """The places of one site for one audience ('' = everybody)."""

    audience: str
    capacity: int
    free: int
    occupied: int
    unknown: int


@dataclass(frozen=True)
class SiteItem:
    """A car park now. free + occupied + unknown = capacity; state `stale` = nothing recent is known, show no number."""

    id: str
    town: str
    name: str | None
    lat: float | None
    lon: float | None
    type: str | None
    address: str | None
    fee: str | None
    opening_hours: str | None
    max_stay: str | None
    capacity: int
    free: int
    occupied: int
    unknown: int
    state: str
    measured_at: str | None
    audiences: list[AudienceItem]


def finding_item(one: Finding) -> FindingItem:
    """A finding as JSON."""
    return FindingItem(
        id=one.id,
        rule=one.rule,
        subject=one.subject,
        town=one.town,
        since=when(one.since_ms),
        opened_at=when(one.opened_ms),
        closed_at=when(one.closed_ms),
        close_reason=one.close_reason,
        priority=one.priority,
        members=list(one.members),
        text_de=one.text_de,
        evidence=[EvidenceItem(each.device_id, when(each.t_ms), each.name, each.value) for each in one.evidence],
        ticket=one.ticket_id,
        rule_version=one.rule_hash[:HASH_CHARS_SHOWN] or None,
        params=[ParamItem(each.name, each.value, each.unit, each.origin) for each in one.params],
        facts=dict(one.facts),
    )


def ticket_item(centre: Centre, one: Ticket) -> TicketItem:
    """A ticket as JSON, with the place of its device."""
    device = centre.inventory.snapshot().devices.get(one.subject)
    return TicketItem(
        id=one.id,
        status=one.status,
        priority=one.priority,
        town=one.town,
        kind=one.kind,
        rule=one.rule,
        subject=one.subject,
        device_id=device.device_id if device is not None else None,
        title_de=one.title_de,
        text_de=one.text_de,
        since=when(one.since_ms),
        opened_at=when(one.opened_ms),
        updated_at=when(one.updated_ms),
        closed_at=when(one.closed_ms),
        close_reason=one.close_reason,
        name=device.name if device is not None else None,
        street=device.street if device is not None else None,
        pole=device.pole if device is not None else None,
        lat=device.lat if device is not None else None,
        lon=device.lon if device is not None else None,
        actions=list(one.actions),
        findings=[finding_item(each) for each in one.findings],
        steps=[step_item(each) for each in one.steps],
    )


def sos_item(centre: Centre, one: SosCase) -> SosItem:
    """A case as JSON, with the place of its button."""
    device: Device | None = centre.inventory.snapshot().devices.get(one.device_id)
    return SosItem(
        id=one.id,
        state=one.state,
        event=one.event,
        device_id=one.device_id,
        town=one.town,
        name=device.name if device is not None else None,
        street=device.street if device is not None else None,
        lat=device.lat if device is not None else None,
        lon=device.lon if device is not None else None,
        is_test=one.is_test,
        is_late=one.is_late,
        pressed_at=when(one.pressed_ms),
        received_at=when(one.received_ms),
        last_press_at=when(one.last_press_ms),
        presses=one.presses,
        accepted_by=one.accepted_by,
        accepted_at=when(one.accepted_ms),
        called_back_at=when(one.called_back_ms),
        informed_at=when(one.informed_ms),
        closed_at=when(one.closed_ms),
        cause=one.cause,
        actions=list(one.actions),
        steps=[step_item(each) for each in one.steps],
    )


def site_item(site: Site, state: SiteState) -> SiteItem:
    """A car park as JSON."""
    return SiteItem(
        id=site.site,
        town=site.town,
        name=site.name,
        lat=site.lat,
        lon=site.lon,
        type=site.type,
        address=site.address,
        fee=site.fee,
        opening_hours=site.opening_hours,
        max_stay=site.max_stay,
        capacity=state.capacity,
        free=state.free,
        occupied=state.occupied,
        unknown=state.unknown,
        state="stale" if state.is_stale else "ok",
        measured_at=when(state.measured_ms),
        audiences=[
            AudienceItem(one.audience, one.capacity, one.free, one.occupied, one.unknown) for one in state.audiences
        ],
    )


def step_item(one: Step) -> StepItem:
    """A step as JSON."""
    return StepItem(when(one.at_ms), one.by, one.action, one.status, one.note)
