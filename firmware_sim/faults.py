"""What goes wrong, in an explicit table, and the truth about it.

Names are the platform's rule names; `reboot` and `offline` are events of normal life and stay out of the truth file.
`observable_from` is the first instant at which the fault can show at all: a dark lamp only while it is commanded on, a
lamp that burns by day only once the sun is up, a stuck bay only when a car came or went.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from firmware_sim import sky
from firmware_sim.device import Device
from firmware_sim.fleet import Fleet
from firmware_sim.lamp import Lamp
from firmware_sim.parking import Bay
from firmware_sim.sos import SosButton

DAY_ELEVATION_DEG = 3.0
"""Above this nobody argues whether it is day."""


@dataclass
class Fault:
    """One fault on one subject; `end_ms` None = until the end of the run."""

    name: str
    subject: str
    start_ms: int
    end_ms: int | None = None
    members: tuple[str, ...] = ()


class FaultSort:
    """One sort of fault: whom it takes, what begins and ends, when it can be seen. The base takes one device."""

    in_truth = True

    def members(self, fleet: Fleet, subject: str) -> list[str]:
        """The devices concerned; a ValueError when the subject does not exist or can't have this fault."""
        if subject not in fleet.devices:
            raise ValueError(f"there is no device {subject!r} in this region")
        return [subject]

    def begin(self, fleet: Fleet, fault: Fault, now_ms: int) -> list[Device]:
        """Let it happen; returns the devices whose next wake time changed."""
        raise NotImplementedError

    def finish(self, fleet: Fleet, fault: Fault, now_ms: int) -> list[Device]:
        """Let it end; returns the devices whose next wake time changed."""
        return []

    def observable_from_ms(self, fleet: Fleet, fault: Fault) -> int | None:
        """When it can first be seen, None when never; the caller cuts it off at the fault's and the run's end."""
        return fault.start_ms


class _LampFault(FaultSort):
    def members(self, fleet: Fleet, subject: str) -> list[str]:
        if not isinstance(fleet.devices.get(subject), Lamp):
            raise ValueError(f"there is no lamp {subject!r} in this region")
        return [subject]

    def begin(self, fleet: Fleet, fault: Fault, now_ms: int) -> list[Device]:
        self._set(_lamp(fleet, fault.subject), now_ms, True)
        return []

    def finish(self, fleet: Fleet, fault: Fault, now_ms: int) -> list[Device]:
        self._set(_lamp(fleet, fault.subject), now_ms, False)
        return []

    def _set(self, lamp: Lamp, now_ms: int, broken: bool) -> None:
        raise NotImplementedError


class LampOut(_LampFault):
    """The driver is dead: half a watt while commanded on."""

    def _set(self, lamp: Lamp, now_ms: int, broken: bool) -> None:
        lamp.count(now_ms)
        lamp.failed = broken

    def observable_from_ms(self, fleet: Fleet, fault: Fault) -> int | None:
        """From the first instant at which it is commanded on."""
        return _lamp(fleet, fault.subject).timeline.next_on_ms(fault.start_ms)


class DayBurner(_LampFault):
    """The relay sticks: full light whenever there is voltage."""

    def _set(self, lamp: Lamp, now_ms: int, broken: bool) -> None:
        lamp.count(now_ms)
        lamp.stuck_on = broken

    def observable_from_ms(self, fleet: Fleet, fault: Fault) -> int | None:
        """From the first instant of full day; never on a switched line, which is dead by day."""
        lamp = _lamp(fleet, fault.subject)
        if lamp.wiring.switched:
            return None
        today = datetime.fromtimestamp(fault.start_ms / 1000, UTC).date()
        for day in (today, today + timedelta(days=1)):
            place = (lamp.timeline.lat, lamp.timeline.lon, DAY_ELEVATION_DEG)
            seen_ms = max(fault.start_ms, sky.dawn_ms(day - timedelta(days=1), *place))
            if seen_ms < sky.dusk_ms(day, *place) and lamp.timeline.dim_pct(seen_ms) <= 0:
                return seen_ms
        return None


class Silent(FaultSort):
    """The controller is dead; when it comes back it starts anew."""

    def begin(self, fleet: Fleet, fault: Fault, now_ms: int) -> list[Device]:
        """No more wakes."""
        fleet.devices[fault.subject].dead = True
        return []

    def finish(self, fleet: Fleet, fault: Fault, now_ms: int) -> list[Device]:
        """Power-up."""
        device = fleet.devices[fault.subject]
        device.dead = False
        device.power_up(now_ms)
        return [device]

    def observable_from_ms(self, fleet: Fleet, fault: Fault) -> int | None:
        """At once, except on a switched line: from the next instant with voltage."""
        return _next_supply_ms(fleet.devices[fault.subject], fault.start_ms)


class CircuitDown(FaultSort):
    """No voltage on a circuit: all its lamps are dark and silent."""

    def members(self, fleet: Fleet, subject: str) -> list[str]:
        """All lamps of the circuit."""
        if subject not in fleet.circuits:
            raise ValueError(f"there is no {subject!r} in this region; expected e.g. {next(iter(fleet.circuits), '-')}")
        return [lamp.device_id for lamp in fleet.circuits[subject]]

    def begin(self, fleet: Fleet, fault: Fault, now_ms: int) -> list[Device]:
        """The voltage goes."""
        for lamp in fleet.circuits[fault.subject]:
            lamp.count(now_ms)
            lamp.circuit_down = True
        return []

    def finish(self, fleet: Fleet, fault: Fault, now_ms: int) -> list[Device]:
        """The voltage is back; every controller starts anew."""
        lamps = fleet.circuits[fault.subject]
        for lamp in lamps:
            lamp.count(now_ms)
            lamp.circuit_down = False
            lamp.power_up(now_ms)
        return list(lamps)

    def observable_from_ms(self, fleet: Fleet, fault: Fault) -> int | None:
        """At once, except on a switched line: from the next instant with voltage."""
        return _next_supply_ms(fleet.circuits[fault.subject][0], fault.start_ms)


