"""Announced work: a time in which nothing is judged on a device, a line, a place, a town or everything.

The monthly round that switches a district on by daylight is announced here; so is a building site, which has an end.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.clock import parse_instant_ms
from rules.fleet import NONE, Fleet
from rules.topology import Topology

COLUMNS = ("scope", "from", "to", "reason")
EVERYTHING = ("*", "platform", "all", "")


@dataclass(frozen=True)
class Window:
    """Nothing is judged on `scope` (a device id, a subject, `town:{id}` or `platform`) from `from_ms` until `to_ms`."""

    scope: str
    from_ms: int
    to_ms: int
    reason: str = ""


@dataclass(frozen=True, eq=False)
class Muted:
    """A window over a fleet: `devices` bool[n]."""

    window: Window
    devices: NDArray[np.bool_]


class WindowError(ValueError):
    """A file of windows that can't be taken; says which line and why."""


def read_windows(path: Path) -> list[Window]:
    """The windows of a CSV file with the columns scope, from, to, reason. Raises WindowError."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing = sorted(set(COLUMNS[:3]) - set(reader.fieldnames or ()))
            if missing:
                raise WindowError(f"{path}: column {', '.join(missing)} is missing; expected {','.join(COLUMNS)}")
            return [_window(path, reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError) as error:
        raise WindowError(f"{path} can't be read: {error}") from error


def _window(path: Path, line: int, row: dict[str, str]) -> Window:
    try:
        window = Window(
            row["scope"], parse_instant_ms(row["from"]), parse_instant_ms(row["to"]), row.get("reason") or ""
        )
    except ValueError as error:
        raise WindowError(f"{path}, line {line}: {error}") from error
    if window.to_ms <= window.from_ms:
        raise WindowError(f"{path}, line {line}: it ends before it begins; expected from < to")
    return window


def muted(windows: Iterable[Window], fleet: Fleet, topology: Topology) -> list[Muted]:
    """Each window with the devices it covers; a scope that nobody has covers none."""
    return [Muted(window, _covered(window.scope, fleet, topology)) for window in windows]


def _covered(scope: str, fleet: Fleet, topology: Topology) -> NDArray[np.bool_]:
    none = np.zeros(len(fleet), dtype=np.bool_)
    if scope in EVERYTHING:
        return ~none
    sort, _, name = scope.partition(":")
    level = topology.levels.get(sort)
    if level is not None:
        return _with_feeders(level.members(level.subjects.index(scope)), topology) if scope in level.subjects else none
    if sort == "town" and name:
        return np.array([device.town == name for device in fleet.devices], dtype=np.bool_)
    number = fleet.number.get(scope.removeprefix("device:"))
    if number is not None:
        none[number] = True
    return none


def _with_feeders(devices: NDArray[np.bool_], topology: Topology) -> NDArray[np.bool_]:
    """bool[n]: these and the cabinets that feed them, whose meters see what is done to them."""
    found = devices.copy()
    feeder = topology.feeder[devices]
    found[feeder[feeder != NONE]] = True
    return found


def unmuted_rows(windows: Sequence[Muted], device: NDArray[np.int64], t_ms: NDArray[np.int64]) -> NDArray[np.bool_]:
    """bool[k]: the rows that no window covers."""
    found = np.ones(len(device), dtype=np.bool_)
    for one in windows:
        window = one.window
        if len(t_ms) and window.from_ms <= int(t_ms.max()) and int(t_ms.min()) < window.to_ms:
            found &= ~(one.devices[device] & (t_ms >= window.from_ms) & (t_ms < window.to_ms))
    return found


def muted_at(windows: Sequence[Muted], devices: int, at_ms: int) -> NDArray[np.bool_]:
    """bool[n]: the devices that a window covers at an instant."""
    found = np.zeros(devices, dtype=np.bool_)
    for one in windows:
        if one.window.from_ms <= at_ms < one.window.to_ms:
            found |= one.devices
    return found
