"""`partheland up` looks after its children: whatever is killed comes back, and nothing outlives it."""

import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.clock import RealClock
from deploy.contact import read_contact
from deploy.output import BadInput
from deploy.supervisor import Part, Supervisor, ceiling_s
from tests.deploy.running import Up, command, environment, lives, partheland, until
from tests.support.processes import free_port, port_is_open
from tests.support.require import require

PARTS = ("broker", "gateway", "centre")


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def supervise(
    tmp_path: Path, parts: list[Part], runs: Callable[[], bool], on_ready: Callable[[], None] = lambda: None
) -> list[str]:
    """What was said until `runs` is False."""
    said: list[str] = []
    names = [part.name for part in parts]
    Supervisor(parts, names, tmp_path, RealClock(), said.append, rng=random.Random(1)).run(runs, on_ready)
    return said


def for_a_while(seconds: float) -> Callable[[], bool]:
    deadline_s = time.monotonic() + seconds

    def runs() -> bool:
        time.sleep(0.02)
        return time.monotonic() < deadline_s

    return runs


def test_pauses_between_restarts_grow_to_ten_seconds_and_no_further() -> None:
    assert [ceiling_s(failures) for failures in (2, 3, 6, 1000)] == [0.8, 1.6, 10.0, 10.0]


def test_a_child_that_ends_starts_again_at_once_and_then_after_pauses(tmp_path: Path) -> None:
    part = Part("part", python("print('broken'); raise SystemExit(2)"), lambda: False, 1.0)
    said = supervise(tmp_path, [part], for_a_while(2.0))
    ends = [line for line in said if "ended" in line]
    assert ends[0] == "part ended with 2 (broken); it starts again at once"
    assert len(ends) > 1
    assert all(" s" in line for line in ends[1:])
    assert "broken" in (tmp_path / "part.log").read_text()


def test_bad_input_of_a_child_that_never_was_ready_stops_the_whole_with_its_sentence(tmp_path: Path) -> None:
    good = Part("good", python("import time; time.sleep(60)"), lambda: True, 1.0)
    code = "import sys; print('partheland: no such key', file=sys.stderr); raise SystemExit(1)"
    with pytest.raises(BadInput, match=r"^no such key$"):
        supervise(tmp_path, [good, Part("bad", python(code), lambda: False, 1.0)], for_a_while(20.0))


def test_a_child_that_was_ready_once_is_never_given_up(tmp_path: Path) -> None:
    part = Part("part", python("import time; time.sleep(0.3); raise SystemExit(1)"), lambda: True, 1.0)
    said = supervise(tmp_path, [part], for_a_while(1.5))
    assert len([line for line in said if "started" in line]) > 1


def test_a_child_that_does_not_stop_in_time_is_killed(tmp_path: Path) -> None:
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True)"
    runs = for_a_while(20.0)
    ready: list[int] = []
    log = tmp_path / "deaf.log"
    deaf = Part("deaf", python(code + "; time.sleep(60)"), lambda: log.read_text().strip() == "deaf", 0.3)
    said = supervise(tmp_path, [deaf], lambda: runs() and not ready, lambda: ready.append(1))
    assert said[-1] == "deaf did not stop in time and was killed"


def test_a_flood_of_output_does_not_stop_a_child(tmp_path: Path) -> None:
    done = tmp_path / "done"
    code = "import sys; sys.stdout.write('x' * 5_000_000); sys.stdout.flush()"
    code += f"; import pathlib; pathlib.Path({str(done)!r}).touch()"
    runs = for_a_while(20.0)
    supervise(tmp_path, [Part("loud", python(code), lambda: True, 1.0)], lambda: runs() and not done.exists())
    assert done.exists()


def test_every_part_that_is_killed_comes_back_on_the_same_ports(tmp_path: Path) -> None:
    with Up(tmp_path) as up:
        for part in PARTS:
            before = up.pids()
            os.kill(before[part], signal.SIGKILL)
            until(lambda part=part, before=before: up.pids()[part] != before[part], f"{part} started again")  # type: ignore[misc]
            until(lambda: port_is_open(up.mqtt_port) and up.is_ready(), "ready again")
            assert {name for name, pid in up.pids().items() if pid != before[name]} == {part}
        assert sum("was ended by SIGKILL; it starts again at once" in line for line in up.said()) == len(PARTS)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc shows how processes were started")
def test_it_starts_on_one_clock_stops_in_order_and_leaves_nothing_running(tmp_path: Path) -> None:
    with Up(tmp_path, "--start", "2026-01-10T15:00:00Z", "--speed", "3600") as up:
        pids = up.pids()
        lines = [Path(f"/proc/{pids[part]}/cmdline").read_text().split("\0") for part in ("gateway", "centre")]
        assert len({line[line.index("--clock-origin") + 1] for line in lines}) == 1
        assert all("3600.0" in line for line in lines)
        contact = read_contact(tmp_path)
        assert contact is not None and contact.pid == pids["centre"]
        assert (tmp_path / "centre.json").stat().st_mode & 0o777 == 0o600
        assert up.stop() == 0
        assert up.said()[-3:] == ["gateway stopped", "centre stopped", "broker stopped"]
    assert not any(lives(pid) for pid in pids.values())
    assert not (tmp_path / "centre.json").exists()


