"""The rules as a process sees them: from the journal to findings, tickets and cases, and to those who ask.

    journal ─→ engine: columns, edges ─→ one transaction: findings, tickets, outbox, position ─→ those who wait
       └────→ SOS lane: presses ────────→ one transaction: cases, outbox, position ───────────────┘

State is a snapshot with its position every half minute and the journal from there on; what a replay finds again is in
the database already and changes nothing.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from core.clock import Clock
from core.crashpoint import crashpoint
from core.guarded import guarded_thread
from core.inventory import Inventory
from core.reading import concat
from core.relational import DatabaseError, Relational
from ingest.journal import Journal
from ingest.segment import Block
from rules.commit import note_position, write_edges
from rules.desk_cases import CaseDesk
from rules.desk_tickets import TicketDesk
from rules.edges import Edge, Opening
from rules.engine import Engine
from rules.findings import FindingBook
from rules.judgement import ABSENCE_RULES, today_of
from rules.live import Live
from rules.load import in_force
from rules.looking_after import look_back
from rules.outbox import Outbox
from rules.repairs import Repair, Works
from rules.restart import is_pause, load_engine, not_known, without_pauses, write_snapshot
from rules.signal import Signal
from rules.site_news import SiteNews
from rules.sos_watch import SosWatch

log = logging.getLogger(__name__)

SNAPSHOT_NAME = "rules-state.npz"
RULES_FOLDER = "rules"
"""Rule files of the town's own lie in this folder of the data."""
SNAPSHOT_S = 30.0
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
        self.data = data
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
        self._head_before = self._head_at_start = self._came_ms = 0
        self._has_caught_up = False
        self._sites = SiteNews()
        self._is_whole = True
        self._looked_back_s = -LOOK_BACK_S
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
        self._saved_s = self.clock.monotonic_s()
        for thread in self._threads:
            thread.start()

    def load(self) -> None:
        """The state as of the newest snapshot that can be read, and what the database holds as open."""
        snapshot, now_ms = self.inventory.snapshot(), self.clock.now_ms()
        own = self.data / RULES_FOLDER
        self.book = in_force([own] if own.is_dir() else [], today_of(now_ms))
        engine, self.position = load_engine(self.path, snapshot, self.book.rules, self.journal, now_ms)
        self._engine, self._came_ms = engine, engine.stepped_ms
        self._head_before = self._head_at_start = self.journal.head
        self._sites.begin(engine.occupancy.sites(engine.fleet, engine.latest, now_ms))
        engine.repaired(self.tickets.repairs())

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
        is_again = blocks[0].position < self._head_at_start
        with self._lock:
            edges = self._take_again(blocks, refresh) if is_again else self._take_in(blocks, refresh)
        self._write(edges, blocks[-1].next, is_again)
        self.position = blocks[-1].next
        self.signal.ring(told=bool(edges))

    def _take_in(self, blocks: Sequence[Block], refresh: bool) -> list[Edge]:
        engine = self._here()
        parts = [block.accepted for block in blocks]
        readings = concat(parts)
        came_ms = np.repeat([block.committed_ms for block in blocks], [len(part) for part in parts])
        batch, edges = engine.batch(readings, came_ms), list[Edge]()
        if refresh or len(batch) < len(readings):  # who is not known may have been commissioned just now
            edges = engine.refresh(self.inventory.snapshot(), self.clock.now_ms())
            batch = engine.batch(readings, came_ms) if len(batch) < len(readings) else batch
        self._sites.note(engine.advance(batch))
        return edges

    def _take_again(self, blocks: Sequence[Block], refresh: bool) -> list[Edge]:
        """What lay in the journal when we started, judged as of when it came; we know of no time but that."""
        engine = self._here()
        edges: list[Edge] = []
        for piece in without_pauses(blocks, self._came_ms):
            if is_pause(self._came_ms, piece[0]):
                edges += engine.step(self._came_ms, hears=True)
                engine.away(piece[0].committed_ms)
            edges += self._take_in(piece, refresh)
            self._came_ms = max(self._came_ms, piece[-1].committed_ms)
        return edges + engine.step(self._came_ms, hears=True)

    def works(self) -> Works:
        """What people announced and did, as it is minded."""
        return Works(self._here().windows, tuple(self._here().repairs))

    def newest_site_news(self) -> int:
        """The number of the newest news of a site: as long as it is the same, the sites are as they were."""
        return self._sites.newest

    def site_news(self, after: int) -> tuple[list[tuple[str, str]], int]:
        """(town, site) of the sites about which something was said after the news `after`, and the newest news."""
        with self._lock:
            sites = self._here().fleet.sites
            chosen = [sites[place] for place in self._sites.after(after) if place < len(sites)]
            return [(one.town, one.site) for one in chosen], self._sites.newest

    def tick(self) -> None:
        """What follows from what is known by now; only when we have read all that was there at the last tick. A busy
        journal is never read to its very end.
        """
        is_behind, self._head_before = self.position < self._head_before, self.journal.head
        if is_behind:
            return
        now_ms = self.clock.now_ms()
        with self._lock:
            engine = self._here()
            engine.repaired(self._new_repairs(engine))
            edges = engine.refresh(self.inventory.snapshot(), now_ms)
            is_first, self._has_caught_up = not self._has_caught_up, True
            edges += self._catch_up(engine, now_ms) if is_first else engine.step(now_ms, self.hears())
            self._sites.look(engine.occupancy.sites(engine.fleet, engine.latest, now_ms))
        if edges:
            self._write(edges, self.position, is_first)
        if is_first or any(isinstance(edge, Opening) and edge.rule in ABSENCE_RULES for edge in edges):
            self._saved_s = -SNAPSHOT_S  # what time alone has shown, and a start has read, is not to be read again
        self.signal.ring(told=bool(edges) or self._look_back(now_ms))

    def _catch_up(self, engine: Engine, now_ms: int) -> list[Edge]:
        """The journal has been read to where it was when we started: the time since is ours, what came until then is
        judged, and what the database holds as open and the state does not know of is over.
        """
        engine.away(now_ms)
        edges = engine.step(now_ms, hears=True)
        known = engine.open_findings() | {(edge.rule, edge.subject, edge.episode) for edge in edges}
        return [*edges, *not_known(self.findings.open_episodes(), known, self.book.rules, now_ms)]

    def _new_repairs(self, engine: Engine) -> list[Repair]:
        """What people have told since: before anything is judged that was measured after it."""
        try:
            return self.tickets.repairs(engine.repairs[-1].step if engine.repairs else 0)
        except DatabaseError as error:
            log.warning("repairs can't be looked at: %s", error)
            return []

    def _look_back(self, now_ms: int) -> bool:
        """Now and then: tickets that were called done and are not, and rules that do not work. Whether there were."""
        if self.clock.monotonic_s() - self._looked_back_s < LOOK_BACK_S:
            return False
        self._looked_back_s = self.clock.monotonic_s()
        try:
            with self.database.write() as connection:
                return look_back(connection, self.book, self.live.set_aside(), now_ms, self.position)
        except DatabaseError as error:
            log.warning("tickets that were called done, and broken rules, can't be looked at: %s", error)
            return False

    def _here(self) -> Engine:
        assert self._engine is not None, "the rules must be loaded before they are used"
        return self._engine

    def _write(self, edges: list[Edge], position: int, is_again: bool) -> None:
        """Until it is written: the state has moved on. `is_again` = it may have been written before."""
        while edges:
            self._is_whole = False
            crashpoint("rules.before_commit")
            try:
                fleet, rules, now_ms = self._here().fleet, self.book.rules, self.clock.now_ms()
                write_edges(self.database, edges, fleet, rules, position, now_ms, is_again)
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
        try:
            write_snapshot(self.path, data)
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
