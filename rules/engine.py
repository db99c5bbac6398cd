"""The rules' state and what follows from readings and from time: columns of devices in, edges out.

What people see (the newest values, occupancy) follows each reading at once. What is judged waits until a minute is
over and all that belongs to it has come; then it goes through the judgement, which is what a backtest uses too. Nothing
here knows a database or a wall clock.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from core.inventory import Snapshot
from core.reading import Readings
from rules.batch import Batch, make_batch
from rules.edges import Edge
from rules.fleet import Fleet, make_fleet
from rules.judgement import STEP_MS, Judgement
from rules.keep import columns_of, prefixed, rows_as_columns, rows_from, take_back, ticked_ms, without
from rules.latest import NEVER_MS, LatestValues, grown
from rules.occupancy import DOUBTING, Occupancy
from rules.repairs import Repair
from rules.rows import Rows, Words, concat_rows, rows_of_readings
from rules.spec import Rule
from rules.windows import Window

SNAPSHOT_FORM = 4


class Engine:
    """One number for each device in each column; `fleet` says which device that is. `waiting` are the rows that nobody
    has judged, `recent` those judged since the oldest state that late ones can go back to.
    """

    def __init__(
        self, snapshot: Snapshot, rules: Mapping[str, Rule], now_ms: int, windows: Sequence[Window] = ()
    ) -> None:
        self.rules = rules
        self.windows = tuple(windows)
        self.words = Words()
        self.fleet: Fleet = make_fleet(snapshot)
        self.latest = LatestValues()
        self.occupancy = Occupancy()
        self.judgement = Judgement(rules, self.words, self.windows, self._history)
        self.repairs: list[Repair] = []
        self.waiting: list[Rows] = []
        self.recent: list[Rows] = []
        self._recent_since_ms = NEVER_MS
        self._begin(now_ms)

    def _begin(self, now_ms: int) -> None:
        self.stepped_ms = now_ms // STEP_MS * STEP_MS
        self.judgement.refresh(self.fleet, now_ms)
        self._grow()

    def _grow(self) -> None:
        self.latest.grow(len(self.fleet))
        self.occupancy.grow(len(self.fleet))

    def refresh(self, snapshot: Snapshot, now_ms: int) -> list[Edge]:
        """Take in a changed inventory; what is open on devices that are out of service ends."""
        if snapshot.version == self.fleet.version:
            return []
        self.fleet = make_fleet(snapshot, [device.device_id for device in self.fleet.devices])
        self._grow()
        edges = self.judgement.refresh(self.fleet, now_ms)
        self.occupancy.doubted = self.judgement.under(DOUBTING)
        return edges

    def repaired(self, repairs: Sequence[Repair]) -> None:
        """These were repaired, beside those that are known: what is measured from then on is learned anew."""
        if repairs:
            self.repairs += repairs
            self.judgement.repaired(self.repairs)

    def batch(self, readings: Readings, came_ms: NDArray[np.int64] | None = None) -> Batch:
        """The readings of devices that we know, made ready for `advance`; `came_ms` i8[n] when they came to us."""
        return make_batch(readings, self.fleet, came_ms)

    def advance(self, batch: Batch) -> NDArray[np.int32]:
        """Take in readings; the numbers of the sites about which they said something."""
        if not len(batch):
            return np.zeros(0, dtype=np.int32)
        self.latest.take(batch)
        came = replace(batch.readings, received_ms=np.maximum(batch.readings.received_ms, batch.came_ms))
        self.waiting.append(rows_of_readings(came, self.fleet, self.words))
        return self.occupancy.advance(batch, self.fleet)

    def step(self, now_ms: int, hears: bool) -> list[Edge]:
        """What follows from all that is known by now, up to the last full minute. `hears` False = we know that nobody
        could reach us.
        """
        until_ms = now_ms // STEP_MS * STEP_MS
        if until_ms <= self.stepped_ms:
            return []
        self.stepped_ms = until_ms
        rows = concat_rows(self.waiting)
        known = rows.own_known_ms <= until_ms
        later, now = rows.take(np.flatnonzero(~known)), rows.take(np.flatnonzero(known))
        self.waiting = [later] if len(later) else []
        if len(now):
            self.recent.append(now)
        edges = self.judgement.advance(now, until_ms, hears)
        self.occupancy.doubted = self.judgement.under(DOUBTING)
        self._forget_what_is_settled()
        return edges

    def _history(self, devices: NDArray[np.int64], after_ms: NDArray[np.int64], until_ms: NDArray[np.int64]) -> Rows:
        """The rows of some devices (sorted) after an instant each, as far as they were known until another."""
        rows = concat_rows([part.take(part.rows_of(devices)) for part in self.recent])
        place = np.searchsorted(devices, rows.device)
        return rows.take(np.flatnonzero((rows.t_ms > after_ms[place]) & (rows.own_known_ms <= until_ms[place])))

    def _forget_what_is_settled(self) -> None:
        late = self.judgement.late
        if late.kept_ms == self._recent_since_ms:
            return
        self._recent_since_ms, oldest_ms = late.kept_ms, late.kept[0].last_ms
        whole = concat_rows(self.recent)
        needed = whole.t_ms > grown(oldest_ms, len(self.fleet), NEVER_MS)[whole.device]
        self.recent = [whole.take(np.flatnonzero(needed))]

    def away(self, until_ms: int) -> None:
        """We were not there until now: nobody could be heard, and nobody is blamed for it. What came and waits is
        judged by the next step.
        """
        self.judgement.away(until_ms)

    def open_findings(self) -> set[tuple[str, str, str]]:
        """(rule, subject, episode) of all that the state knows as told and open."""
        return self.judgement.open_findings()

    # -- snapshots -------------------------------------------------------------------------------------------------

    def to_bytes(self, position: int) -> bytes:
        """The state after all readings before `position`."""
        columns: dict[str, NDArray[Any]] = dict(columns_of(self.judgement))
        for name, part in (("occupancy", self.occupancy), ("barriers", self.occupancy.barriers)):
            columns |= {f"{name}.{key}": value for key, value in vars(part).items() if isinstance(value, np.ndarray)}
        latest = self.latest
        columns |= {"latest.t_ms": latest.t_ms, "latest.received_ms": latest.received_ms}
        columns["latest.quality"] = latest.quality
        for name, (numbers, times) in latest.numbers.items():
            columns |= {f"number.{name}": numbers, f"number_ms.{name}": times}
        for name, (texts, times) in latest.texts.items():
            told = np.array(["" if text is None else text for text in texts], dtype=np.str_)
            columns |= {f"text.{name}": told, f"text_ms.{name}": times}
        columns |= prefixed("wait.", rows_as_columns(concat_rows(self.waiting)))
        file = io.BytesIO()
        np.savez(
            file,
            form=np.array([SNAPSHOT_FORM]),
            position=np.array([position]),
            stepped_ms=np.array([self.stepped_ms]),
            device_ids=np.array([device.device_id for device in self.fleet.devices], dtype=np.str_),
            words=np.array(self.words.words, dtype=np.str_),
            allow_pickle=False,
            **columns,
        )
        return file.getvalue()

    def restore(self, data: bytes, snapshot: Snapshot) -> int:
        """Become what `to_bytes` wrote, with today's inventory and rules; its position. Raises ValueError, KeyError."""
        columns = _columns_of(data)
        if int(columns["form"][0]) != SNAPSHOT_FORM:
            raise ValueError(f"a snapshot of form {int(columns['form'][0])}, this program knows {SNAPSHOT_FORM}")
        self.words.take(columns["words"].tolist())
        self.fleet = make_fleet(snapshot, columns["device_ids"].tolist())
        self.judgement = Judgement(self.rules, self.words, self.windows, self._history)
        self.judgement.ticked_ms = ticked_ms(columns)
        self.judgement.refresh(self.fleet, self.judgement.ticked_ms)
        take_back(self.judgement, columns)
        self.judgement.refresh(self.fleet, self.judgement.ticked_ms)
        self.judgement.repaired(self.repairs)
        self.recent, self._recent_since_ms = [], NEVER_MS
        self.stepped_ms = int(columns["stepped_ms"][0])
        for name, part in (("occupancy", self.occupancy), ("barriers", self.occupancy.barriers)):
            for key, value in without(columns, f"{name}.").items():
                setattr(part, key, value)
        for key, value in without(columns, "latest.").items():
            setattr(self.latest, key, value)
        self.latest.numbers = {
            key: (value, columns[f"number_ms.{key}"]) for key, value in without(columns, "number.").items()
        }
        self.latest.texts = {
            key: (value.astype(np.object_), columns[f"text_ms.{key}"])
            for key, value in without(columns, "text.").items()
        }
        self.waiting = [rows_from(without(columns, "wait."))]
        self._grow()
        return int(columns["position"][0])


def _columns_of(data: bytes) -> dict[str, NDArray[Any]]:
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as told:
            return dict(told)
    except (BadZipFile, OSError, EOFError, KeyError, ValueError) as error:
        raise ValueError(f"these {len(data)} bytes are no whole snapshot: {error}") from error


def read_snapshot(path: Path) -> bytes | None:
    """The newest snapshot; None when there is none."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
