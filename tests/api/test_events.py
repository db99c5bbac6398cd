"""The live stream over a real HTTP server: each role's share, nothing left out on coming back."""

import http.client
import json
import logging
import queue
import socket
import threading
from collections.abc import Hashable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from api.app import create_app
from api.problems import ProblemError
from api.server import HttpServer
from api.stream_seats import ACCOUNT_MAX, ADDRESS_MAX, PUBLIC_MAX, Seats
from api.stream_shared import ReadingPages
from api.who import PUBLIC, Who
from core.device import Site
from core.relational import DatabaseError
from core.settings import Settings
from tests.support.frames import T0, FedCentre, Said, fed_centre, make_frame
from tests.support.platform import until

WITHIN_S = 20.0
MARKT = Site(site="markt", town="naunhof", name="Markt", capacity=2)
TOKEN = "a-token-for-tests"
STEP_MS = 900_000


@dataclass(frozen=True)
class Event:
    """One event of the stream."""

    id: int
    event: str
    data: dict[str, Any]


class Stream:
    """A reader of the stream."""

    def __init__(self, port: int, path: str, headers: dict[str, str]) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WITHIN_S)
        self.connection.request("GET", path, headers={"Host": f"127.0.0.1:{port}", **headers})
        self.socket = self.connection.sock  # the answer takes it away from the connection
        self.answer = self.connection.getresponse()
        self.events: queue.Queue[Event] = queue.Queue()
        self.comments: queue.Queue[str] = queue.Queue()
        self.lines: list[bytes] = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        fields: dict[str, str] = {}
        try:
            for raw in self.answer:
                self.lines.append(raw)
                line = raw.decode().rstrip("\n")
                if line.startswith(":"):
                    self.comments.put(line)
                elif line:
                    name, _, value = line.partition(": ")
                    fields[name] = value
                elif "event" in fields:
                    self.events.put(Event(int(fields["id"]), fields["event"], json.loads(fields["data"])))
                    fields = {}
        except (OSError, ValueError, AttributeError, http.client.HTTPException):  # closed while it read
            return

    def next(self) -> Event:
        """The next event."""
        return self.events.get(timeout=WITHIN_S)

    def close(self) -> None:
        """Go away, also while the reader waits for more."""
        with suppress(OSError):  # the other end may have gone before
            self.socket.shutdown(socket.SHUT_RDWR)
        self.connection.close()


def credentials(token: str) -> dict[str, str]:
    """Headers that show this token, or this session's cookie."""
    if token.startswith("partheland="):
        return {"Cookie": token}
    return {"Authorization": f"Bearer {token}"} if token else {}


