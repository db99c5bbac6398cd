"""Frames as a gateway would send them, and a centre that takes them without a broker."""

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from argon2 import PasswordHasher

from api.accounts import Accounts
from api.centre import Centre
from api.passwords import Passwords
from core import frame as frames
from core.clock import ManualClock
from core.device import Device
from core.frame import Frame, Refusal
from core.inventory import Inventory
from core.inventory_csv import parse_inventory
from core.mqtt_client import Message
from core.reading import Scalar, from_rows
from core.relational import Relational
from core.settings import Settings
from core.topics import uplink_topic
from ingest.duck import DuckStore
from ingest.process import Ingest
from rules.process import RULES_FOLDER, Rules
from tests.support.platform import until

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
T0 = 1_768_068_000_000  # 2026-01-10T18:00:00Z
DARK_LAMP = Path(__file__).with_name("dark_lamp.toml")


def own_rules(data: Path, late: str = "1h") -> None:
    """Rules of the town's own in a folder of data: a lamp is dark after 20 minutes and two samples."""
    folder = data / RULES_FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    text = DARK_LAMP.read_text(encoding="utf-8").replace('late = "1h"', f'late = "{late}"')
    (folder / DARK_LAMP.name).write_text(text, encoding="utf-8")


@dataclass(frozen=True)
class Said:
    """One reading: who, when, number, values."""

    device_id: str
    seq: int
    values: Mapping[str, Scalar]
    kind: str = "lamp"
    t_ms: int = T0
    boot: int = 1


def lamps(count: int, device_id: str = "NAU-L1", first: int = 0) -> list[Said]:
    """`count` readings of one lamp, a second apart."""
    numbers = range(first, first + count)
    return [Said(device_id, seq, {"power_w": 30.0 + seq, "dim_pct": 100.0}, t_ms=T0 + 1000 * seq) for seq in numbers]


def refused(code: str = "not_json", raw: bytes = b'{"t":', device_id: str = "", scope: str = "message") -> Refusal:
    """What a gateway could not take."""
    return Refusal(code, "a reason for people", scope, "partheland/naunhof/lamp/x/up", device_id, "", T0, raw)


def make_frame(
    said: Sequence[Said] = (),
    refusals: Iterable[Refusal] = (),
    first_seq: int = 1,
    gateway: str = "gw1",
    epoch: int = 1,
    lane: str = "telemetry",
) -> Frame:
    """A sealed batch; each reading came in a message of its own."""
    readings = from_rows(
        [one.device_id for one in said],
        [one.kind for one in said],
        [one.t_ms for one in said],
        [one.t_ms + 250 for one in said],
        [one.boot for one in said],
        [one.seq for one in said],
        [one.values for one in said],
    )
    raws = tuple(f'{{"seq":{one.seq}}}'.encode() for one in said)
    message = np.arange(len(said), dtype=np.uint32)
    return Frame(gateway, epoch, first_seq, lane, readings, message, raws, tuple(refusals))


def message_of(frame: Frame) -> Message:
    """The message that carries a frame."""
    return Message(uplink_topic(frame.gateway, frame.lane), frames.pack([frames.encode(frame)]), 0, 0, False)


class FedCentre:
    """Ingest with one DuckDB store; frames come from `take` instead of a broker."""

    def __init__(self, folder: Path, settings: Settings | None = None) -> None:
        self.folder = folder
        own_rules(folder)
        self.clock = ManualClock(T0 + 3_600_000)
        self.settings = settings or Settings()
        self.database = Relational(folder / "platform.db")
        self.inventory = Inventory(self.database)
        self.store = DuckStore(folder / "readings.duckdb")
        self.inventory.open()
        self.ingest = Ingest(self.settings, folder, self.clock, self.inventory, [self.store])
        self.rules = Rules(
            self.database,
            self.inventory,
            self.ingest.journal,
            self.clock,
            folder,
            on_fatal=lambda _: None,
            hears=lambda: True,
        )
        self.accounts = Accounts(self.database, self.clock, Passwords(CHEAP))

    def parts(self, settings: Settings, dev: bool) -> Centre:
        """What the HTTP face stands on."""
        return Centre(self.ingest, self.inventory, [self.store], self.rules, self.accounts, self.clock, settings, dev)

    def open(self) -> None:
        """Everything but the sessions to the broker."""
        self.ingest.journal.open()
        self.ingest.quarantine.open()
        self.ingest.inventory_changed()
        self.rules.load()
        for writer in self.ingest.writers:
            writer.rng = random.Random(1)
            writer.start()
        self.rules.start()
        until("the store is open", lambda: all(one.state().position is not None for one in self.ingest.writers), 20)

    def commission(self, *devices: Device) -> None:
        """Put devices into the inventory."""
        self.inventory.apply(devices, [], T0, "test")
        self.ingest.inventory_changed()

    def import_rows(self, text: str) -> None:
        """Put the right rows of a CSV into the inventory."""
        self.commission(*parse_inventory(text).devices)

    def take(self, *taken: Frame) -> None:
        """As if these frames came over MQTT; returns when the store and the quarantine have them."""
        for frame in taken:
            self.ingest.accepts[frame.lane].handle([message_of(frame)])
        journal, quarantine = self.ingest.journal, self.ingest.quarantine
        if quarantine.position() < journal.head:
            quarantine.take(journal.read(quarantine.position(), journal.head), journal.head)
        until("the rules are up to date", lambda: self.rules.position == journal.head, 20)
        until("the store is up to date", lambda: self.ingest.writers[0].position == journal.head, 20)

    def take_and_judge(self, *taken: Frame) -> None:
        """The same, and then so much time goes by that it has been judged."""
        self.take(*taken)
        self.settle()

    def settle(self) -> None:
        """So much time goes by that all that was said has been judged."""
        self.clock.ms += 120_000
        self.rules.tick()

    def close(self) -> None:
        """Let go of everything."""
        self.rules.stop()
        self.ingest.stop()
        self.store.close()
        self.inventory.close()


@contextmanager
def fed_centre(folder: Path, settings: Settings | None = None) -> Iterator[FedCentre]:
    """An open centre with two commissioned lamps."""
    centre = FedCentre(folder, settings)
    try:
        centre.open()
        lamp = Device(device_id="NAU-L1", kind="lamp", town="naunhof")
        centre.commission(lamp, replace(lamp, device_id="BRA-L2", town="brandis", stage="installed"))
        yield centre
    finally:
        centre.close()
