"""The lane of SOS: presses go from the journal to cases on their own, past everything else.

It reads the same journal as the rules but looks at nothing but buttons, so it is never behind with lamps. A button
that the inventory does not know, or knows as something else, is heard too.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator

import numpy as np

from core.clock import Clock
from core.crashpoint import crashpoint
from core.inventory import Inventory
from core.kinds import KIND_NUMBER, SOS_EVENTS
from core.relational import DatabaseError, Relational
from ingest.books import Verdict
from ingest.journal import Journal
from ingest.segment import Block
from rules.commit import known_position, note_position
from rules.desk_cases import Press, take_press

log = logging.getLogger(__name__)

SOS = KIND_NUMBER["sos"]
QUIET_EVENTS = frozenset({"heartbeat"})
HEARD = (Verdict.ACCEPTED, Verdict.UNKNOWN_DEVICE, Verdict.WRONG_KIND)
WAIT_S = 1.0
RETRY_S = 1.0
NOTE_S = 10.0
EVENT_DE = {
    "press": "Der Knopf wurde gedrückt.",
    "long_press": "Der Knopf wurde lange gedrückt.",
    "double_press": "Der Knopf wurde zweimal gedrückt.",
    "cancel": "Der Notruf wurde am Knopf zurückgenommen.",
    "test": "Probedruck.",
    "tamper": "Jemand hat das Gehäuse geöffnet oder bewegt.",
    "unknown": "Der Knopf hat etwas gemeldet, das wir nicht kennen; es gilt als Notruf.",
}


class SosWatch:
    """A thread's work: `run` until `stopping`. `rules_position` is noted with what others are told."""

    def __init__(
        self,
        database: Relational,
        inventory: Inventory,
        journal: Journal,
        clock: Clock,
        rules_position: Callable[[], int],
        told: Callable[[], None],
    ) -> None:
        self.database = database
        self.inventory = inventory
        self.journal = journal
        self.clock = clock
        self.rules_position = rules_position
        self.told = told
        self.position = 0
        self._noted_s = 0.0

    def run(self, stopping: threading.Event) -> None:
        """Look at what is new in the journal, at once when it comes."""
        self.position = known_position(self.database, "sos")
        while not stopping.is_set():
            if not self.journal.wait(self.position, WAIT_S):
                self._note_now_and_then()
                continue
            blocks = self.journal.read(max(self.position, self.journal.tail))
            presses = [press for block in blocks for press in self._presses(block)]
            while presses and not self._commit(presses, blocks[-1].next):
                if stopping.wait(RETRY_S):
                    return
            self.position = blocks[-1].next
            self._note_now_and_then()

    def _presses(self, block: Block) -> Iterator[Press]:
        readings = block.frame.readings
        verdict = block.verdict[: len(readings)]
        rows = np.flatnonzero((readings.kind == SOS) & np.isin(verdict, HEARD))
        if not len(rows):
            return
        said = readings.select(np.isin(np.arange(len(readings)), rows))
        press_ids = said.column("press_id")
        for row, event in enumerate(said.text_column("event")):
            if event in QUIET_EVENTS or event is None:
                continue
            device = self.inventory.snapshot().devices.get(said.device_ids[row])
            press_id = press_ids[row]
            yield Press(
                device_id=said.device_ids[row],
                town=device.town if device is not None else None,
                event=event if event in SOS_EVENTS else "unknown",
                boot=int(said.boot[row]),
                press=f"{press_id:.0f}" if press_id == press_id else f"seq {said.seq[row]}",
                t_ms=int(said.t_ms[row]),
                received_ms=int(said.received_ms[row]),
            )

    def _commit(self, presses: list[Press], position: int) -> bool:
        """Write cases and position in one transaction; False when the database can't now: then again."""
        try:
            with self.database.write() as connection:
                cases = [take_press(connection, one, EVENT_DE[one.event], self.rules_position()) for one in presses]
                note_position(connection, "sos", position, self.clock.now_ms())
                crashpoint("sos.within_commit")
            crashpoint("sos.after_commit")
        except DatabaseError as error:
            log.error("a press of an SOS button waits: %s", error)
            return False
        if any(case is not None for case in cases):
            self.told()
        return True

    def _note_now_and_then(self) -> None:
        """Nothing was pressed for a while: write down how far we looked, so that a start is quick."""
        now_s = self.clock.monotonic_s()
        if now_s - self._noted_s < NOTE_S:
            return
        self._noted_s = now_s
        try:
            if known_position(self.database, "sos") < self.position:
                with self.database.write() as connection:
                    note_position(connection, "sos", self.position, self.clock.now_ms())
        except DatabaseError as error:
            log.warning("how far the SOS lane has come can't be noted: %s", error)
