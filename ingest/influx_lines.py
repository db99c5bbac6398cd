"""Readings as InfluxDB line protocol: strict, so that a line of ours is never why a server refuses a whole batch.

measurement = kind; the one tag is device_id; fields are the values (float; true/false; string), and of every reading
`received`, `boot`, `seq` (integers) and `quality` (string); time in ns = t · 10⁶ + seq mod 1000, so that two readings
of one millisecond don't overwrite each other. What can't be said this way is taken out first, with its reason.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from core.frame import Refusal
from core.kinds import KINDS, Form, find_value
from core.reading import Quality, Readings

NS_PER_MS = 1_000_000
SEQ_MODULUS = 1000
T_MS_MAX = (2**63 - 1) // NS_PER_MS - 1  # InfluxDB's last instant is 2262-04-11
NAME_BYTES_MAX = 1000  # InfluxDB: series key and name together at most 65,535
DEVICE_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
ID_CHARACTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
OWN_FIELDS = frozenset({"received", "boot", "seq", "quality"})
TAKEN_NAMES = frozenset({*OWN_FIELDS, "time", "device_id"})

_encode_json = msgspec.json.Encoder().encode
_HEADS = [f"{kind},device_id=" for kind in KINDS]
_QUALITIES = [f'i,quality="{quality.word}"' for quality in Quality]


def expressible(readings: Readings) -> tuple[Readings, list[Refusal]]:
    """The readings without what line protocol or the table of kinds has no place for, and a refusal for each of these.

    A wrong id or an instant beyond 2262 costs the reading, a wrong value only itself.
    """
    refusals: list[Refusal] = []
    wrong_rows = _wrong_rows(readings)
    if wrong_rows.any():
        for row in np.flatnonzero(wrong_rows).tolist():
            reason = f"InfluxDB can't hold device id {readings.device_ids[row]!r} at t = {readings.t_ms[row]} ms"
            refusals.append(refusal(readings, row, "message", "not_expressible", reason))
        readings = readings.select(~wrong_rows)
    numbers, texts = _wrong_values(readings)
    if not numbers.any() and not texts.any():
        return readings, refusals
    found = [
        *zip(readings.number_row[numbers].tolist(), readings.number_name[numbers].tolist(), strict=True),
        *zip(readings.text_row[texts].tolist(), readings.text_name[texts].tolist(), strict=True),
    ]
    for row, name in found:
        kind = KINDS[readings.kind[row]]
        reason = f"InfluxDB gets no field {readings.names[name]!r} in this form from a {kind}: see core/kinds.py"
        refusals.append(refusal(readings, row, "value", "not_expressible", reason))
    return readings.without_values(numbers, texts), refusals


def refusal(readings: Readings, row: int, scope: str, code: str, reason: str) -> Refusal:
    """A refusal of one reading (scope "message") or of one value of it (scope "value"), with its line."""
    only = np.arange(len(readings)) == row
    line = encode_lines(readings.select(only)) if scope == "message" and code != "not_expressible" else b""
    kind = KINDS[readings.kind[row]]
    return Refusal(code, reason, scope, "", readings.device_ids[row], kind, int(readings.received_ms[row]), line)


def encode_lines(readings: Readings) -> bytes:
    """Line protocol of readings that went through `expressible`; each line ends with a newline."""
    count = len(readings)
    rows, name_codes, words = _fields(readings)
    prefixes = np.array([f",{escape_key(name)}=" for name in readings.names], dtype=object)
    before = np.zeros(count + 1, dtype=np.int64)
    np.cumsum(np.bincount(rows, minlength=count), out=before[1:])
    row_numbers = np.arange(count, dtype=np.int64)
    first = 2 * rows.astype(np.int64) + 1 + 2 * np.arange(len(rows), dtype=np.int64)
    tokens = np.empty(2 * count + 2 * len(rows), dtype=object)
    tokens[2 * row_numbers + 2 * before[:-1]] = _heads(readings)
    tokens[first] = prefixes[name_codes]
    tokens[first + 1] = words
    tokens[2 * row_numbers + 1 + 2 * before[1:]] = _tails(readings)
    return "".join(tokens.tolist()).encode()


def escape_key(name: str) -> str:
    """A field's name as line protocol has it; only names that `_can_be_name` admits come back unchanged."""
    return name.replace(",", "\\,").replace("=", "\\=").replace(" ", "\\ ")


