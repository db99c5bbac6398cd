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


def test_an_old_measurement_that_comes_late_and_other_words_of_a_bay_make_nothing_fresh() -> None:
    told = story(bay(1), sites=[MARKT])
    told.hear(replace(say(1, False, 0), late_ms=3 * HOUR_MS))
    assert state_of(told, T0 + 3 * HOUR_MS).unknown == 4
    told.hear(Said("NAU-P00001", T0 + 3 * HOUR_MS, {"temp_c": 3.0}, kind="parking", seq=200))
    assert state_of(told, T0 + 3 * HOUR_MS).unknown == 4


def test_what_comes_late_does_not_change_what_is_known() -> None:
    told = story(bay(1), sites=[MARKT]).hear(say(1, True, 30, seq=5), say(1, False, 10, seq=4))
    assert state_of(told, T0 + 40 * MINUTE_MS).occupied == 1


def test_a_bay_tells_since_when_it_is_so() -> None:
    told = story(bay(1), sites=[MARKT]).hear(say(1, False, 0), say(1, True, 20), say(1, True, 50))
    engine = told.engine
    states = engine.occupancy.states(engine.fleet, T0 + HOUR_MS)
    found = engine.occupancy.bay(engine.fleet, 0, int(states[0]))
    assert (found.state, found.since_ms, found.measured_ms) == ("occupied", T0 + 20 * MINUTE_MS, T0 + 50 * MINUTE_MS)


def test_bays_for_somebody_are_counted_apart() -> None:
    told = story(bay(1, audience="DISABLED"), bay(2), sites=[MARKT]).hear(say(1, False, 0), say(2, True, 0))
    groups = {one.audience: (one.free, one.occupied) for one in state_of(told, T0 + MINUTE_MS).audiences}
    assert groups == {"DISABLED": (1, 0), "": (0, 1)}


def test_a_bay_that_flaps_is_unknown_until_it_is_calm_again() -> None:
    told = story(bay(1), bay(2), sites=[MARKT]).hear(say(2, True, 0))
    told.hear(*(say(1, at % 2 == 1, at) for at in range(10))).settle()
    assert {(rule, subject) for rule, subject, _ in told.opened()} == {("bay_flapping", "NAU-P00001")}
    found = state_of(told, told.clock_ms)
    assert (found.free, found.occupied, found.unknown) == (0, 1, 3)
    told.hear(*(say(1, False, 60 * hour) for hour in range(1, 20)), say(2, True, 19 * 60)).settle()
    assert state_of(told, told.clock_ms).free == 1


def test_a_sensor_that_has_just_started_is_not_believed_until_its_next_change_or_for_half_an_hour() -> None:
    def started(number: int, minutes: float, up_min: float, taken: bool) -> Said:
        values = {"occupied": taken, "uptime_s": up_min * 60}
        at_ms = T0 + int(minutes * MINUTE_MS)
        return Said(f"NAU-P{number:05d}", at_ms, values, kind="parking", seq=int(minutes * 2) + 1)

    told = story(bay(1), bay(2), sites=[MARKT]).hear(started(1, 0, 600, False), started(2, 0, 600, False))
    assert state_of(told, T0 + MINUTE_MS).free == 2
    told.hear(started(1, 10, 0, False), started(1, 10.5, 0.5, True), started(2, 10.5, 0, False))
    assert state_of(told, T0 + 12 * MINUTE_MS).unknown == 4
    told.hear(say(1, False, 15, seq=60))  # the car that never was there is gone
    assert (state_of(told, T0 + 16 * MINUTE_MS).free, state_of(told, T0 + 16 * MINUTE_MS).unknown) == (1, 3)
    assert state_of(told, T0 + 42 * MINUTE_MS).free == 2


BARRIER = Device(device_id="NAU-Z1", kind="counter", town="naunhof", site="markt", interval_s=300)
LOT = replace(MARKT, capacity=50)


def passages(minutes: int, entries: int, exits: int, boot: int = 1, device_id: str = "NAU-Z1") -> Said:
    values = {"entries": float(entries), "exits": float(exits)}
    return Said(device_id, T0 + minutes * MINUTE_MS, values, kind="counter", seq=minutes + 1, boot=boot)


def test_a_barrier_knows_only_what_changed_and_the_rest_is_unknown() -> None:
    told = story(BARRIER, sites=[LOT]).hear(passages(0, 0, 0))
    assert (state_of(told, T0).free, state_of(told, T0).unknown) == (0, 50)
    told.hear(passages(1, 3, 0))  # three came: at least three are inside
    assert (state_of(told, T0 + MINUTE_MS).occupied, state_of(told, T0 + MINUTE_MS).unknown) == (3, 47)
    told.hear(passages(2, 3, 23))  # twenty more left than came: there was room for twenty before, so there is for 23
    found = state_of(told, T0 + 2 * MINUTE_MS)
    assert (found.free, found.occupied, found.unknown) == (23, 0, 27)


