"""From a message to the spool: the gateway's story, top to bottom.

A batch of messages is decoded, checked, sealed into one frame and committed; only then the broker and, as a courtesy,
the devices are told. What can't be decoded is kept with its raw bytes and the reason, and acknowledged: repeating it
would not make it better. While there is no room nothing is acknowledged and nothing is read: the broker holds it.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from core.clock import Clock
from core.crashpoint import crashpoint
from core.frame import Frame, Refusal
from core.mqtt import Message
from core.reading import Readings
from core.sqlite import StorageFull
from gateway.check import Checked, ClockLimits, check
from gateway.source import Decoded, Refused, Row, Source
from gateway.spool import Spool

log = logging.getLogger(__name__)

ROOM_WAIT_S = 1.0
RAW_KEPT_BYTES_MAX = 4096  # of a refused message; the whole of it would let one device fill the disk
REFUSALS_PER_MESSAGE_MAX = 16  # a list of nonsense must not become a thousand copies of itself
ROW_BYTES = 128  # a reading's columns and id in a frame, generously
VALUE_BYTES = 16
REFUSAL_BYTES = 1024  # what a refusal needs beside its raw bytes
FRAME_BYTES_MAX = 512 * 1024
RETAINED = "a retained message is an old state, not an event: publish without the retain flag"


@dataclass
class Batch:
    """What a batch of messages came to, before it is sealed. `message_of` gives each row's message."""

    rows: list[Row] = field(default_factory=list)
    message_of: list[int] = field(default_factory=list)
    refusals: list[tuple[int, Refusal]] = field(default_factory=list)  # with the message of each
    ack_wanted: set[int] = field(default_factory=set)  # messages whose device asked to be told


@dataclass(frozen=True)
class Part:
    """What goes into one frame: all that messages `first` … `end` - 1 came to. `message` u4[readings]."""

    first: int
    end: int
    readings: Readings
    message: NDArray[np.uint32]
    refusals: list[tuple[int, Refusal]]

    def __len__(self) -> int:
        return len(self.readings) + len(self.refusals)

    def halves(self) -> tuple[Part, Part]:
        """The same in two, between two messages."""
        middle = (self.first + self.end) // 2
        early = self.message < middle
        return (
            Part(
                self.first, middle, self.readings.select(early), self.message[early],
                [one for one in self.refusals if one[0] < middle],
            ),
            Part(
                middle, self.end, self.readings.select(~early), self.message[~early],
                [one for one in self.refusals if one[0] >= middle],
            ),
        )  # fmt: skip


