"""The inventory as columns: what the rules must know of each device, one number for each device.

A device keeps its number for as long as the process lives, whatever the inventory does; new ones are added at the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from core.device import Device, Site
from core.inventory import Snapshot
from core.kinds import KIND_NUMBER, KINDS
from rules.edges import Opening

NONE = -1
# What a device is taken to promise when the inventory does not say: the usual interval of its kind.
INTERVAL_S = {"lamp": 900, "cabinet": 900, "parking": 3600, "counter": 300, "sos": 3600}
MIN_DIM_PCT = 10.0
MIN_W_SHARE = 0.1
"""What a lamp draws at its lowest step, as a share of its nominal power, when nobody has told."""


@dataclass(frozen=True, eq=False)
class Fleet:
    """n devices, s sites.

    `number` {device_id: number} · `kind` u1[n] · `live` bool[n] stage live, `in_use` bool[n] not retired ·
    `interval_ms` i8[n], 0 = promises nothing · `nominal_w`, `min_dim_pct`, `min_w` f8[n] NaN = unknown ·
    `site` i4[n] into `sites`, -1 = none · `kinds` {kind: bool[n]} · `attributes` {name: f8[n]} the numbers of the
    inventory that expressions may use.
    """

    version: int
    devices: tuple[Device, ...]
    number: Mapping[str, int]
    kind: NDArray[np.uint8]
    live: NDArray[np.bool_]
    in_use: NDArray[np.bool_]
    interval_ms: NDArray[np.int64]
    nominal_w: NDArray[np.float64]
    min_dim_pct: NDArray[np.float64]
    min_w: NDArray[np.float64]
    sites: tuple[Site, ...]
    site: NDArray[np.int32]
    kinds: Mapping[str, NDArray[np.bool_]]
    attributes: Mapping[str, NDArray[np.float64]]

    def __len__(self) -> int:
        return len(self.devices)

    def numbers(self, device_ids: Sequence[str]) -> NDArray[np.int64]:
        """i8[n]: the number of each device, -1 for one that the inventory does not know."""
        found = map(self.number.get, device_ids, repeat(NONE))
        return np.fromiter(found, dtype=np.int64, count=len(device_ids))

    @cached_property
    def watched(self) -> NDArray[np.float64]:
        """f8[n]: the spaces of the car park that a counter alone watches; NaN = it has company, or nobody has said."""
        found = np.full(len(self), np.nan)
        alone: dict[tuple[str, str], list[int]] = {}
        for number in np.flatnonzero(self.of_kind("counter") & self.in_use).tolist():
            device = self.devices[number]
            alone.setdefault((device.town, device.site or device.device_id), []).append(number)
        for numbers in alone.values():
            if len(numbers) == 1:
                place = int(self.site[numbers[0]])
                told = self.sites[place].capacity if place != NONE else None
                found[numbers[0]] = told or self.attributes["capacity"][numbers[0]]
        return found

    def of_kind(self, kind: str) -> NDArray[np.bool_]:
        """bool[n]: the devices of a kind."""
        return self.kinds[kind]


def make_fleet(snapshot: Snapshot, before: Sequence[str] = ()) -> Fleet:
    """The columns of an inventory; devices of `before` (ids in the order of their numbers) keep their numbers.

    A device that has gone keeps its number too, as one that is not live.
    """
    known = snapshot.devices
    # Kind by kind, so that those of one kind stand together in what is sorted by number.
    new = sorted(known.keys() - set(before), key=lambda device_id: (KIND_NUMBER[known[device_id].kind], device_id))
    order = [*before, *new]
    devices = tuple(known.get(device_id) or _gone(device_id) for device_id in order)
    sites = tuple(snapshot.sites[key] for key in sorted(snapshot.sites))
    site_number = {(site.town, site.site): number for number, site in enumerate(sites)}
    kind = np.array([KIND_NUMBER[one.kind] for one in devices], dtype=np.uint8)
    attributes = _attributes(devices)
    return Fleet(
        version=snapshot.version,
        devices=devices,
        number={device_id: number for number, device_id in enumerate(order)},
        kind=kind,
        live=np.array([one.stage == "live" for one in devices], dtype=np.bool_),
        in_use=np.array([one.in_use for one in devices], dtype=np.bool_),
        interval_ms=attributes["interval_s"].astype(np.int64) * 1000,
        nominal_w=attributes["nominal_w"],
        min_dim_pct=attributes["min_dim_pct"],
        min_w=attributes["min_w"],
        sites=sites,
        site=np.array([site_number.get((one.town, one.site or ""), NONE) for one in devices], dtype=np.int32),
        kinds={name: kind == number for name, number in KIND_NUMBER.items()},
        attributes=attributes,
    )


def town_of(opening: Opening, fleet: Fleet) -> str | None:
    """The town a finding belongs to; None for what concerns all of us."""
    if opening.subject == "platform" or opening.device == NONE:
        return None
    return fleet.devices[opening.device].town


def _attributes(devices: Sequence[Device]) -> dict[str, NDArray[np.float64]]:
    """The numbers of the inventory that expressions may use; where it does not say, what is usual."""
    nominal_w = _numbers(one.nominal_w for one in devices)
    min_w = _numbers(one.min_w for one in devices)
    min_dim_pct = _numbers(one.min_dim_pct for one in devices)
    return {
        "nominal_w": nominal_w,
        "min_dim_pct": np.where(np.isnan(min_dim_pct), MIN_DIM_PCT, min_dim_pct),
        "min_w": np.where(np.isnan(min_w), nominal_w * MIN_W_SHARE, min_w),
        "interval_s": np.array([_interval_s(one) for one in devices], dtype=np.float64),
        "capacity": _numbers(one.capacity for one in devices),
    }


def _gone(device_id: str) -> Device:
    return Device(device_id=device_id, kind="other", town="", stage="retired")


def _interval_s(device: Device) -> int:
    return device.interval_s or INTERVAL_S.get(device.kind, 0)


def _numbers(values: Iterable[float | None]) -> NDArray[np.float64]:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


assert set(INTERVAL_S) <= set(KINDS)
