"""What `up`, `gateway`, `centre` and `broker` have in common: settings, data folder, clock."""

from __future__ import annotations

import argparse
import errno
import os
import secrets
import socket
from dataclasses import dataclass, replace
from pathlib import Path

from core.clock import Clock, LapseClock, RealClock, parse_instant_ms
from core.settings import Settings, load
from deploy.credentials import load_or_create
from deploy.output import BadInput, Parser

LOOPBACK = "127.0.0.1"
FREE_PORT_LOW, FREE_PORT_HIGH, FREE_PORT_TRIES = 20_000, 32_000, 50


@dataclass(frozen=True)
class Options:
    """How one process of the platform was asked to run."""

    settings: Settings
    data: Path
    dev: bool
    clock: Clock
    log_json: bool = False


def add_options(parser: Parser, lapse: bool = True) -> None:
    """The options every process of the platform takes."""
    parser.add_argument("--config", type=Path, metavar="FILE", help="TOML; `partheland settings` prints a sample")
    parser.add_argument("--data", metavar="DIR", help="the folder for everything the platform keeps (var)")
    parser.add_argument("--http-port", type=int, metavar="N", help="the centre's HTTP port; 0 = any free one (8080)")
    parser.add_argument("--mqtt-port", type=int, metavar="N", help="the broker's MQTT port; 0 = any free one (1883)")
    parser.add_argument("--dev", action="store_true", help="for trying: all on loopback, no passwords, all are admin")
    parser.add_argument("--log-json", action="store_true", help="log lines as JSON")
    if lapse:
        parser.add_argument("--start", metavar="T", help="time-lapse from this instant (ISO 8601 or Unix ms)")
        parser.add_argument("--speed", type=float, metavar="X", help="time-lapse: X times as fast")
        parser.add_argument("--clock-origin", type=int, metavar="MS", help=argparse.SUPPRESS)
        # For the children of `partheland demo`: time-lapse with passwords.
        parser.add_argument("--lapse", action="store_true", help=argparse.SUPPRESS)


def read_options(arguments: argparse.Namespace) -> Options:
    """Settings from file, environment and command line; makes the data folder. Raises SettingsError or BadInput.

    What the process writes from here on is for its own user only.
    """
    asked: dict[str, dict[str, object]] = {"platform": {}, "http": {}, "broker": {}}
    if arguments.data is not None:
        asked["platform"]["data_dir"] = arguments.data
    if arguments.http_port is not None:
        asked["http"]["port"] = arguments.http_port
    if arguments.mqtt_port is not None:
        asked["broker"]["mqtt_port"] = arguments.mqtt_port
    if arguments.dev:
        asked["http"]["bind"] = asked["broker"]["bind"] = LOOPBACK
    settings = load(arguments.config, os.environ, asked)
    clock = _clock(arguments)
    keep_to_ourselves()
    data = make_folder(Path(settings.platform.data_dir))
    return Options(settings, data, arguments.dev, clock, arguments.log_json)


def _clock(arguments: argparse.Namespace) -> Clock:
    start, speed = getattr(arguments, "start", None), getattr(arguments, "speed", None)
    if start is None and speed is None:
        return RealClock()
    if not (arguments.dev or arguments.lapse):
        raise BadInput("--start and --speed are for trying; give --dev with them")
    speed = 1.0 if speed is None else speed
    if not 0 < speed <= 1e6:
        raise BadInput(f"--speed is {speed:g}; expected a number above 0, at most 1000000")
    origin_ms = arguments.clock_origin if arguments.clock_origin is not None else RealClock().now_ms()
    try:
        return LapseClock(parse_instant_ms(start) if start is not None else origin_ms, speed, origin_ms)
    except ValueError as error:
        raise BadInput(f"--start: {error}") from None


def lapse_arguments(clock: Clock) -> list[str]:
    """The same time-lapse for another process; empty for the real clock."""
    if not isinstance(clock, LapseClock):
        return []
    lapse = ["--start", str(clock.start_ms), "--speed", repr(clock.speed), "--clock-origin", str(clock.origin_ms)]
    return ["--lapse", *lapse]


