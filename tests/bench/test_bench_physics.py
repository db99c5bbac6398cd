"""How fast a month of a region is played: `make bench`."""

import time

import pytest

from firmware_sim.physics.plan import Plan
from firmware_sim.physics.play import play
from tests.bench.processes import machine

pytestmark = pytest.mark.bench


def test_a_month_of_two_thousand_lamps() -> None:
    before = time.process_time(), time.perf_counter()
    run = play(Plan())
    cpu_s, seconds = time.process_time() - before[0], time.perf_counter() - before[1]
    print(f"\n{machine()}\n2,000 lamps × 30 days: {len(run):,} readings in {seconds:.1f} s ({cpu_s:.1f} s of CPU)")
    assert len(run) > 4_000_000
