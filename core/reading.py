"""Readings as columns: what devices said, many at a time.

Values stand in long form (row, name, number), because kinds differ in what they report and most of a wide table would
be empty; a consumer widens one kind at a time with `Readings.column`. Missing is not zero: a value that was not
reported has no row, and `column` gives NaN there. Why numpy and not Arrow: docs/decisions/0001-columns.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from core.kinds import KIND_NUMBER, KINDS, VALUES, Form

Scalar = float | bool | str


class Quality(IntEnum):
    """How far a reading is to be believed; the number stands in frames on disk."""

    GOOD = 0
    SUSPICIOUS = 1  # a value of it was refused, or contradicts what is known of the device
    CLOCK_SUSPECT = 2  # the device's clock was absurd: t is the time of receipt

    @property
    def word(self) -> str:
        """The name as the API gives it."""
        return self.name.lower()


@dataclass(frozen=True, eq=False)
class Readings:
    """n readings with m numbers and k texts. Times are Unix ms, UTC.

    `device_ids` n ids · `kind` u1[n] (index of KINDS) · `t_ms`, `received_ms`, `boot`, `seq` i8[n] · `quality` u1[n]
    `number_row` u4[m] row of each number · `number_name` u4[m] index into `names` · `numbers` f8[m] (flags are 0, 1)
    `text_row` u4[k] · `text_name` u4[k] · `texts` k strings
    """

    device_ids: tuple[str, ...]
    kind: NDArray[np.uint8]
    t_ms: NDArray[np.int64]
    received_ms: NDArray[np.int64]
    boot: NDArray[np.int64]
    seq: NDArray[np.int64]
    quality: NDArray[np.uint8]
    names: tuple[str, ...]
    number_row: NDArray[np.uint32]
    number_name: NDArray[np.uint32]
    numbers: NDArray[np.float64]
    text_row: NDArray[np.uint32]
    text_name: NDArray[np.uint32]
    texts: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.device_ids)

    def select(self, keep: NDArray[np.bool_]) -> Readings:
        """The readings where `keep` (bool[n]) holds, in the same order."""
        if keep.all():
            return self
        new_row = np.cumsum(keep, dtype=np.uint32) - np.uint32(1)
        number_kept = keep[self.number_row]
        text_kept = keep[self.text_row]
        rows = np.flatnonzero(keep).tolist()
        return Readings(
            device_ids=tuple([self.device_ids[row] for row in rows]),
            kind=self.kind[keep],
            t_ms=self.t_ms[keep],
            received_ms=self.received_ms[keep],
            boot=self.boot[keep],
            seq=self.seq[keep],
            quality=self.quality[keep],
            names=self.names,
            number_row=new_row[self.number_row[number_kept]],
            number_name=self.number_name[number_kept],
            numbers=self.numbers[number_kept],
            text_row=new_row[self.text_row[text_kept]],
            text_name=self.text_name[text_kept],
            texts=tuple(text for text, kept in zip(self.texts, text_kept.tolist(), strict=True) if kept),
        )

    def with_quality(self, quality: NDArray[np.uint8]) -> Readings:
        """The same readings with another quality column (u1[n])."""
        return replace(self, quality=quality)

    def with_times(self, t_ms: NDArray[np.int64]) -> Readings:
        """The same readings with other event times (i8[n])."""
        return replace(self, t_ms=t_ms)

    def without_values(self, numbers: NDArray[np.bool_], texts: NDArray[np.bool_]) -> Readings:
        """The same readings without the marked numbers (bool[m]) and texts (bool[k])."""
        return replace(
            self,
            number_row=self.number_row[~numbers],
            number_name=self.number_name[~numbers],
            numbers=self.numbers[~numbers],
            text_row=self.text_row[~texts],
            text_name=self.text_name[~texts],
            texts=tuple(text for text, out in zip(self.texts, texts.tolist(), strict=True) if not out),
        )

    def column(self, name: str) -> NDArray[np.float64]:
        """One value for every reading, f8[n]; NaN where it was not reported. Flags are 0 and 1."""
        wide = np.full(len(self), np.nan)
        if name in self.names:
            chosen = self.number_name == self.names.index(name)
            wide[self.number_row[chosen]] = self.numbers[chosen]
        return wide

    def text_column(self, name: str) -> list[str | None]:
        """One text value for every reading; None where it was not reported."""
        wide: list[str | None] = [None] * len(self)
        if name in self.names:
            number = self.names.index(name)
            for row, text_name, text in zip(self.text_row.tolist(), self.text_name.tolist(), self.texts, strict=True):
                if text_name == number:
                    wide[row] = text
        return wide

    def value_dicts(self) -> list[dict[str, Scalar]]:
        """Each reading's values by name, typed as its kind's table says: for people and JSON, not for bulk."""
        found: list[dict[str, Scalar]] = [{} for _ in range(len(self))]
        kinds = [KINDS[number] for number in self.kind.tolist()]
        for row, name, number in zip(
            self.number_row.tolist(), self.number_name.tolist(), self.numbers.tolist(), strict=True
        ):
            found[row][self.names[name]] = typed(kinds[row], self.names[name], number)
        for row, name, text in zip(self.text_row.tolist(), self.text_name.tolist(), self.texts, strict=True):
            found[row][self.names[name]] = text
        return found


def typed(kind: str, name: str, number: float) -> float | bool:
    """A stored number as its kind's table says: flags become bool."""
    value = VALUES[kind].get(name)
    return bool(number) if value is not None and value.form is Form.FLAG else number


