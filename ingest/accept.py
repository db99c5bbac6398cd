"""From a gateway's message to the journal: the centre's story, top to bottom.

Frames are unpacked, those that are held already are only acknowledged again; of the others every record gets a verdict
(accepted, duplicate, unknown device, …), all go into the journal in one synced transaction, and only then the gateway
hears that they are held. While there is no room nothing is acknowledged: the gateways keep it.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from core import frame as frames
from core.crashpoint import crashpoint
from core.frame import Frame, FrameError
from core.kinds import KIND_NUMBER
from core.mqtt import Message
from core.reading import Quality, Readings, concat
from core.sqlite import StorageFull
from core.topics import ack_topic, gateway_of
from ingest.books import Asked, Verdict
from ingest.journal import Entry, Journal

log = logging.getLogger(__name__)

ROOM_WAIT_S = 1.0
COUNTER = KIND_NUMBER["counter"]


class Commissioned(Protocol):
    """What the centre must know of its devices to judge a record."""

    def kind_of(self, device_id: str) -> str | None:
        """The kind of a commissioned device; None for an unknown one."""
        ...

    def capacity_of(self, device_id: str) -> int | None:
        """How many spaces a counting device watches; None when nobody said."""
        ...


class Accept:
    """One lane's way from the broker to the journal. `publish` sends to a gateway, `acknowledge` tells the broker."""

    def __init__(
        self,
        journal: Journal,
        commissioned: Commissioned,
        publish: Callable[[str, bytes], bool],
        acknowledge: Callable[[Sequence[Message]], None],
        wait_for_room: Callable[[float], bool] = lambda seconds: True,
    ) -> None:
        self.journal = journal
        self.commissioned = commissioned
        self.publish = publish
        self.acknowledge = acknowledge
        self.wait_for_room = wait_for_room
        self.counts: Counter[str] = Counter()
        self.full = False

    def handle(self, messages: Sequence[Message]) -> None:
        """Unpack, judge, commit, acknowledge: in this order."""
        received = [found for message in messages for found in self._unpack(message)]
        held: dict[tuple[str, int], list[tuple[int, int]]] = defaultdict(list)
        if not self._commit(received, held):
            return
        for (gateway, epoch), ranges in held.items():
            self.publish(ack_topic(gateway), msgspec.json.encode({"epoch": epoch, "ranges": ranges}))
        crashpoint("ingest.after_ack")
        self.acknowledge(messages)

    def _unpack(self, message: Message) -> list[tuple[bytes, Frame]]:
        """The frames of a message. A damaged one is not acknowledged, so its gateway sends it again."""
        found = []
        try:
            for data in frames.unpack(message.payload):
                frame = frames.decode(data)
                if frame.gateway != gateway_of(message.topic):
                    raise FrameError(f"a frame of gateway '{frame.gateway}' came on the topic {message.topic}")
                found.append((data, frame))
        except FrameError as error:
            self.counts["damaged_messages"] += 1
            log.error("a message on %s is refused: %s", message.topic, error)
        return found

    def _commit(self, received: list[tuple[bytes, Frame]], held: dict[tuple[str, int], list[tuple[int, int]]]) -> bool:
        """Judge what is new and append it; `held` gets what may be acknowledged. False when told to stop waiting."""
        with self.journal.exclusive():
            entries: list[Entry] = []
            new: set[tuple[str, int, int]] = set()
            ledger = self.journal.books.ledger
            for data, frame in received:
                key = (frame.gateway, frame.epoch, frame.first_seq)
                held[key[:2]].append((frame.first_seq, frame.last_seq))
                if key in new or ledger.holds(frame.gateway, frame.epoch, frame.first_seq, frame.last_seq):
                    self.counts["repeated_frames"] += 1
                    ledger.repeat(frame.gateway, frame.epoch, len(frame))
                    continue
                new.add(key)
                entries.append(Entry(data, frame, self._judge(frame, entries), self._quality(frame)))
            return not entries or self._append(entries)

    def _judge(self, frame: Frame, before: Sequence[Entry]) -> NDArray[np.uint8]:
        """A verdict for every record of the frame, u1[records]; `before` are judged and not in the journal yet."""

        def was_there(device_id: str, asked: Asked) -> NDArray[np.bool_]:
            return self.journal.was_there(device_id, asked) | asked.among(_accepted_of(before, device_id))

        readings = frame.readings
        verdict = np.full(len(frame), Verdict.REFUSED, dtype=np.uint8)
        mine = verdict[: len(readings)]
        kind_of = self.commissioned.kind_of
        numbers = [KIND_NUMBER.get(kind_of(device_id) or "", -1) for device_id in readings.device_ids]
        known = np.array(numbers, dtype=np.int16)
        mine[:] = np.where(
            known == -1,
            np.uint8(Verdict.UNKNOWN_DEVICE),
            np.where(known == readings.kind, np.uint8(Verdict.ACCEPTED), np.uint8(Verdict.WRONG_KIND)),
        )
        self.journal.books.judge(frame, mine, was_there)
        return verdict

    def _quality(self, frame: Frame) -> NDArray[np.uint8] | None:
        """A better judgement of quality where the inventory knows more: a count above the capacity is suspicious."""
        readings = frame.readings
        counters = np.flatnonzero(readings.kind == COUNTER)
        if not len(counters):
            return None
        counted = readings.column("occupied_count")
        quality = readings.quality.copy()
        for row in counters.tolist():
            capacity = self.commissioned.capacity_of(readings.device_ids[row])
            if capacity is not None and counted[row] > capacity and quality[row] == Quality.GOOD:
                quality[row] = Quality.SUSPICIOUS
        return quality

    def _append(self, entries: list[Entry]) -> bool:
        while True:
            try:
                self.journal.append(entries)
            except StorageFull as error:
                if not self.full:
                    log.error("the centre waits: %s", error)
                self.full = True
                if not self.wait_for_room(ROOM_WAIT_S):
                    return False
                continue
            self.full = False
            self.counts["frames"] += len(entries)
            return True


def _accepted_of(entries: Sequence[Entry], device_id: str) -> Readings:
    """The device's readings in entries that are about to be appended."""
    found = []
    for entry in entries:
        readings = entry.frame.readings
        mine = np.array([one == device_id for one in readings.device_ids], dtype=np.bool_)
        found.append(readings.select(mine & (entry.verdict[: len(readings)] == Verdict.ACCEPTED)))
    return concat(found)
