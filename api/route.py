"""What a route is, and who may use it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

JSON = "application/json"
CSV = "text/csv"
TEXT = "text/plain"
HTML = "text/html"
EVENTS = "text/event-stream"

ROLES = ("technician", "yard", "dispatcher", "admin")
"""Who signs in; everybody else is `public`. A role holds for one town, or for all of them."""


class Policy(Enum):
    """Who may use a route: its roles; none = everyone. With --dev everyone is admin, from this machine only."""

    OPEN = frozenset[str]()
    SIGNED_IN = frozenset(ROLES)
    TICKETS = frozenset({"technician", "yard", "admin"})
    TICKETS_WORK = frozenset({"yard", "admin"})
    SOS = frozenset({"dispatcher", "admin"})
    ADMIN = frozenset({"admin"})
    PLATFORM = frozenset({"platform admin"})
    """An admin of all towns: what can't be told apart by town (ledger, quarantine, metrics)."""


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
