"""The tests that stand in rule files, run through the real engine: one device, its series, and when the rule is open.

Beside the device under test there is a witness that speaks at every step, so that silence is the device's own. An
instant is asked a minute later: by then what was measured at it has come in (rules.rows.ALLOWANCE_MS).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.clock import iso
from core.device import Device
from core.inventory import Snapshot
from core.kinds import VALUES, Form
from rules.absence import TICK_MS
from rules.backtest import Found, Table, backtest
from rules.evaluate import TRUE, select_truth
from rules.rows import ALLOWANCE_MS
from rules.spec import LOST, Rule, RuleTest

DEVICE_ID, WITNESS_ID = "device-under-test", "witness"
TOWN = "brandis"
PLACE = (51.33, 12.61)
"""Where a device stands whose test does not say: the sun rises and sets as in Brandis."""
WHOLE_NUMBERS = ("interval_s", "capacity")


@dataclass(frozen=True)
class Failure:
    """An expectation that did not hold; `at_ms` None = the test itself makes no sense."""

    rule: str
    says: str
    file: str
    line: int
    at_ms: int | None
    expected: str
    got: str

    def __str__(self) -> str:
        when = f" at {iso(self.at_ms)}" if self.at_ms is not None else ""
        return f"{self.file}:{self.line}: {self.rule}: {self.says}:{when} expected {self.expected}, got {self.got}"


def run_tests(rules: Iterable[Rule]) -> list[Failure]:
    """What fails of all tests of these rules, in their order."""
    return [failure for rule in rules for test in rule.tests for failure in run_test(rule, test)]


def run_test(rule: Rule, test: RuleTest) -> list[Failure]:
    """What fails of one test. An instant after the end of the series fails: such a test proves nothing."""

    def failure(at_ms: int | None, expected: str, got: str) -> Failure:
        return Failure(rule.name, test.says, rule.source.file, test.line, at_ms, expected, got)

    device = device_of(rule, test)
    attributes = {name: value for name, value in _attributes(device).items() if value is not None}
    if select_truth(rule.select, attributes) != TRUE:
        return [failure(None, "a device that the rule selects", "one that it does not: mend `device` in the test")]
    end_ms = test.start_ms + test.steps * test.step_ms
    found = _found(rule, test, device, end_ms + ALLOWANCE_MS)
    failures = []
    for expect in test.expect:
        expected = "open" if expect.open else "closed"
        if not test.start_ms <= expect.at_ms <= end_ms:
            got = f"series that end at {iso(end_ms)}: lengthen them with _ or !"
            failures.append(failure(expect.at_ms, expected, got))
        elif _is_open(found, expect.at_ms) != expect.open:
            failures.append(failure(expect.at_ms, expected, _story(found, not expect.open)))
    return failures


def device_of(rule: Rule, test: RuleTest) -> Device:
    """The device of a test: its attributes; the kind is that of the rule, the interval that of the series."""
    given: dict[str, Any] = dict(test.device)
    for name in WHOLE_NUMBERS:
        if name in given:
            given[name] = int(given[name])
    reporting = [kind for kind in sorted(rule.device_kinds) if test.series.keys() <= VALUES[kind].keys()]
    base = Device(
        device_id=DEVICE_ID,
        kind=(reporting or sorted(rule.device_kinds))[0],
        town=TOWN,
        lat=PLACE[0],
        lon=PLACE[1],
        interval_s=max(test.step_ms // 1000, 1),
    )
    return replace(base, **given)


def _attributes(device: Device) -> dict[str, Any]:
    return {name: getattr(device, name) for name in Device.__dataclass_fields__}


def _found(rule: Rule, test: RuleTest, device: Device, until_ms: int) -> list[Found]:
    witness = Device(device_id=WITNESS_ID, kind="other", town=device.town)
    snapshot = Snapshot(1, {DEVICE_ID: device, WITNESS_ID: witness}, {}, {})
    found = backtest(snapshot, _table(test, device.kind), {rule.name: rule}, until_ms=until_ms)
    return [one for one in found if one.opening.subject != WITNESS_ID]


def _table(test: RuleTest, kind: str) -> Table:
    """The series as readings, received as they are taken; the witness speaks from the first to the last step."""
    steps = np.arange(test.steps + 1, dtype=np.int64)
    own = np.array([step for step in range(test.steps) if not test.lost(step)], dtype=np.int64)
    # The witness speaks between two ticks, so that each tick knows of it whatever the instants of the series.
    witness_ms = (test.start_ms + steps * test.step_ms) // TICK_MS * TICK_MS + TICK_MS // 2
    t_ms = np.concatenate([witness_ms, test.start_ms + own * test.step_ms])
    device = np.concatenate([np.zeros(len(steps), dtype=np.int32), np.ones(len(own), dtype=np.int32)])
    order = np.argsort(t_ms, kind="stable")
    values: dict[str, NDArray[np.float64]] = {}
    texts: dict[str, tuple[tuple[str, ...], NDArray[np.int32]]] = {}
    for name, series in test.series.items():
        told = [None] * len(steps) + [series[step] for step in own.tolist()]
        if VALUES[kind][name].form is Form.TEXT:
            words = tuple(sorted({word for word in told if isinstance(word, str) and word != LOST}))
            codes = [words.index(word) if isinstance(word, str) else -1 for word in told]
            texts[name] = words, np.array(codes, dtype=np.int32)[order]
        else:
            numbers = [value if isinstance(value, float) else np.nan for value in told]
            values[name] = np.array(numbers, dtype=np.float64)[order]
    return Table((WITNESS_ID, DEVICE_ID), device[order], t_ms[order], t_ms[order], values, texts)


def _is_open(found: Iterable[Found], at_ms: int) -> bool:
    asked_ms = at_ms + ALLOWANCE_MS
    return any(
        one.opening.opened_ms <= asked_ms and (one.closed_ms is None or asked_ms < one.closed_ms) for one in found
    )


def _story(found: list[Found], is_open: bool) -> str:
    """Open or closed, and what the rule did instead."""
    spans = [
        f"{iso(one.opening.opened_ms)} – {'the end' if one.closed_ms is None else iso(one.closed_ms)}" for one in found
    ]
    return f"{'open' if is_open else 'closed'} (it was open {', '.join(spans) or 'never'})"
