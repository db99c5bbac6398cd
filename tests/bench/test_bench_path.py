"""The path under load: messages/s end to end, CPU a message, delay, memory. Prints; asserts only that nothing is lost.

`make bench`; BENCH_S=600 holds the rate for ten minutes, BENCH_RATE, BENCH_DEVICES and PARTHELAND_TELEGRAF (the path of
a telegraf binary, measured on the same messages in the same run) change what is measured.
"""

import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from core.clock import RealClock
from tests.bench.button import Button, words
from tests.bench.load import device_name
from tests.bench.processes import Cost, children_of, cost_of, machine
from tests.support.fleet import Fleet, topic_of
from tests.support.influxd import InfluxServer
from tests.support.platform import REPOSITORY, until
from tests.support.require import require

SECONDS = float(os.environ.get("BENCH_S", "60"))
RATE = float(os.environ.get("BENCH_RATE", "10600"))
DEVICES = int(os.environ.get("BENCH_DEVICES", "100000"))
CONNECTIONS = 50
PROBES_PER_S = 2

pytestmark = pytest.mark.bench


class Up:
    """`partheland up --dev` with its addresses and children."""

    def __init__(self, data: Path, settings: str = "") -> None:
        self.data = data
        config = data.with_suffix(".toml")
        config.write_text(settings)
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        self.command = [sys.executable, "-m", "deploy.cli"]
        arguments = ["up", "--dev", "--data", str(data), "--http-port", "0", "--mqtt-port", "0"]
        arguments += ["--config", str(config)]
        self.process = subprocess.Popen([*self.command, *arguments], env=environment, stdout=subprocess.DEVNULL)
        until("the platform runs", (data / "centre.json").exists, 60)
        self.contact = json.loads((data / "centre.json").read_text())
        until("the platform is ready", lambda: self.get("/readyz") is not None, 60)
        self.children = children_of(self.process.pid)

    def get(self, path: str) -> object:
        """The JSON of a GET; None when it is not answered with 200."""
        try:
            with urllib.request.urlopen(self.contact["http"] + path, timeout=60) as answer:
                return json.load(answer)
        except OSError:
            return None

    def costs(self) -> dict[str, Cost]:
        """What the parts have cost so far."""
        return {name: cost_of(pid) for name, pid in self.children.items()}

    def stop(self) -> None:
        """End it in order."""
        self.process.terminate()
        self.process.wait(60)


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    with running(tmp_path, "") as found:
        yield found


@contextmanager
def running(tmp_path: Path, settings: str) -> Iterator[Up]:
    """A platform with all the devices."""
    found = Up(tmp_path / "data", settings)
    try:
        inventory = tmp_path / "inventory.csv"
        names = [device_name(number) for number in range(DEVICES)] + ["PROBE"]
        inventory.write_text(
            "\n".join(
                [
                    "device_id,kind,town,nominal_w,interval_s,cabinet,circuit",
                    "BUTTON,sos,naunhof,,3600,,",
                    *(f"{name},lamp,naunhof,40,900,C{at // 60},{at // 15 % 4}" for at, name in enumerate(names)),
                ]
            )
        )
        imported = ["inventory", "import", str(inventory), "--data", str(found.data)]
        subprocess.run([*found.command, *imported], check=True, env={**os.environ, "PYTHONPATH": str(REPOSITORY)})
        time.sleep(5)
        yield found
    finally:
        found.stop()


class Probe:
    """One lamp that speaks a few times a second, while somebody asks the API until its reading is there."""

    def __init__(self, up: Up) -> None:
        self.up = up
        self.fleet = Fleet(int(up.contact["mqtt_port"]), "probe")
        self.delays_s: list[float] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        seq = 0
        while not self._stopping.wait(1 / PROBES_PER_S):
            seq += 1
            t_ms = RealClock().now_ms()
            started_s = time.monotonic()
            self.fleet.publish(
                topic_of("PROBE"), json.dumps({"t": t_ms, "boot": 1, "seq": seq, "values": {"power_w": 1}})
            )
            path = f"/api/v1/readings?device_id=PROBE&from={t_ms}&limit=1"
            while not self._stopping.is_set():
                found = self.up.get(path)
                if isinstance(found, dict) and found["items"]:
                    self.delays_s.append(time.monotonic() - started_s)
                    break
                time.sleep(0.1)

    def stop(self) -> None:
        """The last probe is not waited for."""
        self._stopping.set()
        self._thread.join()
        self.fleet.stop()


def play(up: Up, seconds: float, rate: float) -> int:
    """Run the load generator; how many messages it sent."""
    total = int(seconds * rate)
    load = [sys.executable, "-m", "tests.bench.load", str(up.contact["mqtt_port"]), str(total), str(rate)]
    subprocess.run([*load, str(DEVICES), str(CONNECTIONS)], check=True, cwd=REPOSITORY)
    return total


