"""Plays of many seeds, judged and scored: lamps for a month, bays and buttons for two."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from firmware_sim.physics.plan import DAY_MS, DEFAULT_START_MS, Plan
from firmware_sim.physics.play import play
from firmware_sim.physics.played import Played
from tests.detection.score import Table, score

Judge = Callable[[list[dict[str, str]], Played], Iterable[dict[str, Any]]]
Tell = Callable[[str], None]

TUNING_SEEDS = tuple(range(1, 10))
REPORT_SEEDS = tuple(range(101, 121))
LOSSES = (0.0, 0.10, 0.28)
SEASON_STEP_DAYS = 53
"""Each seed begins so many days later in the year: long nights, short ones, and both changes of the clock."""


@dataclass(frozen=True)
class Sizes:
    """How large each play is."""

    lamps: int = 2_000
    days: float = 30.0
    bays: int = 320
    buttons: int = 60
    parking_days: float = 60.0


def plans(sizes: Sizes, seed: int, loss: float) -> list[Plan]:
    """The plays of one seed at one loss."""
    start_ms = DEFAULT_START_MS + seed * SEASON_STEP_DAYS % 365 * DAY_MS
    made = []
    if sizes.lamps:
        made.append(Plan(lamps=sizes.lamps, days=sizes.days, start_ms=start_ms, seed=seed, loss=loss))
    if sizes.bays or sizes.buttons:
        smaller = Plan(lamps=0, bays=sizes.bays, buttons=sizes.buttons, days=sizes.parking_days)
        made.append(replace(smaller, start_ms=start_ms, seed=seed, loss=loss))
    return made


def judged(judge: Judge, plan: Plan) -> Table:
    """One play, judged and scored; the judge gets no truth."""
    played = play(plan)
    truth, events = list(played.truth), list(played.events)
    played.truth.clear()
    played.events.clear()
    table = score(truth, judge(played.inventory, played), int(played.received_ms[-1]), events)
    table.device_days = plan.days * (plan.lamps + plan.bays + plan.counters + plan.buttons)
    return table


def run(judge: Judge, sizes: Sizes, seeds: Sequence[int], loss: float, tell: Tell) -> Table:
    """All seeds at one loss."""
    table = Table()
    for seed in seeds:
        for plan in plans(sizes, seed, loss):
            table.add(judged(judge, plan))
        tell(f"loss {loss:.0%}: seed {seed} judged")
    return table
