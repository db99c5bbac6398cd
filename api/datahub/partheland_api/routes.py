"""The eight paths of the region's API."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from http import HTTPStatus
from typing import Annotated

import msgspec
from fastapi import Depends, Header, Query, Request, Response

from api.centre import AskCentre, Centre
from api.datahub.partheland_api import geojson, ngsi
from api.datahub.partheland_api.answers import PRIVATE, PUBLIC, Shelf, answer_of, send
from api.datahub.partheland_api.errors import RefusedError, as_response, not_found, wrong
from api.datahub.partheland_api.gateways import gateway_features
from api.datahub.partheland_api.locations import AGGREGATIONS, EVERYWHERE, Location, Wanted, aggregate
from api.datahub.partheland_api.selection import Selected, chosen, some
from api.datahub.partheland_api.types import TYPES
from api.datahub.partheland_api.units import SENSORS
from api.datahub.partheland_api.view import Holder, Seen
from api.problems import shown
from core.inventory import InventoryError
from core.relational import DatabaseError

JSON = "application/json"
LD_JSON = "application/ld+json"
KEY_CHARS_MAX = 200
AGGREGATION_NAMES = ("location", "sensor", "aggregation")
KNOWN = ("type", "device", "id", *AGGREGATION_NAMES)

Build = Callable[[Holder | None], bytes]
ApiKey = Annotated[
    str | None, Header(alias="x-api-key", description="An API token of the platform: internal attributes of its town.")
]
TypeQuery = Annotated[str | None, Query(alias="type", json_schema_extra={"enum": list(TYPES)})]
DeviceQuery = Annotated[str | None, Query(description="One device, by its id.")]
IdQuery = Annotated[str | None, Query(alias="id", description="One device, by its id; no URN.")]
LocationQuery = Annotated[str | None, Query(description="A town, or * for each of them; needs `sensor`.")]
SensorQuery = Annotated[str | None, Query(json_schema_extra={"enum": list(SENSORS)})]
AggregationQuery = Annotated[str | None, Query(description="median", json_schema_extra={"enum": list(AGGREGATIONS)})]


async def selected_by_device(
    type_: TypeQuery = None, device: DeviceQuery = None, id_: IdQuery = None
) -> tuple[Selected, str | None]:
    """What `type` and `id` select, and the other name of `id`."""
    return Selected(type_, id_), device


async def selected_by_id(type_: TypeQuery = None, id_: IdQuery = None) -> Selected:
    """What `type` and `id` select."""
    return Selected(type_, id_)


async def wanted_location(
    location: LocationQuery = None, sensor: SensorQuery = None, aggregation: AggregationQuery = None
) -> Wanted:
    """Which locations are wanted."""
    return Wanted(location, sensor, aggregation)


ByDevice = Annotated[tuple[Selected, str | None], Depends(selected_by_device)]
ById = Annotated[Selected, Depends(selected_by_id)]
WantedLocation = Annotated[Wanted, Depends(wanted_location)]


def devices(
    request: Request, centre: AskCentre, selection: ByDevice, wanted: WantedLocation, key: ApiKey = None
) -> Response:
    """All devices as GeoJSON, those of a filter, or values aggregated by town."""
    selected, device = selection

    def build(holder: Holder | None) -> bytes:
        if device and selected.id and device != selected.id:
            raise wrong("INVALID_PARAMETER_COMBINATION", "device und id meinen dasselbe; bitte nur eines angeben.")
        meant = Selected(selected.type, selected.id or device)
        if wanted.is_given:
            now_ms = centre.clock.now_ms()
            found = _locations(centre, meant, wanted)
            return geojson.collection([geojson.location_feature(one, now_ms) for one in found])
        return _collection(chosen(centre, meant, holder), meant)

    whole = ("geojson", selected.type or "") if not (device or selected.id or wanted.is_given) else None
    return _respond(request, centre, key, build, whole=whole)


def devices_of_type(
    request: Request, centre: AskCentre, type: str, device: DeviceQuery = None, key: ApiKey = None
) -> Response:
    """The devices of a type as GeoJSON."""
    meant = Selected(type, device)

    def build(holder: Holder | None) -> bytes:
        _no_aggregation(request)
        return _collection(chosen(centre, meant, holder), meant)

    whole = ("geojson", type) if not (device or _aggregation_names(request)) else None
    return _respond(request, centre, key, build, whole=whole)


def device(request: Request, centre: AskCentre, type: str, id: str, key: ApiKey = None) -> Response:
    """One device as a GeoJSON collection."""
    meant = Selected(type, id)

    def build(holder: Holder | None) -> bytes:
        _no_aggregation(request)
        return _collection(chosen(centre, meant, holder), meant)

    return _respond(request, centre, key, build)


def entities(request: Request, centre: AskCentre, meant: ById, wanted: WantedLocation, key: ApiKey = None) -> Response:
    """All devices as NGSI-LD, those of a filter, or values aggregated by town."""

    def build(holder: Holder | None) -> bytes:
        if wanted.is_given:
            now_ms = centre.clock.now_ms()
            found = [ngsi.location_entity(one, now_ms) for one in _locations(centre, meant, wanted)]
            return msgspec.json.encode(found if wanted.location == EVERYWHERE else found[0])
        return _entities(chosen(centre, meant, holder), meant)

    whole = ("ngsi-ld", meant.type or "") if not (meant.id or wanted.is_given) else None
    return _respond(request, centre, key, build, LD_JSON, whole)


def entities_of_type(request: Request, centre: AskCentre, type: str, key: ApiKey = None) -> Response:
    """The devices of a type as NGSI-LD."""
    meant = Selected(type)

    def build(holder: Holder | None) -> bytes:
        _no_aggregation(request)
        return _entities(chosen(centre, meant, holder), meant)

    whole = ("ngsi-ld", type) if not _aggregation_names(request) else None
    return _respond(request, centre, key, build, LD_JSON, whole)


def entity(request: Request, centre: AskCentre, type: str, id: str, key: ApiKey = None) -> Response:
    """One device as an NGSI-LD entity."""
    meant = Selected(type, id)

    def build(holder: Holder | None) -> bytes:
        _no_aggregation(request)
        return msgspec.json.encode(ngsi.device_entity(some(chosen(centre, meant, holder), meant)[0]))

    return _respond(request, centre, key, build, LD_JSON)


def gateways(request: Request, centre: AskCentre, id_: IdQuery = None, key: ApiKey = None) -> Response:
    """All gateways as GeoJSON, or one."""
    return _respond(
        request, centre, key, lambda holder: _gateways(centre, id_, holder), whole=None if id_ else ("gateways", "")
    )


def gateway(request: Request, centre: AskCentre, id: str) -> Response:
    """One gateway as a GeoJSON collection; the region's API takes no key here."""
    return _respond(request, centre, None, lambda holder: _gateways(centre, id, holder))


