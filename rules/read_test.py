"""Reading the tests of a rule: series of readings as text, and when the rule must be open.

power_w = "40x6 _ 0.5x3 !"     six times 40, once not reported, three times 0.5, one message lost
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from core.kinds import VALUES, Form, Value
from rules.fields import Fields, shown
from rules.spans import NO_TIME, Span
from rules.spec import LOST, Expect, RuleTest
from rules.vocabulary import ATTRIBUTES, nearest

STEPS_MAX = 20_000
MS_PER_S = 1_000
KEYS = ("says", "device", "start", "step", "series", "expect")
NOTATION = "write values with blanks between, e.g. 40x6 _ 0.5x3 ! (x6 = six times, _ = not reported, ! = message lost)"

_STEP = re.compile(r"(?P<value>!|_|-?[0-9]+(?:\.[0-9]+)?|[a-z][a-z_]*?)(?:x(?P<times>[0-9]{1,6}))?", re.ASCII)

Steps = tuple[float | str | None, ...]


def read_test(fields: Fields, kinds: frozenset[str]) -> RuleTest:
    """One test; what is wrong with it is told through `fields`."""
    fields.only(KEYS)
    fields.need(("says", "start", "step", "series", "expect"), "a test says, starts, steps, has series and expects")
    start_ms = _instant(fields, "start")
    step_ms = round(_step(fields).seconds * MS_PER_S)
    series = _series(fields, kinds)
    test = RuleTest(fields.text("says"), _device(fields), start_ms, step_ms, series, (), _line(fields))
    expect = tuple(_expect(one, test) for one in fields.inners("expect"))
    if "expect" in fields.table and not expect:
        fields.wrong("expect", "the test expects nothing", "write [{ at = 2026-01-10T19:45:00Z, open = false }]")
    return RuleTest(test.says, test.device, start_ms, step_ms, series, expect, test.line)


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


def _device(fields: Fields) -> dict[str, str | float]:
    inner = fields.inner("device")
    if inner is None:
        return {}
    inner.only(ATTRIBUTES)
    known = {name: ATTRIBUTES[name] for name in inner.table if name in ATTRIBUTES}
    return {name: inner.number(name, 0) if row.number else inner.text(name) for name, row in known.items()}


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
    fields.only(("at", "open"))
    fields.need(("at", "open"), "write { at = 2026-01-10T19:45:00Z, open = false }")
    at_ms, is_open = _instant(fields, "at"), fields.table.get("open", False)
    if not isinstance(is_open, bool):
        fields.wrong("open", f"open is {shown(is_open)}", "write true or false")
    end_ms = test.start_ms + test.steps * test.step_ms
    if at_ms and test.steps and not test.start_ms <= at_ms <= end_ms:
        fix = "a test that ends before it looks proves nothing: lengthen the series with _ or !, or look earlier"
        fields.wrong("at", "this instant lies outside of the series", fix)
    return Expect(at_ms, _flag(is_open))


def _flag(value: Any) -> bool:
    return value is True
