"""Instants and durations as people type them and as files carry them."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_UNITS_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}


def parse_time_ms(text: str) -> int:
    """Unix ms of an ISO 8601 instant (UTC unless it names an offset) or of a number, which is Unix ms already."""
    if re.fullmatch(r"\d{9,15}", text):
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        expected = "ISO 8601 like 2026-01-10T16:00:00+01:00, or Unix ms"
        raise ValueError(f"{text!r} is no instant; expected {expected}") from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)


def parse_duration_ms(text: str) -> int:
    """Milliseconds of a duration like 90s, 30m, 24h, 7d or 1w."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhdw])", text)
    if match is None:
        raise ValueError(f"{text!r} is no duration; expected a number and a unit, e.g. 90s, 30m, 24h or 7d")
    return round(float(match.group(1)) * _UNITS_MS[match.group(2)])


def iso(at_ms: int | None) -> str:
    """ISO 8601 in UTC with milliseconds, e.g. 2026-01-10T15:00:00.000Z; empty for None."""
    if at_ms is None:
        return ""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