@dataclass(eq=False)
class Intake:
    """One lane's way from messages to the spool.

    `sources` with the test whether a topic is theirs · `acknowledge` tells the broker, `tell` the devices, both after
    the commit · `kept` are things to remember in the same commit · `wait_for_room(seconds)` is False when it is to give
    up · topics that `passes_by` belong to another lane and are only acknowledged.
    """

    gateway: str
    lane: str
    sources: Sequence[tuple[Callable[[str], bool], Source]]
    spool: Spool
    clock: Clock
    limits: ClockLimits
    acknowledge: Callable[[Sequence[Message]], None]
    tell: Callable[[Sequence[Message], Batch], None] = lambda messages, batch: None
    kept: Callable[[], dict[str, bytes]] = dict
    wait_for_room: Callable[[float], bool] = lambda seconds: True
    passes_by: Callable[[str], bool] = lambda topic: False
    frame_bytes_max: int = FRAME_BYTES_MAX
    counts: Counter[str] = field(default_factory=Counter)
    full: bool = False

    def handle(self, messages: Sequence[Message]) -> None:
        """Decode, check, commit, acknowledge: in this order."""
        received_ms = self.clock.now_ms()
        batch = self._decode(messages, received_ms)
        checked = check(batch.rows, [received_ms] * len(batch.rows), self.limits)
        refusals = [*batch.refusals, *self._doubted(batch, checked, messages, received_ms)]
        message = np.array(batch.message_of, dtype=np.uint32)[checked.row]
        whole = Part(0, len(messages), checked.readings, message, self._few_a_message(refusals))
        if not all(self._commit(part, messages) for part in self._parts(whole, messages) if len(part)):
            return
        self.acknowledge(messages)
        crashpoint("gateway.after_ack")
        self.tell(messages, batch)
        self.counts["messages"] += len(messages)
        self.counts["readings"] += len(checked.readings)

    def _decode(self, messages: Sequence[Message], received_ms: int) -> Batch:
        batch = Batch()
        for index, message in enumerate(messages):
            if self.passes_by(message.topic):
                continue
            try:
                decoded = self._decode_one(message, received_ms)
            except Refused as refused:
                batch.refusals.append((index, _refusal(refused, message, received_ms)))
                continue
            batch.rows += decoded.rows
            batch.message_of += [index] * len(decoded.rows)
            if decoded.ack_wanted:
                batch.ack_wanted.add(index)
            if decoded.refused:
                batch.refusals += [(index, _refusal(refused, message, received_ms)) for refused in decoded.refused]
        return batch

    def _decode_one(self, message: Message, received_ms: int) -> Decoded:
        for speaks, source in self.sources:
            if speaks(message.topic):
                decoded = source.decode(message.topic, message.payload, received_ms)
                if message.retain and (not decoded.rows or decoded.rows[0].kind == "sos" or _untimed(decoded)):
                    raise Refused("retained", RETAINED)
                return decoded
        raise Refused("bad_topic", f"no source reads the topic '{message.topic[:200]}'")

    def _doubted(
        self, batch: Batch, checked: Checked, messages: Sequence[Message], received_ms: int
    ) -> list[tuple[int, Refusal]]:
        """The doubts of the check as records that a person can look at."""
        found = []
        for doubt in checked.doubts:
            row = batch.rows[doubt.row]
            refused = Refused(doubt.code, doubt.reason, row.device_id, row.kind)
            index = batch.message_of[doubt.row]
            scope = "message" if doubt.whole else "value"
            found.append((index, _refusal(refused, messages[index], received_ms, scope)))
        return found

    def _few_a_message(self, refusals: list[tuple[int, Refusal]]) -> list[tuple[int, Refusal]]:
        """Each message's first refusals; the last of them says how many more there were. All are counted."""
        for _, refusal in refusals:
            self.counts[f"refused_{refusal.code}"] += 1
        number_of = Counter(index for index, _ in refusals)
        if not number_of or max(number_of.values()) <= REFUSALS_PER_MESSAGE_MAX:
            return refusals
        kept, seen = [], Counter[int]()
        for index, refusal in refusals:
            seen[index] += 1
            more = number_of[index] - REFUSALS_PER_MESSAGE_MAX
            if seen[index] == REFUSALS_PER_MESSAGE_MAX and more:
                refusal = replace(refusal, reason=f"{refusal.reason} (and {more} more in this message)")
            if seen[index] <= REFUSALS_PER_MESSAGE_MAX:
                kept.append((index, refusal))
        return kept

    def _parts(self, part: Part, messages: Sequence[Message]) -> Iterator[Part]:
        """One frame for all, or several when one would be longer than may be sent."""
        raw_bytes = sum(len(messages[index].payload) for index in range(part.first, part.end))
        readings = part.readings
        size = raw_bytes + ROW_BYTES * len(readings) + VALUE_BYTES * len(readings.numbers)
        size += sum(REFUSAL_BYTES + len(refusal.raw) for _, refusal in part.refusals)
        if size <= self.frame_bytes_max or part.end - part.first == 1:
            yield part
        else:
            for half in part.halves():
                yield from self._parts(half, messages)

    def _commit(self, part: Part, messages: Sequence[Message]) -> bool:
        """One frame, one commit; waits while there is no room. False when it was told to stop waiting."""
        wanted, message = np.unique(part.message, return_inverse=True)
        raws = tuple([messages[index].payload for index in wanted.tolist()])
        kept = self.kept()

        def seal(epoch: int, first_seq: int) -> Frame:
            return Frame(
                self.gateway, epoch, first_seq, self.lane, part.readings, message.astype(np.uint32), raws,
                tuple([refusal for _, refusal in part.refusals]),
            )  # fmt: skip

        while True:
            try:
                self.spool.append(self.lane, seal, kept)
            except StorageFull as error:
                if not self.full:
                    log.error("lane %s waits: %s", self.lane, error)
                self.full = True
                if not self.wait_for_room(ROOM_WAIT_S):
                    return False
                continue
            self.full = False
            return True


def _untimed(decoded: Decoded) -> bool:
    return any(row.t_ms is None for row in decoded.rows)


def _refusal(refused: Refused, message: Message, received_ms: int, scope: str = "message") -> Refusal:
    raw = message.payload[:RAW_KEPT_BYTES_MAX]
    return Refusal(
        refused.code, refused.reason[:1000], scope, message.topic[:300], refused.device_id[:80], refused.kind,
        received_ms, raw,
    )  # fmt: skip
