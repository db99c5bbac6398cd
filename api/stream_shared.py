"""What all live streams say alike, written once for all of them: readings, car parks, gateways.

Everything is asked by the threads that streams work in; whoever comes first does the work for the others.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from api.centre import Centre, when
from api.ledger import gateway_items
from api.parking import site_items
from api.readings import ReadingItem
from core.device import Device
from core.kinds import KIND_NUMBER, KINDS
from core.reading import Quality
from ingest.books import Verdict
from ingest.segment import Block

RECORDS_AT_ONCE = 2000
KEPT_PAGES_MAX, KEPT_EVENTS_MAX = 256, 10_000
NEAR_RECORDS = 8000
"""Who is further behind than this reads for himself: what he reads is of no use to the others."""
DEVICES_S = 1.0
SOS = KIND_NUMBER["sos"]


@dataclass(frozen=True)
class ReadingEvent:
    """A reading as it goes out: `id` is the position after it."""

    id: int
    device_id: str
    is_sos: bool
    data: bytes


@dataclass(frozen=True)
class Page:
    """The accepted readings of one block of the journal, from `position` to before `next`."""

    position: int
    next: int
    events: tuple[ReadingEvent, ...]


class ReadingPages:
    """The newest pages, and the devices to judge them by."""

    def __init__(self, centre: Centre) -> None:
        self.centre = centre
        self._lock = threading.Lock()
        self._kept: OrderedDict[int, Page] = OrderedDict()
        self._kept_events = 0
        self._devices: Mapping[str, Device] = {}
        self._devices_s = -DEVICES_S

    def after(self, position: int, until: int) -> tuple[list[Page], Mapping[str, Device]]:
        """Pages from the one that holds `position` on, about RECORDS_AT_ONCE records, none from `until` on."""
        position = max(position, self.centre.ingest.journal.tail)
        if is_far(position, until):
            pages = [_page(block) for block in self._blocks(position, until)]
            with self._lock:
                return pages, self._known(is_new=False)
        with self._lock:
            pages, is_new = self._near(position, until)
            return pages, self._known(is_new)

    def _near(self, position: int, until: int) -> tuple[list[Page], bool]:
        pages: list[Page] = []
        end = position + RECORDS_AT_ONCE
        while position < min(until, end) and position in self._kept:
            self._kept.move_to_end(position)
            pages.append(self._kept[position])
            position = pages[-1].next
        if position >= min(until, end):
            return pages, False
        blocks = self._blocks(position, until)
        return [*pages, *(self._kept.get(one.position) or self._keep(_page(one)) for one in blocks)], True

    def _blocks(self, position: int, until: int) -> list[Block]:
        found = self.centre.ingest.journal.read(position, RECORDS_AT_ONCE)
        return [block for block in found if block.position < until]

    def _keep(self, page: Page) -> Page:
        self._kept[page.position] = page
        self._kept_events += len(page.events)
        while len(self._kept) > KEPT_PAGES_MAX or (self._kept_events > KEPT_EVENTS_MAX and len(self._kept) > 1):
            self._kept_events -= len(self._kept.popitem(last=False)[1].events)
        return page

    def _known(self, is_new: bool) -> Mapping[str, Device]:
        """The devices of the inventory; asked again with new readings, else each second."""
        now_s = self.centre.clock.monotonic_s()
        if is_new or now_s - self._devices_s >= DEVICES_S:
            self._devices, self._devices_s = self.centre.inventory.snapshot().devices, now_s
        return self._devices


class SiteNews:
    """The car parks of which something was said, each as it is now."""

    def __init__(self, centre: Centre) -> None:
        self.centre = centre
        self._lock = threading.Lock()
        self._news = 0
        self._said: dict[tuple[str, str], tuple[int, bytes]] = {}

    def is_new(self, after: int) -> bool:
        """Whether there may be something after the news `after`."""
        return self.centre.rules.newest_site_news() != after

    def after(self, news: int) -> tuple[list[bytes], int]:
        """The car parks of which something was said after the news `news`, as JSON, and the newest news."""
        with self._lock:
            self._ask()
            if news == 0:  # who comes back: what was said long ago may have become stale since
                self._take(set(self._said), self._news)
            return [data for number, data in self._said.values() if number > news], self._news

    def newest(self) -> int:
        """The newest news."""
        with self._lock:
            self._ask()
            return self._news

    def _ask(self) -> None:
        if self.centre.rules.newest_site_news() != self._news:
            changed, newest = self.centre.rules.site_news(self._news)
            self._take(set(changed), newest)
            self._news = newest

    def _take(self, changed: set[tuple[str, str]], news: int) -> None:
        if not changed:
            return
        for item in site_items(self.centre):
            if (item.town, item.id) in changed:
                self._said[item.town, item.id] = (news, msgspec.json.encode(item))


class GatewayNews:
    """How each gateway is, as of when it was last heard."""

    def __init__(self, centre: Centre) -> None:
        self.centre = centre
        self._lock = threading.Lock()
        self._heard: dict[str, object] = {}
        self._said: dict[str, bytes] = {}

    def heard(self) -> dict[str, object]:
        """When each gateway was last heard."""
        return {gateway: said.get("heard_ms") for gateway, said in dict(self.centre.ingest.gateways).items()}

    def after(self, heard: Mapping[str, object]) -> tuple[list[bytes], dict[str, object]]:
        """The gateways that were heard since they were last heard at `heard`, as JSON, and when all were heard."""
        with self._lock:
            now = self.heard()
            if now != self._heard:
                self._said = {item.id: msgspec.json.encode(item) for item in gateway_items(self.centre)}
                self._heard = now
            return [self._said[one] for one, at in now.items() if heard.get(one) != at and one in self._said], now


class Shared:
    """Everything that streams of one centre share."""

    def __init__(self, centre: Centre) -> None:
        self.centre = centre
        self.readings = ReadingPages(centre)
        self.sites = SiteNews(centre)
        self.gateways = GatewayNews(centre)


def is_far(position: int, until: int) -> bool:
    """Whether who is at `position` is so far behind that nothing of what he reads is kept."""
    return position < until - NEAR_RECORDS


def written(position: int, kind: str, data: bytes) -> bytes:
    """One event of the stream."""
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (position, kind.encode(), data)


def _page(block: Block) -> Page:
    events: list[ReadingEvent] = []
    readings = block.accepted
    places = np.flatnonzero(block.verdict[: len(block.frame.readings)] == Verdict.ACCEPTED).tolist()
    values: list[dict[str, Any]] = readings.value_dicts()
    for row, place in enumerate(places):
        kind = int(readings.kind[row])
        item = ReadingItem(
            readings.device_ids[row],
            KINDS[kind],
            when(int(readings.t_ms[row])),
            when(int(readings.received_ms[row])),
            int(readings.boot[row]),
            int(readings.seq[row]),
            Quality(int(readings.quality[row])).word,
            values[row],
        )
        number = block.position + place + 1
        data = written(number, "reading", msgspec.json.encode(item))
        events.append(ReadingEvent(number, item.device_id, kind == SOS, data))
    return Page(block.position, block.next, tuple(events))
