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
