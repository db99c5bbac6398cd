"""Whose readings are needed to explain what became of one device: those who hang on the same lines, and some others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from core.device import Device
from core.inventory import Snapshot
from rules.topology import cabinet_subject, circuit_subject, phase_subject, site_subject


def company_of(snapshot: Snapshot, device_id: str, most: int) -> list[str]:
    """The devices whose readings are needed beside its own: who hangs on the same line or place, those nearest in the
    inventory first, then others of the town: that somebody else is heard proves that the way to us stands.
    """
    own = snapshot.devices[device_id]
    levels = (phase_subject, circuit_subject, site_subject, cabinet_subject, _town)
    mine = [subject(own) for subject in levels]

    def distance(one_id: str) -> tuple[int, str]:
        one = snapshot.devices[one_id]
        shared = (place for place, subject in enumerate(levels) if mine[place] and subject(one) == mine[place])
        return next(shared, len(levels)), one_id

    others = [one.device_id for one in snapshot.devices.values() if one.device_id != device_id and one.stage == "live"]
    return [device_id, *sorted(others, key=distance)[: max(most - 1, 0)]]


def only(snapshot: Snapshot, device_ids: Sequence[str]) -> Snapshot:
    """The inventory with no more than these devices: whose readings are not there is not silent."""
    return replace(snapshot, devices={one: snapshot.devices[one] for one in device_ids if one in snapshot.devices})


def _town(device: Device) -> str:
    return device.town
