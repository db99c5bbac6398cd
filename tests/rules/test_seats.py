"""Memories for some devices only: each keeps its own, whoever gets a seat or gives it up."""

from collections.abc import Sequence

import numpy as np

from core.device import Device
from rules.engine import Engine
from rules.nominal import Nominal
from rules.seats import Seated
from tests.rules.town import T0, lamp, rules, snapshot

EVERYONE = np.arange(4)


def lamps(nominal_w: Sequence[float | None]) -> list[Device]:
    return [lamp(number, nominal_w=power_w) for number, power_w in enumerate(nominal_w)]


def nominal_of(engine: Engine) -> Seated[Nominal]:
    return engine.judgement.court.memories.nominal


def learned(engine: Engine) -> list[float | None]:
    """What each lamp has been seen to draw at 100 %; None = it has no seat."""
    held = [nominal_of(engine).held_of(device) for device in EVERYONE.tolist()]
    return [float(one["value_w"]) if one else None for one in held]


def taught(nominal_w: Sequence[float | None]) -> Engine:
    """An engine in which every lamp with a seat has learned 10 W for each step of its number."""
    engine = Engine(snapshot(lamps(nominal_w)), rules(), T0)
    for device in EVERYONE.tolist():
        nominal_of(engine).put_one(device, {"value_w": 10.0 * device})
    return engine


def test_only_who_has_no_nominal_power_has_a_seat() -> None:
    assert learned(taught([None, 40.0, None, None])) == [0.0, None, 20.0, 30.0]


def test_who_gets_or_gives_up_a_seat_leaves_the_others_alone() -> None:
    engine = taught([None, 40.0, None, None])
    engine.refresh(snapshot(lamps([40.0, None, None, 40.0]), version=2), T0)
    assert np.array_equal(np.array(learned(engine), dtype=float), [np.nan, np.nan, 20.0, np.nan], equal_nan=True)


def test_an_inventory_that_changed_while_we_were_away_leaves_everyone_his_own() -> None:
    data = taught([None, 40.0, None, None]).to_bytes(1)
    today = snapshot(lamps([40.0, None, None, None]), version=2)
    engine = Engine(today, rules(), T0)
    engine.restore(data, today)
    assert np.array_equal(np.array(learned(engine), dtype=float), [np.nan, np.nan, 20.0, 30.0], equal_nan=True)


def test_a_state_from_before_others_had_seats_is_put_back_to_whom_it_was() -> None:
    engine = taught([None, 40.0, None, None])
    state = engine.judgement.court.state()
    engine.refresh(snapshot(lamps([40.0, None, None, None]), version=2), T0)
    nominal_of(engine).put_one(2, {"value_w": 99.0})
    engine.judgement.court.put(EVERYONE, state)
    assert np.array_equal(np.array(learned(engine), dtype=float), [np.nan, np.nan, 20.0, 30.0], equal_nan=True)
