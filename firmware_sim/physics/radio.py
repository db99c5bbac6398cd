"""What of it arrives: bursts of loss, gateways that are down, a line to the centre that fails and delivers later."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from firmware_sim.physics.faults import Fault
from firmware_sim.physics.plan import MINUTE_MS, Flags, Floats, Instants, Numbers
from firmware_sim.physics.receivers import HEARD_MOST, Receivers

BURST_SHARE = 0.4
"""So much of a device's loss comes in bursts, the rest evenly."""
BURST_MESSAGES = 5.0
BURST_LOSS = 0.9
FADING_DB = 3.0
DELAY_MS = 1_400.0
FOREVER_MS = 2**62
BACKFILL_MS = 25 * MINUTE_MS
"""What a gateway kept arrives within so long after its line is back, in no good order."""

Between = Callable[[int, int, int | None], slice]


@dataclass(frozen=True)
class Arrivals:
    """For each message whether it arrives, when, through which gateway (-1 = none) and how many heard it."""

    arrives: Flags
    received_ms: Instants
    gateway: Numbers
    gateways: Floats


def channel(loss: Floats, slots: int, rng: np.random.Generator) -> tuple[Flags, Floats]:
    """A two-state channel for each device: (device, slot) where it is bad, and the device's loss while it is good."""
    bad_share = np.minimum(BURST_SHARE * loss / BURST_LOSS, 0.9)
    even = np.clip((loss - bad_share * BURST_LOSS) / np.maximum(1.0 - bad_share * BURST_LOSS, 0.05), 0.0, 0.95)
    leave = 1.0 / BURST_MESSAGES
    enter = leave * bad_share / (1.0 - bad_share)
    luck = rng.random((slots, len(loss)), dtype=np.float32)
    bad = rng.random(len(loss)) < bad_share
    states = np.empty((slots, len(loss)), np.bool_)
    for slot in range(slots):
        bad = np.where(bad, luck[slot] >= leave, luck[slot] < enter)
        states[slot] = bad
    return states.T, even.astype(np.float32)


def lost_on_air(loss: Floats, slots: int, rng: np.random.Generator) -> Flags:
    """(device, message): what the channel loses when each slot has one message; the mean is the device's share."""
    bad, even = channel(loss, slots, rng)
    lost = rng.random(bad.shape, dtype=np.float32) < even[:, None]
    lost |= bad & (rng.random(bad.shape, dtype=np.float32) < BURST_LOSS)
    return lost


def single_arrivals(
    t_ms: Instants, device: Numbers, heard: Receivers, lost: Flags, troubles: Sequence[Fault], rng: np.random.Generator
) -> Arrivals:
    """The same for messages at any instants; `device` says whose row of `heard` a message has."""
    gateway = heard.gateway[device]
    works, kept = gateway >= 0, np.zeros(gateway.shape, np.bool_)
    received_ms = t_ms + 200 + (rng.standard_exponential(len(t_ms)) * DELAY_MS).astype(np.int64)
    back_ms = received_ms.copy()
    for trouble in troubles:
        within = (t_ms >= trouble.start_ms) & (t_ms < trouble.until_ms(FOREVER_MS))
        hit = (gateway == int(trouble.size)) & within[:, None]
        works &= ~hit
        if trouble.name == "backhaul_outage" and trouble.end_ms:
            kept |= hit
            back_ms[hit.any(axis=1)] = trouble.end_ms
    now = works.any(axis=1)
    later = ~now & kept.any(axis=1)
    best = np.where(now, works.argmax(axis=1), kept.argmax(axis=1))
    back_ms += rng.integers(0, BACKFILL_MS, len(t_ms))
    return Arrivals(
        arrives=(now | later) & ~lost,
        received_ms=np.where(later, np.maximum(back_ms, t_ms), received_ms),
        gateway=gateway[np.arange(len(gateway)), best],
        gateways=np.maximum(works.sum(axis=1), 1).astype(np.float32),
    )


def arrivals(
    t_ms: Instants,
    heard: Receivers,
    loss: Floats,
    troubles: Sequence[Fault],
    between: Between,
    rng: np.random.Generator,
) -> Arrivals:
    """Send every message of a block; `between(row, start, end)` gives a device's messages in a time."""
    shape = t_ms.shape
    works = np.broadcast_to((heard.gateway >= 0)[:, :, None], (*heard.gateway.shape, shape[1])).copy()
    late_ms = np.zeros(shape, np.int64)
    kept = np.zeros_like(works)
    for trouble in troubles:
        for row, place in np.argwhere(heard.gateway == int(trouble.size)).tolist():
            span = between(row, trouble.start_ms, trouble.end_ms)
            works[row, place, span] = False
            if trouble.name == "backhaul_outage" and trouble.end_ms:
                kept[row, place, span] = True
                late_ms[row, span] = trouble.end_ms + rng.integers(0, BACKFILL_MS, span.stop - span.start)
    level = np.full(works.shape, -1e9, np.float32)
    for place in range(HEARD_MOST):
        fading = rng.standard_normal(shape, dtype=np.float32) * np.float32(FADING_DB)
        level[:, place] = np.where(works[:, place], heard.level_dbm[:, place, None] + fading, -1e9)
    now = works.any(axis=1)
    later = ~now & kept.any(axis=1)
    best = np.where(now, level.argmax(axis=1), kept.argmax(axis=1))
    received_ms = t_ms + 200 + rng.standard_exponential(shape, dtype=np.float32) * np.float32(DELAY_MS)
    return Arrivals(
        arrives=(now | later) & ~lost_on_air(loss, shape[1], rng),
        received_ms=np.where(later, np.maximum(late_ms, t_ms), received_ms.astype(np.int64)),
        gateway=np.take_along_axis(heard.gateway, best, axis=1),
        gateways=np.maximum(works.sum(axis=1), 1).astype(np.float32),
    )
