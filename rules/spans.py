"""Spans of time in rule files: "20m", "2.5 * interval", "10m + 2 * interval"."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

UNIT_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
SECONDS_MAX = 400 * 86_400
INTERVALS_MAX = 10_000
EXAMPLES = 'write "90s", "20m", "2h", "7d", "2.5 * interval" or "10m + 2 * interval"'

_NUMBER = r"([0-9]{1,9}(?:\.[0-9]{1,6})?)"
_FIXED = re.compile(rf"\s*{_NUMBER}\s*([smhd])\s*", re.ASCII)
_RELATIVE = re.compile(rf"\s*(?:{_NUMBER}\s*\*\s*)?interval\s*", re.ASCII)


class SpanError(ValueError):
    """This text is no span; says why and what is one."""


@dataclass(frozen=True, slots=True)
class Span:
    """So many seconds plus so many of the device's reporting intervals."""

    seconds: float = 0.0
    intervals: float = 0.0

    def ms(self, interval_ms: NDArray[np.int64]) -> NDArray[np.int64]:
        """i8[n]: milliseconds for devices with these intervals; the same for all when it names no interval."""
        exact_ms: NDArray[np.float64] = self.seconds * 1000 + self.intervals * interval_ms.astype(np.float64)
        return np.rint(exact_ms).astype(np.int64)

    @property
    def fixed(self) -> bool:
        """Whether it is the same for every device."""
        return self.intervals == 0

    def __str__(self) -> str:
        parts = [_fixed_text(self.seconds)] if self.seconds or self.fixed else []
        parts += [] if self.fixed else [f"{self.intervals:g} * interval"]
        return " + ".join(parts)


NO_TIME = Span()


def parse_span(text: str) -> Span:
    """The span of a text; zero is one. Raises SpanError."""
    seconds = intervals = 0.0
    seen: set[str] = set()
    for part in text.split("+"):
        fixed, relative = _FIXED.fullmatch(part), _RELATIVE.fullmatch(part)
        sort = "fixed" if fixed else "relative"
        if not (fixed or relative) or sort in seen:
            raise SpanError(f"'{text[:60]}' is no span of time; {EXAMPLES}")
        seen.add(sort)
        if fixed:
            seconds = float(fixed[1]) * UNIT_SECONDS[fixed[2]]
        elif relative:
            intervals = float(relative[1] or 1)
    if seconds > SECONDS_MAX or intervals > INTERVALS_MAX:
        longest = f"{SECONDS_MAX // 86_400}d and {INTERVALS_MAX} * interval"
        raise SpanError(f"'{text[:60]}' is longer than {longest}; write a shorter one")
    return Span(seconds, intervals)


def _fixed_text(seconds: float) -> str:
    for unit in ("d", "h", "m"):
        if seconds and seconds % UNIT_SECONDS[unit] == 0:
            return f"{seconds / UNIT_SECONDS[unit]:g}{unit}"
    return f"{seconds:.15g}s"
