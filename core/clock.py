"""The one way to know the time: what runs below an entry point is given a clock.

Wall time is Unix milliseconds in UTC; durations come from `monotonic_s`, which no clock step and no time-lapse moves.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

MS_PER_S = 1000


class Clock(Protocol):
    """What every part may ask about time."""

    def now_ms(self) -> int:
        """Unix milliseconds, UTC."""
        ...

    def monotonic_s(self) -> float:
        """Seconds that only ever grow; for durations and deadlines, never for dates."""
        ...


class RealClock:
    """The machine's own clock."""

    def now_ms(self) -> int:
        """Unix milliseconds, UTC."""
        return time.time_ns() // 1_000_000

    def monotonic_s(self) -> float:
        """Seconds since some fixed instant of this machine."""
        return time.monotonic()


@dataclass
class LapseClock:
    """Time-lapse: `start_ms` + `speed` · elapsed, where elapsed is counted from `origin_ms` on the real wall clock.

    Processes that share one run share `origin_ms`, so that all of them read the same platform time.
    """

    start_ms: int
    speed: float
    origin_ms: int
    real: RealClock = field(default_factory=RealClock)

    def now_ms(self) -> int:
        """Platform time in Unix milliseconds."""
        return self.start_ms + int(self.speed * (self.real.now_ms() - self.origin_ms))

    def monotonic_s(self) -> float:
        """Real seconds: a network's time-outs do not run faster in time-lapse."""
        return self.real.monotonic_s()


@dataclass
class ManualClock:
    """A clock that tests and simulations move by hand; both times move together."""

    ms: int = 0

    def now_ms(self) -> int:
        """The instant it was set to."""
        return self.ms

    def monotonic_s(self) -> float:
        """The same instant in seconds."""
        return self.ms / MS_PER_S

    def advance(self, seconds: float) -> None:
        """Move forward; a negative duration is a mistake of the caller."""
        assert seconds >= 0, f"time does not run backwards: {seconds}"
        self.ms += round(seconds * MS_PER_S)


def parse_instant_ms(text: str) -> int:
    """Unix milliseconds of an ISO 8601 instant or of a number of Unix milliseconds; a time without zone is UTC.

    Raises ValueError with what was expected.
    """
    stripped = text.strip()
    if stripped.lstrip("-").isdigit():
        return int(stripped)
    try:
        moment = datetime.fromisoformat(stripped)
    except ValueError:
        raise ValueError(f"'{text}' is no instant; expected e.g. 2026-01-10T18:00:00Z or Unix ms") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * MS_PER_S)


def iso(ms: int) -> str:
    """ISO 8601 in UTC with milliseconds, e.g. 2026-01-10T18:00:00.000Z."""
    moment = datetime.fromtimestamp(ms / MS_PER_S, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
