"""Findings against the truth: what was found, missed, false, how late, and what was taken for what."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from firmware_sim.moments import parse_time_ms
from tests.detection.limits import EARLY_MS, EXCUSED, limit_of

FOREVER_MS = 2**62
NOTHING = "(nothing)"
WILSON_Z = 1.959964


@dataclass(eq=False)
class Case:
    """A row of the truth; `counted` = it showed for long enough to be found."""

    fault: str
    subject: str
    members: frozenset[str]
    start_ms: int
    end_ms: int
    observable_ms: int | None
    counted: bool
    found: list[Raised] = field(default_factory=list)

    def meets(self, raised: Raised) -> bool:
        """Whether the finding falls into the case's time, the grace after its end included."""
        last_ms = self.end_ms + limit_of(self.fault).grace_ms
        return raised.since_ms <= last_ms and raised.closed_ms >= self.start_ms

    def explains(self, raised: Raised) -> bool:
        """The same, and the finding was not raised before the case began."""
        return self.meets(raised) and raised.opened_ms >= self.start_ms - EARLY_MS


@dataclass(frozen=True)
class Raised:
    """A finding of the backtest: one episode of one rule on one subject."""

    rule: str
    subject: str
    since_ms: int
    opened_ms: int
    closed_ms: int

    def overlaps(self, other: Raised) -> bool:
        """Whether both are open at the same time."""
        return self.since_ms < other.closed_ms and other.since_ms < self.closed_ms


