"""How a gateway says that it is: what waits, since when, for how long the room will do."""

from pathlib import Path

import pytest

from core.clock import ManualClock
from core.frame import Frame
from core.sqlite import Database
from gateway.check import ClockLimits
from gateway.intake import Intake
from gateway.spool import MIB, Spool
from gateway.status import hours_left, status_of
from tests.support.records import T0_MS, frame, reading


def intake(spool: Spool, lane: str, **counts: int) -> Intake:
    made = Intake("gw1", lane, [], spool, spool.clock, ClockLimits(), lambda messages: None)
    made.counts.update(counts)
    return made


def test_it_says_what_waits_and_since_when(tmp_path: Path) -> None:
    clock = ManualClock(T0_MS)
    spool = Spool(Database(tmp_path / "spool.db"), clock, 64 * MIB)
    spool.open()

    def seal(epoch: int, first_seq: int) -> Frame:
        return frame(reading(), (), first_seq, "gw1", epoch)

    sizes = [spool.append("telemetry", seal).bytes for _ in range(2)]
    clock.advance(90)
    intakes = {
        "sos": intake(spool, "sos", messages=1),
        "native": intake(spool, "telemetry", messages=2, refused_bad_json=3),
    }
    intakes["native"].full = True
    status = status_of("gw1", spool, intakes, clock.now_ms())
    assert (status.waiting_frames, status.waiting_bytes, status.oldest_ms) == (2, sum(sizes), T0_MS)
    assert (status.lag_s, status.full, status.next_seq) == (90.0, True, 3)
    assert status.counts == {"messages": 3, "refused_bad_json": 3}


def test_nothing_waits_nothing_is_late(tmp_path: Path) -> None:
    spool = Spool(Database(tmp_path / "spool.db"), ManualClock(T0_MS), 64 * MIB)
    spool.open()
    status = status_of("gw1", spool, {}, T0_MS)
    assert (status.oldest_ms, status.lag_s, status.hours_left, status.full) == (None, 0.0, None, False)


@pytest.mark.parametrize(
    ("size", "oldest_ms", "now_ms", "hours"),
    [
        (100, 0, 3_600_000, 9.0),
        (1000, 0, 3_600_000, 0.0),
        (1200, 0, 3_600_000, 0.0),
        (0, 0, 3_600_000, None),
        (100, None, 5, None),
        (100, 10, 5, None),
    ],
)
def test_hours_left_are_told_from_the_rate_since_the_oldest(
    size: int, oldest_ms: int | None, now_ms: int, hours: float | None
) -> None:
    assert hours_left(size, 1000, oldest_ms, now_ms) == hours
