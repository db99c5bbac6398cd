"""Rules about words that devices send, most of all the SOS button's: a press, and a test that is overdue.

No rule ever delays or mutes a press: whatever its button's stage, whatever window is announced. In the running platform
presses go through a lane of their own (rules/sos_watch.py); a backtest tells them here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.kinds import SOS_EVENTS
from rules.change import Change
from rules.events import CLOSES, OPENS, Event
from rules.fleet import Fleet
from rules.inputs import Inputs
from rules.judges import Flags
from rules.latest import NEVER_MS
from rules.rows import Rows, Words
from rules.rule_columns import selected
from rules.spec import Rule

JOIN_MS = 600_000
"""Presses within ten minutes belong together. (Shared knowledge, domain A8.)"""
QUIET_EVENTS = frozenset({"test", "heartbeat", "cancel", "tamper"})
"""What is no call for help; a word that nobody knows is one."""


def calls(event: str, word: str) -> bool:
    """Whether a word is what a rule about `event` looks for; "press" is every call for help."""
    if event == "press":
        return word not in QUIET_EVENTS
    return word == event


class EventJudge:
    """A rule of kind `event`: each word opens an episode or joins the open one; `open` {device: (since, last)}."""

    def __init__(self, rule: Rule, words: Words) -> None:
        self.rule = rule
        self.words = words
        self.open: dict[int, tuple[int, int]] = {}

    def refresh(self, fleet: Fleet, today: date) -> None:
        """Take in an inventory."""
        self.selected = selected(self.rule, fleet)

    def take(self, inputs: Inputs, may: Flags) -> list[Event]:
        """The calls among the rows, whatever `may` says."""
        rows = inputs.rows
        told = rows.texts.get("event")
        if told is None:
            return []
        sought = np.array([calls(self.rule.event, word) for word in self.words.words] + [False], dtype=np.bool_)
        found: list[Event] = []
        for row in np.flatnonzero(sought[told] & self.selected[rows.device]).tolist():
            found += self._call(rows, row)
        return found

    def _call(self, rows: Rows, row: int) -> Iterator[Event]:
        device, t_ms, received_ms = int(rows.device[row]), int(rows.t_ms[row]), int(rows.received_ms[row])
        since_ms, last_ms = self.open.get(device, (NEVER_MS, NEVER_MS))
        joins = last_ms != NEVER_MS and t_ms - last_ms <= JOIN_MS
        if not joins:
            if last_ms != NEVER_MS:
                yield Event(received_ms, self.rule.name, device, CLOSES, t_ms, received_ms, since_ms, {})
            since_ms = t_ms
            # Known at once: nothing is gained by waiting for what came before it.
            yield Event(received_ms, self.rule.name, device, OPENS, t_ms, t_ms, since_ms, {})
        self.open[device] = (since_ms, t_ms)

    def forget(self, devices: NDArray[np.int64]) -> None:
        """A press stays what it is, whatever becomes of its button."""

    def put(self, devices: NDArray[np.int64], state: dict[str, NDArray[Any]]) -> None:
        """Late words change nothing of what was said."""

    def open_on(self, devices: NDArray[np.int64]) -> set[int]:
        """Those of the devices that have an open episode."""
        return set(devices.tolist()) & self.open.keys()

    def state(self) -> dict[str, NDArray[Any]]:
        """The state as columns, for snapshots."""
        rows = [(device, *times) for device, times in sorted(self.open.items())]
        return {"open": np.array(rows, dtype=np.int64).reshape(-1, 3)}

    def restore(self, state: dict[str, NDArray[Any]]) -> None:
        """Become what `state` gave."""
        self.open = {device: (since, last) for device, since, last in state["open"].tolist()}


class Overdue:
    """A rule of kind `absence` about a word: it should come at least every `after`. `last_ms` {device: Unix ms} of
    those the rule is about, `open_ms` {device: since when it is overdue}.
    """

    def __init__(self, rule: Rule, words: Words) -> None:
        self.rule = rule
        self.words = words
        self.last_ms: dict[int, int] = {}
        self.open_ms: dict[int, int] = {}

    def refresh(self, fleet: Fleet, now_ms: int) -> None:
        """Take in an inventory; for a device that is new to us the time begins now."""
        self.fleet = fleet
        chosen = np.flatnonzero(selected(self.rule, fleet) & fleet.live).tolist()
        self.last_ms = {device: self.last_ms.get(device, now_ms) for device in chosen}

    def take(self, rows: Rows) -> None:
        """What was heard since the last tick."""
        told = rows.texts.get("event")
        if told is not None and self.rule.event in self.words.number:
            for row in np.flatnonzero(told == self.words.number[self.rule.event]).tolist():
                device = int(rows.device[row])
                if device in self.last_ms:
                    self.last_ms[device] = max(self.last_ms[device], int(rows.t_ms[row]))

    def tick(self, now_ms: int) -> Iterator[Change]:
        """Whose word is overdue now, and whose has come."""
        after_ms = int(self.rule.after.seconds * 1000)
        over = {device for device, last_ms in self.last_ms.items() if now_ms - last_ms >= after_ms}
        for device in sorted(over ^ self.open_ms.keys()):
            last_ms = self.last_ms.get(device, now_ms)
            since_ms, opens = self.open_ms.pop(device, last_ms + after_ms), device in over
            if opens:
                self.open_ms[device] = since_ms
            facts = {"silent": (now_ms - last_ms) / 1000.0}
            subject = self.fleet.devices[device].device_id
            yield Change(self.rule.name, subject, opens, since_ms, now_ms, (device,), facts)

    def open_now(self) -> list[tuple[int, int]]:
        """(device, since) of those that are overdue."""
        return sorted(self.open_ms.items())

    def state(self) -> list[tuple[int, int, int | None]]:
        """(device, last, since) of all, for snapshots."""
        return [(device, last_ms, self.open_ms.get(device)) for device, last_ms in sorted(self.last_ms.items())]

    def restore(self, state: Iterable[tuple[int, int, int | None]]) -> None:
        """Become what `state` gave."""
        rows = list(state)
        self.last_ms |= {device: last_ms for device, last_ms, _ in rows}
        self.open_ms = {device: since_ms for device, _, since_ms in rows if since_ms is not None}


assert set(SOS_EVENTS) > QUIET_EVENTS
