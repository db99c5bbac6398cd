"""From when on a fault can be seen at all, and the rows of the truth file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from firmware_sim.moments import iso
from firmware_sim.physics.faults import Fault
from firmware_sim.physics.lamps import other_plan
from firmware_sim.physics.plan import Plan
from firmware_sim.physics.region import Region

FULL_LIGHT_PCT = 70.0
"""Power factors are not judged below it: drivers lose theirs when dimmed."""
WHILE_LIT = ("lamp_out", "lamp_partial", "power_high", "cycling", "frozen", "energy_drift")
CUTS = ("circuit_down", "phase_down")
FOUND_ON_THE_WAY = ("driver_hot", "battery_low", "rcd_open", "door_open", "unexpected_load")
"""Those who play these know when they show."""


def find_observable(region: Region, faults: Sequence[Fault], plan: Plan) -> None:
    """Write into each fault when it can first be seen; None when it ended, or the play did, before that."""
    cuts = [fault for fault in faults if fault.name in CUTS]
    for fault in faults:
        if fault.name not in FOUND_ON_THE_WAY:
            fault.observable_ms = _past_cuts(region, fault, [cut for cut in cuts if cut is not fault], plan)
    drop_unseen(faults, plan)


def drop_unseen(faults: Iterable[Fault], plan: Plan) -> None:
    """What would only show after it ended, or the play did, can't be seen."""
    for fault in faults:
        if fault.observable_ms is not None and fault.observable_ms >= fault.until_ms(plan.end_ms):
            fault.observable_ms = None


def _past_cuts(region: Region, fault: Fault, cuts: Iterable[Fault], plan: Plan) -> int | None:
    """The first instant at which it shows and its lamp has voltage."""
    from_ms = max(fault.start_ms, plan.start_ms)
    hidden = [cut for cut in cuts if len(fault.rows) == 1 and fault.rows[0] in cut.rows]
    for cut in sorted(hidden, key=lambda cut: cut.start_ms):
        seen_ms = first_seen_ms(region, fault, from_ms)
        if seen_ms is not None and cut.start_ms <= seen_ms < cut.until_ms(plan.end_ms):
            from_ms = cut.until_ms(plan.end_ms)
    return first_seen_ms(region, fault, from_ms)


def first_seen_ms(region: Region, fault: Fault, from_ms: int) -> int | None:
    """The first instant from then on at which this sort of fault shows, were it there."""
    if not len(fault.rows):
        return from_ms
    nights = region.nights_of(int(fault.rows[0]))
    by_light: dict[str, Callable[[int], int | None]] = {
        **dict.fromkeys(WHILE_LIT, nights.next_on_ms),
        "pf_low": lambda at_ms: nights.next_on_ms(at_ms, FULL_LIGHT_PCT),
        "not_on": nights.next_plain_night_ms if fault.variant == "off" else nights.next_plain_evening_ms,
        "day_burner": nights.next_day_ms,
        "not_off": nights.next_left_out_ms,
        "off_schedule": lambda at_ms: nights.next_apart_ms(at_ms, *other_plan(region, fault, int(fault.rows[0]))),
    }
    if fault.name in by_light:
        return by_light[fault.name](from_ms)
    if fault.name == "gateway_down" or (region.lamps.supply[fault.rows] == 0).any():
        return from_ms
    energised = [region.nights_of(int(row)).next_on_ms(from_ms) for row in fault.rows]
    return min((at_ms for at_ms in energised if at_ms is not None), default=None)


def truth_rows(faults: Iterable[Fault], names: Sequence[str]) -> list[dict[str, str]]:
    """The rows of the truth file by start; times in ISO 8601 UTC, an empty end = until after the play.

    `names` are the lamps' ids; a fault that carries `members` of its own keeps them.
    """
    rows = []
    for fault in sorted(faults, key=lambda fault: (fault.start_ms, fault.name, fault.subject)):
        members = fault.members or tuple(names[int(row)] for row in fault.rows)
        rows.append({
            "fault": fault.name, "subject": fault.subject, "members": ";".join(members),
            "start": iso(fault.start_ms), "end": iso(fault.end_ms), "observable_from": iso(fault.observable_ms),
        })  # fmt: skip
    return rows