def test_the_path_end_to_end(up: Up) -> None:
    print(f"\nmachine: {machine()}; {DEVICES} devices, {CONNECTIONS} connections, {RATE:.0f}/s for {SECONDS:.0f} s")
    before = up.costs()
    total = play(up, SECONDS, RATE)
    loaded, sent_s = up.costs(), time.monotonic()
    until("all is counted", lambda: counted(up) >= total, 600)
    drained_s = time.monotonic() - sent_s
    show(before, loaded, up.costs(), total)
    print(f"backlog when the load ended: {drained_s:.1f} s")
    probe, button = Probe(up), Button(int(up.contact["mqtt_port"]), str(up.contact["http"]))
    total += play(up, min(60.0, max(20.0, SECONDS / 4)), RATE)
    probe.stop()
    answers, seen = button.stop()
    print(f"SOS press → committed by the gateway and answered, at the same time: {words(answers)}")
    print(f"SOS press → on the console (live stream), at the same time: {words(seen)}")
    delays = sorted(probe.delays_s)
    p50, p99 = delays[len(delays) // 2], delays[int(len(delays) * 0.99)]
    print(f"sent → queryable at {RATE:.0f}/s: p50 {p50:.2f} s, p99 {p99:.2f} s, {len(delays)} probes")
    until("all is counted", lambda: counted(up) >= total + len(delays), 600)
    report = up.get("/api/v1/verify")
    assert isinstance(report, dict)
    assert report["ok"], report["problems"]
    assert counted(up) + len(answers) == report["stored"]["duckdb"]


def test_a_press_reaches_the_console_while_lamps_flood_and_influxdb_is_down(tmp_path: Path) -> None:
    nobody = '[store]\nkind = "both"\ninflux_url = "http://127.0.0.1:9"\ninflux_token = "none"\n'
    with running(tmp_path, nobody) as up:
        button = Button(int(up.contact["mqtt_port"]), str(up.contact["http"]))
        total = play(up, SECONDS, RATE)
        answers, seen = button.stop()
        print(f"\n{RATE:.0f} lamps/s, InfluxDB down: press → answered: {words(answers)}; → console: {words(seen)}")
        until("all is counted", lambda: counted(up) >= total, 600)


def test_the_cost_beside_telegraf(up: Up, influxd: InfluxServer, tmp_path: Path) -> None:
    program = require("telegraf", os.environ.get("PARTHELAND_TELEGRAF"), "PARTHELAND_TELEGRAF names no binary")
    config = tmp_path / "telegraf.conf"
    config.write_text(telegraf_settings(int(up.contact["mqtt_port"]), influxd))
    with (tmp_path / "telegraf.log").open("wb") as log:
        telegraf = subprocess.Popen([program, "--config", str(config)], stdout=log, stderr=log)
    try:
        time.sleep(5)
        before, telegraf_before = up.costs(), cost_of(telegraf.pid)
        total = play(up, SECONDS / 2, RATE / 2)
        until("all is counted", lambda: counted(up) >= total, 600)
        show(before, up.costs(), up.costs(), total)
        theirs = cost_of(telegraf.pid)
        theirs_us = (theirs.cpu_s - telegraf_before.cpu_s) / total * 1e6
        print(f"telegraf {theirs_us:6.1f} µs CPU a message, {theirs.rss_mib:6.0f} MiB")
    finally:
        telegraf.terminate()
        telegraf.wait(30)


def telegraf_settings(mqtt_port: int, influxd: InfluxServer) -> str:
    """mqtt_consumer → influxdb_v2 for our topics, acknowledging after the write as we do."""
    fields = "".join(
        f'[[inputs.mqtt_consumer.json_v2.field]]\npath="values.{name}"\ntype="float"\noptional=true\n'
        for name in ("power_w", "voltage_v", "current_a", "dim_pct", "driver_temp_c")
    )
    return (
        '[agent]\ninterval="1s"\nflush_interval="1s"\nmetric_batch_size=5000\nmetric_buffer_limit=2000000\n'
        "omit_hostname=true\n[[inputs.mqtt_consumer]]\n"
        f'servers=["tcp://127.0.0.1:{mqtt_port}"]\ntopics=["partheland/+/+/+/up"]\nqos=1\nclient_id="telegraf"\n'
        'persistent_session=true\nmax_undelivered_messages=10000\ndata_format="json_v2"\n'
        '[[inputs.mqtt_consumer.topic_parsing]]\ntopic="partheland/+/+/+/up"\ntags="_/town/kind/device/_"\n'
        f'[[inputs.mqtt_consumer.json_v2]]\ntimestamp_path="t"\ntimestamp_format="unix_ms"\n{fields}'
        f'[[outputs.influxdb_v2]]\nurls=["{influxd.url}"]\ntoken="{influxd.token}"\norganization="{influxd.org}"\n'
        f'bucket="{influxd.bucket}"\n'
    )


def counted(up: Up) -> int:
    found = up.get("/api/v1/readings/count?kind=lamp")
    return int(found["count"]) if isinstance(found, dict) else 0


def show(before: dict[str, Cost], loaded: dict[str, Cost], after: dict[str, Cost], total: int) -> None:
    for name in before:
        cpu_us = (after[name].cpu_s - before[name].cpu_s) / total * 1e6
        memory = f"{after[name].rss_mib:.0f} MiB, peak {after[name].peak_mib:.0f} MiB"
        print(f"{name:8} {cpu_us:6.1f} µs CPU a message, {memory}")
    ours = sum(after[name].cpu_s - before[name].cpu_s for name in ("gateway", "centre")) / total * 1e6
    late = sum(after[name].cpu_s - loaded[name].cpu_s for name in ("gateway", "centre"))
    print(f"gateway + centre: {ours:.1f} µs CPU a message (of it {late:.1f} s after the last message was sent)")
