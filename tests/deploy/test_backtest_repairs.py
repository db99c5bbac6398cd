"""`partheland backtest` and repairs: on a platform's history those it was told count, and a file can name others."""

import json
from pathlib import Path

import pytest

from core.inventory_csv import export_devices
from core.reading import from_rows
from deploy.cli import main
from ingest.duck import DuckStore
from tests.rules.platform import desk
from tests.rules.test_repairs import DARK, LAMP, STRONGER, USUAL, WELL, after_a_dark_night, nights

REPAIRED = f"device_id,at\n{LAMP.device_id},2026-01-15T12:00:00Z\n"


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data of a platform that is stopped: a lamp burned for some nights, was dark for one, was repaired with a
    stronger one; the same readings on file beside it.
    """
    folder = tmp_path_factory.mktemp("stopped")
    with desk(folder) as centre:
        centre.rules.tickets.act(after_a_dark_night(centre), "done", "anna")
    said = nights([WELL] * USUAL + [DARK] + [STRONGER] * 5)
    store = DuckStore(folder / "readings.duckdb")
    store.open()
    t_ms, ids = [one.t_ms for one in said], [one.device_id for one in said]
    received_ms, kinds = [one.t_ms + one.late_ms for one in said], [one.kind for one in said]
    readings = from_rows(ids, kinds, t_ms, received_ms, [1] * len(ids), range(len(ids)), [one.values for one in said])
    store.write(readings, 1)
    store.close()
    (folder / "inventory.csv").write_text(export_devices([LAMP]), encoding="utf-8")
    rows = [f"{one.device_id},{one.t_ms},{one.t_ms + one.late_ms},{one.values['power_w']},100" for one in said]
    (folder / "readings.csv").write_text(
        "\n".join(["device_id,t,received,power_w,dim_pct", *rows, ""]), encoding="utf-8"
    )
    return folder


def found(out: Path, *arguments: str) -> set[str]:
    assert main(["backtest", *arguments, "--out", str(out)]) == 0
    return {json.loads(line)["rule"] for line in out.read_text(encoding="utf-8").splitlines()}


def test_what_the_platform_was_told_counts_unless_a_file_says_otherwise(stopped: Path, tmp_path: Path) -> None:
    out, store = tmp_path / "found.jsonl", ["--store", "--data", str(stopped)]
    assert found(out, *store) == {"lamp_out"}
    nobody = tmp_path / "repairs.csv"
    nobody.write_text("device_id,at\n", encoding="utf-8")
    assert found(out, *store, "--repairs", str(nobody)) == {"lamp_out", "power_high"}


def test_a_file_of_repairs_goes_with_a_file_of_readings(stopped: Path, tmp_path: Path) -> None:
    files = ["--inventory", str(stopped / "inventory.csv"), "--readings", str(stopped / "readings.csv")]
    out, repairs = tmp_path / "found.jsonl", tmp_path / "repairs.csv"
    repairs.write_text(REPAIRED, encoding="utf-8")
    assert found(out, *files) == {"lamp_out", "power_high"}
    assert found(out, *files, "--repairs", str(repairs)) == {"lamp_out"}
    found(tmp_path / "store.jsonl", "--store", "--data", str(stopped))
    assert (tmp_path / "store.jsonl").read_bytes() == out.read_bytes()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("device,at\n", "column device_id is missing"),
        ("device_id,at\nL1,gestern\n", "line 2: 'gestern'"),
        (None, "can't be read"),
    ],
)
def test_a_list_of_repairs_that_makes_no_sense_says_where(
    stopped: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None, said: str
) -> None:
    repairs = tmp_path / "repairs.csv"
    if text is not None:
        repairs.write_text(text, encoding="utf-8")
    arguments = ["--store", "--data", str(stopped), "--repairs", str(repairs), "--out", str(tmp_path / "found.jsonl")]
    assert main(["backtest", *arguments]) == 1
    assert said in capsys.readouterr().err
