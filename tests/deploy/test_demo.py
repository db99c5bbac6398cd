"""`partheland demo`: what it deletes, what it plays, what it says; and the whole of it, from its start to Ctrl-C."""

import csv
import io
import json
import os
import re
import shutil
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from core.clock import ManualClock
from deploy.contact import Centre, read_contact
from deploy.demo_console import Reporter, welcome
from deploy.demo_folder import claim, clear
from deploy.demo_people import KINDS, people
from deploy.demo_script import HOUR_MS, RULES, Author, Moment, Script, next_dusk_ms, region_settings, write_region
from deploy.output import BadInput
from firmware_sim.region import generate
from firmware_sim.settings import read_settings
from firmware_sim.truth import read_faults
from firmware_sim.world import Run, World
from rules.load import in_force
from tests.deploy.running import lives, partheland, until
from tests.support.demo import END_S_MAX, demo

START_MS = 1_795_360_000_000  # 2026-11-22, in the afternoon


def script_of(lamps: int, seed: int = 1) -> Script:
    return Author(generate(region_settings(lamps), seed), seed, next_dusk_ms(START_MS)).write()


@pytest.mark.parametrize("lamps", [0, 30, 400])
def test_the_simulator_can_play_the_script_of_any_region(tmp_path: Path, lamps: int) -> None:
    settings = region_settings(lamps)
    write_region(tmp_path / "region.toml", settings)
    script_of(lamps).write_faults(tmp_path / "faults.csv")
    assert read_settings(tmp_path / "region.toml") == settings
    faults = read_faults(tmp_path / "faults.csv")
    world = World(generate(settings, 1), settings, 1, Run(START_MS, START_MS + HOUR_MS), faults)
    assert len(world.faults) == len(faults) > 5


def test_within_four_hours_of_dusk_everything_shows_and_no_two_faults_meet() -> None:
    script, dusk_ms = script_of(400), next_dusk_ms(START_MS)
    evening = [fault for fault in script.faults if fault.start_ms < dusk_ms + 4 * HOUR_MS]
    count = {name: sum(fault.name == name for fault in evening) for name in {fault.name for fault in evening}}
    assert count == {"lamp_out": 8, "circuit_down": 1, "silent": 3, "bay_stuck": 2, "sos_press": 1}
    assert len({fault.subject for fault in evening}) == len(evening)
    assert [moment.at_ms for moment in script.moments] == sorted(moment.at_ms for moment in script.moments)


def test_one_seed_is_one_script_and_another_seed_another() -> None:
    assert script_of(100).faults == script_of(100).faults
    assert script_of(100).faults != script_of(100, seed=2).faults


def test_the_greeting_says_where_as_whom_and_what_will_happen_when() -> None:
    persons, script = people(), script_of(400)
    said = welcome("http://127.0.0.1:8080", persons, script.moments, ManualClock(next_dusk_ms(START_MS) - 600_000), 120)
    for person in persons:
        line = next(line for line in said.splitlines() if person.password in line)
        assert f"http://127.0.0.1:8080{person.page}" in line
        assert person.name in line
    assert re.search(r"in +5 s  \(\d\d:\d\d\)  Es dämmert", said)
    assert max(map(len, said.splitlines())) <= 140


class ToldCentre(Centre):
    """A centre that answers what it was told."""

    def __init__(self, answers: dict[str, list[dict[str, object]]]) -> None:
        super().__init__("http://127.0.0.1:1", 0, "")
        self.__dict__["answers"] = answers

    @contextmanager
    def ask(self, path: str, *_: object, **__: object) -> Iterator[Any]:
        yield io.BytesIO(json.dumps({"items": self.__dict__["answers"][path.partition("?")[0]]}).encode())


def test_each_new_thing_is_said_once_and_each_change_of_it() -> None:
    case: dict[str, object] = {"id": 1, "state": "received", "device_id": "NAU-S01", "name": "Notrufsäule 1"}
    ticket: dict[str, object] = {"id": 7, "status": "open", "town": "naunhof", "title_de": "Lampe dunkel"}
    answers = {"/api/v1/sos": [case], "/api/v1/tickets": [ticket]}
    found: list[Centre | None] = [ToldCentre(answers)]
    clock = ManualClock(START_MS)
    reporter = Reporter(lambda: found[0], clock, [Moment(START_MS + 1000, "Es dämmert.")], lambda line: None)
    assert reporter.news() == [
        "NOTRUF 1: Notrufsäule 1  → http://127.0.0.1:1/notruf",
        "Ticket 7: Lampe dunkel (Naunhof)",
    ]
    assert reporter.news() == []
    case["state"], ticket["status"] = "accepted", "done"
    clock.advance(1)
    assert reporter.news() == ["Es dämmert.", "Notruf 1 angenommen", "Ticket 7 erledigt"]
    found[0] = None
    with pytest.raises(BadInput):
        reporter.news()