class BayStuck(FaultSort):
    """The sensor keeps its last state whatever stands on it; heartbeats go on."""

    def members(self, fleet: Fleet, subject: str) -> list[str]:
        """The bay."""
        if not isinstance(fleet.devices.get(subject), Bay):
            raise ValueError(f"there is no bay {subject!r} in this region")
        return [subject]

    def begin(self, fleet: Fleet, fault: Fault, now_ms: int) -> list[Device]:
        """The sensor freezes."""
        bay = _bay(fleet, fault.subject)
        bay.stuck, bay.first_unseen_ms = True, None
        return []

    def finish(self, fleet: Fleet, fault: Fault, now_ms: int) -> list[Device]:
        """It sees again."""
        _bay(fleet, fault.subject).stuck = False
        return []

    def observable_from_ms(self, fleet: Fleet, fault: Fault) -> int | None:
        """From the first car that came or went unseen; known once the run has got there."""
        return _bay(fleet, fault.subject).first_unseen_ms


class GatewayDown(FaultSort):
    """A receiver is off; the devices that only it hears fall silent, the others lose one of their receivers."""

    def members(self, fleet: Fleet, subject: str) -> list[str]:
        """The devices that only this gateway hears."""
        gateway = fleet.gateways.get(subject.removeprefix("gateway:"))
        if gateway is None or not subject.startswith("gateway:"):
            known = next(iter(fleet.gateways), "-")
            raise ValueError(f"there is no {subject!r} in this region; expected e.g. gateway:{known}")
        return fleet.heard_only_by(gateway)

    def begin(self, fleet: Fleet, fault: Fault, now_ms: int) -> list[Device]:
        """It goes off."""
        fleet.gateways[fault.subject.removeprefix("gateway:")].down = True
        return []

    def finish(self, fleet: Fleet, fault: Fault, now_ms: int) -> list[Device]:
        """It is back; the devices noticed nothing."""
        fleet.gateways[fault.subject.removeprefix("gateway:")].down = False
        return []


class SosPress(FaultSort):
    """Somebody presses an SOS button once and does not take it back; an end does not matter."""

    def members(self, fleet: Fleet, subject: str) -> list[str]:
        """The button."""
        if not isinstance(fleet.devices.get(subject), SosButton):
            raise ValueError(f"there is no SOS button {subject!r} in this region")
        return [subject]

    def begin(self, fleet: Fleet, fault: Fault, now_ms: int) -> list[Device]:
        """The hand on the button; one without power keeps the press and sends it when it is back."""
        button = fleet.devices[fault.subject]
        assert isinstance(button, SosButton)
        button.press(now_ms, "press", may_cancel=False)
        return [button]


class Reboot(FaultSort):
    """A device starts anew, once."""

    in_truth = False

    def begin(self, fleet: Fleet, fault: Fault, now_ms: int) -> list[Device]:
        """Power-up."""
        device = fleet.devices[fault.subject]
        device.power_up(now_ms)
        return [device]


class Offline(FaultSort):
    """A device has power but no network; a native one sends what it remembers afterwards, as one list."""

    in_truth = False

    def begin(self, fleet: Fleet, fault: Fault, now_ms: int) -> list[Device]:
        """The network goes, until the end."""
        fleet.devices[fault.subject].go_offline(now_ms, fault.end_ms or now_ms)
        return []


FAULT_SORTS: dict[str, FaultSort] = {
    "lamp_out": LampOut(),
    "day_burner": DayBurner(),
    "circuit_down": CircuitDown(),
    "silent": Silent(),
    "bay_stuck": BayStuck(),
    "gateway_down": GatewayDown(),
    "sos_press": SosPress(),
    "reboot": Reboot(),
    "offline": Offline(),
}


def with_members(fleet: Fleet, faults: Iterable[Fault]) -> list[Fault]:
    """The same faults in order of time, members filled in; a ValueError names the first fault that can't be."""
    known = sorted(faults, key=lambda fault: (fault.start_ms, fault.name, fault.subject))
    for fault in known:
        if fault.name not in FAULT_SORTS:
            raise ValueError(f"unknown fault {fault.name!r}; expected one of {', '.join(FAULT_SORTS)}")
        fault.members = tuple(FAULT_SORTS[fault.name].members(fleet, fault.subject))
    return known


def _lamp(fleet: Fleet, device_id: str) -> Lamp:
    lamp = fleet.devices[device_id]
    assert isinstance(lamp, Lamp)
    return lamp


def _bay(fleet: Fleet, device_id: str) -> Bay:
    bay = fleet.devices[device_id]
    assert isinstance(bay, Bay)
    return bay


def _next_supply_ms(device: Device, at_ms: int) -> int:
    if isinstance(device, Lamp) and device.wiring.switched:
        return device.timeline.next_on_ms(at_ms)
    return at_ms
