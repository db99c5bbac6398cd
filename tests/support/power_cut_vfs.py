"""A disk that loses its power: an SQLite VFS that keeps what was synced and forgets, or tears, what was not.

Files are held in memory while the power is on. `cut` writes to the real files what a disk would hold then: everything
synced; of what was written since, nothing, or (`torn`) any part, sector by sector, by the dice of `chance`. From the
cut on every write fails, so that a program that dies then changes nothing any more.
"""

from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import apsw

SECTOR_BYTES = 512


@dataclass
class Content:
    """One file: as programs see it, as it was when last synced, and every write since (offset, bytes; None = cut)."""

    now: bytearray
    synced: bytearray
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)


def apply(content: bytearray, offset: int, data: bytes | None) -> None:
    """One write, or for None a truncation to `offset` bytes."""
    if data is None:
        del content[offset:]
        content.extend(bytes(offset - len(content)))
        return
    if len(content) < offset:
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data


class PowerCutVFS(apsw.VFS):
    """Registered with SQLite under `name` until `unregister`. `cut_after` = the power goes at that many-th write."""

    def __init__(self, name: str, chance: Random, torn: bool) -> None:
        super().__init__(name, "")
        self.name = name
        self.chance = chance
        self.torn = torn
        self.files: dict[str, Content] = {}
        self.is_dead = False
        self.cut_after = 2**60

    def xOpen(self, name: object, flags: list[int]) -> Any:  # noqa: N802
        path = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
        content = self.files.get(path)
        if content is None or not Path(path).exists():
            if not Path(path).exists():
                if not flags[0] & apsw.SQLITE_OPEN_CREATE:
                    raise apsw.CantOpenError(f"{path} is not there")
                self.use()
                Path(path).touch()
            there = Path(path).read_bytes()
            content = self.files[path] = Content(bytearray(there), bytearray(there))
        flags[1] = flags[0]
        return PowerCutFile(self, content)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        self.use()
        self.files.pop(filename, None)
        Path(filename).unlink(missing_ok=True)

    def use(self) -> None:
        """Something is about to change on the disk: once more it goes well, or the power goes."""
        self.cut_after -= 1
        if self.cut_after <= 0 and not self.is_dead:
            self.cut()
        if self.is_dead:
            raise apsw.IOError("the power is off")

    def cut(self) -> None:
        """Power off: the real files get what a disk would hold."""
        self.is_dead = True
        for path, content in self.files.items():
            if Path(path).exists():
                Path(path).write_bytes(self._left_of(content))

    def _left_of(self, content: Content) -> bytes:
        left = bytearray(content.synced)
        for offset, data in content.pending if self.torn else ():
            if data is None:
                if self.chance.random() < 0.5:
                    apply(left, offset, None)
                continue
            for at in range(0, len(data), SECTOR_BYTES):
                if self.chance.random() < 0.5:
                    apply(left, offset + at, data[at : at + SECTOR_BYTES])
        return bytes(left)

    def power_on(self, cut_after: int) -> None:
        """The machine starts again with what the disk holds."""
        self.files.clear()
        self.is_dead = False
        self.cut_after = cut_after


class PowerCutFile:
    """One open file; there is one process only, so locks are always granted."""

    def __init__(self, disk: PowerCutVFS, content: Content) -> None:
        self.disk = disk
        self.content = content

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802
        return bytes(self.content.now[offset : offset + amount])

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        self.disk.use()
        apply(self.content.now, offset, bytes(data))
        self.content.pending.append((offset, bytes(data)))

    def xTruncate(self, size: int) -> None:  # noqa: N802
        self.disk.use()
        apply(self.content.now, size, None)
        self.content.pending.append((size, None))

    def xSync(self, _flags: int) -> None:  # noqa: N802
        self.disk.use()
        self.content.synced = bytearray(self.content.now)
        self.content.pending.clear()

    def xFileSize(self) -> int:  # noqa: N802
        return len(self.content.now)

    def xLock(self, _level: int) -> None:  # noqa: N802
        """Granted."""

    def xUnlock(self, _level: int) -> None:  # noqa: N802
        """Granted."""

    def xCheckReservedLock(self) -> bool:  # noqa: N802
        return False

    def xFileControl(self, _operation: int, _pointer: int) -> bool:  # noqa: N802
        return False

    def xSectorSize(self) -> int:  # noqa: N802
        return SECTOR_BYTES

    def xDeviceCharacteristics(self) -> int:  # noqa: N802
        return 0

    def xClose(self) -> None:  # noqa: N802
        """The content stays with the disk."""
