"""`partheland rules`: every problem on its line, what there is as text and JSON, and how it ends."""

import json
from pathlib import Path

import pytest

from deploy.cli import main

RIGHT = """
[rule.hot]
title_de = "Vorschaltgerät heiß"
kind = "state"
select = 'kind == "lamp"'
when = 'driver_temp_c > limit_c'
params = { limit_c = 85 }
priority = "low"
[[rule.hot.override]]
model = "LED-40"
params = { limit_c = 75.5 }
author = "R. Vogt"
reason = "the maker says so"
until = 2099-01-01
"""


def file_with(folder: Path, text: str) -> Path:
    path = folder / "hot.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_right_files_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file_with(tmp_path, RIGHT)
    assert main(["rules", "check", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "rules: 1, all right\n"


def test_each_problem_has_its_line_and_the_command_ends_with_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = file_with(tmp_path, RIGHT.replace("driver_temp_c", "driver_temp").replace('"low"', '"lwo"'))
    assert main(["rules", "check", str(path)]) == 1
    said = capsys.readouterr()
    assert said.out.splitlines() == [
        f"{path}:6:9: when: there is no driver_temp. Fix: did you mean driver_temp_c?",
        f"{path}:8:12: priority is 'lwo'. Fix: did you mean low?",
    ]
    assert said.err == "problems: 2; rules that can be used: 0\n"


def test_an_override_that_has_ended_is_a_remark(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = file_with(tmp_path, RIGHT.replace("2099", "2019"))
    assert main(["rules", "check", str(path)]) == 0
    assert f"warning: {path}:14:9: the override ended on 2019-01-01" in capsys.readouterr().err


def test_problems_are_told_to_programs_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = file_with(tmp_path, RIGHT.replace("limit_c'", "limit_w'"))
    assert main(["rules", "check", "--json", str(path)]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["rules"], told["warnings"]) == (0, [])
    (problem,) = told["problems"]
    assert (problem["file"], problem["line"], problem["column"], problem["rule"]) == (str(path), 6, 25, "hot")


def test_a_list_names_every_rule_with_its_params_and_where_they_come_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = file_with(tmp_path, RIGHT)
    assert main(["rules", "list", str(path)]) == 0
    first, *rest = capsys.readouterr().out.splitlines()
    assert first.split()[:3] == ["hot", "state", "low"]
    assert rest == [f"    {path}:2", "    limit_c = 85 °C  (rule)", "    limit_c = 75.5 °C  (model LED-40)"]
    assert main(["rules", "list", "--json", str(path)]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["name"], row["kind"], row["title_de"], len(row["hash"])) == ("hot", "state", "Vorschaltgerät heiß", 64)
    assert [(one["origin"], one["value"]) for one in row["params"]] == [("rule", 85.0), ("model LED-40", 75.5)]


def test_without_a_path_the_rules_of_the_platform_are_meant(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules", "check"]) == 0
    assert capsys.readouterr().out.endswith(", all right\n")


def test_a_folder_without_rule_files_is_no_success(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules", "check", str(tmp_path)]) == 1
    assert "holds no rule file" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["rules"], ["rules", "chekc"], ["rules", "check", "no-such-file.toml"]])
def test_what_can_not_be_done_is_one_sentence(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) == 1


INVENTORY = "device_id,kind,town,nominal_w,interval_s\nL1,lamp,naunhof,40,900\nL2,lamp,naunhof,40,900\n"
EVENING_MS = 1_768_068_000_000  # 2026-01-10T18:00:00Z


def files_with_a_dark_lamp(folder: Path) -> list[str]:
    """L1 goes dark after an hour, L2 burns with a little less."""
    (folder / "lamps.csv").write_text(INVENTORY, encoding="utf-8")
    lines = ["device_id,t,power_w,dim_pct"]
    for step in range(10):
        t_ms = EVENING_MS + step * 900_000
        lines += [f"L1,{t_ms},{40 if step < 4 else 0.5},100", f"L2,{t_ms},35.2,100"]
    (folder / "readings.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return ["--inventory", str(folder / "lamps.csv"), "--readings", str(folder / "readings.csv")]


def test_files_are_explained_with_a_sentence_and_everything_looked_at(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = files_with_a_dark_lamp(tmp_path)
    asked = ["rules", "explain", "--rule", "lamp_out", "--device", "L2", "--at", "2026-01-10T18:45:10Z", *files]
    assert main(asked) == 0
    said = capsys.readouterr().out.splitlines()
    assert (
        said[0] == "Nicht ausgelöst: Um 19:45 Uhr nahm die Lampe 35,2 W auf; gemeldet wird erst bei weniger als 10 W."
    )
    assert any("power_w < low_share * expected_w" in line and "nein" in line for line in said)
    assert main([*asked, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["verdict"], told["sample"]["t"]) == ("not_fired", "2026-01-10T18:45:00.000Z")


def test_without_an_instant_files_are_explained_as_of_their_last_reading(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = files_with_a_dark_lamp(tmp_path)
    assert main(["rules", "explain", "--rule", "lamp_out", "--device", "L1", *files]) == 0
    assert capsys.readouterr().out.startswith("Ausgelöst (gemeldet ")


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--rule", "lamp_uot", "--device", "L1"], "did you mean lamp_out?"),
        (["--rule", "lamp_out", "--device", "L3"], "there is no device 'L3'"),
        (["--rule", "lamp_out", "--device", "L1", "--at", "gestern"], "is no instant"),
    ],
)
def test_what_can_not_be_explained_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], says: str
) -> None:
    assert main(["rules", "explain", *more, *files_with_a_dark_lamp(tmp_path)]) == 1
    assert says in capsys.readouterr().err


def test_a_running_centre_is_needed_where_no_files_are_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["rules", "explain", "--rule", "lamp_out", "--device", "L1", "--data", str(tmp_path)]
    assert main(asked) == 1
    assert "no centre runs" in capsys.readouterr().err
    assert main([*asked, "--inventory", "lamps.csv"]) == 1
    assert "go together" in capsys.readouterr().err
