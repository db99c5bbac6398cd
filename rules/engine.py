"""The rules' state and what follows from readings and from time: columns of devices in, edges out.

A function of the readings in the order of the journal and of the instants at which `tick` is called; nothing here
knows a database or a wall clock. (First cut: three rules and occupancy; rules as data come with the engine proper.)
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from core.inventory import Snapshot
from core.reading import Readings
from rules import lamp_out, silent
from rules.batch import Batch, make_batch
from rules.edges import Edge
from rules.fleet import Fleet, make_fleet
from rules.lamp_out import LampOut
from rules.latest import LatestValues
from rules.occupancy import Occupancy
from rules.silent import Silent

SNAPSHOT_FORM = 1
OUT_OF_SERVICE = "Das Gerät ist nicht mehr in Betrieb."


class Engine:
    """One number for each device in each column; `fleet` says which device that is."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.fleet: Fleet = make_fleet(snapshot)
        self.latest = LatestValues()
        self.lamp_out = LampOut()
        self.silent = Silent()
        self.occupancy = Occupancy()
        self._grow()

    def _parts(self) -> tuple[LatestValues, LampOut, Silent, Occupancy]:
        return self.latest, self.lamp_out, self.silent, self.occupancy

    def _grow(self) -> None:
        for part in self._parts():
            part.grow(len(self.fleet))

    def refresh(self, snapshot: Snapshot, now_ms: int) -> list[Edge]:
        """Take in a changed inventory; what is open on devices that are out of service ends."""
        if snapshot.version == self.fleet.version:
            return []
        self.fleet = make_fleet(snapshot, [device.device_id for device in self.fleet.devices])
        self._grow()
        gone = ~self.fleet.live
        return [
            *self.lamp_out.end_all(self.fleet, gone, now_ms, OUT_OF_SERVICE),
            *self.silent.end_all(self.fleet, gone, now_ms, OUT_OF_SERVICE),
        ]

    def batch(self, readings: Readings) -> Batch:
        """The readings of devices that we know, made ready for `advance`."""
        return make_batch(readings, self.fleet)

    def advance(self, batch: Batch) -> tuple[list[Edge], NDArray[np.int32]]:
        """What follows from readings, and the numbers of the sites about which they said something."""
        if not len(batch):
            return [], np.zeros(0, dtype=np.int32)
        self.latest.take(batch)
        edges = [*self.silent.advance(batch, self.fleet), *self.lamp_out.advance(batch, self.fleet)]
        return edges, self.occupancy.advance(batch, self.fleet)

    def tick(self, now_ms: int, listening_since_ms: int) -> list[Edge]:
        """What follows from time alone: who should have spoken. Silence before `listening_since_ms` is our own."""
        return list(self.silent.tick(self.fleet, self.latest.received_ms, now_ms, listening_since_ms))

    def _columns(self) -> tuple[tuple[str, object], ...]:
        """The parts whose state is columns and nothing else, by the name they have in snapshots."""
        return (
            ("lamp_out", self.lamp_out),
            ("silent", self.silent),
            ("occupancy", self.occupancy),
            ("barriers", self.occupancy.barriers),
        )

    # -- snapshots -------------------------------------------------------------------------------------------------

    def to_bytes(self, position: int) -> bytes:
        """The state after all readings before `position`."""
        columns: dict[str, NDArray[Any]] = {}
        for name, part in self._columns():
            columns |= {f"{name}.{key}": value for key, value in vars(part).items() if isinstance(value, np.ndarray)}
        latest = self.latest
        columns |= {
            "latest.t_ms": latest.t_ms,
            "latest.received_ms": latest.received_ms,
            "latest.quality": latest.quality,
        }
        for name, (numbers, times) in latest.numbers.items():
            columns |= {f"number.{name}": numbers, f"number_ms.{name}": times}
        for name, (texts, times) in latest.texts.items():
            told = np.array(["" if text is None else text for text in texts], dtype=np.str_)
            columns |= {f"text.{name}": told, f"text_ms.{name}": times}
        groups = [list(pair) for pair in self.silent.groups.items()]
        file = io.BytesIO()
        np.savez(
            file,
            form=np.array([SNAPSHOT_FORM]),
            position=np.array([position]),
            device_ids=np.array([device.device_id for device in self.fleet.devices], dtype=np.str_),
            groups=np.array(groups, dtype=np.str_),
            allow_pickle=False,
            **columns,
        )
        return file.getvalue()

    def restore(self, data: bytes, snapshot: Snapshot) -> int:
        """Become what `to_bytes` wrote, with today's inventory; returns its position. Raises ValueError."""
        columns = _columns_of(data)
        if int(columns["form"][0]) != SNAPSHOT_FORM:
            raise ValueError(f"a snapshot of form {int(columns['form'][0])}, this program knows {SNAPSHOT_FORM}")
        self.fleet = make_fleet(snapshot, columns["device_ids"].tolist())
        for name, part in self._columns():
            for key, value in _with_prefix(columns, f"{name}."):
                setattr(part, key, value)
        self.silent.groups = dict(columns["groups"].tolist()) if columns["groups"].size else {}
        for key, value in _with_prefix(columns, "latest."):
            setattr(self.latest, key, value)
        self.latest.numbers = {
            key: (value, columns[f"number_ms.{key}"]) for key, value in _with_prefix(columns, "number.")
        }
        self.latest.texts = {
            key: (value.astype(np.object_), columns[f"text_ms.{key}"]) for key, value in _with_prefix(columns, "text.")
        }
        self._grow()
        return int(columns["position"][0])

    def know_open(self, episodes: Iterable[tuple[str, str, str, int]]) -> None:
        """Let the database say which episodes (rule, subject, episode, since) are open: what it holds is the truth."""
        self.lamp_out.open_since_ms[:] = -1
        self.silent.open_heard_ms[:] = -1
        self.silent.groups.clear()
        for rule, subject, episode, since_ms in episodes:
            number = self.fleet.number.get(subject)
            if rule == lamp_out.RULE and number is not None:
                self.lamp_out.open_since_ms[number] = since_ms
            elif rule == silent.RULE and number is not None:
                self.silent.open_heard_ms[number] = int(episode)
            elif rule in (silent.CIRCUIT_RULE, silent.OURSELVES_RULE):
                self.silent.groups[subject] = episode


def _columns_of(data: bytes) -> dict[str, NDArray[Any]]:
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as told:
            return dict(told)
    except (BadZipFile, OSError, EOFError, KeyError, ValueError) as error:
        raise ValueError(f"these {len(data)} bytes are no whole snapshot: {error}") from error


def _with_prefix(columns: Mapping[str, NDArray[Any]], prefix: str) -> Iterator[tuple[str, NDArray[Any]]]:
    for name, column in columns.items():
        if name.startswith(prefix):
            yield name.removeprefix(prefix), column


def read_snapshot(path: Path) -> bytes | None:
    """The newest snapshot; None when there is none."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
