"""The tests that stand in rule files, run through the real engine: devices, their series, and when the rule is open.

Beside a single device under test there is a witness that speaks at every step, so that silence is the device's own. An
instant is asked a minute later: by then what was measured at it has come in (rules.rows.ALLOWANCE_MS).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
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
from rules.topology import cabinet_subject, circuit_subject, phase_subject, site_subject

WITNESS_ID = "witness"
SUBJECTS = (phase_subject, circuit_subject, cabinet_subject, site_subject)
TOWN = "brandis"
PLACE = (51.33, 12.61)
"""Where a device stands whose test does not say: the sun rises and sets as in Brandis."""
WHOLE_NUMBERS = ("interval_s", "capacity")
TEXTS = {name for values in VALUES.values() for name, value in values.items() if value.form is Form.TEXT}


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
    known = {rule.name: rule for rule in rules}
    return [failure for rule in known.values() for test in rule.tests for failure in run_test(rule, test, known)]


def run_test(rule: Rule, test: RuleTest, rules: Mapping[str, Rule] = MappingProxyType({})) -> list[Failure]:
    """What fails of one test. An instant after the end of the series fails: such a test proves nothing.

    Of the other `rules` those are at work that the rule sees together.
    """

    def failure(at_ms: int | None, expected: str, got: str) -> Failure:
        return Failure(rule.name, test.says, rule.source.file, test.line, at_ms, expected, got)

    devices = devices_of(rule, test)
    if not any(_is_selected(rule, one) for one in devices):
        return [failure(None, "a device that the rule selects", "one that it does not: mend the devices of the test")]
    end_ms = test.start_ms + test.steps * test.step_ms
    parts = {name: rules[name] for name in rule.together if name in rules}
    found = _found(rule, parts, test, devices, end_ms + ALLOWANCE_MS)
    failures, subjects = [], _subjects(test, devices)
    for expect in test.expect:
        meant = [one for one in found if expect.on in ("", one.opening.subject)]
        expected = f"{'open' if expect.open else 'closed'}{f' on {expect.on}' if expect.on else ''}"
        if expect.on and expect.on not in subjects:
            failures.append(failure(expect.at_ms, f"on to be one of {', '.join(subjects)}", expect.on))
        elif not test.start_ms <= expect.at_ms <= end_ms:
            got = f"series that end at {iso(end_ms)}: lengthen them with _ or !"
            failures.append(failure(expect.at_ms, expected, got))
        elif _is_open(meant, expect.at_ms) != expect.open:
            failures.append(failure(expect.at_ms, expected, _story(meant, not expect.open)))
    return failures


def devices_of(rule: Rule, test: RuleTest) -> list[Device]:
    """The devices of a test with their attributes; the kind is one that the rule is about and that reports what the
    series name, the interval is that of the series.
    """
    found: list[Device] = []
    for some in test.devices:
        given: dict[str, Any] = dict(some.attributes)
        for name in WHOLE_NUMBERS:
            if name in given:
                given[name] = int(given[name])
        reporting = [kind for kind in sorted(rule.device_kinds) if some.series.keys() <= VALUES[kind].keys()]
        base = Device(
            device_id="",
            kind=(reporting or sorted(rule.device_kinds))[0],
            town=TOWN,
            lat=PLACE[0],
            lon=PLACE[1],
            interval_s=max(test.step_ms // 1000, 1),
        )
        found += [replace(base, **given, device_id=f"device-{len(found) + each + 1}") for each in range(some.count)]
    return found


def _is_selected(rule: Rule, device: Device) -> bool:
    attributes = {name: getattr(device, name) for name in Device.__dataclass_fields__}
    return select_truth(rule.select, {name: value for name, value in attributes.items() if value is not None}) == TRUE


def _subjects(test: RuleTest, devices: list[Device]) -> list[str]:
    """What a finding of this test can be about: its devices, their lines and receivers, and the platform."""
    lines = {subject(one) for subject in SUBJECTS for one in devices}
    told = {word for some in test.devices for word in some.series.get("gateway", ()) if isinstance(word, str)}
    receivers = {f"gateway:{word}" for word in told - {LOST}}
    return [*(one.device_id for one in devices), *sorted(lines - {""}), *sorted(receivers), "platform"]


def _found(rule: Rule, parts: Mapping[str, Rule], test: RuleTest, devices: list[Device], until_ms: int) -> list[Found]:
    witness = Device(device_id=WITNESS_ID, kind="other", town=devices[0].town)
    known = {one.device_id: one for one in [*devices, *([witness] if test.has_witness else [])]}
    found = backtest(Snapshot(1, known, {}, {}), _table(test, devices), {**parts, rule.name: rule}, until_ms=until_ms)
    return [one for one in found if one.opening.rule == rule.name and one.opening.subject != WITNESS_ID]


def _table(test: RuleTest, devices: list[Device]) -> Table:
    """The series as readings, received as they are taken; the witness speaks from the first to the last step."""
    said: list[tuple[int, int, Mapping[str, float | str | None]]] = []
    if test.has_witness:
        # The witness speaks between two ticks, so that each tick knows of it whatever the instants of the series.
        times_ms = [(test.start_ms + step * test.step_ms) // TICK_MS * TICK_MS for step in range(test.steps + 1)]
        said += [(at_ms + TICK_MS // 2, len(devices), {}) for at_ms in times_ms]
    number = 0
    for some in test.devices:
        told = [step for step in range(some.steps) if not some.lost(step)]
        for each in range(number, number + some.count):
            said += [
                (test.start_ms + step * test.step_ms, each, {name: one[step] for name, one in some.series.items()})
                for step in told
            ]
        number += some.count
    said.sort(key=lambda one: one[:2])
    t_ms = np.array([one[0] for one in said], dtype=np.int64)
    device = np.array([one[1] for one in said], dtype=np.int32)
    columns = {name: [one[2].get(name) for one in said] for some in test.devices for name in some.series}
    ids = (*(one.device_id for one in devices), WITNESS_ID)
    texts = {name: _words(column) for name, column in columns.items() if name in TEXTS}
    values = {name: _numbers(column) for name, column in columns.items() if name not in TEXTS}
    return Table(ids, device, t_ms, t_ms, values, texts)


def _numbers(column: Sequence[float | str | None]) -> NDArray[np.float64]:
    return np.array([one if isinstance(one, float) else np.nan for one in column], dtype=np.float64)


def _words(column: Sequence[float | str | None]) -> tuple[tuple[str, ...], NDArray[np.int32]]:
    words = tuple(sorted({one for one in column if isinstance(one, str)}))
    return words, np.array([words.index(one) if isinstance(one, str) else -1 for one in column], dtype=np.int32)


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
