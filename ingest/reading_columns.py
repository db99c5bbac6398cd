"""Readings of a whole file as numpy columns, and several such files as one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Codes = tuple[tuple[str, ...], NDArray[np.int32]]
"""Words, and for each row which of them; -1 = none."""


@dataclass(frozen=True, eq=False)
class ReadingColumns:
    """k readings in the order of the file. `device` i4[k] into `device_ids` · `t_ms`, `received_ms` i8[k] · `values`
    {name: f8[k]}, NaN = not reported · `texts` {name: (words, i4[k], -1 = not reported)} · `remarks` for people.
    """

    device_ids: tuple[str, ...]
    device: NDArray[np.int32]
    t_ms: NDArray[np.int64]
    received_ms: NDArray[np.int64]
    values: Mapping[str, NDArray[np.float64]]
    texts: Mapping[str, Codes] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.device)


def joined(parts: Iterable[ReadingColumns]) -> ReadingColumns:
    """Several files as one; what one of them does not have was not reported there."""
    chosen = [part for part in parts if len(part)]
    if len(chosen) == 1:
        return chosen[0]
    device_ids, device = _joined_words([(part.device_ids, part.device) for part in chosen])
    texts = sorted({name for part in chosen for name in part.texts})
    return ReadingColumns(
        device_ids=device_ids,
        device=device,
        t_ms=np.concatenate([np.zeros(0, dtype=np.int64), *(part.t_ms for part in chosen)]),
        received_ms=np.concatenate([np.zeros(0, dtype=np.int64), *(part.received_ms for part in chosen)]),
        values={
            name: np.concatenate([part.values.get(name, np.full(len(part), np.nan)) for part in chosen])
            for name in sorted({name for part in chosen for name in part.values})
        },
        texts={name: _joined_words([_words_of(part, name) for part in chosen]) for name in texts},
        remarks=tuple(remark for part in chosen for remark in part.remarks),
    )


def _words_of(part: ReadingColumns, name: str) -> Codes:
    return part.texts.get(name) or ((), np.full(len(part), -1, dtype=np.int32))


def _joined_words(parts: Sequence[Codes]) -> Codes:
    """One list of words for all parts, in the order of the alphabet."""
    words = tuple(sorted({word for known, _ in parts for word in known}))
    number = {word: place for place, word in enumerate(words)}
    pieces = [np.array([*(number[word] for word in known), -1], dtype=np.int32)[codes] for known, codes in parts]
    return words, np.concatenate([np.zeros(0, dtype=np.int32), *pieces])
