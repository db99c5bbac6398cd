"""The newest value of each name for each device: what people see when they ask how a device is."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from core.kinds import KINDS
from core.reading import Quality, Readings, Scalar, typed
from rules.batch import Batch
from rules.fleet import Fleet

NEVER_MS = -1


def grown(array: NDArray, length: int, fill: object) -> NDArray:  # type: ignore[type-arg]  # any kind of column
    """The column with room for `length` devices."""
    if len(array) >= length:
        return array
    return np.concatenate([array, np.full(length - len(array), fill, dtype=array.dtype)])


def newest_first(rows: NDArray[np.int64], *keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """The rows so that of two for the same place the newer comes last, which is the one an assignment keeps."""
    return rows[np.lexsort([key[rows] for key in reversed(keys)])]


@dataclass(eq=False)
class LatestValues:
    """n devices. `t_ms`, `received_ms` i8[n] of the newest reading, -1 = never heard; `quality` u1[n].

    `numbers` {name: (f8[n], i8[n] when it was measured)} · `texts` {name: (objects[n], i8[n])}, made when first needed.
    """

    t_ms: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    received_ms: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    quality: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, dtype=np.uint8))
    numbers: dict[str, tuple[NDArray[np.float64], NDArray[np.int64]]] = field(default_factory=dict)
    texts: dict[str, tuple[NDArray[np.object_], NDArray[np.int64]]] = field(default_factory=dict)

    def grow(self, length: int) -> None:
        """Room for so many devices."""
        self.t_ms = grown(self.t_ms, length, NEVER_MS)
        self.received_ms = grown(self.received_ms, length, NEVER_MS)
        self.quality = grown(self.quality, length, 0)
        for name, (values, times) in self.numbers.items():
            self.numbers[name] = (grown(values, length, np.nan), grown(times, length, NEVER_MS))
        for name, (texts, times) in self.texts.items():
            self.texts[name] = (grown(texts, length, None), grown(times, length, NEVER_MS))

    def take(self, batch: Batch) -> None:
        """Take in a batch. What is older than what is known changes nothing."""
        readings, device = batch.readings, batch.device
        rows = np.arange(len(batch))
        rows = newest_first(rows, readings.t_ms, readings.seq)
        rows = rows[readings.t_ms[rows] >= self.t_ms[device[rows]]]
        self.t_ms[device[rows]] = readings.t_ms[rows]
        self.quality[device[rows]] = readings.quality[rows]
        np.maximum.at(self.received_ms, device, readings.received_ms)
        for number, name in enumerate(readings.names):
            self._take_numbers(name, readings, device, np.flatnonzero(readings.number_name == number))
            self._take_texts(name, readings, device, np.flatnonzero(readings.text_name == number))

    def _take_numbers(self, name: str, readings: Readings, device: NDArray[np.int64], chosen: NDArray[np.intp]) -> None:
        if not len(chosen):
            return
        if name not in self.numbers:
            self.numbers[name] = (np.full(len(self.t_ms), np.nan), np.full(len(self.t_ms), NEVER_MS, dtype=np.int64))
        values, times = self.numbers[name]
        row = readings.number_row[chosen]
        order = np.lexsort((readings.seq[row], readings.t_ms[row]))
        row, chosen = row[order], chosen[order]
        newer = readings.t_ms[row] >= times[device[row]]
        values[device[row[newer]]] = readings.numbers[chosen[newer]]
        times[device[row[newer]]] = readings.t_ms[row[newer]]

    def _take_texts(self, name: str, readings: Readings, device: NDArray[np.int64], chosen: NDArray[np.intp]) -> None:
        if not len(chosen):
            return
        if name not in self.texts:
            empty = np.full(len(self.t_ms), None, dtype=np.object_)
            self.texts[name] = (empty, np.full(len(self.t_ms), NEVER_MS, dtype=np.int64))
        texts, times = self.texts[name]
        every = np.array(readings.texts, dtype=np.object_)
        row = readings.text_row[chosen]
        order = np.lexsort((readings.seq[row], readings.t_ms[row]))
        row, chosen = row[order], chosen[order]
        newer = readings.t_ms[row] >= times[device[row]]
        texts[device[row[newer]]] = every[chosen[newer]]
        times[device[row[newer]]] = readings.t_ms[row[newer]]

    def of(self, number: int, fleet: Fleet) -> tuple[dict[str, Scalar], dict[str, int]]:
        """The newest values of one device by name, and when each was measured (Unix ms)."""
        kind = KINDS[int(fleet.kind[number])]
        values: dict[str, Scalar] = {}
        times: dict[str, int] = {}
        for name, (numbers, measured_ms) in self.numbers.items():
            if measured_ms[number] != NEVER_MS:
                values[name] = typed(kind, name, float(numbers[number]))
                times[name] = int(measured_ms[number])
        for name, (texts, measured_ms) in self.texts.items():
            if measured_ms[number] != NEVER_MS:
                values[name] = str(texts[number])
                times[name] = int(measured_ms[number])
        return values, times

    def word(self, number: int) -> str:
        """The quality of the newest reading of one device."""
        return Quality(int(self.quality[number])).word
