"""The rules as a process sees them: from the journal to findings, tickets and cases, and to those who ask.

    journal ─→ engine: columns, edges ─→ one transaction: findings, tickets, outbox, position ─→ those who wait
       └────→ SOS lane: presses ────────→ one transaction: cases, outbox, position ───────────────┘

State is a snapshot with its position every half minute and the journal from there on; what a replay finds again is in
the database already and changes nothing.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.clock import Clock
from core.crashpoint import crashpoint
from core.guarded import guarded_thread
from core.inventory import Inventory
from core.reading import concat
from core.relational import DatabaseError, Relational
from core.sqlite import sync_folder
from ingest.journal import Journal
from rules import desk_tickets
from rules.commit import note_position, write_edges
from rules.desk_cases import CaseDesk
from rules.desk_tickets import TicketDesk
from rules.edges import Edge
from rules.engine import Engine, read_snapshot
from rules.findings import FindingBook
from rules.live import Live
from rules.outbox import Outbox
from rules.signal import Signal
from rules.sos_watch import SosWatch

log = logging.getLogger(__name__)

SNAPSHOT_NAME = "rules-state.npz"
SNAPSHOT_S = 30.0
FIRST_SNAPSHOT_S = 5.0
"""The first one comes soon: what a start had to read it need not read again."""

TICK_S = 2.0
WAIT_S = 0.25
"""So long a stop may have to wait for us."""

LOOK_BACK_S = 20.0
GROUP_S = 0.2
REFRESH_S = 1.0
RETRY_S = 1.0


class Rules:
    """Everything between the journal and the people. `hears` says whether the way from the devices to us stands."""

    def __init__(
        self,
        database: Relational,
        inventory: Inventory,
        journal: Journal,
        clock: Clock,
        data: Path,
        on_fatal: Callable[[BaseException], None],
        hears: Callable[[], bool],
    ) -> None:
        self.database = database
        self.inventory = inventory
        self.journal = journal
        self.clock = clock
        self.path = data / SNAPSHOT_NAME
        self.hears = hears
        self.position = 0
        self.signal = Signal()
        self.findings = FindingBook(database)
        self.outbox = Outbox(database)
        self.tickets = TicketDesk(database, clock, self.how_far, self.signal.tell)
        self.cases = CaseDesk(database, clock, self.how_far, self.signal.tell)
        self.live = Live(self._locked, self.newest_site_news, clock)
        self.sos = SosWatch(database, inventory, journal, clock, self.how_far, self.signal.tell)
        self._engine: Engine | None = None
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._listening_since_ms: int | None = None
        self._head_before = 0
        self._site_news: dict[int, int] = {}
        self._news = 0
        self._is_whole = True
        self._looked_back_s = -LOOK_BACK_S
        self._told_sites: list[tuple[int, int, int, bool]] = []
        self._ticked_s = self._saved_s = self._refreshed_s = 0.0
        self._threads = [
            guarded_thread("sos", lambda: self.sos.run(self._stopping), on_fatal),
            guarded_thread("rules", self._run, on_fatal),
        ]

    @property
    def stopping(self) -> bool:
        """Whether the centre is on its way out: who waits for news leaves."""
        return self._stopping.is_set()

    def how_far(self) -> int:
        """The journal's position up to which everything has been judged and written down."""
        return self.position

    def _locked(self, ask: Callable[[Engine], object]) -> object:
        with self._lock:
            return ask(self._here())

    # -- running ---------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Take up where we were, then follow the journal. The database, inventory and journal are open."""
        self.load()
        self._saved_s = self.clock.monotonic_s() - SNAPSHOT_S + FIRST_SNAPSHOT_S
        for thread in self._threads:
            thread.start()

    def load(self) -> None:
        """The state as of the newest snapshot that can be read, and what the database holds as open."""
        snapshot = self.inventory.snapshot()
        engine, position = Engine(snapshot), 0
        data = read_snapshot(self.path)
        if data is not None:
            try:
                position = engine.restore(data, snapshot)
            except (ValueError, KeyError) as error:
                log.error("%s can't be read (%s); the rules read the journal from its beginning", self.path, error)
                engine, position = Engine(snapshot), 0
        engine.know_open(self.findings.open_episodes())
        self._engine, self.position = engine, position
        self._head_before = self.journal.head

    def _run(self) -> None:
        while not self._stopping.is_set():
            if self.journal.wait(self.position, WAIT_S):
                self._stopping.wait(GROUP_S)  # a few larger steps instead of many small ones
                now_s = self.clock.monotonic_s()
                is_due = now_s - self._refreshed_s >= REFRESH_S  # asking the database each time would cost more than it
                self._refreshed_s = now_s if is_due else self._refreshed_s
                self.take(refresh=is_due)
            self._look_at_the_clock()

    def take(self, refresh: bool = True) -> None:
        """One step: readings from the journal, what follows from them, written down; then others are told.

        `refresh` = see first whether the inventory has changed.
        """
        blocks = self.journal.read(max(self.position, self.journal.tail))
        if not blocks:
            return
        readings = concat([block.accepted for block in blocks])
        with self._lock:
            engine = self._here()
            edges, batch = [], engine.batch(readings)
            if refresh or len(batch) < len(readings):  # who is not known may have been commissioned just now
                edges = engine.refresh(self.inventory.snapshot(), self.clock.now_ms())
                batch = engine.batch(readings) if len(batch) < len(readings) else batch
            found, sites = engine.advance(batch)
            self._note_sites(sites)
        self._write([*edges, *found], blocks[-1].next)
        self.position = blocks[-1].next
        self.signal.ring(told=bool(edges or found))

    def _note_sites(self, places: NDArray[np.int32]) -> None:
        if len(places):
            self._news += 1
            self._site_news.update(dict.fromkeys(places.tolist(), self._news))

    def newest_site_news(self) -> int:
        """The number of the newest news of a site: as long as it is the same, the sites are as they were."""
        return self._news

    def site_news(self, after: int) -> tuple[list[tuple[str, str]], int]:
        """(town, site) of the sites about which something was said after the news `after`, and the newest news."""
        with self._lock:
            sites = self._here().fleet.sites
            chosen = [place for place, news in self._site_news.items() if news > after and place < len(sites)]
            return [(sites[place].town, sites[place].site) for place in sorted(chosen)], self._news

    def tick(self) -> None:
        """What follows from time alone; only when we have read all that was there at the last tick, and the way to us
        stands. A busy journal is never read to its very end.
        """
        is_behind, self._head_before = self.position < self._head_before, self.journal.head
        if not self.hears():
            self._listening_since_ms = None
            return
        if is_behind:
            return
        now_ms = self.clock.now_ms()
        if self._listening_since_ms is None:
            self._listening_since_ms = now_ms
        with self._lock:
            engine = self._here()
            edges = engine.refresh(self.inventory.snapshot(), now_ms)
            edges += engine.tick(now_ms, self._listening_since_ms)
            self._note_sites(self._changed_sites(engine, now_ms))
        if edges:
            self._write(edges, self.position)
        self.signal.ring(told=bool(edges) or self._look_back(now_ms))

    def _changed_sites(self, engine: Engine, now_ms: int) -> NDArray[np.int32]:
        """The sites that became another one by time alone: what is not said again grows old."""
        states = engine.occupancy.sites(engine.fleet, engine.latest, now_ms)
        now = [(one.free, one.occupied, one.unknown, one.is_stale) for one in states]
        before, self._told_sites = self._told_sites, now
        if len(before) != len(now):
            return np.arange(len(now), dtype=np.int32)
        changed = [place for place, (was, is_now) in enumerate(zip(before, now, strict=True)) if was != is_now]
        return np.array(changed, dtype=np.int32)

    def _look_back(self, now_ms: int) -> bool:
        """Now and then: tickets that were called done and are not. Whether there were any."""
        if self.clock.monotonic_s() - self._looked_back_s < LOOK_BACK_S:
            return False
        self._looked_back_s = self.clock.monotonic_s()
        try:
            with self.database.write() as connection:
                return desk_tickets.reopen_contradicted(connection, now_ms, self.position) > 0
        except DatabaseError as error:
            log.warning("tickets that were called done can't be looked at: %s", error)
            return False

    def _here(self) -> Engine:
        assert self._engine is not None, "the rules must be loaded before they are used"
        return self._engine

    def _write(self, edges: list[Edge], position: int) -> None:
        """Until it is written; the state has moved on already, so nothing may be left out."""
        while edges:
            self._is_whole = False
            crashpoint("rules.before_commit")
            try:
                write_edges(self.database, edges, self._here().fleet, position, self.clock.now_ms())
                crashpoint("rules.after_commit")
                self._is_whole = True
                return
            except DatabaseError as error:
                log.error("findings wait: %s", error)
                if self._stopping.wait(RETRY_S):
                    raise

    def _look_at_the_clock(self) -> None:
        now_s = self.clock.monotonic_s()
        if now_s - self._ticked_s >= TICK_S:
            self._ticked_s = now_s
            self.tick()
        if now_s - self._saved_s >= SNAPSHOT_S:
            self._saved_s = now_s
            self.save()

    def save(self) -> None:
        """Write a snapshot; the one before stays until the new one is whole."""
        if not self._is_whole:  # the state is ahead of the database: the next start comes again from the one before
            return
        with self._lock:
            data = self._here().to_bytes(self.position)
        draft = self.path.with_suffix(".new")
        try:
            with draft.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self.path)
            sync_folder(self.path.parent)
            crashpoint("rules.after_snapshot")
            with self.database.write() as connection:
                note_position(connection, "rules", self.position, self.clock.now_ms())
        except (OSError, DatabaseError) as error:
            log.warning("no snapshot of the rules (%s); the next start reads more of the journal", error)

    def stop(self) -> None:
        """Finish what is in hand, save, let go."""
        self._stopping.set()
        self.signal.ring()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(10.0)
        if self._engine is not None:
            self.save()
