"""Samples that come after younger ones: history is judged anew, and only the difference is told."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.rules.town import MINUTE_MS, T0, Said, Story, lamp, lamp_series, snapshot, story

L1 = lamp(1)
ME = L1.device_id
STEP_MS = 15 * MINUTE_MS
HOUR_MS = 60 * MINUTE_MS


def at_steps(watts: Sequence[float], steps: Sequence[int], came_step: float) -> list[Said]:
    """Samples of these steps that all come at a later one."""
    came_ms = T0 + int(came_step * STEP_MS)
    every = {(one.t_ms - T0) // STEP_MS: one for one in lamp_series(ME, watts)}
    return [replace(every[step], late_ms=came_ms - every[step].t_ms) for step in steps]


def is_open(told: Story) -> bool:
    return any(rule == "lamp_out" for rule, _, _ in told.engine.open_findings())


def test_what_late_samples_refute_ends_with_that_reason() -> None:
    """Dark at 0 and 30 minutes, as far as is known; the sample between them says that it burned."""
    told = story(L1).hear(*at_steps([0.5] * 5, [0], 0), *at_steps([0.5] * 5, [2], 2)).settle()
    assert is_open(told)
    told.hear(*at_steps([40.0] * 5, [1], 3)).settle()
    assert not is_open(told)
    (closing,) = [one for one in told.edges if type(one).__name__ == "Closing"]
    assert getattr(closing, "reason", "") == "Durch Nachlieferung widerlegt."


def test_what_late_samples_show_and_goes_on_begins() -> None:
    """Burning at 0 and dark at 60 minutes; those between come two hours later: it has been dark since 15."""
    told = story(L1).hear(*at_steps([40.0], [0], 0), *at_steps([0.5] * 12, [4], 4)).settle()
    assert not is_open(told)
    told.hear(*at_steps([0.5] * 12, [1, 2, 3], 12)).settle()
    assert list(told.opened()) == [("lamp_out", ME, 15)]


def test_what_late_samples_show_and_is_over_is_not_told() -> None:
    told = story(L1).hear(*at_steps([40.0] * 12, [0, 4, 5, 6, 7], 7)).settle()
    told.hear(*at_steps([0.5] * 12, [1, 2, 3], 12)).settle()
    assert told.edges == []


def test_late_samples_that_change_nothing_say_nothing() -> None:
    told = story(L1).hear(*at_steps([40.0] * 9, [0, 1, 3, 4, 5], 5)).settle()
    told.hear(*at_steps([40.0] * 9, [2], 8)).settle()
    assert told.edges == []


def test_what_comes_after_the_oldest_state_that_is_kept_is_left_out_and_counted() -> None:
    told = story(L1).hear(*lamp_series(ME, [40.0] * 4 * 60))
    told.hear(*at_steps([0.5] * 9, [2], 4 * 60)).settle()  # said for the second time, two and a half days later
    assert told.engine.judgement.late.ignored == 1
    assert [rule for rule, _, _ in told.opened() if rule == "lamp_out"] == []


def test_after_a_restart_only_what_is_younger_can_be_judged_again() -> None:
    first = story(L1).hear(*at_steps([40.0] * 9, [0, 4], 4)).settle()
    second = story(L1)
    from_now = second.engine.restore(first.engine.to_bytes(0), snapshot([L1]))
    second.clock_ms = first.clock_ms
    second.hear(*at_steps([0.5] * 9, [1, 2, 3], 5)).settle()
    assert (from_now, second.engine.judgement.late.ignored) == (0, 3)


@settings(max_examples=60, deadline=None)
@given(
    watts=st.lists(st.sampled_from([0.5, 0.5, 40.0, 9.0]), min_size=4, max_size=30),
    delays=st.lists(st.sampled_from([0, 0, 0, 1, 2, 5, 9]), min_size=30, max_size=30),
)
def test_late_or_not_the_same_is_open_in_the_end(watts: list[float], delays: list[int]) -> None:
    said = lamp_series(ME, watts)
    late = [
        replace(one, late_ms=delay * STEP_MS + 1000 + place)
        for place, (one, delay) in enumerate(zip(said, delays, strict=False))
    ]
    in_order = story(L1).hear(*said).settle()
    found = story(L1).hear(*sorted(late, key=lambda one: one.t_ms + one.late_ms)).settle()
    judges = found.engine.judgement.court.judges, in_order.engine.judgement.court.judges
    everyone = np.arange(1)
    assert [judge.open_on(everyone) for judge in judges[0].values()] == [
        judge.open_on(everyone) for judge in judges[1].values()
    ]


def test_a_sample_that_comes_twice_counts_once() -> None:
    """Three times the same dark sample is one dark sample."""
    one = lamp_series(ME, [0.5])[0]
    told = story(L1).hear(one, one, replace(one, late_ms=20 * MINUTE_MS)).settle()
    assert not is_open(told)
    told.hear(*lamp_series(ME, [None, 40.0, 40.0])).settle()
    assert told.edges == []
