"""The real `partheland` command for tests: run to its end, or run as a platform that can be killed and stopped."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from deploy.contact import read_contact
from tests.support.project import ROOT

READY_S_MAX = 60.0
STOP_S_MAX = 60.0


def environment() -> dict[str, str]:
    """Ours, without settings of the person who runs the tests, and with the project on the path."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PARTHELAND_")}
    return {**kept, "PYTHONPATH": str(ROOT)}


def command(*arguments: object) -> list[str]:
    """The command line of `partheland …`."""
    return [sys.executable, "-m", "deploy.cli", *map(str, arguments)]


def partheland(*arguments: object, timeout_s: float = 60.0) -> subprocess.CompletedProcess[str]:
    """`partheland …` run to its end."""
    return subprocess.run(
        command(*arguments), env=environment(), capture_output=True, text=True, timeout=timeout_s, check=False
    )


def until(done: Callable[[], bool], what: str, within_s: float = 30.0) -> None:
    """Returns when it is so; fails with `what` when it does not become so."""
    deadline_s = time.monotonic() + within_s
    while not done():
        assert time.monotonic() < deadline_s, f"not within {within_s:.0f} s: {what}"
        time.sleep(0.02)


def lives(pid: int) -> bool:
    """Whether the process runs; one that has ended and waits for its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def publish(port: int, topic: str, payloads: list[bytes], user: str = "", password: str = "") -> None:
    """As a device does: QoS 1, and the broker has acknowledged all when this returns."""
    client = paho.Client(CallbackAPIVersion.VERSION2)
    if user:
        client.username_pw_set(user, password)
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        for sent in [client.publish(topic, payload, 1) for payload in payloads]:
            sent.wait_for_publish(20.0)
            assert sent.is_published(), "the broker did not acknowledge"
    finally:
        client.disconnect()
        client.loop_stop()


class Up:
    """`partheland up` on a data folder, ports chosen by it; with --dev unless `closed`, then with passwords."""

    def __init__(self, data: Path, *more: str, closed: bool = False) -> None:
        self.data = data
        self.more = more if closed else ("--dev", *more)
        self.process: subprocess.Popen[str] | None = None
        self.addresses: dict[str, Any] = {}

    def launch(self) -> None:
        """Start the process."""
        self.process = subprocess.Popen(
            command("up", "--data", self.data, "--http-port", 0, "--mqtt-port", 0, "--json", *self.more),
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        self.launch()
        assert self.process is not None and self.process.stdout is not None and self.process.stderr is not None
        in_time = threading.Timer(READY_S_MAX, self.process.kill)
        in_time.start()
        line = self.process.stdout.readline()
        in_time.cancel()
        if not line:
            said = self.process.stderr.read()
            self.process.wait(STOP_S_MAX)
            self.process.stdout.close()
            self.process.stderr.close()
            raise AssertionError(f"up ended before it was ready: {said}")
        self.addresses = json.loads(line)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self.process is not None
        if self.process.poll() is None:
            self.stop()
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()

    @property
    def pid(self) -> int:
        """The supervisor's."""
        assert self.process is not None
        return self.process.pid

    @property
    def mqtt_port(self) -> int:
        """Where devices reach the broker."""
        return int(self.addresses["mqtt"].rsplit(":", 1)[1])

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_S_MAX)

    def kill(self) -> None:
        """kill -9 of the supervisor."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(STOP_S_MAX)

    def said(self) -> list[str]:
        """What the supervisor said, over all runs."""
        lines = (self.data / "logs" / "up.log").read_text().splitlines()
        return [line.split(" up ", 1)[1] for line in lines]

    def pids(self) -> dict[str, int]:
        """The process of each part that was started last."""
        found = (re.fullmatch(r"(\w+) started \(pid (\d+)\)", line) for line in self.said())
        return {match.group(1): int(match.group(2)) for match in found if match}

    def get(self, path: str) -> Any:
        """The JSON answer of the centre to the token that it left for commands on this machine."""
        contact = read_contact(self.data)
        headers = {"Authorization": f"Bearer {contact.token}"} if contact is not None else {}
        request = urllib.request.Request(self.addresses["http"] + path, headers=headers)
        with urllib.request.urlopen(request, timeout=20.0) as answer:
            return json.load(answer)

    def is_ready(self) -> bool:
        """Whether /readyz answers 200."""
        try:
            return bool(self.get("/readyz")["ready"])
        except OSError:
            return False

    def count(self, kind: str = "lamp") -> int:
        """How many distinct readings the store holds; -1 while nobody answers."""
        try:
            return int(self.get(f"/api/v1/readings/count?kind={kind}")["count"])
        except OSError:
            return -1
