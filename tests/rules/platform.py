"""The rules over a real journal and a real database, with a clock that stands still."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

import numpy as np

from core import frame as frames
from core.clock import ManualClock
from core.device import Device, Site
from core.frame import Frame, Refusal
from core.inventory import Inventory
from core.reading import EMPTY
from core.relational import Relational
from ingest.books import Verdict
from ingest.journal import Entry, Journal, JournalLimits
from rules.process import Rules
from tests.rules.town import MINUTE_MS, T0, Said, readings
from tests.support.frames import own_rules

LIMITS = JournalLimits(256 * 1024**2, 14, 20 * 1024**3)


class Desk:
    """One centre's rules in a folder; nothing runs by itself: `hear`, `wait` and `settle` let time go on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        own_rules(folder)
        self.clock = ManualClock(T0)
        self.database = Relational(folder / "platform.db")
        self.inventory = Inventory(self.database)
        self.journal = Journal(folder / "journal", self.clock, LIMITS)
        self.fatal: list[BaseException] = []
        self.seq = 0
        self.rules = self._make()

    def _make(self) -> Rules:
        return Rules(
            self.database, self.inventory, self.journal, self.clock, self.folder, self.fatal.append, lambda: True
        )

    def open(self) -> None:
        """Open the files and load the rules."""
        self.inventory.open()
        self.journal.open()
        self.rules.load()

    def commission(self, devices: Iterable[Device], sites: Iterable[Site] = ()) -> None:
        """Put devices into the inventory."""
        self.inventory.apply(list(devices), list(sites), T0, "test")

    def journal_in(self, said: Sequence[Said], verdict: Verdict = Verdict.ACCEPTED) -> None:
        """As if these readings came in one frame."""
        found = readings(said)
        message = np.arange(len(said), dtype=np.uint32)
        frame = Frame("gw1", 1, self.seq + 1, "telemetry", found, message, tuple(b"{}" for _ in said), ())
        self.seq += len(said)
        self.journal.append([Entry(frames.encode(frame), frame, np.full(len(said), verdict, dtype=np.uint8), None)])

    def refuse_in(self, refusal: Refusal) -> None:
        """As if the gateway could make nothing of this."""
        frame = Frame("gw1", 1, self.seq + 1, "sos", EMPTY, np.zeros(0, dtype=np.uint32), (), (refusal,))
        self.seq += 1
        self.journal.append([Entry(frames.encode(frame), frame, np.array([Verdict.REFUSED], dtype=np.uint8), None)])

    def hear(self, said: Sequence[Said]) -> None:
        """Readings come, each when it was received, and the rules take them in; the clock goes on with them."""
        for came_ms, together in groupby(sorted(said, key=_came_ms), key=_came_ms):
            self.clock.ms = max(self.clock.ms, came_ms)
            self.journal_in(list(together))
            self.rules.take()
            self.rules.tick()

    def wait(self, minutes: float) -> None:
        """Time goes on without a word."""
        self.clock.ms += int(minutes * MINUTE_MS)
        self.rules.tick()

    def settle(self) -> None:
        """So much time that all that was said has been judged."""
        self.wait(2)

    def tell(self, said: Sequence[Said]) -> None:
        """Readings come and are judged."""
        self.hear(said)
        self.settle()

    def crash(self) -> None:
        """The process is gone, what is on disk stays; a new one starts."""
        self.database.close()
        self.journal.close()
        self.rules = self._make()
        self.open()
        while self.rules.position < self.journal.head:
            self.rules.take()
        self.rules.tick()

    def close(self) -> None:
        """Let go of the files."""
        self.journal.close()
        self.database.close()


def _came_ms(said: Said) -> int:
    return said.t_ms + said.late_ms


@contextmanager
def desk(folder: Path) -> Iterator[Desk]:
    """An open desk."""
    folder.mkdir(parents=True, exist_ok=True)
    found = Desk(folder)
    found.open()
    try:
        yield found
    finally:
        found.close()
