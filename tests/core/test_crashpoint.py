"""Crash points: each name is passed by the code, and only the one that was asked for kills."""

import ast
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.crashpoint import CRASH_POINTS, VARIABLE, crashpoint
from tests.support.project import ROOT, product_files, tree


def passed_points() -> Iterator[tuple[Path, ast.Call]]:
    for path in product_files():
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "crashpoint":
                yield path, node


def test_every_name_is_passed_by_some_code_and_no_other_one_is() -> None:
    named = {ast.literal_eval(node.args[0]) for _, node in passed_points()}
    assert named == set(CRASH_POINTS)


def test_the_points_of_a_stage_are_passed_by_the_stage_they_name() -> None:
    folder = {
        "gateway": "gateway",
        "uplink": "gateway",
        "ingest": "ingest",
        "journal": "ingest",
        "store": "ingest",
        "rules": "rules",
        "sos": "rules",
    }
    found = {(ast.literal_eval(node.args[0]).split(".")[0], path.parts[0]) for path, node in passed_points()}
    assert found == set(folder.items())


def run_past(points: str, crash_at: str) -> subprocess.CompletedProcess[str]:
    code = f"from core.crashpoint import crashpoint\nfor name in {points}: crashpoint(name); print(name, flush=True)"
    environment = {**os.environ, VARIABLE: crash_at, "PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)


def test_the_process_dies_at_the_point_that_was_named_as_kill_9_does() -> None:
    ended = run_past("['gateway.before_commit', 'gateway.after_commit']", "gateway.after_commit")
    assert (ended.returncode, ended.stdout.split()) == (-signal.SIGKILL, ["gateway.before_commit"])


def test_it_dies_at_the_pass_that_was_named() -> None:
    ended = run_past("['gateway.after_ack'] * 5", "gateway.after_ack:3")
    assert (ended.returncode, len(ended.stdout.split())) == (-signal.SIGKILL, 2)


def test_without_the_variable_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    crashpoint("gateway.after_ack")
