"""What a source of messages is: native MQTT, ChirpStack v4, The Things Stack v3 are rows of one list.

A source knows its topics and turns one message into readings. It decides nothing about durability: the intake does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from core.reading import Scalar

PAYLOAD_BYTES_MAX = 64 * 1024


class Row(NamedTuple):
    """One reading before it is checked. `t_ms` None = the device told no time."""

    device_id: str
    kind: str
    t_ms: int | None
    boot: int
    seq: int
    values: Mapping[str, Scalar | None]


@dataclass
class Refused(Exception):
    """This message, or one entry of it, can't become a reading: a short code for counting, a sentence for a person."""

    code: str
    reason: str
    device_id: str = ""
    kind: str = ""


class Decoded(NamedTuple):
    """What one message held: readings, and the entries of it that were refused. `ack_wanted`: see topics.down_topic."""

    rows: list[Row]
    refused: list[Refused]
    ack_wanted: bool = False


class Source(Protocol):
    """One family of messages."""

    name: str
    filters: tuple[str, ...]

    def decode(self, topic: str, payload: bytes, received_ms: int) -> Decoded:
        """The readings of one message. Raises Refused when nothing of it can be used."""
        ...
