"""Which memories the rules in force need, each for the devices it can be about."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from core.kinds import VALUES
from rules.fleet import Fleet
from rules.memory import LastKnown, Same, Zero
from rules.nominal import Nominal
from rules.reference import Reference
from rules.seats import M, Seated, Seats
from rules.stays import Stays

FROZEN = ("voltage_v", "current_a", "power_w")
CHANGES_KEPT = 16
Call = tuple[str, str, float]


class Memories:
    """What is remembered of devices for the names and calls that rules use, each memory for those it can be about."""

    def __init__(self, names: Iterable[str], calls: Iterable[Call], values: Iterable[tuple[str, ...]]) -> None:
        names = set(names)
        self.seats: dict[str | None, Seats] = {kind: Seats(kind) for kind in (None, "lamp", "parking")}
        self.frozen = {key: self._for("lamp", Same()) for key in {*values, FROZEN}}
        self.tilt = self._for("lamp", Zero()) if "tilt_change_deg" in names else None
        self.nominal = self._for("lamp", Nominal())
        self.reference = self._for("lamp", Reference()) if names & {"reference_w", "value"} else None
        self.stays = self._for("parking", Stays()) if names & {"usual_stay_s", "stay_s"} else None
        self.kept = {
            key: self._for(_only_kind(key[1]), _last_known(*key)) for key in {kept_key(*call) for call in calls}
        }

    def _for(self, kind: str | None, memory: M) -> Seated[M]:
        return Seated(memory, self.seats[kind])

    def refresh(self, fleet: Fleet) -> None:
        """Take in an inventory."""
        for seats in self.seats.values():
            seats.refresh(fleet)
        for memory in self.every().values():
            memory.refresh()

    def every(self) -> dict[str, Seated[Any]]:
        """All memories by name."""
        found: dict[str, Seated[Any]] = {f"same.{'+'.join(key)}": one for key, one in self.frozen.items()}
        found |= {f"kept.{'.'.join(map(str, key))}": one for key, one in self.kept.items()}
        named = {"tilt": self.tilt, "nominal": self.nominal, "reference": self.reference, "stays": self.stays}
        return found | {name: one for name, one in named.items() if one is not None}


def _only_kind(name: str) -> str | None:
    """The kind that alone reports a value, where there are seats for it."""
    kinds = {kind for kind in ("lamp", "parking") if name in VALUES[kind]}
    return kinds.pop() if len(kinds) == 1 else None


def kept_key(function: str, name: str, argument: float) -> tuple[str, str, int]:
    """Which memory serves a call: what is kept, of which value, how many."""
    if function in ("age", "changes"):
        return "changes", name, CHANGES_KEPT
    return "values", name, int(argument) if function == "median_of" else 1


def _last_known(what: str, name: str, size: int) -> LastKnown:
    return LastKnown(size, changes=what == "changes")
