"""The broker that the platform embeds, nats-server with MQTT, set up for one test."""

import json
import shutil
import sys
from pathlib import Path

from tests.support.processes import ServerProcess, free_port

ACK_WAIT = "3s"
MAX_ACK_PENDING = 4096


def find_nats_server() -> str | None:
    """The path of nats-server: beside this Python, where its package puts it, or on the search path."""
    beside = Path(sys.executable).parent / "nats-server"
    return str(beside) if beside.exists() else shutil.which("nats-server")


def mqtt_broker(folder: Path, program: str) -> ServerProcess:
    """A broker, not yet started, with its store in `folder`; its `port` speaks MQTT without passwords."""
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    # The configuration language of nats-server is a superset of JSON.
    settings = {
        "server_name": "partheland-test",
        "host": "127.0.0.1",
        "port": free_port(),
        "jetstream": {"store_dir": str(folder / "store")},
        "mqtt": {"host": "127.0.0.1", "port": port, "ack_wait": ACK_WAIT, "max_ack_pending": MAX_ACK_PENDING},
    }
    config = folder / "nats-server.conf"
    config.write_text(json.dumps(settings, indent=2))
    return ServerProcess([program, "-c", str(config)], port, folder / "nats-server.log")
