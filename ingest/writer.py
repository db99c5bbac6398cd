"""The write loop of one store: what the journal accepted goes in, in order, for ever.

    open the store, ask how far it is → read on from there → write → remember → the next

A store that is away costs waiting, nothing else: the journal holds everything, and the same batch is tried again. A
store that needs a person (a wrong token, a full disk) is tried slowly and says so in `state`. No reading is given up
here: only the store itself refuses single readings, with its reason, and those are handed on before its position moves.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, replace
from random import Random
from typing import Protocol

from core.clock import Clock
from core.guarded import Fatal, guarded_thread
from core.reading import Readings
from ingest.store import Refuse, Store, StoreAway, StoreError

BATCH_MIN = 500
BATCH_MAX = 20_000
BATCH_AT_START = 2_000
QUICK_S = 0.5  # a full batch faster than this: the next may be twice as large
SLOW_S = 2.0  # a batch slower than this: the next is half as large
GATHER_S = 0.5  # the longest that a reading waits for company
IDLE_S = 1.0  # how long one wait for the journal lasts: so soon a stop is noticed
FIRST_PAUSE_S = 0.5
PAUSE_S_MAX = 60.0
RETRY_AFTER_S_MAX = 600.0  # nobody's Retry-After stops us for longer
PERSON_PAUSE_S = 30.0

logger = logging.getLogger(__name__)


class Feed(Protocol):
    """Where accepted readings come from: the journal, as one of its consumers sees it."""

    @property
    def head(self) -> int:
        """The position after everything accepted so far."""
        ...

    def read(self, position: int, limit: int) -> tuple[Readings, int]:
        """About `limit` accepted readings from `position` on, and the position after them.

        Empty readings with a later position: nothing there concerned a store. The same position: nothing is there yet.
        """
        ...

    def wait(self, position: int, timeout_s: float) -> bool:
        """Return when something lies at `position` or later; False when `timeout_s` ran out."""
        ...


@dataclass(frozen=True)
class WriterState:
    """How it stands, for health and metrics. `trouble` and its `since_ms` are None while writes succeed."""

    position: int | None = None
    lag: int | None = None
    batch: int = BATCH_AT_START
    trouble: str | None = None
    since_ms: int | None = None
    failures: int = 0
    needs_person: bool = False
    is_running: bool = False


class StoreWriter:
    """Fills `store` from `feed` in a thread of its own until `stop` is called or `stopping` set.

    `refuse` takes what the store refused; `on_fatal` is told of an error that nobody foresaw, after which the thread
    has ended: the process should end too and be started again.
    """

    def __init__(
        self,
        store: Store,
        feed: Feed,
        clock: Clock,
        rng: Random,
        refuse: Refuse,
        on_fatal: Fatal,
        stopping: threading.Event | None = None,
    ) -> None:
        self.store = store
        self.feed = feed
        self.clock = clock
        self.rng = rng
        self.stopping = stopping if stopping is not None else threading.Event()
        self.refuse = refuse
        self.on_fatal = on_fatal
        self._state = WriterState()
        self._caught_up = False
        self._written_at_s = float("-inf")
        self._thread = guarded_thread(f"store-{store.name}", self.run, self._fail)

    def start(self) -> None:
        """Begin; the store is opened by the thread, which also tries again when it is away."""
        self._thread.start()

    def stop(self, timeout_s: float = 15.0) -> bool:
        """Ask the thread to end after the batch it is at; False when it was still busy after `timeout_s`."""
        self.stopping.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    @property
    def position(self) -> int:
        """Where the next reading comes from; 0 until the store could be asked."""
        return self._state.position or 0

    def state(self) -> WriterState:
        """How it stands now; may be asked from any thread."""
        return self._state

    def run(self) -> None:
        """The whole loop; returns when `stopping` is set or after `on_fatal`."""
        self._state = replace(self._state, is_running=True)
        try:
            while not self.stopping.is_set():
                try:
                    self._fill()
                except StoreError as error:
                    self._wait_after(error)
        finally:
            self._state = replace(self._state, is_running=False)

    def _fail(self, error: BaseException) -> None:
        """Nobody foresaw this: a dead writer behind a healthy face would be the worst."""
        self._troubled(f"unforeseen: {error!r}", needs_person=True)
        self.on_fatal(error)

    def _fill(self) -> None:
        self.store.open()
        self._at(self.store.position())
        while not self.stopping.is_set():
            self._gather()
            self._write_next()

    def _gather(self) -> None:
        """Wait for readings; at the end of the journal a moment longer, so that many small writes become one."""
        if self._caught_up:
            remaining_s = self._written_at_s + GATHER_S - self.clock.monotonic_s()
            if remaining_s > 0:
                self.stopping.wait(min(remaining_s, GATHER_S))
            self.feed.wait(self.position, IDLE_S)

    def _write_next(self) -> None:
        """Read one batch and write it; does nothing when nothing is there."""
        position, batch = self.position, self._state.batch
        readings, next_position = self.feed.read(position, batch)
        self._caught_up = len(readings) < batch and next_position >= self.feed.head
        if next_position == position:
            self._at(position)
            return
        started_s = self.clock.monotonic_s()
        self.store.write(readings, next_position, self.refuse)
        self._written_at_s = self.clock.monotonic_s()
        self._at(next_position, next_batch(batch, len(readings), self._written_at_s - started_s))

    def _wait_after(self, error: StoreError) -> None:
        """Say what is wrong, then wait as long as the store asked, or longer from time to time, never all at once."""
        if isinstance(error, StoreAway):
            self._troubled(str(error), needs_person=False)
            pause_s = pause_after(self._state.failures, error.retry_after_s, self.rng)
        else:
            self._troubled(str(error), needs_person=True)
            pause_s = self.rng.uniform(PERSON_PAUSE_S / 2, PERSON_PAUSE_S)
        self._state = replace(self._state, batch=max(BATCH_MIN, self._state.batch // 2))
        self.stopping.wait(pause_s)

    def _troubled(self, trouble: str, needs_person: bool) -> None:
        was = self._state
        if was.trouble is None:
            logger.warning("%s: %s", self.store.name, trouble)
        since_ms = self.clock.now_ms() if was.since_ms is None else was.since_ms
        self._state = replace(
            was, trouble=trouble, since_ms=since_ms, failures=was.failures + 1, needs_person=needs_person
        )

    def _at(self, position: int, batch: int | None = None) -> None:
        """Remember where we are. Only a write that went well (`batch` given) ends a trouble."""
        was = self._state
        now = replace(was, position=position, lag=max(0, self.feed.head - position))
        if batch is not None:
            now = replace(now, batch=batch, trouble=None, since_ms=None, failures=0, needs_person=False)
            if was.trouble is not None:
                logger.info("%s takes readings again", self.store.name)
        self._state = now


def pause_after(failures: int, retry_after_s: float | None, rng: Random) -> float:
    """Seconds to wait after that many failures in a row (1 …): what the store asked for, or full jitter up to 60 s."""
    if retry_after_s is not None:
        return min(retry_after_s, RETRY_AFTER_S_MAX) + rng.uniform(0, FIRST_PAUSE_S)
    return rng.uniform(0, min(PAUSE_S_MAX, FIRST_PAUSE_S * 2.0 ** min(failures, 20)))


def next_batch(batch: int, written: int, took_s: float) -> int:
    """How many readings to write next: half after a slow write, twice as many after a quick full one."""
    if took_s > SLOW_S:
        return max(BATCH_MIN, batch // 2)
    if took_s < QUICK_S and written >= batch:
        return min(BATCH_MAX, batch * 2)
    return batch
