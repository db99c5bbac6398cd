"""The topic grammar: the only place where our MQTT topics are written and read."""

from __future__ import annotations

from typing import NamedTuple

NATIVE_FILTER = "partheland/+/+/+/up"
NATIVE_SOS_FILTER = "partheland/+/sos/+/up"
CENTRE_TOPIC = "partheland/centre"
CANARY_TOPIC = "partheland/canary"
UPLINK_FILTERS = {lane: f"partheland/uplink/+/{lane}" for lane in ("sos", "telemetry")}
STATUS_FILTER = "partheland/status/+"


class NativeTopic(NamedTuple):
    """Who speaks: partheland/{town}/{kind}/{device_id}/up."""

    town: str
    kind: str
    device_id: str


def parse_native(topic: str) -> NativeTopic | None:
    """The parts of a native device's topic; None when it is none."""
    parts = topic.split("/")
    if len(parts) != 5 or parts[0] != "partheland" or parts[4] != "up":
        return None
    return NativeTopic(parts[1], parts[2], parts[3])


def down_topic(town: str, kind: str, device_id: str) -> str:
    """Where a native device listens."""
    return f"partheland/{town}/{kind}/{device_id}/down"


def uplink_topic(gateway: str, lane: str) -> str:
    """Where a gateway sends frames of a lane."""
    return f"partheland/uplink/{gateway}/{lane}"


def ack_topic(gateway: str) -> str:
    """Where the centre tells a gateway what it has made durable."""
    return f"partheland/ack/{gateway}"


def status_topic(gateway: str) -> str:
    """Where a gateway tells how it is."""
    return f"partheland/status/{gateway}"


def registry_topic(chunk: int) -> str:
    """Where the centre keeps (retained) what gateways must know of devices."""
    return f"partheland/registry/{chunk}"


REGISTRY_FILTER = "partheland/registry/+"


def gateway_of(topic: str) -> str:
    """The gateway's id in an uplink or status topic."""
    return topic.split("/")[2]
