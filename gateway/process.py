"""A gateway put together: sessions to the broker, intakes, spool, uplink. `start` connects, `stop` lets go in order.

devices ── native session ─┐
SOS buttons ─ SOS session ─┼→ intake → spool → uplink ── uplink session → centre
network servers ─ session ─┘
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from core.clock import MS_PER_S, Clock
from core.mqtt import Intake as MqttIntake
from core.mqtt import Link, Message, Session
from core.registry import Registry, RegistryCollector, RegistryError
from core.settings import Login, Settings
from core.settings_tables import GatewaySettings
from core.sqlite import Database, StorageFull
from core.topics import (
    CENTRE_TOPIC,
    NATIVE_FILTER,
    NATIVE_SOS_FILTER,
    REGISTRY_FILTER,
    ack_topic,
    parse_native,
    status_topic,
)
from gateway import chirpstack, things_stack
from gateway.check import ClockLimits
from gateway.chirpstack import ChirpStackSource
from gateway.courtesy import DownAcks
from gateway.intake import Intake
from gateway.lorawan import Radio
from gateway.native import NativeSource
from gateway.sessions import SessionTracker
from gateway.source import Source
from gateway.spool import MIB, Spool
from gateway.status import status_of
from gateway.things_stack import ThingsStackSource
from gateway.uplink import Uplink, Window

log = logging.getLogger(__name__)

MS_PER_DAY = 86_400_000
STATUS_S = 10.0
STUCK_S = 60.0
SOS_RECONNECT_S_MAX = 2.0
RECONNECT_S_MAX = 10.0
UPLINK_BATCH_MAX = 200
KEPT_SESSION = "session/"
KEPT_REGISTRY = "registry/"


class Gateway:
    """One gateway process."""

    def __init__(self, settings: Settings, data: Path, clock: Clock) -> None:
        self.settings = settings
        self.clock = clock
        own = settings.gateway
        self.spool = Spool(Database(data / f"spool-{own.id}.db"), clock, own.spool_mib_max * MIB)
        self.registry = Registry()
        self.tracker = SessionTracker()
        self.fatal: BaseException | None = None
        self.failed = threading.Event()
        self._collector = RegistryCollector()
        self._radio_started = False
        self._greeted = threading.Event()
        self.uplink_session = self._make_uplink_session()
        self.uplink = Uplink(
            own.id,
            self.spool,
            Window(settings.uplink.window_frames, settings.uplink.resend_s),
            self.uplink_session.publish,
            clock,
            settings.uplink.frame_bytes_max,
            self._fail,
        )
        self.intakes: dict[str, Intake] = {}
        self.sessions: dict[str, Session] = {}
        self._make_lanes()

    # -- putting together ------------------------------------------------------------------------------------------

    def _make_uplink_session(self) -> Session:
        own = self.settings.gateway.id
        link = _link(self.settings.uplink_login(), f"gw-{own}-up", clean=True)
        filters = (ack_topic(own), CENTRE_TOPIC, REGISTRY_FILTER)
        intake = MqttIntake(filters, self._hear_centre, UPLINK_BATCH_MAX, 0.0)
        return Session(link, intake, self._fail, lambda: self.uplink.start_over(), self.clock)

    def _make_lanes(self) -> None:
        radio = Radio(self.registry, self.tracker)
        network_servers: dict[str, Source] = {
            "chirpstack4": ChirpStackSource(radio),
            "things_stack3": ThingsStackSource(radio),
        }
        for name, filters in _lane_filters(self.settings.gateway).items():
            wanted: list[Source] = [NativeSource()]
            if name == "radio":
                wanted = [network_servers[each] for each in self.settings.gateway.sources if each in network_servers]
            self._make_lane(name, "sos" if name == "sos" else "telemetry", filters, wanted)

    def _make_lane(self, name: str, lane: str, filters: tuple[str, ...], sources: list[Source]) -> None:
        own = self.settings.gateway
        link = _link(self.settings.broker_login(), _client_id(own.id, name), clean=False, urgent=lane == "sos")
        wait_s = 0.0 if lane == "sos" else own.group_wait_ms / MS_PER_S
        session = Session(
            link,
            MqttIntake(filters, lambda messages: self._take(name, messages), own.group_records_max, wait_s),
            self._fail,
            clock=self.clock,
        )
        down = DownAcks(lambda topic, payload: session.publish(topic, payload), self.clock, own.down_acks_per_s)
        self.sessions[name] = session
        self.intakes[name] = Intake(
            own.id,
            lane,
            [(_speaks(source), source) for source in sources],
            self.spool,
            self.clock,
            _clock_limits(own),
            session.acknowledge,
            down.tell if name != "radio" else lambda messages, batch: None,
            self._session_changes if name == "radio" else dict,
            lambda seconds: not session.stopping_within(seconds),
            _is_sos if name == "native" else (lambda topic: False),
            self.settings.uplink.frame_bytes_max,
        )

    def _session_changes(self) -> dict[str, bytes]:
        return {KEPT_SESSION + key: value for key, value in self.tracker.take_changes().items()}

    # -- running ---------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Open the spool, then connect. Raises StorageError when the spool can't be used."""
        self.spool.open()
        kept = self.spool.kept()
        self.tracker.load({key[len(KEPT_SESSION) :]: kept[key] for key in kept if key.startswith(KEPT_SESSION)})
        for key in sorted(key for key in kept if key.startswith(KEPT_REGISTRY)):
            self._learn(kept[key])
        self.uplink.start()
        self.uplink_session.start()
        for name, session in self.sessions.items():
            if name != "radio":
                session.start()

    def _take(self, name: str, messages: list[Message]) -> None:
        self.intakes[name].handle(messages)
        self.uplink.wake()

    def _hear_centre(self, messages: list[Message]) -> None:
        if any(message.topic == CENTRE_TOPIC for message in messages):
            self._greeted.set()  # a centre that has just come knows nothing of us yet
        chunks = [message for message in messages if message.topic.startswith("partheland/registry/")]
        for chunk in chunks:
            try:
                self.spool.keep(KEPT_REGISTRY + chunk.topic.rsplit("/", 1)[1], chunk.payload)
            except StorageFull as error:  # the broker retains it and says it again
                log.warning("the registry is known but not kept: %s", error)
            self._learn(chunk.payload)
        self.uplink.handle([message for message in messages if message not in chunks])
        self.uplink_session.acknowledge(messages)

    def _learn(self, chunk: bytes) -> None:
        """What the centre says of devices; network servers are heard only when it is known (their devices have no
        name without it).
        """
        try:
            entries = self._collector.add(chunk)
        except RegistryError as error:
            log.warning("a part of the registry is ignored: %s", error)
            return
        if entries is None:
            return
        self.registry.replace(entries, self._collector.version)
        if not self._radio_started and "radio" in self.sessions:
            self.sessions["radio"].start()
            self._radio_started = True  # only now: the watchdog must not find a session that is yet to start

    def watch(self, tick: Callable[[], bool]) -> None:
        """Say how we are every 10 s and to a centre that greets, and see that no thread is dead or stuck, until `tick`
        is False or one failed.
        """
        said_at_s = float("-inf")
        while tick() and not self.failed.is_set():
            now_s = self.clock.monotonic_s()
            if self._greeted.is_set():
                self._greeted.clear()
                said_at_s = float("-inf")
            if now_s - said_at_s >= STATUS_S and self.say_status():
                said_at_s = now_s
            self._check_threads(now_s)

    def say_status(self) -> bool:
        """Publish the status; False when there is no connection."""
        status = status_of(self.settings.gateway.id, self.spool, self.intakes, self.clock.now_ms())
        return self.uplink_session.publish(status_topic(status.gateway), msgspec.json.encode(status))

    def _check_threads(self, now_s: float) -> None:
        started = [self.uplink_session, *(s for n, s in self.sessions.items() if n != "radio" or self._radio_started)]
        for session in started:
            waits_for_room = any(intake.full for intake in self.intakes.values())
            if not session.alive() or (now_s - session.turned_at_s > STUCK_S and not waits_for_room):
                self._fail(RuntimeError(f"the session {session.link.client_id} is dead or stuck"))
        if not self.uplink.alive():
            self._fail(RuntimeError("the uplink is dead"))

    def ready(self) -> bool:
        """Whether every subscription stands."""
        return self.uplink_session.connected and all(
            session.connected for name, session in self.sessions.items() if name != "radio"
        )

    def _fail(self, error: BaseException) -> None:
        self.fatal = self.fatal or error
        self.failed.set()

    def stop(self) -> None:
        """Take nothing more, commit what is in hand, let go."""
        for session in self.sessions.values():
            session.stop()
        self.uplink.stop()
        self.uplink_session.stop()
        self.spool.close()


