"""Absences as they are told: what begins and ends, what is down and whom that explains, and the rules about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rules.spec import Rule

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Change:
    """An absence that begins or ends on a subject. `devices` are those it explains, by number."""

    rule: str
    subject: str
    opens: bool
    since_ms: int
    at_ms: int
    devices: tuple[int, ...]
    facts: Mapping[str, float]


@dataclass(frozen=True)
class AbsenceRules:
    """The rules about absence in force, None = switched off; names as DESIGN.md has them."""

    silent: Rule | None
    never_reported: Rule | None
    circuit_down: Rule | None
    phase_down: Rule | None
    gateway_down: Rule | None
    silent_many: Rule | None


@dataclass(frozen=True, eq=False)
class Down:
    """A line, receiver or all of us that is down: `members` bool[n] whose silence that explains; None = who hangs on a
    receiver changes, so it is asked each time.
    """

    rule: str
    since_ms: int
    members: Flags | None

    @cached_property
    def places(self) -> NDArray[np.int64]:
        """i8[m]: the numbers of the members."""
        return np.zeros(0, dtype=np.int64) if self.members is None else np.flatnonzero(self.members)
