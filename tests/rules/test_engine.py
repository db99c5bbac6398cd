import sys
from collections import Counter
from types import FrameType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.device import Site
from core.reading import concat
from rules.batch import make_batch
from rules.engine import Engine
from rules.fleet import make_fleet
from tests.rules.town import MINUTE_MS, T0, Said, bay, lamp, lamp_series, readings, snapshot, story

STEP_MS = 15 * MINUTE_MS


def calls_for(devices: int) -> int:
    """How many Python and C functions one batch and one tick call, with so many devices that all speak twice."""
    sites = [Site(site="markt", town="naunhof", capacity=5)]
    lamps = [lamp(number, cabinet="C", circuit=str(number // 50)) for number in range(devices)]
    bays = [bay(number) for number in range(devices)]
    engine = Engine(snapshot([*lamps, *bays], sites))
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
        engine.tick(T0 + STEP_MS, T0)
    finally:
        sys.setprofile(None)
    return counted["call"] + counted["c_call"]


def test_as_many_calls_for_ten_thousand_devices_as_for_ten() -> None:
    calls_for(10)  # the first time numpy loads parts of itself
    few, many = calls_for(10), calls_for(10_000)
    assert few > 50, "nothing was counted"
    assert many <= few + 10  # a garbage collection in between may call something of its own


power = st.sampled_from([0.5, 0.5, 40.0, 9.0, 30.0])
sample = st.tuples(st.integers(0, 2), st.integers(0, 30), power, st.sampled_from([0.0, 10.0, 100.0]))


@settings(max_examples=150, deadline=None)
@given(samples=st.lists(sample, max_size=60, unique_by=lambda one: one[:2]), seed=st.integers(0, 2**16))
def test_how_readings_are_grouped_changes_nothing(samples: list[tuple[int, int, float, float]], seed: int) -> None:
    """In whatever order they come; one by one, all at once, or in any groups."""
    lamps = [lamp(number) for number in range(3)]
    said = [
        Said(lamps[who].device_id, T0 + at * STEP_MS, {"power_w": watts, "dim_pct": dim}, seq=at + 1)
        for who, at, watts, dim in samples
    ]
    one_by_one = story(*lamps).hear(*said)
    grouped = story(*lamps)
    rng = np.random.default_rng(seed)
    cuts = sorted(rng.integers(0, len(said) + 1, size=4).tolist())
    for begin, end in zip([0, *cuts], [*cuts, len(said)], strict=True):
        if end > begin:
            grouped.hear_at_once(*said[begin:end])
    assert sorted(grouped.opened()) == sorted(one_by_one.opened())
    assert sorted(grouped.closed()) == sorted(one_by_one.closed())


@settings(max_examples=60, deadline=None)
@given(cut=st.integers(0, 40), seed=st.integers(0, 1000))
def test_a_snapshot_at_any_point_is_the_same_engine(cut: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    lamps = [lamp(number, cabinet="C", circuit="1") for number in range(4)]
    parts = [lamp_series(one.device_id, rng.choice([0.5, 40.0], size=10).tolist()) for one in lamps]
    said = sorted((one for part in parts for one in part), key=lambda one: one.t_ms)
    whole = story(*lamps).hear(*said)
    first = story(*lamps).hear(*said[:cut])
    inventory = snapshot(lamps)
    second = story(*lamps)
    open_now = [
        ("lamp_out", device.device_id, str(since), int(since))
        for device, since in zip(first.engine.fleet.devices, first.engine.lamp_out.open_since_ms.tolist(), strict=True)
        if since >= 0
    ]
    assert second.engine.restore(first.engine.to_bytes(cut), inventory) == cut
    second.engine.know_open(open_now)
    second.hear(*said[cut:])
    assert [*first.opened(), *second.opened()] == list(whole.opened())
    assert [*first.closed(), *second.closed()] == list(whole.closed())
    assert second.engine.to_bytes(9) == whole.engine.to_bytes(9)


def test_a_snapshot_of_another_form_is_refused() -> None:
    told = story(lamp(1))
    data = told.engine.to_bytes(1)
    with pytest.raises(ValueError, match="no whole snapshot"):
        told.engine.restore(data[: len(data) // 2], snapshot([lamp(1)]))


def test_devices_keep_their_numbers_when_the_inventory_changes() -> None:
    before = make_fleet(snapshot([lamp(5), lamp(7)]))
    after = make_fleet(
        snapshot([lamp(1), lamp(7), lamp(9)], version=2), [device.device_id for device in before.devices]
    )
    assert [device.device_id for device in after.devices] == ["NAU-L00005", "NAU-L00007", "NAU-L00001", "NAU-L00009"]
    assert after.live.tolist() == [False, True, True, True]


def test_what_is_open_on_a_device_that_goes_out_of_service_ends() -> None:
    told = story(lamp(1), lamp(2))
    told.hear(*lamp_series("NAU-L00001", [0.5, 0.5, 0.5]))
    edges = told.engine.refresh(snapshot([lamp(1, stage="maintenance"), lamp(2)], version=2), T0)
    assert [(one.rule, one.subject, one.episode) for one in edges] == [("lamp_out", "NAU-L00001", str(T0))]


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
