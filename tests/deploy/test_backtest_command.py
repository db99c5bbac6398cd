"""`partheland backtest` on a small played region: the same bytes each time, windows, overrides, what is wrong."""

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from core.clock import iso, parse_instant_ms
from core.inventory import Inventory
from core.inventory_csv import parse_inventory
from core.kinds import KINDS
from core.reading import Scalar, from_rows
from deploy.cli import main
from deploy.parts import make_database
from firmware_sim.physics.files import write_played
from firmware_sim.physics.plan import Plan
from firmware_sim.physics.play import play
from ingest.duck import DuckStore
from ingest.parquet import csv_to_parquet
from ingest.readings_file import read_readings

KEYS = (
    "rule", "subject", "town", "since", "opened_at", "closed_at", "close_reason", "priority", "members", "text_de",
    "evidence",
)  # fmt: skip
OVERRIDE = """[[override]]
rule = "lamp_out"
{whom}
params = {{ {param} = 0.0001 }}
author = "R. Vogt"
reason = "what if"
"""

DARK = """[rule.lamp_out]
title_de = "Lampe dunkel"
kind = "state"
select = 'kind == "lamp"'
where = 'commanded_pct >= min_dim_pct and steady_s > 900'
when = 'power_w < low_share * expected_w'
for = "44m"
min_samples = 3
params = { low_share = 0.25 }
sentence_de = "Sie nimmt nur {power_w} auf."
"""


