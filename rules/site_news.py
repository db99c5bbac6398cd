"""Which car parks there is something new of, numbered, so that everybody can be told what he has not heard."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rules.records import SiteState

Shown = tuple[int, int, int, bool]


class SiteNews:
    """`newest` is the number of the newest news: as long as it is the same, the sites are as they were. A site is the
    place it has in the fleet.
    """

    def __init__(self) -> None:
        self.newest = 0
        self._of: dict[int, int] = {}
        self._shown: list[Shown] = []

    def begin(self, states: Sequence[SiteState]) -> None:
        """A start. Each site is news to who was here before it, for what he has missed nobody knows; to who comes
        from now on none is.
        """
        self._shown = [_shown(one) for one in states]
        self.note(np.arange(len(states), dtype=np.int32))

    def note(self, places: NDArray[np.int32]) -> None:
        """Something was said of these sites."""
        if len(places):
            self.newest += 1
            self._of.update(dict.fromkeys(places.tolist(), self.newest))

    def look(self, states: Sequence[SiteState]) -> None:
        """Note what became another one by time alone: what is not said again grows old. When there are other sites
        than before, all are news: they may stand in other places.
        """
        before, self._shown = self._shown, [_shown(one) for one in states]
        if len(before) != len(states):
            self.note(np.arange(len(states), dtype=np.int32))
            return
        pairs = enumerate(zip(before, self._shown, strict=True))
        self.note(np.array([place for place, (was, is_now) in pairs if was != is_now], dtype=np.int32))

    def after(self, news: int) -> list[int]:
        """The sites of which something was said after the news of this number."""
        return sorted(place for place, number in self._of.items() if number > news)


def _shown(state: SiteState) -> Shown:
    return state.free, state.occupied, state.unknown, state.is_stale
