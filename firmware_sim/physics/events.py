"""What only looks like a fault: maintenance rounds, tests, blips, gateways that restart or lose the centre for hours.

Gateways that are really down are drawn here too, so that no two troubles of one gateway overlap.
"""

from __future__ import annotations

import numpy as np

from firmware_sim.moments import iso
from firmware_sim.physics.faults import SORTS, Fault, draw_times
from firmware_sim.physics.plan import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, Plan
from firmware_sim.physics.region import Region

GATEWAY_REBOOT_MS = 3 * MINUTE_MS
GATEWAY_REBOOTS_PER_DAY = 0.06
BLIPS_PER_CIRCUIT_DAY = 0.008
ROUND_SHARE = 0.2
"""So many of the circuits are switched on by daylight in a monthly round."""


def draw_circuit_events(plan: Plan, region: Region, faults: list[Fault]) -> list[Fault]:
    """The events of circuits: maintenance (announced), daytime_test (not announced, short), blip (seconds dark)."""
    rng = plan.random("events")
    if not plan.events or not len(region.circuits.first):
        return []
    busy = {fault.subject for fault in faults}
    free = [row for row in range(len(region.circuits.first)) if region.circuit_subject(row) not in busy]
    count = len(free)
    rounds = rng.permutation(free)[: round(count * ROUND_SHARE * max(1.0, plan.days / 30))]
    tests = rng.permutation(free)[: round(count * 0.08)]
    events = [_at_noon("maintenance", region, plan, rng, row, (60, 200)) for row in rounds.tolist()]
    events += [_at_noon("daytime_test", region, plan, rng, row, (8, 20)) for row in tests.tolist()]
    for row in rng.choice(len(region.circuits.first), rng.poisson(BLIPS_PER_CIRCUIT_DAY * count * plan.days)).tolist():
        start_ms = plan.start_ms + int(rng.uniform(0, plan.days) * DAY_MS)
        end_ms = start_ms + int(rng.uniform(0.3, 60) * SECOND_MS)
        events.append(Fault("blip", region.circuit_subject(row), region.circuits.rows(row), start_ms, end_ms))
    return events


def _at_noon(
    name: str, region: Region, plan: Plan, rng: np.random.Generator, circuit: int, minutes: tuple[int, int]
) -> Fault:
    """On some day between 9 and 13 h UTC, when the sun is up all year."""
    day_ms = (plan.start_ms // DAY_MS + int(rng.integers(1, max(2, int(plan.days))))) * DAY_MS
    start_ms = day_ms + int(rng.uniform(9, 11) * HOUR_MS)
    end_ms = start_ms + int(rng.uniform(*minutes) * MINUTE_MS)
    return Fault(name, region.circuit_subject(circuit), region.circuits.rows(circuit), start_ms, end_ms)


def window_rows(events: list[Fault]) -> list[dict[str, str]]:
    """The announced windows: a quarter of an hour longer on both sides than the work took."""
    margin_ms = 15 * MINUTE_MS
    return [
        {
            "scope": event.subject, "from": iso(event.start_ms - margin_ms),
            "to": iso((event.end_ms or event.start_ms) + margin_ms), "reason": "Wartungsrundgang",
        }
        for event in sorted(events, key=lambda event: (event.start_ms, event.subject))
        if event.name == "maintenance"
    ]  # fmt: skip


def draw_gateway_troubles(plan: Plan, region: Region) -> list[Fault]:
    """The troubles: gateway_down (a fault), gateway_reboot (minutes), backhaul_outage (hours, then all of it comes)."""
    rng = plan.random("gateways")
    troubles: list[Fault] = []
    for _ in range(plan.count("gateway_down")):
        _add(troubles, "gateway_down", region, *draw_times(SORTS["gateway_down"], plan, rng), rng)
    if not plan.events:
        return troubles
    gateways = len(region.gateway_ids)
    for _ in range(max(1, round(gateways * plan.days / 150))):
        start_ms = plan.start_ms + int(rng.uniform(0.05, 0.9) * plan.days * DAY_MS)
        _add(troubles, "backhaul_outage", region, start_ms, start_ms + int(rng.uniform(2, 8) * HOUR_MS), rng)
    for _ in range(rng.poisson(GATEWAY_REBOOTS_PER_DAY * gateways * plan.days)):
        start_ms = plan.start_ms + int(rng.uniform(0, plan.days) * DAY_MS)
        _add(troubles, "gateway_reboot", region, start_ms, start_ms + GATEWAY_REBOOT_MS, rng)
    return troubles


def _add(
    troubles: list[Fault], name: str, region: Region, start_ms: int, end_ms: int | None, rng: np.random.Generator
) -> None:
    """Give the trouble to a gateway that has none within two hours of it; none at all when there is no such one."""
    margin_ms = 2 * HOUR_MS
    for gateway in rng.permutation(len(region.gateway_ids)).tolist():
        subject = f"gateway:{region.gateway_ids[gateway]}"
        own = [known for known in troubles if known.subject == subject]
        last_ms = end_ms or 2**62
        if all(k.start_ms - margin_ms > last_ms or k.until_ms(2**62) + margin_ms < start_ms for k in own):
            rows = region.lamps.heard.only(gateway)
            trouble = Fault(name, subject, rows, start_ms, end_ms, float(gateway))
            if name == "gateway_down":
                trouble.members = tuple(region.lamp_ids[row] for row in rows.tolist())
            troubles.append(trouble)
            return
