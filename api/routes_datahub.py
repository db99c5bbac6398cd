"""The routes of the formats that the DataHub reads, and who may use each."""

from __future__ import annotations

from api.datahub.partheland_api import routes as region
from api.route import Policy, Route

DATAHUB: tuple[Route, ...] = (
    Route("GET", "/geojson/devices", region.devices, Policy.OPEN, dict),
    Route("GET", "/geojson/devices/{type}", region.devices_of_type, Policy.OPEN, dict),
    Route("GET", "/geojson/devices/{type}/{id}", region.device, Policy.OPEN, dict),
    Route("GET", "/geojson/gateways", region.gateways, Policy.OPEN, dict),
    Route("GET", "/geojson/gateways/{id}", region.gateway, Policy.OPEN, dict),
    Route("GET", "/ngsi-ld/entities", region.entities, Policy.OPEN, media=region.LD_JSON),
    Route("GET", "/ngsi-ld/entities/{type}", region.entities_of_type, Policy.OPEN, media=region.LD_JSON),
    Route("GET", "/ngsi-ld/entities/{type}/{id}", region.entity, Policy.OPEN, media=region.LD_JSON),
)
