"""The journal as stores see it: accepted readings from a position on, as columns."""

from __future__ import annotations

from core.reading import Readings, concat
from ingest.journal import Journal


class JournalFeed:
    """What a store's writer reads from."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal

    @property
    def head(self) -> int:
        """The journal's next position: a consumer that has come so far is up to date."""
        return self.journal.head

    def read(self, position: int, limit: int) -> tuple[Readings, int]:
        """About `limit` records from `position` on: the accepted readings among them, and the position after them.

        A position before the journal's oldest record continues at that one.
        """
        blocks = self.journal.read(max(position, self.journal.tail), limit)
        assert not blocks or position <= blocks[0].position, "consumers stop between blocks, never inside one"
        return concat([block.accepted for block in blocks]), blocks[-1].next if blocks else position

    def wait(self, position: int, timeout_s: float) -> bool:
        """Wait for something at `position`; False when the time ran out."""
        return self.journal.wait(position, timeout_s)
