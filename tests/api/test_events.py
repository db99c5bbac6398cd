"""The live stream over a real HTTP server: each role's share, nothing left out on coming back."""

import http.client
import json
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from api.app import create_app
from api.server import HttpServer
from core.device import Site
from core.settings import Settings
from tests.support.frames import T0, FedCentre, Said, fed_centre, make_frame

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
        self.answer = self.connection.getresponse()
        self.events: queue.Queue[Event] = queue.Queue()
        self.comments: queue.Queue[str] = queue.Queue()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        fields: dict[str, str] = {}
        try:
            for raw in self.answer:
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
        """Go away."""
        self.connection.close()


@dataclass
class Served:
    """A centre behind a real HTTP server."""

    centre: FedCentre
    port: int

    @contextmanager
    def stream(self, kinds: str = "", last: int | None = None, token: str = TOKEN) -> Iterator[Stream]:
        """A reader of these kinds of events; it has begun when this returns."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        headers |= {"Last-Event-ID": str(last)} if last is not None else {}
        found = Stream(self.port, "/api/v1/events" + (f"?kinds={kinds}" if kinds else ""), headers)
        assert found.answer.status == 200, found.answer.read()
        assert found.comments.get(timeout=WITHIN_S) == ": da"
        try:
            yield found
        finally:
            found.close()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """A centre with two lamps, a bay and a button, which asks who comes in."""
    with fed_centre(tmp_path) as fed:
        fed.import_rows(
            "device_id,kind,town,site,nominal_w\nNAU-L1,lamp,naunhof,,40\nBRA-L2,lamp,brandis,,40\n"
            "NAU-P1,parking,naunhof,markt,\nNAU-S1,sos,naunhof,,\n"
        )
        settings = replace(Settings(), http=replace(Settings().http, token=TOKEN))
        server = HttpServer(create_app(fed.parts(settings, dev=False)), "127.0.0.1", 0)
        server.start()
        try:
            yield Served(fed, server.bound_port)
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
        served.centre.take(make_frame([dark(seq) for seq in range(1, 4)]))
        came = [stream.next() for _ in range(4)]
    assert [(one.event, one.id) for one in came] == [("reading", 1), ("reading", 2), ("reading", 3), ("ticket", 3)]
    assert (came[3].data["rule"], came[3].data["status"]) == ("lamp_out", "open")
    assert [one["action"] for one in came[3].data["steps"]] == ["opened"]


def test_what_a_person_does_is_told_at_once_though_nothing_is_read(served: Served) -> None:
    served.centre.take(make_frame([dark(seq) for seq in range(1, 4)]))
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
    served.centre.rules.take()
    with served.stream(token="") as stream:
        served.centre.take(make_frame([Said("NAU-P1", 1, {"occupied": True}, kind="parking", t_ms=T0 + 3_500_000)]))
        came = stream.next()
    assert (came.event, came.data["id"], came.data["occupied"]) == ("site", "markt", 1)


def test_who_comes_back_goes_on_where_the_line_was_cut(served: Served) -> None:
    served.centre.take(make_frame([dark(seq) for seq in range(1, 4)]))
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
        served.centre.take(make_frame([dark(seq) for seq in range(1, 4)]))
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
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=WITHIN_S)
    connection.request("GET", f"/api/v1/events{query}", headers={"Authorization": f"Bearer {TOKEN}", **headers})
    answer = connection.getresponse()
    assert answer.status == status
    assert sentence in json.load(answer)["detail"]
    connection.close()


def test_a_quiet_line_beats(served: Served) -> None:
    with served.stream("ticket") as stream:
        assert stream.comments.get(timeout=WITHIN_S) == ": da"


def test_streams_end_when_the_centre_stops(served: Served) -> None:
    with served.stream("ticket") as stream:
        served.centre.rules.stop()
        stream.reader.join(WITHIN_S)
        assert not stream.reader.is_alive()
