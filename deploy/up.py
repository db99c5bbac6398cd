"""`partheland up`: one data folder, one platform; broker, gateway and centre as children of a supervisor."""

from __future__ import annotations

import fcntl
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from core.clock import RealClock
from deploy.canary import Canary
from deploy.contact import Centre
from deploy.credentials import ADMIN, admin_password
from deploy.credentials import NAME as SECRETS
from deploy.logs import LineFormatter, rotated
from deploy.options import (
    Options,
    free_port,
    lapse_arguments,
    make_folder,
    port_answers,
    reachable,
    require_free_port,
    signed_in,
)
from deploy.output import EXIT_OK, BadInput, say, tell, tell_json
from deploy.serving import StopRequest
from deploy.supervisor import Part, Supervisor

LOCK_NAME = "up.lock"
STILL_STOPPING_S_MAX = 30.0
GATEWAY_STOP_S, CENTRE_STOP_S, BROKER_STOP_S = 25.0, 35.0, 20.0
BANNER = "DEV: loopback only, no passwords, everyone is admin. For trying and testing, never for a town."


@dataclass(frozen=True)
class Addresses:
    """Where people and devices find the platform."""

    http: str
    mqtt: str
    data: str


def run_up(options: Options, config: Path | None, as_json: bool) -> int:
    """The exit code. Raises BadInput."""
    stop = StopRequest()
    stop.listen()
    with locked(options.data, stop.runs) as lock:
        options = with_ports(options)
        logs = make_folder(options.data / "logs")
        announce = announcer(logs / "up.log", lambda sentence: say(f"up: {sentence}"))
        if options.dev:
            announce(BANNER)
        addresses = addresses_of(options)
        supervisor = Supervisor(
            parts_of(options, config),
            stop_order(options),
            logs,
            RealClock(),
            announce,
            pass_fds=(lock,),
        )
        is_first = not options.dev and admin_password(options.data) is None

        def tell_all() -> None:
            _tell_ready(options, addresses, as_json, announce)
            if is_first and admin_password(options.data) is not None:
                announce(f"the first account is '{ADMIN}'; its password is in {options.data / SECRETS}")

        with tended(options, supervisor, stop.runs) as runs:
            supervisor.run(runs, tell_all)
    return EXIT_OK


@contextmanager
def tended(options: Options, supervisor: Supervisor, runs: Callable[[], bool]) -> Iterator[Callable[[], bool]]:
    """`runs`, which also looks after the embedded broker's canary; a broker elsewhere is not ours to restart."""
    if not options.settings.broker.embedded:
        yield runs
        return
    canary = Canary(
        signed_in(options).broker_login(),
        options.data,
        lambda: supervisor.pid("broker"),
        lambda: supervisor.restart("broker"),
        supervisor.announce,
        supervisor.clock,
    )

    def look_and_run() -> bool:
        canary.look()
        return runs()

    try:
        yield look_and_run
    finally:
        canary.stop()


def parts_of(options: Options, config: Path | None) -> list[Part]:
    """The children in the order they start."""
    settings = options.settings
    common = ["--data", str(options.data), "--http-port", str(settings.http.port)]
    common += ["--mqtt-port", str(settings.broker.mqtt_port)]
    common += ["--config", str(config.absolute())] if config is not None else []
    common += ["--dev"] if options.dev else []
    common += ["--log-json"] if options.log_json else []
    lapse = lapse_arguments(options.clock)

    def command(name: str, *more: str) -> list[str]:
        return [sys.executable, "-m", "deploy.cli", name, *common, *more]

    centre = Centre(addresses_of(options).http, 0, "")
    broker = settings.broker
    return [
        *(
            [Part("broker", command("broker"), lambda: port_answers(broker.bind, broker.mqtt_port), BROKER_STOP_S)]
            if broker.embedded
            else []
        ),
        Part("gateway", command("gateway", *lapse), lambda: True, GATEWAY_STOP_S),
        Part("centre", command("centre", *lapse), centre.ready, CENTRE_STOP_S),
    ]


