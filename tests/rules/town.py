"""A small town for the rules: devices, readings as the journal gives them, and what the engine makes of it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from typing import Any

from core.device import Device, Site
from core.inventory import Snapshot
from core.reading import Readings, Scalar, from_rows
from rules.edges import Closing, Edge, Opening
from rules.engine import Engine
from rules.load import in_force
from rules.spec import Rule
from tests.support.frames import DARK_LAMP

T0 = 1_768_068_000_000  # 2026-01-10T18:00:00Z
MINUTE_MS = 60_000


@dataclass(frozen=True)
class Said:
    """One reading; `late_ms` = how long it took to us."""

    device_id: str
    t_ms: int
    values: Mapping[str, Scalar]
    kind: str = "lamp"
    seq: int = 0
    boot: int = 1
    late_ms: int = 500


def lamp(number: int, **more: Any) -> Device:
    """A lamp of 40 W that reports every 15 minutes."""
    fields = {"nominal_w": 40.0, "min_dim_pct": 10.0, "min_w": 5.0, "interval_s": 900, **more}
    return Device(device_id=f"NAU-L{number:05d}", kind="lamp", town="naunhof", name=f"Leuchte {number}", **fields)


def bay(number: int, site: str = "markt", **more: Any) -> Device:
    """A parking bay with an hourly heartbeat."""
    return Device(device_id=f"NAU-P{number:05d}", kind="parking", town="naunhof", site=site, interval_s=3600, **more)


def snapshot(devices: Iterable[Device], sites: Iterable[Site] = (), version: int = 1) -> Snapshot:
    """An inventory of these."""
    return Snapshot(
        version=version,
        devices={one.device_id: one for one in devices},
        by_eui={},
        sites={(one.town, one.site): one for one in sites},
    )


def readings(said: Sequence[Said]) -> Readings:
    """As columns, in this order of arrival."""
    return from_rows(
        [one.device_id for one in said],
        [one.kind for one in said],
        [one.t_ms for one in said],
        [one.t_ms + one.late_ms for one in said],
        [one.boot for one in said],
        [one.seq or (one.t_ms - T0) // MINUTE_MS + 100_000 for one in said],
        [one.values for one in said],
    )


def lamp_series(
    device_id: str, watts: Sequence[float | None], dim_pct: float = 100.0, step_min: int = 15
) -> list[Said]:
    """One sample each step from T0 on; None = it never came."""
    return [
        Said(device_id, T0 + at * step_min * MINUTE_MS, {"power_w": power, "dim_pct": dim_pct}, seq=at + 1)
        for at, power in enumerate(watts)
        if power is not None
    ]


@dataclass
class Story:
    """An engine and what it found. The clock is that of the readings, until somebody lets time go on."""

    engine: Engine
    edges: list[Edge] = field(default_factory=list)
    clock_ms: int = T0

    def hear(self, *said: Said) -> "Story":
        """Readings arrive, one by one, each judged as soon as it can be."""
        for one in said:
            self.hear_at_once(one)
        return self

    def hear_at_once(self, *said: Said) -> "Story":
        """Readings arrive together."""
        if said:
            self.engine.advance(self.engine.batch(readings(said)))
            self.clock_ms = max(self.clock_ms, max(one.t_ms + one.late_ms for one in said))
            self.edges += self.engine.step(self.clock_ms, hears=True)
        return self

    def tick(self, at_ms: int, hears: bool = True) -> "Story":
        """Time goes on without a word."""
        self.clock_ms = max(self.clock_ms, at_ms)
        self.edges += self.engine.step(self.clock_ms, hears)
        return self

    def settle(self, minutes: int = 2) -> "Story":
        """So much time that all that was said has been judged."""
        return self.tick(self.clock_ms + minutes * MINUTE_MS)

    def opened(self) -> Iterator[tuple[str, str, int]]:
        """(rule, subject, since in minutes after T0) of what began."""
        for edge in self.edges:
            if isinstance(edge, Opening):
                yield edge.rule, edge.subject, (edge.since_ms - T0) // MINUTE_MS

    def closed(self) -> Iterator[tuple[str, str, int]]:
        """(rule, subject, minutes after T0) of what ended."""
        for edge in self.edges:
            if isinstance(edge, Closing):
                yield edge.rule, edge.subject, (edge.closed_ms - T0) // MINUTE_MS


@cache
def rules() -> Mapping[str, Rule]:
    """The rules shipped, but that a lamp is dark after 20 minutes and two samples."""
    book = in_force([DARK_LAMP], date(2026, 1, 10))
    assert book.problems == []
    return book.rules


def story(*devices: Device, sites: Iterable[Site] = (), own: Mapping[str, Rule] | None = None) -> Story:
    """A fresh engine for these devices; with rules of one's own instead of those shipped."""
    return Story(Engine(snapshot(devices, sites), rules() if own is None else own, T0))
