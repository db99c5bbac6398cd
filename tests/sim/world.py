"""Devices, broker, gateway, centre and store in one process and on one thread, with real files and a clock by hand.

The transport is two lists with the semantics of MQTT QoS 1: a message stays until it is acknowledged, may come twice,
late and in any order; on the way to the centre it may also be lost. `crash_at` lets the next hand-over die at an
acknowledgement, which is where the durable parts must already agree.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random

from core import frame as frames
from core.clock import ManualClock
from core.frame import LANES
from core.mqtt import Message
from core.sqlite import Database
from core.topics import ack_topic
from gateway.check import ClockLimits
from gateway.intake import Intake
from gateway.native import NativeSource
from gateway.spool import MIB, Spool
from gateway.uplink import Uplink, Window
from ingest.accept import Accept
from ingest.books import Verdict
from ingest.feed import JournalFeed
from ingest.journal import Journal, JournalLimits
from ingest.quarantine import Quarantine
from tests.support.records import T0_MS, native_message

KINDS = {"L1": "lamp", "L2": "lamp", "B1": "sos"}
STRANGER = "X9"
WINDOW_FRAMES = 3
Identity = tuple[str, int, int, int]  # device, boot, seq, t


class Crash(Exception):
    """The process is dead from here on."""


class KnownDevices:
    """An inventory of a few lines."""

    def __init__(self, kinds: dict[str, str], capacity: int | None = None) -> None:
        self.kinds = kinds
        self.capacity = capacity

    def kind_of(self, device_id: str) -> str | None:
        return self.kinds.get(device_id)

    def capacity_of(self, _device_id: str) -> int | None:
        return self.capacity


class World:
    """Everything between a device and the store."""

    def __init__(self, folder: Path, segment_bytes: int = 4000) -> None:
        self.folder = folder
        self.segment_bytes = segment_bytes
        self.clock = ManualClock(T0_MS)
        self.boot = dict.fromkeys([*KINDS, STRANGER], 1)
        self.seq = dict.fromkeys([*KINDS, STRANGER], 0)
        self.said: list[tuple[Message, Identity | None]] = []
        self.at_broker: dict[int, Message] = {}
        self.acknowledged: set[int] = set()  # of messages, by mid
        self.to_centre: list[Message] = []
        self.to_gateway: list[Message] = []
        self.connected = True
        self.crash_at = ""
        self.stored: list[Identity] = []
        self.store_position = 0
        self.journaled: set[Identity | bytes] = set()
        self.accepted: Counter[Identity] = Counter()
        self.looked_at = 0
        self.start_gateway()
        self.start_centre()

    # -- the parts -------------------------------------------------------------------------------------------------

    def start_gateway(self) -> None:
        self.spool = Spool(Database(self.folder / "spool.db"), self.clock, 64 * MIB)
        self.spool.open()
        sources = [(lambda topic: topic.startswith("partheland/"), NativeSource())]
        self.intakes = {
            lane: Intake("gw1", lane, sources, self.spool, self.clock, ClockLimits(), self._puback) for lane in LANES
        }
        self.uplink = Uplink(
            "gw1", self.spool, Window(WINDOW_FRAMES, 5.0), self._send_up, self.clock, 3000, self._fatal
        )

    def start_centre(self) -> None:
        self.journal = Journal(self.folder / "journal", self.clock, JournalLimits(self.segment_bytes))
        self.journal.open()
        self.quarantine = Quarantine(Database(self.folder / "quarantine.db"))
        self.quarantine.open()
        known = KnownDevices(KINDS)
        self.accepts = {
            lane: Accept(self.journal, known, self._send_down, lambda messages: self._die("centre.puback"))
            for lane in LANES
        }
        self.journaled.clear()
        self.accepted.clear()
        self.looked_at = 0

    def crash_gateway(self) -> None:
        self.spool.database.close()
        self.start_gateway()

    def crash_centre(self) -> None:
        for segment in self.journal.segments:
            segment.close()
        self.quarantine.close()
        self.start_centre()

    def close(self) -> None:
        self.spool.close()
        self.journal.close()
        self.quarantine.close()

    def _fatal(self, error: BaseException) -> None:
        raise error

    # -- the transport ---------------------------------------------------------------------------------------------

    def _die(self, point: str) -> None:
        if self.crash_at == point:
            self.crash_at = ""
            raise Crash(point)

    def _puback(self, messages: Sequence[Message]) -> None:
        self._die("gateway.puback")
        for message in messages:
            self.at_broker.pop(message.mid, None)
            self.acknowledged.add(message.mid)

    def _send_up(self, topic: str, payload: bytes, qos: int) -> bool:
        if self.connected:
            self.to_centre.append(Message(topic, payload, 0, qos, False))
        return self.connected

    def _send_down(self, topic: str, payload: bytes) -> bool:
        self._die("centre.acknowledgement")
        assert topic == ack_topic("gw1")
        self.to_gateway.append(Message(topic, payload, 0, 0, False))
        return True

    # -- what may happen -------------------------------------------------------------------------------------------

    def publish(self, device_id: str, payload: bytes | None = None) -> None:
        """A device says something new, or `payload`, which can't be read."""
        self.clock.advance(1)
        self.seq[device_id] += 1
        boot, seq, t_ms, mid = self.boot[device_id], self.seq[device_id], self.clock.now_ms(), len(self.said) + 1
        kind = KINDS.get(device_id, "lamp")
        values = {"event": "press"} if kind == "sos" else {"power_w": seq}
        message = native_message(device_id, kind, payload, mid, t=t_ms, boot=boot, seq=seq, values=values)
        self.said.append((message, None if payload is not None else (device_id, boot, seq, t_ms)))
        self.at_broker[mid] = message

    def publish_again(self, pick: int) -> None:
        """A device repeats something of its past, in a new message."""
        if self.said:
            message, identity = self.said[pick % len(self.said)]
            mid = len(self.said) + 1
            self.said.append((message._replace(mid=mid), identity))
            self.at_broker[mid] = message._replace(mid=mid)

    def reboot(self, device_id: str) -> None:
        self.boot[device_id] += 1
        self.seq[device_id] = 0

    def deliver_to_gateway(self, count: int, chance: Random) -> None:
        """Some of what the broker holds, in any order; some of it twice."""
        batch = chance.sample(sorted(self.at_broker.values(), key=lambda one: one.mid), min(count, len(self.at_broker)))
        batch += batch[: chance.randrange(3)]
        try:
            for lane in LANES:
                mine = [message for message in batch if ("/sos/" in message.topic) == (lane == "sos")]
                if mine:
                    self.intakes[lane].handle(mine)
        except Crash:
            self.crash_gateway()

    def deliver_to_centre(self, count: int, chance: Random, lose: bool = False, twice: bool = False) -> None:
        """Some of what is on the way, in any order."""
        chance.shuffle(self.to_centre)
        batch, rest = self.to_centre[:count], self.to_centre[count:]
        self.to_centre = rest + (batch if twice else [])
        try:
            for lane in LANES:
                mine = [message for message in batch if message.topic.endswith(lane)]
                if mine and not lose:
                    self.accepts[lane].handle(mine)
        except Crash:
            self.crash_centre()

    def deliver_to_uplink(self, count: int, lose: bool = False) -> None:
        """Acknowledgements of the centre, some of which get lost."""
        batch, self.to_gateway = self.to_gateway[:count], self.to_gateway[count:]
        if not lose:
            self.uplink.handle(batch)

    def store(self) -> None:
        """The store's writer takes a batch: rows and position together."""
        readings, position = JournalFeed(self.journal).read(self.store_position, 20)
        columns = (readings.boot.tolist(), readings.seq.tolist(), readings.t_ms.tolist())
        self.stored += list(zip(readings.device_ids, *columns, strict=True))
        self.store_position = position

    def fill_quarantine(self) -> None:
        """The quarantine's consumer takes a batch."""
        position = self.quarantine.position()
        blocks = self.journal.read(position, 20)
        if blocks:
            self.quarantine.take(blocks, blocks[-1].next)

    def drain(self) -> None:
        """Everything works again, long enough for all to arrive."""
        chance, self.connected, self.crash_at = Random(1), True, ""
        for _ in range(400):
            if not self.at_broker and not self.spool.depth()[0]:
                break
            self.deliver_to_gateway(50, chance)
            self.uplink.turn()
            self.deliver_to_centre(50, chance)
            self.deliver_to_uplink(50)
            self.clock.advance(2)
        while self.store_position < self.journal.head or self.quarantine.position() < self.journal.head:
            self.store()
            self.fill_quarantine()

    # -- what must hold --------------------------------------------------------------------------------------------

    def look_at_journal(self) -> None:
        """Take in what the journal got since the last look."""
        while self.looked_at < self.journal.head:
            for block in self.journal.read(max(self.looked_at, self.journal.tail)):
                readings = block.frame.readings
                columns = (readings.device_ids, readings.boot.tolist(), readings.seq.tolist(), readings.t_ms.tolist())
                identities = list(zip(*columns, strict=True))
                self.journaled |= {*identities, *(refusal.raw for refusal in block.frame.refusals)}
                verdicts = block.verdict[: len(readings)].tolist()
                self.accepted.update(
                    one for one, verdict in zip(identities, verdicts, strict=True) if verdict == Verdict.ACCEPTED
                )
                self.looked_at = block.next

    def spooled(self) -> set[Identity | bytes]:
        """What the spool holds, read from its file."""
        found: set[Identity | bytes] = set()
        for (data,) in self.spool.database.execute("SELECT data FROM frame"):
            frame = frames.decode(data)
            readings = frame.readings
            columns = (readings.device_ids, readings.boot.tolist(), readings.seq.tolist(), readings.t_ms.tolist())
            found |= {*zip(*columns, strict=True), *(refusal.raw for refusal in frame.refusals)}
        return found

    def acknowledged_things(self) -> set[Identity | bytes]:
        """What the broker was told to forget: readings, or the raw bytes of what can't be read."""
        return {
            message.payload if identity is None else identity
            for message, identity in self.said
            if message.mid in self.acknowledged
        }

    def distinct_readings(self) -> set[Identity]:
        """Every reading that commissioned devices made."""
        return {identity for _, identity in self.said if identity is not None and identity[0] in KINDS}
