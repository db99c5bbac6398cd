"""`partheland replay`: reads the file with deploy.replay and publishes it to the broker of this data folder."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from core.clock import RealClock
from core.settings import Login, Settings
from deploy import replay
from deploy.commands.inventory import export_text, import_text
from deploy.contact import find_centre
from deploy.credentials import NAME as SECRETS
from deploy.credentials import load_or_create
from deploy.options import read_data_options
from deploy.output import BadInput, say
from deploy.parts import DATABASE_NAME
from deploy.publisher import Publisher

SPREAD_S = 3.0


def main(argv: Sequence[str]) -> int:
    """Replay; 0 when every line was sent and every message was acknowledged by the broker."""
    arguments = replay.parser().parse_args(argv)
    settings, data = read_data_options(arguments)
    with Publisher(_login(settings, data), "replay") as publisher:
        code = replay.run(
            arguments, publisher.publish, lambda rows: _commission(data, rows), lambda: _known_devices(data)
        )
    say(f"{publisher.sent:,} messages were acknowledged by the broker.")
    return code


def _login(settings: Settings, data: Path) -> Login:
    """The running platform's broker, or the one of the settings; with the passwords of our own broker if there are."""
    login = settings.broker_login()
    centre = find_centre(data)
    host, port = (centre.mqtt_host, centre.mqtt_port) if centre is not None else (login.host, login.port)
    username, password = login.username, login.password
    if not username and settings.broker.embedded and (data / SECRETS).exists():
        platform = load_or_create(data).platform
        username, password = platform.name, platform.password
    return Login(host, port, username, password)


def _known_devices(data: Path) -> str:
    """The platform's devices as CSV; '' when it is stopped and has no inventory."""
    if find_centre(data) is None and not (data / DATABASE_NAME).exists():
        return ""
    return export_text(data, sites=False)


def _commission(data: Path, rows: str) -> None:
    """Bring the file's devices into the inventory; raises BadInput when the centre does not take them all."""
    outcome = import_text(data, rows, accept_valid=False, clock=RealClock())
    if not outcome["imported"]:
        first = outcome["problems"][0] if outcome["problems"] else {"line": 0, "reason": "no rows"}
        raise BadInput(f"the file's devices can't be commissioned: row {first['line']}: {first['reason']}")
    say(f"commissioned: {outcome['new']} new, {outcome['changed']} changed, {outcome['unchanged']} as before")
    if outcome["new"] or outcome["changed"]:
        time.sleep(SPREAD_S)  # the centre tells its gateways; a frame that comes before that is of an unknown device
