"""What was heard of each device, and how much silence its own radio explains.

A device is due once an interval while it has power and while we could hear it. `missed` counts the messages that are
overdue in this sense. How many are too many follows from its own gaps. Losses come singly and in bursts, and it is the
bursts that last: so only gaps of three and more tell of the tail. A gap of k ≥ 3 follows a message with the chance
q · r^(k−3), with q the share of messages followed by such a gap and r = 1 − 1/(1 + mean excess over three). Both are
counted, each device's drawn towards the fleet's, the fleet's towards a bad radio's, until there are enough. (The chance
for single losses is in shared knowledge, domain A5; the tail by its excess over a threshold: Pickands 1975.)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.clock import MS_PER_S
from rules.fleet import NONE, Fleet
from rules.latest import NEVER_MS, grown
from rules.nights import ORIGIN_MS, Nights
from rules.rows import Rows, in_turns

YEAR_S = 365.25 * 86_400
TAIL = 3
"""From so many missed messages in a row on, a gap is a burst."""
TAIL_SHARE_PRIOR, EXCESS_PRIOR = 0.01, 3.0
"""A bad radio: what is assumed before anything has been heard."""
LONG, LONG_PRIOR = 8, np.array([1.0, 2.0])
"""The longest bursts have a tail of their own, which only the whole fleet has seen often enough."""
FLEET_MESSAGES, FLEET_GAPS = 2000.0, 20.0
DEVICE_MESSAGES, DEVICE_GAPS = 300.0, 10.0
"""So much the assumption weighs against the fleet's own figures, and the fleet's against a device's own."""
SAVES_BELOW_PCT, STRETCH = 50.0, 4.0
"""What must save its battery speaks less often: commonly once an hour instead of four times."""
STRETCHED_S_MAX = 3600.0
"""Who speaks once an hour anyway is frugal enough."""
LATE_MS_MAX = 2**31 - 1
GAP_MAX = 96
"""A longer silence is no loss on the radio."""
JOIN_S = 600.0
"""So long a controller may take from getting power to its first message, beside its interval."""
STRANGE_MAX = 8
"""After so many messages in a row through another receiver, that one is the device's usual one."""


