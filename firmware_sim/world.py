"""The story of a run: one heap of events in simulated time, out of which the messages come.

A device is woken, answers with readings; those become messages (JSON, a backfill, or LoRaWAN frames), the air loses,
doubles and delays them, and what is left is handed out in the order of arrival. Faults are events in the same heap.
The same region, settings, seed and start give the same messages, byte for byte.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from json import JSONEncoder
from random import Random
from typing import NamedTuple

from firmware_sim import payloads
from firmware_sim.device import Device, Reading
from firmware_sim.faults import FAULT_SORTS, Fault, with_members
from firmware_sim.fleet import Fleet, FleetBuilder
from firmware_sim.lamp import Lamp
from firmware_sim.region import Region
from firmware_sim.settings import Settings
from firmware_sim.sos import SosButton
from firmware_sim.truth import draw_faults, truth_rows

ASSUMED_ACK_MS = 400
"""Without a broker somebody must answer the SOS buttons: so long after a press arrived."""

ENDLESS_MS = 100 * 365 * 86_400_000
NEVER_MS = 2**62

_encode = JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


class Message(NamedTuple):
    """One MQTT message and the instant (simulated Unix ms) at which it reaches the broker."""

    at_ms: int
    topic: str
    payload: bytes
    device_id: str


@dataclass(frozen=True)
class Run:
    """When the run begins and ends (None = never), how fast time goes, and whether a real gateway acknowledges."""

    start_ms: int
    end_ms: int | None = None
    speed: float = 1.0
    live: bool = False


@dataclass
class Tally:
    """What became of the messages; `sent` counts those that devices put on the air."""

    sent: int = 0
    lost: int = 0
    unheard: int = 0
    doubled: int = 0
    handed_out: int = 0


class World:
    """Everything that happens; each message is handed out once, by `messages()` or piece by piece by `due()`."""

    def __init__(
        self, region: Region, settings: Settings, seed: int, run: Run, faults: list[Fault] | None = None
    ) -> None:
        self.run = run
        self.tally = Tally()
        self.now_ms = run.start_ms
        self.end_ms = run.end_ms if run.end_ms is not None else run.start_ms + ENDLESS_MS
        retry_scale = max(1.0, run.speed) if run.live else 1.0
        self.fleet: Fleet = FleetBuilder(region, settings, seed, run.start_ms, retry_scale).build()
        if faults is None:
            rng = Random(f"{seed} faults {run.start_ms}")
            faults = draw_faults(self.fleet, settings.faults, rng, run.start_ms, self.end_ms)
        self.faults = with_members(self.fleet, faults)
        self._events: list[tuple[int, int, Callable[[int], None]]] = []
        self._outbox: list[tuple[int, int, Message]] = []
        self._order = 0
        self._tokens: dict[str, int] = {}
        self._begun = False

    def messages(self) -> Iterator[Message]:
        """All messages in order of arrival; those on their way at the end still arrive."""
        return self.due(NEVER_MS)

    def due(self, until_ms: int) -> Iterator[Message]:
        """The messages that arrive up to that instant and were not handed out yet, in order of arrival.

        Nothing that happens later is decided before: a downlink can still change it.
        """
        if not self._begun:
            self._begun = True
            self._begin_run()
        while (next_ms := self.next_ms()) is not None and next_ms <= until_ms:
            if self._outbox and self._outbox[0][0] == next_ms:
                self.tally.handed_out += 1
                yield heapq.heappop(self._outbox)[2]
            else:
                self.now_ms, _, action = heapq.heappop(self._events)
                action(self.now_ms)

    def next_ms(self) -> int | None:
        """When the next thing happens, on a device or on the way to the broker; None when the run is over."""
        event_ms = self._events[0][0] if self._events else NEVER_MS
        if event_ms >= self.end_ms:
            event_ms = NEVER_MS
        arrival_ms = self._outbox[0][0] if self._outbox else NEVER_MS
        return None if event_ms == arrival_ms == NEVER_MS else min(event_ms, arrival_ms)

    def down(self, device_id: str, payload: bytes) -> None:
        """A downlink for a device, e.g. an acknowledgement for an SOS button; unknown devices don't hear it."""
        device = self.fleet.devices.get(device_id)
        if isinstance(device, SosButton) and not device.dead:
            device.on_down(payload, self.now_ms)
            self._schedule(device)

    def truth(self) -> list[tuple[str, ...]]:
        """The truth file's rows, as far as the run has got."""
        return truth_rows(self.fleet, self.faults, self.run.start_ms, self.end_ms)

    def _begin_run(self) -> None:
        for device in self.fleet.devices.values():
            self._schedule(device)
        for fault in self.faults:
            if fault.end_ms is not None and fault.end_ms <= self.run.start_ms:
                continue
            self._at(max(fault.start_ms, self.run.start_ms), partial(self._begin, fault))
            if fault.end_ms is not None:
                self._at(fault.end_ms, partial(self._finish, fault))

    def _at(self, at_ms: int, action: Callable[[int], None]) -> None:
        self._order += 1
        heapq.heappush(self._events, (at_ms, self._order, action))

    def _schedule(self, device: Device) -> None:
        """Plan the device's next wake; a wake planned earlier no longer counts."""
        token = self._tokens[device.device_id] = self._tokens.get(device.device_id, 0) + 1
        self._at(device.next_wake_ms, partial(self._wake, device, token))

    def _wake(self, device: Device, token: int, now_ms: int) -> None:
        if device.dead or token != self._tokens[device.device_id]:
            return
        readings = device.wake(now_ms)
        if readings:
            if device.device_id in self.fleet.sessions:
                self._send_lorawan(device, readings, now_ms)
            else:
                self._send_native(device, readings, now_ms)
        self._schedule(device)

    def _begin(self, fault: Fault, now_ms: int) -> None:
        for device in FAULT_SORTS[fault.name].begin(self.fleet, fault, now_ms):
            self._schedule(device)

    def _finish(self, fault: Fault, now_ms: int) -> None:
        for device in FAULT_SORTS[fault.name].finish(self.fleet, fault, now_ms):
            self._schedule(device)

    def _send_native(self, device: Device, readings: list[Reading], now_ms: int) -> None:
        topic = f"partheland/{device.town}/{device.kind}/{device.device_id}/up"
        link = self.fleet.links[device.device_id]
        for message in device.hold_back(now_ms, readings):
            self.tally.sent += 1
            if link.is_lost():
                self.tally.lost += 1
                continue
            objects = [_as_object(reading) for reading in message]
            payload = _encode(objects if len(objects) > 1 else objects[0]).encode()
            delays_ms = link.delays_ms()
            for delay_ms in delays_ms:
                self._arrive(now_ms + delay_ms, topic, payload, device)
            self.tally.doubled += len(delays_ms) - 1
            if isinstance(device, SosButton) and not self.run.live:
                self._at(now_ms + delays_ms[0] + ASSUMED_ACK_MS, partial(self._assume_acks, device, message))

    def _assume_acks(self, device: SosButton, message: list[Reading], _now_ms: int) -> None:
        for reading in message:
            self.down(device.device_id, _encode({"ack": {"boot": reading.boot, "seq": reading.seq}}).encode())

    def _send_lorawan(self, device: Device, readings: list[Reading], now_ms: int) -> None:
        session, link = self.fleet.sessions[device.device_id], self.fleet.links[device.device_id]
        if device.rejoin:
            device.rejoin = False
            session.join()
        for [reading] in device.hold_back(now_ms, readings):
            self.tally.sent += 1
            f_cnt = session.next_f_cnt()
            lost, heard = link.is_lost(), session.hearing()
            if lost or not heard:
                self.tally.lost += lost
                self.tally.unheard += not lost
                continue
            values = device.payload_values(reading.values) if isinstance(device, Lamp) else reading.values
            data = payloads.encode(session.device_type, values)
            up = partial(session.up_event, now_ms, f_cnt, data, reading.confirmed, heard)
            delays_ms = link.delays_ms()
            if session.join_pending:
                session.join_pending = False
                self._arrive(now_ms + delays_ms[0], session.topic("join"), session.join_event(now_ms), device)
            payload = up()
            for copy, delay_ms in enumerate(delays_ms):
                # A copy is the same event delivered again, or the frame repeated on air, which the server took for new.
                again = copy > 0 and session.rng.random() < 0.5
                self._arrive(now_ms + delay_ms, session.topic("up"), up() if again else payload, device)
            self.tally.doubled += len(delays_ms) - 1

    def _arrive(self, at_ms: int, topic: str, payload: bytes, device: Device) -> None:
        self._order += 1
        heapq.heappush(self._outbox, (at_ms, self._order, Message(at_ms, topic, payload, device.device_id)))


def _as_object(reading: Reading) -> dict[str, object]:
    """The JSON object of a reading; without a clock there is no `t`."""
    head: dict[str, object] = {} if reading.t_ms is None else {"t": reading.t_ms}
    return head | {"boot": reading.boot, "seq": reading.seq, "values": reading.values}
