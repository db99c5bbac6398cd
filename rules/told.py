"""Findings of a backtest as rows for programs, and what two versions of the rules find differently."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from core.clock import iso
from core.device import Device
from rules.backtest import Found
from rules.records import Evidence
from rules.sentences import sentence_of
from rules.spec import Rule

Row = dict[str, Any]
MOVABLE = ("since", "opened_at", "closed_at")


def rows_of(found: Iterable[Found], rules: Mapping[str, Rule], devices: Mapping[str, Device]) -> list[Row]:
    """One row for each finding, sorted by opened_at, rule, subject and since; instants as ISO 8601 in UTC."""
    rows = [_row(one, rules[one.opening.rule], devices) for one in found]
    return sorted(rows, key=lambda row: (row["opened_at"], row["rule"], row["subject"], row["since"]))


def _row(found: Found, rule: Rule, devices: Mapping[str, Device]) -> Row:
    opening = found.opening
    # Of a finding on a line the numbers are those of one member: the one that the evidence is of.
    concerned = [opening.subject, *(one.device_id for one in opening.evidence[:1]), *opening.members]
    device = next((devices[one] for one in concerned if one in devices), None)
    return {
        "rule": opening.rule,
        "subject": opening.subject,
        "town": found.town,
        "since": iso(opening.since_ms),
        "opened_at": iso(opening.opened_ms),
        "closed_at": None if found.closed_ms is None else iso(found.closed_ms),
        "close_reason": found.close_reason,
        "priority": found.priority,
        "members": list(opening.members),
        "text_de": found.text_de or sentence_of(rule, opening, device),
        "evidence": [_evidence(one) for one in opening.evidence],
    }


def _evidence(one: Evidence) -> Row:
    value = one.value
    if isinstance(value, float):
        value = round(value, 6) if isfinite(value) else "unbekannt"
    return {"device_id": one.device_id, "t": iso(one.t_ms), "name": one.name, "value": value}


@dataclass(frozen=True)
class Comparison:
    """What one version of the rules finds (`after`) and another does not (`before`).

    `moved`: pairs (before, after) that tell of the same episode with another since, opened_at or closed_at.
    """

    new: tuple[Row, ...]
    gone: tuple[Row, ...]
    moved: tuple[tuple[Row, Row], ...]
    same: int

    def as_json(self) -> Row:
        """For programs."""
        moved = [{"before": before, "after": after} for before, after in self.moved]
        return {"new": list(self.new), "gone": list(self.gone), "moved": moved, "same": self.same}


def compare(before: Sequence[Row], after: Sequence[Row]) -> Comparison:
    """Pair the findings of a rule on a subject that were open at the same time; each is in one pair at most."""
    waiting: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in before:
        waiting[row["rule"], row["subject"]].append(row)
    new: list[Row] = []
    moved: list[tuple[Row, Row]] = []
    same = 0
    for row in after:
        candidates = waiting[row["rule"], row["subject"]]
        partner = next((one for one in candidates if _overlap(one, row)), None)
        if partner is None:
            new.append(row)
            continue
        candidates.remove(partner)
        if all(partner[name] == row[name] for name in MOVABLE):
            same += 1
        else:
            moved.append((partner, row))
    gone = [row for row in before if any(row is one for one in waiting[row["rule"], row["subject"]])]
    return Comparison(tuple(new), tuple(gone), tuple(moved), same)


def _overlap(one: Row, other: Row) -> bool:
    """Whether two episodes share some time; ISO 8601 in UTC sorts as time does, and an open one has no end."""
    return bool(
        (other["closed_at"] is None or one["since"] <= other["closed_at"])
        and (one["closed_at"] is None or other["since"] <= one["closed_at"])
    )
