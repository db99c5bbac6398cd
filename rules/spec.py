"""What a rule is once its file has been read: everything checked, nothing left to look up.

The hash names a rule's content: the same for the same meaning, whatever the order of keys, the white space and the
comments, and whatever its tests. rules/load.py makes rules; nobody else should.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import date
from functools import cached_property
from typing import Any, Final, NamedTuple

from core.device import Device
from rules.expression import Node, Not
from rules.spans import NO_TIME, Span

HASH_CHARS_SHOWN = 12
LOST: Final = "!"
"""In a series of a test: the message of this step never came."""

# What overrides what: a later one wins.
OVERRIDE_ORDER = ("model", "town", "cabinet", "circuit", "device")
MISSING = ("keep", "unknown", "raise", "clear")
GROUPS = ("circuit", "phase", "cabinet", "site")
KINDS_OF_RULES = ("state", "count", "frozen", "schedule", "absence", "group", "event")
GAP, LATE = Span(26 * 3_600), Span(6 * 3_600)


@dataclass(frozen=True)
class Param:
    """A named number of a rule; the unit is that of its suffix."""

    name: str
    value: float
    unit: str


class Resolved(NamedTuple):
    """A param as it holds for one device, and where it comes from: `rule`, or e.g. `model LED-40 (R. Vogt)`."""

    value: float
    origin: str


@dataclass(frozen=True)
class Override:
    """Other params for one model, town, cabinet, circuit or device. It holds up to and including the day `until`."""

    by: str
    of: str
    params: Mapping[str, float]
    author: str
    reason: str
    until: date | None = None

    @property
    def origin(self) -> str:
        """Where a param comes from, for an explanation."""
        return f"{self.by} {self.of} ({self.author})"

    def holds(self, device: Device, today: date) -> bool:
        """Whether it is meant for this device, and still is."""
        own = device.device_id if self.by == "device" else getattr(device, self.by)
        return own == self.of and (self.until is None or today <= self.until)


@dataclass(frozen=True)
class Sooner:
    """A second, quicker way to open."""

    when: Node
    lasts: Span
    min_samples: int = 1


@dataclass(frozen=True)
class Group:
    """Many at once on one circuit, phase, cabinet or site: at least `least` of them, and this share of all.

    `becomes` names the rule under which they are told together, when it is another one: many lamps that go dark at once
    were not switched on. '' = the same. `alone` = whether it is told of fewer devices too, of each by itself.
    """

    by: str
    least: int
    share: float
    becomes: str = ""
    alone: bool = True


@dataclass(frozen=True)
class Expect:
    """What a test expects at an instant; `on` is the subject that is meant, '' = any."""

    at_ms: int
    open: bool
    on: str = ""


@dataclass(frozen=True)
class DeviceSeries:
    """`count` devices of a test that are alike, and what each of them reported.

    `series` names a value and what was reported at each step: a number, a text, None = not reported, LOST = the whole
    message of this step never came.
    """

    attributes: Mapping[str, str | float]
    series: Mapping[str, tuple[float | str | None, ...]]
    count: int = 1

    @property
    def steps(self) -> int:
        """How many steps it has."""
        return max((len(each) for each in self.series.values()), default=0)

    def lost(self, step: int) -> bool:
        """Whether the message of a step never came."""
        return any(each[step] == LOST for each in self.series.values())


@dataclass(frozen=True)
class RuleTest:
    """Readings of devices and when the rule must be open. All series have the same length; step k is at `start_ms` +
    k · `step_ms`. With `has_witness` somebody else is heard at every step.
    """

    says: str
    devices: tuple[DeviceSeries, ...]
    start_ms: int
    step_ms: int
    expect: tuple[Expect, ...]
    line: int = 0
    has_witness: bool = True

    @property
    def steps(self) -> int:
        """How many steps it has."""
        return max((one.steps for one in self.devices), default=0)


@dataclass(frozen=True)
class Source:
    """Where a rule was written."""

    file: str
    line: int


@dataclass(frozen=True)
class Rule:
    """One rule. `lasts` is what its file calls `for`, `lasts_clear` is `clear_for`; what a kind has no use for keeps
    its default. `together` names the rules that are this one where they show on one line at once. `inhibited_by` may
    name a rule that was left out because it is broken.
    """

    name: str
    kind: str
    title_de: str
    select: Node
    device_kinds: frozenset[str]
    where: Node | None = None
    when: Node | None = None
    clear: Node | None = None
    lasts: Span = NO_TIME
    min_samples: int = 1
    nights: int = 1
    sooner: Sooner | None = None
    lasts_clear: Span = NO_TIME
    clear_samples: int = 1
    hold: Span = NO_TIME
    max_gap: Span = GAP
    missing: str = "keep"
    params: Mapping[str, Param] = field(default_factory=dict)
    inhibited_by: tuple[str, ...] = ()
    group: Group | None = None
    late: Span = LATE
    priority: str = "normal"
    talq: str = ""
    status: str = "ok"
    sentence_de: str = ""
    count: int = 0
    within: Span = NO_TIME
    values: tuple[str, ...] = ()
    value: Node | None = None
    after: Span = NO_TIME
    event: str = ""
    together: tuple[str, ...] = ()
    overrides: tuple[Override, ...] = ()
    tests: tuple[RuleTest, ...] = field(default=(), compare=False)
    source: Source = field(default=Source("", 0), compare=False)

    @cached_property
    def hash(self) -> str:
        """64 hex digits; the content without tests and without where it stands."""
        return hashlib.sha256(json.dumps(_plain(self), sort_keys=True).encode()).hexdigest()

    @property
    def version(self) -> str:
        """The hash as people see it."""
        return self.hash[:HASH_CHARS_SHOWN]

    @cached_property
    def clears(self) -> Node | None:
        """When it closes: `clear`, or the contrary of `when`."""
        if self.clear is not None or self.when is None:
            return self.clear
        return Not(self.when, self.when.column)

    def resolved(self, device: Device, today: date) -> dict[str, Resolved]:
        """The params as they hold for one device on this day: rule < model < town < cabinet < circuit < device.

        Of two that are meant for the same the later one in the file wins.
        """
        found = {name: Resolved(param.value, "rule") for name, param in self.params.items()}
        for by in OVERRIDE_ORDER:
            for override in self.overrides:
                if override.by == by and override.holds(device, today):
                    found |= {name: Resolved(value, override.origin) for name, value in override.params.items()}
        return found


_NOT_CONTENT = {"tests", "source", "device_kinds", "column", "line"}


def _plain(value: Any) -> Any:
    """The content as JSON can write it: node types by name, no columns, and nothing that is as if it were not there,
    so that a field which rules get later changes no hash of today.
    """
    if is_dataclass(value):
        said = [
            row for row in fields(value) if row.name not in _NOT_CONTENT and getattr(value, row.name) != row.default
        ]
        return {"": type(value).__name__, **{row.name: _plain(getattr(value, row.name)) for row in said}}
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    return value.isoformat() if isinstance(value, date) else value