@dataclass
class Served:
    """A centre behind a real HTTP server."""

    centre: FedCentre
    port: int
    app: FastAPI

    def open_streams(self) -> dict[Hashable, int]:
        """How many streams are open, by whose they are."""
        return dict(self.app.state.streams.seats.open)

    @contextmanager
    def stream(self, kinds: str = "", last: int | None = None, token: str = TOKEN) -> Iterator[Stream]:
        """A reader of these kinds of events; it has begun when this returns."""
        headers = credentials(token)
        headers |= {"Last-Event-ID": str(last)} if last is not None else {}
        found = Stream(self.port, "/api/v1/events" + (f"?kinds={kinds}" if kinds else ""), headers)
        assert found.answer.status == 200, found.answer.read()
        assert found.comments.get(timeout=WITHIN_S) == ": da"
        try:
            yield found
        finally:
            found.close()

    def refusal(self, path: str, headers: dict[str, str]) -> tuple[int, str | None, str]:
        """Status, Retry-After and sentence of an answer that is none."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WITHIN_S)
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        found = answer.status, answer.getheader("Retry-After"), str(json.load(answer)["detail"])
        connection.close()
        return found


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """A centre with two lamps, a bay and a button, which asks who comes in."""
    with fed_centre(tmp_path) as fed:
        fed.import_rows(
            "device_id,kind,town,site,nominal_w\nNAU-L1,lamp,naunhof,,40\nBRA-L2,lamp,brandis,,40\n"
            "NAU-P1,parking,naunhof,markt,\nNAU-S1,sos,naunhof,,\n"
        )
        settings = replace(Settings(), http=replace(Settings().http, token=TOKEN))
        app = create_app(fed.parts(settings, dev=False))
        server = HttpServer(app, "127.0.0.1", 0)
        server.start()
        try:
            yield Served(fed, server.bound_port, app)
        finally:
            fed.rules.stop()
            server.stop()


def dark(seq: int, device_id: str = "NAU-L1") -> Said:
    return Said(device_id, seq, {"power_w": 0.5, "dim_pct": 100.0}, t_ms=T0 + seq * STEP_MS)


def test_readings_come_with_their_positions_and_as_a_get_gives_them(served: Served) -> None:
    with served.stream("reading") as stream:
        served.centre.take(make_frame([dark(1), dark(2)]))
        first, second = stream.next(), stream.next()
    assert (first.id, second.id, first.event) == (1, 2, "reading")
    assert first.data == {
        "device_id": "NAU-L1", "kind": "lamp", "t": "2026-01-10T18:15:00.000Z", "received": "2026-01-10T18:15:00.250Z",
        "boot": 1, "seq": 1, "quality": "good", "values": {"power_w": 0.5, "dim_pct": 100.0},
    }  # fmt: skip


def test_a_ticket_comes_after_the_readings_it_rests_on(served: Served) -> None:
    with served.stream("reading,ticket") as stream:
        served.centre.take_and_judge(make_frame([dark(seq) for seq in range(1, 4)]))
        came = [stream.next() for _ in range(4)]
    assert [(one.event, one.id) for one in came] == [("reading", 1), ("reading", 2), ("reading", 3), ("ticket", 3)]
    assert (came[3].data["rule"], came[3].data["status"]) == ("lamp_out", "open")
    assert [one["action"] for one in came[3].data["steps"]] == ["opened"]


def test_what_a_person_does_is_told_at_once_though_nothing_is_read(served: Served) -> None:
    served.centre.take_and_judge(make_frame([dark(seq) for seq in range(1, 4)]))
    with served.stream("ticket") as stream:
        served.centre.rules.tickets.act(1, "accept", "anna")
        came = stream.next()
    assert (came.event, came.data["status"], came.data["steps"][-1]["by"]) == ("ticket", "accepted", "anna")


def test_a_press_is_told_and_so_is_each_answer(served: Served) -> None:
    with served.stream("sos") as stream:
        press = Said("NAU-S1", 1, {"event": "press", "press_id": 7.0}, kind="sos")
        served.centre.take(make_frame([press], lane="sos"))
        assert stream.next().data["state"] == "received"
        served.centre.rules.cases.act(1, "accept", "lena")
        assert stream.next().data["accepted_by"] == "lena"


def test_a_car_park_is_told_to_everybody(served: Served) -> None:
    served.centre.inventory.apply([], [MARKT], T0, "test")
    served.centre.rules.tick()  # a car park that is new is told by itself; that is over now
    with served.stream(token="") as stream:
        served.centre.take(make_frame([Said("NAU-P1", 1, {"occupied": True}, kind="parking", t_ms=T0 + 3_500_000)]))
        came = stream.next()
    assert (came.event, came.data["id"], came.data["occupied"]) == ("site", "markt", 1)


def test_a_car_park_that_becomes_unknown_by_time_alone_is_told(served: Served) -> None:
    served.centre.inventory.apply([], [MARKT], T0, "test")
    served.centre.rules.take()
    served.centre.take(make_frame([Said("NAU-P1", 1, {"occupied": False}, kind="parking", t_ms=T0 + 3_500_000)]))
    served.centre.rules.tick()
    with served.stream("site") as stream:
        served.centre.clock.ms += 6 * 3_600_000
        served.centre.rules.tick()
        came = stream.next()
    assert (came.data["id"], came.data["free"], came.data["unknown"], came.data["state"]) == ("markt", 0, 2, "stale")


def test_who_comes_back_goes_on_where_the_line_was_cut(served: Served) -> None:
    served.centre.take_and_judge(make_frame([dark(seq) for seq in range(1, 4)]))
    with served.stream("reading,ticket") as stream:
        served.centre.take(make_frame([dark(seq) for seq in range(4, 6)], first_seq=4))
        assert stream.next().id == 4
    with served.stream("reading,ticket", last=4) as stream:
        assert (stream.next().id, stream.events.empty()) == (5, True)
    with served.stream("reading,ticket", last=1) as stream:
        came = [stream.next() for _ in range(5)]
    assert [(one.event, one.id) for one in came] == [
        ("reading", 2), ("reading", 3), ("ticket", 3), ("reading", 4), ("reading", 5),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("role", "town", "seen"),
    [
        ("yard", "naunhof", {"ticket", "reading"}),
        ("yard", "brandis", set()),
        ("technician", None, {"ticket", "reading"}),
    ],
)
def test_each_sees_what_is_of_their_role_and_town(served: Served, role: str, town: str | None, seen: set[str]) -> None:
    token, _ = served.centre.accounts.create_token("test", role, town, None, "test")
    with served.stream(token=token) as stream:
        served.centre.take_and_judge(make_frame([dark(seq) for seq in range(1, 4)]))
        served.centre.take(make_frame([Said("NAU-S1", 1, {"event": "press"}, kind="sos")], lane="sos", first_seq=4))
        assert stream.comments.get(timeout=WITHIN_S) == ": da"  # a beat: what was to come has come
        came = {stream.next().event for _ in range(stream.events.qsize())}
    assert came - {"gateway"} == seen


@pytest.mark.parametrize(
    ("query", "headers", "status", "sentence"),
    [
        ("?kinds=tickets", {}, 400, "kinds is 'tickets'; expected some of reading, ticket, sos, site, gateway."),
        ("", {"Last-Event-ID": "yesterday"}, 400, "Last-Event-ID is 'yesterday'"),
        ("?kinds=sos", {"Authorization": ""}, 401, "sos is not for you; you may see site."),
    ],
)
def test_what_can_not_be_streamed_is_refused(
    served: Served, query: str, headers: dict[str, str], status: int, sentence: str
) -> None:
    found = served.refusal(f"/api/v1/events{query}", {"Authorization": f"Bearer {TOKEN}", **headers})
    assert (found[0], sentence in found[2]) == (status, True)


def test_a_quiet_line_beats(served: Served) -> None:
    with served.stream("ticket") as stream:
        assert stream.comments.get(timeout=WITHIN_S) == ": da"


def test_streams_end_when_the_centre_stops(served: Served) -> None:
    with served.stream("ticket") as stream:
        served.centre.rules.stop()
        stream.reader.join(WITHIN_S)
        assert not stream.reader.is_alive()


def test_two_streams_get_the_same_bytes_of_a_reading(served: Served) -> None:
    with served.stream("reading") as one, served.stream("reading,ticket") as other:
        served.centre.take(make_frame([dark(1), dark(2)]))
        for stream in (one, other):
            assert [stream.next().id, stream.next().id] == [1, 2]
    heard = [[line for line in stream.lines if not line.startswith((b":", b"retry"))][:8] for stream in (one, other)]
    assert heard[0] == heard[1]
    assert len(heard[0]) == 8


def test_one_token_has_so_many_streams_and_leaves_the_others_theirs(served: Served) -> None:
    token, _ = served.centre.accounts.create_token("screens", "technician", None, None, "test")
    with ExitStack() as opened:
        for _ in range(ACCOUNT_MAX):
            opened.enter_context(served.stream("ticket", token=token))
        status, retry_after, sentence = served.refusal("/api/v1/events", credentials(token))
        assert (status, retry_after) == (429, "30")
        assert sentence.startswith("25 live streams of your account or token are open, expected no more")
        with served.stream("sos"), served.stream(token=""):
            pass
    until("the seats are free again", lambda: not served.open_streams(), WITHIN_S)
    with served.stream("ticket", token=token):
        assert sum(served.open_streams().values()) == 1


def test_an_address_can_not_take_all_streams_of_guests() -> None:
    seats = Seats()
    for number in range(PUBLIC_MAX - ADDRESS_MAX):
        seats.take(PUBLIC, f"192.0.2.{number // 10}")
    leaves = [seats.take(PUBLIC, "198.51.100.1") for _ in range(ADDRESS_MAX - 1)]
    leaves.append(seats.take(PUBLIC, "198.51.100.1"))
    with pytest.raises(ProblemError, match="50 live streams of your address are open") as too_many:
        seats.take(PUBLIC, "198.51.100.1")
    with pytest.raises(ProblemError, match="300 live streams of guests are open") as full:
        seats.take(PUBLIC, "198.51.100.2")
    assert (too_many.value.status, full.value.status) == (429, 503)
    seats.take(Who("anna", "technician", None, "cookie"), "198.51.100.1")
    for leave in leaves:
        leave()
    seats.take(PUBLIC, "198.51.100.1")


def test_a_stream_that_fails_before_its_first_byte_gives_its_seat_back(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> int:
        raise DatabaseError("the disk is away")

    with monkeypatch.context() as patch:
        patch.setattr(served.centre.rules.outbox, "last", away)
        for _ in range(ACCOUNT_MAX + 1):
            assert served.refusal("/api/v1/events", credentials(TOKEN))[0] == 503
    assert not served.open_streams()
    with served.stream("ticket"):
        pass


def test_who_signed_out_hears_of_no_case_any_more(served: Served) -> None:
    accounts = served.centre.accounts
    accounts.add("lena", "correct horse battery", "dispatcher", None, "test")
    session = accounts.sign_in("lena", "correct horse battery", "192.0.2.1")
    press = Said("NAU-S1", 1, {"event": "press", "press_id": 7.0}, kind="sos")
    with served.stream("sos", token=f"partheland={session}") as stream:
        served.centre.take(make_frame([press], lane="sos"))
        assert stream.next().data["state"] == "received"
        accounts.sign_out(session)
        served.centre.rules.cases.act(1, "accept", "otto")
        stream.reader.join(WITHIN_S)
        assert (stream.reader.is_alive(), stream.events.empty()) == (False, True)


def test_who_signed_out_is_let_go_though_nothing_happens(served: Served) -> None:
    served.centre.accounts.add("lena", "correct horse battery", "dispatcher", None, "test")
    session = served.centre.accounts.sign_in("lena", "correct horse battery", "192.0.2.1")
    with served.stream("sos", token=f"partheland={session}") as stream:
        served.centre.accounts.sign_out(session)
        stream.reader.join(WITHIN_S)
        assert not stream.reader.is_alive()


def test_a_position_ahead_of_the_journal_is_now(served: Served) -> None:
    served.centre.take(make_frame([dark(1)]))
    with served.stream("reading,ticket", last=1000) as stream:
        served.centre.take_and_judge(make_frame([dark(2), dark(3)], first_seq=2))
        came = [stream.next() for _ in range(3)]
    assert [(one.event, one.id) for one in came] == [("reading", 2), ("reading", 3), ("ticket", 3)]


@pytest.mark.parametrize(("role", "seen"), [("technician", ["NAU-L1"]), ("dispatcher", ["NAU-S1", "NAU-L1"])])
def test_a_press_is_no_reading_for_who_may_not_see_cases(served: Served, role: str, seen: list[str]) -> None:
    token, _ = served.centre.accounts.create_token("test", role, None, None, "test")
    with served.stream("reading", token=token) as stream:
        served.centre.take(make_frame([Said("NAU-S1", 1, {"event": "press"}, kind="sos")], lane="sos"))
        served.centre.take(make_frame([dark(1)], first_seq=2))
        assert [stream.next().data["device_id"] for _ in seen] == seen
        assert stream.events.empty()


def test_who_is_far_behind_gets_everything_in_order(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.stream_shared.NEAR_RECORDS", 2)
    monkeypatch.setattr("api.stream_shared.RECORDS_AT_ONCE", 3)
    for first in range(1, 11, 2):
        served.centre.take(make_frame([dark(first, "BRA-L2"), dark(first + 1)], first_seq=first))
    with served.stream("reading", last=0) as stream:
        assert [stream.next().id for _ in range(10)] == list(range(1, 11))


def test_pages_are_kept_for_the_next_stream_and_not_without_end(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.stream_shared.KEPT_PAGES_MAX", 2)
    for seq in (1, 2, 3):
        served.centre.take(make_frame([dark(seq)], first_seq=seq))
    pages = ReadingPages(served.centre.parts(served.centre.settings, dev=False))
    first, again = pages.after(1, 3)[0], pages.after(1, 3)[0]
    assert [page.position for page in first] == [1, 2]
    assert all(one is other for one, other in zip(first, again, strict=True))
    assert pages.after(0, 3)[0][0] is not pages.after(0, 3)[0][0]  # the two newer ones push it out each time


def test_a_server_that_stops_ends_streams_without_a_word_of_a_mistake(
    served: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("api.server.STOP_S", 1)
    server = HttpServer(served.app, "127.0.0.1", 0)
    server.start()
    other = replace(served, port=server.bound_port)
    with caplog.at_level(logging.WARNING), other.stream("ticket") as stream:
        server.stop()
        stream.reader.join(WITHIN_S)
    assert not [one for one in caplog.records if one.exc_info or "ASGI" in one.getMessage()]
