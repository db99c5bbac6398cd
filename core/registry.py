"""What a gateway must know of devices, and how it gets there: as a few compressed chunks in retained messages.

The centre's inventory is the truth; a gateway needs five fields of it. Chunks carry the version they belong to, so a
gateway never mixes two versions, and a checksum, so a damaged one is seen.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

MAGIC = b"PLR1"
HEADER_BYTES = 8
CHUNK_BYTES_MAX = 256 * 1024
ENTRIES_PER_CHUNK = 1000
ENTRY_BYTES_MAX = 256  # 1,000 entries stay below CHUNK_BYTES_MAX even when nothing can be compressed
PLAIN_BYTES_MAX = ENTRIES_PER_CHUNK * (ENTRY_BYTES_MAX + 16) + 1024
EUI_DIGITS = 16


class RegistryError(ValueError):
    """These bytes are no chunk of a registry, or a damaged one; the text says what was found."""


class RegistryEntry(NamedTuple):
    """One commissioned device. `device_type` '' = decoded by the network server; `dev_eui` '' = no LoRaWAN device."""

    device_id: str
    kind: str
    device_type: str = ""
    dev_eui: str = ""
    town: str = ""


def normal_eui(text: str) -> str:
    """An EUI as 16 lower-case hex digits, whatever case and separators it came with; '' when it is no EUI."""
    digits = text.strip().lower().translate({ord(mark): None for mark in ":-. "})
    if len(digits) != EUI_DIGITS or not set(digits) <= set("0123456789abcdef"):
        return ""
    return digits


class _Index(NamedTuple):
    by_id: dict[str, RegistryEntry]
    by_eui: dict[str, RegistryEntry]


def _index(entries: Iterable[RegistryEntry]) -> _Index:
    by_id: dict[str, RegistryEntry] = {}
    by_eui: dict[str, RegistryEntry] = {}
    for entry in entries:
        by_id[entry.device_id] = entry
        eui = normal_eui(entry.dev_eui) or normal_eui(entry.device_id)
        if eui:
            by_eui[eui] = entry
    return _Index(by_id, by_eui)


class Registry:
    """The devices a gateway serves. `replace` swaps all at once, so readers in other threads see one version."""

    def __init__(self, entries: Iterable[RegistryEntry] = (), version: int = 0) -> None:
        self.version = version
        self._index = _index(entries)

    def __len__(self) -> int:
        return len(self._index.by_id)

    def replace(self, entries: Iterable[RegistryEntry], version: int) -> None:
        """Serve these devices from now on, and no others."""
        self._index = _index(entries)
        self.version = version

    def by_id(self, device_id: str) -> RegistryEntry | None:
        """The device with exactly this id."""
        return self._index.by_id.get(device_id)

    def find(self, dev_eui: str, name: str = "") -> RegistryEntry | None:
        """The device a network server means: by its EUI, or else by the name it has there.

        A name does not count when the device was commissioned with another EUI: somebody else's device may be called
        the same.
        """
        eui = normal_eui(dev_eui)
        found = self._index.by_eui.get(eui) if eui else None
        if found is not None:
            return found
        named = self._index.by_id.get(name) if name else None
        if named is None or (eui and normal_eui(named.dev_eui) not in ("", eui)):
            return None
        return named


class _Chunk(msgspec.Struct, array_like=True):
    version: int
    index: int
    count: int
    entries: list[RegistryEntry]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Chunk)


def encode_chunks(entries: Sequence[RegistryEntry], version: int) -> list[bytes]:
    """The registry as chunks of at most 256 KiB each; at least one, also for no devices.

    Raises ValueError for an entry that is longer than ids and type names may be.
    """
    for entry in entries:
        if sum(len(field.encode()) for field in entry) > ENTRY_BYTES_MAX:
            raise ValueError(f"device '{entry.device_id[:80]}': its fields exceed {ENTRY_BYTES_MAX} bytes together")
    parts = [entries[start : start + ENTRIES_PER_CHUNK] for start in range(0, len(entries), ENTRIES_PER_CHUNK)] or [()]
    return [_seal(_Chunk(version, index, len(parts), list(part))) for index, part in enumerate(parts)]


def _seal(chunk: _Chunk) -> bytes:
    body = zlib.compress(_encoder.encode(chunk), level=6)
    sealed = MAGIC + zlib.crc32(body).to_bytes(4, "big") + body
    assert len(sealed) <= CHUNK_BYTES_MAX, f"a chunk of {len(sealed)} bytes"
    return sealed


def _open(data: bytes) -> _Chunk:
    if data[:4] != MAGIC or len(data) > CHUNK_BYTES_MAX:
        raise RegistryError(f"a chunk begins with {MAGIC!r} and has at most {CHUNK_BYTES_MAX} bytes, not {data[:4]!r}")
    body = data[HEADER_BYTES:]
    if zlib.crc32(body).to_bytes(4, "big") != data[4:HEADER_BYTES]:
        raise RegistryError(f"the checksum of a chunk of {len(data)} bytes does not hold: it is damaged")
    try:
        plain = zlib.decompressobj().decompress(body, PLAIN_BYTES_MAX)
        chunk = _decoder.decode(plain)
    except (zlib.error, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise RegistryError(f"a chunk's checksum holds but its content does not: {error}") from error
    if not 0 <= chunk.index < chunk.count:
        raise RegistryError(f"chunk {chunk.index} of {chunk.count} can't be")
    return chunk


class RegistryCollector:
    """Puts the chunks of one version together, in whatever order they arrive.

    Chunks of a version older than the newest one seen are left-overs of retained messages and are ignored.
    """

    def __init__(self) -> None:
        self.version = 0
        self._parts: dict[int, list[RegistryEntry]] = {}

    def add(self, data: bytes) -> list[RegistryEntry] | None:
        """All devices as soon as the newest version is complete (again for a repeated chunk), else None.

        Raises RegistryError for bytes that are no chunk; what was collected before stays.
        """
        chunk = _open(data)
        if chunk.version < self.version:
            return None
        if chunk.version > self.version:
            self.version = chunk.version
            self._parts = {}
        self._parts[chunk.index] = chunk.entries
        if len(self._parts) < chunk.count:
            return None
        return [entry for index in sorted(self._parts) for entry in self._parts[index]]
