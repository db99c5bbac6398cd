"""The story of one platform: messages come in, it stops, it starts again, and everything is there once."""

import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from core.clock import RealClock
from core.mqtt import Link, MqttError
from deploy.broker import establish
from deploy.contact import read_contact
from deploy.credentials import load_or_create
from tests.deploy.running import Up, partheland, publish, until

LAMPS = 20
READINGS_EACH = 25
INVENTORY = "device_id,kind,town\n" + "".join(f"NAU-{number:04},lamp,naunhof\n" for number in range(LAMPS))


def messages(boot: int) -> Iterator[tuple[str, list[bytes]]]:
    """For each lamp its topic and its messages; every tenth is sent twice."""
    now_ms = RealClock().now_ms() - 3_600_000
    for number in range(LAMPS):
        payloads = []
        for seq in range(1, READINGS_EACH + 1):
            body = {"t": now_ms + seq * 60_000, "boot": boot, "seq": seq, "values": {"power_w": 35.2}}
            payloads += [json.dumps(body).encode()] * (2 if seq % 10 == 0 else 1)
        yield f"partheland/naunhof/lamp/NAU-{number:04}/up", payloads


def send(up: Up, boot: int, user: str = "", password: str = "") -> None:
    """All messages of one boot of every lamp."""
    for topic, payloads in messages(boot):
        publish(up.mqtt_port, topic, payloads, user, password)


def test_readings_survive_a_stop_and_a_start_and_are_there_once(tmp_path: Path) -> None:
    data, inventory = tmp_path / "data", tmp_path / "lamps.csv"
    inventory.write_text(INVENTORY)
    expected = LAMPS * READINGS_EACH
    with Up(data) as up:
        imported = partheland("inventory", "import", inventory, "--data", data)
        assert imported.returncode == 0, imported.stderr
        assert imported.stdout.startswith(f"imported: {LAMPS} new, 0 changed")
        send(up, boot=1)
        until(lambda: up.count() == expected, "every reading in the store")
        running = verified(data)
        assert up.stop() == 0
    with Up(data) as up:
        until(lambda: up.count() == expected, "the same readings after the start")
        send(up, boot=2)
        until(lambda: up.count() == 2 * expected, "new readings after the start")
        while_running = exported(data, tmp_path / "running.csv")
        one_while_running = exported(data, tmp_path / "one_running.csv", "--device", "NAU-0007")
        assert up.stop() == 0
    stopped = verified(data, "--deep")
    assert (running["accepted"], stopped["accepted"]) == (expected, 2 * expected)
    assert stopped["stored"] == {"duckdb": 2 * expected}
    assert exported(data, tmp_path / "stopped.csv") == while_running
    assert exported(data, tmp_path / "one.csv", "--device", "NAU-0007") == one_while_running
    one = one_while_running.splitlines()[1:]
    assert (len(one), {line.split(",")[0] for line in one}) == (2 * READINGS_EACH, {"NAU-0007"})
    assert data.stat().st_mode & 0o777 == 0o700
    assert while_running.count("\n") == 2 * expected + 1


def verified(data: Path, *more: str) -> dict[str, object]:
    """The report of `partheland verify`, which must say that all is well."""
    done = partheland("verify", "--data", data, "--json", *more)
    assert done.returncode == 0, done.stdout + done.stderr
    report: dict[str, object] = json.loads(done.stdout)
    assert report["ok"] is True
    return report


def exported(data: Path, file: Path, *more: str) -> str:
    """What `partheland export` writes."""
    done = partheland("export", "readings", "--kind", "lamp", "--data", data, "--out", file, *more)
    assert done.returncode == 0, done.stderr
    return file.read_text()


def test_with_passwords_nothing_is_lost_when_parts_are_killed_while_devices_speak(tmp_path: Path) -> None:
    data, inventory = tmp_path / "data", tmp_path / "lamps.csv"
    inventory.write_text(INVENTORY)
    data.mkdir(mode=0o755)
    with Up(data, closed=True) as up:
        devices = load_or_create(data).devices
        assert partheland("inventory", "import", inventory, "--data", data).returncode == 0
        with killing(up, ("gateway", "centre")):
            send(up, 1, devices.name, devices.password)
        until(lambda: up.count() == LAMPS * READINGS_EACH, "every reading in the store")
        assert_closed(up)
        assert verified(data)["accepted"] == LAMPS * READINGS_EACH
        assert up.stop() == 0
    kept = [path for path in data.rglob("*") if not path.is_symlink()]
    assert {"platform.db", "quarantine.db", "readings.duckdb", "spool-gw1.db"} <= {path.name for path in kept}
    assert not [path for path in kept if path.stat().st_mode & 0o077], "a folder that others may enter, nothing to read"


