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
from rules.load import built_in
from rules.spec import Rule
from rules.windows import Window


@cache
def rules() -> Mapping[str, Rule]:
    """The rules shipped."""
    book = built_in(date(2026, 1, 1))
    if book.problems:
        raise ValueError(f"the rules shipped are not right: {book.problems}")
    return book.rules


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
