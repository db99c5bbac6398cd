"""SOS buttons: an hourly heartbeat, presses, and the monthly test that somebody forgets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from firmware_sim.outlines import TOWNS
from firmware_sim.physics.controllers import loss_shares
from firmware_sim.physics.faults import Fault
from firmware_sim.physics.inventory_rows import device_row
from firmware_sim.physics.plan import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, Floats, Plan
from firmware_sim.physics.played import Batch
from firmware_sim.physics.radio import lost_on_air

EVENTS = ("heartbeat", "test", "press")
HEARTBEAT, TEST, PRESS = range(3)
DUE_DAYS = 30.0
"""Without a test for so long the check is due."""
TESTED_EACH_DAYS = (14.0, 27.0)
PRESSES_PER_DAY = 0.01
CASE_MS = 10 * MINUTE_MS
"""Presses within so long are one case."""
RETRY_S = 6.0


@dataclass
class _Happenings:
    """Tests and presses on their way to messages."""

    button: list[int]
    t_ms: list[int]
    event: list[int]

    def add(self, button: int, t_ms: int, event: int) -> None:
        self.button.append(button)
        self.t_ms.append(t_ms)
        self.event.append(event)


def button_rows(plan: Plan) -> list[dict[str, str]]:
    """One line of the inventory for each button."""
    rows = []
    for number in range(plan.buttons):
        town = TOWNS[number % len(TOWNS)]
        rows.append(device_row({
            "device_id": f"{town.prefix}-S{number + 1:03d}", "kind": "sos", "model": "Notrufsäule", "owner": town.owner,
            "town": town.town, "name": f"Notrufsäule {town.name} {number + 1}", "lat": town.centre[0],
            "lon": town.centre[1], "interval_s": 3600,
        }))  # fmt: skip
    return rows


def button_batch(plan: Plan, ids: list[str], first_device: int) -> tuple[Batch, list[Fault]]:
    """The readings that arrive and the truth about them. Heartbeats may get lost; presses and tests are repeated until
    they are acknowledged, so they arrive, if late.
    """
    rng = plan.random("buttons")
    happenings, faults = _tests(plan, ids, rng)
    faults += _presses(plan, ids, happenings, rng)
    beats = (plan.end_ms - plan.start_ms) // HOUR_MS
    beat_ms = plan.start_ms + rng.integers(0, HOUR_MS, (len(ids), 1)) + np.arange(beats) * HOUR_MS
    heard = ~lost_on_air(loss_shares(plan.loss, len(ids), rng), int(beats), rng) & (beat_ms < plan.end_ms)
    which = np.argwhere(heard)[:, 0]
    button = np.concatenate([which, np.array(happenings.button, np.int64)])
    t_ms = np.concatenate([beat_ms[heard], np.array(happenings.t_ms, np.int64)])
    event = np.concatenate([np.full(len(which), HEARTBEAT), np.array(happenings.event, np.int64)])
    retries = np.where(event == HEARTBEAT, 0.0, rng.geometric(max(0.05, 1 - plan.loss), len(event)) - 1.0)
    delay_ms = 200 + (rng.standard_exponential(len(event)) + retries * RETRY_S) * SECOND_MS
    order = np.lexsort((t_ms, button))
    number = np.where(event[order] == HEARTBEAT, 0, 1)
    counted = np.cumsum(number)
    firsts = np.searchsorted(button[order], button[order])
    press_id = np.empty(len(event), np.float32)
    press_id[order] = counted - (counted[firsts] - number[firsts])
    battery = np.round(rng.uniform(45, 99, len(ids))[button] - 0.01 * (t_ms - plan.start_ms) / DAY_MS)
    values: dict[str, Floats] = {"press_id": press_id, "battery_pct": battery.astype(np.float32)}
    received_ms = t_ms + delay_ms.astype(np.int64)
    return Batch(button + first_device, t_ms, received_ms, values, {"event": event.astype(np.int16)}), faults


def _tests(plan: Plan, ids: list[str], rng: np.random.Generator) -> tuple[_Happenings, list[Fault]]:
    """Everyone is tested in time, but some are forgotten after a test in the first days."""
    happenings = _Happenings([], [], [])
    faults: list[Fault] = []
    forgotten = set(rng.permutation(len(ids))[: plan.count("sos_test_overdue")].tolist())
    forgotten = forgotten if plan.days > DUE_DAYS + 4 else set()
    for number, name in enumerate(ids):
        tested = rng.uniform(0.2, 3.0) if number in forgotten else rng.uniform(0.2, 22.0)
        gap = DUE_DAYS + rng.uniform(1.5, 20.0) if number in forgotten else 0.0
        while tested < plan.days:
            happenings.add(number, plan.start_ms + int(tested * DAY_MS), TEST)
            if gap:
                start_ms = plan.start_ms + int((tested + DUE_DAYS) * DAY_MS)
                end_ms = plan.start_ms + int((tested + gap) * DAY_MS)
                seen_ms = start_ms if start_ms < plan.end_ms else None
                end = end_ms if end_ms < plan.end_ms else None
                faults.append(Fault("sos_test_overdue", name, np.array([number]), start_ms, end, observable_ms=seen_ms))
            tested += gap or rng.uniform(*TESTED_EACH_DAYS)
            gap = 0.0
    return happenings, faults


def _presses(plan: Plan, ids: list[str], happenings: _Happenings, rng: np.random.Generator) -> list[Fault]:
    """People press now and then; each press that is not part of a case already is true."""
    faults: list[Fault] = []
    if not plan.events:
        return faults
    for number, name in enumerate(ids):
        times = np.sort(rng.uniform(0, plan.days, rng.poisson(PRESSES_PER_DAY * plan.days)))
        last_ms = -CASE_MS
        for at_ms in (plan.start_ms + (times * DAY_MS).astype(np.int64)).tolist():
            happenings.add(number, at_ms, PRESS)
            if at_ms - last_ms > CASE_MS:
                row = np.array([number])
                faults.append(Fault("sos_press", name, row, at_ms, at_ms + CASE_MS, observable_ms=at_ms))
            last_ms = at_ms
    return faults
