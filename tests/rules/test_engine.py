import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from types import FrameType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.device import Device, Site
from core.reading import concat
from rules.batch import make_batch
from rules.engine import Engine
from rules.fleet import make_fleet
from tests.rules.town import MINUTE_MS, T0, Said, Story, bay, lamp, lamp_series, readings, rules, snapshot, story

STEP_MS = 15 * MINUTE_MS
HOUR_MS = 60 * MINUTE_MS


def calls_for(devices: int) -> int:
    """How many Python and C functions two steps and the ticks between call, with so many devices that all speak."""
    sites = [Site(site="markt", town="naunhof", capacity=5)]
    lamps = [lamp(number, cabinet="C", circuit=str(number // 50)) for number in range(devices)]
    bays = [bay(number) for number in range(devices)]
    engine = Engine(snapshot([*lamps, *bays], sites), rules(), T0)
    said = [
        *(
            Said(one.device_id, T0 + at * STEP_MS, {"power_w": 40.0, "dim_pct": 100.0, "gateway": "gw"}, seq=at + 1)
            for one in lamps
            for at in range(2)
        ),
        *(
            Said(one.device_id, T0 + at, {"occupied": True}, kind="parking", seq=at + 1)
            for one in bays
            for at in range(2)
        ),
    ]
    batch = readings(said)
    counted: Counter[str] = Counter()

    def count(_frame: FrameType, what: str, _argument: object) -> None:
        counted[what] += 1

    sys.setprofile(count)
    try:
        engine.advance(engine.batch(batch))
        engine.step(T0 + STEP_MS, hears=True)
        engine.step(T0 + 2 * STEP_MS, hears=True)
    finally:
        sys.setprofile(None)
    return counted["call"] + counted["c_call"]


def test_as_many_calls_for_ten_thousand_devices_as_for_ten() -> None:
    calls_for(10)  # the first time numpy loads parts of itself
    few, many = calls_for(10), calls_for(10_000)
    assert few > 50, "nothing was counted"
    assert many <= few + 10  # a garbage collection in between may call something of its own


# -- order, grouping, lateness -----------------------------------------------------------------------------------------

LAMPS = [lamp(number) for number in range(3)]
OTHER = lamp(9).device_id
power = st.sampled_from([0.5, 0.5, 40.0, 9.0, 30.0])
sample = st.tuples(st.integers(0, 2), st.integers(0, 30), power, st.sampled_from([0.0, 10.0, 100.0]))
samples_st = st.lists(sample, max_size=60, unique_by=lambda one: one[:2])


def said_of(samples: Sequence[tuple[int, int, float, float]]) -> list[Said]:
    """A sample is (lamp, step, watts, level)."""
    return [
        Said(LAMPS[who].device_id, T0 + at * STEP_MS, {"power_w": watts, "dim_pct": dim}, seq=at + 1)
        for who, at, watts, dim in samples
    ]


def told_of(found: Story) -> list[str]:
    """All that began and ended, with everything that is told of it."""
    return sorted(repr(edge) for edge in found.edges)  # NaN is equal to itself there


def by_minutes(said: Sequence[Said], cuts: Sequence[int], end_min: int = 8 * 60) -> Story:
    """Each reading reaches us when it was received, and the clock goes on in steps of these minutes."""
    found, waiting, now_ms, place = story(*LAMPS, lamp(9)), list(said), T0, 0
    while now_ms < T0 + end_min * MINUTE_MS:
        now_ms = min(now_ms + cuts[place % len(cuts)] * MINUTE_MS, T0 + end_min * MINUTE_MS)
        place += 1
        came = [one for one in waiting if one.t_ms + one.late_ms <= now_ms]
        waiting = [one for one in waiting if one.t_ms + one.late_ms > now_ms]
        if came:
            found.engine.advance(found.engine.batch(readings(came)))
        found.tick(now_ms)
    return found


@settings(max_examples=25, deadline=None)
@given(samples=samples_st, seed=st.integers(0, 2**16), steps=st.lists(st.integers(1, 90), min_size=1, max_size=6))
def test_order_grouping_duplicates_and_delay_within_the_allowance_change_nothing(
    samples: list[tuple[int, int, float, float]], seed: int, steps: list[int]
) -> None:
    said = said_of(samples)
    others = [Said(OTHER, T0 + at * 5 * MINUTE_MS, {"voltage_v": 230.0}, seq=at + 1, late_ms=0) for at in range(96)]
    in_order = by_minutes([*others, *sorted(said, key=lambda one: one.t_ms)], [5])
    rng = np.random.default_rng(seed)
    delayed = [replace(one, late_ms=int(rng.integers(0, 60_000))) for one in said]
    rng.shuffle(delayed)
    doubled = [*delayed, *delayed[: len(delayed) // 2]]
    found = by_minutes([*others, *doubled], [*steps, 8 * 60])
    assert told_of(found) == told_of(in_order)


@settings(max_examples=25, deadline=None)
@given(
    samples=samples_st,
    delays=st.lists(st.sampled_from([0, 0, 0, 20, 40, 90]), min_size=60, max_size=60),
    cuts=st.lists(st.integers(5, 45), min_size=1, max_size=4),
)
def test_what_comes_late_leaves_open_what_is_open_when_all_comes_in_time(
    samples: list[tuple[int, int, float, float]], delays: list[int], cuts: list[int]
) -> None:
    said = said_of(samples)
    late = [replace(one, late_ms=delay * MINUTE_MS + 500) for one, delay in zip(said, delays, strict=False)]
    in_order, found = by_minutes(said, [30], 12 * 60), by_minutes(late, cuts, 12 * 60)
    assert open_on_samples(found) == open_on_samples(in_order)


@settings(max_examples=25, deadline=None)
@given(
    samples=samples_st,
    delays=st.lists(st.sampled_from([0, 0, 0, 20, 40, 90, 200]), min_size=60, max_size=60),
    cuts=st.lists(st.integers(5, 200), min_size=1, max_size=4),
)
def test_what_comes_late_is_told_the_same_in_pieces_of_any_length(
    samples: list[tuple[int, int, float, float]], delays: list[int], cuts: list[int]
) -> None:
    """Several lamps, each with late samples at minutes of its own, judged in one piece or minute by minute."""
    said = said_of(samples)
    late = [replace(one, late_ms=delay * MINUTE_MS + 500) for one, delay in zip(said, delays, strict=False)]
    assert told_of(by_minutes(late, cuts)) == told_of(by_minutes(late, [1]))


def open_on_samples(told: Story) -> set[tuple[str, int]]:
    """(rule, device) of all episodes that rules about samples have open, told or not yet."""
    judges = told.engine.judgement.court.judges
    everyone = np.arange(len(told.engine.fleet))
    return {(name, device) for name, judge in judges.items() for device in judge.open_on(everyone)}


@settings(max_examples=20, deadline=None)
@given(delay_h=st.integers(2, 9), watts=st.lists(st.sampled_from([0.5, 40.0]), min_size=8, max_size=16))
def test_nothing_is_opened_for_the_past(delay_h: int, watts: list[float]) -> None:
    """All of it comes hours later, at once."""
    said = lamp_series(LAMPS[0].device_id, watts)
    end_ms = said[-1].t_ms + delay_h * HOUR_MS
    found = by_minutes([replace(one, late_ms=end_ms - one.t_ms) for one in said], [10], 30 * 60)
    assert [rule for rule, _, _ in found.opened() if rule not in ("silent", "never_reported", "silent_many")] == []


# -- snapshots ---------------------------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(cut=st.integers(0, 40), seed=st.integers(0, 1000), late_ms=st.sampled_from([500, 40_000]))
def test_a_snapshot_at_any_point_is_the_same_engine(cut: int, seed: int, late_ms: int) -> None:
    rng = np.random.default_rng(seed)
    lamps = [lamp(number, cabinet="C", circuit="1") for number in range(4)]
    parts = [lamp_series(one.device_id, rng.choice([0.5, 40.0], size=10).tolist()) for one in lamps]
    said = sorted((replace(one, late_ms=late_ms) for part in parts for one in part), key=lambda one: one.t_ms)
    whole = story(*lamps).hear(*said).settle(40)
    first = story(*lamps).hear(*said[:cut])
    second = story(*lamps)
    assert second.engine.restore(first.engine.to_bytes(cut), snapshot(lamps)) == cut
    second.clock_ms = first.clock_ms
    second.hear(*said[cut:]).settle(40)
    assert repr([*first.edges, *second.edges]) == repr(whole.edges)
    assert second.engine.to_bytes(9) == whole.engine.to_bytes(9)


def test_silence_goes_on_after_a_snapshot_as_if_there_had_been_none() -> None:
    lamps = [lamp(number, cabinet="C", circuit=str(number % 2)) for number in range(12)]
    said = [one for each in lamps[6:] for one in lamp_series(each.device_id, [40.0] * 60)]
    said += [one for each in lamps[:6] for one in lamp_series(each.device_id, [40.0] * 12)]
    said.sort(key=lambda one: one.t_ms)
    whole = story(*lamps).hear(*said)
    assert whole.edges
    for cut in range(0, len(said), 97):
        first, second = story(*lamps).hear(*said[:cut]), story(*lamps)
        second.engine.restore(first.engine.to_bytes(cut), snapshot(lamps))
        second.clock_ms = first.clock_ms
        second.hear(*said[cut:])
        assert repr([*first.edges, *second.edges]) == repr(whole.edges), cut


@pytest.mark.parametrize("keep", [0, 10, 5000, -100])
def test_what_is_no_whole_snapshot_is_refused(keep: int) -> None:
    told = story(lamp(1))
    data = told.engine.to_bytes(1)
    part = data[:keep]
    with pytest.raises(ValueError, match="no whole snapshot"):
        told.engine.restore(part, snapshot([lamp(1)]))


def test_a_snapshot_of_another_form_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    told = story(lamp(1))
    monkeypatch.setattr("rules.engine.SNAPSHOT_FORM", 1)
    data = told.engine.to_bytes(1)
    monkeypatch.undo()
    with pytest.raises(ValueError, match="a snapshot of form 1"):
        told.engine.restore(data, snapshot([lamp(1)]))


def test_a_snapshot_of_fewer_devices_and_other_rules_is_taken_up() -> None:
    told = story(lamp(1)).hear(*lamp_series("NAU-L00001", [0.5] * 4)).settle()
    data = told.engine.to_bytes(7)
    others = {name: rule for name, rule in rules().items() if name != "pf_low"}
    later = Engine(snapshot([lamp(1), lamp(2), lamp(3)], version=2), others, T0)
    assert later.restore(data, snapshot([lamp(1), lamp(2), lamp(3)], version=2)) == 7
    assert later.open_findings() == {("lamp_out", "NAU-L00001", str(T0))}
    story_of_it = Story(later, clock_ms=told.clock_ms)
    story_of_it.hear(*lamp_series("NAU-L00001", [*[None] * 4, 40.0, 40.0])).settle()
    assert [(rule, subject) for rule, subject, _ in story_of_it.closed()] == [("lamp_out", "NAU-L00001")]


# -- inventory ---------------------------------------------------------------------------------------------------------


def test_devices_keep_their_numbers_when_the_inventory_changes() -> None:
    before = make_fleet(snapshot([lamp(5), lamp(7)]))
    after = make_fleet(
        snapshot([lamp(1), lamp(7), lamp(9)], version=2), [device.device_id for device in before.devices]
    )
    assert [device.device_id for device in after.devices] == ["NAU-L00005", "NAU-L00007", "NAU-L00001", "NAU-L00009"]
    assert after.live.tolist() == [False, True, True, True]


def dark_lamp(*others: Device) -> Story:
    """A lamp with an open finding."""
    told = story(lamp(1), *others).hear(*lamp_series("NAU-L00001", [0.5, 0.5, 0.5])).settle()
    assert list(told.opened()) == [("lamp_out", "NAU-L00001", 0)]
    return told


def test_what_is_open_on_a_device_that_goes_out_of_service_ends() -> None:
    told = dark_lamp(lamp(2))
    edges = told.engine.refresh(snapshot([lamp(1, stage="maintenance"), lamp(2)], version=2), T0)
    assert [(one.rule, one.subject, one.episode) for one in edges] == [("lamp_out", "NAU-L00001", str(T0))]
    assert told.engine.open_findings() == set()


@pytest.mark.parametrize("stage", ["planned", "installed", "maintenance", "retired"])
def test_only_live_lamps_are_judged(stage: str) -> None:
    told = story(replace(lamp(1), stage=stage)).hear(*lamp_series("NAU-L00001", [0.5] * 6))
    assert not list(told.settle().tick(T0 + 200 * HOUR_MS).opened())


def test_a_device_that_comes_back_begins_anew() -> None:
    told = dark_lamp()
    told.engine.refresh(snapshot([lamp(1, stage="maintenance")], version=2), T0)
    told.engine.refresh(snapshot([lamp(1)], version=3), T0)
    told.hear(*lamp_series("NAU-L00001", [*[None] * 4, 0.5])).settle()
    assert len(list(told.opened())) == 1
    told.hear(*lamp_series("NAU-L00001", [*[None] * 5, 0.5, 0.5])).settle()
    assert list(told.opened())[1:] == [("lamp_out", "NAU-L00001", 60)]


# -- what is seen at once ----------------------------------------------------------------------------------------------


def test_rounds_hold_each_device_once_and_in_the_order_of_the_journal() -> None:
    fleet = make_fleet(snapshot([lamp(1), lamp(2)]))
    said = [Said("NAU-L00001", T0 + at, {"power_w": 1.0}, seq=at) for at in (3, 1, 2)]
    batch = make_batch(concat([readings(said), readings([Said("NAU-L00002", T0, {"power_w": 1.0}, seq=1)])]), fleet)
    rounds = [sorted(rows.tolist()) for rows in batch.rounds(np.arange(4))]
    assert rounds == [[0, 3], [1], [2]]


def test_the_latest_values_are_those_of_the_newest_measurement_of_each() -> None:
    told = story(lamp(1))
    told.hear_at_once(
        Said("NAU-L00001", T0 + 2, {"power_w": 2.0}, seq=2),
        Said("NAU-L00001", T0 + 1, {"power_w": 1.0, "voltage_v": 230.0, "gateway": "gw7"}, seq=1),
    )
    values, times = told.engine.latest.of(0, told.engine.fleet)
    assert values == {"power_w": 2.0, "voltage_v": 230.0, "gateway": "gw7"}
    assert times == {"power_w": T0 + 2, "voltage_v": T0 + 1, "gateway": T0 + 1}
