"""What one asker may see of one device: its type, status, last contact, attributes and values."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, Protocol

from api.centre import when
from api.datahub.partheland_api.units import INTERNAL, NAMES, RELEASED, name_of
from core.clock import MS_PER_S
from core.device import Device
from core.german import local
from core.town import is_id
from rules.records import Latest

STATUS_OF = {"ok": "online", "fault": "online", "silent": "offline", "never": "pending"}
_TIMES_KEPT = 65_536
_AN_HOUR_AND_A_DAY_MS = 25 * 3600 * MS_PER_S


class Holder(Protocol):
    """Who holds a key: for one town, or (None) for all of them."""

    @property
    def town(self) -> str | None:
        """The town whose inside is this one's business."""
        ...


class Measured(NamedTuple):
    """One value as the format has it; `unit` '' = unknown, `timestamp` None = no calendar has it."""

    name: str
    value: float
    unit: str
    timestamp: str | None


@dataclass(frozen=True, slots=True)
class Seen:
    """One device with its newest values.

    `inside` = the asker may see what is internal; `is_unsure` = a bay that may be free or not.
    """

    device: Device
    word: str
    latest: Latest | None
    inside: bool
    is_unsure: bool

    @property
    def status(self) -> str:
        """The region's word: online, offline, or pending for what was never heard."""
        return STATUS_OF[self.latest.condition] if self.latest is not None else "pending"

    @property
    def contact_ms(self) -> int | None:
        """When it was last heard; None also for an SOS button, where this would tell when it was pressed."""
        return None if self.latest is None or self.device.kind == "sos" else self.latest.received_ms

    @property
    def coordinates(self) -> tuple[float, float] | None:
        """[longitude, latitude]."""
        if self.device.lon is None or self.device.lat is None:
            return None
        return self.device.lon, self.device.lat

    def attributes(self) -> dict[str, object]:
        """What is known of it beside its name; empty cells stay out."""
        inside = self.inside and self.device.kind != "sos"
        named = [(name, getattr(self.device, name)) for name in (*RELEASED, *(INTERNAL if inside else ()))]
        if inside and self.latest is not None:
            gateway = self.latest.values.get("gateway")
            named.append(("gateway", gateway if isinstance(gateway, str) and is_id(gateway) else None))
        return {name: value for name, value in named if value is not None}

    def measured(self) -> Iterator[Measured]:
        """Its newest values, those the asker may see, in the order its device gave them."""
        latest, kind = self.latest, self.device.kind
        if latest is None or kind == "sos":
            return
        hides_state = kind == "parking" and (self.is_unsure or self.status != "online")
        known = NAMES[kind]
        for ours, value in latest.values.items():
            name = known.get(ours) or name_of(kind, ours)
            if name is None or isinstance(value, str) or not math.isfinite(value):
                continue
            if not (name.is_released or self.inside) or (hides_state and ours == "occupied"):
                continue
            if name.name != ours and name.name in latest.values:
                continue  # it says the same under the region's own name, too
            number = int(value) if isinstance(value, bool) else value
            yield Measured(name.name, number, name.unit, utc(latest.value_t_ms.get(ours, latest.t_ms)))


@lru_cache(_TIMES_KEPT)
def utc(ms: int) -> str | None:
    """An instant as in 2025-10-11T19:31:10.538Z; None for one that no calendar has."""
    return when(ms)


@lru_cache(_TIMES_KEPT)
def german(ms: int) -> str | None:
    """The same in German time, as in 11.10.2025, 21:31:10."""
    if when(ms) is None or when(ms + _AN_HOUR_AND_A_DAY_MS) is None:
        return None
    return f"{local(ms):%d.%m.%Y, %H:%M:%S}"
