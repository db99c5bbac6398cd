"""Who hangs on what: device → phase → circuit → cabinet, and site; each level as numbers, for counting by column."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from core.device import Device
from rules.fleet import NONE, Fleet
from rules.rows import ranges


@dataclass(frozen=True, eq=False)
class Level:
    """g subjects of one sort: `of` i4[n] the place of each device among `subjects`, -1 = on none."""

    subjects: tuple[str, ...]
    of: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.subjects)

    def count(self, devices: NDArray[np.bool_]) -> NDArray[np.int64]:
        """i8[g]: how many of the marked devices (bool[n]) hang on each."""
        of = self.of[np.flatnonzero(devices)]
        return np.bincount(of[of != NONE], minlength=len(self.subjects))

    @cached_property
    def _by_place(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(i8[n] devices by their places, i8[g+1] where those of each begin)."""
        order = np.argsort(self.of, kind="stable")
        return order, np.searchsorted(self.of[order], np.arange(len(self.subjects) + 1))

    def on(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """The devices that hang on some of them, one place after the other."""
        order, begins = self._by_place
        return order[ranges(begins[places], begins[places + 1])]

    def total(self, devices: NDArray[np.bool_], weight: NDArray[np.float64]) -> NDArray[np.float64]:
        """f8[g]: the sum of `weight` f8[n] over the marked devices."""
        chosen = devices & (self.of != NONE)
        found: NDArray[np.float64] = np.bincount(
            self.of[chosen], weights=weight[chosen], minlength=len(self.subjects)
        ).astype(np.float64)
        return found

    def newest(self, devices: NDArray[np.bool_], t_ms: NDArray[np.int64]) -> NDArray[np.int64]:
        """i8[g]: the greatest of `t_ms` i8[n] over the marked devices, -1 = none."""
        chosen = devices & (self.of != NONE)
        found = np.full(len(self.subjects), -1, dtype=np.int64)
        np.maximum.at(found, self.of[chosen], t_ms[chosen])
        return found

    def members(self, place: int) -> NDArray[np.bool_]:
        """bool[n]: the devices on one of them."""
        found: NDArray[np.bool_] = self.of == place
        return found


@dataclass(frozen=True, eq=False)
class Topology:
    """The levels; which circuit a phase is part of and which cabinet a circuit: i4, -1 = none.

    `feeder` i4[n] the number of the cabinet that each lamp is fed by, where the cabinet is a device itself.
    """

    levels: dict[str, Level]
    circuit_of_phase: NDArray[np.int32]
    cabinet_of_circuit: NDArray[np.int32]
    feeder: NDArray[np.int32]

    @cached_property
    def fed(self) -> dict[int, NDArray[np.int64]]:
        """{number of a cabinet: i8[m] those of the lamps it feeds}."""
        lamp = np.flatnonzero(self.feeder != NONE)
        lamp = lamp[np.argsort(self.feeder[lamp], kind="stable")]
        numbers, begins = np.unique(self.feeder[lamp], return_index=True)
        return dict(zip(numbers.tolist(), np.split(lamp, begins[1:]), strict=True)) if len(lamp) else {}

    @property
    def phase(self) -> Level:
        """`phase:{cabinet}/{circuit}/{L1}`."""
        return self.levels["phase"]

    @property
    def circuit(self) -> Level:
        """`circuit:{cabinet}/{circuit}`."""
        return self.levels["circuit"]

    @property
    def cabinet(self) -> Level:
        """`cabinet:{id}`."""
        return self.levels["cabinet"]


def make_topology(fleet: Fleet) -> Topology:
    """The levels of an inventory. Only lamps hang on circuits; a cabinet has its own device too."""
    phase, circuit = _level(fleet.devices, phase_subject), _level(fleet.devices, circuit_subject)
    cabinet, site = _level(fleet.devices, cabinet_subject), _level(fleet.devices, site_subject)
    return Topology(
        levels={"phase": phase, "circuit": circuit, "cabinet": cabinet, "site": site},
        circuit_of_phase=_parent(phase, circuit),
        cabinet_of_circuit=_parent(circuit, cabinet),
        feeder=feeders(fleet),
    )


def feeders(fleet: Fleet) -> NDArray[np.int32]:
    """i4[n]: the number of the cabinet that feeds each lamp; -1 = none that is a device."""
    found = np.full(len(fleet), NONE, dtype=np.int32)
    for number, device in enumerate(fleet.devices):
        feeder = fleet.number.get(device.cabinet or "") if circuit_subject(device) else None
        if feeder is not None and fleet.devices[feeder].kind == "cabinet":
            found[number] = feeder
    return found


def phase_subject(device: Device) -> str:
    """'' for none."""
    circuit = circuit_subject(device)
    return f"phase:{circuit.removeprefix('circuit:')}/{device.phase}" if circuit and device.phase else ""


def circuit_subject(device: Device) -> str:
    """'' for none."""
    if device.kind != "lamp" or not device.cabinet or not device.circuit:
        return ""
    return f"circuit:{device.cabinet}/{device.circuit}"


def cabinet_subject(device: Device) -> str:
    """'' for none; a lamp's cabinet is that of its circuit."""
    return f"cabinet:{device.cabinet}" if circuit_subject(device) else ""


def site_subject(device: Device) -> str:
    """'' for none."""
    return f"site:{device.town}/{device.site}" if device.site else ""


def _level(devices: Iterable[Device], subject_of: Callable[[Device], str]) -> Level:
    named = [subject_of(device) for device in devices]
    subjects = tuple(sorted(set(named) - {""}))
    place = {subject: number for number, subject in enumerate(subjects)}
    return Level(subjects, np.array([place.get(name, NONE) for name in named], dtype=np.int32))


def _parent(child: Level, parent: Level) -> NDArray[np.int32]:
    found = np.full(len(child), NONE, dtype=np.int32)
    on = child.of != NONE
    found[child.of[on]] = parent.of[on]
    return found