@dataclass
class Tally:
    """Of one fault and the rule of its name. `repeats` are further findings of a case; they are in `false` as well.
    `uncounted` cases showed too shortly; `excused` findings were about such cases or about what no device could help.
    """

    truth: int = 0
    found: int = 0
    false: int = 0
    repeats: int = 0
    uncounted: int = 0
    excused: int = 0
    delays_ms: list[int] = field(default_factory=list)

    @property
    def missed(self) -> int:
        """Cases that could be found and were not."""
        return self.truth - self.found

    def add(self, other: Tally) -> None:
        """Take in another play's tally."""
        for name in ("truth", "found", "false", "repeats", "uncounted", "excused"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.delays_ms += other.delays_ms

    def recall(self) -> tuple[float, float, float]:
        """Share of the cases that were found, with its 95 % interval."""
        return wilson(self.found, self.truth)

    def precision(self) -> tuple[float, float, float]:
        """Share of the findings that were right, with its 95 % interval."""
        return wilson(self.found, self.found + self.false)

    def delay_ms(self, share: float) -> float:
        """The quantile of opened_at - observable_from over what was found; NaN when nothing was."""
        ordered = sorted(self.delays_ms)
        if not ordered:
            return math.nan
        place = share * (len(ordered) - 1)
        low = math.floor(place)
        high = min(low + 1, len(ordered) - 1)
        return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


@dataclass
class Table:
    """One tally for each fault and each rule that fired; `confusion[fault, rule]` counts findings by what they hit.

    `device_days` is over all devices of the plays, for rates.
    """

    tallies: defaultdict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    confusion: Counter[tuple[str, str]] = field(default_factory=Counter)
    device_days: float = 0.0

    def add(self, other: Table) -> None:
        """Take in another play's table."""
        for name, tally in other.tallies.items():
            self.tallies[name].add(tally)
        self.confusion.update(other.confusion)
        self.device_days += other.device_days


def score(
    truth: Iterable[Mapping[str, str]],
    findings: Iterable[Mapping[str, Any]],
    until_ms: int,
    events: Iterable[Mapping[str, str]] = (),
) -> Table:
    """The table of one play that ended at `until_ms`.

    `truth` and `events` have the columns of truth files, `findings` the keys of the backtest; instants are ISO 8601 or
    Unix ms. A finding belongs to a case of the same name and subject in whose time it falls; the first one finds it.
    """
    cases = [_case(row, until_ms) for row in truth]
    by_name: dict[tuple[str, str], list[Case]] = defaultdict(list)
    by_device: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        by_name[case.fault, case.subject].append(case)
        for subject in {case.subject, *case.members}:
            by_device[subject].append(case)
    excuses = [_case(row, until_ms) for row in events if row["fault"] in EXCUSED]
    table = Table()
    raised = sorted((_raised(row) for row in findings), key=lambda finding: (finding.opened_ms, finding.since_ms))
    for finding in raised:
        mine = _case_of(finding, by_name[finding.rule, finding.subject])
        if mine is not None:
            _take(table, mine, finding)
        elif any(excuse.subject == finding.subject and _excuses(excuse, finding) for excuse in excuses):
            table.tallies[finding.rule].excused += 1
        else:
            table.tallies[finding.rule].false += 1
            _confuse(table, finding, by_device[finding.subject])
    for case in cases:
        _count(table.tallies[case.fault], case)
    return table


def wilson(hits: int, total: int) -> tuple[float, float, float]:
    """A share and its 95 % interval after Wilson; all NaN when there is nothing to share."""
    if not total:
        return math.nan, math.nan, math.nan
    share, z2 = hits / total, WILSON_Z**2
    centre = (share + z2 / (2 * total)) / (1 + z2 / total)
    half = WILSON_Z / (1 + z2 / total) * math.sqrt(share * (1 - share) / total + z2 / (4 * total**2))
    return share, max(0.0, centre - half), min(1.0, centre + half)


def _case_of(finding: Raised, cases: Sequence[Case]) -> Case | None:
    """The case a finding belongs to: one that nobody found yet rather than one that is found."""
    mine = sorted(
        (case for case in cases if case.explains(finding)), key=lambda case: (bool(case.found), case.start_ms)
    )
    return mine[0] if mine else None


def _take(table: Table, case: Case, finding: Raised) -> None:
    tally = table.tallies[finding.rule]
    table.confusion[case.fault, finding.rule] += 1
    if not case.counted:
        tally.excused += 1
    elif case.found:
        tally.false += 1
        tally.repeats += not any(finding.overlaps(earlier) for earlier in case.found)
    case.found.append(finding)


def _confuse(table: Table, finding: Raised, cases: Sequence[Case]) -> None:
    hit = {case.fault for case in cases if case.meets(finding)}
    for fault in hit or {NOTHING}:
        table.confusion[fault, finding.rule] += 1


def _excuses(event: Case, finding: Raised) -> bool:
    return finding.rule in EXCUSED[event.fault] and event.explains(finding)


def _count(tally: Tally, case: Case) -> None:
    if not case.counted:
        tally.uncounted += 1
        return
    tally.truth += 1
    if case.found:
        tally.found += 1
        assert case.observable_ms is not None
        tally.delays_ms.append(case.found[0].opened_ms - case.observable_ms)


def _case(row: Mapping[str, str], until_ms: int) -> Case:
    start_ms = parse_time_ms(row["start"])
    end_ms = parse_time_ms(row["end"]) if row["end"] else FOREVER_MS
    observable_ms = parse_time_ms(row["observable_from"]) if row["observable_from"] else None
    least_ms = limit_of(row["fault"]).least_ms
    counted = observable_ms is not None and min(end_ms, until_ms) - observable_ms >= least_ms
    members = frozenset(name for name in row["members"].split(";") if name)
    return Case(row["fault"], row["subject"], members, start_ms, end_ms, observable_ms, counted)


def _raised(row: Mapping[str, Any]) -> Raised:
    opened_ms = parse_time_ms(str(row["opened_at"]))
    since_ms = parse_time_ms(str(row["since"])) if row["since"] is not None else opened_ms
    closed_ms = parse_time_ms(str(row["closed_at"])) if row["closed_at"] is not None else FOREVER_MS
    return Raised(str(row["rule"]), str(row["subject"]), since_ms, opened_ms, max(closed_ms, opened_ms))
