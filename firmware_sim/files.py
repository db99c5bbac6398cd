"""A run as files instead of MQTT: messages.ndjson, inventory.csv, sites.csv, truth.csv."""

from __future__ import annotations

import base64
from json import JSONEncoder
from pathlib import Path

from firmware_sim.region import Region
from firmware_sim.truth import write_truth
from firmware_sim.world import Message, World

_encode = JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


def write_run(world: World, region: Region, folder: Path) -> int:
    """Write the four files into the folder, which is made if need be; returns the number of messages."""
    folder.mkdir(parents=True, exist_ok=True)
    region.write_csv(folder / "inventory.csv", folder / "sites.csv")
    count = 0
    with (folder / "messages.ndjson").open("w", encoding="utf-8", newline="\n") as file:
        for message in world.messages():
            file.write(message_line(message) + "\n")
            count += 1
    write_truth(folder / "truth.csv", world.truth())
    return count


def message_line(message: Message) -> str:
    """One message as a JSON object: at_ms, topic, and payload as text, or payload_b64 when it is not UTF-8."""
    head: dict[str, object] = {"at_ms": message.at_ms, "topic": message.topic}
    try:
        return _encode(head | {"payload": message.payload.decode("utf-8")})
    except UnicodeDecodeError:
        return _encode(head | {"payload_b64": base64.b64encode(message.payload).decode()})