def test_a_lot_that_was_full_and_empty_is_known_to_the_car() -> None:
    told = story(BARRIER, sites=[LOT]).hear(passages(0, 0, 0), passages(1, 30, 0), passages(2, 30, 50))
    assert (state_of(told, T0 + 2 * MINUTE_MS).free, state_of(told, T0 + 2 * MINUTE_MS).unknown) == (50, 0)
    told.hear(passages(3, 42, 50))
    assert (state_of(told, T0 + 3 * MINUTE_MS).occupied, state_of(told, T0 + 3 * MINUTE_MS).free) == (12, 38)


def test_a_barrier_that_starts_anew_goes_on_counting() -> None:
    told = story(BARRIER, sites=[LOT]).hear(passages(0, 0, 0), passages(1, 30, 0), passages(2, 30, 50))
    told.hear(passages(3, 5, 0, boot=2))
    assert state_of(told, T0 + 3 * MINUTE_MS).occupied == 5


def test_two_barriers_of_one_lot_are_one_balance() -> None:
    told = story(BARRIER, replace(BARRIER, device_id="NAU-Z2"), sites=[LOT])
    told.hear(passages(0, 0, 0), passages(0, 0, 0, device_id="NAU-Z2"))
    told.hear(passages(1, 10, 0), passages(2, 0, 8, device_id="NAU-Z2"))  # in at one, out at the other
    found = state_of(told, T0 + 2 * MINUTE_MS)
    assert (found.occupied, found.free) == (2, 8)


def test_a_barrier_that_says_how_many_are_inside_is_believed_while_it_speaks() -> None:
    said = Said("NAU-Z1", T0, {"occupied_count": 44.0}, kind="counter", seq=1)
    told = story(BARRIER, sites=[LOT]).hear(said)
    assert (state_of(told, T0).free, state_of(told, T0).occupied, state_of(told, T0).unknown) == (6, 44, 0)
    assert state_of(told, T0 + HOUR_MS).is_stale
    assert state_of(told, T0 + HOUR_MS).unknown == 50


def test_a_count_beyond_full_is_a_full_car_park_and_is_counted_on_from_there() -> None:
    told = story(BARRIER, sites=[LOT]).hear(passages(0, 0, 0), passages(1, 30, 0), passages(2, 30, 30))
    told.hear(passages(3, 84, 30))  # four more than there is room for
    assert (state_of(told, T0 + 3 * MINUTE_MS).occupied, state_of(told, T0 + 3 * MINUTE_MS).free) == (50, 0)
    told.hear(passages(4, 84, 40))
    assert (state_of(told, T0 + 4 * MINUTE_MS).occupied, state_of(told, T0 + 4 * MINUTE_MS).free) == (40, 10)


def test_totals_that_are_set_to_zero_at_night_and_older_words_change_no_count() -> None:
    told = story(BARRIER, sites=[LOT]).hear(passages(0, 0, 0), passages(1, 50, 0), passages(2, 50, 48))
    told.hear(passages(4, 1, 0), passages(3, 0, 0))
    assert state_of(told, T0 + 4 * MINUTE_MS).occupied == 3


def test_who_has_counted_too_long_is_unknown_until_the_count_is_sure_again() -> None:
    told = story(BARRIER, sites=[LOT]).hear(passages(0, 0, 0))
    told.hear(*(passages(at, 30 * at, 30 * (at - 1)) for at in range(1, 42)))
    assert state_of(told, T0 + 41 * MINUTE_MS).occupied == 30
    told.hear(*(passages(at, 30 * at, 30 * (at - 1)) for at in range(42, 46)))  # 2,670 passages: 5.1 cars
    found = state_of(told, T0 + 45 * MINUTE_MS)
    assert (found.unknown, found.is_stale, found.measured_ms) == (50, True, T0 + 45 * MINUTE_MS)
    told.hear(passages(46, 30 * 45 + 30, 30 * 44))  # full: 60 more than when it was empty
    assert (state_of(told, T0 + 46 * MINUTE_MS).occupied, state_of(told, T0 + 46 * MINUTE_MS).is_stale) == (50, False)


def test_a_counter_that_runs_away_makes_its_site_unknown() -> None:
    told = story(replace(BARRIER, capacity=50), sites=[LOT])
    told.hear(*(passages(60 * at, 50 * (at // 2 + at % 2), 40 * (at // 2)) for at in range(60))).settle()
    assert {rule for rule, _, _ in told.opened()} == {"counter_drift"}
    told.hear(passages(60 * 60, 1500, 1200))
    assert state_of(told, T0 + 60 * HOUR_MS).unknown == 50


def test_a_retired_sensor_counts_no_more() -> None:
    told = story(replace(bay(1), stage="retired"), bay(2), sites=[MARKT]).hear(say(2, True, 0))
    found = state_of(told, T0 + MINUTE_MS)
    assert (found.occupied, found.unknown) == (1, 3)
