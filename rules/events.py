"""What stage one of the rules hands to stage two: what happened on one device, and when that was known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

OPENS, CLOSES, REFUTED, STIRS, CALMS = "opens", "closes", "refuted", "stirs", "calms"
"""An episode begins or ends, or late samples show that it never was; a run of bad samples begins or ends, which may
never become an episode."""
REPAIRED = "repaired"
"""What was learned of the device no longer holds, and nothing that was found by it does."""
_ORDER = (CALMS, REPAIRED, STIRS, CLOSES, OPENS, REFUTED)


@dataclass(frozen=True, slots=True)
class Event:
    """`t_ms`, `received_ms` of the sample that decided, `known_ms` when it and all before it were known ·
    `since_ms` begin of the episode · `values` at that sample: what the rule looked at.
    """

    known_ms: int
    rule: str
    device: int
    what: str
    t_ms: int
    received_ms: int
    since_ms: int
    values: Mapping[str, float]

    @property
    def order(self) -> tuple[int, int, str, int, int]:
        """What is known first comes first; nothing is left to chance. A run begins before what it opens."""
        return self.known_ms, self.t_ms, self.rule, self.device, _ORDER.index(self.what)
