"""What InfluxDB's answers lead to: the pure state machine, then the store against a server that answers by a script."""

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.clock import ManualClock
from core.reading import Readings, from_rows
from ingest.influx import InfluxStore
from ingest.influx_answers import EXTRA_ANSWERS_MAX, Answer, Bad, Dropped, WriteAttempt, parse_dropped
from ingest.store import StoreAway, StoreError

CONFLICT = (
    "failure writing points to database: partial write: field type conflict: input field "
    '"power_w" on measurement "lamp" is type string, already exists as type float dropped={}'
)
BOUND = "dropped because it violates a Retention Policy Lower Bound at 2026-11-21T04:35:38.400588832Z"
TOO_OLD = (
    "failure writing points to database: partial write: dropped 2 points outside retention policy of duration 24h0m0s "
    f"- oldest point lamp,device_id=c at 2026-11-11T04:35:38Z {BOUND}, "
    f"newest point lamp,device_id=a at 2026-11-12T04:35:38Z {BOUND} dropped=2 for database: e7e6 for retention policy: "
)
NEW_BUCKET = {"id": "00000000000000b1", "name": "partheland", "orgID": "00000000000000aa", "retentionRules": []}


def nobody(_dropped: Dropped, _start: int, _stop: int) -> list[int]:
    return []


def bad_rows(attempt: WriteAttempt) -> list[int]:
    return sorted(row for bad in attempt.bad for row in range(bad.start, bad.stop))


def drive(count: int, whole: set[int], single: set[int]) -> tuple[WriteAttempt, set[int], int]:
    """Plays a server that answers 400 to ranges with a row of `whole`, and 422 to those with rows of `single`."""
    attempt, stored, asked = WriteAttempt(count, nobody), set[int](), 0
    while (span := attempt.next_range()) is not None:
        asked += 1
        rows = set(range(*span))
        if rows & whole:
            attempt.take(Answer(400, "unable to parse"))
            continue
        stored |= rows - single
        dropped = len(rows & single)
        attempt.take(Answer(422, CONFLICT.format(dropped)) if dropped else Answer(204))
    return attempt, stored, asked


def test_nothing_to_write_asks_nothing() -> None:
    assert WriteAttempt(0, nobody).next_range() is None


def test_a_batch_that_is_stored_is_done() -> None:
    attempt = WriteAttempt(100, nobody)
    assert attempt.next_range() == (0, 100)
    attempt.take(Answer(204))
    assert attempt.next_range() is None
    assert (attempt.stored, attempt.bad) == (100, [])


def test_one_bad_line_is_found_by_halving_and_refused_with_the_servers_reason() -> None:
    attempt, stored, asked = drive(10_000, {6543}, set())
    assert bad_rows(attempt) == [6543]
    assert "unable to parse" in attempt.bad[0].reason
    assert stored == set(range(10_000)) - {6543}
    assert asked <= 2 * 14 + 1


@given(count=st.integers(1, 200), whole=st.sets(st.integers(0, 199), max_size=20), single=st.sets(st.integers(0, 199)))
def test_every_row_is_stored_or_refused_and_none_both(count: int, whole: set[int], single: set[int]) -> None:
    whole, single = ({row for row in rows if row < count} for rows in (whole, single))
    attempt, stored, asked = drive(count, whole, single - whole)
    assert set(bad_rows(attempt)) == whole | single
    assert stored == set(range(count)) - whole - single
    assert attempt.stored == len(stored)
    assert asked <= 2 * count


def test_rows_that_a_422_names_are_refused_without_sending_anything_again() -> None:
    attempt = WriteAttempt(10, lambda dropped, _start, _stop: [3, 7] if dropped.name == "power_w" else [])
    attempt.take(Answer(422, CONFLICT.format(2)))
    assert attempt.next_range() is None
    assert [(bad.start, bad.stop) for bad in attempt.bad] == [(3, 4), (7, 8)]
    assert attempt.stored == 8


def test_a_suspicion_is_not_believed_when_the_number_differs() -> None:
    attempt = WriteAttempt(10, lambda _dropped, _start, _stop: [3, 7, 8])
    attempt.take(Answer(422, CONFLICT.format(2)))
    assert attempt.next_range() == (0, 5)


def test_what_can_not_be_named_is_refused_by_number_and_good_points_are_not_sent_endlessly() -> None:
    attempt, asked = WriteAttempt(20_000, nobody), 0
    while (span := attempt.next_range()) is not None:
        asked += 1
        attempt.take(Answer(422, f"something new happened dropped={(span[1] - span[0] + 1) // 2}"))
    assert asked <= EXTRA_ANSWERS_MAX + 1
    assert sum(bad.stop - bad.start if bad.count is None else bad.count for bad in attempt.bad) >= 10_000


def test_a_server_that_finds_every_line_bad_is_no_reason_to_throw_lines_away() -> None:
    with pytest.raises(StoreError, match="every line"):
        drive(1000, set(range(1000)), set())


def test_a_batch_that_is_too_large_is_halved_and_a_line_that_is_too_large_refused() -> None:
    attempt = WriteAttempt(4, nobody)
    attempt.take(Answer(413, "too large"))
    assert attempt.next_range() == (0, 2)
    attempt.take(Answer(413, "too large"))
    attempt.take(Answer(413, "too large"))
    attempt.take(Answer(204))
    attempt.take(Answer(204))
    assert attempt.next_range() is None
    assert bad_rows(attempt) == [0]


