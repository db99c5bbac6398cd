"""How things are now: the engine's state as people and programs see it, from memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from core.clock import Clock
from rules.engine import Engine
from rules.fleet import NONE, Fleet
from rules.latest import NEVER_MS
from rules.records import CONDITIONS, BayState, Latest, SiteState
from rules.silent import Silent

SITES_S = 0.25
"""So long an answer about all sites is good for the next who asks, unless something was said of one."""

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
            conditions = _conditions(engine, self.clock.now_ms())
            return [None if number == NONE else _latest(engine, number, conditions) for number in numbers.tolist()]

        found = self._locked(ask)
        assert isinstance(found, list)
        return found

    def conditions(self, device_ids: Sequence[str]) -> NDArray[np.uint8]:
        """u1[n]: index into CONDITIONS for each device; what is not known was never heard."""

        def ask(engine: Engine) -> NDArray[np.uint8]:
            numbers = engine.fleet.numbers(device_ids)
            return np.where(numbers == NONE, NEVER, _conditions(engine, self.clock.now_ms())[numbers]).astype(np.uint8)

        found = self._locked(ask)
        assert isinstance(found, np.ndarray)
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


def _conditions(engine: Engine, now_ms: int) -> NDArray[np.uint8]:
    """u1[n + 1]: the last one is that of a device that is not known. Who is overdue is silent, ticket or not."""
    fleet = engine.fleet
    dark = (engine.lamp_out.open_since_ms != NEVER_MS) | _without_supply(fleet, engine.silent)
    silent = (engine.silent.open_heard_ms != NEVER_MS) | engine.silent.overdue(fleet, engine.latest.received_ms, now_ms)
    never = engine.latest.received_ms == NEVER_MS
    found = np.where(never, NEVER, np.where(silent, SILENT, np.where(dark, FAULT, OK))).astype(np.uint8)
    return np.append(found, np.uint8(NEVER))


def _without_supply(fleet: Fleet, silent: Silent) -> NDArray[np.bool_]:
    if not silent.groups or not fleet.circuits:
        return np.zeros(len(fleet), dtype=np.bool_)
    down = np.array([subject in silent.groups for subject in fleet.circuits], dtype=np.bool_)
    found: NDArray[np.bool_] = (fleet.circuit != NONE) & down[fleet.circuit]
    return found


def _latest(engine: Engine, number: int, conditions: NDArray[np.uint8]) -> Latest | None:
    latest = engine.latest
    if latest.received_ms[number] == NEVER_MS:
        return None
    values, times = latest.of(number, engine.fleet)
    return Latest(
        device_id=engine.fleet.devices[number].device_id,
        t_ms=int(latest.t_ms[number]),
        received_ms=int(latest.received_ms[number]),
        quality=latest.word(number),
        condition=CONDITIONS[conditions[number]],
        values=values,
        value_t_ms=times,
    )
