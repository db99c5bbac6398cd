"""What to do with InfluxDB's answers while one batch is written: a pure state machine that knows no network.

    204            the range is stored
    400            nothing of it is stored: halve it until the one bad line is found, refuse that line
    422            the rest is stored: name the dropped points by the server's reason, else halve the range; good points
                   are sent again at most a few times, never endlessly
    413            halve
    401, 403, 404  StoreError: a person has to act
    429, 503       StoreAway after Retry-After
    other 5xx, none  StoreAway: it may have been stored, and sending it again changes nothing

Measured on 2.7.12: `partial write: field type conflict: input field "f" on measurement "m" is type string, already
exists as type float dropped=2`, `partial write: dropped 2 points outside retention policy of duration … because it
violates a Retention Policy Lower Bound at 2026-11-21T04:35:38.4Z, … dropped=2 for database: …`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from ingest.store import StoreAway, StoreError

REFUSED_WITHOUT_ANY_STORED_MAX = 50
EXTRA_ANSWERS_MAX = 500  # of one attempt, after a 422: then what can't be named is refused by number

DROPPED = re.compile(r"dropped=(\d+)")
CONFLICT = re.compile(r'field type conflict: input field "(?P<name>(?:[^"\\]|\\.)*)" on measurement "(?P<kind>\w+)"')
LOWER_BOUND = re.compile(r"Retention Policy Lower Bound at (?P<instant>[0-9T:.-]+Z)")
TO_DO = {
    401: "the token is wrong or was withdrawn: put a valid one into the settings",
    403: "the token may not write to this bucket: give it write rights",
    404: "the bucket or the organisation does not exist (any more): make it, or correct the settings",
}


@dataclass(frozen=True)
class Answer:
    """What came back for one range; status None = no answer at all (refused, cut, too slow)."""

    status: int | None
    reason: str = ""
    retry_after_s: float | None = None


@dataclass(frozen=True)
class Dropped:
    """What a 422 says: how many points, and what they have in common as far as it names that."""

    count: int | None = None
    kind: str | None = None
    name: str | None = None
    before: str | None = None  # an ISO 8601 instant: older points were dropped


@dataclass(frozen=True)
class Bad:
    """Rows start … stop - 1 that the server did not take, by its own reason. `count` of them; None: all of them."""

    start: int
    stop: int
    reason: str
    count: int | None = None


def parse_dropped(reason: str) -> Dropped:
    """What a 422's text says about the points that were dropped; nothing known when it says something new."""
    count = DROPPED.search(reason)
    conflict = CONFLICT.search(reason)
    bound = LOWER_BOUND.search(reason)
    return Dropped(
        count=int(count[1]) if count else None,
        kind=conflict["kind"] if conflict else None,
        name=conflict["name"] if conflict else None,
        before=bound["instant"] if bound else None,
    )


@dataclass
class WriteAttempt:
    """Writing rows 0 … count - 1: ask `next_range`, send it, give the answer to `take`, until None.

    `suspects(dropped, start, stop)` names the rows a 422 may mean; it is believed when their number is the server's.
    """

    count: int
    suspects: Callable[[Dropped, int, int], list[int]]
    bad: list[Bad] = field(default_factory=list)
    stored: int = 0
    extra_answers: int = 0
    _open: list[tuple[int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.count:
            self._open.append((0, self.count))

    def next_range(self) -> tuple[int, int] | None:
        """The rows to send now; None when every row is stored or refused."""
        return self._open[-1] if self._open else None

    def take(self, answer: Answer) -> None:
        """Go on by the answer to the range that `next_range` gave. Raises StoreAway and StoreError."""
        start, stop = self._open.pop()
        if answer.status in (200, 204):
            self.stored += stop - start
        elif answer.status == 400:
            self._refused_whole(start, stop, f"InfluxDB refused the line: {answer.reason}")
        elif answer.status == 413:
            self._refused_whole(start, stop, f"InfluxDB finds this one line too large: {answer.reason}")
        elif answer.status == 422:
            self._dropped_some(start, stop, answer.reason)
        else:
            raise trouble(answer)

    def _refused_whole(self, start: int, stop: int, reason: str) -> None:
        if stop - start > 1:
            self._halve(start, stop)
            return
        self.bad.append(Bad(start, stop, reason))
        if not self.stored and len(self.bad) > REFUSED_WITHOUT_ANY_STORED_MAX:
            # Then it is not about lines: a proxy, another product, a setting. Nothing is thrown away for that.
            raise StoreError(f"InfluxDB refuses every line: {reason}. Is the address really an InfluxDB 2 server?")

    def _dropped_some(self, start: int, stop: int, reason: str) -> None:
        dropped = parse_dropped(reason)
        rows = self.suspects(dropped, start, stop)
        sentence = f"InfluxDB dropped the point: {reason}"
        if stop - start == 1 or dropped.count == stop - start:
            self.bad.append(Bad(start, stop, sentence))
        elif rows and len(rows) == dropped.count:
            self.bad.extend(Bad(row, row + 1, sentence) for row in rows)
            self.stored += stop - start - len(rows)
        elif self.extra_answers < EXTRA_ANSWERS_MAX:
            self.extra_answers += 2
            self._halve(start, stop)
        else:
            count = dropped.count if dropped.count is not None else stop - start
            self.bad.append(Bad(start, stop, sentence, count))
            self.stored += stop - start - count

    def _halve(self, start: int, stop: int) -> None:
        middle = (start + stop) // 2
        self._open += [(middle, stop), (start, middle)]


def trouble(answer: Answer) -> StoreError:
    """The error to raise for an answer that says nothing about lines: StoreAway when it may pass by itself."""
    if answer.status is None:
        return StoreAway(f"InfluxDB does not answer: {answer.reason}", answer.retry_after_s)
    said = f"InfluxDB answered {answer.status}: {answer.reason}"
    if answer.status == 429 or answer.status >= 500:
        return StoreAway(said, answer.retry_after_s)
    to_do = TO_DO.get(answer.status, "no InfluxDB 2 should say that here: check its address in the settings")
    return StoreError(f"{said}. What to do: {to_do}")
