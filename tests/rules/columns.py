"""Rows for tests of single memories and judges, and how they are cut into pieces."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np
from hypothesis import strategies as st

from rules.rows import Rows

MINUTE_MS = 60_000
cuts_st = st.lists(st.integers(0, 80), max_size=5)


def rows_of(
    samples: Sequence[tuple[int, int, float]], name: str = "value", texts: Mapping[str, Sequence[int]] | None = None
) -> Rows:
    """Samples are (device, minute, value), in any order; texts are in theirs."""
    order = sorted(range(len(samples)), key=lambda place: samples[place][:2])
    t_ms = np.array([samples[place][1] * MINUTE_MS for place in order], dtype=np.int64)
    return Rows(
        device=np.array([samples[place][0] for place in order], dtype=np.int64),
        t_ms=t_ms,
        received_ms=t_ms,
        values={name: np.array([samples[place][2] for place in order], dtype=np.float64)},
        texts={
            key: np.array([words[place] for place in order], dtype=np.int32) for key, words in (texts or {}).items()
        },
    )


def pieces(samples: Sequence[tuple[int, int, float]], cuts: Sequence[int]) -> Iterator[list[tuple[int, int, float]]]:
    """The samples in the order of time, cut at these places."""
    ordered = sorted(samples, key=lambda one: one[1])
    edges = sorted({0, *[cut for cut in cuts if cut < len(ordered)], len(ordered)})
    for begin, end in pairwise(edges):
        yield ordered[begin:end]
