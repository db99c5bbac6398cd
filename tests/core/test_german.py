"""Numbers, ages and dates in German."""

import pytest

from api.pages import vocabulary
from core import german as words
from core.kinds import KINDS, SOS_EVENTS
from core.town import TOWN_IDS
from rules.records import CASE_CAUSES, CASE_STATES, CONDITIONS, PRIORITIES, TICKET_STATUSES

NOW = 1_768_239_600_000  # Mo 12.01.2026, 18:40 Uhr in Berlin
S, MIN, H, D = 1000, 60_000, 3_600_000, 86_400_000


@pytest.mark.parametrize(
    ("before_ms", "said"),
    [
        (0, "gerade eben"),
        (-60 * S, "gerade eben"),
        (45 * S, "vor 45 Sekunden"),
        (60 * S, "vor einer Minute"),
        (22 * MIN, "vor 22 Minuten"),
        (H, "vor einer Stunde"),
        (3 * H + 59 * MIN, "vor 3 Stunden"),
        (47 * H, "vor 47 Stunden"),
        (49 * H, "vor 2 Tagen"),
        (70 * D, "vor 2 Monaten"),
        (800 * D, "vor 2 Jahren"),
        (-H, "am Mo 12.01., 19:40 Uhr"),
    ],
)
def test_an_age_is_told_in_plain_words(before_ms: int, said: str) -> None:
    assert words.ago(NOW - before_ms, NOW) == said


def test_an_instant_is_told_as_on_a_clock_in_the_towns() -> None:
    assert words.moment(NOW, NOW) == "Mo 12.01., 18:40 Uhr"
    assert words.moment(NOW - 400 * D, NOW) == "So 08.12.2024, 18:40 Uhr"
    assert words.moment(NOW + 180 * D, NOW) == "Sa 11.07., 19:40 Uhr"
    assert words.since(NOW - 22 * MIN, NOW) == "seit 22 Minuten"
    assert words.short_ago(NOW - 3 * MIN, NOW) == "vor 3 min"


@pytest.mark.parametrize(
    ("value", "said"),
    [(35.2, "35,2"), (35.0, "35"), (1034, "1.034"), (-4.256, "−4,26"), (-0.001, "0"), (float("nan"), "unbekannt")],
)
def test_a_number_has_a_decimal_comma(value: float, said: str) -> None:
    assert words.number(value) == said


def test_lists_are_joined_as_people_speak() -> None:
    assert words.joined(["A", "B", "C"]) == "A, B und C"
    assert words.joined(["A"]) == "A"
    assert words.counted(1, "Lampe", "Lampen") == "1 Lampe"


def test_values_carry_their_unit_and_flags_are_words() -> None:
    assert vocabulary.value_words("lamp", "power_w", 35.25) == "35,25 W"
    assert vocabulary.value_words("parking", "occupied", True) == "ja"
    assert vocabulary.value_words("sos", "event", "long_press") == "lange gedrückt"
    assert vocabulary.value_name("lamp", "power_w") == "Leistung"
    assert vocabulary.value_words("other", "soil", 0.5) == "0,5"


def test_opening_hours_and_stay_are_german() -> None:
    assert vocabulary.hours_words("Mo-Su 08:00-18:00; PH off") == "Mo-So 08:00-18:00; Feiertage geschlossen"
    assert vocabulary.stay_words("PT2H") == "höchstens 2 Stunden"
    assert vocabulary.stay_words("bis zum Abend") == "bis zum Abend"
    assert vocabulary.fee_words("2 Euro") == "2 Euro"


def test_every_word_of_the_platform_has_a_german_one() -> None:
    assert set(vocabulary.STATUS_NAMES) == set(TICKET_STATUSES)
    assert set(vocabulary.PRIORITY_NAMES) == set(PRIORITIES)
    assert set(vocabulary.CONDITION_NAMES) == set(CONDITIONS)
    assert set(vocabulary.CASE_CAUSES) == set(CASE_CAUSES)
    assert set(vocabulary.CASE_STATES) == set(CASE_STATES)
    assert set(vocabulary.SOS_EVENTS) >= set(SOS_EVENTS)
    assert set(vocabulary.TOWN_NAMES) == set(TOWN_IDS)
    assert all(vocabulary.kind_name(kind) != kind for kind in KINDS)
