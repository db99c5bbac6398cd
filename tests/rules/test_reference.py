"""The power that each lamp is used to, learned night by night; in whatever pieces readings come."""

from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.memory import arrays_of
from rules.reference import NIGHTS, Reference
from tests.rules.columns import cuts_st, pieces, rows_of

DAY_MIN = 1440
Sample = tuple[int, int, float]


samples_st = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.integers(0, 12 * 8),
        st.sampled_from([0.9, 0.93, 0.97, 1.0, 1.04, 0.3, 1.7, np.nan]),
    ),
    min_size=20,
    max_size=90,
    unique_by=lambda one: one[:2],
)


def level_of(minute: int) -> float:
    """Full in the first half of each night, half in the second."""
    return 100.0 if minute % DAY_MIN < DAY_MIN / 2 else 50.0


def learned(samples: Sequence[Sample], cuts: Sequence[int]) -> tuple[dict[tuple[int, int], float], Reference]:
    """{(device, minute): ratio}, and the memory."""
    memory, found = Reference(), dict[tuple[int, int], float]()
    memory.grow(2)
    for piece in pieces(samples, cuts):
        rows = rows_of(piece)
        minute = rows.t_ms // 60_000
        level = np.array([level_of(one) for one in minute.tolist()])
        ratio = memory.take(rows, (minute // DAY_MIN).astype(np.int32), rows.column("value"), level)
        found |= dict(zip(zip(rows.device.tolist(), minute.tolist(), strict=True), ratio.tolist(), strict=True))
    return found, memory


@settings(max_examples=80, deadline=None)
@given(coarse=samples_st, cuts=cuts_st)
def test_the_pieces_in_which_readings_come_make_no_difference(coarse: list[Sample], cuts: list[int]) -> None:
    samples = [(device, step * 180, share) for device, step, share in coarse]
    one_by_one, memory = learned(samples, range(len(samples)))
    found, other = learned(samples, cuts)
    assert repr(found) == repr({key: one_by_one[key] for key in found})
    for name, column in arrays_of(memory).items():
        np.testing.assert_array_equal(column, arrays_of(other)[name])


def steady(shares: Sequence[float]) -> list[Sample]:
    """Eight samples at full level in each night."""
    return [(0, night * DAY_MIN + at * 60, share) for night, share in enumerate(shares) for at in range(8)]


def test_a_lamp_that_fades_is_compared_with_what_it_was() -> None:
    shares = [0.95] * NIGHTS + [0.9, 0.85, 0.8, 0.75, 0.75]
    found, _ = learned(steady(shares), [])
    assert abs(found[0, len(shares) * DAY_MIN - DAY_MIN] - 0.95) < 1e-5


def test_a_fault_in_the_first_night_is_no_habit() -> None:
    found, _ = learned(steady([0.55, 0.55, 0.96, 0.96]), [])
    assert not abs(found[0, 2 * DAY_MIN] - 0.55) < 0.1
    assert abs(found[0, 3 * DAY_MIN] - 0.96) < 1e-5


def test_a_lamp_that_was_repaired_is_learned_anew() -> None:
    _, memory = learned(steady([0.8, 0.8, 0.8]), [])
    memory.forget(np.array([0]))
    assert np.isnan(memory.ratio[0]).all()
