"""The live stream (Server-Sent Events): what changes, as it changes, each object as its GET would give it.

`id` is the journal's position up to which everything has been sent; who comes back with it as Last-Event-ID goes on
there. An event may come twice then, none is left out. A comment every two seconds or sooner shows that a quiet line
stands.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Annotated

from fastapi import FastAPI, Header, Query, Request
from fastapi.responses import StreamingResponse

from api.centre import AskCentre, Centre
from api.door import Receive, Scope, Send
from api.problems import ProblemError, shown
from api.route import EVENTS, Policy
from api.stream_reader import Bell, Reader, reader_from
from api.stream_seats import Seats
from api.stream_shared import Shared
from api.who import AskWho, Who, known_at_once, looked_up, shown_by
from core.relational import DatabaseError
from core.sqlite import StorageError

log = logging.getLogger(__name__)

KINDS_OF_EVENTS = {
    "reading": Policy.SIGNED_IN,
    "ticket": Policy.TICKETS,
    "sos": Policy.SOS,
    "site": Policy.OPEN,
    "gateway": Policy.SIGNED_IN,
}
LOOK_S = 1.5
"""How long at most nobody asks whether the reader still may read, but for the time that a turn takes."""
BREATH_S = 0.15
REST_S = 0.05
FAREWELL_S = 0.5
POSITION_MAX = 2**53


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
    streams = _streams_of(request.app, centre)
    with contextlib.ExitStack() as leaving:
        leaving.callback(streams.seats.take(who, request.state.address))
        reader = await asyncio.to_thread(reader_from, streams.shared, who, wanted, position)
        bell = Bell(centre.rules, asyncio.get_running_loop(), reader.is_hurried)
        leaving.callback(centre.rules.signal.listen(bell.ring))
        answer = EventStream(_stream(request, reader, bell, streams), leaving.pop_all())
    return answer


class Streams:
    """What the streams of one application have in common. Those that are `far` behind take turns, and so do guests."""

    def __init__(self, centre: Centre) -> None:
        self.shared = Shared(centre)
        self.seats = Seats()
        self.far = asyncio.Lock()
        self.guests = asyncio.Lock()


def _streams_of(app: FastAPI, centre: Centre) -> Streams:
    if not hasattr(app.state, "streams"):
        app.state.streams = Streams(centre)
    found: Streams = app.state.streams
    return found


class EventStream(StreamingResponse):
    """A stream that leaves what it holds however it ends, and ends quietly when the server stops."""

    def __init__(self, content: AsyncIterator[bytes], leaving: contextlib.ExitStack) -> None:
        # A reverse proxy must not collect events.
        super().__init__(content, media_type=EVENTS, headers={"X-Accel-Buffering": "no"})
        self.leaving = leaving

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stream until one side ends it."""
        with self.leaving:
            try:
                await super().__call__(scope, receive, send)
            except asyncio.CancelledError:  # the server stops; it would log this as our mistake
                with contextlib.suppress(asyncio.CancelledError, TimeoutError):
                    async with asyncio.timeout(FAREWELL_S):
                        await send({"type": "http.response.body", "body": b"", "more_body": False})


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


async def _stream(request: Request, reader: Reader, bell: Bell, streams: Streams) -> AsyncIterator[bytes]:
    """Events until the reader goes away, may not see them any more, or the centre stops."""
    yield b"retry: 2000\n: da\n\n"
    try:
        async for chunk in _chunks(request, reader, bell, streams):
            yield chunk
    except (DatabaseError, StorageError) as error:
        log.warning("a live stream ends, its reader will come back: %s", error)


async def _chunks(request: Request, reader: Reader, bell: Bell, streams: Streams) -> AsyncIterator[bytes]:
    rules, clock = reader.shared.centre.rules, reader.shared.centre.clock
    looked_s, is_due = clock.monotonic_s(), False
    while not rules.stopping:
        bell.clear()
        chunk, is_private = await _turn(reader, streams) if reader.is_behind else (b"", False)
        if is_private or is_due or clock.monotonic_s() - looked_s >= LOOK_S:
            if not await _is_still(request, reader.who):
                return
            looked_s, is_due = clock.monotonic_s(), False
        if chunk:
            yield chunk
        if not reader.is_hurried:
            await bell.notice.wait(BREATH_S)  # events gather meanwhile; a ticket or a case does not wait
        if reader.is_behind:
            continue
        left_s = min(max(looked_s + LOOK_S - clock.monotonic_s(), 0.0), LOOK_S)
        if not await bell.news.wait(left_s):
            is_due = True
            yield b": da\n\n"


async def _turn(reader: Reader, streams: Streams) -> tuple[bytes, bool]:
    """One turn of the reader, in a thread; who has a long way to go leaves the others room."""
    if reader.wanted == {"site"}:
        async with streams.guests:  # the first asks for all; of the others most have nothing to tell then
            return await asyncio.to_thread(reader.turn) if reader.is_behind else (b"", False)
    if not reader.is_far:
        return await asyncio.to_thread(reader.turn)
    async with streams.far:
        found = await asyncio.to_thread(reader.turn)
        await asyncio.sleep(REST_S)
    return found


async def _is_still(request: Request, who: Who) -> bool:
    """Whether the session or token still is what it was: who signed out sees nothing more."""
    centre: Centre = request.app.state.centre
    found = shown_by(centre.settings.http, request.headers)
    now = known_at_once(centre, found) or await asyncio.to_thread(looked_up, centre, found)
    return now == who
