"""What a play gives: the columns of all readings, the inventory, the announced windows and the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from firmware_sim.physics.plan import Doubles, Floats, Instants, Numbers

DECIMALS = {"current_a": 3, "power_factor": 2, "energy_wh": 0}
"""How many digits after the point a value is reported with; one for all others."""


@dataclass(frozen=True)
class Text:
    """A column of words: an index into `words` for each reading, -1 = not reported."""

    words: tuple[str, ...]
    codes: npt.NDArray[np.int16]


@dataclass(frozen=True)
class Played:
    """All readings by the instant they were received. `device` counts the entries of `device_ids`.

    `values` has one column for each value, NaN = not reported. `events` are rows like those of the truth for what is
    no fault of a device but explains what was seen: gateways cut off from the centre, maintenance, snow.
    """

    inventory: list[dict[str, str]]
    sites: list[dict[str, str]]
    device_ids: list[str]
    device: npt.NDArray[np.int32]
    t_ms: Instants
    received_ms: Instants
    values: dict[str, Doubles]
    texts: dict[str, Text]
    windows: list[dict[str, str]]
    truth: list[dict[str, str]]
    events: list[dict[str, str]]

    def __len__(self) -> int:
        return len(self.device)


@dataclass
class Batch:
    """Readings of one sort on their way: columns of equal length; a column that is not there was not reported."""

    device: Numbers
    t_ms: Instants
    received_ms: Instants
    values: dict[str, Floats]
    texts: dict[str, npt.NDArray[np.int16]] = field(default_factory=dict)


def sorted_columns(
    batches: Sequence[Batch], words: dict[str, tuple[str, ...]]
) -> tuple[npt.NDArray[np.int32], Instants, Instants, dict[str, Doubles], dict[str, Text]]:
    """device, t_ms, received_ms, values and texts of all batches together, by the instant of receipt.

    The batches are emptied on the way: a month of a region is large.
    """
    received = np.concatenate([batch.received_ms for batch in batches])
    order = np.argsort(received, kind="stable")
    device = np.concatenate([batch.device.astype(np.int32) for batch in batches])[order]
    t_ms = np.concatenate([batch.t_ms for batch in batches])[order]
    names = list(dict.fromkeys(name for batch in batches for name in batch.values))
    values = {name: _gathered(batches, name, order) for name in names}
    texts = {}
    for name, known in words.items():
        absent = np.int16(-1)
        pieces = [batch.texts.get(name, np.full(len(batch.device), absent)) for batch in batches]
        texts[name] = Text(known, np.concatenate(pieces)[order])
    return device, t_ms, received[order], values, texts


def _gathered(batches: Sequence[Batch], name: str, order: Numbers) -> Doubles:
    column = np.full(len(order), np.nan, np.float32)
    at = 0
    for batch in batches:
        count = len(batch.device)
        if name in batch.values:
            column[at : at + count] = batch.values.pop(name)
        at += count
    # Rounded again as doubles, so that 35.2 is 35.2 and not its nearest single.
    doubles = column[order].astype(np.float64)
    return np.round(doubles, DECIMALS.get(name, 1), out=doubles)
