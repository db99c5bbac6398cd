from random import Random

import pytest

from firmware_sim.cabinet import Supply
from firmware_sim.lamp import Lamp, Rating, Wiring
from firmware_sim.moments import parse_time_ms
from firmware_sim.profile import Timeline, parse_profile

START_MS = parse_time_ms("2026-01-10T12:00:00Z")
HOUR_MS = 3_600_000
RATING = Rating(nominal_w=40.0, min_dim_pct=10.0, min_w=6.0)


def lamp(profile: str = "100@dusk;50@23:00;0@dawn", switched: bool = False) -> Lamp:
    timeline = Timeline(parse_profile(profile), 51.30, 12.58, START_MS)
    wiring = Wiring(Supply(Random(1)), "L1", switched)
    return Lamp("NAU-L0001", "naunhof", Random(2), START_MS, 900_000, RATING, wiring, timeline)


@pytest.mark.parametrize(("dim_pct", "power_w"), [(0, 0), (5, 6), (10, 6), (55, 23), (100, 40)])
def test_power_is_linear_between_the_two_points_of_the_type_plate(dim_pct: float, power_w: float) -> None:
    assert RATING.power_w(dim_pct) == pytest.approx(power_w)


def test_energy_is_power_times_time_over_the_whole_night() -> None:
    device = lamp()
    device.count(START_MS)
    before = device.payload_values(device._measured(START_MS))
    device.count(START_MS + 24 * HOUR_MS)
    after = device.payload_values(device._measured(START_MS + 24 * HOUR_MS))
    burning_h = float(after["burning_h"]) - float(before["burning_h"])
    energy_wh = float(after["energy_wh"]) - float(before["energy_wh"])
    assert burning_h == pytest.approx(15.1, abs=1.1)
    lit_full_h, lit_half_h, standby_w = 6.25, 8.9, 0.5
    assert energy_wh == pytest.approx(lit_full_h * 40 + lit_half_h * RATING.power_w(50) + 24 * standby_w, rel=0.06)


def test_voltage_current_and_power_factor_agree_with_the_power() -> None:
    device = lamp()
    for hours in range(24):
        values = device._measured(START_MS + hours * HOUR_MS)
        voltage_v, current_a = float(values["voltage_v"]), float(values["current_a"])
        power_w = voltage_v * current_a * float(values["power_factor"])
        assert power_w == pytest.approx(float(values["power_w"]), rel=0.06, abs=0.1)
        assert 220 < voltage_v < 242


def test_a_switched_lamp_has_no_supply_by_day() -> None:
    device = lamp(switched=True)
    assert not device.has_supply(START_MS)
    assert device.power_w(START_MS) == 0
    assert device.has_supply(START_MS + 6 * HOUR_MS)


def test_at_night_the_driver_is_warmer_than_by_day() -> None:
    device = lamp()
    by_day, by_night = (float(device._measured(START_MS + hours * HOUR_MS)["driver_temp_c"]) for hours in (0, 7))
    assert by_night > by_day + 10
