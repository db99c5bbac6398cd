"""Small worlds for the simulator's tests."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from firmware_sim.faults import Fault
from firmware_sim.moments import parse_time_ms
from firmware_sim.region import generate
from firmware_sim.settings import FaultCounts, Radio, Settings, Sizes
from firmware_sim.world import Run, World

START_MS = parse_time_ms("2026-01-10T12:00:00Z")
HOUR_MS = 3_600_000
QUIET = Radio(loss=0, lorawan_loss=0, duplicate=0, reorder=0, dropout=0)

MakeWorld = Callable[..., World]


@pytest.fixture
def make_world() -> MakeWorld:
    """A function for worlds of a few devices: perfect air and no faults unless asked for."""

    def make(
        hours: float = 24,
        seed: int = 1,
        lamps: int = 40,
        bays: int = 20,
        buttons: int = 6,
        radio: Radio = QUIET,
        faults: list[Fault] | None = None,
        speed: float = 1.0,
        live: bool = False,
        **sections: object,
    ) -> World:
        sizes = Sizes(lamps=lamps, bays=bays, buttons=buttons, sites=min(3, bays) or 1, counters=1)
        settings = replace(Settings(sizes=sizes, radio=radio, faults=FaultCounts()), **sections)  # type: ignore[arg-type]
        run = Run(START_MS, START_MS + int(hours * HOUR_MS), speed, live)
        return World(generate(settings, seed), settings, seed, run, faults if faults is not None else [])

    return make
