import csv
import json
from pathlib import Path

import pytest

from firmware_sim.cli import main

SMALL = ["--lamps", "30", "--bays", "6", "--buttons", "3", "--counters", "1", "--for", "6h", "--start", "1768050000000"]


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_out_writes_four_files_that_belong_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "run"
    assert main(["--out", str(out), *SMALL, "--json"]) == 0
    assert set(files(out)) == {"messages.ndjson", "inventory.csv", "sites.csv", "truth.csv"}
    summary = json.loads(capsys.readouterr().out)
    lines = (out / "messages.ndjson").read_text(encoding="utf-8").splitlines()
    assert summary["messages"] == len(lines) > 500
    with (out / "inventory.csv").open(encoding="utf-8", newline="") as file:
        inventory = {row["device_id"]: row for row in csv.DictReader(file)}
    euis = {row["dev_eui"] for row in inventory.values()}
    for line in lines:
        message = json.loads(line)
        parts = message["topic"].split("/")
        assert parts[3] in inventory or parts[3] in euis
        json.loads(message["payload"])
    with (out / "truth.csv").open(encoding="utf-8", newline="") as file:
        assert all(row["subject"] in inventory or ":" in row["subject"] for row in csv.DictReader(file))


def test_one_seed_writes_the_same_files_and_another_one_others(tmp_path: Path) -> None:
    for name, seed in (("a", "3"), ("b", "3"), ("c", "4")):
        assert main(["--out", str(tmp_path / name), *SMALL, "--seed", seed]) == 0
    assert files(tmp_path / "a") == files(tmp_path / "b")
    assert files(tmp_path / "a") != files(tmp_path / "c")


def test_inventory_truth_and_faults_can_be_named(tmp_path: Path) -> None:
    (tmp_path / "faults.csv").write_text("fault,subject,start,end\nsilent,BOR-L0001,1768053600000,\n", encoding="utf-8")
    options = ["--faults", str(tmp_path / "faults.csv"), "--truth", str(tmp_path / "t.csv")]
    assert main(["--out", str(tmp_path / "o"), *SMALL, *options, "--inventory-out", str(tmp_path / "i.csv")]) == 0
    assert "silent,BOR-L0001,BOR-L0001,2026-01-10T14:00:00.000Z,," in (tmp_path / "t.csv").read_text(encoding="utf-8")
    assert (tmp_path / "i.csv").read_bytes() == (tmp_path / "o" / "inventory.csv").read_bytes()
    assert (tmp_path / "sites.csv").exists()


def test_a_region_file_and_options_go_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "region.toml").write_text("[sizes]\nlamps = 7\nbays = 4\ncounters = 0\nbuttons = 0\n", encoding="utf-8")
    options = ["--region", str(tmp_path / "region.toml"), "--lamps", "0", "--for", "1h", "--loss", "0.5", "--json"]
    assert main(["--out", str(tmp_path / "o"), *options]) == 0
    assert json.loads(capsys.readouterr().out)["devices"] == 4


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--for", "soon"], "'soon' is no duration"),
        (["--start", "tomorrow"], "'tomorrow' is no instant"),
        (["--speed", "0"], "--speed must be above 0"),
        (["--loss", "2"], "--loss must be 0..0.8"),
        (["--lamps", "-1"], "lamps must be a number"),
        (["--region", "no-such.toml"], "no-such.toml: cannot be read"),
        (["--faults", "no-such.csv"], "no-such.csv: cannot be read"),
        (["--truth", "no-such-folder/t.csv", "--for", "0s"], "no-such-folder/t.csv"),
    ],
)
def test_bad_input_is_one_clear_sentence_and_exit_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], says: str
) -> None:
    assert main(["--out", str(tmp_path / "o"), "--lamps", "1", "--bays", "0", "--buttons", "0", *options]) == 1
    complaint = capsys.readouterr().err
    assert says in complaint
    assert len(complaint.splitlines()) == 1


def test_without_target_or_with_both_the_usage_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 1
    assert main(["--out", "x", "--broker", "y"]) == 1
    assert "usage: partheland sim" in capsys.readouterr().err


def test_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert "partheland sim --broker mqtt://localhost:1883" in capsys.readouterr().out
