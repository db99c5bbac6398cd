"""Who stands beside whom: the nearest others of the same kind on the same site, or of the same circuit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rules.fleet import NONE, Fleet
from rules.topology import circuit_subject, site_subject

NEIGHBOURS_MAX = 16
BESIDE = 32
"""The nearest are sought among so many before and behind, along the longer side of the site."""
METRES_PER_DEGREE = 111_320.0

Numbers = NDArray[np.float64]
Places = NDArray[np.int64]


def neighbours_of(fleet: Fleet, devices: Places) -> NDArray[np.int64]:
    """i8[m, 16]: of each of these devices, sorted, the nearest others of them of its kind and place, -1 = no more.

    By position; where one of a place has none, in the order of their ids.
    """
    found = np.full((len(devices), NEIGHBOURS_MAX), NONE, dtype=np.int64)
    groups: dict[tuple[str, str], list[int]] = {}
    for number in devices.tolist():
        device = fleet.devices[number]
        place = circuit_subject(device) if device.kind == "lamp" else site_subject(device)
        if place:
            groups.setdefault((device.kind, place), []).append(number)
    for members in groups.values():
        if len(members) > 1:
            members.sort(key=lambda number: fleet.devices[number].device_id)
            found[np.searchsorted(devices, members)] = _nearest(np.array(members), _positions(fleet, members))
    return found


def _positions(fleet: Fleet, members: list[int]) -> Numbers:
    """f8[m, 2] in metres."""
    places = [(fleet.devices[number].lat, fleet.devices[number].lon) for number in members]
    if any(lat is None or lon is None for lat, lon in places):
        return np.stack([np.arange(len(members), dtype=np.float64), np.zeros(len(members))], axis=1)
    degrees = np.array(places, dtype=np.float64)
    metres: Numbers = (degrees - degrees[0]) * METRES_PER_DEGREE * np.array([1.0, np.cos(np.deg2rad(degrees[0, 0]))])
    return metres


def _nearest(members: Places, metres: Numbers) -> NDArray[np.int64]:
    """i8[m, 16]: for each member the nearest others."""
    side = int(np.ptp(metres, axis=0).argmax())
    order = np.lexsort((np.arange(len(members)), metres[:, side]))
    steps = np.concatenate([np.arange(-BESIDE, 0), np.arange(1, BESIDE + 1)])
    place = np.arange(len(members))[:, None] + steps
    there = (place >= 0) & (place < len(members))
    other = order[np.clip(place, 0, len(members) - 1)]
    away = np.where(there, np.linalg.norm(metres[other] - metres[order][:, None], axis=2), np.inf)
    # Of two that are equally far the one with the lesser id, so that nothing is left to chance.
    chosen = np.lexsort((other, np.round(away, 3)), axis=1)[:, :NEIGHBOURS_MAX]
    row = np.arange(len(members))[:, None]
    found = np.full((len(members), NEIGHBOURS_MAX), NONE, dtype=np.int64)
    found[order] = np.where(there[row, chosen], members[other[row, chosen]], NONE)
    return found
