"""The lane of SOS: presses go from the journal to cases on their own, past everything else.

It reads the same journal as the rules but looks at nothing but buttons, so it is never behind with lamps. A button
that the inventory does not know, or knows as something else, is heard too, and so is what nobody could decode.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from core.clock import Clock
from core.crashpoint import crashpoint
from core.device import Device
from core.inventory import Inventory
from core.kinds import COMMON, KIND_NUMBER, SOS_EVENTS
from core.reading import Scalar
from core.relational import DatabaseError, Relational
from ingest.books import Verdict
from ingest.journal import Journal
from ingest.segment import Block
from rules.commit import known_position, note_position
from rules.desk_cases import Press, take_press

log = logging.getLogger(__name__)

SOS = KIND_NUMBER["sos"]
QUIET_EVENTS = frozenset({"heartbeat"})
TELEMETRY = frozenset(value.name for value in COMMON)
HEARD = (Verdict.ACCEPTED, Verdict.UNKNOWN_DEVICE, Verdict.WRONG_KIND)
WAIT_S = 0.25
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
        """What must be heard in a block: fail-safe, so whatever a button says that is no heartbeat is a press."""
        readings = block.frame.readings
        wrong_kind = block.verdict[: len(readings)] == Verdict.WRONG_KIND
        if not (block.frame.refusals or wrong_kind.any() or (readings.kind == SOS).any()):
            return  # nearly every block: nothing is asked of the inventory for it
        devices = self.inventory.snapshot().devices
        yield from self._of_readings(block, devices)
        for refusal in block.frame.refusals:
            if refusal.code == "retained":  # an old state, not an event: it must never ring
                continue
            if refusal.scope == "message" and _is_button(refusal.kind, refusal.device_id, devices):
                name = f"refused {hashlib.sha256(refusal.raw).hexdigest()[:16]}"
                at_ms = refusal.received_ms
                yield Press(refusal.device_id, _town(refusal.device_id, devices), "unknown", 0, name, at_ms, at_ms)

    def _of_readings(self, block: Block, devices: Mapping[str, Device]) -> Iterator[Press]:
        readings = block.frame.readings
        verdict = block.verdict[: len(readings)]
        heard = (readings.kind == SOS) & np.isin(verdict, HEARD)
        for row in np.flatnonzero((readings.kind != SOS) & (verdict == Verdict.WRONG_KIND)).tolist():
            heard[row] = _is_button("", readings.device_ids[row], devices)  # a button on a topic that is not its own
        if not heard.any():
            return
        said = readings.select(heard)
        press_ids, values = said.column("press_id"), said.value_dicts()
        doubted = {refusal.device_id for refusal in block.frame.refusals if refusal.kind == "sos"}
        for row, event in enumerate(said.text_column("event")):
            device_id = said.device_ids[row]
            if event in QUIET_EVENTS or (event is None and _is_telemetry(values[row]) and device_id not in doubted):
                continue
            known = event if event in SOS_EVENTS else "unknown"
            yield Press(
                device_id=device_id,
                town=_town(device_id, devices),
                event=known,
                boot=int(said.boot[row]),
                press=_name_of(known, float(press_ids[row]), int(said.seq[row])),
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


def _is_button(kind: str, device_id: str, devices: Mapping[str, Device]) -> bool:
    known = devices.get(device_id)
    return kind == "sos" or (known is not None and known.kind == "sos")


def _town(device_id: str, devices: Mapping[str, Device]) -> str | None:
    known = devices.get(device_id)
    return known.town if known is not None else None


def _is_telemetry(values: Mapping[str, Scalar]) -> bool:
    """Whether a button that names no event only tells how it is: its battery, its radio."""
    return bool(values) and set(values) <= TELEMETRY


def _name_of(event: str, press_id: float, seq: int) -> str:
    """What tells the presses of one boot apart; a press is never taken for the test or cancel of the same number."""
    name = f"{press_id:.0f}" if press_id == press_id else f"seq {seq}"
    return f"{event} {name}" if event in ("test", "cancel") else name
