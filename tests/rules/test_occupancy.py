from dataclasses import replace

from core.device import Device, Site
from rules.records import SiteState
from tests.rules.town import MINUTE_MS, T0, Said, Story, bay, story

HOUR_MS = 60 * MINUTE_MS
MARKT = Site(site="markt", town="naunhof", name="Markt", capacity=4)


def state_of(told: Story, now_ms: int) -> SiteState:
    """The one site now."""
    engine = told.engine
    (found,) = engine.occupancy.sites(engine.fleet, engine.latest, now_ms)
    assert found.free + found.occupied + found.unknown == found.capacity
    return found


def say(number: int, taken: bool, minutes: int, seq: int = 0) -> Said:
    return Said(f"NAU-P{number:05d}", T0 + minutes * MINUTE_MS, {"occupied": taken}, kind="parking", seq=seq)


def test_a_site_is_the_sum_of_its_bays_and_the_rest_is_unknown() -> None:
    told = story(bay(1), bay(2), bay(3), sites=[MARKT]).hear(say(1, True, 0), say(2, False, 1))
    found = state_of(told, T0 + 5 * MINUTE_MS)
    assert (found.free, found.occupied, found.unknown) == (1, 1, 2)  # one never spoke, one has no sensor
    assert (found.measured_ms, found.is_stale) == (T0 + MINUTE_MS, False)


def test_a_silent_bay_is_unknown_not_free() -> None:
    told = story(bay(1), bay(2), sites=[MARKT]).hear(say(1, False, 0), say(2, False, 0))
    assert state_of(told, T0 + 2 * HOUR_MS).free == 2
    told.hear(say(2, False, 150))
    assert state_of(told, T0 + 160 * MINUTE_MS).free == 1
    assert state_of(told, T0 + 10 * HOUR_MS).is_stale


def test_what_comes_late_does_not_change_what_is_known() -> None:
    told = story(bay(1), sites=[MARKT]).hear(say(1, True, 30, seq=5), say(1, False, 10, seq=4))
    assert state_of(told, T0 + 40 * MINUTE_MS).occupied == 1


def test_a_bay_tells_since_when_it_is_so() -> None:
    told = story(bay(1), sites=[MARKT]).hear(say(1, False, 0), say(1, True, 20), say(1, True, 50))
    engine = told.engine
    states = engine.occupancy.states(engine.fleet, engine.latest.received_ms, T0 + HOUR_MS)
    found = engine.occupancy.bay(engine.fleet, 0, int(states[0]))
    assert (found.state, found.since_ms, found.measured_ms) == ("occupied", T0 + 20 * MINUTE_MS, T0 + 50 * MINUTE_MS)


def test_bays_for_somebody_are_counted_apart() -> None:
    told = story(bay(1, audience="DISABLED"), bay(2), sites=[MARKT]).hear(say(1, False, 0), say(2, True, 0))
    groups = {one.audience: (one.free, one.occupied) for one in state_of(told, T0 + MINUTE_MS).audiences}
    assert groups == {"DISABLED": (1, 0), "": (0, 1)}


def test_a_barrier_counts_within_its_capacity() -> None:
    barrier = Device(device_id="NAU-Z1", kind="counter", town="naunhof", site="markt", interval_s=300)
    told = story(barrier, sites=[MARKT])
    told.hear(Said("NAU-Z1", T0, {"entries": 10.0, "exits": 7.0}, kind="counter", seq=1))
    assert (state_of(told, T0).free, state_of(told, T0).occupied) == (1, 3)
    told.hear(Said("NAU-Z1", T0 + MINUTE_MS, {"entries": 10.0, "exits": 12.0}, kind="counter", seq=2))
    assert state_of(told, T0 + MINUTE_MS).free == 4
    assert state_of(told, T0 + HOUR_MS).is_stale


def test_a_retired_sensor_counts_no_more() -> None:
    told = story(replace(bay(1), stage="retired"), bay(2), sites=[MARKT]).hear(say(2, True, 0))
    found = state_of(told, T0 + MINUTE_MS)
    assert (found.occupied, found.unknown) == (1, 3)