def test_passwords_are_fresh_and_can_be_typed() -> None:
    passwords = {person.password for _ in range(20) for person in people()}
    assert len(passwords) == 20 * len(KINDS)
    assert all(re.fullmatch(r"([a-z]{6}-){2}[a-z]{6}", password) for password in passwords)


def test_a_folder_that_a_demo_made_is_emptied(tmp_path: Path) -> None:
    folder = claim(tmp_path / "demo")
    (folder / "journal").mkdir()
    (folder / "journal" / "1").write_text("x")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("x")
    (folder / "link").symlink_to(outside)
    clear(claim(folder))
    assert [path.name for path in folder.iterdir()] == ["demo.json"]
    assert (outside / "kept").exists()


def test_no_other_folder_is_touched(tmp_path: Path) -> None:
    folder = claim(tmp_path / "demo")
    copied, other, link = tmp_path / "copied", tmp_path / "other", tmp_path / "link"
    shutil.copytree(folder, copied)
    other.mkdir()
    (other / "thesis.txt").write_text("five years")
    link.symlink_to(folder)
    for path in (copied, other, link, other / "thesis.txt"):
        with pytest.raises(BadInput, match="--data"):
            claim(path)
    assert (other / "thesis.txt").read_text() == "five years"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--speed", "0"], "--speed is 0; expected a number above 0"),
        (["--lamps", "-1"], "--lamps is -1; expected 0 or more"),
        (["--start", "tomorrow"], "--start: 'tomorrow' is no instant"),
    ],
)
def test_bad_input_is_one_sentence(tmp_path: Path, options: list[str], says: str) -> None:
    done = partheland("demo", "--data", tmp_path / "demo", "--http-port", 0, "--mqtt-port", 0, *options)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)
    assert says in done.stderr
    assert not (tmp_path / "demo").exists()


def test_a_port_in_use_is_told_with_what_to_type_instead(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = partheland("demo", "--data", tmp_path / "demo", "--http-port", port, "--mqtt-port", 0)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert f"port {port} is in use" in done.stderr
    assert "HTTP_PORT=8081" in done.stderr


def sign_in(http: str, person: dict[str, str]) -> dict[str, Any]:
    """What the centre says to a name and a password."""
    body = json.dumps({"name": person["name"], "password": person["password"]}).encode()
    request = Request(http + "/api/v1/session", body, {"Content-Type": "application/json"})
    with urlopen(request, timeout=20.0) as answer:
        told: dict[str, Any] = json.load(answer)
    return told


@pytest.mark.slow
def test_a_demo_shows_a_ticket_and_a_press_and_ends_clean_on_ctrl_c(tmp_path: Path) -> None:
    data = tmp_path / "demo"
    with demo(data, "--lamps", 200, "--speed", 600) as (process, told, said):
        assert {person["role"] for person in told["people"]} == {kind[1] for kind in KINDS}
        assert {sign_in(told["http"], person)["role"] for person in told["people"]} == {kind[1] for kind in KINDS}
        until(lambda: any("Ticket 1:" in line for line in said), "a ticket is told", 40)
        until(lambda: any("NOTRUF 1:" in line for line in said), "a press is told", 40)
        contact = read_contact(data)
        assert contact is not None
        for path in ("/api/v1/tickets", "/api/v1/sos"):
            with contact.ask(path) as answer:
                assert json.loads(answer.read())["items"]
        started = re.findall(r"(\w+) started \(pid (\d+)\)", (data / "logs" / "up.log").read_text())
        assert {name for name, _ in started} == {"broker", "gateway", "centre", "sim"}
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(END_S_MAX) == 0, said
    assert "Die Demo ist beendet" in said[-1]
    assert not [pid for _, pid in started if lives(int(pid))]
    assert "Traceback" not in "".join(path.read_text() for path in (data / "logs").glob("*.log"))
    secret = (data / "region" / "password").read_text()
    assert not [path.name for path in (data / "logs").iterdir() if secret in path.read_text()]
    with (data / "region" / "truth.csv").open(newline="") as file:
        assert {"lamp_out", "sos_press"} <= {row["fault"] for row in csv.DictReader(file)}


@pytest.mark.slow
def test_a_second_demo_in_the_same_folder_waits_for_no_one_and_starts_afresh(tmp_path: Path) -> None:
    data = tmp_path / "demo"
    with demo(data, "--lamps", 20) as (_, told, _):
        refused = partheland("demo", "--data", data, "--http-port", 0, "--mqtt-port", 0)
        assert (refused.returncode, "is in use by another platform" in refused.stderr) == (1, True)
        before = told["people"][0]["password"]
    with demo(data, "--lamps", 20) as (_, told, _):
        assert told["people"][0]["password"] != before
        assert sign_in(told["http"], told["people"][0])["name"] == told["people"][0]["name"]


def test_the_rules_of_the_demo_are_right_and_take_the_place_of_the_platforms(tmp_path: Path) -> None:
    (tmp_path / "demo.toml").write_text(RULES, encoding="utf-8")
    book = in_force([tmp_path], date(2026, 11, 22))
    assert book.problems == []
    assert book.rules["silent"].params["misses_max"].value == 6
