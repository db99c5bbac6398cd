from datetime import UTC, date, datetime

import pytest

from firmware_sim import sky

NAUNHOF = (51.30, 12.58)


def noon_ms(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, 11, 10, tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("day", "elevation_deg"),
    [(date(2026, 6, 21), 38.70 + 23.44), (date(2026, 12, 21), 38.70 - 23.44), (date(2026, 3, 20), 38.70)],
)
def test_at_solar_noon_the_sun_stands_where_the_seasons_put_it(day: date, elevation_deg: float) -> None:
    assert sky.sun_elevation_deg(noon_ms(day), *NAUNHOF) == pytest.approx(elevation_deg, abs=0.35)


@pytest.mark.parametrize(
    ("day", "minutes"), [(date(2026, 3, 20), 15.8), (date(2026, 6, 21), 21.5), (date(2026, 12, 21), 19.7)]
)
def test_lamps_burn_from_so_many_minutes_after_sunset(day: date, minutes: float) -> None:
    """Computed independently for this place with the low-precision NOAA formula."""
    after_sunset_ms = sky.dusk_ms(day, *NAUNHOF) - sky.dusk_ms(day, *NAUNHOF, -0.83)
    assert after_sunset_ms / 60_000 == pytest.approx(minutes, abs=0.2)


def test_dusk_is_before_dawn_and_both_lie_at_the_threshold() -> None:
    dusk_ms, dawn_ms = (edge(date(2026, 10, 1), *NAUNHOF) for edge in (sky.dusk_ms, sky.dawn_ms))
    assert dusk_ms < dawn_ms < dusk_ms + sky.DAY_MS
    for at_ms in (dusk_ms, dawn_ms):
        assert sky.sun_elevation_deg(at_ms, *NAUNHOF) == pytest.approx(sky.DUSK_ELEVATION_DEG, abs=0.001)


def test_a_place_without_night_is_refused_with_a_reason() -> None:
    with pytest.raises(ValueError, match="the sun does not pass"):
        sky.dusk_ms(date(2026, 6, 21), 69.0, 18.0)


def test_july_afternoons_are_warmer_than_january_nights() -> None:
    july_ms = noon_ms(date(2026, 7, 20)) + 3 * 3_600_000
    january_ms = noon_ms(date(2026, 1, 20)) - 9 * 3_600_000
    assert sky.ambient_c(july_ms) > 20 > 0 > sky.ambient_c(january_ms) - 5
