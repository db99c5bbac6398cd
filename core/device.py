"""What a device and a site are: one field for each column of the inventory files, in their order.

A value nobody has told is None. The readers of the columns, with their ranges, stand in core/inventory_cells.py.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

STAGES = ("planned", "installed", "live", "maintenance", "retired")
SUPPLIES = ("permanent", "switched_dusk", "switched_halfnight")
PHASES = ("L1", "L2", "L3")


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One device as the inventory knows it. An id is unique over all towns; a subject's parts never hold a slash.

    `supply` None means permanent, `profile` None means 100@dusk;0@dawn. `interval_s` is what the device promises.
    A retired device stays in the history, and its radio (dev_eui) may be mounted under another id.
    """

    device_id: str
    kind: str
    device_type: str | None = None
    model: str | None = None
    owner: str | None = None
    town: str
    name: str | None = None
    lat: float | None = None
    lon: float | None = None
    street: str | None = None
    site: str | None = None
    pole: str | None = None
    cabinet: str | None = None
    circuit: str | None = None
    phase: str | None = None
    supply: str | None = None
    nominal_w: float | None = None
    min_dim_pct: float | None = None
    min_w: float | None = None
    interval_s: int | None = None
    profile: str | None = None
    audience: str | None = None
    capacity: int | None = None
    stage: str = "live"
    dev_eui: str | None = None

    @property
    def in_use(self) -> bool:
        """Whether it still holds its place and its radio: every stage but retired."""
        return self.stage != "retired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One car park or place. Its id is unique within its town.

    `max_stay` and `fee` are text as the town writes them; `opening_hours` is in OpenStreetMap's syntax. The capacities
    for one audience are part of `capacity`.
    """

    site: str
    town: str
    name: str | None = None
    lat: float | None = None
    lon: float | None = None
    type: str | None = None
    address: str | None = None
    fee: str | None = None
    opening_hours: str | None = None
    max_stay: str | None = None
    capacity: int | None = None
    capacity_disabled: int | None = None
    capacity_charging: int | None = None
    capacity_family: int | None = None
    capacity_women: int | None = None
    capacity_carsharing: int | None = None
    capacity_truck: int | None = None
    capacity_bus: int | None = None


DEVICE_COLUMNS = tuple(field.name for field in fields(Device))
SITE_COLUMNS = tuple(field.name for field in fields(Site))
