"""What is open: episodes of rules on devices, and findings on whole lines."""

from __future__ import annotations

from dataclasses import dataclass

from rules.events import Event


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
