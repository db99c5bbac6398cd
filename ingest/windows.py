"""Which readings were there before: per device its last two boots, a window of 1,024 sequence numbers in each.

State is columns over devices (a slot each), so a batch is judged without a loop over readings. A boot's window is 17
words of 64 bits; word `(seq // 64) % 17` carries the block `seq // 64` it stands for, so that it clears itself when a
newer block arrives. What is older than the window, or of a boot before the last two, can't be judged here: the caller
asks the journal by device and time. So it is with a number that was there before under an older time: a device that
forgot its boot counter begins again with numbers we know, and none of its readings may be taken for a repeat.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

WORDS = 17
WORD_BITS = 64
SEQ_WINDOW = (WORDS - 1) * WORD_BITS  # 1,024
NO_BOOT = -1
SLOTS_FIRST = 1024


@dataclass(frozen=True)
class Judged:
    """bool[n] each: `fresh` = first time, `ask` = too old to tell here, neither = a repeat."""

    fresh: NDArray[np.bool_]
    ask: NDArray[np.bool_]


class _State(msgspec.Struct, array_like=True):
    ids: list[str]
    columns: dict[str, bytes]


# Column → (shape after the slot, type, value of an empty slot). Index 0 = the current boot, 1 = the one before.
_COLUMNS: dict[str, tuple[tuple[int, ...], type, int]] = {
    "boot": ((2,), np.int64, NO_BOOT),
    "first_seq": ((2,), np.int64, 0),
    "last_seq": ((2,), np.int64, -1),
    "heard": ((2,), np.int64, 0),
    "block": ((2, WORDS), np.int64, -1),
    "bits": ((2, WORDS), np.uint64, 0),
    "since_ms": ((2,), np.int64, np.iinfo(np.int64).min),
    "last_t_ms": ((), np.int64, np.iinfo(np.int64).min),
    "last_heard_ms": ((), np.int64, 0),
    "heard_before": ((), np.int64, 0),
    "lost_before": ((), np.int64, 0),
    "repeats": ((), np.int64, 0),
    "boots": ((), np.int64, 0),
}


class Windows:
    """The windows of all devices that were ever heard."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.slot_of: dict[str, int] = {}
        self.columns = {name: _empty(name, SLOTS_FIRST) for name in _COLUMNS}

    def slots(self, device_ids: Sequence[str]) -> NDArray[np.int64]:
        """The slot of each device; devices never heard before get one."""
        found = [self.slot_of.get(device_id, -1) for device_id in device_ids]
        if -1 in found:
            for index, device_id in enumerate(device_ids):
                if found[index] == -1:
                    found[index] = self.slot_of.setdefault(device_id, len(self.ids))
                    if found[index] == len(self.ids):
                        self.ids.append(device_id)
            self._grow(len(self.ids))
        return np.array(found, dtype=np.int64)

    def _grow(self, needed: int) -> None:
        have = len(self.columns["repeats"])
        if needed > have:
            more = max(needed - have, have // 2)
            self.columns = {name: np.concatenate([column, _empty(name, more)]) for name, column in self.columns.items()}

    def judge(
        self,
        slot: NDArray[np.int64],
        boot: NDArray[np.int64],
        seq: NDArray[np.int64],
        t_ms: NDArray[np.int64],
        told: NDArray[np.bool_],
    ) -> Judged:
        """Judge and remember a batch in its order (all [n]; `told`: the device itself told the time, so that it says
        something about the order). Rows to `ask` leave no trace: see `note_old`.
        """
        first = _first_of_each(slot, boot, seq)
        self._greet(slot, boot)
        which = self._which_boot(slot, boot, t_ms)
        strange = first & (which == 2)
        if strange.any():
            self._turn_boots(slot[strange], boot[strange], t_ms[strange], told[strange])
            which = self._which_boot(slot, boot, t_ms)
        judgeable = first & (which < 2)
        rows = np.flatnonzero(judgeable)
        fresh_rows, old_rows = self._mark(slot[rows], which[rows], seq[rows])
        fresh = np.zeros(len(slot), dtype=np.bool_)
        fresh[rows[fresh_rows]] = True
        ask = first & (which == 2)
        ask[rows[old_rows]] = True
        self._count(slot, which, seq, t_ms, fresh, ask)
        return Judged(fresh, ask)

    def note_old(self, slot: int, t_ms: int, is_repeat: bool) -> None:
        """What the journal said of one row that was to be asked."""
        if is_repeat:
            self.columns["repeats"][slot] += 1
            return
        self.columns["heard_before"][slot] += 1
        self.columns["last_t_ms"][slot] = max(t_ms, int(self.columns["last_t_ms"][slot]))

    def hear(self, slot: NDArray[np.int64], received_ms: NDArray[np.int64]) -> None:
        """These devices were heard at these times of receipt (both i8[n]), be it with a repeat."""
        np.maximum.at(self.columns["last_heard_ms"], slot, received_ms)

    def _greet(self, slot: NDArray[np.int64], boot: NDArray[np.int64]) -> None:
        """Begin the first boot of devices never heard before, all at once; the few that come with two boots in one
        batch are left to `_turn_boots`.
        """
        new = self.columns["boot"][slot, 0] == NO_BOOT
        if not new.any():
            return
        ones, index = np.unique(slot[new], return_index=True)
        boots = boot[new][index]
        if (boots[np.searchsorted(ones, slot[new])] == boot[new]).all():
            self.columns["boot"][ones, 0] = boots
            self.columns["boots"][ones] = 1

    def _which_boot(
        self, slot: NDArray[np.int64], boot: NDArray[np.int64], t_ms: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """0 = the device's current boot, 1 = the one before, 2 = another (or the same number before its reset)."""
        known, since = self.columns["boot"][slot], self.columns["since_ms"][slot]
        current = (boot == known[:, 0]) & (t_ms >= since[:, 0])
        before = (boot == known[:, 1]) & (t_ms >= since[:, 1])
        return np.where(current, 0, np.where(before, 1, 2))

    def _turn_boots(
        self, slot: NDArray[np.int64], boot: NDArray[np.int64], t_ms: NDArray[np.int64], told: NDArray[np.bool_]
    ) -> None:
        """Boots never seen: a higher number begins a new boot; so does a lower one that is newer than all before by the
        device's own clock (its counter was reset). Anything else is an old boot, to be asked.
        """
        order = np.lexsort((t_ms, boot, slot))
        columns = self.columns
        for row in order.tolist():
            one, number = int(slot[row]), int(boot[row])
            current = int(columns["boot"][one, 0])
            if number in columns["boot"][one].tolist():
                continue
            was_reset = number < current
            if not was_reset:
                self._begin_boot(one, number, int(columns["since_ms"][one, 0]))
            elif told[row] and t_ms[row] > columns["last_t_ms"][one]:
                self._begin_boot(one, number, int(t_ms[row]))

    def _begin_boot(self, slot: int, number: int, since_ms: int) -> None:
        """A new current boot. After a reset old numbers come again: only rows from `since_ms` on belong to it."""
        columns = self.columns
        before = columns["last_seq"][slot, 1] - columns["first_seq"][slot, 1] + 1 - columns["heard"][slot, 1]
        columns["lost_before"][slot] += max(0, int(before))
        columns["heard_before"][slot] += columns["heard"][slot, 1]
        for name in ("boot", "first_seq", "last_seq", "heard", "block", "bits", "since_ms"):
            columns[name][slot, 1] = columns[name][slot, 0]
            columns[name][slot, 0] = _COLUMNS[name][2]
        columns["boot"][slot, 0] = number
        columns["since_ms"][slot, 0] = since_ms
        columns["boots"][slot] += 1

    def _mark(
        self, slot: NDArray[np.int64], which: NDArray[np.int64], seq: NDArray[np.int64]
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """(fresh, too old) for rows of known boots, each identity at most once; fresh ones are remembered."""
        block = seq // WORD_BITS
        place = (slot, which, block % WORDS)
        blocks, bits = self.columns["block"], self.columns["bits"]
        newer = blocks[place] < block
        if newer.any():
            there = tuple(axis[newer] for axis in place)
            np.maximum.at(blocks, there, block[newer])
            bits[there] = 0
        too_old = blocks[place] > block
        bit = np.uint64(1) << (seq % WORD_BITS).astype(np.uint64)
        fresh = ~too_old & ((bits[place] & bit) == 0)
        np.bitwise_or.at(bits, tuple(axis[fresh] for axis in place), bit[fresh])
        return fresh, too_old

    def _count(
        self,
        slot: NDArray[np.int64],
        which: NDArray[np.int64],
        seq: NDArray[np.int64],
        t_ms: NDArray[np.int64],
        fresh: NDArray[np.bool_],
        ask: NDArray[np.bool_],
    ) -> None:
        columns = self.columns
        place = (slot[fresh], which[fresh])
        begun = columns["heard"][place] == 0
        columns["first_seq"][tuple(axis[begun] for axis in place)] = seq[fresh][begun]
        np.minimum.at(columns["first_seq"], place, seq[fresh])
        np.maximum.at(columns["last_seq"], place, seq[fresh])
        np.add.at(columns["heard"], place, 1)
        np.maximum.at(columns["last_t_ms"], slot[fresh], t_ms[fresh])
        np.add.at(columns["repeats"], slot[~fresh & ~ask], 1)

    def counted(self, device_id: str) -> dict[str, int] | None:
        """What the counters of one device say: heard, lost (gaps in its sequence numbers), repeats, boots; None when
        it was never heard.
        """
        slot = self.slot_of.get(device_id)
        if slot is None:
            return None
        one = {name: column[slot] for name, column in self.columns.items()}
        gaps = np.maximum(0, one["last_seq"] - one["first_seq"] + 1 - one["heard"])[one["heard"] > 0].sum()
        return {
            "heard": int(one["heard"].sum() + one["heard_before"]),
            "lost": int(gaps + one["lost_before"]),
            "repeats": int(one["repeats"]),
            "boots": int(one["boots"]),
            "boot": int(one["boot"][0]),
            "last_seq": int(one["last_seq"][0]),
            "last_t_ms": int(one["last_t_ms"]),
            "last_heard_ms": int(one["last_heard_ms"]),
        }

    def to_bytes(self) -> bytes:
        """The whole state."""
        used = len(self.ids)
        return msgspec.msgpack.encode(
            _State(self.ids, {name: column[:used].tobytes() for name, column in self.columns.items()})
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Windows:
        """The state that `to_bytes` gave."""
        state = msgspec.msgpack.decode(data, type=_State)
        windows = cls()
        windows.ids = state.ids
        windows.slot_of = {device_id: slot for slot, device_id in enumerate(state.ids)}
        for name, (shape, kind, _) in _COLUMNS.items():
            if name not in state.columns:  # written by an older version, which did not know it
                windows.columns[name] = _empty(name, len(state.ids) + SLOTS_FIRST)
                continue
            column: NDArray[Any] = np.frombuffer(state.columns[name], dtype=kind).reshape((len(state.ids), *shape))
            windows.columns[name] = np.concatenate([column, _empty(name, SLOTS_FIRST)])
        return windows


def _empty(name: str, slots: int) -> NDArray[Any]:
    shape, kind, value = _COLUMNS[name]
    return np.full((slots, *shape), value, dtype=kind)


def _first_of_each(slot: NDArray[np.int64], boot: NDArray[np.int64], seq: NDArray[np.int64]) -> NDArray[np.bool_]:
    """bool[n]: the first row of each (slot, boot, seq)."""
    order = np.lexsort((np.arange(len(slot)), seq, boot, slot))
    same = (
        (np.diff(slot[order], prepend=-1) == 0)
        & (np.diff(boot[order], prepend=NO_BOOT) == 0)
        & (np.diff(seq[order], prepend=-1) == 0)
    )
    first = np.ones(len(slot), dtype=np.bool_)
    first[order[same]] = False
    return first
