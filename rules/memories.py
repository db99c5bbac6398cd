"""Which memories the rules in force need, each for the devices it can be about."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.kinds import VALUES
from rules.fleet import Fleet
from rules.memory import LastKnown, Same, Zero
from rules.miscount import Miscount
from rules.neighbours import Neighbours
from rules.nominal import Nominal
from rules.reference import Reference
from rules.seats import M, Seated, Seats
from rules.starts import Starts
from rules.stays import Stays

FROZEN = ("voltage_v", "current_a", "power_w")
CHANGES_KEPT = 16
UNRATED = "unrated"
SEATED = ("lamp", "parking", "counter")
"""Kinds that have memories of their own."""
Call = tuple[str, str, float]
LEARNED = frozenset({"reference_w", "tilt_change_deg"})
"""Names that are compared with what a lamp was like when it was well."""


class Memories:
    """What is remembered of devices for the names and calls that rules use, each memory for those it can be about."""

    def __init__(
        self,
        names: Iterable[str],
        calls: Iterable[Call],
        values: Iterable[tuple[str, ...]],
        asked: Iterable[Call] = (),
    ) -> None:
        names, asked = set(names), set(asked)
        self.seats: dict[str | None, Seats] = {kind: Seats(kind) for kind in (None, *SEATED)}
        self.seats[UNRATED] = Seats("lamp", is_unrated)
        self.frozen = {key: self._for("lamp", Same()) for key in {*values, FROZEN}}
        self.tilt = self._for("lamp", Zero()) if "tilt_change_deg" in names else None
        self.nominal = self._for(UNRATED, Nominal())
        self.reference = self._for("lamp", Reference()) if names & {"reference_w", "value"} else None
        self.stays = self._for("parking", Stays()) if names & {"usual_stay_s", "stay_s"} else None
        self.starts = self._for("parking", Starts()) if "starts" in names else None
        self.miscount = self._for("counter", Miscount()) if names & {"miscount", "miscount_sigma"} else None
        self.kept = {
            key: self._for(_only_kind(key[1]), _last_known(*key)) for key in {kept_key(*call) for call in calls}
        }
        self.neighbours = Neighbours(asked) if asked else None

    def _for(self, whom: str | None, memory: M) -> Seated[M]:
        return Seated(memory, self.seats[whom])

    def refresh(self, fleet: Fleet) -> None:
        """Take in an inventory."""
        for seats in self.seats.values():
            seats.refresh(fleet)
        for memory in self.every().values():
            memory.refresh()
        if self.neighbours is not None:
            self.neighbours.refresh(fleet)

    def given_seats(self) -> dict[str, Seats]:
        """The seats that an inventory may give and take, by name: whose they are must be kept with the memories."""
        return {name: seats for name, seats in self.seats.items() if name is not None and seats.needs_one is not None}

    def every(self) -> dict[str, Seated[Any]]:
        """All memories by name."""
        found: dict[str, Seated[Any]] = {f"same.{'+'.join(key)}": one for key, one in self.frozen.items()}
        found |= {f"kept.{'.'.join(map(str, key))}": one for key, one in self.kept.items()}
        named: dict[str, Seated[Any] | None] = {"tilt": self.tilt, "nominal": self.nominal}
        named |= {"reference": self.reference, "stays": self.stays, "starts": self.starts, "miscount": self.miscount}
        return found | {name: one for name, one in named.items() if one is not None}

    def learn_anew(self, devices: NDArray[np.int64]) -> None:
        """These were repaired: what they were like when they were well is void."""
        for memory in (self.tilt, self.nominal, self.miscount):
            if memory is not None:
                memory.forget(devices)
        if self.reference is not None:
            self.reference.memory.learn_anew(self.reference.places(devices))


def is_unrated(fleet: Fleet) -> NDArray[np.bool_]:
    """bool[n]: the devices whose nominal power the inventory does not say."""
    return np.isnan(fleet.nominal_w)


def _only_kind(name: str) -> str | None:
    """The kind that alone reports a value, where there are seats for it."""
    kinds = {kind for kind in SEATED if name in VALUES[kind]}
    return kinds.pop() if len(kinds) == 1 else None


def kept_key(function: str, name: str, argument: float) -> tuple[str, str, int]:
    """Which memory serves a call: what is kept, of which value, how many."""
    if function in ("age", "changes"):
        return "changes", name, CHANGES_KEPT
    if function in ("rate", "gap"):
        return "samples", name, 1
    return "values", name, int(argument) if function == "median_of" else 1


def _last_known(what: str, name: str, size: int) -> LastKnown:
    return LastKnown(size, changes=what == "changes", timed=what != "values")
