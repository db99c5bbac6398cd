"""The fixed words: towns, ids, kinds and their values."""

import pytest

from core.kinds import COMMON, KIND_GERMAN, KIND_NUMBER, KINDS, OPEN_KINDS, VALUES, Form, find_value
from core.town import TOWN_IDS, TOWNS, is_id


def test_the_seven_towns_are_there_under_their_fixed_ids() -> None:
    assert {"borsdorf", "brandis", "grosspoesna", "naunhof", "belgershain", "parthenstein", "machern"} == TOWN_IDS
    assert len({town.ags for town in TOWNS}) == 7
    assert all(town.ags.startswith("14729") and len(town.ags) == 8 for town in TOWNS)


@pytest.mark.parametrize("text", ["a", "BOR-0042", "_", "-x", "0" * 64])
def test_ids_are_letters_digits_underscore_and_hyphen(text: str) -> None:
    assert is_id(text)


@pytest.mark.parametrize("text", ["", "a b", "a/b", "a+", "#", "ä", "a\n", "٣", "0" * 65])
def test_what_would_break_a_topic_or_a_file_name_is_no_id(text: str) -> None:
    assert not is_id(text)


def test_the_numbers_of_kinds_never_change_because_they_stand_in_frames_on_disk() -> None:
    assert KIND_NUMBER == {
        "lamp": 0, "cabinet": 1, "parking": 2, "counter": 3, "gateway": 4, "other": 5, "sos": 6,
    }  # fmt: skip


def test_every_kind_has_a_german_name_and_knows_the_common_values() -> None:
    assert set(KIND_GERMAN) == set(VALUES) == set(KINDS)
    assert all({value.name for value in COMMON} <= set(VALUES[kind]) for kind in KINDS)


def test_every_value_has_a_german_name_and_every_number_a_range() -> None:
    values = [value for kind in KINDS for value in VALUES[kind].values()]
    assert all(value.german for value in values)
    assert all(value.low < value.high for value in values if value.form is not Form.TEXT)


@pytest.mark.parametrize(
    ("name", "unit"), [("power_w", "W"), ("dim_pct", "%"), ("energy_wh", "Wh"), ("burning_h", "h"), ("battery_v", "V")]
)
def test_a_values_unit_is_the_end_of_its_name(name: str, unit: str) -> None:
    value = find_value("lamp", name)
    assert value is not None
    assert value.unit == unit


def test_a_closed_kind_does_not_know_a_value_it_was_not_given() -> None:
    assert find_value("lamp", "occupied") is None
    assert find_value("sos", "Power_W") is None


def test_an_open_kind_takes_any_number_without_a_range() -> None:
    for kind in OPEN_KINDS:
        value = find_value(kind, "water_level_m")
        assert value is not None
        assert (value.low, value.high) == (float("-inf"), float("inf"))