def stop_order(options: Options) -> list[str]:
    """The names of the children, in the order they stop."""
    return ["gateway", "centre", *(["broker"] if options.settings.broker.embedded else [])]


def with_ports(options: Options) -> Options:
    """Free ports where 0 was asked for, kept for as long as this `up` runs. Raises BadInput when one is taken."""
    http, broker = options.settings.http, options.settings.broker
    require_free_port(http.bind, http.port, "--http-port", "HTTP")
    http = replace(http, port=http.port or free_port(http.bind))
    if broker.embedded:
        require_free_port(broker.bind, broker.mqtt_port, "--mqtt-port", "the broker")
        broker = replace(broker, mqtt_port=broker.mqtt_port or free_port(broker.bind))
    elif not broker.mqtt_port:
        raise BadInput("[broker] mqtt_port is 0; expected the port of the broker that runs elsewhere")
    return replace(options, settings=replace(options.settings, http=http, broker=broker))


def addresses_of(options: Options) -> Addresses:
    """Where this machine reaches a platform that runs with these options."""
    http, broker = options.settings.http, options.settings.broker
    mqtt_host = reachable(broker.bind) if broker.embedded else broker.host
    return Addresses(
        http=f"http://{_in_url(reachable(http.bind))}:{http.port}",
        mqtt=f"mqtt://{_in_url(mqtt_host)}:{broker.mqtt_port}",
        data=str(options.data),
    )


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _tell_ready(options: Options, addresses: Addresses, as_json: bool, announce: Callable[[str], None]) -> None:
    announce("ready")
    if as_json:
        tell_json({"ready": True, "dev": options.dev, "pid": os.getpid(), **vars(addresses)})
        return
    tell(f"HTTP   {addresses.http}\nMQTT   {addresses.mqtt}\nData   {addresses.data}")
    if options.settings.broker.embedded and not options.dev:
        tell(f"Passwords of the broker are in {options.data / SECRETS}")


def announcer(path: Path, to_person: Callable[[str], None]) -> Callable[[str], None]:
    """What the supervisor says: to the person who started it, and into its log."""
    log = rotated(path)
    for handler in log.handlers:
        handler.setFormatter(LineFormatter("up", as_json=False))

    def announce(sentence: str) -> None:
        log.log(logging.INFO, sentence)
        to_person(sentence)

    return announce


@contextmanager
def locked(data: Path, runs: Callable[[], bool]) -> Iterator[int]:
    """The data folder as ours alone. The children hold the lock with us: it is free when the last one has gone.

    Raises BadInput when another platform has the folder.
    """
    try:
        handle = os.open(data / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise BadInput(f"{data / LOCK_NAME} can't be used: {error.strerror}; give this user the right to") from None
    try:
        _take(handle, data, runs)
        _sign(handle, data)
        yield handle
    finally:
        os.close(handle)


def _sign(handle: int, data: Path) -> None:
    try:
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
    except OSError as error:
        raise BadInput(f"{data / LOCK_NAME} can't be written: {error.strerror}; free some space") from None


def _take(handle: int, data: Path, runs: Callable[[], bool]) -> None:
    clock = RealClock()
    deadline_s = clock.monotonic_s() + STILL_STOPPING_S_MAX
    said = False
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            holder = os.pread(handle, 20, 0).decode(errors="replace").strip()
        if _lives(holder) or clock.monotonic_s() > deadline_s or not runs():
            raise BadInput(
                f"the data folder {data} is in use by another platform (pid {holder or 'unknown'}); "
                "stop it, or name another folder with --data"
            )
        if not said:
            said = True
            say("up: the platform before this one was killed; its processes are still stopping")


def _lives(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError):
        return False
    except PermissionError:
        return True
    return True
