"""What a store of readings must do: InfluxDB and DuckDB do it, one contract test suite holds both to it.

A store is a consumer of the journal with a position of its own: everything before the position is in it. Writing the
same readings again changes nothing, so a crash between a write and its position costs a repeat, never a double.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from core.frame import Refusal
from core.reading import Readings, Scalar

LIMIT_MAX = 10_000
Refuse = Callable[[list[Refusal]], None]


class StoreError(RuntimeError):
    """The store can't do it now; the text says what a person can do. Nothing was lost: the journal holds it."""


class StoreAway(StoreError):
    """The store does not answer or asks to wait: try the same again after `retry_after_s` seconds."""

    def __init__(self, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


@dataclass(frozen=True)
class StoredReading:
    """One reading as a store gives it back. Times are Unix ms."""

    device_id: str
    kind: str
    t_ms: int
    received_ms: int
    boot: int
    seq: int
    quality: str
    values: dict[str, Scalar]


@dataclass(frozen=True)
class Query:
    """Which readings: of one device and/or one kind, from_ms <= t < to_ms, in the order (t, device_id, boot, seq).

    `after` is the `next` of the page before (opaque text); `limit` is 1 … LIMIT_MAX.
    """

    device_id: str | None = None
    kind: str | None = None
    from_ms: int | None = None
    to_ms: int | None = None
    limit: int = 1000
    after: str | None = None


@dataclass(frozen=True)
class Page:
    """Some readings and the key that fetches the next ones; `next` is None on the last page."""

    items: list[StoredReading]
    next: str | None


class Store(Protocol):
    """A place for readings. All calls may come from different threads, one at a time is inside."""

    name: str

    def open(self) -> None:
        """Connect and create what is missing. Raises StoreError with what to do."""
        ...

    def position(self) -> int:
        """Every accepted reading before this journal position is stored; 0 for an empty store."""
        ...

    def write(self, readings: Readings, position: int, refuse: Refuse | None = None) -> list[Refusal]:
        """Store these readings, then remember `position`; returns what the store itself refused, with its reason.

        `refuse` is called with the refusals, if there are any, before the position is remembered: a crash between
        loses none.

        Raises StoreAway when it should be tried again: then nothing, some or all of it may be stored, and the same
        call must be repeated.
        """
        ...

    def page(self, query: Query) -> Page:
        """One page of readings, by key-set: a deep page costs what the first one costs."""
        ...

    def count(self, query: Query) -> int:
        """How many distinct readings match (limit and after are ignored)."""
        ...

    def scan(self, query: Query) -> Iterator[StoredReading]:
        """All matching readings in order, page by page."""
        ...

    def close(self) -> None:
        """Let go of files and connections; may be opened again."""
        ...


Key = tuple[int, str, int, int]


def key_of(item: StoredReading) -> Key:
    """What readings are ordered by: t, device_id, boot, seq."""
    return item.t_ms, item.device_id, item.boot, item.seq


def key_text(item: StoredReading) -> str:
    """The `next` of a page that ends with this reading."""
    return ".".join(map(str, key_of(item)))


def parse_key(text: str) -> Key:
    """What stands in a page's `next`. Raises ValueError for anything else."""
    parts = text.split(".")
    if len(parts) != 4:
        raise ValueError(f"'{text}' is no key of a page; expected the `next` of the page before")
    return int(parts[0]), parts[1], int(parts[2]), int(parts[3])


def scan_pages(store: Store, query: Query) -> Iterator[StoredReading]:
    """All matching readings in order, page by page."""
    page = store.page(replace(query, limit=LIMIT_MAX, after=None))
    yield from page.items
    while page.next is not None:
        page = store.page(replace(query, limit=LIMIT_MAX, after=page.next))
        yield from page.items
