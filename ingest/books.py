"""What the centre knows from its journal alone: the windows of all devices and the ledger of all gateways.

The books are a fold over the journal's blocks. A segment of the journal opens with the books as they stood, so a start
reads one segment and not fourteen days; live and at a start the same functions fold, so both come to the same books.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from enum import IntEnum
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from core.frame import Frame
from core.reading import Readings
from ingest.ledger import Ledger
from ingest.windows import Judged, Windows

BOOT_IS_A_TIME = 1_000_000_000  # a counter of boots never comes so far; a session named by its start is beyond it


class Verdict(IntEnum):
    """What became of a record; the number stands in the journal."""

    ACCEPTED = 0
    DUPLICATE = 1
    UNKNOWN_DEVICE = 2
    WRONG_KIND = 3
    REFUSED = 4  # by the gateway: the record is a refusal


class Asked(NamedTuple):
    """Readings of one device that are too old for its windows: i8[k] each; `told`: bool[k], the time is not ours."""

    t_ms: NDArray[np.int64]
    boot: NDArray[np.int64]
    seq: NDArray[np.int64]
    told: NDArray[np.bool_]

    def among(self, there: Readings) -> NDArray[np.bool_]:
        """bool[k]: which of them stand among these readings of the device.

        By time and number, because two readings of one second are two, and a radio session's boot may have been
        guessed; where the time is only that of the receipt, a repeat comes with another: then by boot and number.
        """
        by_time = set(zip(there.t_ms.tolist(), there.seq.tolist(), strict=True))
        by_boot = set(zip(there.boot.tolist(), there.seq.tolist(), strict=True))
        rows = zip(*(column.tolist() for column in self), strict=True)
        found = [(t, seq) in by_time if told else (boot, seq) in by_boot for t, boot, seq, told in rows]
        return np.array(found, dtype=np.bool_)


WasThere = Callable[[str, Asked], NDArray[np.bool_]]


class _State(msgspec.Struct, array_like=True):
    windows: bytes
    ledger: bytes
    counts: dict[str, int]


class Books:
    """Windows, ledger and totals. Not thread-safe: the journal's writer owns them."""

    def __init__(self) -> None:
        self.windows = Windows()
        self.ledger = Ledger()
        self.counts: Counter[str] = Counter()

    def judge(self, frame: Frame, verdict: NDArray[np.uint8], was_there: WasThere) -> None:
        """Fill in who is a duplicate: `verdict` u1[readings] comes with ACCEPTED where the device is known.

        `was_there(device_id, asked)` is asked about readings that are too old for the windows, bool[k].
        """
        rows = np.flatnonzero(verdict == Verdict.ACCEPTED)
        readings = frame.readings
        slot, judged = self._judge_rows(readings, rows)
        verdict[rows[~judged.fresh]] = Verdict.DUPLICATE
        old = np.flatnonzero(judged.ask)
        for one in np.unique(slot[old]).tolist():
            mine = rows[old[slot[old] == one]]
            t_ms, seq = readings.t_ms[mine], readings.seq[mine]
            asked = Asked(t_ms, readings.boot[mine], seq, t_ms != readings.received_ms[mine])
            found = was_there(self.windows.ids[one], asked) | _seen_before(t_ms, seq)
            for row, is_repeat in zip(mine.tolist(), found.tolist(), strict=True):
                self.windows.note_old(one, int(readings.t_ms[row]), is_repeat)
                verdict[row] = Verdict.DUPLICATE if is_repeat else Verdict.ACCEPTED

    def refold(self, frame: Frame, verdict: NDArray[np.uint8]) -> None:
        """Take in a block of the journal again, with the verdict that was written then."""
        readings = frame.readings
        rows = np.flatnonzero((verdict == Verdict.ACCEPTED) | (verdict == Verdict.DUPLICATE))
        slot, judged = self._judge_rows(readings, rows)
        for index in np.flatnonzero(judged.ask).tolist():
            row = rows[index]
            self.windows.note_old(int(slot[index]), int(readings.t_ms[row]), bool(verdict[row] == Verdict.DUPLICATE))

    def _judge_rows(self, readings: Readings, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], Judged]:
        """The device slots of these rows, and what the windows say of them."""
        slot = self.windows.slots([readings.device_ids[row] for row in rows.tolist()])
        t_ms, received_ms = readings.t_ms[rows], readings.received_ms[rows]
        # Where the time is that of the receipt the device told none, or an absurd one. A radio session is named by its
        # start, which nobody forgets: a lower one is an old one.
        told = (t_ms != received_ms) & (readings.boot[rows] < BOOT_IS_A_TIME)
        self.windows.hear(slot, received_ms)
        return slot, self.windows.judge(slot, readings.boot[rows], readings.seq[rows], t_ms, told)

    def enter(self, frame: Frame, verdict: NDArray[np.uint8], at_ms: int) -> None:
        """Count a block that is in the journal and hold its records in the ledger."""
        self.ledger.add(frame.gateway, frame.epoch, frame.first_seq, frame.last_seq, at_ms)
        numbers = np.bincount(verdict, minlength=len(Verdict)).tolist()
        for one in Verdict:
            self.counts[one.name.lower()] += numbers[one]
        values = sum(refusal.scope == "value" for refusal in frame.refusals)
        self.counts["refused"] -= values
        self.counts["value_refused"] += values
        self.counts["records"] += len(frame)

    def to_bytes(self) -> bytes:
        """The books as they stand."""
        return msgspec.msgpack.encode(_State(self.windows.to_bytes(), self.ledger.to_bytes(), dict(self.counts)))

    @classmethod
    def from_bytes(cls, data: bytes) -> Books:
        """The books that `to_bytes` gave."""
        state = msgspec.msgpack.decode(data, type=_State)
        books = cls()
        books.windows = Windows.from_bytes(state.windows)
        books.ledger = Ledger.from_bytes(state.ledger)
        books.counts = Counter(state.counts)
        return books


def _seen_before(times: NDArray[np.int64], seqs: NDArray[np.int64]) -> NDArray[np.bool_]:
    """bool[k]: whether the same time and sequence number stand earlier in the arrays."""
    _, first = np.unique(np.stack([times, seqs]), axis=1, return_index=True)
    repeated = np.ones(len(times), dtype=np.bool_)
    repeated[first] = False
    return repeated
