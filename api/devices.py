"""The inventory over HTTP: devices with what their counters say, import, export."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Path, Query, Request, Response

from api.centre import AskCentre, Centre, as_json, when
from api.guards import foreign, town_of
from api.problems import ProblemError, shown
from api.readings import ID_QUERY, Kind, known_kind
from api.who import AskWho, Who
from core.device import DEVICE_COLUMNS, STAGES, Device
from core.inventory import ImportResult, RadioTakenError
from core.inventory_csv import Problem, decode_csv, export_devices, export_sites, parse_inventory
from core.town import TOWN_IDS
from ingest.journal import Journal
from rules.audit import append

LIMIT_MAX = 1000
COUNTERS_AT_ONCE = 100
PROBLEMS_SHOWN_MAX = 10_000
TOWNS = sorted(TOWN_IDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceItem(Device):
    """A device of the inventory and what its counters say; null = it was never heard.

    `last_heard` is when it last spoke, be it with a repeat, `lost` the gaps in its sequence numbers, `repeats` what
    came again.
    """

    last_heard: str | None = None
    heard: int | None = None
    lost: int | None = None
    repeats: int | None = None
    boots: int | None = None


@dataclass(frozen=True)
class DevicesPage:
    """Devices in the order of their ids; `next` is the `after` of the next page, null = these were the last."""

    items: list[DeviceItem]
    next: str | None


@dataclass(frozen=True)
class Imported:
    """What an import did; `problems` are the rows that stayed out."""

    new: int
    changed: int
    unchanged: int
    version: int
    problems: list[Problem] = field(default_factory=list)


def devices(
    centre: AskCentre,
    who: AskWho,
    town: Annotated[str | None, Query(json_schema_extra={"enum": TOWNS})] = None,
    kind: Kind = None,
    stage: Annotated[str | None, Query(json_schema_extra={"enum": list(STAGES)})] = None,
    after: Annotated[str | None, Query(pattern=ID_QUERY, description="The `next` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX)] = LIMIT_MAX,
) -> Response:
    """One page of the inventory, retired devices too."""
    known_kind(kind)
    for name, value, allowed in (("town", town, TOWNS), ("stage", stage, STAGES)):
        if value is not None and value not in allowed:
            detail = f"{name} is {shown(value)}; expected one of {', '.join(allowed)}."
            raise ProblemError(HTTPStatus.BAD_REQUEST, detail)
    town = town_of(who, town)
    known = centre.inventory.snapshot().devices
    found = sorted(
        device_id
        for device_id, device in known.items()
        if town in (None, device.town)
        and kind in (None, device.kind)
        and stage in (None, device.stage)
        and (after is None or device_id > after)
    )
    chosen = found[:limit]
    items = with_counters(centre.ingest.journal, [known[device_id] for device_id in chosen])
    return as_json(DevicesPage(items, chosen[-1] if len(found) > limit else None))


def device(centre: AskCentre, who: AskWho, device_id: Annotated[str, Path(pattern=ID_QUERY)]) -> Response:
    """One device."""
    found = centre.inventory.device(device_id)
    if found is None:
        detail = f"There is no device {shown(device_id)} in the inventory; /api/v1/quarantine shows who speaks unknown."
        raise ProblemError(HTTPStatus.NOT_FOUND, detail)
    if not who.sees(found.town):
        raise foreign(who, f"device {shown(device_id)}")
    return as_json(with_counters(centre.ingest.journal, [found])[0])


async def body_of(request: Request) -> bytes:
    """The whole body; the door limits its length."""
    return await request.body()


def import_inventory(
    centre: AskCentre,
    who: AskWho,
    content: Annotated[bytes, Depends(body_of)],
    accept_valid: Annotated[bool, Query(description="Import the right rows although others are wrong.")] = False,
) -> Response:
    """Import devices or sites from CSV; which of them it is, the header tells. Each import is a row of the audit."""
    try:
        parsed = centre.inventory.check(parse_inventory(decode_csv(content)))
    except ValueError as error:
        raise ProblemError(HTTPStatus.BAD_REQUEST, f"The file can't be read: {error}.") from None
    rows = len(parsed.devices) + len(parsed.sites)
    if parsed.problems and not (accept_valid and rows):
        raise _refused(parsed.problems, rows)
    try:
        done = centre.inventory.apply(parsed.devices, parsed.sites, centre.clock.now_ms(), by=who.name)
    except RadioTakenError as error:  # somebody else changed the inventory since the check
        raise ProblemError(HTTPStatus.CONFLICT, f"Nothing was imported: {error}.") from None
    _tell(centre, parsed.devices)
    _write_down(centre, who, done, "sites" if parsed.sites else "devices", len(parsed.problems))
    return as_json(Imported(done.new, done.changed, done.unchanged, done.version, list(parsed.problems)))


def _refused(problems: Sequence[Problem], rows: int) -> ProblemError:
    hint = "; accept_valid=true imports the right ones" if rows else ""
    first = "; ".join(str(problem) for problem in problems[:3])
    return ProblemError(
        HTTPStatus.BAD_REQUEST,
        f"Nothing was imported: {len(problems)} problems, {rows} rows are right{hint}. {first}",
        more={
            "problems": [
                {"line": one.line, "column": one.column, "reason": one.reason} for one in problems[:PROBLEMS_SHOWN_MAX]
            ]
        },
    )


def _write_down(centre: Centre, who: Who, done: ImportResult, what: str, problems: int) -> None:
    left_out = f", {problems} problems left out" if problems else ""
    detail = f"{what}: {done.new} new, {done.changed} changed, {done.unchanged} unchanged{left_out}"
    with centre.inventory.database.write() as connection:
        append(connection, centre.clock.now_ms(), who.name, "inventory imported", f"inventory {done.version}", detail)


def _tell(centre: Centre, imported: Sequence[Device]) -> None:
    centre.ingest.inventory_changed()
    centre.ingest.quarantine.forget_heard([device.device_id for device in imported if device.in_use])


def inventory_csv(centre: AskCentre, who: AskWho) -> Response:
    """The devices of one's towns as the CSV that the import takes."""
    return _file(
        "inventory.csv", export_devices([one for one in centre.inventory.current().values() if who.sees(one.town)])
    )


def sites_csv(centre: AskCentre, who: AskWho) -> Response:
    """The sites of one's towns as the CSV that the import takes."""
    return _file("sites.csv", export_sites([one for one in centre.inventory.sites().values() if who.sees(one.town)]))


def _file(name: str, text: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(text, media_type="text/csv; charset=utf-8", headers=headers)


def with_counters(journal: Journal, found: Sequence[Device]) -> list[DeviceItem]:
    """Devices with their counters. The journal waits meanwhile, so only a few are looked up at once."""
    counters: dict[str, Mapping[str, int]] = {}
    for start in range(0, len(found), COUNTERS_AT_ONCE):
        with journal.exclusive():
            for one in found[start : start + COUNTERS_AT_ONCE]:
                counters[one.device_id] = journal.books.windows.counted(one.device_id) or {}
    return [_item(one, counters[one.device_id]) for one in found]


def _item(known: Device, counted: Mapping[str, int]) -> DeviceItem:
    return DeviceItem(
        **{name: getattr(known, name) for name in DEVICE_COLUMNS},
        last_heard=when(counted.get("last_heard_ms") or None),
        heard=counted.get("heard"),
        lost=counted.get("lost"),
        repeats=counted.get("repeats"),
        boots=counted.get("boots"),
    )
