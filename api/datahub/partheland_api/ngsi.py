"""Devices and locations as NGSI-LD entities of the region's form."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType

from api.datahub.partheland_api.geojson import place
from api.datahub.partheland_api.locations import Location
from api.datahub.partheland_api.types import TYPES
from api.datahub.partheland_api.view import Seen, utc

CONTEXT = (
    "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context.jsonld",
    "https://makerspace-partheland.de/ngsi-ld/v1/",
)
Entity = dict[str, object]


class Property(Struct, gc=False):
    """An attribute of an entity."""

    type: str
    value: object
    unitCode: str | UnsetType = UNSET  # noqa: N815  # the name in the answer
    observedAt: str | UnsetType = UNSET  # noqa: N815


def told(value: object) -> Property:
    """An attribute that nobody measures."""
    return Property("Property", value)


def device_entity(seen: Seen) -> Entity:
    """One device; without `location` when nobody knows where it is."""
    device, coordinates, contact_ms = seen.device, seen.coordinates, seen.contact_ms
    entity: Entity = {
        "id": f"urn:ngsi-ld:Device:{device.device_id}",
        "type": TYPES[seen.word],
        "@context": CONTEXT,
        "name": told(device.device_id),
        "deviceType": told(seen.word),
    }
    if coordinates is not None:
        entity["location"] = Property("GeoProperty", place(coordinates))
    observed = utc(contact_ms) if contact_ms is not None else None
    entity["status"] = Property("Property", seen.status, observedAt=observed or UNSET)
    entity["displayname"] = told(device.name or device.device_id)
    for name, value in seen.attributes().items():
        entity[name] = told(value)
    for one in seen.measured():
        entity[one.name] = Property("Property", one.value, one.unit or UNSET, one.timestamp or UNSET)
    return entity


def location_entity(location: Location, now_ms: int) -> Entity:
    """One location's aggregated value."""
    return {
        "id": f"urn:ngsi-ld:Location:{location.name}",
        "type": "Location",
        "location": Property("GeoProperty", place(location.coordinates)),
        location.sensor: Property("Property", location.value, location.unit, utc(now_ms) or UNSET),
        "aggregation": told(location.aggregation),
        "deviceCount": told(len(location.devices)),
        "devices": told(location.devices),
        "@context": CONTEXT,
    }
