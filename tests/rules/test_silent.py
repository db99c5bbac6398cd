from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rules.fleet import make_fleet
from rules.silent import K_MAX, K_MIN, Silent
from tests.rules.town import MINUTE_MS, T0, Said, Story, lamp, lamp_series, snapshot, story

INTERVAL_MS = 15 * MINUTE_MS
L1 = lamp(1)


def heard_for_a_while(told: Story, device_id: str, messages: int = 400) -> int:
    """A device that lost nothing; when it was last heard."""
    told.hear(*lamp_series(device_id, [40.0] * messages))
    return T0 + (messages - 1) * INTERVAL_MS


def test_a_device_is_silent_after_more_misses_than_its_radio_loses() -> None:
    told = story(L1)
    last_ms = heard_for_a_while(told, L1.device_id)
    misses = float(told.engine.silent.misses(told.engine.fleet)[0])
    told.tick(last_ms + int((misses - 1) * INTERVAL_MS))
    assert list(told.opened()) == []
    told.tick(last_ms + int((misses + 1) * INTERVAL_MS))
    assert [(rule, subject) for rule, subject, _ in told.opened()] == [("silent", L1.device_id)]


def test_it_is_told_once_and_ends_when_the_device_speaks() -> None:
    told = story(L1)
    last_ms = heard_for_a_while(told, L1.device_id)
    for hours in range(30, 40):
        told.tick(last_ms + hours * 3_600_000)
    told.hear(Said(L1.device_id, last_ms + 41 * 3_600_000, {"power_w": 0.0}, seq=9999))
    assert len(list(told.opened())) == 1
    assert [(rule, subject) for rule, subject, _ in told.closed()] == [("silent", L1.device_id)]


def test_a_lossy_radio_is_given_more_time_than_a_good_one() -> None:
    good, lossy = lamp(1), lamp(2)
    rng = np.random.default_rng(1)
    told = story(good, lossy)
    for at in range(600):
        told.hear(Said(good.device_id, T0 + at * INTERVAL_MS, {"power_w": 40.0}, seq=at + 1))
        if rng.random() > 0.3:
            told.hear(Said(lossy.device_id, T0 + at * INTERVAL_MS, {"power_w": 40.0}, seq=at + 1))
    misses = told.engine.silent.misses(told.engine.fleet)
    assert K_MIN <= misses[0] < misses[1] <= K_MAX


def test_silence_before_we_listened_is_ours() -> None:
    told = story(L1)
    last_ms = heard_for_a_while(told, L1.device_id)
    now_ms = last_ms + 100 * 3_600_000
    told.tick(now_ms, listening_since_ms=now_ms - 1000)
    assert list(told.opened()) == []


@pytest.mark.parametrize("change", [{"stage": "maintenance"}, {"supply": "switched_dusk"}])
def test_devices_that_may_be_silent_are_not_judged(change: dict[str, Any]) -> None:
    told = story(replace(L1, **change))
    last_ms = heard_for_a_while(told, L1.device_id)
    told.tick(last_ms + 100 * 3_600_000)
    assert list(told.opened()) == []


def test_a_device_that_never_spoke_is_not_silent_yet() -> None:
    assert list(story(L1).tick(T0 + 1000 * 3_600_000).opened()) == []


def test_a_circuit_that_falls_silent_is_one_finding_with_its_members() -> None:
    on_line = [lamp(number, cabinet="NAU-C1", circuit="2") for number in range(1, 11)]
    others = [lamp(number) for number in range(11, 60)]
    told = story(*on_line, *others)
    for at in range(10):
        told.hear(
            *[Said(one.device_id, T0 + at * INTERVAL_MS, {"power_w": 40.0}, seq=at + 1) for one in on_line + others]
        )
    now_ms = T0 + 9 * INTERVAL_MS
    for at in range(10, 200):
        now_ms = T0 + at * INTERVAL_MS
        told.hear_at_once(*[Said(one.device_id, now_ms, {"power_w": 40.0}, seq=at + 1) for one in others])
        told.tick(now_ms)
    assert [(rule, subject) for rule, subject, _ in told.opened()] == [("circuit_down", "circuit:NAU-C1/2")]
    told.hear_at_once(*[Said(one.device_id, now_ms, {"power_w": 40.0}, seq=300) for one in on_line]).tick(now_ms + 1000)
    assert [(rule, subject) for rule, subject, _ in told.closed()] == [("circuit_down", "circuit:NAU-C1/2")]


