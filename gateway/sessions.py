"""Radio sessions: gives every LoRaWAN frame its identity (boot, seq), the same one to every copy of it.

`seq` is the frame counter; `boot` is the start of the radio session in Unix seconds. A counter may only step back when
a session begins, so whoever steps back is a copy, late, or starts anew. Two mistakes are possible and weigh
differently: a copy taken for a new frame is stored twice, a new frame taken for a copy is lost, and it may be a press
of an SOS button. In doubt a frame is new.

Pure: no I/O and no clock. The state of a device is a small blob that is committed together with the readings.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import NamedTuple

import msgspec

WINDOW = 64  # a late frame is at most so many counters back; copies are known of so many frames
SESSIONS_KEPT = 2
# A device whose frame was not confirmed sends it again for 30 minutes, and after an outage of its network even 48 days
# later (CampusIoT, ELSYS EMS, the same raw packet). So nothing limits the age of a copy of the newest frame, but for
# the first frame of a session, which a restart explains better, and where the caller must lose nothing.
RESENT_S_MAX = 3600
NO_LIMIT_S = 2**40
COPY_S_MAX = 900  # a copy that another gateway forwards after the device has already sent the next frame
LATE_S_MAX = 3600  # late frames came up to 2,916 s late (CampusIoT); a counter that is lower after hours began anew
TIME_TOLERANCE_S = 2
WRAP = 1 << 16
WRAP_LOST_MAX = 1024
EVENT_TIME_S_MIN = 1_420_070_400  # 2015: a network server's time before it comes from a gateway without a clock
FUTURE_S_MAX = 86_400


class Identity(NamedTuple):
    """What tells a frame from every other frame of its device; `repeat` = this frame was seen before."""

    boot: int
    seq: int
    repeat: bool


@dataclass
class SessionCounts:
    """What the tracker has seen since it started."""

    frames: int = 0
    repeats: int = 0
    counter_resets: int = 0
    new_keys: int = 0  # sessions that a new key told of, without a join event before
    wraps: int = 0
    joins: int = 0


class _Seen(NamedTuple):
    digest: int
    at_s: int


class _Limits(NamedTuple):
    """How much earlier or later than the last copy another copy may be heard: of the newest frame, of other frames."""

    earlier_s: int
    newest_later_s: int
    other_later_s: int


@dataclass
class _Session:
    """One radio session; `top` is the highest seq so far (-1: none), `joined_s` 0 when no join event was seen."""

    key: str
    boot: int
    started_s: int
    joined_s: int = 0
    top: int = -1
    offset: int = 0  # a 16-bit counter that wrapped goes on counting: seq = counter + offset
    recent: dict[int, _Seen] = field(default_factory=dict)

    @property
    def heard_s(self) -> int:
        """When it was last heard, by the times of its frames."""
        return max((seen.at_s for seen in self.recent.values()), default=self.started_s)

    def candidates(self, f_cnt: int) -> Iterator[int]:
        """The seqs this counter may stand for; the second one is a late frame from before a wrap."""
        yield f_cnt + self.offset
        if self.offset:
            yield f_cnt + self.offset - WRAP

    def find_copy(self, f_cnt: int, heard: _Seen, limits: _Limits) -> int | None:
        """The seq of the frame that this is a copy of, None when it is none."""
        for seq in self.candidates(f_cnt):
            seen = self.recent.get(seq)
            if seen is None or seen.digest != heard.digest:
                continue
            later_s_max = limits.newest_later_s if seq == self.top else limits.other_later_s
            if -limits.earlier_s <= heard.at_s - seen.at_s <= later_s_max:
                return seq
        return None

    def place(self, f_cnt: int, at_s: int) -> int | None:
        """The seq of a frame not seen before: ahead, or late within the window; None when it stepped back."""
        still_late = at_s - self.heard_s <= LATE_S_MAX
        for seq in self.candidates(f_cnt):
            late = still_late and self.top - WINDOW < seq < self.top and seq not in self.recent
            ahead = seq > self.top and (not self.offset or seq - self.top < WRAP - WINDOW)
            if late or ahead:
                return seq
        wrapped = f_cnt + self.offset + WRAP
        if f_cnt < WRAP_LOST_MAX and 0 < wrapped - self.top <= WRAP_LOST_MAX:
            return wrapped
        return None

    def remember(self, seq: int, seen: _Seen) -> None:
        """Keep what a later copy of this frame is recognised by: its digest and when the last copy was heard."""
        before = self.recent.get(seq, seen)
        self.recent[seq] = _Seen(seen.digest, max(seen.at_s, before.at_s))
        self.top = max(self.top, seq)
        if len(self.recent) > WINDOW:
            del self.recent[min(self.recent)]


class SessionTracker:
    """The sessions of all devices. Every call takes the network server's time (None = unknown) and ours."""

    def __init__(self) -> None:
        self.counts = SessionCounts()
        self._devices: dict[str, list[_Session]] = {}
        self._changed: set[str] = set()

    def identify(
        self,
        device_id: str,
        key: str,
        f_cnt: int,
        payload: bytes,
        t_ms: int | None,
        received_ms: int,
        lose_nothing: bool = False,
    ) -> Identity:
        """The identity of a frame. `key` tells sessions apart (devAddr, session key id); '' = not told.

        `payload` is what distinguishes two frames with the same counter: port and application bytes. `lose_nothing`:
        the same after more than an hour is a new frame, however likely it is that it was only sent again.
        """
        at_s = _seconds(t_ms, received_ms)
        seen = _Seen(int.from_bytes(blake2b(payload, digest_size=4).digest(), "big"), at_s)
        self.counts.frames += 1
        self._changed.add(device_id)
        sessions = _matching(self._devices.setdefault(device_id, []), key)
        # The frame was heard before the newest session began: out of order, it belongs to the one before.
        before = len(sessions) == SESSIONS_KEPT and at_s < sessions[0].started_s - TIME_TOLERANCE_S
        if before:
            sessions.reverse()
        for session in sessions:
            age_s = RESENT_S_MAX if lose_nothing or f_cnt == 0 else NO_LIMIT_S
            limits = _Limits(age_s, age_s, COPY_S_MAX)
            if session is not sessions[0]:
                limits = _Limits(age_s, TIME_TOLERANCE_S, TIME_TOLERANCE_S)
            copied = session.find_copy(f_cnt, seen, limits)
            if copied is not None:
                self.counts.repeats += 1
                session.remember(copied, seen)
                return Identity(session.boot, copied, repeat=True)
        return self._place(device_id, key, f_cnt, seen, sessions if before else sessions[:1])

    def _place(self, device_id: str, key: str, f_cnt: int, seen: _Seen, sessions: list[_Session]) -> Identity:
        for session in sessions:
            seq = session.place(f_cnt, seen.at_s)
            if seq is not None:
                if seq - f_cnt > session.offset:
                    session.offset += WRAP
                    self.counts.wraps += 1
                session.remember(seq, seen)
                return Identity(session.boot, seq, repeat=False)
        self.counts.counter_resets += bool(sessions)
        self.counts.new_keys += not sessions and bool(self._devices[device_id])
        begun = self._begin(device_id, key, seen.at_s)
        begun.remember(f_cnt, seen)
        return Identity(begun.boot, f_cnt, repeat=False)

    def join(self, device_id: str, key: str, t_ms: int | None, received_ms: int) -> int:
        """A join event: the boot of the session it begins. The same event again begins none."""
        at_s = _seconds(t_ms, received_ms)
        self._changed.add(device_id)
        for session in self._devices.setdefault(device_id, []):
            if session.key != key:
                continue
            overtaken = not session.joined_s and session.top < WINDOW and abs(at_s - session.started_s) <= COPY_S_MAX
            if session.joined_s == at_s or overtaken:
                session.joined_s = at_s
                return session.boot
        self.counts.joins += 1
        begun = self._begin(device_id, key, at_s)
        begun.joined_s = at_s
        return begun.boot

    def _begin(self, device_id: str, key: str, at_s: int) -> _Session:
        sessions = self._devices[device_id]
        begun = _Session(key, max([at_s, 1, *(one.boot + 1 for one in sessions)]), at_s)
        # Of the others the one it really speaks in is kept: a join loop must not push that out.
        spoken_in = sorted(sessions, key=lambda one: (one.top >= 0, one.heard_s))[1 - SESSIONS_KEPT :]
        self._devices[device_id] = [*spoken_in, begun]
        return begun

    def load(self, kept: Mapping[str, bytes]) -> None:
        """Go on from the blobs of `take_changes`, by device id. Raises ValueError for a blob that is none of ours."""
        for device_id, blob in kept.items():
            self._devices[device_id] = _unpack(device_id, blob)

    def take_changes(self) -> dict[str, bytes]:
        """The state of each device that changed since the last call, by device id."""
        changes = {device_id: _pack(self._devices[device_id]) for device_id in self._changed}
        self._changed = set()
        return changes