def from_rows(
    device_ids: Sequence[str],
    kinds: Sequence[str],
    t_ms: Sequence[int],
    received_ms: Sequence[int],
    boots: Sequence[int],
    seqs: Sequence[int],
    values: Sequence[Mapping[str, Scalar | None]],
) -> Readings:
    """Columns from rows; a value None counts as not reported. All sequences have the same length."""
    counts = [len(mapping) for mapping in values]
    flat_names = [name for mapping in values for name in mapping]
    flat = [value for mapping in values for value in mapping.values()]
    names = tuple(dict.fromkeys(flat_names))
    number_of = {name: number for number, name in enumerate(names)}
    row = np.repeat(np.arange(len(values), dtype=np.uint32), counts)
    name_column = np.array([number_of[name] for name in flat_names], dtype=np.uint32)
    is_text = np.array([value.__class__ is str for value in flat], dtype=np.bool_)
    if is_text.any():
        numbers = np.array([np.nan if value.__class__ is str else value for value in flat], dtype=np.float64)
    else:
        numbers = np.array(flat, dtype=np.float64)
    is_number = ~is_text & ~np.isnan(numbers)
    return Readings(
        device_ids=tuple(device_ids),
        kind=np.array([KIND_NUMBER[kind] for kind in kinds], dtype=np.uint8),
        t_ms=np.array(t_ms, dtype=np.int64),
        received_ms=np.array(received_ms, dtype=np.int64),
        boot=np.array(boots, dtype=np.int64),
        seq=np.array(seqs, dtype=np.int64),
        quality=np.zeros(len(device_ids), dtype=np.uint8),
        names=names,
        number_row=row[is_number],
        number_name=name_column[is_number],
        numbers=numbers[is_number],
        text_row=row[is_text],
        text_name=name_column[is_text],
        texts=tuple(str(flat[index]) for index in np.flatnonzero(is_text).tolist()),
    )


EMPTY = from_rows((), (), (), (), (), (), ())


def concat(parts: Iterable[Readings]) -> Readings:
    """All readings one after the other; EMPTY for none."""
    every = [part for part in parts if len(part)]
    if not every:
        return EMPTY
    if len(every) == 1:
        return every[0]
    names = tuple(dict.fromkeys(name for part in every for name in part.names))
    number_of = {name: number for number, name in enumerate(names)}
    renamed = [np.array([number_of[name] for name in part.names], dtype=np.uint32) for part in every]
    starts = np.cumsum([0, *(len(part) for part in every[:-1])]).astype(np.uint32)
    return Readings(
        device_ids=tuple(device_id for part in every for device_id in part.device_ids),
        kind=np.concatenate([part.kind for part in every]),
        t_ms=np.concatenate([part.t_ms for part in every]),
        received_ms=np.concatenate([part.received_ms for part in every]),
        boot=np.concatenate([part.boot for part in every]),
        seq=np.concatenate([part.seq for part in every]),
        quality=np.concatenate([part.quality for part in every]),
        names=names,
        number_row=np.concatenate([part.number_row + start for part, start in zip(every, starts, strict=True)]),
        number_name=np.concatenate([new[part.number_name] for part, new in zip(every, renamed, strict=True)]),
        numbers=np.concatenate([part.numbers for part in every]),
        text_row=np.concatenate([part.text_row + start for part, start in zip(every, starts, strict=True)]),
        text_name=np.concatenate([new[part.text_name] for part, new in zip(every, renamed, strict=True)]),
        texts=tuple(text for part in every for text in part.texts),
    )
