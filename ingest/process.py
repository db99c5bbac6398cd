"""The centre's data side put together: sessions to the broker, journal, quarantine, stores.

uplink SOS session ──────┐
uplink telemetry session ┼→ accept → journal → store writers, quarantine (later: rules, live feed)
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from core.clock import MS_PER_S, Clock
from core.frame import Refusal
from core.guarded import guarded_thread
from core.inventory import Inventory
from core.mqtt import Intake as MqttIntake
from core.mqtt import Link, Message, Session
from core.registry import encode_chunks
from core.settings import Settings
from core.sqlite import Database, StorageFull
from core.topics import CANARY_TOPIC, CENTRE_TOPIC, STATUS_FILTER, UPLINK_FILTERS, gateway_of, registry_topic
from ingest.accept import ROOM_WAIT_S, Accept
from ingest.commissioned import CommissionedDevices
from ingest.feed import JournalFeed
from ingest.journal import Journal, JournalLimits
from ingest.quarantine import Quarantine
from ingest.store import Store, StoreError
from ingest.writer import StoreWriter

log = logging.getLogger(__name__)

MIB = 1024**2
HOUSEKEEPING_S = 5.0
PRUNE_S = 600.0
UPLINK_BATCH_MAX = 64
RECONNECT_S_MAX = 2.0
STUCK_S = 60.0
GATEWAYS_MAX = 1000
GATEWAY_SILENT_S_MAX = 30.0


class Ingest:
    """Everything between the broker and the stores, in one process."""

    def __init__(
        self, settings: Settings, data: Path, clock: Clock, inventory: Inventory, stores: Sequence[Store]
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.inventory = inventory
        own = settings.ingest
        limits = JournalLimits(own.segment_mib * MIB, own.journal_days_min, own.journal_gib_max * 1024**3)
        self.journal = Journal(data / "journal", clock, limits)
        self.quarantine = Quarantine(Database(data / "quarantine.db"))
        self.commissioned = CommissionedDevices(inventory)
        self.stores = list(stores)
        self.gateways: dict[str, dict[str, object]] = {}
        self._others: dict[str, Callable[[], int]] = {}
        self._gateway_heard_s: dict[str, float] = {}
        self.canary_heard_s: float | None = None
        self.fatal: BaseException | None = None
        self.failed = threading.Event()
        self._stopping = threading.Event()
        self._registry_changed = threading.Event()
        self.accepts: dict[str, Accept] = {}
        self.sessions = {lane: self._make_lane(lane) for lane in UPLINK_FILTERS}
        feed = JournalFeed(self.journal)
        self.writers = [
            StoreWriter(store, feed, clock, rng=random.Random(), refuse=self._refuse, on_fatal=self._fail)
            for store in self.stores
        ]
        self._threads = [
            guarded_thread(name, body, self._fail)
            for name, body in (("quarantine", self._quarantine), ("housekeeping", self._keep_house))
        ]

    def _make_lane(self, lane: str) -> Session:
        login = self.settings.uplink_login()
        filters = [UPLINK_FILTERS[lane]]
        if lane == "telemetry":
            # Only `up` sends canaries, to its own broker; another broker may not grant us the topic.
            filters += [STATUS_FILTER, *([CANARY_TOPIC] if self.settings.broker.embedded else [])]
        wait_s = 0.0 if lane == "sos" else self.settings.ingest.group_wait_ms / MS_PER_S
        session = Session(
            Link(
                login.host,
                login.port,
                f"centre-{lane}",
                login.username,
                login.password,
                reconnect_s_max=RECONNECT_S_MAX,
            ),
            MqttIntake(filters, lambda messages: self._take(lane, messages), UPLINK_BATCH_MAX, wait_s),
            self._fail,
            lambda: self._greet(lane),
            self.clock,
        )
        self.accepts[lane] = Accept(
            self.journal,
            self.commissioned,
            session.publish,
            session.acknowledge,
            lambda seconds: not session.stopping_within(seconds),
        )
        return session

    def _greet(self, lane: str) -> None:
        """Tell gateways that the centre is here: they send at once what it does not hold yet."""
        if lane == "telemetry":
            self.sessions[lane].publish(CENTRE_TOPIC, b'{"here":true}', 1)
            self._registry_changed.set()

    def _take(self, lane: str, messages: list[Message]) -> None:
        frames, notes = [], []
        for message in messages:
            if message.topic == CANARY_TOPIC:
                self.canary_heard_s = self.clock.monotonic_s()
                notes.append(message)
            elif message.topic.startswith("partheland/status/"):
                self._note_status(message)
                notes.append(message)
            else:
                frames.append(message)
        if notes:
            self.sessions[lane].acknowledge(notes)
        if frames:
            self.accepts[lane].handle(frames)

    def _note_status(self, message: Message) -> None:
        gateway = gateway_of(message.topic)
        if gateway not in self.gateways and len(self.gateways) >= GATEWAYS_MAX:
            return
        self._gateway_heard_s[gateway] = self.clock.monotonic_s()
        try:
            self.gateways[gateway] = {
                **msgspec.json.decode(message.payload, type=dict[str, object]),
                "heard_ms": self.clock.now_ms(),
            }
        except msgspec.MsgspecError as error:
            log.warning("the status of gateway %s can't be read: %s", gateway, error)

    # -- running ---------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Open everything, then connect. Raises StorageError or StoreError with what to do."""
        self.commissioned.refresh()
        self.journal.open()
        self.quarantine.open()
        for writer in self.writers:
            writer.start()
        for session in self.sessions.values():
            session.start()
        for thread in self._threads:
            thread.start()

    def _quarantine(self) -> None:
        """The quarantine's own consumer loop."""
        position = self.quarantine.position()
        while not self._stopping.is_set():
            if not self.journal.wait(position, 1.0):
                continue
            blocks = self.journal.read(max(position, self.journal.tail))
            try:
                self.quarantine.take(blocks, blocks[-1].next)
            except StorageFull as error:
                log.error("the quarantine waits: %s", error)
                self._stopping.wait(ROOM_WAIT_S)
                continue
            position = blocks[-1].next
            if self.journal.head - position < 1000:
                self._stopping.wait(0.2)  # a few larger commits instead of many small ones

    def _keep_house(self) -> None:
        """See changes of the inventory, tell gateways of them, let old segments go."""
        pruned_at_s = self.clock.monotonic_s()
        while not self._stopping.is_set():
            if self.commissioned.refresh():
                self._registry_changed.set()
            if self._registry_changed.is_set() and self._publish_registry():
                self._registry_changed.clear()
            if self.clock.monotonic_s() - pruned_at_s >= PRUNE_S:
                pruned_at_s = self.clock.monotonic_s()
                self.journal.prune(min(self.positions().values()))
            self._check_sessions()
            self._registry_changed.wait(HOUSEKEEPING_S)

    def _publish_registry(self) -> bool:
        """Retained, in chunks; gateways keep their own copy."""
        chunks = encode_chunks(self.commissioned.registry(), self.clock.now_ms())
        session = self.sessions["telemetry"]
        return all(session.publish(registry_topic(number), chunk, 1, True) for number, chunk in enumerate(chunks))

    def _check_sessions(self) -> None:
        now_s = self.clock.monotonic_s()
        waits_for_room = any(accept.full for accept in self.accepts.values())  # one lane waits for the other one
        for session in self.sessions.values():
            if not session.alive() or (now_s - session.turned_at_s > STUCK_S and not waits_for_room):
                self._fail(RuntimeError(f"the session {session.link.client_id} is dead or stuck"))

    def inventory_changed(self) -> None:
        """Take in a change of the inventory now."""
        self.commissioned.refresh()
        self._registry_changed.set()

    def _refuse(self, refusals: list[Refusal]) -> None:
        """Keep what a store refused; while there is no room for it, the store waits."""
        while True:
            try:
                self.quarantine.refuse(refusals)
                return
            except StorageFull as error:
                if self._stopping.wait(1.0):
                    raise StoreError(str(error)) from error

    def positions(self) -> dict[str, int]:
        """How far each consumer of the journal has come."""
        found = {writer.store.name: writer.position for writer in self.writers}
        found["quarantine"] = self.quarantine.position()
        return {**found, **{name: position() for name, position in self._others.items()}}

    def keep_for(self, name: str, position: Callable[[], int]) -> None:
        """Another consumer of the journal, and how to ask it how far it is."""
        self._others[name] = position

    def canary_silent_s(self) -> float | None:
        """For how long no canary of the broker came; None when none ever did, for nobody sends any."""
        heard_s = self.canary_heard_s
        return None if heard_s is None else self.clock.monotonic_s() - heard_s

    def fail(self, error: BaseException) -> None:
        """A part that stands on ours has failed: the process must end."""
        self._fail(error)

    def hears(self) -> bool:
        """Whether the way from the devices to us stands: the sessions do, and a gateway spoke lately.

        Without it nobody can tell a silent device from a deaf platform.
        """
        now_s = self.clock.monotonic_s()
        return self.ready() and any(
            now_s - at_s < GATEWAY_SILENT_S_MAX for at_s in list(self._gateway_heard_s.values())
        )

    def ready(self) -> bool:
        """Whether the centre takes frames: every subscription stands and nothing failed."""
        return not self.failed.is_set() and all(session.connected for session in self.sessions.values())

    def _fail(self, error: BaseException) -> None:
        self.fatal = self.fatal or error
        self.failed.set()

    def stop(self) -> None:
        """Take nothing more, write what is in hand, let go."""
        for session in self.sessions.values():
            session.stop()
        self._stopping.set()
        self._registry_changed.set()
        for writer in self.writers:
            writer.stop()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(5.0)
        for store in self.stores:
            store.close()
        self.quarantine.close()
        self.journal.close()
