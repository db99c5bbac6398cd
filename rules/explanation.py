"""Why a rule did or did not fire on a device at an instant: what was looked at, with every number, and one sentence.

Plain values; rules/explain.py makes them, pages and programs show them.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any

from core.clock import iso

VERDICTS = (
    "open", "in_line", "inhibited", "waiting", "not_yet", "not_fired", "unknown", "not_judged", "no_sample",
    "in_window", "out_of_service", "not_selected", "set_aside",
)  # fmt: skip
FIRED = frozenset({"open", "in_line"})


@dataclass(frozen=True)
class Named:
    """A name of an expression with what it was: `words` is the value as people write it, None = not known."""

    name: str
    german: str
    value: float | None
    unit: str
    words: str


@dataclass(frozen=True)
class Term:
    """A condition or a part of one: as written, whether it held (true, false or unknown), and with which numbers.

    A comparison has what stood on both sides, `left` and `right`; an `and` or `or` has `parts`.
    """

    text: str
    truth: str
    german: str
    values: tuple[Named, ...] = ()
    parts: tuple[Term, ...] = ()
    operator: str = ""
    left: Named | None = None
    right: Named | None = None


@dataclass(frozen=True)
class Condition:
    """One of a rule's conditions: `key` is what its file calls it (where, when, clear, sooner)."""

    key: str
    german: str
    term: Term


@dataclass(frozen=True)
class Origin:
    """A parameter as it holds for the device, and where it comes from."""

    name: str
    value: float
    unit: str
    origin: str
    words: str


@dataclass(frozen=True)
class Sample:
    """A message that was looked at. `age_s` is how old it was at the instant asked about."""

    t_ms: int
    received_ms: int
    age_s: float
    conditions: tuple[Condition, ...]
    in_window: bool = False


@dataclass(frozen=True)
class Run:
    """How far it had come: bad samples in a row since `since_ms`, beside what is needed; seconds of event time."""

    is_bad: bool
    since_ms: int
    samples: int
    samples_needed: int
    nights: int
    nights_needed: int
    lasted_s: float
    needed_s: float
    changes: int = 0
    changes_needed: int = 0


@dataclass(frozen=True)
class Inhibitor:
    """A rule that explains what this one sees, at that instant."""

    rule: str
    title_de: str


@dataclass(frozen=True)
class Episode:
    """A finding of this rule on the device or on the line it hangs on."""

    subject: str
    since_ms: int
    opened_ms: int
    closed_ms: int | None
    text_de: str


@dataclass(frozen=True)
class Silence:
    """For rules about absence: when it was heard, how many messages are missing, how many may, and why so many.

    Of a line: how many of its members are silent, and how many make it one finding. Of a receiver (`subject`), and of
    all of them: `heard_ms` is when something last came that way.
    """

    heard_ms: int | None
    interval_s: float
    missed: float
    allowed: float | None
    messages: int = 0
    bursts: int = 0
    explained_by: str = ""
    subject: str = ""
    quiet: int | None = None
    members: int | None = None
    quiet_needed: float | None = None


@dataclass(frozen=True)
class Explanation:
    """The answer. `verdict` is one of VERDICTS; `judged` the newest sample that said anything to the rule, where the
    newest of all (`sample`) did not; `window` why work was announced; `past` earlier findings in the time looked at.
    """

    rule: str
    version: str
    title_de: str
    device_id: str
    at_ms: int
    verdict: str
    sentence_de: str
    is_selected: bool
    is_in_service: bool
    window: str | None
    select: str
    params: tuple[Origin, ...]
    sample: Sample | None = None
    judged: Sample | None = None
    run: Run | None = None
    inhibited_by: tuple[Inhibitor, ...] = ()
    open: Episode | None = None
    past: tuple[Episode, ...] = ()
    silence: Silence | None = None
    readings: int = 0
    from_ms: int | None = None

    def as_json(self) -> dict[str, Any]:
        """For programs: instants in ISO 8601, what is not known as null."""
        found: dict[str, Any] = _plain(asdict(self))
        return found


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            (name.removesuffix("_ms") if name.endswith("_ms") else name): (
                iso(one) if name.endswith("_ms") and one is not None else _plain(one)
            )
            for name, one in value.items()
        }
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float):
        return round(value, 6) if isfinite(value) else None
    return value
