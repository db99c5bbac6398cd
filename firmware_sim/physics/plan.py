"""What is asked of one play: sizes, time, seed, loss, and how many faults of each sort."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Instants = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

SECOND_MS = 1_000
MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000
DEFAULT_START_MS = 1_768_046_400_000
"""2026-01-10T12:00:00Z."""

CASES = 17
LAMP_FAULTS = (
    "lamp_out", "lamp_partial", "power_high", "day_burner", "not_on", "cycling", "pf_low", "driver_hot",
    "voltage_low", "voltage_high", "pole_tilt", "silent", "never_reported", "frozen", "energy_drift",
    "not_off",
)  # fmt: skip
LINE_FAULTS = ("circuit_down", "phase_down")
CABINET_FAULTS = ("neutral_break", "rcd_open", "door_open", "off_schedule")
STREET_FAULTS = ("feed_dead", "unexpected_load")
"""Of cabinets that switch whole streets without controllers; the second of the others as well."""
BAY_FAULTS = ("bay_stuck", "bay_flapping", "bay_neighbour", "bay_reboot", "bay_snow")
COUNTER_FAULTS = ("counter_drift",)
FAULTS = (
    *LAMP_FAULTS,
    *LINE_FAULTS,
    *CABINET_FAULTS,
    *STREET_FAULTS,
    "gateway_down",
    "battery_low",
    *BAY_FAULTS,
    *COUNTER_FAULTS,
    "sos_test_overdue",
)

# The counts are for fleets of these sizes; smaller ones get fewer.
USUAL_LAMPS = 2_000
USUAL_BAYS = 320
USUAL_BUTTONS = 60
PER_BAYS = 8
"""One car park with a counting barrier for so many bays with sensors."""


def usual_counts() -> dict[str, int]:
    """Seventeen of each, so that twenty seeds give more than three hundred that can be seen."""
    return dict.fromkeys(FAULTS, CASES) | {"driver_hot": CASES + 4}


@dataclass(frozen=True)
class Plan:
    """One play. `loss` is the mean share of messages lost on the air, 0..0.8; `counts` names how many of each fault.

    A fault that `counts` does not name does not happen. `events` False leaves out what only looks like a fault.
    """

    lamps: int = USUAL_LAMPS
    bays: int = 0
    buttons: int = 0
    days: float = 30.0
    start_ms: int = DEFAULT_START_MS
    seed: int = 1
    loss: float = 0.10
    interval_s: int = 900
    events: bool = True
    counts: Mapping[str, int] = field(default_factory=usual_counts)

    @property
    def end_ms(self) -> int:
        """The instant after the last reading."""
        return self.start_ms + round(self.days * DAY_MS)

    @property
    def interval_ms(self) -> int:
        """The promised distance of two readings of a lamp."""
        return self.interval_s * SECOND_MS

    @property
    def slots(self) -> int:
        """How many readings a lamp makes in the whole time."""
        return (self.end_ms - self.start_ms) // self.interval_ms

    @property
    def counters(self) -> int:
        """How many car parks with a counting barrier there are."""
        return self.bays // PER_BAYS

    def count(self, fault: str) -> int:
        """How many of this fault the region gets; at least one when it was asked for and there are devices for it."""
        wanted = self.counts.get(fault, 0)
        if fault in (*BAY_FAULTS, *COUNTER_FAULTS):
            size, usual = self.bays, USUAL_BAYS
        elif fault == "sos_test_overdue":
            size, usual = self.buttons, USUAL_BUTTONS
        else:
            size, usual = self.lamps + (self.bays if fault == "battery_low" else 0), USUAL_LAMPS
        return min(wanted, max(1, round(wanted * size / usual))) if wanted and size else 0

    def random(self, *names: object) -> np.random.Generator:
        """A stream of its own for each subject, so that one part does not change another's luck."""
        words = [self.seed, *(int.from_bytes(str(name).encode()[-6:], "little") for name in names)]
        return np.random.default_rng(words)


def check_plan(plan: Plan) -> Plan:
    """The plan itself; a ValueError says what is out of range and what was expected."""
    if not 0 <= plan.loss <= 0.8:
        raise ValueError(f"loss must be a share of 0..0.8, got {plan.loss}")
    if min(plan.lamps, plan.bays, plan.buttons) < 0 or plan.lamps + plan.bays + plan.buttons == 0:
        raise ValueError("lamps, bays and buttons must be 0 or more, and at least one of them above 0")
    if plan.seed < 0:
        raise ValueError(f"seed must be 0 or more, got {plan.seed}")
    if not 60 <= plan.interval_s <= 3_600:
        raise ValueError(f"interval must be 60..3600 seconds, got {plan.interval_s}")
    if plan.days <= 0 or plan.slots < 4:
        raise ValueError(f"the time must hold at least four readings of a lamp, got {plan.days} days")
    unknown = sorted(set(plan.counts) - set(FAULTS))
    if unknown:
        raise ValueError(f"unknown fault {unknown[0]!r}; expected some of {', '.join(FAULTS)}")
    return plan
