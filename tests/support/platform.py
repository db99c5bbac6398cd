"""The real platform for a test: broker, gateway and centre as processes of their own, killed and started at will."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from core.clock import RealClock
from tests.support.broker import find_nats_server, mqtt_broker
from tests.support.influxd import InfluxServer
from tests.support.processes import ServerProcess, free_port
from tests.support.require import require

READY_S_MAX = 60.0
STOP_S_MAX = 30.0
REPOSITORY = Path(__file__).parents[2]


def until(what: str, holds: Callable[[], bool], seconds: float = READY_S_MAX) -> None:
    """Wait for something to become true; an error that says what it was when it does not."""
    deadline_s = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline_s, f"after {seconds:g} s still not: {what}"
        time.sleep(0.05)


def command(*arguments: str) -> tuple[str, str]:
    """What `partheland` says on its standard output and beside it, run as a person would; it must succeed."""
    done = subprocess.run(
        [sys.executable, "-m", "deploy.cli", *arguments],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def embedded_broker(folder: Path) -> ServerProcess:
    """The broker that the platform brings along."""
    program = require("broker", find_nats_server(), "nats-server is not beside this Python: run `make install`")
    return mqtt_broker(folder, program)


class Part:
    """`partheland gateway` or `partheland centre` as a process."""

    def __init__(self, name: str, arguments: list[str], log: Path) -> None:
        self.name = name
        self.arguments = arguments
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, crash_at: str = "") -> None:
        """Start it; `crash_at` names the crash point at which it is to die by itself."""
        environment = {**os.environ, "PARTHELAND_CRASH_AT": crash_at, "PYTHONPATH": str(REPOSITORY)}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "deploy.cli", self.name, *self.arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
            )

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.process is not None and self.process.poll() is None

    def end(self, how: signal.Signals) -> int:
        """Send a signal and wait; the exit code."""
        assert self.process is not None, f"{self.name} was never started"
        if self.running:
            self.process.send_signal(how)
        return self.process.wait(STOP_S_MAX)

    def kill(self) -> None:
        """End it as kill -9 does."""
        self.end(signal.SIGKILL)

    def log_tail(self) -> str:
        """The end of what it said."""
        return self.log.read_text(errors="replace")[-3000:] if self.log.exists() else ""


class Platform:
    """Everything on ephemeral ports in one folder; InfluxDB beside DuckDB when a server is given.

    `lapse` = (start, speed) lets the platform's clock run as in a demo.
    """

    def __init__(
        self,
        folder: Path,
        influxd: InfluxServer | None = None,
        more_settings: str = "",
        broker: ServerProcess | None = None,
        lapse: tuple[str, float] | None = None,
    ) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.data.mkdir(parents=True)
        self.influxd = influxd
        self.bucket = influxd.new_bucket(f"test-{uuid.uuid4()}") if influxd else ""
        self.broker = broker or embedded_broker(folder / "broker")
        self.http_port = free_port()
        config = folder / "partheland.toml"
        config.write_text(self._settings() + more_settings)
        arguments = ["--dev", "--config", str(config), "--data", str(self.data), "--mqtt-port", str(self.broker.port)]
        if lapse is not None:
            origin_ms = RealClock().now_ms()
            arguments += ["--start", lapse[0], "--speed", str(lapse[1]), "--clock-origin", str(origin_ms)]
        self.gateway = Part("gateway", arguments, folder / "gateway.log")
        self.centre = Part("centre", [*arguments, "--http-port", str(self.http_port)], folder / "centre.log")

    def _settings(self) -> str:
        lines = ["[broker]", "embedded = false", "[uplink]", "resend_s = 1.0", "[store]"]
        if self.influxd is None:
            return "\n".join([*lines, 'kind = "duckdb"', ""])
        return "\n".join(
            [
                *lines,
                'kind = "both"',
                f'influx_url = "{self.influxd.url}"',
                f'influx_token = "{self.influxd.token}"',
                f'influx_bucket = "{self.bucket}"',
                "",
            ]
        )

    def start(self) -> None:
        """Start all and return when every subscription stands."""
        self.broker.start()
        self.centre.start()
        self.gateway.start()
        self.wait_ready()

    def wait_ready(self) -> None:
        """Wait until the centre takes frames and has heard the gateway since it started."""
        until(f"the centre is ready\n{self.centre.log_tail()}", lambda: self.status("/readyz") == 200)
        until("the centre has heard the gateway", lambda: bool(self.get("/api/v1/gateways")["items"]))

    def stop(self) -> None:
        """End all; never fails."""
        for part in (self.gateway, self.centre):
            if part.running:
                part.end(signal.SIGTERM)
        self.broker.stop()

    # -- asking ----------------------------------------------------------------------------------------------------

    def status(self, path: str) -> int:
        """The HTTP status of a GET; 0 when nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}{path}", timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code
        except OSError:
            return 0

    def get(self, path: str) -> Any:
        """The JSON of a GET."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}{path}", timeout=60) as answer:
            return json.load(answer)

    def post(self, path: str, body: dict[str, str] | None = None) -> Any:
        """The JSON answer to a POST of JSON; raises HTTPError as urllib does."""
        data = json.dumps(body or {}).encode()
        url = f"http://127.0.0.1:{self.http_port}{path}"
        request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method="POST")
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def commission(self, rows: Iterable[str], header: str = "device_id,kind,town") -> None:
        """Put devices into the inventory, as CSV rows under a header."""
        body = "\n".join([header, *rows]).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.http_port}/api/v1/inventory", body, {"Content-Type": "text/csv"}, method="POST"
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert answer.status == 200, answer.read()

    def drained(self) -> bool:
        """Whether every consumer has read the journal; first wait for what is to be in it."""
        report = self.get("/api/v1/verify")
        return all(position == report["journal_head"] for position in report["positions"].values())

    def journaled(self, readings: int) -> bool:
        """Whether so many readings came from the gateway, repeats among them."""
        return bool(self.get("/api/v1/verify")["journaled"] >= readings)

    def count_in_influx(self) -> tuple[int, int]:
        """What Flux finds in InfluxDB: points (by their `seq` field), and distinct (device, boot, seq)."""
        assert self.influxd is not None
        flux = (
            f'from(bucket: "{self.bucket}") |> range(start: 0, stop: 2100-01-01T00:00:00Z) '
            '|> filter(fn: (r) => r._field == "seq" or r._field == "boot") '
            '|> pivot(rowKey: ["_time", "device_id"], columnKey: ["_field"], valueColumn: "_value") '
            '|> group() |> keep(columns: ["device_id", "boot", "seq"])'
        )
        lines = self.influxd.query_csv(flux).replace("\r", "").split("\n")
        header = next(line for line in lines if line and not line.startswith("#")).split(",")
        places = [header.index(name) for name in ("device_id", "boot", "seq")]
        rows = [line.split(",") for line in lines if line and not line.startswith("#")]
        found = [tuple(row[place] for place in places) for row in rows if row != header]
        return len(found), len(set(found))
