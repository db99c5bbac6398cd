"""The seven towns of the Partheland and the rule for ids."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Town:
    """A town: its id in topics and files, its name, its official municipality key (AGS)."""

    id: str
    name: str
    ags: str


# AGS and names: Destatis, 31.12.2018 (opendatalab-de/simple-geodata-selector, MIT).
TOWNS = (
    Town("borsdorf", "Borsdorf", "14729060"),
    Town("brandis", "Brandis", "14729070"),
    Town("grosspoesna", "Großpösna", "14729190"),
    Town("naunhof", "Naunhof", "14729300"),
    Town("belgershain", "Belgershain", "14729020"),
    Town("parthenstein", "Parthenstein", "14729340"),
    Town("machern", "Machern", "14729250"),
)
TOWN_IDS = frozenset(town.id for town in TOWNS)

ID_PATTERN = re.compile(r"[A-Za-z0-9_-]{1,64}")


def is_id(text: str) -> bool:
    """Whether a text may name a device, gateway, cabinet or site."""
    return ID_PATTERN.fullmatch(text) is not None