def escape_text(text: str) -> str:
    """A string field's value, quoted; line breaks may stand inside the quotes as they are."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _heads(readings: Readings) -> list[str]:
    columns = zip(
        map(_HEADS.__getitem__, readings.kind.tolist()),
        readings.device_ids,
        readings.received_ms.tolist(),
        readings.boot.tolist(),
        readings.seq.tolist(),
        map(_QUALITIES.__getitem__, readings.quality.tolist()),
        strict=True,
    )
    return [
        f"{head}{ident} received={received}i,boot={boot}i,seq={seq}{quality}"
        for head, ident, received, boot, seq, quality in columns
    ]


def _tails(readings: Readings) -> list[str]:
    return [f" {ns}\n" for ns in (readings.t_ms * NS_PER_MS + readings.seq % SEQ_MODULUS).tolist()]


def _fields(readings: Readings) -> tuple[NDArray[np.uint32], NDArray[np.uint16], NDArray[Any]]:
    """Row, name and text of every field, rows ascending."""
    words = np.empty(len(readings.numbers) + len(readings.texts), dtype=object)
    # msgspec writes the shortest form that reads back as the same number, five times faster than repr.
    words[: len(readings.numbers)] = _encode_json(readings.numbers.tolist())[1:-1].decode().split(",")
    flags = _forms(readings.names)[0][readings.kind[readings.number_row], readings.number_name]
    if flags.any():
        words[np.flatnonzero(flags)] = np.where(readings.numbers[flags] != 0, "true", "false")
    words[len(readings.numbers) :] = [escape_text(text) for text in readings.texts]
    rows = np.concatenate([readings.number_row, readings.text_row])
    names = np.concatenate([readings.number_name, readings.text_name])
    if (rows[1:] >= rows[:-1]).all():
        return rows, names, words
    order = np.argsort(rows, kind="stable")
    return rows[order], names[order], words[order]


def _wrong_rows(readings: Readings) -> NDArray[np.bool_]:
    wrong = np.abs(readings.t_ms) > T_MS_MAX
    ids = readings.device_ids
    strange = "\n".join(ids).encode(errors="replace").translate(None, ID_CHARACTERS)
    if strange != b"\n" * (len(ids) - 1) or not (
        1 <= min(map(len, ids), default=1) <= max(map(len, ids), default=1) <= 64
    ):
        wrong |= np.array([DEVICE_ID.fullmatch(ident) is None for ident in ids], dtype=np.bool_)
    return wrong


def _wrong_values(readings: Readings) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    _, number_fits, text_fits = _forms(readings.names)
    numbers = ~number_fits[readings.kind[readings.number_row], readings.number_name] | ~np.isfinite(readings.numbers)
    texts = ~text_fits[readings.kind[readings.text_row], readings.text_name]
    return numbers, texts


@lru_cache(maxsize=256)
def _forms(names: tuple[str, ...]) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    """Three tables kind × name: is it a flag, may it be a number or flag, may it be a text."""
    values = [[find_value(kind, name) if _can_be_name(name) else None for name in names] for kind in KINDS]
    shape = (len(KINDS), len(names))
    flag = np.array([[v is not None and v.form is Form.FLAG for v in row] for row in values], dtype=np.bool_)
    text = np.array([[v is not None and v.form is Form.TEXT for v in row] for row in values], dtype=np.bool_)
    known = np.array([[v is not None for v in row] for row in values], dtype=np.bool_)
    return flag.reshape(shape), (known & ~text).reshape(shape), text.reshape(shape)


def _can_be_name(name: str) -> bool:
    """Whether line protocol can carry it as a field's name: printable, not taken, no backslash (it has no escape)."""
    return (
        name.isprintable()
        and 0 < len(name.encode(errors="replace")) <= NAME_BYTES_MAX
        and "\\" not in name
        and name not in TAKEN_NAMES
        and not name.startswith("_")
    )
