"""The centre's HTTP face, put together: routes, errors, the door."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import FastAPI

from api.centre import Centre
from api.door import Door
from api.metrics import make_registry
from api.problems import add_handlers
from api.routes import add_routes
from core.clock import Clock
from core.inventory import Inventory
from core.settings import Settings
from ingest.process import Ingest
from ingest.store import Store


def create_app(
    ingest: Ingest, inventory: Inventory, stores: Sequence[Store], clock: Clock, settings: Settings, dev: bool
) -> FastAPI:
    """The application. `dev` opens every route, to this machine only; otherwise [http] token is needed.

    Only /healthz and /readyz answer before `ingest` has started. The parts stay the caller's, who also closes them.
    """
    app = FastAPI(
        title="Partheland",
        description="Readings, devices and the proof of their path.",
        version="1",
        openapi_url=None,  # the description is a route of our list, behind its policy
        docs_url=None,  # those pages would load scripts from a third party
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.centre = Centre(ingest, inventory, stores, clock, settings, dev)
    app.state.figures, requests = make_registry(app.state.centre)
    add_handlers(app)
    add_routes(app)
    app.add_middleware(Door, dev=dev, requests=requests)
    return app
