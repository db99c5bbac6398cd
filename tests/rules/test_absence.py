"""Who should have spoken and did not, over a small region: the highest thing that explains it has the one finding."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import pytest

from core.device import Device
from core.reading import Scalar
from tests.rules.town import MINUTE_MS, T0, Said, Story, lamp, snapshot, story

STEP_MS = 15 * MINUTE_MS
HOUR_MS = 60 * MINUTE_MS
FED = [lamp(number, cabinet="C1", circuit="1") for number in range(40)]
BESIDE = [lamp(number, cabinet="C1", circuit="2") for number in range(40, 60)]
AWAY = [lamp(number, cabinet="C2", circuit="1") for number in range(60, 90)]
REGION = [*FED, *BESIDE, *AWAY]
Speaks = Callable[[int, Device], bool]


def speak(
    told: Story,
    steps: Iterable[int],
    devices: Sequence[Device] = REGION,
    speaks: Speaks = lambda _, __: True,
    gateway: str = "gw1",
) -> Story:
    """At each step each device that speaks says that it is there."""
    for at in steps:
        said = [
            Said(one.device_id, T0 + at * STEP_MS + 1000 * place, {"voltage_v": 230.0, "gateway": gateway}, seq=at + 1)
            for place, one in enumerate(devices)
            if speaks(at, one)
        ]
        told.hear_at_once(*said).tick(T0 + at * STEP_MS + 2 * MINUTE_MS)
    return told


def names(told: Story) -> list[tuple[str, str]]:
    return [(rule, subject) for rule, subject, _ in told.opened()]


def ends(told: Story) -> list[tuple[str, str]]:
    return [(rule, subject) for rule, subject, _ in told.closed()]


def test_a_feeder_that_is_cut_is_one_finding_with_its_forty_lamps() -> None:
    told = speak(story(*REGION), range(96))
    assert names(told) == []
    speak(told, range(96, 192), speaks=lambda _, one: one not in FED)
    assert names(told) == [("circuit_down", "circuit:C1/1")]
    (opening,) = told.edges
    assert sorted(one.device_id for one in FED) == list(getattr(opening, "members", ()))
    assert told.engine.judgement.conditions()[1].sum() == 40
    speak(told, range(192, 288))
    assert ends(told) == [("circuit_down", "circuit:C1/1")]
    assert len(names(told)) == 1, "who was explained has no finding of its own"


def test_a_lamp_that_was_silent_before_keeps_its_own() -> None:
    silent = FED[7]
    told = speak(story(*REGION), range(96))
    speak(told, range(96, 200), speaks=lambda _, one: one is not silent)
    assert names(told) == [("silent", silent.device_id)]
    speak(told, range(200, 260), speaks=lambda _, one: one not in FED)
    assert names(told)[1:] == [("circuit_down", "circuit:C1/1")]
    speak(told, range(260, 360), speaks=lambda _, one: one is not silent)
    assert ends(told) == [("circuit_down", "circuit:C1/1")]
    assert ("silent", silent.device_id, str(T0 + 95 * STEP_MS + 7000)) in told.engine.open_findings()


def test_what_is_still_quiet_after_restoring_gets_its_own_a_full_time_later() -> None:
    stays = FED[3]
    told = speak(story(*REGION), range(96))
    speak(told, range(96, 130), speaks=lambda _, one: one not in FED)
    speak(told, range(130, 132), speaks=lambda _, one: one is not stays)
    assert ends(told) == [("circuit_down", "circuit:C1/1")]
    assert names(told) == [("circuit_down", "circuit:C1/1")], "it has time to speak again"
    speak(told, range(132, 260), speaks=lambda _, one: one is not stays)
    assert names(told)[1:] == [("silent", stays.device_id)]


def test_a_whole_cabinet_that_goes_down_is_one_finding() -> None:
    gone = {*FED, *BESIDE}
    told = speak(story(*REGION), range(96))
    speak(told, range(96, 140), speaks=lambda _, one: one not in gone)
    assert [subject for _, subject in names(told)] == ["cabinet:C1"]


def test_one_phase_of_a_circuit_that_fails_is_the_phases() -> None:
    lamps = [lamp(number, cabinet="C1", circuit="1", phase=f"L{number % 3 + 1}") for number in range(30)]
    told = speak(story(*lamps, *AWAY), range(96), [*lamps, *AWAY])
    speak(told, range(96, 140), [*lamps, *AWAY], lambda _, one: one.phase != "L2")
    assert names(told) == [("phase_down", "phase:C1/1/L2")]


def test_three_lamps_are_enough_for_a_circuit_and_two_are_not() -> None:
    three = [lamp(number, cabinet="C9", circuit="1") for number in range(100, 103)]
    two = [lamp(number, cabinet="C8", circuit="1") for number in range(110, 112)]
    told = speak(story(*REGION, *three, *two), range(96), [*REGION, *three, *two])
    speak(told, range(96, 300))
    assert sorted(names(told)) == [
        ("circuit_down", "circuit:C9/1"), *[("silent", one.device_id) for one in two],
    ]  # fmt: skip


# -- gateways and ourselves --------------------------------------------------------------------------------------------


def test_six_hours_without_a_gateway_are_one_finding_and_what_it_kept_raises_none() -> None:
    """Half the region hangs on gw2; its readings come when it is back."""
    far, near = REGION[:45], REGION[45:]
    told = story(*REGION)
    for at in range(96):
        speak(told, [at], near)
        speak(told, [at], far, gateway="gw2")
    speak(told, range(96, 120), near)
    assert names(told) == [("gateway_down", "gateway:gw2")]
    back_ms = T0 + 120 * STEP_MS
    kept = []
    for at in range(96, 120):  # dark for some hours meanwhile
        values: dict[str, Scalar] = {"power_w": 0.4 if at < 110 else 40.0, "dim_pct": 100.0, "gateway": "gw2"}
        for place, one in enumerate(far):
            t_ms = T0 + at * STEP_MS + 1000 * place
            kept.append(Said(one.device_id, t_ms, values, seq=at + 1, late_ms=back_ms - t_ms))
    told.hear_at_once(*kept).tick(back_ms + 2 * MINUTE_MS)
    for at in range(120, 160):
        speak(told, [at], near)
        speak(told, [at], far, gateway="gw2")
    assert names(told) == [("gateway_down", "gateway:gw2")]
    assert ends(told) == [("gateway_down", "gateway:gw2")]


def test_while_nobody_can_reach_us_nobody_grows_silent() -> None:
    told = speak(story(*REGION), range(96))
    told.tick(T0 + (96 + 72 * 4) * STEP_MS, hears=False)
    begin = 96 + 72 * 4
    speak(told, range(begin, begin + 4), speaks=lambda _, one: one is not FED[0])
    assert names(told) == []
    speak(told, range(begin + 4, begin + 120), speaks=lambda _, one: one is not FED[0])
    assert names(told) == [("silent", FED[0].device_id)]


def test_when_nobody_at_all_is_heard_it_is_our_own_ear() -> None:
    far, near = REGION[:45], REGION[45:]
    told = story(*REGION)
    for at in range(96):
        speak(told, [at], near)
        speak(told, [at], far, gateway="gw2")
    told.tick(T0 + 140 * STEP_MS)
    assert names(told) == [("silent_many", "platform")]
    for at in range(141, 300):
        speak(told, [at], near)
        speak(told, [at], far, lambda _, one: one is not FED[0], gateway="gw2")
    assert ends(told) == [("silent_many", "platform")]
    assert names(told)[1:] == [("silent", FED[0].device_id)]


def test_having_been_away_ends_nothing_and_begins_nothing() -> None:
    told = speak(story(*REGION), range(96))
    for at in range(96, 110):
        speak(told, [at], BESIDE)
        speak(told, [at], AWAY)
    assert names(told) == [("circuit_down", "circuit:C1/1")]
    told.engine.away(T0 + 200 * STEP_MS)
    told.tick(T0 + 200 * STEP_MS)
    speak(told, range(200, 210), [*BESIDE, *AWAY])
    assert (len(names(told)), ends(told)) == (1, [])


@pytest.mark.parametrize("how", ["hears", "away"])
def test_a_gateway_and_ourselves_are_down_until_they_are_heard(how: str) -> None:
    far, near = REGION[:45], REGION[45:]
    told = story(*REGION)
    for at in range(96):
        speak(told, [at], near)
        speak(told, [at], far, gateway="gw2")
    speak(told, range(96, 110), near)
    assert names(told) == [("gateway_down", "gateway:gw2")]
    if how == "away":
        told.engine.away(T0 + 130 * STEP_MS)
    else:
        told.tick(T0 + 130 * STEP_MS, hears=False)
    speak(told, range(131, 140), near)
    assert ends(told) == []


def test_a_receiver_that_is_a_device_has_one_finding_of_its_own() -> None:
    receiver = Device(device_id="gw2", kind="gateway", town="naunhof", interval_s=300)
    far, near = REGION[:45], REGION[45:]
    told = story(*REGION, receiver)
    for at in range(96):
        speak(told, [at], near)
        speak(told, [at], far, gateway="gw2")
        told.hear(Said("gw2", T0 + at * STEP_MS + 100_000, {"temp_c": 20.0}, kind="gateway", seq=at + 1))
    speak(told, range(96, 192), near)
    assert names(told) == [("gateway_down", "gateway:gw2")]


# -- who may be silent -------------------------------------------------------------------------------------------------


def test_it_is_told_once_and_ends_when_the_device_speaks() -> None:
    told = speak(story(*REGION), range(96))
    speak(told, range(96, 250), speaks=lambda _, one: one is not FED[0])
    speak(told, range(250, 252))
    assert names(told) == ends(told) == [("silent", FED[0].device_id)]


def test_a_device_that_never_spoke_has_a_finding_that_says_so() -> None:
    told = speak(story(*REGION), range(400), speaks=lambda _, one: one is not FED[0])
    assert names(told) == [("never_reported", FED[0].device_id)]


def test_a_lamp_without_power_by_day_may_be_silent_by_day() -> None:
    place = {"lat": 51.28, "lon": 12.59, "supply": "switched_dusk"}
    switched = [replace(one, **place) for one in FED]  # type: ignore[arg-type]  # texts and numbers in their places
    told = story(*switched, *AWAY)
    dark = [(at, hour) for at in range(4 * 96) for hour in [(18 + at / 4) % 24]]
    by_night = {at for at, hour in dark if hour >= 16 or hour < 6.75}
    speak(told, range(4 * 96), [*switched, *AWAY], lambda at, one: one in AWAY or at in by_night)
    assert names(told) == []
    speak(told, range(4 * 96, 6 * 96), [*switched, *AWAY], lambda at, one: one in AWAY)
    assert [subject for _, subject in names(told)] in (["circuit:C1/1"], ["cabinet:C1"])


@pytest.mark.parametrize("stage", ["planned", "installed", "maintenance", "retired"])
def test_who_is_out_of_service_may_be_silent(stage: str) -> None:
    resting = replace(FED[0], stage=stage)
    told = speak(story(*REGION[1:], resting), range(192), REGION[1:])
    assert names(told) == []


def test_silence_of_a_device_that_goes_out_of_service_ends_for_that_reason() -> None:
    told = speak(story(*REGION), range(96))
    speak(told, range(96, 250), speaks=lambda _, one: one is not FED[0])
    told.engine.refresh(snapshot([replace(FED[0], stage="maintenance"), *REGION[1:]], version=2), told.clock_ms)
    speak(told, range(250, 252), REGION[1:])
    assert ends(told) == [("silent", FED[0].device_id)]
    assert getattr(told.edges[-1], "reason", "") == "Das Gerät ist nicht mehr in Betrieb."


def test_a_circuit_that_the_inventory_no_longer_knows_ends() -> None:
    told = speak(story(*REGION), range(96))
    speak(told, range(96, 110), [*BESIDE, *AWAY])
    assert names(told) == [("circuit_down", "circuit:C1/1")]
    renamed = [replace(one, circuit="7") for one in FED]
    told.engine.refresh(snapshot([*renamed, *BESIDE, *AWAY], version=2), told.clock_ms)
    speak(told, range(110, 112), [*BESIDE, *AWAY])
    assert ("circuit_down", "circuit:C1/1") in ends(told)
