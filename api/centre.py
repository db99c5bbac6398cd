"""What every route may ask of the centre, and how what it answers is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from fastapi import Depends, Request, Response

from api.accounts import Accounts
from api.problems import ProblemError
from core.clock import Clock, iso
from core.inventory import Inventory
from core.settings import Settings
from ingest.process import Ingest
from ingest.store import Store
from rules.process import Rules

YEAR_10000_MS = 253_402_300_800_000


@dataclass(frozen=True)
class Centre:
    """The parts behind the routes. The first of `stores` answers questions; `dev` makes everyone admin."""

    ingest: Ingest
    inventory: Inventory
    stores: Sequence[Store]
    rules: Rules
    accounts: Accounts
    clock: Clock
    settings: Settings
    dev: bool

    @property
    def store(self) -> Store:
        """The store that is asked for readings."""
        if not self.stores:
            raise ProblemError(503, "This centre has no store for readings; set [store] kind in its settings.")
        return self.stores[0]


async def centre_of(request: Request) -> Centre:
    """The centre of the application that got this request."""
    centre: Centre = request.app.state.centre
    return centre


AskCentre = Annotated[Centre, Depends(centre_of)]


def as_json(value: Any, status: int = 200) -> Response:
    """Dataclasses, dicts and lists as JSON; a number that JSON has no word for (NaN) becomes null."""
    return Response(msgspec.json.encode(value), status, media_type="application/json")


def when(ms: int | None) -> str | None:
    """An instant as the API writes it, UTC with milliseconds; None for one that no calendar has."""
    return iso(ms) if ms is not None and 0 <= ms < YEAR_10000_MS else None
