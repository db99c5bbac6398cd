"""The words of the rule files: derived values, functions, attributes of the inventory, and names of other standards.

Values that devices report are not repeated here: core.kinds holds them. Event names follow the public TALQ 2.7.1 data
model, the statuses are those of the Smart Data Model Streetlight.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from difflib import get_close_matches

from core.device import PHASES, STAGES, SUPPLIES
from core.kinds import KINDS
from core.town import TOWN_IDS


@dataclass(frozen=True)
class Derived:
    """A value the platform works out; `kinds` are those it exists for."""

    name: str
    unit: str
    what: str
    german: str
    kinds: frozenset[str]


@dataclass(frozen=True)
class Function:
    """A function with the least and the most arguments. `kept` = the engine keeps what was before, for one value;
    `asks` = it asks the neighbours (rules/neighbours.py) for one value; `span` = its second argument is a time.
    """

    name: str
    least: int
    most: int
    usage: str
    what: str
    kept: bool = False
    asks: bool = False
    span: bool = False


def _asking(usage: str, what: str) -> Function:
    """One that asks the neighbours for a value and a span of time."""
    return Function(usage.partition("(")[0], 2, 2, usage, what, asks=True, span=True)


@dataclass(frozen=True)
class Attribute:
    """A column of the inventory. A number can be used in expressions; `choices` () = any text."""

    name: str
    unit: str
    german: str
    number: bool = False
    choices: tuple[str, ...] = ()


_ALL, _LAMP, _BAY = frozenset(KINDS), frozenset({"lamp"}), frozenset({"parking"})
_CABINET, _COUNTER = frozenset({"cabinet"}), frozenset({"counter"})
ARGUMENTS_MAX = 8

DERIVED = {
    row.name: row
    for row in (
        Derived("commanded_pct", "%", "The step the lamp is told to have in force.", "befohlene Dimmstufe", _LAMP),
        Derived("profile_pct", "%", "The step of the lamp's profile at this instant.", "Dimmstufe des Plans", _LAMP),
        Derived("expected_w", "W", "The power to expect at the commanded step.", "erwartete Leistung", _LAMP),
        Derived(
            "reference_w", "W", "The power this lamp had at this step when it was well.", "gewohnte Leistung", _LAMP
        ),
        Derived("full_w", "W", "The power to expect at 100 %.", "volle Leistung", _LAMP),
        Derived("sun_deg", "°", "Elevation of the sun over the horizon.", "Sonnenhöhe", _ALL),
        Derived("steady_s", "s", "Time since the last step of the profile.", "Zeit seit dem letzten Schritt", _LAMP),
        Derived("switch_s", "s", "Time to the nearest step, before or after.", "Abstand zum nächsten Schritt", _LAMP),
        Derived("frozen_s", "s", "How long voltage, current and power have been identical.", "unverändert seit", _LAMP),
        Derived("tilt_change_deg", "°", "Tilt against the zero learned after mounting.", "Neigungsänderung", _LAMP),
        Derived("usual_stay_s", "s", "95th percentile of the stays on this bay.", "übliche Standzeit", _BAY),
        Derived("stay_s", "s", "Time since the bay's last change.", "Zeit seit dem letzten Wechsel", _BAY),
        Derived("feed_w", "W", "The power of all phases it measures.", "gemessene Leistung", _CABINET),
        Derived("lamps_w", "W", "What the lamps it feeds should draw now.", "Soll aller Lampen", _CABINET),
        Derived("lamps_full_w", "W", "What they draw at 100 %.", "volle Leistung aller Lampen", _CABINET),
        Derived("starts", "", "How often the sensor started within 24 hours.", "Neustarts in 24 Stunden", _BAY),
        Derived("miscount", "", "Cars lately counted beyond full or below empty.", "falsch gezählte Autos", _COUNTER),
        Derived("miscount_sigma", "", "Such cars that chance explains.", "zufällig falsch gezählt", _COUNTER),
        Derived("hour_h", "h", "Local time of day, 0 to 24.", "Uhrzeit", _ALL),
    )
}

FUNCTIONS = {
    row.name: row
    for row in (
        Function("abs", 1, 1, "abs(x)", "x without its sign"),
        Function("min", 2, ARGUMENTS_MAX, "min(a, b, …)", "the least; unknown when one is unknown"),
        Function("max", 2, ARGUMENTS_MAX, "max(a, b, …)", "the greatest; unknown when one is unknown"),
        Function("first", 2, ARGUMENTS_MAX, "first(a, b, …)", "the first that is known"),
        Function("known", 1, 1, "known(x)", "true when x has a value, else false"),
        Function("delta", 1, 1, "delta(x)", "x minus the one before", kept=True),
        Function("rate", 1, 1, "rate(x)", "change per hour since the one before; of Wh that is W", kept=True),
        Function("gap", 1, 1, "gap(x)", "seconds from the x before to this one", kept=True),
        Function("age", 1, 1, "age(x)", "seconds since x last changed", kept=True),
        Function("changes", 2, 2, 'changes(x, "1h")', "how often x changed within the span", kept=True, span=True),
        Function("median_of", 2, 2, "median_of(x, 3)", "median of the last 2 to 9 known x", kept=True),
        Function("neighbours", 1, 1, "neighbours(x)", "median of what the neighbours last said of x", asks=True),
        _asking('turnover(x, "48h")', "how often x of a neighbour changed within the span: the median"),
        _asking('onsets(x, "60m")', "share of the neighbours whose x became 1 within the span and still is"),
        _asking('ends(x, "3h")', "share of the neighbours whose x became 0 within the span and still is"),
        _asking(
            'surge(x, "60m")', "share of the neighbours by which, just now, more are 1 than at this hour in a week"
        ),
        _asking('echoes(x, "5s")', "evidence that x becomes 1 within the span of a neighbour's changes"),
    )
}
MEDIAN_MIN, MEDIAN_MAX = 2, 9

ATTRIBUTES = {
    row.name: row
    for row in (
        Attribute("kind", "", "Art", choices=KINDS),
        Attribute("device_type", "", "Gerätetyp"),
        Attribute("model", "", "Modell"),
        Attribute("owner", "", "Eigentümer"),
        Attribute("town", "", "Stadt", choices=tuple(sorted(TOWN_IDS))),
        Attribute("street", "", "Straße"),
        Attribute("site", "", "Platz"),
        Attribute("pole", "", "Mast"),
        Attribute("cabinet", "", "Schaltschrank"),
        Attribute("circuit", "", "Stromkreis"),
        Attribute("phase", "", "Phase", choices=PHASES),
        Attribute("supply", "", "Versorgung", choices=SUPPLIES),
        Attribute("profile", "", "Plan"),
        Attribute("audience", "", "Nutzergruppe"),
        Attribute("stage", "", "Zustand", choices=STAGES),
        Attribute("nominal_w", "W", "Nennleistung", number=True),
        Attribute("min_dim_pct", "%", "kleinste Dimmstufe", number=True),
        Attribute("min_w", "W", "Leistung bei kleinster Dimmstufe", number=True),
        Attribute("interval_s", "s", "Meldeabstand", number=True),
        Attribute("capacity", "", "Plätze", number=True),
    )
}

FACTS = {
    "name": "name of the device, or its id",
    "device_id": "id of the device",
    "since": "when it began, local time",
    "lasted": "how long it has lasted",
    "samples": "how many samples spoke for it",
    "nights": "in how many nights",
    "count": "how many changes",
    "members": "how many devices of the group",
    "total": "how many devices the group has",
    "misses": "how many messages are missing",
    "silent": "how long nothing came",
}
"""What a sentence may name besides values, attributes and params; each sort of rule fills those it has."""

_TALQ_EVENTS = """
    deviceMalfunction invalidAddress invalidConfig functionError
    deviceReset softwareUpdating hardwareUpdated batteryMode batteryShutdown installationMode maintenanceMode
    cabinetDoorOpen locationUpdated
    lampFailure lampPowerTooHigh lampPowerTooLow absoluteLampPowerTooHigh absoluteLampPowerTooLow dimmingFailure
    powerFactorTooLow currentTooHigh currentTooLow lampVoltageTooHigh lampVoltageTooLow supplyVoltageTooHigh
    supplyVoltageTooLow supplyLoss relayFailure contactorError controlGearCommFailure cyclingFailure lampUnexpectedOn
    leakageDetected highTemperature invalidLampType
    lightStateChange targetLightCommandChange programChange calendarChange invalidCalendar invalidProgram
    totalPowerTooHigh totalPowerTooLow totalCurrentTooHigh totalCurrentTooLow neutralCurrentTooHigh
    phase1PowerFactorTooLow phase2PowerFactorTooLow phase3PowerFactorTooLow
    phase1VoltageTooHigh phase2VoltageTooHigh phase3VoltageTooHigh
    phase1VoltageTooLow phase2VoltageTooLow phase3VoltageTooLow
    phase1CurrentTooHigh phase2CurrentTooHigh phase3CurrentTooHigh
    phase1CurrentTooLow phase2CurrentTooLow phase3CurrentTooLow
    phase1ActivePowerTooHigh phase2ActivePowerTooHigh phase3ActivePowerTooHigh
    phase1ActivePowerTooLow phase2ActivePowerTooLow phase3ActivePowerTooLow
    circuitBreakerTripped switchingErrorOn switchingErrorOff localOverride
    communicationFailure batteryLevelTooLow photocellOutputOn lastSyncError orientationChanged impactDetected
    controlGearFailure limitError powerCycleSeen
    controlGearExternalSupplyOvervoltage controlGearExternalSupplyUndervoltage controlGearOutputPowerLimitation
    controlGearOverallFailureCondition controlGearThermalDerating controlGearThermalShutdown
    lightSourceOpenCircuit lightSourceShortCircuit lightSourceOverallFailureCondition lightSourceThermalDerating
    lightSourceThermalShutdown
    occupancyChangeToOccupied occupancyChangeToVacant overstayDetected forbiddenParkingDetected
    badParkingDetected blockingVehicleDetected forbiddenVehicleDetected sensorOutputOn
"""
TALQ_EVENTS = frozenset(_TALQ_EVENTS.split())

STATUSES = ("ok", "defectiveLamp", "columnIssue", "brokenLantern")
PRIORITIES = ("immediate", "high", "normal", "low")
NEAREST_SHOWN_MAX = 12


def nearest(word: str, known: Collection[str]) -> str:
    """How to mend a word that is not known: the nearest one, or what there is."""
    near = get_close_matches(word[:100], known, n=1)
    if near:
        return f"did you mean {near[0]}?"
    shown = sorted(known)
    return f"expected one of {', '.join(shown[:NEAREST_SHOWN_MAX])}{', …' if len(shown) > NEAREST_SHOWN_MAX else ''}"
