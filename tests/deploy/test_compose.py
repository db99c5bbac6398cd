"""The files for other ways to run the platform, read by what reads them in production where that is here."""

import configparser
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.mqtt import Link, MqttError
from core.settings import Settings, load
from deploy.broker import establish
from deploy.cli import COMMANDS
from tests.deploy.running import publish, until
from tests.deploy.test_broker import Hearing
from tests.support.processes import ServerProcess, free_port
from tests.support.project import ROOT
from tests.support.require import require

DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
UP_TOPIC = "partheland/naunhof/lamp/L1/up"

Yaml = dict[str, Any]


def read_yaml(text: str) -> Yaml:
    """The plain part of YAML that compose.yaml keeps to: mappings and lists by indentation, one value in a line.

    Stricter than YAML: whatever it does not know is an error, so what passes here is YAML for every reader.
    """
    lines = [(len(line) - len(line.lstrip()), line.strip()) for line in text.splitlines()]
    lines = [(indent, line) for indent, line in lines if line and not line.startswith("#")]
    found, rest = _block(lines, 0)
    assert not rest, f"a line is not indented as its neighbours: {rest[0]}"
    assert isinstance(found, dict)
    return found


def _block(lines: list[tuple[int, str]], indent: int) -> tuple[Any, list[tuple[int, str]]]:
    if lines[0][1].startswith("- "):
        items: list[str] = []
        while lines and lines[0][0] == indent and lines[0][1].startswith("- "):
            items.append(_scalar(lines[0][1][2:]))
            lines = lines[1:]
        return items, lines
    table: Yaml = {}
    while lines and lines[0][0] == indent:
        match = re.fullmatch(r"([A-Za-z_][\w-]*):(?: (.+))?", lines[0][1])
        assert match and match.group(1) not in table, f"not a key, or twice: {lines[0][1]}"
        lines = lines[1:]
        if match.group(2):
            table[match.group(1)] = _scalar(match.group(2))
        elif lines and lines[0][0] > indent:
            table[match.group(1)], lines = _block(lines, lines[0][0])
        else:
            table[match.group(1)] = None
    return table, lines


def _scalar(text: str) -> str:
    if text.startswith('"'):
        assert text.endswith('"') and "\\" not in text and text.count('"') == 2, text
        return text[1:-1]
    assert not re.search(r": | #|^[\[\]{}&*!|>'%@`,?]", text), f"quote this value: {text}"
    return text


@pytest.fixture(scope="module")
def compose() -> Yaml:
    """compose.yaml as a table."""
    return read_yaml((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))


def test_everything_compose_names_is_there(compose: Yaml) -> None:
    for name, service in compose["services"].items():
        assert set(service.get("secrets", [])) <= compose["secrets"].keys(), name
        assert set(service.get("depends_on", [])) <= compose["services"].keys(), name
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert (DEPLOY / source).is_file() if source.startswith("./") else source in compose["volumes"], volume
    build = compose["services"]["gateway"]["build"]
    assert (DEPLOY / build["context"] / build["dockerfile"]).is_file()


@pytest.mark.parametrize("part", ["gateway", "centre"])
def test_the_platforms_settings_in_compose_are_settings(compose: Yaml, part: str, tmp_path: Path) -> None:
    service = compose["services"][part]
    secrets = {f"/run/secrets/{name}": tmp_path / name for name in service["secrets"]}
    for path in secrets.values():
        path.write_text("secret\n")
    environ = {name: str(secrets.get(value, value)) for name, value in service["environment"].items()}
    settings = load(None, environ)
    assert (settings.broker.embedded, settings.broker.host) == (False, "mosquitto")
    assert service["command"][0] in COMMANDS


def test_compose_lets_only_devices_in_from_outside(compose: Yaml) -> None:
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert sorted(ports) == ["127.0.0.1:8080:8080", "1883:1883"]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_every_unit_starts_a_command_we_have_and_starts_it_again(unit: Path) -> None:
    parser = configparser.ConfigParser(interpolation=None, strict=True)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(unit.read_text(encoding="utf-8"))
    program, name, *options = shlex.split(parser["Service"]["ExecStart"])
    assert (Path(program).name, name in COMMANDS) == ("partheland", True)
    assert options == ["--config", "/etc/partheland/partheland.toml", "--data", "/var/lib/partheland"]
    assert parser["Service"]["Restart"] == "always"
    assert parser["Unit"]["StartLimitIntervalSec"] == "0"


