"""The centre's HTTP face, put together: routes, errors, the door."""

from __future__ import annotations

from fastapi import FastAPI

from api.centre import Centre
from api.door import Door
from api.metrics import make_registry
from api.packing import Packing
from api.problems import add_handlers
from api.routes import add_routes


def create_app(centre: Centre) -> FastAPI:
    """The application. `centre.dev` makes everyone admin, on this machine only; otherwise people sign in.

    Only /healthz and /readyz answer before the centre's parts have started; they stay the caller's, who closes them.
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
    app.state.centre = centre
    app.state.figures, requests = make_registry(centre)
    add_handlers(app)
    add_routes(app)
    app.add_middleware(Packing)
    app.add_middleware(Door, centre=centre, requests=requests)
    return app
