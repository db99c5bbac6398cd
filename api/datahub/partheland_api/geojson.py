"""Devices, gateways and locations as GeoJSON features of the region's form."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import UNSET, Struct, UnsetType

from api.datahub.partheland_api.locations import Location
from api.datahub.partheland_api.types import TYPES
from api.datahub.partheland_api.view import Seen, german, utc


class MeasuredValue(Struct, gc=False):
    """One value with unit and time."""

    value: float
    unit: str | UnsetType
    timestamp: str | UnsetType


class DeviceProperties(Struct, gc=False):
    """What a device's feature tells."""

    name: str
    type: str
    status: str
    last_seen: str | UnsetType
    last_seen_de: str | UnsetType
    attributes: dict[str, object]
    measurements: dict[str, MeasuredValue]


class GatewayProperties(Struct, gc=False):
    """What a gateway's feature tells, in the region's order."""

    name: str
    type: str
    attributes: dict[str, object]
    last_seen_de: str | UnsetType
    last_seen: str | UnsetType
    status: str


class Feature(Struct, gc=False):
    """One device or gateway."""

    type: str
    id: str
    geometry: dict[str, object]
    properties: DeviceProperties | GatewayProperties


def collection(features: Sequence[object]) -> bytes:
    """The whole answer."""
    return msgspec.json.encode({"type": "FeatureCollection", "features": features})


def place(coordinates: tuple[float, float]) -> dict[str, object]:
    """A point."""
    return {"type": "Point", "coordinates": coordinates}


def device_feature(seen: Seen) -> Feature | None:
    """One device; None when nobody knows where it is."""
    coordinates = seen.coordinates
    if coordinates is None:
        return None
    device, contact_ms = seen.device, seen.contact_ms
    return Feature(
        "Feature",
        device.device_id,
        place(coordinates),
        DeviceProperties(
            name=device.device_id,
            type=TYPES[seen.word],
            status=seen.status,
            last_seen=(contact_ms is not None and utc(contact_ms)) or UNSET,
            last_seen_de=(contact_ms is not None and german(contact_ms)) or UNSET,
            attributes={
                "measurement": device.device_id,
                "displayname": device.name or device.device_id,
                **seen.attributes(),
            },
            measurements={
                one.name: MeasuredValue(one.value, one.unit or UNSET, one.timestamp or UNSET) for one in seen.measured()
            },
        ),
    )


def location_feature(location: Location, now_ms: int) -> dict[str, object]:
    """One location's aggregated value."""
    return {
        "type": "Feature",
        "geometry": place(location.coordinates),
        "properties": {
            "location": location.name,
            "sensor": location.sensor,
            "aggregation": location.aggregation,
            "value": location.value,
            "unit": location.unit,
            "deviceCount": len(location.devices),
            "devices": location.devices,
            "timestamp": utc(now_ms),
        },
    }