@pytest.fixture(scope="module")
def region(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("region")
    counts = {"lamp_out": 100, "circuit_down": 1, "silent": 1, "voltage_low": 1}
    write_played(play(Plan(lamps=120, bays=6, days=3.0, seed=5, counts=counts)), folder)
    run(folder, folder / "found.jsonl")
    return folder


def run(region: Path, out: Path, *more: str, readings: Path | None = None) -> int:
    inventory = ["--inventory", str(region / "inventory.csv"), "--sites", str(region / "sites.csv")]
    file = region / "readings.csv" if readings is None else readings
    return main(["backtest", *inventory, "--readings", str(file), "--out", str(out), *more])


def rules_in(folder: Path, text: str) -> Path:
    folder.mkdir()
    (folder / "mine.toml").write_text(text, encoding="utf-8")
    return folder


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def subjects(path: Path, rule: str) -> set[str]:
    return {row["subject"] for row in rows_of(path) if row["rule"] == rule}


def test_one_finding_a_line_as_the_contract_has_it(region: Path) -> None:
    rows = rows_of(region / "found.jsonl")
    assert Counter(row["rule"] for row in rows)["lamp_out"] >= 3
    for row in rows:
        assert tuple(row) == KEYS
        assert row["since"].endswith("Z") and len(row["since"]) == len("2026-01-10T18:00:00.000Z")
        assert row["since"] <= row["opened_at"] <= (row["closed_at"] or "9")
        assert (row["closed_at"] is None) == (row["close_reason"] is None)
        assert row["text_de"].endswith(".") and "nan" not in row["text_de"]
        assert all(set(one) == {"device_id", "t", "name", "value"} for one in row["evidence"])
    assert rows == sorted(rows, key=lambda row: (row["opened_at"], row["rule"], row["subject"]))


def test_the_same_bytes_again_and_whatever_the_order_and_repeats_of_the_rows(region: Path, tmp_path: Path) -> None:
    found = (region / "found.jsonl").read_bytes()
    assert run(region, tmp_path / "again.jsonl") == 0
    assert (tmp_path / "again.jsonl").read_bytes() == found
    header, *lines = (region / "readings.csv").read_text(encoding="utf-8").splitlines()
    lines += random.Random(7).sample(lines, len(lines) // 5)
    random.Random(8).shuffle(lines)
    shuffled = tmp_path / "shuffled.csv"
    shuffled.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    assert run(region, tmp_path / "shuffled.jsonl", readings=shuffled) == 0
    assert (tmp_path / "shuffled.jsonl").read_bytes() == found


def test_parquet_finds_what_the_csv_finds(region: Path, tmp_path: Path) -> None:
    header, *lines = (region / "readings.csv").read_text(encoding="utf-8").splitlines()
    # The export's CSV has ISO instants, and this is how it becomes Parquet.
    as_iso = tmp_path / "iso.csv"
    with as_iso.open("w", encoding="utf-8") as file:
        file.write(header + "\n")
        for line in lines:
            cells = line.split(",")
            cells[1:3] = [iso(int(cells[1])), iso(int(cells[2]))]
            file.write(",".join(cells) + "\n")
    csv_to_parquet(as_iso, tmp_path / "readings.parquet", "lamp")
    assert run(region, tmp_path / "parquet.jsonl", readings=tmp_path / "readings.parquet") == 0
    assert (tmp_path / "parquet.jsonl").read_bytes() == (region / "found.jsonl").read_bytes()


def test_nothing_is_told_where_work_was_announced(region: Path, tmp_path: Path) -> None:
    before = subjects(region / "found.jsonl", "lamp_out")
    chosen = sorted(before)[0]
    windows = tmp_path / "windows.csv"
    windows.write_text(f"scope,from,to,reason\n{chosen},2026-01-01T00:00:00Z,2026-02-01T00:00:00Z,Baustelle\n")
    assert run(region, tmp_path / "found.jsonl", "--windows", str(windows)) == 0
    assert subjects(tmp_path / "found.jsonl", "lamp_out") == before - {chosen}


def test_an_override_changes_the_rule_for_whom_it_names(region: Path, tmp_path: Path) -> None:
    blind = rules_in(tmp_path / "rules", DARK)
    assert run(region, tmp_path / "before.jsonl", "--rules", str(blind)) == 0
    before = subjects(tmp_path / "before.jsonl", "lamp_out")
    chosen = sorted(before)[0]
    overrides = tmp_path / "overrides.toml"
    overrides.write_text(OVERRIDE.format(whom=f'device = "{chosen}"', param="low_share"), encoding="utf-8")
    assert run(region, tmp_path / "after.jsonl", "--rules", str(blind), "--overrides", str(overrides)) == 0
    assert subjects(tmp_path / "after.jsonl", "lamp_out") == before - {chosen}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (OVERRIDE.format(whom='device = "X"', param="low_shar"), "4:23: the rule has no param 'low_shar'"),
        (OVERRIDE.format(whom='device = "X"\nmodel = "Y"', param="low_share"), "3:10: an override for model and"),
        (
            OVERRIDE.format(whom='device = "X"', param="low_share").replace("lamp_out", "lamp_aut"),
            "2:8: there is no rule",
        ),
        (OVERRIDE.format(whom='device = "X"', param="low_share").replace('rule = "lamp_out"', ""), "rule is missing"),
        (OVERRIDE.format(whom='device = "X"', param="low_share") + "[rule.x]\n", "there is no table 'rule'"),
        ("[[override]", "this is no TOML"),
    ],
)
def test_a_wrong_override_is_told_with_its_place(
    region: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    overrides = tmp_path / "overrides.toml"
    overrides.write_text(text, encoding="utf-8")
    assert run(region, tmp_path / "found.jsonl", "--overrides", str(overrides)) == 1
    assert f"{overrides}:" in (err := capsys.readouterr().err) and said in err
    assert not (tmp_path / "found.jsonl").exists()


def test_the_clock_stops_where_it_is_told_to(region: Path, tmp_path: Path) -> None:
    until = "2026-01-11T06:00:00Z"
    assert run(region, tmp_path / "found.jsonl", "--until", until) == 0
    rows = rows_of(tmp_path / "found.jsonl")
    limit_ms = parse_instant_ms(until) + 60_000
    assert rows and all(parse_instant_ms(row["opened_at"]) <= limit_ms for row in rows)
    early = [row for row in rows_of(region / "found.jsonl") if row["opened_at"] < "2026-01-11T06:00"]
    assert [(row["rule"], row["subject"]) for row in rows][: len(early)] == [
        (row["rule"], row["subject"]) for row in early
    ]


def test_two_versions_of_the_rules_are_compared(
    region: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    now, later = rules_in(tmp_path / "now", DARK), rules_in(tmp_path / "later", DARK.replace("44m", "149m"))
    assert run(region, tmp_path / "before.jsonl", "--rules", str(now)) == 0
    capsys.readouterr()
    compared = ["--rules", str(later), "--against", str(now)]
    assert run(region, tmp_path / "found.jsonl", *compared, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    moved = [pair for pair in told["moved"] if pair["after"]["rule"] == "lamp_out"]
    assert moved and all(pair["after"]["opened_at"] > pair["before"]["opened_at"] for pair in moved)
    assert told["same"] + len(told["moved"]) + len(told["gone"]) == len(rows_of(tmp_path / "before.jsonl"))
    assert told["same"] + len(told["moved"]) + len(told["new"]) == len(rows_of(tmp_path / "found.jsonl"))
    assert run(region, tmp_path / "found.jsonl", *compared) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["rule", "new", "gone", "moved"]
    assert sum(line.startswith("~ lamp_out") for line in lines) == len(moved)


def test_devices_that_nobody_knows_are_counted_and_left_out(
    region: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    readings = tmp_path / "readings.csv"
    text = (region / "readings.csv").read_text(encoding="utf-8")
    columns = text.partition("\n")[0].count(",") + 1
    readings.write_text(text + "STRANGER,1768068000000" + "," * (columns - 2) + "\n", encoding="utf-8")
    assert run(region, tmp_path / "found.jsonl", "--json", readings=readings) == 0
    said = capsys.readouterr()
    told = json.loads(said.out)
    assert told["of_unknown_devices"] == 1
    assert told["findings"] == sum(told["by_rule"].values()) == len(rows_of(tmp_path / "found.jsonl"))
    assert "left out: 1 readings of 1 devices that the inventory does not have: STRANGER" in said.err
    assert (tmp_path / "found.jsonl").read_bytes() == (region / "found.jsonl").read_bytes()


def test_a_bad_row_stops_it_with_its_line_unless_it_may_be_skipped(
    region: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    readings, out = tmp_path / "readings.csv", tmp_path / "found.jsonl"
    lines = (region / "readings.csv").read_text(encoding="utf-8").splitlines()
    columns = lines[0].count(",") + 1
    lines.insert(2, "BOR-L0001,gestern" + "," * (columns - 2))
    readings.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert run(region, out, readings=readings) == 1
    assert "line 3, column t: 'gestern' is no instant" in capsys.readouterr().err
    assert not out.exists()
    assert run(region, out, "--skip-bad", readings=readings) == 0
    assert out.read_bytes() == (region / "found.jsonl").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--inventory", "I"], "which readings?"),
        (["--readings", "R"], "--inventory is missing"),
        (["--inventory", "I", "--readings", "R"], "--out is missing"),
        (["--inventory", "I", "--readings", "R", "--store", "--out", "O"], "which readings?"),
        (["--inventory", "I", "--readings", "R", "--from", "2026-01-01", "--out", "O"], "go with --store"),
        (["--inventory", "I", "--readings", "R", "--out", "no/such/folder/O"], "there is no folder"),
        (["--inventory", "nothing.csv", "--readings", "R", "--out", "O"], "nothing.csv can't be read"),
        (["--inventory", "I", "--readings", "nothing.csv", "--out", "O"], "there is no such file"),
        (["--inventory", "I", "--readings", "I.txt", "--out", "O"], "ends with .csv or .parquet"),
        (["--inventory", "I", "--readings", "R", "--out", "O", "--until", "now"], "--until: 'now' is no instant"),
        (
            ["--inventory", "I", "--readings", "R", "--out", "O", "--windows", "nothing.csv"],
            "nothing.csv can't be read",
        ),
        (["--inventory", "I", "--readings", "R", "--out", "O", "--rules", "nothing"], "can't be read"),
        (["--inventory", "R", "--readings", "R", "--out", "O"], "problems; mend them"),
    ],
)
def test_what_can_not_be_done_says_why_and_ends_with_1(
    region: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    real = {"I": region / "inventory.csv", "R": region / "readings.csv", "O": tmp_path / "found.jsonl"}
    assert main(["backtest", *(str(real.get(word, word)) for word in arguments)]) == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "found.jsonl").exists()


def test_the_history_of_a_stopped_platform_finds_the_same(region: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    with Inventory(make_database(data)) as inventory:
        parsed = parse_inventory((region / "inventory.csv").read_text(encoding="utf-8"))
        inventory.apply(parsed.devices, (), 1, "test")
    _store(region, data / "readings.duckdb", {one.device_id: one.kind for one in parsed.devices})
    out = tmp_path / "found.jsonl"
    assert main(["backtest", "--store", "--data", str(data), "--out", str(out)]) == 0
    assert out.read_bytes() == (region / "found.jsonl").read_bytes()


def _store(region: Path, path: Path, kind_of: dict[str, str]) -> None:
    found = read_readings(region / "readings.csv")
    store = DuckStore(path)
    store.open()
    ids = [found.device_ids[number] for number in found.device.tolist()]
    values: list[dict[str, Scalar]] = [{} for _ in ids]
    for name, column in found.values.items():
        for row, value in enumerate(column.tolist()):
            if value == value:
                values[row][name] = value
    for name, (words, codes) in found.texts.items():
        for row, code in enumerate(codes.tolist()):
            if code >= 0:
                values[row][name] = words[code]
    kinds = [kind_of[device_id] for device_id in ids]
    assert set(kinds) <= set(KINDS)
    rows = range(len(ids))
    store.write(from_rows(ids, kinds, found.t_ms.tolist(), found.received_ms.tolist(), [1] * len(ids), rows, values), 1)
    store.close()
