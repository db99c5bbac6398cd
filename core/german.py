"""Numbers, ages and dates as people of the towns read them. Times are Unix ms; shown is the time in Europe/Berlin."""

from __future__ import annotations

from datetime import UTC, datetime
from math import isfinite
from zoneinfo import ZoneInfo

from core.clock import MS_PER_S

BERLIN = ZoneInfo("Europe/Berlin")
WEEKDAYS = ("Mo", "Di", "Mi", "Do", "Fr", "Sa", "So")
JUST_NOW_S = 5
AHEAD_S_MAX = 120
"""A device whose clock runs ahead by this much has still spoken just now."""

_UNITS = (
    # up to how many seconds, seconds of one, one, many (dative: "seit …", "vor …"), short
    (60, 1, "einer Sekunde", "Sekunden", "s"),
    (3_600, 60, "einer Minute", "Minuten", "min"),
    (48 * 3_600, 3_600, "einer Stunde", "Stunden", "Std."),
    (60 * 86_400, 86_400, "einem Tag", "Tagen", "Tg."),
    (730 * 86_400, 30 * 86_400, "einem Monat", "Monaten", "Mon."),
    (float("inf"), 365 * 86_400, "einem Jahr", "Jahren", "J."),
)


def local(ms: int) -> datetime:
    """The instant on a clock in the towns."""
    return datetime.fromtimestamp(ms / MS_PER_S, UTC).astimezone(BERLIN)


def number(value: float, digits: int | None = None) -> str:
    """A number with decimal comma and points between thousands; `digits` None = as many as it needs, at most two."""
    if not isfinite(value):
        return "unbekannt"
    text = f"{value:,.{2 if digits is None else digits}f}"
    if digits is None and "." in text:
        text = text.rstrip("0").rstrip(".")
    text = text.translate(str.maketrans(",.", ".,"))
    return "0" if text in ("-0", "-0,0", "-0,00") else text.replace("-", "−")


def counted(count: int, one: str, many: str) -> str:
    """`1 Platz`, `1.034 Plätze`."""
    return f"{number(count)} {one if count == 1 else many}"


def up_to_hundred(count: int) -> str:
    """`7`; `mehr als 99` where nobody counted further."""
    return number(count) if count < 100 else "mehr als 99"


def duration(seconds: float) -> str:
    """`22 Minuten`, `einer Stunde`: a span in the dative, as after `seit` and `vor`."""
    _, unit_s, one, many, _ = next(row for row in _UNITS if seconds < row[0])
    count = int(seconds // unit_s)
    return one if count == 1 else f"{count} {many}"


def short_duration(seconds: float) -> str:
    """`2 min`, `3 Std.`: where there is little room."""
    _, unit_s, _, _, short = next(row for row in _UNITS if seconds < row[0])
    return f"{int(seconds // unit_s)} {short}"


def since(ms: int, now_ms: int) -> str:
    """`seit 22 Minuten`; `seit eben` for the last seconds."""
    seconds = (now_ms - ms) / MS_PER_S
    return f"seit {duration(seconds)}" if seconds >= JUST_NOW_S else "seit eben"


def ago(ms: int, now_ms: int) -> str:
    """`vor 3 Stunden`; `gerade eben` for the last seconds; a time that lies ahead is told as it is."""
    seconds = (now_ms - ms) / MS_PER_S
    if seconds < -AHEAD_S_MAX:
        return f"am {moment(ms, now_ms)}"
    return f"vor {duration(seconds)}" if seconds >= JUST_NOW_S else "gerade eben"


def short_ago(ms: int, now_ms: int) -> str:
    """`vor 2 min`."""
    seconds = (now_ms - ms) / MS_PER_S
    return f"vor {short_duration(seconds)}" if seconds >= JUST_NOW_S else "gerade eben"


def moment(ms: int, now_ms: int) -> str:
    """`Mo 12.01., 18:40 Uhr`; with its year where that is not the present one."""
    then, now = local(ms), local(now_ms)
    day = f"{then:%d.%m.}" if then.year == now.year else f"{then:%d.%m.%Y}"
    return f"{WEEKDAYS[then.weekday()]} {day}, {then:%H:%M} Uhr"


def clock_time(ms: int) -> str:
    """`18:40 Uhr`."""
    return f"{local(ms):%H:%M} Uhr"


def upper_first(text: str) -> str:
    """The same text with its first letter large; the others stay."""
    return text[:1].upper() + text[1:]


def joined(words: list[str]) -> str:
    """`Licht, Strom und Wasser`."""
    return " und ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
