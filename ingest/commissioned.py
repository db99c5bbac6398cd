"""The inventory as the journal's door sees it: who is commissioned, as which kind, with which capacity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from core.device import Device
from core.inventory import Inventory
from core.registry import RegistryEntry


@dataclass(frozen=True)
class _View:
    version: int = -1
    devices: Mapping[str, Device] = field(default_factory=dict)
    kinds: Mapping[str, str] = field(default_factory=dict)


class CommissionedDevices:
    """A view of the inventory that is exchanged as a whole when the inventory changes."""

    def __init__(self, inventory: Inventory) -> None:
        self.inventory = inventory
        self._view = _View()

    def refresh(self) -> bool:
        """Look whether the inventory changed; True when it did."""
        snapshot = self.inventory.snapshot()
        if snapshot.version == self._view.version:
            return False
        kinds = {device_id: device.kind for device_id, device in snapshot.devices.items() if device.in_use}
        self._view = _View(snapshot.version, snapshot.devices, kinds)
        return True

    def kind_of(self, device_id: str) -> str | None:
        """The kind of a commissioned device; None for an unknown or retired one."""
        return self._view.kinds.get(device_id)

    def capacity_of(self, device_id: str) -> int | None:
        """The capacity that stands in the inventory."""
        device = self._view.devices.get(device_id)
        return None if device is None else device.capacity

    def __len__(self) -> int:
        return len(self._view.kinds)

    def registry(self) -> list[RegistryEntry]:
        """What gateways must know: devices that network servers speak for. Native devices name themselves."""
        return [
            RegistryEntry(device_id, device.kind, device.device_type or "", device.dev_eui or "", device.town)
            for device_id, device in self._view.devices.items()
            if device.in_use and device.device_type != "native"
        ]
