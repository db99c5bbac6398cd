"""What could not be taken: kept once, counted for ever, bounded, and visible to people."""

from pathlib import Path

import numpy as np
import pytest

from core.reading import concat
from core.sqlite import Database
from ingest import quarantine as quarantine_module
from ingest.books import Verdict
from ingest.quarantine import RAW_KEPT_BYTES_MAX, Quarantine
from ingest.segment import Block
from tests.support.records import T0_MS, frame, reading, refusal

A, U, W, R = Verdict.ACCEPTED, Verdict.UNKNOWN_DEVICE, Verdict.WRONG_KIND, Verdict.REFUSED


def quarantine_at(folder: Path) -> Quarantine:
    made = Quarantine(Database(folder / "quarantine.db"))
    made.open()
    return made


@pytest.fixture
def quarantine(tmp_path: Path) -> Quarantine:
    return quarantine_at(tmp_path)


def block(position: int, devices: list[str], verdicts: list[Verdict], refusals: int = 0, t_ms: int = T0_MS) -> Block:
    readings = concat([reading(device, t_ms=t_ms) for device in devices]) if devices else None
    held = frame(readings, [refusal(f"code{number}") for number in range(refusals)])
    return Block(position, T0_MS, np.array(verdicts, dtype=np.uint8), None, held)


def test_refusals_and_unknown_devices_are_kept_with_reason_and_raw_bytes(quarantine: Quarantine) -> None:
    quarantine.take([block(10, ["L1", "X9", "B1"], [A, U, W, R], refusals=1)], 14)
    rows = quarantine.page(10)
    assert [(row.position, row.code, row.device_id, row.raw) for row in rows] == [
        (13, "code0", "", b"{"),
        (12, "wrong_kind", "B1", b"raw 2"),
        (11, "unknown_device", "X9", b"raw 1"),
    ]
    assert all(row.reason and row.gateway == "gw1" for row in rows)
    assert quarantine.counts() == {"code0": 1, "unknown_device": 1, "wrong_kind": 1}


def test_rows_and_position_survive_a_restart_together(tmp_path: Path) -> None:
    quarantine = quarantine_at(tmp_path)
    quarantine.take([block(0, ["X9"], [U])], 1)
    quarantine.take([block(1, ["L1"], [A])], 2)
    quarantine.close()
    again = quarantine_at(tmp_path)
    assert (again.position(), len(again.page(10)), again.counts()) == (2, 1, {"unknown_device": 1})


@pytest.mark.parametrize("table", ["refused", "counted", "heard", "meta"])
def test_a_failure_between_rows_and_position_leaves_neither(quarantine: Quarantine, table: str) -> None:
    quarantine.database.execute(
        f"CREATE TEMP TRIGGER fails BEFORE INSERT ON main.{table} BEGIN SELECT RAISE(ABORT, 'power'); END"
    )
    with pytest.raises(Exception, match="power"):
        quarantine.take([block(0, ["X9"], [U])], 1)
    quarantine.database.execute("DROP TRIGGER fails")
    assert (quarantine.page(10), quarantine.counts(), quarantine.heard(), quarantine.position()) == ([], {}, [], 0)
    quarantine.take([block(0, ["X9"], [U])], 1)
    assert (quarantine.position(), quarantine.counts()) == (1, {"unknown_device": 1})


def test_what_a_store_refused_is_kept_too(quarantine: Quarantine) -> None:
    quarantine.refuse([refusal("store_limit", device_id="L1"), refusal("store_limit")])
    assert [(row.position, row.code) for row in quarantine.page(5)] == [(None, "store_limit")] * 2
    assert [row.device_id for row in quarantine.page(5, device_id="L1")] == ["L1"]
    assert quarantine.position() == 0


def test_devices_that_nobody_commissioned_are_listed_once_the_latest_first(quarantine: Quarantine) -> None:
    quarantine.take([block(0, ["X1", "X1"], [U, U])], 2)
    quarantine.take([block(2, ["X2"], [U], t_ms=T0_MS + 1000), block(3, ["X1"], [U], t_ms=T0_MS - 5000)], 4)
    heard = [(one.device_id, one.count, one.last_ms - T0_MS) for one in quarantine.heard()]
    assert heard == [("X2", 1, 1500), ("X1", 3, 500)]
    quarantine.forget_heard(["X1"])
    assert [one.device_id for one in quarantine.heard()] == ["X2"]


def test_pages_follow_each_other_without_gap_or_repeat(quarantine: Quarantine) -> None:
    quarantine.take([block(0, [], [R] * 25, refusals=25)], 25)
    seen, before = [], None
    while page := quarantine.page(10, before):
        seen += [row.position for row in page]
        before = page[-1].id
    assert seen == list(range(24, -1, -1))


def test_the_table_is_bounded_and_the_counts_go_on(quarantine: Quarantine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quarantine_module, "ROWS_MAX", 100)
    for position in range(0, 500, 50):
        quarantine.take([block(position, [], [R] * 50, refusals=50)], position + 50)
    assert (len(quarantine.page(1000)), sum(quarantine.counts().values())) == (100, 500)
    quarantine.take([block(500, [], [R] * 300, refusals=300)], 800)
    assert (len(quarantine.page(1000)), sum(quarantine.counts().values())) == (100, 800)


def test_a_bomb_of_invented_device_ids_stops_at_its_bound(
    quarantine: Quarantine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine_module, "HEARD_MAX", 200)
    for part in range(3):
        names = [f"X{part}-{number}" for number in range(300)]
        quarantine.take([block(part * 300, names, [U] * 300)], part * 300 + 300)
    assert (len(quarantine.heard(10_000)), quarantine.counts()) == (200, {"unknown_device": 900})


def test_a_long_backfill_of_a_stranger_does_not_become_a_thousand_copies_of_itself(quarantine: Quarantine) -> None:
    held = block(0, ["X9"] * 500, [U] * 500)
    backfill = frame(held.frame.readings)
    one = type(backfill)("gw1", 1, 1, "telemetry", backfill.readings, backfill.message * 0, (b"x" * 60_000,))
    quarantine.take([Block(0, T0_MS, held.verdict, None, one)], 500)
    assert {len(row.raw) for row in quarantine.page(1000)} == {RAW_KEPT_BYTES_MAX}
