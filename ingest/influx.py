"""Readings in InfluxDB 2, and the only file that knows influxdb_client.

A batch is written with our own lines in one synchronous request at a time, without the client's batching and retries:
those drop what they can't get rid of. After the 204 the journal position goes into a small file of ours, together with
the bucket's id: into a bucket that was made anew everything is written again. A crash between the two repeats points,
which changes nothing, because the same point has the same time.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import numpy as np
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException
from urllib3.exceptions import HTTPError

from core.clock import MS_PER_S, Clock, parse_instant_ms
from core.crashpoint import crashpoint
from core.frame import Refusal
from core.kinds import KIND_NUMBER
from core.reading import Readings
from ingest.influx_answers import Answer, Bad, Dropped, WriteAttempt, trouble
from ingest.influx_flux import Row, count_of, earliest_of, readings_of, table_rows, time_ms, values_of
from ingest.influx_lines import T_MS_MAX, encode_lines, expressible, refusal
from ingest.influx_position import Remembered, recall, remember
from ingest.store import (
    LIMIT_MAX,
    Page,
    Query,
    Refuse,
    StoreAway,
    StoredReading,
    StoreError,
    key_of,
    key_text,
    parse_key,
    scan_pages,
)

FIRST_WINDOW_MS = 1000
WINDOW_GROWTH = 8
PAGES_AT_ONCE = 4  # more than so many pages are not fetched for one
DAY_MS = 86_400_000
DIALECT = {"header": True, "annotations": [], "delimiter": ",", "dateTimeFormat": "RFC3339Nano"}

Key = tuple[int, str, int, int]


@dataclass
class _Session:
    """An open client, and what it found: the bucket's id and how far that bucket is filled."""

    client: Any  # The library's classes say nothing about types.
    writer: Any
    bucket_id: str
    position: int