def assert_closed(up: Up) -> None:
    """Without a token nothing is told, without a password nobody is heard, and no log holds either."""
    with pytest.raises(HTTPError, match="401") as refused:
        urlopen(up.addresses["http"] + "/api/v1/readings/count?kind=lamp", timeout=20.0)
    refused.value.close()
    with pytest.raises(MqttError, match="no answer"):
        establish(Link("127.0.0.1", up.mqtt_port, "stranger"), ["partheland/+/+/+/up"], 0.5)
    known = load_or_create(up.data)
    contact = read_contact(up.data)
    assert contact is not None
    secrets = (known.platform.password, known.devices.password, contact.token)
    for log in (up.data / "logs").iterdir():
        assert not any(secret in log.read_text() for secret in secrets), log


@contextmanager
def killing(up: Up, parts: tuple[str, ...]) -> Iterator[None]:
    """While inside, each part is killed once, one after the other."""
    pids = up.pids()
    timers = [
        threading.Timer(0.1 + 0.3 * place, os.kill, (pids[part], signal.SIGKILL)) for place, part in enumerate(parts)
    ]
    for timer in timers:
        timer.start()
    yield
    for timer in timers:
        timer.join()


def test_what_is_replayed_and_what_the_simulator_plays_comes_in_through_the_broker(tmp_path: Path) -> None:
    data, inventory = tmp_path / "data", tmp_path / "inventory.csv"
    lapse = ("--start", "2026-01-10T15:00:00Z", "--speed", "1200")
    small = ("--lamps", 20, "--bays", 5, "--buttons", 1, "--counters", 1, "--seed", 3)
    capture = tmp_path / "parking.csv"
    lines = [f"BHM-{site},2016-10-04 {hour:02}:00:00,{site * hour},500" for site in (1, 2) for hour in range(8, 16)]
    capture.write_text("site,t,occupied,capacity\n" + "\n".join(lines) + "\n")
    with Up(data, *lapse) as up:
        replayed = partheland("replay", capture, "--as", "occupancy", "--commission", "--data", data)
        assert replayed.returncode == 0, replayed.stderr
        assert "16 messages were acknowledged by the broker." in replayed.stderr
        until(lambda: up.count("counter") == len(lines), "every line in the store")
        dry = partheland("sim", "--out", tmp_path / "run", *small, "--for", "1m", "--inventory-out", inventory)
        assert dry.returncode == 0, dry.stderr
        assert partheland("inventory", "import", inventory, "--data", data).returncode == 0
        played = partheland("sim", "--broker", up.addresses["mqtt"], *small, *lapse, "--for", "1h")
        assert played.returncode == 0, played.stderr
        until(lambda: up.count("lamp") > 0, "readings of lamps")
        again = tmp_path / "again.csv"
        again.write_text("device_id,t,occupied_count\nBHM-1,2016-10-05T08:00:00Z,8\nnobody,2016-10-05T08:00:00Z,8\n")
        replayed = partheland("replay", again, "--as", "readings", "--data", data)
        assert (replayed.returncode, "(line 3)" in replayed.stderr) == (1, True), replayed.stderr
        until(lambda: up.count("counter") > len(lines), "the reading of a device whose kind the inventory knows")
        assert up.stop() == 0


@pytest.mark.parametrize("part", ["gateway", "centre"])
def test_a_part_alone_says_what_it_lacks(tmp_path: Path, part: str) -> None:
    blocked = tmp_path / "data"
    blocked.mkdir()
    names = {"gateway": "spool-gw1.db", "centre": "quarantine.db"}
    (blocked / names[part]).write_bytes(b"this is no database, and long enough to be looked at" * 10)
    done = partheland(part, "--dev", "--data", blocked, "--http-port", 0)
    assert (done.returncode, "is damaged" in done.stderr, "Traceback" in done.stderr) == (1, True, False), done.stderr
