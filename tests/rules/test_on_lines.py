"""What several devices of a line, or several rules, show together: one finding, with its members."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from core.device import Device
from rules.edges import Opening
from rules.load import built_in, load_text
from rules.plain_words import PlainWords
from tests.rules.town import MINUTE_MS, T0, Said, Story, lamp, story

PHASES = ("L1", "L2", "L3")


def cabinet(name: str = "C1") -> Device:
    """A cabinet with a meter."""
    return Device(device_id=name, kind="cabinet", town="naunhof", interval_s=900)


def row_of_lamps(count: int, circuit: str = "1", first: int = 0, **more: Any) -> list[Device]:
    """Lamps behind the cabinet C1, phase after phase."""
    return [
        lamp(number, cabinet="C1", circuit=circuit, phase=PHASES[number % 3], **more)
        for number in range(first, first + count)
    ]


def shipped(*devices: Device) -> Story:
    """A town with the rules as they are shipped."""
    return story(*devices, own=built_in(date(2026, 1, 10)).rules)


def volts(device: Device, minute: int, volt: float) -> Said:
    """A burning lamp that tells its voltage."""
    return Said(
        device.device_id,
        T0 + minute * MINUTE_MS,
        {"power_w": 40.0 + minute / 100, "dim_pct": 100.0, "voltage_v": volt},
        seq=minute + 1,
    )


def meter(minute: int, volt: Sequence[float], watts: Sequence[float] = (400.0, 400.0, 400.0)) -> Said:
    """What the cabinet's meter tells of its three phases."""
    values = {f"voltage_l{phase}_v": one for phase, one in zip((1, 2, 3), volt, strict=True)}
    values |= {f"power_l{phase}_w": one for phase, one in zip((1, 2, 3), watts, strict=True)}
    return Said("C1", T0 + minute * MINUTE_MS, values, kind="cabinet", seq=minute + 1)


def after_break(number: int, minute: int) -> float:
    """The voltage at a lamp when the star point has moved towards L1."""
    return (181.0, 262.0, 259.0)[number % 3] + number / 10 + minute / 100


def openings(told: Story) -> list[Opening]:
    return [edge for edge in told.edges if isinstance(edge, Opening)]


def test_a_broken_neutral_is_one_finding_of_the_cabinet_at_once() -> None:
    lamps = row_of_lamps(12)
    told = shipped(*lamps)
    for minute in range(0, 90, 15):
        broken = minute >= 30
        told.hear_at_once(
            *(volts(one, minute, after_break(n, minute) if broken else 230.0 + n / 10) for n, one in enumerate(lamps))
        )
    (found,) = openings(told.settle())
    assert (found.rule, found.subject) == ("neutral_break", "cabinet:C1")
    assert found.opened_ms <= T0 + 32 * MINUTE_MS
    assert len(found.members) >= 4


def test_a_broken_neutral_that_is_mended_ends_and_leaves_nothing() -> None:
    lamps = row_of_lamps(12)
    told = shipped(*lamps)
    for minute in range(0, 240, 15):
        broken = 30 <= minute < 75
        told.hear_at_once(
            *(volts(one, minute, after_break(n, minute) if broken else 230.0 + n / 10) for n, one in enumerate(lamps))
        )
    assert len(openings(told.settle())) == 1
    assert [rule for rule, _, _ in told.closed()] == ["neutral_break"]


def test_a_lamp_that_was_told_before_the_neutral_broke_is_not_told_again() -> None:
    lamps = row_of_lamps(12)
    told = shipped(*lamps)
    for minute in range(0, 480, 15):
        broken, weak = 120 <= minute < 180, minute < 360
        usual = [(199.0 if weak and n == 0 else 230.0) + n / 10 + minute / 100 for n in range(12)]
        told.hear_at_once(
            *(volts(one, minute, after_break(n, minute) if broken else usual[n]) for n, one in enumerate(lamps))
        )
    told.settle()
    expected = [("neutral_break", "cabinet:C1"), ("voltage_low", lamps[0].device_id)]
    assert sorted((one.rule, one.subject) for one in openings(told)) == expected
    assert sorted((rule, subject) for rule, subject, _ in told.closed()) == expected