def _matching(sessions: list[_Session], key: str) -> list[_Session]:
    """The sessions a frame with this key may belong to, newest first."""
    return [session for session in reversed(sessions) if key in ("", session.key)]


def _seconds(t_ms: int | None, received_ms: int) -> int:
    """The network server's time in seconds, or ours when that one is missing or absurd."""
    received_s = max(received_ms // 1000, 0)
    if t_ms is None or t_ms // 1000 < EVENT_TIME_S_MIN or t_ms // 1000 > received_s + FUTURE_S_MAX:
        return received_s
    return t_ms // 1000


class _Wire(msgspec.Struct, array_like=True):
    key: str
    boot: int
    started_s: int
    joined_s: int
    top: int
    offset: int
    recent: bytes


BELOW_MAX = 2**32 - 1
_SEEN = struct.Struct("<III")  # how far below top, digest, seconds
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[_Wire])


def _pack(sessions: list[_Session]) -> bytes:
    return _encoder.encode([_wire(session) for session in sessions])


def _wire(one: _Session) -> _Wire:
    recent = [_SEEN.pack(one.top - seq, *seen) for seq, seen in one.recent.items() if one.top - seq <= BELOW_MAX]
    return _Wire(one.key, one.boot, one.started_s, one.joined_s, one.top, one.offset, b"".join(recent))


def _unpack(device_id: str, blob: bytes) -> list[_Session]:
    try:
        return [
            _Session(
                wire.key, wire.boot, wire.started_s, wire.joined_s, wire.top, wire.offset,
                {wire.top - below: _Seen(digest, at_s) for below, digest, at_s in _SEEN.iter_unpack(wire.recent)},
            )
            for wire in _decoder.decode(blob)
        ]  # fmt: skip
    except (msgspec.MsgspecError, struct.error, UnicodeDecodeError) as error:
        raise ValueError(f"the kept radio session of device {device_id} can't be read: {error}") from error