def keep_to_ourselves() -> None:
    """Files and folders that this process makes from now on are not for other users of the machine."""
    os.umask(0o077)


def make_folder(path: Path) -> Path:
    """The folder, made if it is not there, with an absolute path. Raises BadInput when it can't be written."""
    path = path.absolute()
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"the data folder {path} can't be made: {error.strerror}; name another with --data") from None
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        raise BadInput(f"the data folder {path} may not be written; give this user the right to, or name another")
    return path


def signed_in(options: Options) -> Settings:
    """The settings with where our own broker is, and the platform's name and password there, where none are set."""
    broker = options.settings.broker
    if not broker.embedded:
        return options.settings
    broker = replace(broker, host=reachable(broker.bind))
    if not options.dev and not broker.username:
        platform = load_or_create(options.data).platform
        broker = replace(broker, username=platform.name, password=platform.password)
    return replace(options.settings, broker=broker)


def require_free_port(host: str, port: int, option: str, what: str) -> None:
    """Raises BadInput when nobody can listen there; port 0 is always free."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            why = {
                errno.EADDRINUSE: f"port {port} is in use: stop the program that has it, or choose another",
                errno.EACCES: f"this user may not use port {port}: choose one above 1023",
                errno.EADDRNOTAVAIL: f"{host} is no address of this machine: correct bind in the settings; port {port}",
            }.get(error.errno or 0, f"nobody can listen at {host}:{port} ({error.strerror or error}): choose another")
            raise BadInput(f"{what}: {why} with {option}") from None


def free_port(host: str) -> int:
    """A port nobody listens at; below those that systems give to outgoing connections, which might take it before the
    part it is meant for does.
    """
    for _ in range(FREE_PORT_TRIES):
        port = FREE_PORT_LOW + secrets.randbelow(FREE_PORT_HIGH - FREE_PORT_LOW)
        if _is_free(host, port):
            return port
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def _is_free(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def port_answers(host: str, port: int, timeout_s: float = 0.5) -> bool:
    """Whether somebody takes a connection there."""
    try:
        socket.create_connection((reachable(host), port), timeout_s).close()
    except OSError:
        return False
    return True


def reachable(bind: str) -> str:
    """Where this machine itself reaches what listens at `bind`."""
    return {"0.0.0.0": LOOPBACK, "::": "::1"}.get(bind, bind)


def add_data_options(parser: argparse.ArgumentParser) -> None:
    """The options of commands that work on the data of a platform, running or not."""
    parser.add_argument("--config", type=Path, metavar="FILE", help="the platform's TOML file")
    parser.add_argument("--data", metavar="DIR", help="the platform's data folder (var)")


def read_data_options(arguments: argparse.Namespace) -> tuple[Settings, Path]:
    """Settings and data folder, which must be there. Raises SettingsError or BadInput."""
    asked = {"platform": {"data_dir": arguments.data}} if arguments.data is not None else {}
    settings = load(arguments.config, os.environ, asked)
    data = Path(settings.platform.data_dir).absolute()
    if not data.is_dir():
        raise BadInput(f"there is no data folder {data}; name the platform's own with --data")
    return settings, data


def read_instant(option: str, text: str | None) -> int | None:
    """Unix ms of what was given with an option; None for nothing. Raises BadInput."""
    try:
        return None if text is None else parse_instant_ms(text)
    except ValueError as error:
        raise BadInput(f"{option}: {error}") from None


def read_span(from_: str | None, to: str | None) -> tuple[int | None, int | None]:
    """Unix ms of --from and --to. Raises BadInput."""
    from_ms, to_ms = read_instant("--from", from_), read_instant("--to", to)
    if from_ms is not None and to_ms is not None and from_ms > to_ms:
        raise BadInput(f"--from {from_} is after --to {to}; exchange them")
    return from_ms, to_ms
