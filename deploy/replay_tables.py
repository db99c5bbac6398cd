"""Tables as messages of native devices: car park counts (our columns, or those of UCI "Parking Birmingham"), readings.

A table has no boot and no sequence number. They are made so that an exact repeat gets the number of the first one
(and is dropped as a copy later), while another value for the same instant gets its own.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from core.clock import MS_PER_S, parse_instant_ms
from core.device import Device
from core.device_types import NATIVE
from core.reading import Scalar
from deploy.replay_source import Outgoing, ReplayError, ReplayOptions, Tally, as_id

OCCUPANCY_COLUMNS = ("site", "t", "occupied", "capacity")
UCI_NAMES = {"SystemCodeNumber": "site", "LastUpdated": "t", "Occupancy": "occupied", "Capacity": "capacity"}
READING_COLUMNS = frozenset({"device_id", "t", "received", "boot", "seq", "quality", "kind"})
INT_MAX = 2**53


class _Numbering:
    """Sequence numbers by device: the same content has the same number."""

    def __init__(self) -> None:
        self._numbers: dict[str, dict[object, int]] = {}

    def number(self, device_id: str, content: object) -> tuple[int, bool]:
        """The number of this content, from 1 on, and whether it was there before."""
        numbers = self._numbers.setdefault(device_id, {})
        known = content in numbers
        return numbers.setdefault(content, len(numbers) + 1), known


def occupancy_messages(lines: Iterable[str], options: ReplayOptions, tally: Tally) -> Iterator[Outgoing]:
    """One `counter` message with `occupied_count` for each line. Raises ReplayError for a header we don't know."""
    rows = csv.DictReader(lines)
    names = {name: UCI_NAMES.get(name.strip(), name.strip()) for name in rows.fieldnames or ()}
    missing = [name for name in OCCUPANCY_COLUMNS if name not in names.values()]
    if missing:
        expected = ",".join(OCCUPANCY_COLUMNS)
        raise ReplayError(
            f"column {missing[0]} is missing; expected {expected} or the UCI columns {','.join(UCI_NAMES)}"
        )
    numbering, zone, instants = _Numbering(), ZoneInfo(options.timezone), set[tuple[str, int]]()
    for row in rows:
        tally.lines += 1
        cells = {names[name]: value or "" for name, value in row.items() if name in names}
        try:
            device_id, t_ms, occupied, capacity = _occupancy(cells, zone)
        except ValueError as reason:
            tally.leave_out(rows.line_num, str(reason))
            continue
        seq, repeat = numbering.number(device_id, (t_ms, occupied))
        tally.odd["exact repeats of a line (sent with the same seq)"] += repeat
        tally.odd["lines that contradict another one of the same site and time"] += (
            not repeat and (device_id, t_ms) in instants
        )
        instants.add((device_id, t_ms))
        tally.odd["negative counts"] += occupied < 0
        tally.odd["counts above the capacity"] += capacity is not None and occupied > capacity
        _note_site(tally, options, device_id, cells["site"], capacity)
        tally.sent["counter"] += 1
        yield _native(options.town, "counter", device_id, t_ms, seq, {"occupied_count": occupied})


def _occupancy(cells: dict[str, str], zone: ZoneInfo) -> tuple[str, int, int, int | None]:
    device_id = as_id(cells["site"])
    if not device_id:
        raise ValueError("no site")
    t_ms = _local_ms(cells["t"], zone)
    try:
        return device_id, t_ms, int(cells["occupied"]), int(cells["capacity"]) if cells["capacity"].strip() else None
    except ValueError:
        raise ValueError("occupied or capacity is no whole number") from None