def test_the_meter_tells_it_alone_and_the_lamps_join_it() -> None:
    lamps = row_of_lamps(12)
    told = shipped(cabinet(), *lamps)
    for minute in range(0, 60, 15):
        told.hear_at_once(meter(minute, (181.0, 262.0, 259.0 + minute / 100)))
        told.hear_at_once(*(volts(one, minute + 1, after_break(n, minute)) for n, one in enumerate(lamps)))
    (found,) = openings(told.settle())
    assert (found.rule, found.subject) == ("neutral_break", "cabinet:C1")
    assert {one.name: one.value for one in found.evidence}["voltage_l2_v"] == 262.0


def test_many_lamps_with_too_little_and_one_with_too_much_are_no_broken_neutral() -> None:
    lamps = row_of_lamps(12)
    told = shipped(*lamps)
    for minute in range(0, 90, 15):
        told.hear_at_once(
            *(volts(one, minute, (258.0 if n == 0 else 199.0) + minute / 100) for n, one in enumerate(lamps))
        )
    assert "neutral_break" not in {one.rule for one in openings(told.settle(60))}


COLD = """
[rule.cold]
title_de = "Alle kalt"
kind = "group"
select = 'kind == "lamp"'
when = 'driver_temp_c < cold_c'
by = "circuit"
min = 3
share = 0.5
params = { cold_c = 0 }
"""


def test_a_group_with_a_condition_is_told_on_the_line_and_never_on_one_device() -> None:
    book = load_text(COLD, date(2026, 1, 10))
    assert book.problems == []
    lamps = row_of_lamps(6)

    def said(cold: int, minute: int) -> list[Said]:
        return [
            Said(one.device_id, T0 + minute * MINUTE_MS, {"driver_temp_c": -5.0 if n < cold else 20.0}, seq=minute + 1)
            for n, one in enumerate(lamps)
        ]

    alone = story(*lamps, own=book.rules).hear_at_once(*said(1, 0)).hear_at_once(*said(1, 15)).settle(60)
    assert alone.edges == []
    together = story(*lamps, own=book.rules).hear_at_once(*said(4, 0)).hear_at_once(*said(4, 15)).settle(60)
    assert [(one.rule, one.subject) for one in openings(together)] == [("cold", "circuit:C1/1")]
    ended = together.hear_at_once(*said(0, 90)).hear_at_once(*said(0, 105)).settle(60)
    assert [(rule, subject) for rule, subject, _ in ended.closed()] == [("cold", "circuit:C1/1")]


def test_the_words_of_such_a_rule_say_how_many_it_takes() -> None:
    plain = PlainWords(load_text(COLD, date(2026, 1, 10)).rules["cold"]).looks_for()
    assert plain.endswith("Gemeldet wird es erst, wenn an einem Strang mindestens 3 Geräte und 50 % das zeigen.")


def test_a_cabinet_whose_lamps_should_burn_and_that_feeds_nothing() -> None:
    lamps = row_of_lamps(12)
    told = shipped(cabinet(), *lamps)
    for minute in range(0, 90, 15):
        told.hear_at_once(
            meter(minute, (230.0, 231.0, 229.0), (1.0 + minute / 1000, 1.0, 1.0)),
            *(Said(one.device_id, T0 + minute * MINUTE_MS, {"rssi_dbm": -90.0}, seq=minute + 1) for one in lamps),
        )
    assert [(one.rule, one.subject) for one in openings(told.settle())] == [("feed_dead", "C1")]


def test_what_lamps_tell_by_themselves_explains_what_their_cabinet_measures() -> None:
    lamps = row_of_lamps(12)
    told = shipped(cabinet(), *lamps)
    for minute in range(0, 120, 15):
        told.hear_at_once(
            meter(minute, (230.0, 231.0, 229.0), (1.0 + minute / 1000, 1.0, 1.0)),
            *(
                Said(
                    one.device_id,
                    T0 + minute * MINUTE_MS,
                    {"power_w": 0.4 + minute / 1000, "dim_pct": 0.0, "voltage_v": 230.0 + minute / 100},
                    seq=minute + 1,
                )
                for one in lamps
            ),
        )
    assert [(one.rule, one.subject) for one in openings(told.settle())] == [("not_on", "circuit:C1/1")]
