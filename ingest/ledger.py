"""Which records of which gateway are held: the proof that nothing is missing.

Per gateway and epoch a list of closed intervals of sequence numbers; it is one interval [1, last] when nothing is
missing. Pure: the journal folds it, `partheland verify` reads it.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field

import msgspec


@dataclass
class Line:
    """One epoch of one gateway. `starts`, `ends`: the held intervals; `repeats`: records that came again."""

    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    repeats: int = 0
    last_ms: int = 0

    def holds(self, first: int, last: int) -> bool:
        """Whether every record first … last is held."""
        index = bisect_right(self.starts, first) - 1
        return index >= 0 and self.ends[index] >= last

    def add(self, first: int, last: int) -> None:
        """Hold first … last, which may touch or overlap what is held."""
        low = bisect_right(self.ends, first - 2)
        high = bisect_right(self.starts, last + 1)
        start = min([first, *self.starts[low:high]])
        end = max([last, *self.ends[low:high]])
        self.starts[low:high] = [start]
        self.ends[low:high] = [end]

    def missing(self) -> list[tuple[int, int]]:
        """The gaps between 1 and the last record held."""
        begins = [1, *(end + 1 for end in self.ends)]
        return [(begin, start - 1) for begin, start in zip(begins, self.starts, strict=False) if begin < start]

    def count(self) -> int:
        """How many records are held."""
        return sum(end - start + 1 for start, end in zip(self.starts, self.ends, strict=True))


class Ledger:
    """All lines, by (gateway, epoch)."""

    def __init__(self) -> None:
        self.lines: dict[tuple[str, int], Line] = {}

    def holds(self, gateway: str, epoch: int, first: int, last: int) -> bool:
        """Whether these records are held already."""
        line = self.lines.get((gateway, epoch))
        return line is not None and line.holds(first, last)

    def add(self, gateway: str, epoch: int, first: int, last: int, at_ms: int) -> None:
        """Hold these records, committed at `at_ms`."""
        line = self.lines.setdefault((gateway, epoch), Line())
        line.add(first, last)
        line.last_ms = max(line.last_ms, at_ms)

    def repeat(self, gateway: str, epoch: int, records: int) -> None:
        """Records that were held came again."""
        self.lines.setdefault((gateway, epoch), Line()).repeats += records

    def to_bytes(self) -> bytes:
        """The whole ledger."""
        return msgspec.msgpack.encode([(*key, line) for key, line in self.lines.items()])

    @classmethod
    def from_bytes(cls, data: bytes) -> Ledger:
        """The ledger that `to_bytes` gave."""
        ledger = cls()
        for gateway, epoch, line in msgspec.msgpack.decode(data, type=list[tuple[str, int, Line]]):
            ledger.lines[gateway, epoch] = line
        return ledger