@pytest.mark.parametrize(("status", "retry_after_s"), [(429, 7.0), (503, 12.0), (500, None), (502, None), (None, None)])
def test_a_server_in_trouble_is_away(status: int | None, retry_after_s: float | None) -> None:
    with pytest.raises(StoreAway) as caught:
        WriteAttempt(5, nobody).take(Answer(status, "in trouble", retry_after_s))
    assert caught.value.retry_after_s == retry_after_s


@pytest.mark.parametrize(("status", "to_do"), [(401, "token"), (403, "rights"), (404, "bucket"), (302, "address")])
def test_what_only_a_person_can_mend_says_what_to_do(status: int, to_do: str) -> None:
    with pytest.raises(StoreError, match=to_do) as caught:
        WriteAttempt(5, nobody).take(Answer(status, "as it is"))
    assert not isinstance(caught.value, StoreAway)


def test_the_texts_of_a_real_server_are_understood() -> None:
    assert parse_dropped(CONFLICT.format(17)) == Dropped(17, "lamp", "power_w", None)
    assert parse_dropped(TOO_OLD) == Dropped(2, None, None, "2026-11-21T04:35:38.400588832Z")
    assert parse_dropped("never seen before") == Dropped()
    assert Bad(1, 2, "x").count is None


class Script(http.server.ThreadingHTTPServer):
    """Answers each write by the next line of `script`, then 204; keeps what it was sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script: list[tuple[int, dict[str, str]]] = []
        self.bodies: list[bytes] = []
        self.hold = threading.Event()
        self.hold.set()


class Handler(http.server.BaseHTTPRequestHandler):
    server: Script
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.answer(200, {"Content-Type": "application/json"}, str({"buckets": [NEW_BUCKET]}).replace("'", '"'))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.hold.wait(10)
        self.server.bodies.append(body)
        if b"poison" in body:
            self.answer(400, {"Content-Type": "application/json"}, '{"message": "unable to parse"}')
        elif self.server.script:
            self.answer(*self.server.script.pop(0), "")
        else:
            self.answer(204, {}, "")

    def answer(self, status: int, headers: dict[str, str], text: str) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(text))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the test says what matters."""


@pytest.fixture
def scripted() -> Iterator[Script]:
    server = Script()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.hold.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def store(scripted: Script, tmp_path: Path) -> Iterator[InfluxStore]:
    url = f"http://127.0.0.1:{scripted.server_port}"
    made = InfluxStore(url, "token", "o", tmp_path / "position", ManualClock(1_768_068_000_000), timeout_s=0.5)
    made.open()
    yield made
    made.close()


def lamps(*device_ids: str) -> Readings:
    count = len(device_ids)
    t_ms, seqs = [1_768_068_000_000] * count, list(range(count))
    return from_rows(device_ids, ["lamp"] * count, t_ms, t_ms, [1] * count, seqs, [{"power_w": 35.0}] * count)


@pytest.mark.parametrize(
    ("header", "seconds"), [("17", 17.0), ("Sat, 10 Jan 2026 18:00:30 GMT", 30.0), ("soon", None), ("-3", None)]
)
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_read_as_seconds_or_date(
    scripted: Script, store: InfluxStore, status: int, header: str, seconds: float | None
) -> None:
    scripted.script = [(status, {"Retry-After": header})]
    with pytest.raises(StoreAway) as caught:
        store.write(lamps("BOR-L1"), 1)
    assert caught.value.retry_after_s == seconds
    assert (store.position(), len(scripted.bodies)) == (0, 1)


def test_a_poisoned_line_costs_only_itself(scripted: Script, store: InfluxStore) -> None:
    refused = store.write(lamps("BOR-L1", "BOR-L2", "poison", "BOR-L4", "BOR-L5"), 5)
    assert [(refusal.device_id, refusal.scope) for refusal in refused] == [("poison", "message")]
    assert b"lamp,device_id=poison " in refused[0].raw
    sent = b"".join(body for body in scripted.bodies if b"poison" not in body)
    assert all(f"device_id=BOR-L{number} ".encode() in sent for number in (1, 2, 4, 5))
    assert store.position() == 5


def test_a_batch_too_large_for_a_proxy_goes_in_halves(scripted: Script, store: InfluxStore) -> None:
    scripted.script = [(413, {}), (204, {}), (204, {})]
    assert store.write(lamps(*[f"BOR-L{number}" for number in range(10)]), 10) == []
    assert [body.count(b"\n") for body in scripted.bodies] == [10, 5, 5]


def test_a_server_that_does_not_answer_in_time_is_away(scripted: Script, store: InfluxStore) -> None:
    scripted.hold.clear()
    with pytest.raises(StoreAway, match="timed out"):
        store.write(lamps("BOR-L1"), 1)
    scripted.hold.set()
    assert store.write(lamps("BOR-L1"), 1) == []


def test_a_port_where_nobody_listens_is_away(tmp_path: Path) -> None:
    store = InfluxStore("http://127.0.0.1:1", "token", "o", tmp_path / "position", ManualClock())
    with pytest.raises(StoreAway, match="refused"):
        store.open()


def test_a_withdrawn_token_says_so_and_nothing_is_counted_as_stored(scripted: Script, store: InfluxStore) -> None:
    scripted.script = [(401, {})]
    with pytest.raises(StoreError, match="token"):
        store.write(lamps("BOR-L1"), 1)
    assert store.position() == 0
