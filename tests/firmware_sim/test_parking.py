from itertools import pairwise
from random import Random

import pytest

from firmware_sim.counter import Counter
from firmware_sim.moments import parse_time_ms
from firmware_sim.parking import DEMANDS, HOUR_MS, Bay

MONDAY_MS = parse_time_ms("2026-01-12T00:00:00+01:00")


def bay(number: int, demand: str = "station") -> Bay:
    return Bay(f"NAU-P{number:03d}", "naunhof", Random(f"bay {number}"), MONDAY_MS, HOUR_MS, DEMANDS[demand])


def taken_share(bays: list[Bay], hours: float) -> float:
    """Let the bays run to that hour of Monday; the share that is taken then."""
    for one in bays:
        while one.next_wake_ms < MONDAY_MS + hours * HOUR_MS:
            one.wake(one.next_wake_ms)
    return sum(one.occupied for one in bays) / len(bays)


def test_a_commuters_car_park_is_empty_at_night_and_full_at_ten() -> None:
    bays = [bay(number) for number in range(120)]
    at_four = taken_share(bays, 4)
    at_ten = taken_share(bays, 10.5)
    at_midnight = taken_share(bays, 24)
    assert at_four < 0.3
    assert at_ten > 0.7
    assert at_midnight < 0.45


def test_a_bay_reports_changes_and_otherwise_each_hour() -> None:
    device, reports = bay(1, "centre"), []
    while device.next_wake_ms < MONDAY_MS + 24 * HOUR_MS:
        at_ms = device.next_wake_ms
        reports += [(at_ms, reading.values["occupied"]) for reading in device.wake(at_ms)]
    gaps_ms = [after[0] - before[0] for before, after in pairwise(reports)]
    assert max(gaps_ms) <= HOUR_MS + 60_000
    changes = [after for before, after in pairwise(reports) if before[1] != after[1]]
    assert len(changes) >= 4


def test_demand_differs_between_weekdays_and_weekends() -> None:
    saturday_ms = MONDAY_MS + 5 * 24 * HOUR_MS
    ten = 10 * HOUR_MS
    assert DEMANDS["station"].share(MONDAY_MS + ten) > 0.8 > 0.4 > DEMANDS["station"].share(saturday_ms + ten)


def test_a_barrier_counts_up_stays_within_its_capacity_and_starts_from_zero_after_a_reboot() -> None:
    barrier = Counter("NAU-Z01", "naunhof", Random(4), MONDAY_MS, 300_000, DEMANDS["centre"], 60)
    before = barrier.inside
    totals = []
    while barrier.next_wake_ms < MONDAY_MS + 12 * HOUR_MS:
        [reading] = barrier.wake(barrier.next_wake_ms)
        totals.append((float(reading.values["entries"]), float(reading.values["exits"])))
    assert totals == sorted(totals)
    entries, exits = totals[-1]
    assert entries > 60
    assert barrier.inside == before + entries - exits
    assert 0 <= barrier.inside <= 60
    barrier.power_up(MONDAY_MS + 12 * HOUR_MS)
    [reading] = barrier.wake(barrier.next_wake_ms)
    assert reading.seq == 1
    assert float(reading.values["entries"]) == pytest.approx(0, abs=5)