def test_a_second_platform_on_the_same_folder_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    with Up(tmp_path) as up:
        second = partheland("up", "--dev", "--data", tmp_path, "--http-port", 0, "--mqtt-port", 0)
        assert second.returncode == 1
        assert second.stderr.strip() == (
            f"partheland: the data folder {tmp_path} is in use by another platform (pid {up.pid}); "
            "stop it, or name another folder with --data"
        )
        alone = partheland("centre", "--dev", "--data", tmp_path, "--http-port", 0, "--mqtt-port", up.mqtt_port)
        assert (alone.returncode, "in use by another process" in alone.stderr) == (1, True)
        assert up.is_ready()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc shows which processes live")
def test_children_of_a_killed_supervisor_end_and_the_next_one_waits_for_them(tmp_path: Path) -> None:
    with Up(tmp_path) as up:
        orphans = up.pids()
        up.kill()
        with Up(tmp_path) as following:
            assert following.is_ready()
            assert not any(lives(pid) for pid in orphans.values())
            assert following.stop() == 0


@pytest.mark.parametrize("after_s", [0.0, 0.5, 1.0])
def test_a_stop_while_it_starts_is_a_stop(tmp_path: Path, after_s: float) -> None:
    up = Up(tmp_path)
    up.launch()
    assert up.process is not None
    until(lambda: (tmp_path / "up.lock").exists(), "it listens to signals")
    time.sleep(after_s)
    assert up.stop() == 0
    up.__exit__(None, None, None)
    assert not any(lives(pid) for pid in (up.pids() if (tmp_path / "logs").exists() else {}).values())


def test_bad_input_is_one_sentence(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("[gateway]\nspool_mb_max = 3\n")
    (tmp_path / "file").write_text("no folder")
    port = free_port()
    cases = {
        "did you mean spool_mib_max": ("--config", wrong),
        "can't be read": ("--config", tmp_path / "none.toml"),
        "Not a directory; name another with --data": ("--data", tmp_path / "file" / "data"),
        "expected a whole number": ("--http-port", 70_000),
        "give --dev with them": ("--start", "2026-01-10T18:00:00Z"),
        "--nonsense": ("--nonsense",),
    }
    for sentence, arguments in cases.items():
        done = partheland("up", "--data", tmp_path / "data", "--mqtt-port", port, *arguments)
        assert (done.returncode, len(done.stderr.strip().splitlines())) == (1, 1), done.stderr
        assert sentence in done.stderr


def test_a_port_in_use_is_one_sentence_for_each_part(tmp_path: Path) -> None:
    taken = free_port()
    holder = subprocess.Popen(
        python(f"import socket, time; held = socket.create_server(('127.0.0.1', {taken})); time.sleep(60)"),
    )
    try:
        until(lambda: port_is_open(taken), "the other program")
        for option in ("--http-port", "--mqtt-port"):
            other = "--mqtt-port" if option == "--http-port" else "--http-port"
            done = partheland("up", "--dev", "--data", tmp_path, option, taken, other, 0)
            assert (done.returncode, f"port {taken} is in use" in done.stderr) == (1, True), done.stderr
        alone = partheland("centre", "--dev", "--data", tmp_path, "--http-port", taken, "--mqtt-port", free_port())
        assert (alone.returncode, len(alone.stderr.strip().splitlines())) == (1, 1)
        assert f"port {taken}" in alone.stderr
    finally:
        holder.kill()
        holder.wait()


def test_a_gateway_without_a_broker_keeps_trying_until_it_is_stopped(tmp_path: Path) -> None:
    line = command("gateway", "--dev", "--data", tmp_path, "--mqtt-port", free_port(), "--log-json")
    with (tmp_path / "log").open("w") as log:
        gateway = subprocess.Popen(line, env=environment(), stderr=log)
    try:
        until(lambda: "no connection" in (tmp_path / "log").read_text(), "its first try")
        assert gateway.poll() is None
    finally:
        gateway.terminate()
    assert gateway.wait(20.0) == 0


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of its own without room."""
    folder = tmp_path / "full"
    folder.mkdir()
    command_line = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(folder)]
    can = os.geteuid() == 0 and shutil.which("mount") and subprocess.run(command_line, check=False).returncode == 0
    require("tmpfs", can, "only root may mount a small disk")
    try:
        with contextlib.suppress(OSError):
            (folder / "filled").write_bytes(bytes(290 * 1024))
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("name", ["up", "centre", "gateway"])
def test_a_full_disk_is_one_sentence(full_disk: Path, name: str) -> None:
    done = partheland(name, "--dev", "--data", full_disk, "--http-port", 0, "--mqtt-port", free_port())
    told = [line for line in done.stderr.splitlines() if line.startswith("partheland: ")]
    assert (done.returncode, len(told), "Traceback" in done.stderr) == (1, 1, False), done.stderr
    assert re.search(r"no room|No space left|disk is full", told[0])


def test_where_the_system_does_not_tell_of_a_dead_parent_a_process_in_between_looks(tmp_path: Path) -> None:
    child = "import os, pathlib, sys, time; pathlib.Path(sys.argv[1]).write_text(str(os.getpid())); time.sleep(60)"
    leash = "import json, sys; from deploy.leash import stay_between; stay_between(int(sys.argv[1]), sys.argv[2:])"
    parent = "import os, subprocess, sys, time; subprocess.Popen([sys.executable, '-c', sys.argv[1], str(os.getpid()),"
    parent += " *sys.argv[2:]]); time.sleep(60)"
    told = tmp_path / "pid"
    supervisor = subprocess.Popen([*python(parent), leash, sys.executable, "-c", child, str(told)], env=environment())
    until(lambda: told.exists() and bool(told.read_text()), "the child")
    supervisor.kill()
    supervisor.wait()
    until(lambda: not lives(int(told.read_text())), "the child has ended")
