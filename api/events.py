"""The live stream (Server-Sent Events): what changes, as it changes, each object as its GET would give it.

`id` is the journal's position up to which everything has been sent; who comes back with it as Last-Event-ID goes on
there. An event may come twice then, none is left out. A comment every three seconds shows that the line stands.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
import numpy as np
from fastapi import Header, Query, Request
from fastapi.responses import StreamingResponse

from api.centre import AskCentre, Centre, when
from api.items import sos_item, ticket_item
from api.ledger import gateway_items
from api.parking import site_items
from api.problems import ProblemError, shown
from api.readings import ReadingItem
from api.route import Policy
from api.who import AskWho, Who, known_at_once, looked_up, shown_by
from core.kinds import KINDS
from core.reading import Quality
from ingest.books import Verdict
from ingest.segment import Block
from rules.outbox import Notice

KINDS_OF_EVENTS = {
    "reading": Policy.SIGNED_IN,
    "ticket": Policy.TICKETS,
    "sos": Policy.SOS,
    "site": Policy.OPEN,
    "gateway": Policy.SIGNED_IN,
}
BEAT_S = 3.0
WHO_AGAIN_S = 15.0
STREAMS_MAX, PUBLIC_STREAMS_MAX = 500, 300
RECORDS_AT_ONCE = 2000
POSITION_MAX = 2**53

Event = tuple[str, object, int]
"""What sort, the object, and the position up to which everything has been sent with it."""


@dataclass
class Reader:
    """One connection: what it wants, and how far it is. `position` counts readings, `notice` tickets and cases,
    `site_news` car parks, `heard` gateways.
    """

    centre: Centre
    who: Who
    wanted: frozenset[str]
    position: int
    notice: int
    site_news: int
    heard: dict[str, object] = field(default_factory=dict)
    told: int = -1

    def news(self) -> list[Event]:
        """What there is to tell since the last time, at most a few thousand events."""
        rules = self.centre.rules
        until = rules.how_far()
        notices = self._notices()
        events: list[Event] = []
        if "reading" in self.wanted:
            until = self._readings(until, events)
            notices = [one for one in notices if one.position <= until]
        events = self._with_notices(events, notices)
        self.position = max(self.position, until)
        return [*events, *self._sites(), *self._gateways()]

    @property
    def is_behind(self) -> bool:
        """Whether there is more to tell at once."""
        rules = self.centre.rules
        is_told = not self.wanted & {"ticket", "sos"} or self.told == rules.signal.told
        return not is_told or ("reading" in self.wanted and self.position < rules.how_far())

    def _notices(self) -> list[Notice]:
        told = self.centre.rules.signal.told
        if not self.wanted & {"ticket", "sos"} or told == self.told:
            return []
        found = self.centre.rules.outbox.after(self.notice)
        if not found:
            self.told = told  # what came meanwhile rings again
        return found

    def _readings(self, until: int, events: list[Event]) -> int:
        journal = self.centre.ingest.journal
        position = max(self.position, journal.tail)
        if position >= until:
            return until
        blocks = [block for block in journal.read(position, RECORDS_AT_ONCE) if block.position < until]
        devices = self.centre.inventory.snapshot().devices
        for block in blocks:
            for place, item in _items(block):
                device = devices.get(item.device_id)
                if block.position + place >= position and device is not None and self.who.sees(device.town):
                    events.append(("reading", item, block.position + place + 1))
        return min(until, blocks[-1].next) if blocks else until

    def _with_notices(self, events: list[Event], notices: list[Notice]) -> list[Event]:
        """The events with those of tickets and cases at their places; of one object only the last."""
        newest = {(one.kind, one.object_id): one for one in notices}
        for one in sorted(newest.values(), key=lambda notice: notice.id):
            told = self._object(one)
            if told is not None:
                events.append((one.kind, told, max(one.position, self.position)))
        if notices:
            self.notice = notices[-1].id
        return sorted(events, key=lambda event: event[2])

    def _object(self, notice: Notice) -> object | None:
        if notice.kind not in self.wanted:
            return None
        if notice.kind == "ticket":
            ticket = self.centre.rules.tickets.ticket(notice.object_id)
            return ticket_item(self.centre, ticket) if ticket is not None and self.who.sees(ticket.town) else None
        case = self.centre.rules.cases.case(notice.object_id)
        if case is None or (case.town is not None and not self.who.sees(case.town)):
            return None
        return sos_item(self.centre, case)

    def _sites(self) -> list[Event]:
        if "site" not in self.wanted:
            return []
        sites, self.site_news = self.centre.rules.site_news(self.site_news)
        if not sites:
            return []
        changed = set(sites)
        items = [one for one in site_items(self.centre) if (one.town, one.id) in changed]
        return [("site", item, self.position) for item in items]

    def _gateways(self) -> list[Event]:
        if "gateway" not in self.wanted:
            return []
        told = [item for item in gateway_items(self.centre) if self.heard.get(item.id) != item.last_heard]
        self.heard.update({item.id: item.last_heard for item in told})
        return [("gateway", item, self.position) for item in told]


async def events(
    request: Request,
    centre: AskCentre,
    who: AskWho,
    kinds: Annotated[str | None, Query(max_length=100, description="e.g. ticket,sos; else all you may see.")] = None,
    last_event_id: Annotated[str | None, Header(description="Go on after this position.")] = None,
) -> StreamingResponse:
    """What changes, as it changes: reading, ticket, sos, site, gateway."""
    wanted = _wanted(who, kinds)
    position = _position(last_event_id)
    streams: dict[str, int] = request.app.state.__dict__.setdefault("streams", {"all": 0, "public": 0})
    is_public = who.role == "public"
    if streams["all"] >= STREAMS_MAX or (is_public and streams["public"] >= PUBLIC_STREAMS_MAX):
        detail = "Too many live streams are open; ask again in a while, or load the page anew by hand."
        raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, detail, {"Retry-After": "30"})
    reader = await asyncio.to_thread(_reader, centre, who, wanted, position)
    headers = {"X-Accel-Buffering": "no"}  # a reverse proxy must not collect events
    return StreamingResponse(_stream(request, reader, streams), media_type="text/event-stream", headers=headers)


def _wanted(who: Who, kinds: str | None) -> frozenset[str]:
    allowed = frozenset(kind for kind, policy in KINDS_OF_EVENTS.items() if who.may(policy))
    if kinds is None:
        return allowed
    asked = frozenset(kind.strip() for kind in kinds.split(",") if kind.strip())
    if not asked or not asked <= KINDS_OF_EVENTS.keys():
        expected = ", ".join(KINDS_OF_EVENTS)
        raise ProblemError(HTTPStatus.BAD_REQUEST, f"kinds is {shown(kinds)}; expected some of {expected}.")
    if not asked <= allowed:
        status = HTTPStatus.UNAUTHORIZED if who.role == "public" else HTTPStatus.FORBIDDEN
        raise ProblemError(status, f"{', '.join(sorted(asked - allowed))} is not for you; you may see "
                                   f"{', '.join(sorted(allowed))}.")  # fmt: skip
    return asked


def _position(last_event_id: str | None) -> int | None:
    if not last_event_id:
        return None
    if not last_event_id.isdecimal() or int(last_event_id) > POSITION_MAX:
        detail = f"Last-Event-ID is {shown(last_event_id)}; expected the id of an event of this stream."
        raise ProblemError(HTTPStatus.BAD_REQUEST, detail)
    return int(last_event_id)


def _reader(centre: Centre, who: Who, wanted: frozenset[str], position: int | None) -> Reader:
    rules = centre.rules
    if position is None:
        return Reader(centre, who, wanted, rules.how_far(), rules.outbox.last(), rules.site_news(0)[1])
    return Reader(centre, who, wanted, position, rules.outbox.from_position(position), 0)


async def _stream(request: Request, reader: Reader, streams: dict[str, int]) -> AsyncIterator[bytes]:
    """Events until the reader goes away, may not see them any more, or the centre stops."""
    groups = ("all", "public") if reader.who.role == "public" else ("all",)
    loop, bell = asyncio.get_running_loop(), asyncio.Event()
    rules = reader.centre.rules

    def ring() -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended; so has whoever would hear it
            loop.call_soon_threadsafe(bell.set)

    leave = rules.signal.listen(ring)
    for group in groups:
        streams[group] += 1
    clock = reader.centre.clock
    looked_s = clock.monotonic_s()
    try:
        yield b"retry: 2000\n: da\n\n"
        while not rules.stopping:
            bell.clear()
            for event in await asyncio.to_thread(reader.news):
                yield _written(event)
            if reader.is_behind:
                continue
            try:
                await asyncio.wait_for(bell.wait(), BEAT_S)
            except TimeoutError:
                yield b": da\n\n"
            if clock.monotonic_s() - looked_s > WHO_AGAIN_S:
                looked_s = clock.monotonic_s()
                if not await _is_still(request, reader.who):
                    return
    finally:
        leave()
        for group in groups:
            streams[group] -= 1


async def _is_still(request: Request, who: Who) -> bool:
    """Whether the session or token still is what it was: who signed out sees nothing more."""
    centre: Centre = request.app.state.centre
    found = shown_by(centre.settings.http, request.headers)
    now = known_at_once(centre, found) or await asyncio.to_thread(looked_up, centre, found)
    return now == who


def _written(event: Event) -> bytes:
    kind, told, position = event
    data = msgspec.json.encode(told)
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (position, kind.encode(), data)


def _items(block: Block) -> list[tuple[int, ReadingItem]]:
    """The accepted readings of a block with their places in it."""
    found: list[tuple[int, ReadingItem]] = []
    readings = block.accepted
    places = np.flatnonzero(block.verdict[: len(block.frame.readings)] == Verdict.ACCEPTED).tolist()
    values: list[dict[str, Any]] = readings.value_dicts()
    for row, place in enumerate(places):
        item = ReadingItem(
            readings.device_ids[row],
            KINDS[int(readings.kind[row])],
            when(int(readings.t_ms[row])),
            when(int(readings.received_ms[row])),
            int(readings.boot[row]),
            int(readings.seq[row]),
            Quality(int(readings.quality[row])).word,
            values[row],
        )
        found.append((place, item))
    return found
