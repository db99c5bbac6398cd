"""The two CSV files that tell the platform what hangs where: inventory.csv and sites.csv."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path

NATIVE = "native"
"""The device type of everything that speaks MQTT by itself."""


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """One line of the inventory; the fields are the columns, in order. Empty text = not given."""

    device_id: str
    kind: str
    device_type: str = NATIVE
    model: str = ""
    owner: str = ""
    town: str = ""
    name: str = ""
    lat: float = 0.0
    lon: float = 0.0
    street: str = ""
    site: str = ""
    pole: str = ""
    cabinet: str = ""
    circuit: str = ""
    phase: str = ""
    supply: str = ""
    nominal_w: str = ""
    min_dim_pct: str = ""
    min_w: str = ""
    interval_s: str = ""
    profile: str = ""
    audience: str = ""
    capacity: str = ""
    stage: str = "live"
    dev_eui: str = ""


@dataclass(frozen=True, slots=True)
class SiteRow:
    """One line of sites.csv; the fields are the columns, in order."""

    site: str
    town: str
    name: str
    lat: float
    lon: float
    type: str
    address: str
    fee: str
    opening_hours: str
    max_stay: str
    capacity: int
    capacity_disabled: int
    capacity_charging: int


def write_rows(path: Path, row_type: type[DeviceRow] | type[SiteRow], rows: Iterable[DeviceRow | SiteRow]) -> None:
    """Write the rows with a header line, UTF-8, Unix line ends; degrees with six digits."""
    columns = [column.name for column in fields(row_type)]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for row in rows:
            writer.writerow([_text(getattr(row, column)) for column in columns])


def _text(value: object) -> str:
    return f"{value:.6f}" if isinstance(value, float) else str(value)
