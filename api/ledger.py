"""The path of the data over HTTP: gateways, the ledger, what was refused, and the proof."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from fastapi import Query, Response

from api.centre import AskCentre, Centre, as_json, when
from api.problems import ProblemError, shown
from api.readings import DeviceId
from ingest.quarantine import Row
from ingest.verify import GatewayLine, Report, tally
from ingest.verify import verify as compare
from rules.verify import with_rules

LIMIT_MAX = 1000
RAW_BYTES_MAX = 4 * 1024 * 1024  # a page of long messages ends earlier
INT64_MAX = 2**63 - 1


@dataclass(frozen=True)
class GatewayItem:
    """How a gateway says it is; null = it did not say. `lag_s` and the frames that wait are those of its spool."""

    id: str
    last_heard: str | None
    epoch: int | None
    lag_s: float | None
    waiting_frames: int | None
    waiting_bytes: int | None
    hours_left: float | None
    oldest: str | None
    full: bool | None
    held: int


@dataclass(frozen=True)
class Gateways:
    """The gateways that the centre heard since it started, and the ids of those it expects and did not hear."""

    items: list[GatewayItem]
    silent: list[str]


@dataclass(frozen=True)
class Totals:
    """Records over all gateways, ever: received = accepted + duplicates + quarantined."""

    received: int
    journaled: int
    accepted: int
    duplicates: int
    quarantined: int


@dataclass(frozen=True)
class DeviceCounters:
    """One device's counters; `lost` are gaps in its sequence numbers, `last_t` the time of its newest reading."""

    device_id: str
    heard: int
    lost: int
    repeats: int
    boots: int
    last_t: str | None


@dataclass(frozen=True)
class Ledger:
    """What of each gateway's records is here; `device` stands there when one was asked for."""

    gateways: list[GatewayLine]
    totals: Totals
    journal_head: int
    device: DeviceCounters | None


@dataclass(frozen=True)
class QuarantineItem:
    """What was refused, and why; `raw` as it came, in base64 when it is no text (`raw_encoding`)."""

    id: int
    code: str
    reason: str
    scope: str
    topic: str
    gateway: str
    device_id: str
    kind: str
    received: str | None
    raw: str
    raw_encoding: str


@dataclass(frozen=True)
class HeardItem:
    """A device that speaks but is not commissioned."""

    device_id: str
    kind: str
    gateway: str
    first: str | None
    last: str | None
    count: int


@dataclass(frozen=True)
class QuarantinePage:
    """The newest first; `next` is the `before` of the next page. `counts` by code, ever."""

    items: list[QuarantineItem]
    next: int | None
    counts: dict[str, int]
    heard: list[HeardItem]


def gateways(centre: AskCentre) -> Response:
    """How every gateway is."""
    items, held = _gateway_items(centre)
    silent = {*held, *centre.settings.platform.gateways} - {item.id for item in items}
    return as_json(Gateways(items, sorted(silent)))


def gateway_items(centre: Centre) -> list[GatewayItem]:
    """Every gateway that was heard since the centre started."""
    return _gateway_items(centre)[0]


def _gateway_items(centre: Centre) -> tuple[list[GatewayItem], dict[str, int]]:
    held: dict[str, int] = {}
    for line in tally(centre.ingest.journal).gateways:
        missing = sum(high - low + 1 for low, high in line.missing)
        held[line.id] = held.get(line.id, 0) + line.last_seq - missing
    said = dict(centre.ingest.gateways)
    return [_gateway(one, said[one], held.get(one, 0)) for one in sorted(said)], held


def _gateway(gateway: str, said: Mapping[str, object], held: int) -> GatewayItem:
    full = said.get("full")
    return GatewayItem(
        id=gateway,
        last_heard=when(_whole(said, "heard_ms")),
        epoch=_whole(said, "epoch"),
        lag_s=number_of(said, "lag_s"),
        waiting_frames=_whole(said, "waiting_frames"),
        waiting_bytes=_whole(said, "waiting_bytes"),
        hours_left=number_of(said, "hours_left"),
        oldest=when(_whole(said, "oldest_ms")),
        full=full if isinstance(full, bool) else None,
        held=held,
    )


def number_of(said: Mapping[str, object], name: str) -> float | None:
    """A number that a gateway said; None for anything else, because a gateway may say what it wants."""
    value = said.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > INT64_MAX:
        return None
    return float(value)


def _whole(said: Mapping[str, object], name: str) -> int | None:
    value = said.get(name)
    return value if isinstance(value, int) and number_of(said, name) is not None else None


def ledger(centre: AskCentre, device_id: DeviceId = None) -> Response:
    """Which records of which gateway are here, and one device's counters."""
    known = tally(centre.ingest.journal)
    totals = Totals(known.received, known.journaled, known.accepted, known.duplicates, known.quarantined)
    counters = None if device_id is None else _counters(centre, device_id)
    return as_json(Ledger(known.gateways, totals, known.head, counters))


def _counters(centre: AskCentre, device_id: str) -> DeviceCounters | None:
    journal = centre.ingest.journal
    with journal.exclusive():
        counted = journal.books.windows.counted(device_id)
    if counted is None:
        if centre.inventory.device(device_id) is None:
            detail = f"The device {shown(device_id)} is not in the inventory and was never heard."
            raise ProblemError(HTTPStatus.NOT_FOUND, detail)
        return None
    return DeviceCounters(
        device_id,
        counted["heard"],
        counted["lost"],
        counted["repeats"],
        counted["boots"],
        when(counted["last_t_ms"]),
    )


def quarantine(
    centre: AskCentre,
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX)] = 100,
    before: Annotated[int | None, Query(ge=1, le=INT64_MAX, description="The `next` of the page before.")] = None,
    device_id: DeviceId = None,
) -> Response:
    """What was refused, and who speaks without being commissioned."""
    kept = centre.ingest.quarantine
    rows = kept.page(limit + 1, before, device_id)
    items: list[QuarantineItem] = []
    size = 0
    for row in rows[:limit]:
        size += len(row.raw)
        if items and size > RAW_BYTES_MAX:
            break
        items.append(_refused(row))
    heard = [
        HeardItem(one.device_id, one.kind, one.gateway, when(one.first_ms), when(one.last_ms), one.count)
        for one in kept.heard()
    ]
    return as_json(QuarantinePage(items, items[-1].id if len(items) < len(rows) else None, kept.counts(), heard))


def _refused(row: Row) -> QuarantineItem:
    try:
        raw, encoding = row.raw.decode(), "text"
    except UnicodeDecodeError:
        raw, encoding = base64.b64encode(row.raw).decode(), "base64"
    return QuarantineItem(
        id=row.id,
        code=row.code,
        reason=row.reason,
        scope=row.scope,
        topic=row.topic,
        gateway=row.gateway,
        device_id=row.device_id,
        kind=row.kind,
        received=when(row.received_ms),
        raw=raw,
        raw_encoding=encoding,
    )


def verify(
    centre: AskCentre,
    deep: Annotated[bool, Query(description="Read every block of the journal again, which takes its time.")] = False,
) -> Response:
    """The proof that nothing was lost or doubled, as `partheland verify --json` prints it."""
    report: Report = compare(centre.ingest, deep)
    return as_json(with_rules(report, centre.inventory.database, centre.rules.how_far()))