def _collection(found: list[Seen], meant: Selected) -> bytes:
    features = [feature for one in found if (feature := geojson.device_feature(one)) is not None]
    if found and not features:
        raise not_found("Zu diesen Geräten sind keine Koordinaten bekannt; /ngsi-ld/entities zeigt sie trotzdem.")
    some(found, meant)
    return geojson.collection(features)


def _entities(found: list[Seen], meant: Selected) -> bytes:
    return msgspec.json.encode([ngsi.device_entity(one) for one in some(found, meant)])


def _gateways(centre: Centre, gateway_id: str | None, holder: Holder | None) -> bytes:
    found = gateway_features(centre, gateway_id, holder)
    if not found:
        raise not_found("Kein Gateway gefunden.")
    return geojson.collection(found)


def _locations(centre: Centre, meant: Selected, wanted: Wanted) -> list[Location]:
    if meant.is_given:
        message = "location, sensor und aggregation gelten nicht zusammen mit type, id oder device."
        raise wrong("INVALID_PARAMETER_COMBINATION", message)
    return aggregate(wanted, lambda: chosen(centre, Selected(), None))


def _aggregation_names(request: Request) -> list[str]:
    return [name for name in AGGREGATION_NAMES if request.query_params.get(name)]


def _no_aggregation(request: Request) -> None:
    given = _aggregation_names(request)
    if given:
        message = "Standort-Aggregationen gibt es unter /geojson/devices und /ngsi-ld/entities ohne Typ im Pfad."
        raise wrong("INVALID_PARAMETER_COMBINATION", message, parameters=given)


def _respond(
    request: Request,
    centre: Centre,
    key: str | None,
    build: Build,
    media: str = JSON,
    whole: Hashable | None = None,
) -> Response:
    """The answer, or the refusal in the region's form. `whole` names an answer that everybody may see and get again."""
    headers = PRIVATE if key else PUBLIC
    try:
        _each_once(request)
        holder = _holder(centre, key) if key else None
        if holder is None and whole is not None:
            answer = _shelf(request).take(whole, centre.clock.monotonic_s(), lambda: build(None))
        else:
            answer = answer_of(build(holder))
        return send(request, answer, media, headers, is_public=not key)
    except RefusedError as error:
        return as_response(error, centre.clock.now_ms(), headers)
    except (DatabaseError, InventoryError):
        message = "Die Geräte können gerade nicht gelesen werden; bitte gleich noch einmal versuchen."
        refused = RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, "SERVICE_UNAVAILABLE", message)
        return as_response(refused, centre.clock.now_ms(), headers)


def _each_once(request: Request) -> None:
    names = [name for name, _ in request.query_params.multi_items()]
    for name in KNOWN:
        if names.count(name) > 1:
            raise wrong("INVALID_PARAMETER_COMBINATION", f"{shown(name)} ist mehrfach angegeben; bitte nur einmal.")


def _holder(centre: Centre, key: str) -> Holder:
    holder: Holder | None = centre.accounts.who_of_token(key) if len(key) <= KEY_CHARS_MAX else None
    if holder is None:
        message = "Dieser API-Key ist nicht gültig. Ohne Key gibt es die freigegebenen Attribute."
        raise RefusedError(HTTPStatus.UNAUTHORIZED, "INVALID_API_KEY", message)
    return holder


def _shelf(request: Request) -> Shelf:
    state = request.app.state
    if not hasattr(state, "region_shelf"):
        state.region_shelf = Shelf()
    shelf: Shelf = state.region_shelf
    return shelf