def _local_ms(text: str, zone: ZoneInfo) -> int:
    """Unix ms; a time without zone is local. Of an hour that comes twice in autumn, the first."""
    try:
        if text.strip().lstrip("-").isdigit():
            return int(text)
        moment = datetime.fromisoformat(text.strip())
        local = moment if moment.tzinfo else moment.replace(tzinfo=zone)
        return round(local.astimezone(UTC).timestamp() * MS_PER_S)
    except (ValueError, OverflowError):
        raise ValueError("t is no time; expected e.g. 2016-10-04 07:59:42") from None


def _note_site(tally: Tally, options: ReplayOptions, device_id: str, name: str, capacity: int | None) -> None:
    """The counter of a site, with the largest capacity that was told."""
    known = tally.devices.get(device_id)
    if known is None or (capacity or 0) > (known.capacity or 0):
        tally.devices[device_id] = Device(
            device_id=device_id, kind="counter", device_type=NATIVE, town=options.town, name=name.strip() or None,
            site=device_id, capacity=capacity if capacity is not None and capacity > 0 else None,
        )  # fmt: skip


def reading_messages(lines: Iterable[str], options: ReplayOptions, tally: Tally) -> Iterator[Outgoing]:
    """One native message for each line of readings. `received` can't be told again and is left out.

    Columns `boot` and `seq` are used when they are there. Raises ReplayError for a header we don't know.
    """
    rows = csv.DictReader(lines)
    columns = [name.strip() for name in rows.fieldnames or ()]
    if not {"device_id", "t"} <= set(columns):
        raise ReplayError(f"columns device_id and t are needed, got {','.join(columns)[:200]}")
    rows.fieldnames = columns
    numbering = _Numbering()
    for row in rows:
        tally.lines += 1
        device_id = (row["device_id"] or "").strip()
        kind = options.kind or options.kinds.get(device_id, "") or row.get("kind") or ""
        try:
            if device_id != as_id(device_id) or not device_id:
                raise ValueError("device_id is no id")
            if not kind:
                raise ValueError("the device is in no inventory: import it, or give --kind or --inventory")
            t_ms = parse_instant_ms(row["t"] or "")
            values = {name: _scalar(text) for name, text in row.items() if _is_told(name, text)}
            boot, seq, repeat = _place(row, numbering, device_id, (t_ms, tuple(values.items())))
        except ValueError as reason:
            tally.leave_out(rows.line_num, "t is no time" if "no instant" in str(reason) else str(reason))
            continue
        tally.odd["exact repeats of a line (sent with the same seq)"] += repeat
        tally.sent[kind] += 1
        known = Device(device_id=device_id, kind=kind, device_type=NATIVE, town=options.town)
        tally.devices.setdefault(device_id, known)
        yield _native(options.town, kind, device_id, t_ms, seq, values, boot)


def _is_told(name: str | None, text: object) -> bool:
    return bool(name) and name not in READING_COLUMNS and isinstance(text, str) and bool(text.strip())


def _place(row: dict[str, str], numbering: _Numbering, device_id: str, content: object) -> tuple[int, int, bool]:
    number, repeat = numbering.number(device_id, content)
    if not row.get("boot") or not row.get("seq"):
        return 1, number, repeat
    try:
        boot, seq = int(row["boot"]), int(row["seq"])
    except ValueError:
        raise ValueError("boot or seq is no whole number") from None
    if not (0 <= boot <= INT_MAX and 0 <= seq <= INT_MAX):
        raise ValueError("boot or seq is out of range")
    return boot, seq, repeat


def _scalar(text: str) -> Scalar:
    word = text.strip()
    if word.lower() in ("true", "false"):
        return word.lower() == "true"
    try:
        number = float(word)
    except ValueError:
        return word
    return number if math.isfinite(number) else word


def _native(
    town: str, kind: str, device_id: str, t_ms: int, seq: int, values: dict[str, Scalar], boot: int = 1
) -> Outgoing:
    message = {"t": t_ms, "boot": boot, "seq": seq, "values": values}
    payload = json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode()
    return Outgoing(f"partheland/{town}/{kind}/{device_id}/up", payload)
