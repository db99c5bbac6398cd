"""How a gateway is: what waits, since when, and for how long the spool will do at the present rate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import msgspec

from gateway.intake import Intake
from gateway.spool import SOS_RESERVE_BYTES, Spool

MS_PER_HOUR = 3_600_000


class Status(msgspec.Struct):
    """Published every 10 s. Times are Unix ms; `hours_left` None when nothing waits or the rate is not known yet."""

    gateway: str
    at_ms: int
    epoch: int
    next_seq: int
    waiting_frames: int
    waiting_bytes: int
    oldest_ms: int | None
    lag_s: float
    hours_left: float | None
    full: bool
    counts: dict[str, int]


def status_of(gateway: str, spool: Spool, intakes: Mapping[str, Intake], now_ms: int) -> Status:
    """The status at an instant."""
    frames, size, oldest_ms = spool.depth()
    counts: Counter[str] = Counter()
    for intake in intakes.values():
        counts.update(intake.counts)
    return Status(
        gateway=gateway,
        at_ms=now_ms,
        epoch=spool.epoch,
        next_seq=spool.next_seq,
        waiting_frames=frames,
        waiting_bytes=size,
        oldest_ms=oldest_ms,
        lag_s=0.0 if oldest_ms is None else max(0.0, (now_ms - oldest_ms) / 1000),
        hours_left=hours_left(size, spool.bytes_max - SOS_RESERVE_BYTES, oldest_ms, now_ms),
        full=any(intake.full for intake in intakes.values()),
        counts=dict(counts),
    )


def hours_left(size: int, size_max: int, oldest_ms: int | None, now_ms: int) -> float | None:
    """How many hours until the spool is full, when it goes on filling as it did since the oldest waiting frame."""
    if oldest_ms is None or now_ms <= oldest_ms or size == 0:
        return None
    bytes_per_ms = size / (now_ms - oldest_ms)
    return max(0, size_max - size) / bytes_per_ms / MS_PER_HOUR
