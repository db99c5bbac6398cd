"""Tables of scores as Markdown, and their place in a page."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

from tests.detection.limits import LIMITS
from tests.detection.score import NOTHING, Table, Tally

COLUMNS = (
    "fault", "truth", "found", "missed", "false", "repeats", "precision (95 %)", "recall (95 %)", "median delay",
    "target", "p95 delay", "not counted",
)  # fmt: skip
BEGIN, END = "<!-- detection: begin -->", "<!-- detection: end -->"
DAYS_PER_YEAR = 365.25


def scores_table(table: Table, targets_ms: Mapping[str, float] = MappingProxyType({})) -> str:
    """One line for each fault of the catalogue that occurred, then for each other rule that fired.

    `targets_ms` {rule: what its median delay may be}, for the rules that say so.
    """
    names = [name for name in LIMITS if name in table.tallies]
    names += sorted(set(table.tallies) - set(names))
    lines = ["| " + " | ".join(COLUMNS) + " |", "|---|" + "--:|" * (len(COLUMNS) - 1)]
    return "\n".join([*lines, *(_line(name, table.tallies[name], targets_ms.get(name)) for name in names)])


def confusion_table(table: Table) -> str:
    """What fired (columns) on whose subject or members (lines), in findings; `(nothing)` = nothing was wrong there."""
    faults = [*(name for name in LIMITS if any(fault == name for fault, _ in table.confusion)), NOTHING]
    rules = sorted({rule for _, rule in table.confusion})
    if not rules:
        return "No rule fired."
    lines = ["| fault \\ rule | " + " | ".join(rules) + " |", "|---|" + "--:|" * len(rules)]
    for fault in faults:
        cells = (str(table.confusion[fault, rule] or "·") for rule in rules)
        lines.append(f"| {fault} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def false_silence_line(table: Table) -> str:
    """False findings of silence for a thousand devices and a year."""
    false = table.tallies["silent"].false if "silent" in table.tallies else 0
    if not table.device_days:
        return "No devices were watched."
    rate = false / table.device_days * DAYS_PER_YEAR * 1000
    years = table.device_days / DAYS_PER_YEAR
    return f"False silence: {false} in {years:.0f} device years = {rate:.2f} per 1,000 devices and year."


def replaced(page: str, tables: str) -> str:
    """The page with new tables between its markers; a ValueError when it has none."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page has no markers; expected {BEGIN} … {END}")
    return f"{before}{BEGIN}\n\n{tables.strip()}\n\n{END}{after}"


def shown_delay(delay_ms: float) -> str:
    """Minutes, hours or days, as it fits."""
    if math.isnan(delay_ms):
        return "–"
    minutes = delay_ms / 60_000
    if abs(minutes) < 120:
        return f"{minutes:.0f} min"
    return f"{minutes / 60:.1f} h" if abs(minutes) < 2880 else f"{minutes / 1440:.1f} d"


def _line(name: str, tally: Tally, target_ms: float | None) -> str:
    cells = [
        name, str(tally.truth), str(tally.found), str(tally.missed), str(tally.false), str(tally.repeats),
        _share(tally.precision()), _share(tally.recall()), shown_delay(tally.delay_ms(0.5)),
        "–" if target_ms is None else shown_delay(target_ms), shown_delay(tally.delay_ms(0.95)), str(tally.uncounted),
    ]  # fmt: skip
    return "| " + " | ".join(cells) + " |"


def _share(share: tuple[float, float, float]) -> str:
    middle, low, high = share
    return "–" if math.isnan(middle) else f"{middle:.3f} ({low:.3f}–{high:.3f})"