class Hearing:
    """n devices. `heard_ms` i8[n] time of the newest sample, -1 = never · `late_ms` i4[n] how late it came ·
    `listened_s` f8[n] the listening clock then, `ons` i2[n] how often power had come by then ·
    `seen`, `gaps`, `excess` u4[n] messages, bursts after them, messages missed in bursts beyond three ·
    `long` i8[2] the fleet's long bursts and messages in them beyond eight ·
    `home` i4[n] the usual receiver, -1 = unknown, `through` i4[n] the one that heard it last, `strange` u1[n] messages
    in a row through others · `stretched` bool[n] it saves its battery and may speak less often ·
    `excused` bool[n] something kept it from us since, so its gap tells nothing of its radio.
    """

    def __init__(self) -> None:
        self.heard_ms = np.zeros(0, dtype=np.int64)
        self.late_ms = np.zeros(0, dtype=np.int32)
        self.listened_s = np.zeros(0)
        self.ons = np.zeros(0, dtype=np.int16)
        self.seen = np.zeros(0, dtype=np.uint32)
        self.gaps = np.zeros(0, dtype=np.uint32)
        self.excess = np.zeros(0, dtype=np.uint32)
        self.long = np.zeros(2, dtype=np.int64)
        self.home = np.zeros(0, dtype=np.int32)
        self.through = np.zeros(0, dtype=np.int32)
        self.strange = np.zeros(0, dtype=np.uint8)
        self.stretched = np.zeros(0, dtype=np.bool_)
        self.excused = np.zeros(0, dtype=np.bool_)

    def grow(self, fleet: Fleet, clock: ListeningClock, now_ms: int) -> None:
        """Room for all devices; new ones are waited for from now on."""
        before, length = len(self.heard_ms), len(fleet)
        self.heard_ms = grown(self.heard_ms, length, NEVER_MS)
        for name in ("late_ms", "ons", "seen", "gaps", "excess", "strange"):
            setattr(self, name, grown(getattr(self, name), length, 0))
        self.home = grown(self.home, length, NONE)
        self.through = grown(self.through, length, NONE)
        self.stretched = grown(self.stretched, length, False)
        self.excused = grown(self.excused, length, False)
        new = np.arange(before, length)
        self.listened_s = np.concatenate((self.listened_s, clock.at(new, np.full(len(new), now_ms))))
        self.ons[new] = clock.ons_of(new)

    def take(
        self, rows: Rows, clock: ListeningClock, interval_s: NDArray[np.float64], counts: NDArray[np.bool_]
    ) -> None:
        """Take in rows sorted by device and time. `counts` bool[n]: a gap of this device tells of its radio."""
        listened_s = clock.at(rows.device, rows.t_ms)
        for row in in_turns(rows.device):
            row = row[rows.t_ms[row] > self.heard_ms[rows.device[row]]]
            device, t_ms, ons = rows.device[row], rows.t_ms[row], clock.ons_of(rows.device[row])
            before_s, now_s = self.listened_s[device], listened_s[row]
            off_times = ons - self.ons[device]
            self._count(device, now_s - before_s, off_times, interval_s[device], counts)
            self.heard_ms[device] = t_ms
            self.late_ms[device] = np.minimum(rows.received_ms[row] - t_ms, LATE_MS_MAX)
            self.listened_s[device] = np.maximum(before_s, now_s)  # what was granted stays
            self.ons[device] = ons
            if "battery_pct" in rows.values:
                battery_pct = rows.values["battery_pct"][row]
                told = ~np.isnan(battery_pct)
                self.stretched[device[told]] = battery_pct[told] < SAVES_BELOW_PCT
            if "gateway" in rows.texts:
                self._through(device, rows.texts["gateway"][row])

    def _count(
        self,
        device: NDArray[np.int64],
        waited_s: NDArray[np.float64],
        off_times: NDArray[np.int32],
        interval_s: NDArray[np.float64],
        counts: NDArray[np.bool_],
    ) -> None:
        """Take in a gap each: `waited_s` f8[k], and `off_times` i4[k] how often power was off in it."""
        interval_s = np.maximum(interval_s, 1.0)
        missing = np.rint((waited_s - off_times * (interval_s + JOIN_S)) / interval_s) - 1.0
        told = (self.heard_ms[device] != NEVER_MS) & counts[device] & ~self.excused[device] & (missing < GAP_MAX)
        self.excused[device] = False
        self.seen[device] += told
        burst = np.flatnonzero(told & (missing >= TAIL))
        if len(burst):
            device, missing = device[burst], missing[burst]
            self.gaps[device] += 1
            self.excess[device] += (missing - TAIL).astype(np.uint32)
            long = missing[missing >= LONG] - LONG
            self.long += (len(long), int(long.sum()))

    def _through(self, device: NDArray[np.int64], gateway: NDArray[np.int32]) -> None:
        told = gateway != NONE
        device, gateway = device[told], gateway[told]
        self.through[device] = gateway
        home = self.home[device]
        other = np.flatnonzero(home != gateway)
        strange = np.minimum(self.strange[device[other]] + 1, STRANGE_MAX)
        moves = (home[other] == NONE) | (strange >= STRANGE_MAX)
        self.home[device[other[moves]]] = gateway[other[moves]]
        self.strange[device] = 0
        self.strange[device[other]] = np.where(moves, 0, strange)

    def interval_s(self, promised_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """f8[n]: the interval to reckon with, from the one promised."""
        stretches = self.stretched & (promised_s * STRETCH <= STRETCHED_S_MAX)
        return np.where(stretches, promised_s * STRETCH, promised_s)

    def missed(self, clock: ListeningClock, interval_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """f8[n]: how many messages are overdue; below 1 = none."""
        waited_s = clock.now_s - self.listened_s - (clock.ons_now - self.ons) * (interval_s + JOIN_S)
        found: NDArray[np.float64] = np.maximum(waited_s, 0.0) / np.maximum(interval_s, 1.0)
        return found

    def grant(self, devices: NDArray[np.bool_], clock: ListeningClock) -> None:
        """Begin to wait anew for these (bool[n]): what kept them from us has ended only now."""
        self.excused |= devices
        self.listened_s = np.where(devices, np.maximum(self.listened_s, clock.now_s), self.listened_s)
        self.ons = np.where(devices, clock.ons_now, self.ons).astype(np.int16)

    def _tail(self, devices: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(f8[k], f8[k]): share of messages after which a burst begins, and the chance that it goes on."""
        of_all = float(self.seen.sum()), float(self.gaps.sum()), float(self.excess.sum())
        usual_share = (of_all[1] + FLEET_MESSAGES * TAIL_SHARE_PRIOR) / (of_all[0] + FLEET_MESSAGES)
        usual_mean = (of_all[2] + FLEET_GAPS * EXCESS_PRIOR) / (of_all[1] + FLEET_GAPS)
        share = (self.gaps[devices] + DEVICE_MESSAGES * usual_share) / (self.seen[devices] + DEVICE_MESSAGES)
        mean = (self.excess[devices] + DEVICE_GAPS * usual_mean) / (self.gaps[devices] + DEVICE_GAPS)
        return share, mean / (1.0 + mean)

    def misses(
        self,
        devices: NDArray[np.int64],
        clock: ListeningClock,
        interval_s: NDArray[np.float64],
        false_per_year: float,
        least: float,
        most: float,
    ) -> NDArray[np.float64]:
        """f8[k]: how many missed messages in a row happen by chance less than so often in a year of these devices."""
        messages = YEAR_S / interval_s
        share, goes_on = self._tail(devices)
        gaps, excess = self.long + LONG_PRIOR
        long_share, long_goes_on = gaps / (float(self.seen.sum()) + FLEET_MESSAGES), excess / (gaps + excess)
        with np.errstate(divide="ignore"):
            short = TAIL + np.log(false_per_year / (messages * share)) / np.log(goes_on)
            long = LONG + np.log(false_per_year / (messages * long_share)) / np.log(long_goes_on)
        enough = np.maximum(short, long) - self._renewed(devices, clock)
        found: NDArray[np.float64] = np.clip(np.ceil(enough), least, most)
        return found

    def _renewed(self, devices: NDArray[np.int64], clock: ListeningClock) -> NDArray[np.float64]:
        """f8[k]: what the times without power since they were heard count for, in missed messages; 0 where it is on.

        A burst on the air does not last through a day: that a device is lost again in the next night is as unlikely as
        that a message falls into a burst, `share` times its mean length, and so many misses more make a burst.
        """
        nights = np.maximum(clock.ons_of(devices) - self.ons[devices] - 1, 0)
        share, goes_on = self._tail(devices)
        in_burst = np.minimum(share * (TAIL + goes_on / (1.0 - goes_on)), 1.0)
        found: NDArray[np.float64] = nights * np.maximum(np.log(in_burst) / np.log(goes_on) - TAIL, 0.0)
        return found

    def chance(self, devices: NDArray[np.int64], missed: NDArray[np.float64]) -> NDArray[np.float64]:
        """f8[k]: logarithm of the chance that so many messages of these are missing by radio alone; 0 for none.

        Up to a burst each miss is taken to have the chance of a bad radio, a third.
        """
        share, goes_on = self._tail(devices)
        whole = np.floor(missed)
        burst = np.log(share) + (whole - TAIL) * np.log(goes_on)
        found: NDArray[np.float64] = np.where(whole >= TAIL, burst, np.maximum(whole * np.log(1 / 3), np.log(share)))
        return found


class ListeningClock:
    """Seconds in which a device had power and we could hear it. It stands still by day for a lamp on a switched line,
    and for all while we are deaf; so silence is only counted where somebody could have spoken. `blind_s` for how long
    we were deaf in all, `blind_ms` begin and end of the last time.
    """

    def __init__(self) -> None:
        self.blind_s = 0.0
        self.blind_ms = (NEVER_MS, NEVER_MS)
        self.ons = np.zeros(0, dtype=np.int32)
        self.was_powered = np.zeros(0, dtype=np.bool_)
        self.told_s = np.zeros(0)

    def refresh(self, nights: Nights, now_ms: int) -> None:
        """Take in an inventory: the groups of lamps have changed, so how often power came is counted anew."""
        self.nights = nights
        self.switched = nights.is_switched[nights.group]
        self.now_ms = now_ms
        self.told_s = nights.powered_s(now_ms)
        self.ons = np.zeros(len(self.told_s), dtype=np.int32)
        self.was_powered = np.ones(len(self.told_s), dtype=np.bool_)
        self.look()

    def advance(self, now_ms: int) -> None:
        """Time goes on."""
        before, self.told_s = self.told_s, self.nights.powered_s(now_ms)
        is_powered, self.now_ms = self.told_s > before, now_ms
        if np.array_equal(is_powered, self.was_powered):
            self._look_at_time()
            return
        self.ons += is_powered & ~self.was_powered
        self.was_powered = is_powered
        self.look()

    def look(self) -> None:
        """The columns as they are now."""
        self._look_at_time()
        self.ons_now: NDArray[np.int32] = self.ons[self.nights.group]
        self.powered_now: NDArray[np.bool_] = self.was_powered[self.nights.group]

    def _look_at_time(self) -> None:
        self.now_s: NDArray[np.float64] = self.told_s[self.nights.group] - self.blind_s

    def deaf(self, seconds: float) -> None:
        """We could not hear anybody for so long."""
        self.blind_s += seconds
        begin_ms = self.now_ms - int(seconds * MS_PER_S)
        self.blind_ms = self.blind_ms[0] if self.blind_ms[1] == begin_ms else begin_ms, self.now_ms
        self.look()

    def at(self, device: NDArray[np.int64], t_ms: NDArray[np.int64]) -> NDArray[np.float64]:
        """f8[k]: the clock of these devices at these instants, as far as is known now."""
        begin_ms, end_ms = self.blind_ms
        found: NDArray[np.float64] = (t_ms - ORIGIN_MS) / MS_PER_S
        by_night = np.flatnonzero(self.switched[device])
        if len(by_night):
            found[by_night] = self.nights.powered_s_of(device[by_night], t_ms[by_night])
        if int(t_ms.min(initial=end_ms)) >= end_ms:
            found -= self.blind_s
            return found
        after_s = np.maximum(end_ms - np.maximum(t_ms, begin_ms), 0) / MS_PER_S
        # So far at each instant: of what came before we were deaf nothing is lost.
        found -= self.blind_s - after_s
        return found

    def ons_of(self, device: NDArray[np.int64]) -> NDArray[np.int32]:
        """i4[k]: how often power has come to these devices."""
        found: NDArray[np.int32] = self.ons_now[device]
        return found
