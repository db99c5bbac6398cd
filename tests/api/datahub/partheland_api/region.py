"""The region's schemas, and a centre that has just what its API asks of one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml
from fastapi import FastAPI
from fastapi.testclient import TestClient
from jsonschema import Draft4Validator, FormatChecker

from api.routes_datahub import DATAHUB
from core.clock import ManualClock
from core.device import Device
from core.inventory import Snapshot
from core.reading import Scalar
from rules.records import BayState, Latest

SWAGGER = Path(__file__).parents[3] / "payloads" / "partheland-api" / "swagger.yaml"
T0 = 1_760_211_070_538  # 2025-10-11T19:31:10.538Z
JSON, LD_JSON = "application/json", "application/ld+json"
KEYS = {"naunhof-key": "naunhof", "region-key": None}


@cache
def swagger() -> dict[str, Any]:
    described: dict[str, Any] = yaml.safe_load(SWAGGER.read_text(encoding="utf-8"))
    return described


def errors_of(answer: object, path: str, status: int, media: str) -> list[str]:
    """What the description of `path` says against an answer. OpenAPI 3.0 builds on the schemas of JSON Schema 4."""
    content = swagger()["paths"][path]["get"]["responses"][str(status)].get("content")
    schema = content[media]["schema"] if content else {"$ref": "#/components/schemas/ErrorResponse"}
    rooted = {**schema, "components": _as_json_schema(swagger()["components"])}
    return [str(one.message) for one in Draft4Validator(rooted, format_checker=FormatChecker()).iter_errors(answer)]


def _as_json_schema(part: Any) -> Any:
    """The same schemas in JSON Schema: `nullable` of OpenAPI becomes a second type."""
    if isinstance(part, dict):
        found = {name: _as_json_schema(one) for name, one in part.items()}
        return {**found, "type": [found["type"], "null"]} if found.get("nullable") is True else found
    return [_as_json_schema(one) for one in part] if isinstance(part, list) else part


@dataclass
class Region:
    """Devices and what they said last; speaks to Live and Accounts as the real ones are spoken to."""

    devices: dict[str, Device] = field(default_factory=dict)
    said: dict[str, Latest] = field(default_factory=dict)
    statuses: dict[str, dict[str, object]] = field(default_factory=dict)
    clock: ManualClock = field(default_factory=lambda: ManualClock(T0))
    unknown: set[str] = field(default_factory=set)
    snapshots: int = 0

    def add(self, device_id: str, kind: str, **columns: Any) -> Device:
        placed = {"town": "naunhof", "lat": 51.283337, "lon": 12.586797, **columns}
        self.devices[device_id] = Device(device_id=device_id, kind=kind, **placed)
        return self.devices[device_id]

    def say(self, device_id: str, values: Mapping[str, Scalar], t_ms: int = T0, condition: str = "ok") -> None:
        times = dict.fromkeys(values, t_ms)
        self.said[device_id] = Latest(device_id, t_ms, t_ms + 250, "good", condition, dict(values), times)

    def snapshot(self) -> Snapshot:
        self.snapshots += 1
        return Snapshot(1, self.devices, {}, {})

    def latest_of(self, device_ids: Sequence[str]) -> list[Latest | None]:
        return [self.said.get(one) for one in device_ids]

    def bays(self, town: str, site: str) -> list[BayState]:
        here = [one for one in self.devices.values() if (one.kind, one.town, one.site) == ("parking", town, site)]
        states = {one.device_id: "unknown" if one.device_id in self.unknown else "free" for one in here}
        return [BayState(device_id, state, None, None, None) for device_id, state in states.items()]

    def who_of_token(self, token: str) -> object | None:
        return SimpleNamespace(town=KEYS[token]) if token in KEYS else None

    def client(self) -> TestClient:
        """A client of the eight routes."""
        return TestClient(self.app())

    def openapi(self) -> dict[str, Any]:
        """How the routes describe themselves."""
        return self.app().openapi()

    def app(self) -> FastAPI:
        """The eight routes."""
        app = FastAPI(openapi_url=None, redirect_slashes=False)
        app.state.centre = SimpleNamespace(
            inventory=self,
            rules=SimpleNamespace(live=self),
            accounts=self,
            ingest=SimpleNamespace(gateways=self.statuses),
            clock=self.clock,
        )
        for route in DATAHUB:
            app.add_api_route(route.path, route.endpoint, methods=[route.method], response_model=None)
        return app


def town_of_sensors() -> Region:
    """One device of each type, most of them in Naunhof, and what must not be seen."""
    region = Region()
    add_measuring(region)
    add_ours(region)
    region.add("gw-1", "gateway", name="Rathaus", model="LoRaWAN-Gateway")
    region.add("gw-2", "gateway", lon=12.7)
    return region


def add_measuring(region: Region) -> None:
    """The region's own types, and one that says odd things."""
    region.add("Naunhof_Nr1", "other", device_type="senseBox", name="Naunhof Nr 1", model="senseBox:home")
    region.say("Naunhof_Nr1", {"temperature": 13.8, "pm2_5": 4.2, "battery": 4.13, "rssi_dbm": -90.0, "wind_7": 3.0})
    region.add("Naunhof_Nr3", "other", device_type="temperature", lon=12.6)
    region.say("Naunhof_Nr3", {"temperature": 15.0}, T0 + 1000)
    region.add("Parthe_1", "other", device_type="waterlevel", lon=12.581095, lat=51.285005)
    region.say("Parthe_1", {"water_level": 180.0, "distance": 1640.0, "temp_c": 9.0}, T0 - 60_000)
    region.add("Soil_1", "other", device_type="moisture", town="brandis")
    region.say("Soil_1", {"soil_moisture": 31.5})
    region.add("Oddity", "other", device_type="native", town="brandis")
    odd: dict[str, Scalar] = {
        "=cmd|calc": 1.0,
        "@context": 2.0,
        "type": 3.0,
        "<b>": 4.0,
        "x" * 65: 5.0,
        "gateway": "<b>",
    }
    region.say("Oddity", {"temperature": 20.0, **odd})