def durable_sessions(settings: Settings) -> list[tuple[str, tuple[str, ...]]]:
    """(client id, filters) of every session the broker must keep while this gateway is away."""
    own = settings.gateway
    return [(_client_id(own.id, name), filters) for name, filters in _lane_filters(own).items()]


def _client_id(gateway: str, lane: str) -> str:
    return f"gw-{gateway}-{lane}"


def _lane_filters(own: GatewaySettings) -> dict[str, tuple[str, ...]]:
    """What each session listens to; a gateway that hears no source of a session has none of it."""
    network_servers = {"chirpstack4": (chirpstack.FILTER,), "things_stack3": things_stack.FILTERS}
    lanes: dict[str, tuple[str, ...]] = {}
    if "native" in own.sources:
        lanes = {"sos": (NATIVE_SOS_FILTER,), "native": (NATIVE_FILTER,)}
    radio = tuple(each for name in own.sources for each in network_servers.get(name, ()))
    return {**lanes, "radio": radio} if radio else lanes


def _link(login: Login, client_id: str, clean: bool, urgent: bool = False) -> Link:
    pause_s = SOS_RECONNECT_S_MAX if urgent else RECONNECT_S_MAX
    return Link(login.host, login.port, client_id, login.username, login.password, clean=clean, reconnect_s_max=pause_s)


def _clock_limits(own: GatewaySettings) -> ClockLimits:
    behind_ms = own.clock_behind_days_max * MS_PER_DAY or None
    return ClockLimits(own.clock_ahead_s_max * MS_PER_S, behind_ms)


def _is_sos(topic: str) -> bool:
    """Whether the SOS session hears this topic, too. Not by "/sos/" in it: a lamp may bear that name."""
    parts = parse_native(topic)
    return parts is not None and parts.kind == "sos"


def _speaks(source: Source) -> Callable[[str], bool]:
    prefixes = tuple(topic_filter.split("+", 1)[0] for topic_filter in source.filters)
    return lambda topic: topic.startswith(prefixes)
