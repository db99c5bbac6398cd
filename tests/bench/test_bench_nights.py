"""What it costs to know what 10,000 lamps are told: `make bench`. Wall time of one process, best of five; the first
time, which lays the timetables out, stands beside it.
"""

import time
from collections.abc import Callable

import numpy as np
import pytest

from rules.nights import Nights
from tests.bench.processes import machine

pytestmark = pytest.mark.bench
DEVICES, EACH = 10_000, 100
NOW_MS = 1_795_000_000_000
QUARTER_MS, YEAR_MS = 900_000, 365 * 86_400_000
PROFILES = (
    ("", None),
    ("100@dusk;50@23:00;100@05:00;0@dawn", None),
    ("100@dusk;0@23:00;100@05:00;0@dawn", "switched_halfnight"),
    ("Fr-Sa:100@dusk;0@01:00;0@dawn|100@dusk;0@23:30;100@04:30;0@dawn", None),
    ("80@dusk;0@dawn", None),
    ("100@dusk;30@22:00;60@04:00;0@dawn", None),
)


def cost(name: str, work: Callable[[], object]) -> None:
    spent_ms = []
    for _ in range(6):
        started_s = time.perf_counter()
        work()
        spent_ms.append((time.perf_counter() - started_s) * 1000)
    print(f"  {name:52}{min(spent_ms[1:]):9.3f} ms; the first time {spent_ms[0]:9.3f}")


def test_the_nights_of_a_region() -> None:
    random = np.random.default_rng(1)
    kind = random.integers(0, len(PROFILES), DEVICES)
    profiles, supply = zip(*(PROFILES[number] for number in kind), strict=True)
    lat, lon = 51.20 + random.random(DEVICES) * 0.22, 12.45 + random.random(DEVICES) * 0.35
    nights = Nights(profiles, lat, lon, supply)
    device = np.repeat(np.arange(DEVICES), EACH)
    day_ms = NOW_MS + (np.arange(EACH) * QUARTER_MS + random.integers(0, QUARTER_MS, (DEVICES, 1))).ravel()
    year_ms = np.sort(NOW_MS - random.integers(0, YEAR_MS, (DEVICES, EACH)), axis=1).ravel()
    mixed = random.permutation(len(device))
    few = np.sort(mixed[:100])
    print(f"\nmachine: {machine()}; {DEVICES} lamps in {len(nights.lines)} groups, {len(device)} rows")
    cost("make", lambda: Nights(profiles, lat, lon, supply))
    cost("level, steps and power, sorted, a day", lambda: nights.at(device, day_ms))
    cost("level, steps and power, sorted, a year", lambda: nights.at(device, year_ms))
    cost("level, steps and power, in no order, a day", lambda: nights.at(device[mixed], day_ms[mixed]))
    cost("level, steps and power, 100 rows", lambda: nights.at(device[few], day_ms[few]))
    cost("height of the sun", lambda: nights.sun_deg(device, day_ms))
    cost("height of the sun, 100 rows", lambda: nights.sun_deg(device[few], day_ms[few]))
    cost("number of the night", lambda: nights.night(day_ms))
    cost("seconds with power of all groups at one instant", lambda: nights.powered_s(NOW_MS))
    cost("seconds with power of all rows", lambda: nights.powered_s_of(device, day_ms))
    cost("seconds with power, 100 rows", lambda: nights.powered_s_of(device[few], day_ms[few]))