class InfluxStore:
    """One bucket of one InfluxDB 2 server; `retention_s` 0 keeps for ever, and counts only when the bucket is made."""

    name = "influxdb"

    def __init__(
        self,
        url: str,
        token: str,
        org: str,
        position_path: Path,
        clock: Clock,
        bucket: str = "partheland",
        retention_s: int = 0,
        timeout_s: float = 10.0,
    ) -> None:
        self.url = url
        self.token = token
        self.org = org
        self.position_path = position_path
        self.clock = clock
        self.bucket = bucket
        self.retention_s = retention_s
        self.timeout_s = timeout_s
        self._lock = threading.Lock()
        self._session: _Session | None = None

    def open(self) -> None:
        """Find or make the bucket. Raises StoreAway while the server does not answer."""
        with self._lock:
            if self._session is None:
                self._session = self._connect()

    def close(self) -> None:
        """Let go of the connections."""
        with self._lock:
            session, self._session = self._session, None
            if session is not None:
                session.client.close()

    def position(self) -> int:
        """Every accepted reading before this journal position is in this bucket; 0 for a bucket made anew."""
        return self._opened().position

    def write(self, readings: Readings, position: int, refuse: Refuse | None = None) -> list[Refusal]:
        """Write the points until each is stored or refused, then remember `position`."""
        with self._lock:
            session = self._opened()
            if position <= session.position:
                return []
            crashpoint("store.before_write")
            good, refusals = expressible(readings)
            attempt = WriteAttempt(len(good), lambda dropped, start, stop: _suspects(good, dropped, start, stop))
            while (span := attempt.next_range()) is not None:
                rows = np.arange(len(good))
                answer = self._send(session, good.select((rows >= span[0]) & (rows < span[1])))
                if answer.status == 404:
                    self._session = None  # The bucket is gone: `open` looks again and makes it.
                    session.client.close()
                attempt.take(answer)
            refusals += [refused for bad in attempt.bad for refused in _refusals(good, bad)]
            if refusals and refuse is not None:
                refuse(refusals)
            crashpoint("store.after_write")
            remember(self.position_path, Remembered(session.bucket_id, position))
            session.position = position
        crashpoint("store.after_position")
        return refusals

    def page(self, query: Query) -> Page:
        """One page by key-set. It reads from the key's millisecond to that of the page's end, no further."""
        if not 1 <= query.limit <= LIMIT_MAX:
            raise ValueError(f"limit is {query.limit}, expected 1 … {LIMIT_MAX}")
        after = parse_key(query.after) if query.after is not None else None
        start_ms, upper_ms = _bounds(query)
        fresh_ms = start_ms
        if after is not None:
            start_ms, fresh_ms = max(start_ms, after[0]), max(start_ms, after[0] + 1)
        stop_ms = self._page_stop_ms(query, fresh_ms, upper_ms)
        if start_ms >= stop_ms:
            return Page([], None)
        found = readings_of(self._ask(values_of(self.bucket, query, start_ms, stop_ms)))
        found = [item for item in found if after is None or key_of(item) > after]
        found.sort(key=key_of)
        items = found[: query.limit]
        more = len(found) > query.limit
        return Page(items, key_text(items[-1]) if more else None)

    def scan(self, query: Query) -> Iterator[StoredReading]:
        """All matching readings in order, page by page."""
        return scan_pages(self, query)

    def count(self, query: Query) -> int:
        """How many distinct points match."""
        start_ms, stop_ms = _bounds(query)
        if start_ms == stop_ms:
            return 0  # Flux refuses an empty range.
        return self._count(query, start_ms, stop_ms)

    def _opened(self) -> _Session:
        if self._session is None:
            raise StoreAway(f"{self.name} at {self.url} is not open; the writer opens it with its next try")
        return self._session

    def _connect(self) -> _Session:
        client: Any = InfluxDBClient(self.url, self.token, org=self.org, timeout=round(self.timeout_s * MS_PER_S))
        try:
            buckets = client.buckets_api()
            bucket = buckets.find_bucket_by_name(self.bucket)
            if bucket is None:
                rules = [{"type": "expire", "everySeconds": self.retention_s}]
                bucket = buckets.create_bucket(bucket_name=self.bucket, retention_rules=rules, org=self.org)
            kept = recall(self.position_path)
            position = kept.position if kept is not None and kept.bucket_id == bucket.id else 0
            return _Session(client, client.write_api(write_options=SYNCHRONOUS), bucket.id, position)
        except StoreError:
            client.close()
            raise
        except (ApiException, HTTPError) as error:
            client.close()
            raise trouble(self._answer(error)) from error

    def _send(self, session: _Session, readings: Readings) -> Answer:
        try:
            session.writer.write(self.bucket, self.org, encode_lines(readings), write_precision="ns")
        except (ApiException, HTTPError) as error:
            return self._answer(error)
        return Answer(204)

    def _ask(self, flux: str) -> list[Row]:
        session = self._opened()
        try:
            return list(table_rows(session.client.query_api().query_csv(flux, dialect=DIALECT)))
        except (ApiException, HTTPError) as error:
            raise trouble(self._answer(error)) from error

    def _answer(self, error: ApiException | HTTPError) -> Answer:
        if isinstance(error, HTTPError):
            return Answer(None, str(error))
        return Answer(error.status or None, str(error.message), self._retry_after_s(error.retry_after))

    def _retry_after_s(self, header: str | None) -> float | None:
        """Seconds of a Retry-After header, which may also be a date; None when there is none or it says nothing."""
        if not header:
            return None
        try:
            if header.strip().isdigit():
                return float(header)
            until_ms = parsedate_to_datetime(header).timestamp() * MS_PER_S
        except ValueError:
            return None
        return max(0.0, (until_ms - self.clock.now_ms()) / MS_PER_S)

    def _count(self, query: Query, start_ms: int, stop_ms: int) -> int:
        return sum(int(row["_value"]) for row in self._ask(count_of(self.bucket, query, start_ms, stop_ms)))

    def _page_stop_ms(self, query: Query, start_ms: int, upper_ms: int) -> int:
        """An instant before which more than `limit` points lie, but not many more; `upper_ms` when there are fewer.

        Counting is what the server does fastest, sorting what it does slowest, so windows are counted: longer and
        longer ones until there is enough, then shorter ones until it is not too much. A page never costs the whole
        rest of the bucket; the points of one millisecond are not divided.
        """
        found, width_ms, growth = 0, FIRST_WINDOW_MS, WINDOW_GROWTH
        last_ms = self.clock.now_ms() + DAY_MS
        while start_ms < upper_ms:
            stop_ms = upper_ms if start_ms + width_ms > last_ms else min(start_ms + width_ms, upper_ms)
            width_ms = stop_ms - start_ms
            count = self._count(query, start_ms, stop_ms)
            if found + count > query.limit:
                if found + count <= PAGES_AT_ONCE * query.limit or width_ms == 1:
                    return stop_ms
                width_ms, growth = max(1, min(width_ms // 2, width_ms * 2 * query.limit // count)), 2
                last_ms = upper_ms
            else:
                found, start_ms, width_ms = found + count, stop_ms, width_ms * growth
                if not count and start_ms < upper_ms:
                    start_ms = self._earliest_ms(query, start_ms, upper_ms)
        return upper_ms

    def _earliest_ms(self, query: Query, start_ms: int, upper_ms: int) -> int:
        rows = self._ask(earliest_of(self.bucket, query, start_ms, upper_ms))
        return time_ms(rows[0]) if rows else upper_ms


def _bounds(query: Query) -> tuple[int, int]:
    start_ms = -T_MS_MAX if query.from_ms is None else query.from_ms
    return start_ms, max(start_ms, T_MS_MAX if query.to_ms is None else query.to_ms)


def _suspects(readings: Readings, dropped: Dropped, start: int, stop: int) -> list[int]:
    """The rows a 422 may mean, as far as its text tells: those of one field, or those before an instant."""
    chosen = np.zeros(len(readings), dtype=np.bool_)
    if dropped.before is not None:
        chosen = readings.t_ms < parse_instant_ms(dropped.before)
    elif dropped.name in readings.names and dropped.kind in KIND_NUMBER:
        code = readings.names.index(dropped.name)
        chosen[readings.number_row[readings.number_name == code]] = True
        chosen[readings.text_row[readings.text_name == code]] = True
        chosen &= readings.kind == KIND_NUMBER[dropped.kind]
    return [row for row in np.flatnonzero(chosen).tolist() if start <= row < stop]


def _refusals(readings: Readings, bad: Bad) -> list[Refusal]:
    """One for each row; one without a device when the server would not say which rows it means."""
    if bad.count is None:
        return [refusal(readings, row, "message", "store_refused", bad.reason) for row in range(bad.start, bad.stop)]
    reason = f"{bad.count} of {bad.stop - bad.start} readings written together, it can't be told which. {bad.reason}"
    return [Refusal("store_refused", reason, "message", "", "", "", int(readings.received_ms[bad.start]), b"")]