def add_ours(region: Region) -> None:
    """Our kinds, in every condition and stage."""
    region.add("NAU-L1", "lamp", pole="P7", circuit="2", street="Am Markt", model="LC-1", device_type="native")
    lamp: dict[str, Scalar] = {
        "power_w": 35.2,
        "dim_pct": 100.0,
        "lamp_failure": False,
        "rssi_dbm": -80.0,
        "gateway": "gw-1",
    }
    region.say("NAU-L1", lamp, condition="fault")
    region.add("NAU-L2", "lamp")  # never heard
    region.add("NAU-L3", "lamp", lat=None, lon=None)  # nobody knows where
    region.say("NAU-L3", {"power_w": 20.0})
    region.add("NAU-C1", "cabinet")
    region.say("NAU-C1", {"power_l1_w": 1200.0, "door_open": True})
    region.add("NAU-B1", "parking", site="markt", audience="disabled")
    region.say("NAU-B1", {"occupied": True, "temp_c": 40.0, "battery_pct": 80.0})
    region.add("NAU-B2", "parking", site="markt")
    region.say("NAU-B2", {"occupied": False}, T0 - 10**9, "silent")
    region.add("NAU-Z1", "counter")
    region.say("NAU-Z1", {"entries": 7.0, "exits": 3.0})
    region.add("NAU-S1", "sos", name="Notruf Markt", pole="P9", device_type="partheland-sos-1")
    region.say(
        "NAU-S1", {"event": "press", "press_id": 17.0, "battery_pct": 90.0, "rssi_dbm": -70.0, "gateway": "gw-2"}
    )
    for stage in ("planned", "retired"):
        region.add(f"NAU-{stage}", "lamp", stage=stage)
        region.say(f"NAU-{stage}", {"power_w": 1.0})
