"""What is open: episodes of rules on devices, and findings on whole lines."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rules.events import Event
from rules.records import Evidence
from rules.spec import Rule


@dataclass
class Episode:
    """An open episode of a rule on a device."""

    event: Event
    told: bool = False
    line: str = ""
    not_before_ms: int = 0
    """What explained it ended: only a sample from this instant on proves that it lasts."""


@dataclass
class Line:
    """An open finding on a line: its members by rule and number, and how many they were when it opened."""

    since_ms: int
    members: set[tuple[str, int]]
    at_first: int
    quiet_ms: int = 0
    """Since when so few are left that it may end; 0 = it goes on."""


def evidence_of(rule: Rule, event: Event, device_id: str) -> tuple[Evidence, ...]:
    """What the rule looked at when it decided, as far as it was known."""
    return tuple(
        Evidence(device_id, event.t_ms, name, value)
        for name, value in event.values.items()
        if name not in rule.params and not np.isnan(value)
    )
