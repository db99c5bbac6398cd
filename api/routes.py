"""Every route, who may use it, and what it answers. A route that is not in this list does not exist."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import JSONResponse

from api import devices, health, ledger, readings
from api.door import only_admin, only_known_parameters
from api.problems import MEDIA_TYPE, PROBLEM_SCHEMA
from ingest.verify import Report

JSON = "application/json"
CSV = "text/csv"
TEXT = "text/plain"


class Policy(Enum):
    """Who may use a route. With --dev everyone may use everything, from this machine."""

    OPEN = "everyone"
    ADMIN = "who has the token of [http]"


GUARDS: dict[Policy, Sequence[Callable[..., Any]]] = {
    Policy.OPEN: (),
    Policy.ADMIN: (only_admin, only_known_parameters),
}


@dataclass(frozen=True)
class Route:
    """One path. `answer` is the class of a JSON answer, None for other media; `takes` the medium of a body."""

    method: str
    path: str
    endpoint: Callable[..., Any]
    policy: Policy
    answer: type | None = None
    media: str = JSON
    takes: str | None = None
    shown: bool = True


async def openapi(request: Request) -> Response:
    """The description of this API."""
    return JSONResponse(request.app.openapi())


ROUTES = (
    Route("GET", "/healthz", health.healthz, Policy.OPEN, health.Health),
    Route("GET", "/readyz", health.readyz, Policy.OPEN, health.Readiness),
    Route("GET", "/metrics", health.metrics, Policy.ADMIN, media=TEXT),
    Route("GET", "/openapi.json", openapi, Policy.ADMIN, shown=False),
    Route("GET", "/api/v1/readings", readings.readings, Policy.ADMIN, readings.ReadingsPage),
    Route("GET", "/api/v1/readings/count", readings.count, Policy.ADMIN, readings.ReadingsCount),
    Route("GET", "/api/v1/export", readings.export, Policy.ADMIN, media=CSV),
    Route("GET", "/api/v1/devices", devices.devices, Policy.ADMIN, devices.DevicesPage),
    Route("GET", "/api/v1/devices/{device_id}", devices.device, Policy.ADMIN, devices.DeviceItem),
    Route("POST", "/api/v1/inventory", devices.import_inventory, Policy.ADMIN, devices.Imported, takes=CSV),
    Route("GET", "/api/v1/inventory.csv", devices.inventory_csv, Policy.ADMIN, media=CSV),
    Route("GET", "/api/v1/sites.csv", devices.sites_csv, Policy.ADMIN, media=CSV),
    Route("GET", "/api/v1/gateways", ledger.gateways, Policy.ADMIN, ledger.Gateways),
    Route("GET", "/api/v1/ledger", ledger.ledger, Policy.ADMIN, ledger.Ledger),
    Route("GET", "/api/v1/quarantine", ledger.quarantine, Policy.ADMIN, ledger.QuarantinePage),
    Route("GET", "/api/v1/verify", ledger.verify, Policy.ADMIN, Report),
)


def add_routes(app: FastAPI) -> None:
    """Put every route of the list into `app`, behind the guards of its policy."""
    for route in ROUTES:
        app.add_api_route(
            route.path,
            route.endpoint,
            methods=[route.method],
            dependencies=[Depends(guard) for guard in GUARDS[route.policy]],
            response_model=None,
            response_class=JSONResponse if route.media == JSON else Response,
            responses=_answers(route),
            openapi_extra=_body(route),
            include_in_schema=route.shown,
        )


def _answers(route: Route) -> dict[int | str, dict[str, Any]]:
    good: dict[str, Any] = {"description": "The answer"}
    if route.answer is not None:
        good["model"] = route.answer
    else:
        good["content"] = {route.media: {"schema": {"type": "string"}}}
    wrong = {"description": "A problem (RFC 9457)", "content": {MEDIA_TYPE: {"schema": PROBLEM_SCHEMA}}}
    return {200: good, "default": wrong}


def _body(route: Route) -> dict[str, Any] | None:
    if route.takes is None:
        return None
    return {"requestBody": {"required": True, "content": {route.takes: {"schema": {"type": "string"}}}}}