def test_when_most_of_the_region_is_silent_we_look_at_ourselves() -> None:
    everyone = [lamp(number) for number in range(1, 60)]
    told = story(*everyone)
    for at in range(10):
        told.hear_at_once(
            *[Said(one.device_id, T0 + at * INTERVAL_MS, {"power_w": 40.0}, seq=at + 1) for one in everyone]
        )
    for at in range(200, 300):
        told.tick(T0 + at * INTERVAL_MS)
    assert [(rule, subject) for rule, subject, _ in told.opened()] == [("silent_many", "platform")]
    now_ms = T0 + 300 * INTERVAL_MS
    told.hear_at_once(*[Said(one.device_id, now_ms, {"power_w": 40.0}, seq=300) for one in everyone[:-1]])
    told.tick(now_ms + 1000)
    assert [(rule, subject) for rule, subject, _ in told.closed()] == [("silent_many", "platform")]
    assert [(rule, subject) for rule, subject, _ in told.opened()][1:] == [("silent", everyone[-1].device_id)]


def test_a_restart_ends_no_finding_on_devices_that_are_still_mute() -> None:
    on_line = [lamp(number, cabinet="NAU-C1", circuit="2") for number in range(1, 4)]
    others = [lamp(number) for number in range(11, 60)]
    told = story(*on_line, *others)
    told.hear_at_once(*[Said(one.device_id, T0, {"power_w": 40.0}, seq=1) for one in [*on_line, *others]])
    now_ms = T0
    for at in range(1, 10):
        now_ms = T0 + at * INTERVAL_MS
        told.hear_at_once(*[Said(one.device_id, now_ms, {"power_w": 40.0}, seq=at + 1) for one in others])
        told.tick(now_ms)
    assert [(rule, subject) for rule, subject, _ in told.opened()] == [("circuit_down", "circuit:NAU-C1/2")]
    told.tick(now_ms + 1000, listening_since_ms=now_ms)  # we begin to listen anew
    assert list(told.closed()) == []
    told.hear_at_once(*[Said(one.device_id, now_ms + 2000, {"power_w": 40.0}, seq=90) for one in on_line[:2]])
    told.tick(now_ms + 3000, listening_since_ms=now_ms)
    assert [(rule, subject) for rule, subject, _ in told.closed()] == [("circuit_down", "circuit:NAU-C1/2")]


def test_a_circuit_that_the_inventory_no_longer_knows_ends() -> None:
    on_line = [lamp(number, cabinet="NAU-C1", circuit="2") for number in range(1, 4)]
    others = [lamp(number) for number in range(11, 60)]
    told = story(*on_line, *others)
    told.hear_at_once(*[Said(one.device_id, T0, {"power_w": 40.0}, seq=1) for one in [*on_line, *others]])
    for at in range(1, 5):
        now_ms = T0 + at * INTERVAL_MS
        told.hear_at_once(*[Said(one.device_id, now_ms, {"power_w": 40.0}, seq=at + 1) for one in others])
        told.tick(now_ms)
    renamed = [replace(one, circuit="7") for one in on_line]
    told.engine.refresh(snapshot([*renamed, *others], version=2), now_ms)
    told.tick(now_ms)
    assert ("circuit_down", "circuit:NAU-C1/2", 60) in list(told.closed())


@pytest.mark.parametrize("loss", [0.01, 0.1, 0.28])
def test_bursts_of_loss_make_next_to_no_false_silence(loss: float) -> None:
    """A Gilbert radio with bursts of 4 messages: 2,000 device-years hold at most a handful of gaps beyond the limit."""
    rng = np.random.default_rng(7)
    length, messages = 4.0, 30_000
    begins = loss / (1 - loss) / length
    state = Silent()
    devices = [lamp(number) for number in range(20)]
    fleet = make_fleet(snapshot(devices))
    state.grow(len(fleet))
    gaps_seen: list[int] = []
    for number in range(len(devices)):
        starts = rng.random(messages) < begins
        gaps = rng.geometric(1 / length, size=int(starts.sum()))
        state.seen[number], state.gaps[number], state.lost[number] = messages, len(gaps), gaps.sum()
        gaps_seen += gaps.tolist()
    limit = state.misses(fleet)
    years = len(devices) * messages * 15 / (365.25 * 24 * 60)
    assert limit.max() < K_MAX
    # The chance of a gap at the limit, from the same law, stays below one in 1,000 devices and years.
    share = begins * (1 - 1 / length) ** (float(np.median(limit)) - 1) * messages * len(devices) / years
    assert share <= 0.0015
