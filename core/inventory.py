"""The inventory in its database: what is mounted where, now and at any past instant, and who changed it.

A change adds versions and never rewrites one. The database is the truth; CSV is import and export.

InventoryError      it can't be changed so
└── RadioTakenError      two devices would have the same dev_eui
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

from sqlalchemy import Connection, insert

from core.device import Device, Site
from core.inventory_csv import Parsed, Problem
from core.inventory_tables import (
    DEVICES,
    SITES,
    Key,
    Record,
    Version,
    Versions,
    change_table,
    last_change,
    radio_holders,
)
from core.relational import Relational


class InventoryError(RuntimeError):
    """The inventory can't be changed so; says why and what to do. Nothing was changed."""


class RadioTakenError(InventoryError):
    """Devices ask for a dev_eui that another device in use has. `holders` is {device_id: the other's id}."""

    def __init__(self, holders: Mapping[str, str]) -> None:
        pairs = ", ".join(f"{device_id} (has {other})" for device_id, other in sorted(holders.items()))
        super().__init__(f"dev_eui already used by another device: {pairs}; retire the other device or correct the id")
        self.holders = dict(holders)


@dataclass(frozen=True)
class ImportResult:
    """How many devices and sites were new, changed or as before, and the inventory's version after it."""

    new: int
    changed: int
    unchanged: int
    version: int


@dataclass(frozen=True)
class Snapshot:
    """The whole inventory at one version, for hot paths: look-ups only. `by_eui` leaves out retired devices."""

    version: int
    devices: Mapping[str, Device]
    by_eui: Mapping[str, Device]
    sites: Mapping[tuple[str, str], Site]


class Inventory:
    """Devices and sites with all their versions. May be called from several threads.

    `open` opens its database too; or `with Inventory(…) as inventory`.
    """

    def __init__(self, database: Relational) -> None:
        self.database = database
        self._lock = threading.Lock()
        self._snapshot: Snapshot | None = None

    def open(self) -> None:
        """Connect, and create the tables of a new inventory. Raises DatabaseError."""
        self.database.open()

    def close(self) -> None:
        """Let go of the database; may be opened again."""
        self.database.close()
        self._snapshot = None

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def apply(self, devices: Iterable[Device], sites: Iterable[Site], at_ms: int, by: str) -> ImportResult:
        """Let these states hold from `at_ms` on, all or none; devices and sites that are not named stay as they are.

        What is unchanged gets no new version. History is never rewritten: an instant before the last change (a clock
        that was set back) counts as that of the last change. Of an id named twice the last one holds. Raises
        RadioTakenError.
        """
        device_of = {DEVICES.key_of(device): device for device in devices}
        site_of = {SITES.key_of(site): site for site in sites}
        with self.database.write() as connection:
            if taken := _taken(connection, [*device_of.values()]):
                raise RadioTakenError(taken)
            new, changed = _differing(connection, DEVICES, device_of)
            new_sites, changed_sites = _differing(connection, SITES, site_of)
            version, last_ms = last_change(connection)
            count = len(new) + len(changed) + len(new_sites) + len(changed_sites)
            if count:
                version, at_ms = version + 1, max(at_ms, last_ms)
                connection.execute(insert(change_table), {"version": version, "at_ms": at_ms, "by": by})
                DEVICES.add(connection, [*new, *changed], version, at_ms)
                SITES.add(connection, [*new_sites, *changed_sites], version, at_ms)
        return ImportResult(
            new=len(new) + len(new_sites),
            changed=len(changed) + len(changed_sites),
            unchanged=len(device_of) + len(site_of) - count,
            version=version,
        )

    def check(self, parsed: Parsed) -> Parsed:
        """The same rows without the devices whose dev_eui another device in use has; those become problems."""
        devices = {device.device_id: device for device in parsed.devices}
        problems = list(parsed.problems)
        with self.database.read() as connection:
            # A device that is taken out keeps the radio it had, which may be what another row relied on.
            while taken := _taken(connection, [*devices.values()]):
                for device_id, other in taken.items():
                    reason = f"'{devices.pop(device_id).dev_eui}' is already used by the device {other}"
                    problems.append(Problem(parsed.device_lines.get(device_id, 0), "dev_eui", reason))
        return replace(parsed, devices=tuple(devices.values()), problems=tuple(sorted(problems)))

    def retire(self, device_id: str, at_ms: int, by: str) -> ImportResult:
        """Take a device out of use; its history stays. Raises InventoryError when there is none of this id."""
        device = self.device(device_id)
        if device is None:
            raise InventoryError(f"there is no device '{device_id}' that could be retired")
        return self.apply([replace(device, stage="retired")], [], at_ms, by)

    def device(self, device_id: str, at_ms: int | None = None) -> Device | None:
        """One device as of an instant (None = now); None when it was not known then."""
        with self.database.read() as connection:
            return DEVICES.find(connection, [(device_id,)], at_ms).get((device_id,))

    def current(self, at_ms: int | None = None) -> dict[str, Device]:
        """All devices by id as of an instant (None = now), retired ones too."""
        with self.database.read() as connection:
            return {device.device_id: device for device in DEVICES.load(connection, at_ms).values()}

    def sites(self, at_ms: int | None = None) -> dict[tuple[str, str], Site]:
        """All sites by (town, site) as of an instant (None = now)."""
        with self.database.read() as connection:
            return {(site.town, site.site): site for site in SITES.load(connection, at_ms).values()}

    def history(self, device_id: str) -> list[Version[Device]]:
        """Every version of a device, oldest first; empty when it was never known."""
        with self.database.read() as connection:
            return DEVICES.history(connection, (device_id,))

    def version(self) -> int:
        """A number that grows with each change; 0 for an empty inventory."""
        with self.database.read() as connection:
            return last_change(connection)[0]

    def snapshot(self) -> Snapshot:
        """The inventory as it is now. Asks the database for its version each time, so ask each second, not each
        message; everything is read again only when it has changed, also by another process.
        """
        with self._lock, self.database.read() as connection:
            version = last_change(connection)[0]
            if self._snapshot is None or self._snapshot.version != version:
                devices = DEVICES.load(connection).values()
                self._snapshot = Snapshot(
                    version=version,
                    devices={device.device_id: device for device in devices},
                    by_eui={device.dev_eui: device for device in devices if device.dev_eui and device.in_use},
                    sites={(site.town, site.site): site for site in SITES.load(connection).values()},
                )
            return self._snapshot


def _taken(connection: Connection, devices: list[Device]) -> dict[str, str]:
    """Which of these devices ask for a radio that another one in use has, before or after they are applied."""
    wanted: dict[str, str] = {}
    taken: dict[str, str] = {}
    radio_of = {device.device_id: device.dev_eui if device.in_use else None for device in devices}
    for device_id, radio in radio_of.items():
        if radio is not None and wanted.setdefault(radio, device_id) != device_id:
            taken[device_id] = wanted[radio]
    for radio, holder in radio_holders(connection, wanted).items():
        if holder != wanted[radio] and radio_of.get(holder, radio) == radio:
            taken[wanted[radio]] = holder
    return taken


def _differing(
    connection: Connection, versions: Versions[Record], wanted: Mapping[Key, Record]
) -> tuple[list[Record], list[Record]]:
    """The records that are not there yet, and those that are there in another state."""
    known = versions.find(connection, wanted)
    new = [record for key, record in wanted.items() if key not in known]
    changed = [record for key, record in wanted.items() if key in known and known[key] != record]
    return new, changed
