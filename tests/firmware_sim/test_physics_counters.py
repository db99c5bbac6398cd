"""Counting barriers: healthy loops stay near the truth, faulty ones run away, and totals restart and wrap."""

import numpy as np

from firmware_sim.moments import parse_time_ms
from firmware_sim.physics.counters import CLEAR_SHARE, build_counters, draw_counter_faults
from firmware_sim.physics.plan import DAY_MS, Plan
from firmware_sim.physics.play import play
from firmware_sim.physics.played import Played

PLAN = Plan(lamps=0, bays=160, days=40, seed=3, loss=0.0, events=False, counts={"counter_drift": 17})
RUN = play(PLAN)
COUNTERS = build_counters(PLAN)


def totals(run: Played, device_id: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Instants, entries and exits of a counter by time."""
    own = np.flatnonzero(run.device == run.device_ids.index(device_id))
    own = own[np.argsort(run.t_ms[own], kind="stable")]
    return run.t_ms[own], run.values["entries"][own], run.values["exits"][own]


def grown(total: np.ndarray, way: str) -> np.ndarray:
    """By how much a total grew from one message to the next; it falls at midnight or where its 16 bits end."""
    grew = np.diff(total)
    return np.where(grew < 0, total[1:] if way == "nightly" else grew + 2**16, grew)


def spread(device_id: str) -> float:
    """Highest less lowest balance of a counter, as a share of its spaces."""
    index = COUNTERS.ids.index(device_id)
    _, entries, exits = totals(RUN, device_id)
    balance = np.cumsum(grown(entries, COUNTERS.way[index]) - grown(exits, COUNTERS.way[index]))
    return float(np.ptp(balance) / COUNTERS.capacity[index])


def test_every_counter_has_a_car_park_of_its_own_with_its_spaces() -> None:
    rows = [row for row in RUN.inventory if row["kind"] == "counter"]
    assert [row["device_id"] for row in rows] == COUNTERS.ids
    spaces = {(row["town"], row["site"]): row["capacity"] for row in RUN.sites}
    assert [spaces[row["town"], row["site"]] for row in rows] == [row["capacity"] for row in rows]


def test_only_the_faulty_count_clearly_more_than_there_is_room_for() -> None:
    healthy = [spread(name) for name in set(COUNTERS.ids) - {row["subject"] for row in RUN.truth}]
    wrong = [spread(row["subject"]) for row in RUN.truth if row["observable_from"]]
    assert len(healthy) >= 10 and len(wrong) >= 4
    assert max(healthy) < 1 + 2 * CLEAR_SHARE
    assert min(wrong) > 1


def test_a_fault_shows_after_it_began_and_while_it_lasts() -> None:
    drawn = draw_counter_faults(PLAN, COUNTERS)
    assert sorted(fault.subject for fault in drawn) == sorted(row["subject"] for row in RUN.truth)
    seen = [row for row in RUN.truth if row["observable_from"]]
    assert len(seen) >= 4
    for row in seen:
        begin_ms, shows_ms = parse_time_ms(row["start"]), parse_time_ms(row["observable_from"])
        assert begin_ms < shows_ms < (parse_time_ms(row["end"]) if row["end"] else PLAN.end_ms)


def test_some_begin_at_nothing_each_night_and_some_wrap() -> None:
    assert set(COUNTERS.way) == {"for ever", "nightly", "16 bits"}
    for name, way in zip(COUNTERS.ids, COUNTERS.way, strict=True):
        t_ms, entries, _ = totals(RUN, name)
        fell = np.flatnonzero(np.diff(entries) < 0)
        nights = np.unique(t_ms[fell + 1] // DAY_MS)
        assert len(fell) == len(nights)
        assert {"for ever": len(fell) == 0, "nightly": len(fell) > 20, "16 bits": len(fell) <= 2}[way]
