"""A curve of one value as SVG that the server makes: axes, gaps as gaps, words for who does not see it.

The drawing stretches to any width; its labels stand beside it as text, so they stay readable on a phone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from math import ceil, floor, log10

from api.pages.vocabulary import value_name, value_words
from core.clock import MS_PER_S
from core.german import WEEKDAYS, local, moment, number
from core.kinds import Form, find_value
from ingest.store import StoredReading

WIDTH, HEIGHT = 1000, 300
HOUR_MS = 3_600_000
GAP_INTERVALS = 3
TABLE_ROWS_MAX = 100
ZERO_SHARE = 0.6
"""Below this share of the largest value the smallest pulls the axis down to zero."""


@dataclass(frozen=True)
class Span:
    """What the horizontal axis covers. `labels` stand at equal distances, `between` them or on their lines."""

    from_ms: int
    to_ms: int
    labels: tuple[str, ...]
    between: bool = False


@dataclass(frozen=True)
class Limit:
    """A level to compare with: `name` is what it means."""

    name: str
    value: float


@dataclass(frozen=True)
class Plot:
    """A drawing of WIDTH × HEIGHT. `line` joins readings, `dots` are those alone between gaps."""

    title: str
    description: str
    unit: str
    y_labels: tuple[str, ...]
    y_lines: tuple[int, ...]
    x_labels: tuple[str, ...]
    x_lines: tuple[int, ...]
    between: bool
    line: str
    dots: str
    limits: tuple[tuple[int, str], ...]
    marks: tuple[int, ...]
    rows: tuple[tuple[int, str], ...]
    count: int


def day_span(now_ms: int) -> Span:
    """The last 24 hours, up to the next full hour."""
    return hours_span((now_ms // HOUR_MS + 1) * HOUR_MS, 24)


def hours_span(to_ms: int, hours: int) -> Span:
    """So many hours before `to_ms`, with a label each quarter of them."""
    from_ms = to_ms - hours * HOUR_MS
    step = hours * HOUR_MS // 4
    return Span(from_ms, to_ms, tuple(f"{local(from_ms + at * step):%H:%M}" for at in range(5)))


def week_span(now_ms: int) -> Span:
    """The last seven days, up to the next midnight in the towns."""
    end = local(now_ms).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    days = [end - timedelta(days=back) for back in range(7, 0, -1)]
    labels = tuple(f"{WEEKDAYS[day.weekday()]} {day:%d.}" for day in days)
    return Span(int(days[0].timestamp() * MS_PER_S), int(end.timestamp() * MS_PER_S), labels, between=True)


def plot_of(
    readings: Sequence[StoredReading],
    kind: str,
    name: str,
    span: Span,
    interval_s: int,
    limits: Sequence[Limit] = (),
    marks: Sequence[int] = (),
) -> Plot:
    """The curve of `name` in these readings (in the order of their time); missing values are gaps, never zero."""
    points = [(one.t_ms, float(one.values[name])) for one in readings if _is_number(one.values.get(name))]
    known = find_value(kind, name)
    is_flag = known is not None and known.form is Form.FLAG
    ticks = (0.0, 1.0) if is_flag else nice_ticks([value for _, value in points] + [one.value for one in limits])
    line, dots = _paths(points, span, ticks, interval_s * GAP_INTERVALS * MS_PER_S, is_flag)
    columns = len(span.labels) - (0 if span.between else 1)
    return Plot(
        title=value_name(kind, name),
        description=_description(points, kind, name, span),
        unit=known.unit if known is not None and not is_flag else "",
        y_labels=("ja", "nein") if is_flag else tuple(number(tick) for tick in reversed(ticks)),
        y_lines=tuple(_y(tick, ticks) for tick in ticks),
        x_labels=span.labels,
        x_lines=tuple(round(at * WIDTH / columns) for at in range(columns + 1)),
        between=span.between,
        line=line,
        dots=dots,
        limits=tuple((_y(one.value, ticks), f"{one.name}: {value_words(kind, name, one.value)}") for one in limits),
        marks=tuple(_x(ms, span) for ms in marks if span.from_ms <= ms <= span.to_ms),
        rows=tuple((t_ms, value_words(kind, name, value)) for t_ms, value in reversed(points[-TABLE_ROWS_MAX:])),
        count=len(points),
    )


def nice_ticks(values: Sequence[float], steps: int = 4) -> tuple[float, ...]:
    """Round numbers at equal distances that reach from below the smallest value to above the largest one."""
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    if 0 < low < high * ZERO_SHARE or low == high:
        low, high = min(low, 0.0), max(high, 0.0)
    high = high if high > low else low + 1.0
    width = (high - low) / steps
    power = 10.0 ** floor(log10(width))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= width * 0.999)
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    return tuple(round(at * step, 9) for at in range(first, max(last, first + 1) + 1))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)


def _x(t_ms: int, span: Span) -> int:
    return round((t_ms - span.from_ms) / (span.to_ms - span.from_ms) * WIDTH)


def _y(value: float, ticks: Sequence[float]) -> int:
    return round(HEIGHT - (value - ticks[0]) / (ticks[-1] - ticks[0]) * HEIGHT)


def _paths(
    points: Sequence[tuple[int, float]], span: Span, ticks: Sequence[float], gap_ms: float, is_step: bool
) -> tuple[str, str]:
    """The joined readings, and the dots of those that stand alone."""
    runs: list[list[tuple[int, float]]] = []
    for point in points:
        if runs and point[0] - runs[-1][-1][0] <= gap_ms:
            runs[-1].append(point)
        else:
            runs.append([point])
    line, dots = [], []
    for run in runs:
        places = [(_x(t_ms, span), _y(value, ticks)) for t_ms, value in run]
        if len(run) == 1:
            dots.append(f"M{places[0][0]} {places[0][1]}h0")
            continue
        first, *rest = places
        line.append(f"M{first[0]} {first[1]}")
        line.extend(f"H{x}V{y}" if is_step else f"L{x} {y}" for x, y in rest)
    return "".join(line), "".join(dots)


def _description(points: Sequence[tuple[int, float]], kind: str, name: str, span: Span) -> str:
    until = f"{moment(span.from_ms, span.to_ms)} bis {moment(span.to_ms, span.to_ms)}"
    if not points:
        return f"{until}: keine Messwerte."
    values = [value for _, value in points]
    low, high, last = (value_words(kind, name, one) for one in (min(values), max(values), values[-1]))
    return f"{until}: {number(len(points))} Messwerte, zwischen {low} und {high}, zuletzt {last}."
