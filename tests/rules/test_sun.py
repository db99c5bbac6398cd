"""The sun against what the domain notes computed for Naunhof, and against the simulator's own, other formula."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from firmware_sim import sky
from rules.sun import DAY_MS, crossings, sun_elevation_deg

LAT, LON = 51.30, 12.58
EPOCH = date(1970, 1, 1)
YEAR = np.arange((date(2026, 1, 1) - EPOCH).days, (date(2027, 1, 1) - EPOCH).days)
HOUR_MS, MINUTE_MS = 3_600_000, 60_000
END_OF_2100_MS = 4_133_980_800_000


def ms(*moment: int) -> int:
    return int(datetime(*moment, tzinfo=UTC).timestamp() * 1000)  # type: ignore[arg-type,misc]  # year, month, day …


@pytest.mark.parametrize(
    ("elevation_deg", "dark_h"), [(-0.83, 4281), (-2.0, 4177), (-3.3, 4062), (-5.0, 3910), (-6.0, 3819)]
)
def test_a_year_has_as_many_dark_hours_as_known(elevation_deg: float, dark_h: int) -> None:
    dusk_ms, dawn_ms = crossings(YEAR, LAT, LON, elevation_deg)
    assert (dawn_ms - dusk_ms).sum() / HOUR_MS == pytest.approx(dark_h, abs=1)


@pytest.mark.parametrize(
    ("elevation_deg", "minutes"),
    [(-2.0, (7.5, 10.0, 9.5)), (-3.3, (15.8, 21.5, 19.7)), (-5.0, (26.8, 37.5, 32.7)), (-6.0, (33.3, 47.3, 40.2))],
)
def test_dusk_comes_so_many_minutes_after_sunset(elevation_deg: float, minutes: tuple[float, ...]) -> None:
    days = np.array([(date(2026, month, day) - EPOCH).days for month, day in ((3, 20), (6, 21), (12, 21))])
    sunset_ms, dusk_ms = (crossings(days, LAT, LON, height)[0] for height in (-0.83, elevation_deg))
    assert (dusk_ms - sunset_ms) / MINUTE_MS == pytest.approx(minutes, abs=0.15)


def test_the_height_agrees_with_another_formula() -> None:
    random = np.random.default_rng(5)
    t_ms, lat = random.integers(0, END_OF_2100_MS, 5000), random.uniform(-70, 70, 5000)
    lon = random.uniform(-180, 180, 5000)
    other = [sky.sun_elevation_deg(*where) for where in zip(t_ms.tolist(), lat.tolist(), lon.tolist(), strict=True)]
    assert np.abs(sun_elevation_deg(t_ms, lat, lon) - other).max() < 0.02


def test_dusk_and_dawn_agree_with_another_formula_to_five_seconds() -> None:
    dusk_ms, dawn_ms = crossings(YEAR, LAT, LON, -3.3)
    days = [EPOCH + timedelta(days=int(day)) for day in YEAR]
    assert np.abs(dusk_ms - [sky.dusk_ms(day, LAT, LON) for day in days]).max() < 5000
    assert np.abs(dawn_ms - [sky.dawn_ms(day, LAT, LON) for day in days]).max() < 5000


def test_at_dusk_and_dawn_the_sun_is_at_that_height() -> None:
    places = np.array([[47.3, 8.5], [51.3, 12.58], [60.2, 24.9], [-33.9, 151.2]])
    lat, lon = places[:, :1], places[:, 1:]
    for crossing_ms in crossings(YEAR[None, :], lat, lon, -3.3):
        assert crossing_ms.shape == (4, 365)
        assert np.abs(sun_elevation_deg(crossing_ms, lat, lon) + 3.3).max() < 1e-3


def test_a_year_of_nights_is_in_order() -> None:
    dusk_ms, dawn_ms = crossings(YEAR, LAT, LON, -3.3)
    assert (dusk_ms < dawn_ms).all()
    assert (dawn_ms[:-1] < dusk_ms[1:]).all()


def test_where_the_sun_does_not_set_the_night_has_no_length() -> None:
    june = np.array([(date(2026, 6, 21) - EPOCH).days])
    dusk_ms, dawn_ms = crossings(june, 69.0, 18.0, -3.3)
    assert dusk_ms[0] == dawn_ms[0]
    # 22:50 UTC is midnight by the sun at 18° east.
    assert abs(int(dusk_ms[0]) - ms(2026, 6, 21, 22, 50)) < 5 * MINUTE_MS


def test_where_the_sun_does_not_rise_one_night_follows_the_other() -> None:
    december = np.arange(2) + (date(2026, 12, 20) - EPOCH).days
    dusk_ms, dawn_ms = crossings(december, 75.0, 18.0, -3.3)
    assert abs(int(dawn_ms[0] - dusk_ms[1])) < 1000
    assert (dawn_ms - dusk_ms) / DAY_MS == pytest.approx([1, 1], abs=0.001)


@pytest.mark.parametrize("lat", [-90.0, -89.9, 66.5, 69.0, 90.0])
def test_no_latitude_is_too_high(lat: float) -> None:
    dusk_ms, dawn_ms = crossings(YEAR, lat, 18.0, -3.3)
    assert (dawn_ms >= dusk_ms).all()
    assert (dawn_ms - dusk_ms <= DAY_MS + 10 * MINUTE_MS).all()


def test_the_table_of_days_goes_over_into_the_formula_without_a_step() -> None:
    for edge_ms in (0, END_OF_2100_MS):
        t_ms = np.array([edge_ms - 1000, edge_ms + 1000])
        before, after = sun_elevation_deg(t_ms, LAT, LON)
        assert abs(before - after) < 0.02
        alone = [float(sun_elevation_deg(t_ms[at : at + 1], LAT, LON)[0]) for at in (0, 1)]
        assert [before, after] == alone


def test_no_instants_have_no_heights() -> None:
    assert len(sun_elevation_deg(np.zeros(0, dtype=np.int64), LAT, LON)) == 0
