"""Gateways as GeoJSON: where radio receivers stand, and when the last message came through each."""

from __future__ import annotations

from msgspec import UNSET

from api.centre import Centre
from api.datahub.partheland_api.geojson import Feature, GatewayProperties, place
from api.datahub.partheland_api.selection import gateways, may_look_inside
from api.datahub.partheland_api.types import is_shown
from api.datahub.partheland_api.units import INTERNAL
from api.datahub.partheland_api.view import Holder, german, utc
from api.ledger import number_of
from core.clock import MS_PER_S
from core.device import Device

SILENT_AFTER_S = 3600
"""For a gateway whose interval the inventory does not say."""


def gateway_features(centre: Centre, gateway_id: str | None, holder: Holder | None) -> list[Feature]:
    """All gateways with a place, or the one of this id."""
    found = gateways(centre, gateway_id)
    contacts = _last_contacts(centre, found) if found else {}
    now_ms = centre.clock.now_ms()
    return [
        _feature(device, contacts.get(device.device_id), now_ms, may_look_inside(holder, device)) for device in found
    ]


def _last_contacts(centre: Centre, found: list[Device]) -> dict[str, int]:
    """When each gateway last said how it is, or last brought a reading; SOS buttons don't count, they would show."""
    contacts: dict[str, int] = {}
    for device in found:
        said = centre.ingest.gateways.get(device.device_id, {})
        heard_ms = number_of(said, "heard_ms")
        if heard_ms is not None:
            contacts[device.device_id] = int(heard_ms)
    ids = [one.device_id for one in centre.inventory.snapshot().devices.values() if is_shown(one) and one.kind != "sos"]
    wanted = {device.device_id for device in found}
    for latest in centre.rules.live.latest_of(ids):
        gateway = latest.values.get("gateway") if latest is not None else None
        if latest is not None and isinstance(gateway, str) and gateway in wanted:
            brought_ms = min(latest.value_t_ms.get("gateway", latest.t_ms), latest.received_ms)
            contacts[gateway] = max(contacts.get(gateway, brought_ms), brought_ms)
    return contacts


def _feature(device: Device, contact_ms: int | None, now_ms: int, inside: bool) -> Feature:
    assert device.lon is not None and device.lat is not None, "gateways without a place are not listed"
    patience_ms = (device.interval_s or SILENT_AFTER_S) * MS_PER_S
    is_on = contact_ms is not None and now_ms - contact_ms <= patience_ms
    internal = {name: value for name in INTERNAL if inside and (value := getattr(device, name)) is not None}
    return Feature(
        "Feature",
        device.device_id,
        place((device.lon, device.lat)),
        GatewayProperties(
            name=device.name or device.device_id,
            type="Gateway",
            attributes=internal,
            last_seen_de=(contact_ms is not None and german(contact_ms)) or UNSET,
            last_seen=(contact_ms is not None and utc(contact_ms)) or UNSET,
            status="Pending" if contact_ms is None else "Online" if is_on else "Offline",
        ),
    )
