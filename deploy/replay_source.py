"""What every kind of replayed file shares: options, messages, devices it implies, and the count of its oddities."""

from __future__ import annotations

import gzip
import re
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import TextIOWrapper
from pathlib import Path
from typing import NamedTuple

from core.device import Device
from core.town import is_id

PLACES_SHOWN_MAX = 5
_NO_ID_CHARACTER = re.compile(r"[^A-Za-z0-9_-]+")


class ReplayError(ValueError):
    """The file can't be replayed at all; the text says why."""


class Outgoing(NamedTuple):
    """One message to publish."""

    topic: str
    payload: bytes


@dataclass(frozen=True)
class ReplayOptions:
    """How a file is replayed. `kind` '' = as the inventory says, or `other`; `kinds` = kind by device id."""

    town: str = "naunhof"
    kind: str = ""
    timezone: str = "Europe/Berlin"
    application: str = "replay"
    kinds: dict[str, str] = field(default_factory=dict)


@dataclass
class Tally:
    """What was read, and what was odd about it.

    `unusable` = lines that gave no message, by reason; `places` = the numbers of the first of them, by reason.
    """

    lines: int = 0
    sent: Counter[str] = field(default_factory=Counter)
    odd: Counter[str] = field(default_factory=Counter)
    unusable: Counter[str] = field(default_factory=Counter)
    places: dict[str, list[int]] = field(default_factory=dict)
    devices: dict[str, Device] = field(default_factory=dict)

    def leave_out(self, line: int, reason: str) -> None:
        """This line of the file, counted from 1, gives no message."""
        self.unusable[reason] += 1
        places = self.places.setdefault(reason, [])
        if len(places) < PLACES_SHOWN_MAX:
            places.append(line)

    def sentences(self) -> list[str]:
        """The report: what was sent, what was odd, what could not be used."""
        sent = ", ".join(f"{count:,} {what}" for what, count in self.sent.most_common()) or "none"
        told = [f"Lines read: {self.lines:,}. Devices: {len(self.devices):,}. Messages sent: {sent}."]
        told += [f"Odd, and sent as it is: {what}: {count:,}." for what, count in self.odd.most_common() if count]
        told += [f"Not sent: {why}: {count:,} ({self._where(why)})." for why, count in self.unusable.most_common()]
        return told

    def _where(self, reason: str) -> str:
        places, count = self.places[reason], self.unusable[reason]
        more = ", …" if count > len(places) else ""
        return f"line{'s' if count > 1 else ''} {', '.join(map(str, places))}{more}"


def open_lines(path: Path) -> Iterator[str]:
    """The lines of a text file, unpacked when it is gzip; bytes that are no UTF-8 become replacement characters.

    Raises ReplayError when the file can't be read or unpacked to its end.
    """
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            raw = gzip.GzipFile(fileobj=file) if packed else file
            with TextIOWrapper(raw, encoding="utf-8-sig", errors="replace", newline="") as text:
                yield from text
    except (OSError, EOFError, zlib.error) as error:
        raise ReplayError(f"can't be read: {error}") from error


def as_id(text: str) -> str:
    """A text as an id: what may not stand in one becomes '_'; '' when nothing is left."""
    cleaned = _NO_ID_CHARACTER.sub("_", text.strip()).strip("_")[:64]
    return cleaned if is_id(cleaned) else ""
