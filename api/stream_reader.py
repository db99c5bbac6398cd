"""One reader of the live stream: what he wants, how far he is, and what there is to tell him."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field

import msgspec

from api.items import sos_item, ticket_item
from api.route import Policy
from api.stream_shared import Shared, is_far, written
from api.who import Who
from rules.outbox import Notice
from rules.process import Rules

NOTICES = frozenset({"ticket", "sos"})

Event = tuple[int, bytes]
"""The position up to which everything has been sent with it, and the event as it goes out."""


@dataclass
class Reader:
    """One connection: what it wants, and how far it is. `position` counts readings, `notice` tickets and cases,
    `site_news` car parks, `heard` gateways.
    """

    shared: Shared
    who: Who
    wanted: frozenset[str]
    position: int
    notice: int
    site_news: int
    heard: dict[str, object] = field(default_factory=dict)
    told: int = -1

    def turn(self) -> tuple[bytes, bool]:
        """What there is to tell since the last time, at most a few thousand events, and whether a ticket or a case is
        among it.
        """
        until = self.shared.centre.rules.how_far()
        notices = self._notices()
        events: list[Event] = []
        if "reading" in self.wanted:
            until = self._readings(until, events)
            notices = [one for one in notices if one.position <= until]
        told = self._told(notices)
        events = sorted([*events, *told], key=lambda event: event[0])
        self.position = max(self.position, until)
        events += [*self._sites(), *self._gateways()]
        return b"".join(data for _, data in events), bool(told)

    @property
    def is_hurried(self) -> bool:
        """Whether there are only tickets and cases to tell, each at once."""
        return self.wanted <= NOTICES

    @property
    def is_far(self) -> bool:
        """Whether there is a long way to go, of which nobody else has anything."""
        return "reading" in self.wanted and is_far(self.position, self.shared.centre.rules.how_far())

    @property
    def is_behind(self) -> bool:
        """Whether there is more to tell at once, as far as that can be said without waiting for anything."""
        rules = self.shared.centre.rules
        return (
            (bool(self.wanted & NOTICES) and self.told != rules.signal.told)
            or ("reading" in self.wanted and self.position < rules.how_far())
            or ("site" in self.wanted and self.shared.sites.is_new(self.site_news))
            or ("gateway" in self.wanted and self.heard != self.shared.gateways.heard())
        )

    def _notices(self) -> list[Notice]:
        rules = self.shared.centre.rules
        told = rules.signal.told
        if not self.wanted & NOTICES or told == self.told:
            return []
        found = rules.outbox.after(self.notice)
        if not found:
            self.told = told  # what came meanwhile rings again
        return found

    def _readings(self, until: int, events: list[Event]) -> int:
        if self.position >= until:
            return until
        pages, devices = self.shared.readings.after(self.position, until)
        sees_sos = self.who.may(Policy.SOS)  # a press is nobody else's business, however it is told
        for page in pages:
            for event in page.events:
                device = devices.get(event.device_id)
                is_his = device is not None and self.who.sees(device.town) and (sees_sos or not event.is_sos)
                if is_his and event.id > self.position:
                    events.append((event.id, event.data))
        return min(until, pages[-1].next) if pages else until

    def _told(self, notices: list[Notice]) -> list[Event]:
        """The events of tickets and cases; of one object only the last."""
        events: list[Event] = []
        newest = {(one.kind, one.object_id): one for one in notices}
        for one in sorted(newest.values(), key=lambda notice: notice.id):
            told = self._object(one)
            if told is not None:
                position = max(one.position, self.position)
                events.append((position, written(position, one.kind, msgspec.json.encode(told))))
        if notices:
            self.notice = notices[-1].id
        return events

    def _object(self, notice: Notice) -> object | None:
        if notice.kind not in self.wanted:
            return None
        centre = self.shared.centre
        if notice.kind == "ticket":
            ticket = centre.rules.tickets.ticket(notice.object_id)
            return ticket_item(centre, ticket) if ticket is not None and self.who.sees(ticket.town) else None
        case = centre.rules.cases.case(notice.object_id)
        if case is None or (case.town is not None and not self.who.sees(case.town)):
            return None
        return sos_item(centre, case)

    def _sites(self) -> list[Event]:
        if "site" not in self.wanted:
            return []
        found, self.site_news = self.shared.sites.after(self.site_news)
        return [(self.position, written(self.position, "site", data)) for data in found]

    def _gateways(self) -> list[Event]:
        if "gateway" not in self.wanted:
            return []
        found, self.heard = self.shared.gateways.after(self.heard)
        return [(self.position, written(self.position, "gateway", data)) for data in found]


def reader_from(shared: Shared, who: Who, wanted: frozenset[str], position: int | None) -> Reader:
    """A reader who goes on after `position`; None = from now on, and so is what lies ahead of the journal: it belongs
    to another one, which was here before this one was begun or restored.
    """
    rules = shared.centre.rules
    if position is None or position > shared.centre.ingest.journal.head:
        return Reader(shared, who, wanted, rules.how_far(), rules.outbox.last(), shared.sites.newest())
    return Reader(shared, who, wanted, position, rules.outbox.from_position(position), 0)


class Flag:
    """An event of a loop that any thread may set; many times cost no more than once."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.event = asyncio.Event()
        self._is_up = False

    def set(self) -> None:
        """Wake who waits."""
        if self._is_up:
            return
        self._is_up = True
        with contextlib.suppress(RuntimeError):  # the loop has ended; so has whoever would hear it
            self.loop.call_soon_threadsafe(self.event.set)

    def clear(self) -> None:
        """What comes from now on wakes again."""
        self._is_up = False
        self.event.clear()

    async def wait(self, timeout_s: float) -> bool:
        """Wait until it is set; False when the time ran out."""
        try:
            async with asyncio.timeout(timeout_s):
                await self.event.wait()
        except TimeoutError:
            return False
        return True


class Bell:
    """What wakes a stream: `notice` for tickets, cases and the end, `news` for these and all else."""

    def __init__(self, rules: Rules, loop: asyncio.AbstractEventLoop, is_hurried: bool) -> None:
        self.rules = rules
        self.is_hurried = is_hurried
        self.notice = Flag(loop)
        self.news = self.notice if is_hurried else Flag(loop)
        self._told = -1

    def ring(self) -> None:
        """There is news; any thread may say so."""
        told = self.rules.signal.told
        if told != self._told or self.rules.stopping:
            self._told = told
            self.notice.set()
        if not self.is_hurried:
            self.news.set()

    def clear(self) -> None:
        """What comes from now on wakes again."""
        self.notice.clear()
        self.news.clear()
