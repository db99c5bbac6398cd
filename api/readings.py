"""Readings as programs ask for them: pages, counts, and a whole file."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Query, Request, Response
from fastapi.responses import StreamingResponse

from api.centre import AskCentre, Centre, as_json, when
from api.discretion import check_readings, count_for, page_for
from api.guards import foreign
from api.problems import ProblemError, shown
from api.who import AskWho, Who
from core.clock import parse_instant_ms
from core.kinds import KINDS
from core.reading import Scalar
from core.town import ID_PATTERN
from ingest import store as stores
from ingest.readings_csv import csv_chunks, value_names
from ingest.store import LIMIT_MAX, StoredReading
from rules.audit import append

T_MS_MAX = 9_223_372_036_853  # the last instant in 2262 that nanoseconds in 64 bits reach, as InfluxDB counts
INT64_MAX = 2**63 - 1
ID_QUERY = f"^{ID_PATTERN.pattern}$"

DeviceId = Annotated[str | None, Query(pattern=ID_QUERY, description="Only of this device.")]
Kind = Annotated[str | None, Query(description="Only of this kind.", json_schema_extra={"enum": list(KINDS)})]
Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX)]
Instant = "an instant in ISO 8601 (without zone: UTC) or Unix milliseconds"
From = Annotated[str | None, Query(alias="from", description=f"At or after {Instant}.")]
To = Annotated[str | None, Query(alias="to", description=f"Before {Instant}.")]
After = Annotated[str | None, Query(description="The `next` of the page before.", max_length=200)]


@dataclass(frozen=True)
class ReadingItem:
    """One reading. `t` is when it was measured, `received` when it came; both UTC."""

    device_id: str
    kind: str
    t: str | None
    received: str | None
    boot: int
    seq: int
    quality: str
    values: dict[str, Scalar]


@dataclass(frozen=True)
class ReadingsPage:
    """Readings in the order t, device_id, boot, seq; `next` fetches the ones after them, null = these were the last."""

    items: list[ReadingItem]
    next: str | None


@dataclass(frozen=True)
class ReadingsCount:
    """How many distinct readings match."""

    count: int


def known_kind(kind: str | None) -> str | None:
    """The same kind, refused when there is none of this name."""
    if kind is not None and kind not in KINDS:
        raise ProblemError(HTTPStatus.BAD_REQUEST, f"kind is {shown(kind)}; expected one of {', '.join(KINDS)}.")
    return kind


def chosen(
    centre: AskCentre, who: AskWho, device_id: DeviceId = None, kind: Kind = None, from_: From = None, to: To = None
) -> stores.Query:
    """Which readings a request means; refused are those of another town, and presses of SOS for who answers none."""
    from_ms, to_ms = _instant("from", from_), _instant("to", to)
    if from_ms is not None and to_ms is not None and from_ms > to_ms:
        raise ProblemError(HTTPStatus.BAD_REQUEST, f"from {shown(from_)} is after to {shown(to)}; exchange them.")
    query = stores.Query(device_id=device_id, kind=known_kind(kind), from_ms=from_ms, to_ms=to_ms)
    check_readings(centre, who, query)
    _check_town(centre, who, device_id)
    return query


def _check_town(centre: Centre, who: Who, device_id: str | None) -> None:
    """Readings know their device, not its town: who comes in for one town has to name a device of it."""
    if who.town is None:
        return
    if device_id is None:
        detail = f"You come in for {who.town} only: give the device_id of one of its devices; /api/v1/devices has them."
        raise ProblemError(HTTPStatus.BAD_REQUEST, detail)
    device = centre.inventory.snapshot().devices.get(device_id)
    if device is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, f"There is no device {shown(device_id)} in the inventory.")
    if not who.sees(device.town):
        raise foreign(who, f"device {shown(device_id)}")


Chosen = Annotated[stores.Query, Depends(chosen)]


def readings(centre: AskCentre, who: AskWho, query: Chosen, limit: Limit = 1000, after: After = None) -> Response:
    """One page of readings. Those of SOS buttons are for who answers SOS."""
    if after is not None and not _may_be_key(after):
        raise ProblemError(HTTPStatus.BAD_REQUEST, _NO_KEY.format(shown(after)))
    try:
        page = page_for(who, centre.store, replace(query, limit=limit, after=after))
    except ValueError:
        raise ProblemError(HTTPStatus.BAD_REQUEST, _NO_KEY.format(shown(after))) from None
    return as_json(ReadingsPage([_item(one) for one in page.items], page.next))


def count(centre: AskCentre, who: AskWho, query: Chosen) -> Response:
    """How many distinct readings there are. Those of SOS buttons are for who answers SOS."""
    return as_json(ReadingsCount(count_for(who, centre.store, query)))


def export(
    request: Request,
    centre: AskCentre,
    who: AskWho,
    query: Chosen,
    format_: Annotated[str, Query(alias="format", description="csv", json_schema_extra={"enum": ["csv"]})] = "csv",
) -> Response:
    """All readings of a kind, or of one device, as CSV: device_id, t, received, and the kind's values.

    Each file is a row of the audit, written before the file begins.
    """
    if format_ != "csv":
        raise ProblemError(HTTPStatus.BAD_REQUEST, f"format is {shown(format_)}; expected csv.")
    kind = query.kind or _kind_of(centre, query.device_id)
    query = replace(query, kind=kind)
    try:
        names = value_names(centre.store, query)
    except ValueError as error:
        raise ProblemError(HTTPStatus.BAD_REQUEST, f"These readings have {error}.") from None
    rows: Iterator[StoredReading] = iter(())
    if request.method != "HEAD":
        rows = centre.store.scan(query)
    first = list(itertools.islice(rows, 1))  # a store that is away says so before the answer has begun
    if request.method != "HEAD":
        _write_down(centre, who, query)
    name = f"{query.device_id or kind}.csv"
    return StreamingResponse(
        csv_chunks(itertools.chain(first, rows), names),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _write_down(centre: Centre, who: Who, query: stores.Query) -> None:
    """A row of the audit: who takes which readings out, and how many there are now."""
    number = centre.store.count(query)
    times = [when(ms) or "" for ms in (query.from_ms, query.to_ms)]
    span = f" from {times[0] or 'the first'} to {times[1] or 'now'}" if any(times) else ""
    of = f"device {query.device_id}" if query.device_id is not None else "all devices"
    with centre.inventory.database.write() as connection:
        detail = f"{number} readings of kind {query.kind}{span}"
        append(connection, centre.clock.now_ms(), who.name, "readings exported", of, detail)


_NO_KEY = "after is {}; expected the `next` of the page before."


def _may_be_key(text: str) -> bool:
    """Whether it can be a key that we gave out: its numbers fit into 64 bits."""
    parts = text.split(".")
    numbers = [*parts[:1], *parts[2:]]
    return len(parts) == 4 and all(
        re.fullmatch(r"-?[0-9]{1,19}", one) is not None and abs(int(one)) <= INT64_MAX for one in numbers
    )


def _instant(name: str, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return min(max(parse_instant_ms(text), 0), T_MS_MAX)
    except (ValueError, OverflowError):
        expected = "2026-01-10T18:00:00Z or Unix milliseconds"
        raise ProblemError(
            HTTPStatus.BAD_REQUEST, f"{name} is {shown(text)}, which is no instant; expected e.g. {expected}."
        ) from None


def _item(reading: StoredReading) -> ReadingItem:
    return ReadingItem(
        reading.device_id,
        reading.kind,
        when(reading.t_ms),
        when(reading.received_ms),
        reading.boot,
        reading.seq,
        reading.quality,
        reading.values,
    )


def _kind_of(centre: Centre, device_id: str | None) -> str:
    if device_id is None:
        detail = f"A file needs a kind, because its columns are the kind's values; expected one of {', '.join(KINDS)}."
        raise ProblemError(HTTPStatus.BAD_REQUEST, detail)
    device = centre.inventory.device(device_id)
    if device is None:
        detail = f"There is no device {shown(device_id)} in the inventory; name its kind as well."
        raise ProblemError(HTTPStatus.NOT_FOUND, detail)
    return device.kind
