"""What a changed threshold would have found in the last weeks: a backtest of both versions on the store's history.

No more is read than can be held: of a large region, whole lines are drawn by lot, the same ones each time, and the
answer says how many devices it speaks of.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from types import MappingProxyType

from core.device import Device
from core.inventory import Snapshot
from core.kinds import KINDS
from rules.backtest import Table, backtest
from rules.company import only
from rules.evaluate import selects
from rules.fleet import INTERVAL_S
from rules.history import Asked
from rules.judgement import ABSENCE_RULES
from rules.repairs import NO_WORKS, Works
from rules.spec import Param, Rule
from rules.told import Comparison, Row, compare, rows_of
from rules.topology import circuit_subject, site_subject

DAYS_MAX = 30
DAY_MS = 86_400_000
NUMBER_MAX = 1e9


class PreviewError(ValueError):
    """This can't be previewed; says what was wrong and what was expected."""


class TooLongError(RuntimeError):
    """It took longer than it may."""


@dataclass(frozen=True)
class Preview:
    """What `after` finds and `before` does not, and the other way round, on `devices` of the `of` that it selects."""

    before: Rule
    after: Rule
    from_ms: int
    to_ms: int
    devices: int
    of: int
    readings: int
    comparison: Comparison


@dataclass(frozen=True)
class Limits:
    """How many readings may be held, and how long it may take."""

    readings_max: int
    seconds_max: float


def changed(rule: Rule, params: Mapping[str, float]) -> Rule:
    """The rule with other numbers; what is set for single models and devices stays. Raises PreviewError."""
    for name, value in params.items():
        if name not in rule.params:
            known = ", ".join(rule.params) or "none"
            raise PreviewError(f"{rule.name} has no parameter {name[:60]!r}; expected some of: {known}")
        if not isfinite(value) or abs(value) > NUMBER_MAX:
            raise PreviewError(f"{name} is {value}; expected a number between -1e9 and 1e9")
    new = {name: Param(name, params.get(name, one.value), one.unit) for name, one in rule.params.items()}
    return replace(rule, params=MappingProxyType(new))


def concerned_by(rule: Rule, rules: Mapping[str, Rule]) -> dict[str, Rule]:
    """The rules whose findings can change with it (itself and those it explains), and all that these depend on."""
    changing = changing_with(rule, rules)
    becomes = {one.group.becomes for one in rules.values() if one.name in changing and one.group is not None}
    inhibitors = {name for one in changing for name in rules[one].inhibited_by}
    needed = (changing | becomes | inhibitors | set(ABSENCE_RULES)) & rules.keys()
    needed |= {part for name in needed for part in rules[name].together}
    return {name: one for name, one in rules.items() if name in needed}


def changing_with(rule: Rule, rules: Mapping[str, Rule]) -> set[str]:
    """The rules whose findings can change when this one does."""
    becomes = rule.group.becomes if rule.group is not None else ""
    own = (rule.name, becomes)
    return {name for name, one in rules.items() if name in own or rule.name in {*one.inhibited_by, *one.together}}


def preview(
    after: Rule,
    rules: Mapping[str, Rule],
    snapshot: Snapshot,
    read: Callable[[Sequence[Asked]], Table],
    span_ms: tuple[int, int],
    limits: Limits,
    monotonic_s: Callable[[], float],
    works: Works = NO_WORKS,
) -> Preview:
    """Compare a rule in force with `after`, its changed version, from span_ms[0] to span_ms[1], with announced work
    and repairs.

    Raises TooLongError, and StoreError when `read` does.
    """
    begun_s, (from_ms, to_ms) = monotonic_s(), span_ms
    before = rules[after.name]
    selected = [one for one in snapshot.devices.values() if one.stage == "live" and _selects(after, one)]
    days = (to_ms - from_ms) / DAY_MS
    chosen = drawn(selected, lambda one: days * 86_400 / _interval_s(one), limits.readings_max)
    table = read([Asked(kind, ids, from_ms, to_ms) for kind in KINDS if (ids := _of_kind(chosen, kind))])
    inventory = only(snapshot, [one.device_id for one in chosen])

    def look(_: int) -> None:
        if monotonic_s() - begun_s > limits.seconds_max:
            raise TooLongError

    changing = changing_with(before, rules)

    def found(of: Mapping[str, Rule]) -> list[Row]:
        findings = backtest(inventory, table, of, works.windows, to_ms, look, works.repairs)
        all_rows = rows_of(findings, of, inventory.devices)
        return [row for row in all_rows if row["rule"] in changing]

    old = concerned_by(before, rules)
    comparison = compare(found(old), found({**old, after.name: after}))
    return Preview(before, after, from_ms, to_ms, len(chosen), len(selected), len(table.device), comparison)


def drawn(devices: Sequence[Device], cost: Callable[[Device], float], most: float) -> list[Device]:
    """As many devices as cost no more than `most`: whole lines and places, drawn by the hash of their names."""
    groups: dict[str, list[Device]] = {}
    for device in devices:
        groups.setdefault(circuit_subject(device) or site_subject(device) or device.device_id, []).append(device)
    found: list[Device] = []
    spent = 0.0
    for _, group in sorted(groups.items(), key=lambda one: hashlib.sha256(one[0].encode()).digest()):
        price = sum(cost(one) for one in group)
        if spent + price <= most or not found:
            spent += price
            found += group
    return sorted(found, key=lambda one: one.device_id)


def _selects(rule: Rule, device: Device) -> bool:
    return device.kind in rule.device_kinds and selects(rule.select, device)


def _interval_s(device: Device) -> float:
    return float(device.interval_s or INTERVAL_S.get(device.kind, 3600))


def _of_kind(devices: Sequence[Device], kind: str) -> list[str]:
    return [one.device_id for one in devices if one.kind == kind]
