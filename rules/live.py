"""How things are now: the engine's state as people and programs see it, from memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.clock import Clock
from rules.engine import Engine
from rules.fleet import NONE
from rules.latest import NEVER_MS
from rules.records import CONDITIONS, BayState, Latest, SiteState

SITES_S = 0.25
"""So long an answer about all sites is good for the next who asks, unless something was said of one."""

LEARNED = {"reference": ("ratio", "nights", "first"), "tilt": ("total", "count")}
"""The columns of what a device was like when it was well: learned once, in its first weeks."""

OK, FAULT, SILENT, NEVER = (CONDITIONS.index(word) for word in ("ok", "fault", "silent", "never"))


class Live:
    """Look-ups in the state of the rules; thread-safe. `locked` runs a question while nothing changes, `site_news` is
    the number of the newest news of a site.
    """

    def __init__(
        self,
        locked: Callable[[Callable[[Engine], object]], object],
        site_news: Callable[[], int],
        clock: Clock,
    ) -> None:
        self._locked = locked
        self._site_news = site_news
        self.clock = clock
        self._sites: tuple[int, float, list[SiteState]] | None = None

    def latest(self, device_id: str) -> Latest | None:
        """What a device said last; None when it never spoke, or is not in the inventory."""
        return self.latest_of([device_id])[0]

    def latest_of(self, device_ids: Sequence[str]) -> list[Latest | None]:
        """The same for many devices, in their order."""

        def ask(engine: Engine) -> list[Latest | None]:
            numbers = engine.fleet.numbers(device_ids)
            conditions = _conditions(engine, numbers).tolist()
            pairs = zip(numbers.tolist(), conditions, strict=True)
            return [None if number == NONE else _latest(engine, number, condition) for number, condition in pairs]

        found = self._locked(ask)
        assert isinstance(found, list)
        return found

    def conditions(self, device_ids: Sequence[str]) -> NDArray[np.uint8]:
        """u1[n]: index into CONDITIONS for each device; what is not known was never heard."""

        def ask(engine: Engine) -> NDArray[np.uint8]:
            return _conditions(engine, engine.fleet.numbers(device_ids))

        found = self._locked(ask)
        assert isinstance(found, np.ndarray)
        return found

    def set_aside(self) -> dict[str, str]:
        """{rule: why} the rules that failed so often that they are no longer asked; the next start asks them again."""
        found = self._locked(lambda engine: dict(engine.judgement.court.aside))
        assert isinstance(found, dict)
        return found

    def learned(self, device_id: str) -> dict[str, dict[str, Any]]:
        """What has been learned of a device in all its life: {memory: {column: what it holds of it}}."""

        def ask(engine: Engine) -> dict[str, dict[str, Any]]:
            number = int(engine.fleet.numbers([device_id])[0])
            memories = engine.judgement.court.memories.every() if number != NONE else {}
            held = {name: memories[name].held_of(number) for name in LEARNED if name in memories}
            return {name: {key: one[key] for key in LEARNED[name] if key in one} for name, one in held.items()}

        found = self._locked(ask)
        assert isinstance(found, dict)
        return found

    def sites(self) -> list[SiteState]:
        """Every site of the inventory."""
        news, now_s, kept = self._site_news(), self.clock.monotonic_s(), self._sites
        if kept is not None and kept[0] == news and now_s - kept[1] <= SITES_S:
            return kept[2]
        now_ms = self.clock.now_ms()
        found = self._locked(lambda engine: engine.occupancy.sites(engine.fleet, engine.latest, now_ms))
        assert isinstance(found, list)
        self._sites = (news, now_s, found)
        return found

    def site(self, town: str, site: str) -> SiteState | None:
        """One site."""
        return next((one for one in self.sites() if (one.town, one.site) == (town, site)), None)

    def bays(self, town: str, site: str) -> list[BayState]:
        """The bays of one site, by id."""

        def ask(engine: Engine) -> list[BayState]:
            fleet = engine.fleet
            place = next((n for n, one in enumerate(fleet.sites) if (one.town, one.site) == (town, site)), NONE)
            chosen = np.flatnonzero(fleet.of_kind("parking") & fleet.in_use & (fleet.site == place))
            states = engine.occupancy.states(fleet, self.clock.now_ms())
            found = [engine.occupancy.bay(fleet, number, int(states[number])) for number in chosen.tolist()]
            return sorted(found, key=lambda bay: bay.device_id)

        found = self._locked(ask) if site else []
        assert isinstance(found, list)
        return found


def _conditions(engine: Engine, numbers: NDArray[np.int64]) -> NDArray[np.uint8]:
    """u1[k]: how these devices are, NONE = not known."""
    found = np.full(len(numbers), NEVER, dtype=np.uint8)
    known = numbers[numbers != NONE]
    silent, fault = engine.judgement.conditions()
    states = np.where(silent[known], SILENT, np.where(fault[known], FAULT, OK))
    found[numbers != NONE] = np.where(engine.latest.received_ms[known] == NEVER_MS, NEVER, states)
    return found


def _latest(engine: Engine, number: int, condition: int) -> Latest | None:
    latest = engine.latest
    if latest.received_ms[number] == NEVER_MS:
        return None
    values, times = latest.of(number, engine.fleet)
    return Latest(
        device_id=engine.fleet.devices[number].device_id,
        t_ms=int(latest.t_ms[number]),
        received_ms=int(latest.received_ms[number]),
        quality=latest.word(number),
        condition=CONDITIONS[condition],
        values=values,
        value_t_ms=times,
    )
