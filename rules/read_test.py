"""Reading the tests of a rule: series of readings as text, and when the rule must be open.

    power_w = "40x6 _ 0.5x3 !"     six times 40, once not reported, three times 0.5, one message lost
    event = "test heartbeatx3"     words, where a value is one

A test has one `device` and its `series`, beside which somebody else is always heard; or `devices`, who are alone:

    devices = [
      { count = 6, cabinet = "C1", circuit = "A", series = { power_w = "40x8 !x4" } },
      { count = 3, cabinet = "C1", circuit = "B", series = { power_w = "40x12" } },
    ]
    expect = [ { at = 2026-01-10T20:45:00Z, open = true, on = "circuit:C1/A" } ]
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime
from typing import Any

from core.kinds import VALUES, Form, Value
from rules.fields import Fields, shown
from rules.spans import NO_TIME, Span
from rules.spec import LOST, DeviceSeries, Expect, RuleTest
from rules.vocabulary import ATTRIBUTES, nearest

STEPS_MAX = 20_000
MS_PER_S = 1_000
DEVICES_MAX = 200
KEYS = ("says", "device", "devices", "start", "step", "series", "expect")
NOTATION = "write values with blanks between, e.g. 40x6 _ 0.5x3 ! (x6 = six times, _ = not reported, ! = message lost)"

_STEP = re.compile(r"(?P<value>!|_|-?[0-9]+(?:\.[0-9]+)?|[a-z][a-z_]*?)(?:x(?P<times>[0-9]{1,6}))?", re.ASCII)

Steps = tuple[float | str | None, ...]


def read_test(fields: Fields, kinds: frozenset[str]) -> RuleTest:
    """One test; what is wrong with it is told through `fields`."""
    fields.only(KEYS)
    needed = ("says", "start", "step", "expect", *(() if "devices" in fields.table else ("series",)))
    fields.need(needed, "a test says, starts, steps, has series (or devices, each with its own) and expects")
    start_ms = _instant(fields, "start")
    step_ms = round(_step(fields).seconds * MS_PER_S)
    devices, is_alone = _devices(fields, kinds), "devices" in fields.table
    test = RuleTest(fields.text("says"), devices, start_ms, step_ms, (), _line(fields), not is_alone)
    expect = tuple(_expect(one, test) for one in fields.inners("expect"))
    if "expect" in fields.table and not expect:
        fields.wrong("expect", "the test expects nothing", "write [{ at = 2026-01-10T19:45:00Z, open = false }]")
    return replace(test, expect=expect)


def _line(fields: Fields) -> int:
    return fields.sheet.located.key(fields.path).line


def _instant(fields: Fields, key: str) -> int:
    found = fields.table.get(key)
    if isinstance(found, datetime) and found.tzinfo is not None:
        return round(found.timestamp() * MS_PER_S)
    if found is not None:
        fix = "write an instant with its zone and without quotes, e.g. 2026-01-10T18:00:00Z"
        fields.wrong(key, f"{key} is {found if isinstance(found, datetime) else shown(found)}", fix)
    return 0


def _step(fields: Fields) -> Span:
    span = fields.span("step", NO_TIME)
    if "step" in fields.table and (not span.fixed or not span.seconds):
        fields.wrong("step", "the step is no fixed time", 'write e.g. step = "15m"')
    return span


def _devices(fields: Fields, kinds: frozenset[str]) -> tuple[DeviceSeries, ...]:
    """The one device, or the several."""
    if "devices" not in fields.table:
        inner = fields.inner("device")
        if inner is not None:
            inner.only(ATTRIBUTES)
        return (DeviceSeries({} if inner is None else _attributes(inner), _series(fields, kinds)),)
    for key in {"device", "series"} & fields.table.keys():
        fields.wrong(key, f"{key} stands beside devices", "write it within devices")
    found = [_some_devices(one, kinds) for one in fields.inners("devices")]
    if not found:
        fields.wrong("devices", "there is no device", 'write e.g. [{ count = 3, series = { power_w = "40x4" } }]')
    if sum(one.count for one in found) > DEVICES_MAX:
        fields.wrong("devices", f"more than {DEVICES_MAX} devices", "fewer show the same")
    if len({one.steps for one in found if one.steps}) > 1:
        lengths = ", ".join(str(one.steps) for one in found)
        fields.wrong("devices", f"series of different lengths: {lengths}", "fill the shorter ones with _ or !")
        return ()
    return tuple(found)


def _some_devices(fields: Fields, kinds: frozenset[str]) -> DeviceSeries:
    fields.only((*ATTRIBUTES, "count", "series"))
    fields.need(("series",), 'what they report, e.g. series = { power_w = "40x4 !x8" }')
    return DeviceSeries(_attributes(fields), _series(fields, kinds), fields.whole("count", 1, 1, DEVICES_MAX))


def _attributes(fields: Fields) -> dict[str, str | float]:
    known = {name: ATTRIBUTES[name] for name in fields.table if name in ATTRIBUTES}
    return {name: fields.number(name, 0) if row.number else fields.text(name) for name, row in known.items()}


def _series(fields: Fields, kinds: frozenset[str]) -> dict[str, Steps]:
    inner = fields.inner("series")
    if inner is None:
        return {}
    values = {value.name: value for kind in sorted(kinds) for value in VALUES[kind].values()}
    found: dict[str, Steps] = {}
    for name in inner.table:
        if name in values:
            found[name] = _steps(inner, values[name])
        else:
            inner.wrong(name, f"devices of this rule report no {name}", nearest(name, values))
    if len({len(each) for each in found.values()}) > 1:
        lengths = ", ".join(f"{name} {len(each)}" for name, each in found.items())
        fields.wrong("series", f"series of different lengths: {lengths}", "fill the shorter ones with _")
        return {}
    if not inner.table:
        fields.wrong("series", "there is no series", f"name a value; {NOTATION}")
    return found


def _steps(fields: Fields, value: Value) -> Steps:
    steps: list[float | str | None] = []
    for word in fields.text(value.name).split():
        match = _STEP.fullmatch(word)
        times = int(match["times"] or 1) if match else 0
        if match is None or not 1 <= times <= STEPS_MAX - len(steps):
            fields.wrong(
                value.name, f"{value.name}: '{word[:40]}' is no step", f"at most {STEPS_MAX} steps; {NOTATION}"
            )
            return ()
        one = _one(match["value"], value)
        if isinstance(one, str) and one != LOST and value.form is not Form.TEXT:
            fields.wrong(value.name, f"{value.name}: '{word[:40]}' is no number", NOTATION)
            return ()
        steps += [one] * times
    return tuple(steps)


def _one(word: str, value: Value) -> float | str | None:
    if word == "_":
        return None
    if word == LOST or value.form is Form.TEXT or word[0].isalpha():
        return word
    return float(word)


def _expect(fields: Fields, test: RuleTest) -> Expect:
    fields.only(("at", "open", "on"))
    fields.need(("at", "open"), "write { at = 2026-01-10T19:45:00Z, open = false }")
    at_ms, is_open = _instant(fields, "at"), fields.table.get("open", False)
    if not isinstance(is_open, bool):
        fields.wrong("open", f"open is {shown(is_open)}", "write true or false")
    end_ms = test.start_ms + test.steps * test.step_ms
    if at_ms and test.steps and not test.start_ms <= at_ms <= end_ms:
        fix = "a test that ends before it looks proves nothing: lengthen the series with _ or !, or look earlier"
        fields.wrong("at", "this instant lies outside of the series", fix)
    return Expect(at_ms, _flag(is_open), fields.text("on"))


def _flag(value: Any) -> bool:
    return value is True
