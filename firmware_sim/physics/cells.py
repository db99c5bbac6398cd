"""A block of lamps over the whole time: one cell for each lamp and each of its readings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from firmware_sim.physics.controllers import Controllers
from firmware_sim.physics.faults import Fault
from firmware_sim.physics.plan import SECOND_MS, Flags, Floats, Instants, Numbers, Plan
from firmware_sim.physics.region import Region

FOREVER_MS = 2**62
JITTER_MS = 4_000
JOIN_MS = (60_000, 480_000)
"""A controller that gets voltage needs so long for its first message."""


@dataclass
class Cells:
    """Lamps `first` to `last` of the region. Arrays have one row for each lamp, one column for each reading.

    `told_pct` is the command in action, `lit_pct` what the lamp does, `lit_s` how long it has had light,
    `steady_s` how long nothing was switched; `speaks` where there is a message, `reboots` where a restart swallowed it.
    """

    plan: Plan
    region: Region
    controllers: Controllers
    faults: Sequence[Fault]
    first: int
    last: int
    rng: np.random.Generator
    t_ms: Instants = field(init=False)
    told_pct: Floats = field(init=False)
    lit_pct: Floats = field(init=False)
    lit_s: Floats = field(init=False)
    steady_s: Floats = field(init=False)
    energised: Flags = field(init=False)
    speaks: Flags = field(init=False)
    reboots: Flags = field(init=False)

    @cached_property
    def rows(self) -> Numbers:
        """The lamps of this block, as numbers of the region."""
        return np.arange(self.first, self.last)

    @property
    def shape(self) -> tuple[int, int]:
        """Lamps, readings."""
        return self.last - self.first, self.plan.slots

    def plate(self, name: str) -> Floats:
        """A field of the lamps' models as a column."""
        return self.region.lamps.plate(name)[self.first : self.last, None]

    def own(self, name: str) -> Any:
        """A field of the lamps or of their controllers as a column."""
        source = self.region.lamps if hasattr(self.region.lamps, name) else self.controllers
        return getattr(source, name)[self.first : self.last, None]

    def normal(self, deviation: float) -> Floats:
        """Fresh noise for each cell."""
        noise = self.rng.standard_normal(self.shape, dtype=np.float32)
        noise *= np.float32(deviation)
        return noise

    def spans(self, *names: str) -> Iterator[tuple[Fault, int, slice]]:
        """Each fault of these names with each of its lamps in this block, and the lamp's readings while it lasts."""
        for fault in self.faults:
            if fault.name in names:
                for row in fault.rows[(fault.rows >= self.first) & (fault.rows < self.last)].tolist():
                    span = self.between(row - self.first, fault.start_ms, fault.end_ms)
                    if span.start < span.stop:
                        yield fault, row - self.first, span

    def between(self, row: int, start_ms: int, end_ms: int | None) -> slice:
        """The readings of one lamp from one instant to another (None = to the end)."""
        low, high = np.searchsorted(self.t_ms[row], (start_ms, FOREVER_MS if end_ms is None else end_ms))
        return slice(int(low), int(high))

    def lay_out(self) -> None:
        """When each lamp reads, and what its profile and its line say then."""
        base = self.plan.start_ms + np.arange(self.plan.slots, dtype=np.int64) * self.plan.interval_ms
        jitter = self.rng.integers(0, JITTER_MS, self.shape, dtype=np.int32)
        self.t_ms = base[None, :] + self.own("phase_ms") + jitter
        switched = np.flatnonzero(self.own("supply")[:, 0] > 0)
        self.lit_s, self.steady_s = np.empty(self.shape, np.float32), np.empty(self.shape, np.float32)
        self.told_pct = np.empty(self.shape, np.float32)
        join_ms = self.rng.integers(*JOIN_MS, (len(switched), 1))
        self._look_up(switched, np.broadcast_to(base + self.plan.interval_ms, (len(switched), len(base))))
        boot_ms = base + self.plan.interval_ms - (self.lit_s[switched].astype(np.float64) * SECOND_MS).astype(np.int64)
        phase = (boot_ms + join_ms - self.plan.start_ms) % self.plan.interval_ms
        self.t_ms[switched] = np.maximum.accumulate(base + phase + jitter[switched], axis=1)
        self._look_up(np.arange(self.shape[0]), self.t_ms)
        self.energised = np.ones(self.shape, np.bool_)
        self.energised[switched] = (self.told_pct[switched] > 0) & (
            self.lit_s[switched] * SECOND_MS >= join_ms - JITTER_MS
        )
        self.lit_pct = self.told_pct.copy()

    def _look_up(self, rows: Numbers, at_ms: Instants) -> None:
        """Fill what the profile says for these rows at these instants; lamps of one profile and town together."""
        night = self.own("night")[rows, 0]
        for key in np.unique(night).tolist():
            mine = np.flatnonzero(night == key)
            nights = self.region.nights[int(key)]
            own_ms = at_ms[mine] - self.own("dusk_shift_ms")[rows[mine]].astype(np.int64)
            piece = nights.index(own_ms.ravel()).reshape(own_ms.shape)
            self.told_pct[rows[mine]] = nights.dims_pct[piece]
            self.lit_s[rows[mine]] = (own_ms - nights.on_ms[piece]) / SECOND_MS
            self.steady_s[rows[mine]] = (own_ms - nights.times_ms[piece]) / SECOND_MS
