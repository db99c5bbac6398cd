"""The platform's rules as a judge: the engine of `partheland backtest` on the columns of a play."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from datetime import date
from functools import cache
from typing import Any

from core.clock import iso, parse_instant_ms
from core.inventory import Snapshot
from core.inventory_csv import parse_inventory
from firmware_sim.physics.played import Played
from rules.backtest import Table, backtest
from rules.expression import names
from rules.load import built_in
from rules.rule_columns import trees_of
from rules.spec import Rule
from rules.windows import Window


@cache
def rules() -> Mapping[str, Rule]:
    """The rules shipped."""
    book = built_in(date(2026, 1, 1))
    if book.problems:
        raise ValueError(f"the rules shipped are not right: {book.problems}")
    return book.rules


def targets_ms(interval_ms: float = 900_000.0) -> dict[str, float]:
    """{rule: its own time + 2 intervals of 15 minutes}: what the median delay of its findings may be (DESIGN.md 7).

    Its time is `for`, `within` or the nights before the last. Left out is silence, which has a number of misses for
    each device, and what measures time in its condition (a bay's stay).
    """
    found: dict[str, float] = {}
    for name, rule in rules().items():
        named = {one for tree in trees_of(rule) for one in names(tree)}
        nights = rule.nights if rule.kind == "schedule" else rule.nights - 1
        own_s = max(rule.lasts.seconds, rule.within.seconds, nights * 86_400.0)
        if rule.kind not in ("absence", "event") and not named & {"stay_s", "usual_stay_s"}:
            found[name] = own_s * 1000 + 2 * interval_ms
    return found


def as_input(inventory: list[dict[str, str]], played: Played) -> tuple[Snapshot, Table, list[Window]]:
    """A play as what a backtest takes."""
    text = io.StringIO()
    rows = csv.DictWriter(text, fieldnames=list(inventory[0]))
    rows.writeheader()
    rows.writerows(inventory)
    devices = {device.device_id: device for device in parse_inventory(text.getvalue()).devices}
    table = Table(
        device_ids=played.device_ids,
        device=played.device,
        t_ms=played.t_ms,
        received_ms=played.received_ms,
        values=played.values,
        texts={name: (text.words, text.codes.astype("int32")) for name, text in played.texts.items()},
    )
    windows = [
        Window(row["scope"], parse_instant_ms(row["from"]), parse_instant_ms(row["to"]), row["reason"])
        for row in played.windows
    ]
    return Snapshot(1, devices, {}, {}), table, windows


def judge(inventory: list[dict[str, str]], played: Played) -> list[dict[str, Any]]:
    """The findings as a backtest tells them, without their words."""
    snapshot, table, windows = as_input(inventory, played)
    found = backtest(snapshot, table, rules(), windows)
    return [
        {
            "rule": one.opening.rule,
            "subject": one.opening.subject,
            "since": iso(one.opening.since_ms),
            "opened_at": iso(one.opening.opened_ms),
            "closed_at": None if one.closed_ms is None else iso(one.closed_ms),
            "members": list(one.opening.members),
        }
        for one in found
    ]
