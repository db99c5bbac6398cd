from itertools import pairwise
from random import Random

import pytest

from firmware_sim.radio import Link, Weather, own_loss

MESSAGES = 100_000
HOLD_MS = 900_000


def link(loss: float = 0.0, duplicate: float = 0.0, reorder: float = 0.0, seed: str = "air") -> Link:
    return Link(Weather(loss, duplicate, reorder, 250.0), loss, HOLD_MS, Random(seed))


@pytest.mark.parametrize("loss", [0.01, 0.1, 0.28, 0.6])
def test_the_loss_is_near_what_was_asked_for(loss: float) -> None:
    air = link(loss)
    lost = sum(air.is_lost() for _ in range(MESSAGES))
    assert lost / MESSAGES == pytest.approx(loss, rel=0.08)


def test_without_loss_nothing_is_lost() -> None:
    air = link(0.0)
    assert not any(air.is_lost() for _ in range(MESSAGES))


def test_losses_come_in_bursts() -> None:
    air = link(0.1)
    fates = [air.is_lost() for _ in range(MESSAGES)]
    after_loss = [fate for before, fate in pairwise(fates) if before]
    assert sum(after_loss) / len(after_loss) > 0.4


def test_duplicates_come_as_often_as_asked_for_and_after_the_first() -> None:
    air = link(duplicate=0.05)
    copies = [air.delays_ms() for _ in range(MESSAGES)]
    doubled = [delays for delays in copies if len(delays) == 2]
    assert len(doubled) / MESSAGES == pytest.approx(0.05, rel=0.08)
    assert all(second > first for first, second in doubled)


def test_a_message_is_held_back_for_more_than_an_interval_as_often_as_asked_for() -> None:
    air = link(reorder=0.02)
    held = sum(air.delays_ms()[0] > HOLD_MS for _ in range(MESSAGES))
    assert held / MESSAGES == pytest.approx(0.02, rel=0.08)


def test_devices_differ_in_their_loss_and_the_fleet_keeps_the_mean() -> None:
    rng = Random(3)
    losses = [own_loss(0.08, rng) for _ in range(20_000)]
    assert sum(losses) / len(losses) == pytest.approx(0.08, rel=0.02)
    assert max(losses) > 0.2 > 0.02 > min(losses)


def test_the_same_seed_gives_the_same_air() -> None:
    def fates(seed: str) -> list[object]:
        air = link(0.2, 0.1, 0.1, seed)
        return [(air.is_lost(), air.delays_ms()) for _ in range(500)]

    assert fates("one") == fates("one")
    assert fates("one") != fates("other")