def test_systemd_understands_the_units(tmp_path: Path) -> None:
    program = require("systemd", shutil.which("systemd-analyze"), "systemd-analyze is not installed")
    for unit in UNITS:
        text = unit.read_text(encoding="utf-8").replace("/opt/partheland/.venv/bin/partheland", "/bin/true")
        (tmp_path / unit.name).write_text(text)
    done = subprocess.run(
        [program, "verify", *map(str, tmp_path.glob("*.service"))], capture_output=True, text=True, check=False
    )
    ours = [line for line in (done.stdout + done.stderr).splitlines() if "partheland" in line and str(tmp_path) in line]
    assert ours == []


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[ServerProcess]:
    """Mosquitto with our configuration, its paths and its port moved."""
    path = os.environ.get("PATH", "") + ":/usr/sbin"
    program = require("mosquitto", shutil.which("mosquitto", path=path), "mosquitto is not installed")
    passwd = require("mosquitto", shutil.which("mosquitto_passwd", path=path), "mosquitto_passwd is not installed")
    for name in ("config", "passwords", "data"):
        (tmp_path / name).mkdir()
    (tmp_path / "passwords" / "passwords").touch(0o600)
    for user in ("platform", "devices"):
        subprocess.run([passwd, "-b", str(tmp_path / "passwords" / "passwords"), user, user + "-pw"], check=True)
    shutil.copy(DEPLOY / "mosquitto.acl", tmp_path / "config" / "acl")
    port = free_port()
    text = (DEPLOY / "mosquitto.conf").read_text(encoding="utf-8").replace("/mosquitto/", f"{tmp_path}/")
    text = text.replace("\nlistener 1883\n", f"\nlistener {port} 127.0.0.1\n")
    user = "\nuser root\n" if os.geteuid() == 0 else ""
    (tmp_path / "mosquitto.conf").write_text(text + user)
    with ServerProcess([program, "-c", str(tmp_path / "mosquitto.conf")], port, tmp_path / "log") as server:
        yield server


def link(port: int, user: str) -> Link:
    return Link("127.0.0.1", port, f"test-{user}", user, f"{user}-pw" if user else "")


def test_mosquitto_keeps_thousands_of_messages_for_an_absent_gateway_over_a_restart(mosquitto: ServerProcess) -> None:
    establish(replace(link(mosquitto.port, "platform"), client_id="gw-gw1-native"), ["partheland/+/+/+/up"], 5.0)
    payloads = [b"%d" % number for number in range(3000)]
    publish(mosquitto.port, UP_TOPIC, payloads, "devices", "devices-pw")
    mosquitto.stop()
    mosquitto.start()
    filters = ("partheland/+/+/+/up",)
    with Hearing(mosquitto.port, "gw-gw1-native", filters, True, "platform", "platform-pw") as gateway:
        until(lambda: len(gateway.heard) == len(payloads), "every message")
    assert [message.payload for message in gateway.heard] == payloads


def test_mosquitto_lets_nobody_in_without_a_name_and_devices_only_speak_as_devices(mosquitto: ServerProcess) -> None:
    with pytest.raises(MqttError, match="no answer"):
        establish(link(mosquitto.port, ""), [UP_TOPIC], 0.5)
    with Hearing(mosquitto.port, "all", ("partheland/#",), True, "platform", "platform-pw") as everything:
        until(lambda: everything.session.connected, "the platform's own subscription")
        for topic in ("partheland/ack/gw1", "partheland/centre", "partheland/naunhof/lamp/L1/down", UP_TOPIC):
            publish(mosquitto.port, topic, [b"x"], "devices", "devices-pw")
        until(lambda: bool(everything.heard), "the message a device may send")
    assert [message.topic for message in everything.heard] == [UP_TOPIC]


def test_mosquittos_limits_are_those_of_the_settings() -> None:
    text = (DEPLOY / "mosquitto.conf").read_text(encoding="utf-8")
    told = dict(line.split(" ", 1) for line in text.splitlines() if line and not line.startswith("#") and " " in line)
    broker = Settings().broker
    assert int(told["max_inflight_messages"]) == broker.max_inflight
    assert int(told["message_size_limit"]) == broker.max_payload_bytes
    assert (told["persistence"], told["allow_anonymous"], told["max_queued_messages"]) == ("true", "false", "0")
