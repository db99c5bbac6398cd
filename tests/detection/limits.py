"""How long each fault must show to be found at all, and how long its finding may outlive it: from the domain alone.

A fault that shows for less than `least_ms` within its play counts neither as missed nor, when it is found, as false.
`grace_ms` is how long after its end a finding may still begin: clearing needs readings, for lamps a whole next night.
"""

from __future__ import annotations

from dataclasses import dataclass

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
EARLY_MS = HOUR_MS // 4
"""Clocks of devices differ by minutes; a finding raised longer than this before its fault began knew nothing of it."""


@dataclass(frozen=True)
class Limit:
    """The two times of one fault, and why the first is what it is."""

    least_ms: int
    grace_ms: int
    why: str


LIMITS = {
    "lamp_out": Limit(DAY_MS, DAY_MS, "one night: half-night lamps may show it for minutes in the evening"),
    "lamp_partial": Limit(3 * DAY_MS, DAY_MS, "two whole nights"),
    "power_high": Limit(3 * DAY_MS, DAY_MS, "two whole nights"),
    "day_burner": Limit(DAY_MS, DAY_MS, "one day: half an hour of full sun, perhaps only tomorrow"),
    "not_on": Limit(DAY_MS, DAY_MS, "one night"),
    "cycling": Limit(2 * DAY_MS, 2 * DAY_MS, "two nights: a reading each quarter hour sees few of the changes"),
    "pf_low": Limit(5 * DAY_MS, DAY_MS, "three nights at high light, with gaps"),
    "driver_hot": Limit(DAY_MS, DAY_MS, "one night: hot only under load"),
    "not_off": Limit(3 * DAY_MS, 2 * DAY_MS, "the hours two nights leave out"),
    "off_schedule": Limit(7 * DAY_MS // 2, 3 * DAY_MS, "two whole nights"),
    "neutral_break": Limit(HOUR_MS, 12 * HOUR_MS, "readings each quarter hour, bursts of loss"),
    "rcd_open": Limit(HOUR_MS, 3 * HOUR_MS, "two readings of the cabinet"),
    "door_open": Limit(3 * HOUR_MS // 2, 3 * HOUR_MS, "work at a cabinet takes less than an hour"),
    "feed_dead": Limit(DAY_MS, 2 * DAY_MS, "one night"),
    "unexpected_load": Limit(DAY_MS, 2 * DAY_MS, "one day"),
    "voltage_low": Limit(3 * HOUR_MS, 12 * HOUR_MS, "means of ten minutes, readings each quarter hour, bursts of loss"),
    "voltage_high": Limit(
        3 * HOUR_MS, 12 * HOUR_MS, "means of ten minutes, readings each quarter hour, bursts of loss"
    ),
    "circuit_down": Limit(3 * HOUR_MS // 2, 3 * HOUR_MS, "silence of many within two intervals, with late arrivals"),
    "phase_down": Limit(3 * HOUR_MS // 2, 3 * HOUR_MS, "silence of many within two intervals, with late arrivals"),
    "pole_tilt": Limit(3 * DAY_MS // 2, DAY_MS, "a pole that leans by 5 to 10 degrees does so for 24 hours"),
    "silent": Limit(3 * DAY_MS // 2, 12 * HOUR_MS, "as many misses as the device's loss asks for, on half-night lines"),
    "never_reported": Limit(DAY_MS, 12 * HOUR_MS, "one day"),
    "frozen": Limit(2 * DAY_MS, DAY_MS, "six hours while burning; a summer night is shorter"),
    "gateway_down": Limit(HOUR_MS, 3 * HOUR_MS, "two intervals of those it hears"),
    "battery_low": Limit(12 * HOUR_MS, DAY_MS, "a low station speaks seldom"),
    "energy_drift": Limit(9 * DAY_MS, 3 * DAY_MS, "seven whole nights"),
    "bay_stuck": Limit(17 * DAY_MS // 2, DAY_MS, "seven days stuck free"),
    "bay_flapping": Limit(HOUR_MS, DAY_MS, "one spell of ten minutes"),
    "bay_neighbour": Limit(18 * DAY_MS, 14 * DAY_MS, "ten cars beside a free bay; commuters come once a working day"),
    "bay_reboot": Limit(DAY_MS, 2 * DAY_MS, "three starts; some sensors have six a day"),
    "bay_snow": Limit(2 * HOUR_MS, DAY_MS, "an hour to fall, and heartbeats of an hour where messages were lost"),
    "counter_drift": Limit(
        10 * DAY_MS, 7 * DAY_MS, "3 % of eighty cars a day leave what chance explains only by and by; a day to be sure"
    ),
    "sos_test_overdue": Limit(12 * HOUR_MS, DAY_MS, "half a day"),
    "sos_press": Limit(0, 0, "at once"),
}
OTHER = Limit(DAY_MS, DAY_MS, "not in the catalogue")

EXCUSED = {"backhaul_outage": ("gateway_down",)}
"""Events during which a finding on the same subject is right although no device is broken: for hours nothing came
through that gateway, and only what arrives later says why. It counts neither as found nor as false."""


def limit_of(fault: str) -> Limit:
    """The limit of a fault; one day for what the catalogue does not know."""
    return LIMITS.get(fault, OTHER)
