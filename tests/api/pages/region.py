"""A small region for the tests of the pages: lamps (one dark, one with a hostile name), a car park, a button."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.inventory_csv import parse_inventory
from tests.support.frames import T0, FedCentre, Said, fed_centre, make_frame
from tests.support.platform import until

MIN_MS = 60_000
SETTLED_MS = 2 * MIN_MS
"""So much later than when it was told everything the centre is asked."""
HOSTILE = "<script>alert('x')</script>"
DEVICES = f"""device_id,kind,town,name,lat,lon,street,pole,nominal_w,interval_s,site,audience
NAU-L1,lamp,naunhof,Leuchte 1,51.279,12.588,Lange Straße,12,40,900,,
NAU-L3,lamp,naunhof,Leuchte 3,51.280,12.589,Lange Straße,14,40,900,,
NAU-L4,lamp,naunhof,Leuchte 4,51.281,12.590,Markt,1,40,900,,
BRA-L2,lamp,brandis,"{HOSTILE}",51.327,12.618,"{HOSTILE}",7,40,900,,
NAU-B1,parking,naunhof,,51.278,12.587,,,,3600,markt,
NAU-B2,parking,naunhof,,51.278,12.587,,,,3600,markt,
NAU-B3,parking,naunhof,,51.278,12.587,,,,3600,markt,
NAU-B4,parking,naunhof,,51.278,12.587,,,,3600,markt,disabled
NAU-S1,sos,naunhof,Notrufsäule Bahnhof,51.283,12.592,,,,3600,,
NAU-C1,cabinet,naunhof,Schrank 1,51.283,12.592,,,,900,,
"""
SITES = """site,town,name,lat,lon,type,address,fee,opening_hours,max_stay,capacity,capacity_disabled
markt,naunhof,Am Markt,51.278,12.587,OFF_STREET_PARKING_GROUND,Markt 1,no,24/7,PT2H,4,1
bahn,brandis,Bahnhof Brandis,51.33,12.61,ON_STREET,Bahnhofstraße 2,yes,Mo-Su 08:00-18:00,,20,0
"""


def _readings() -> list[Said]:
    def lamp(device_id: str, at: int, power_w: float) -> Said:
        values = {"power_w": power_w, "dim_pct": 100.0, "voltage_v": 231.5 + 0.1 * (6 - at)}
        return Said(device_id, at, values, t_ms=T0 + (at - 3) * 15 * MIN_MS + SETTLED_MS)

    said = [lamp(one, at, 40.0) for one in ("NAU-L1", "BRA-L2") for at in range(7)]
    said += [lamp("NAU-L3", at, 40.0 if at < 2 else 0.5) for at in range(7)]
    bays = [("NAU-B1", True), ("NAU-B2", False), ("NAU-B3", True), ("NAU-B4", False)]
    said += [Said(bay, 1, {"occupied": taken}, "parking", T0 + 57 * MIN_MS + SETTLED_MS) for bay, taken in bays]
    return sorted(said, key=lambda one: one.t_ms)


def press(centre: FedCentre, seq: int, event: str = "press", at_ms: int = 0) -> None:
    """Somebody presses the button; returns when the case is there."""
    before = len(centre.rules.cases.page()[0])
    said = Said("NAU-S1", seq, {"event": event, "press_id": float(seq)}, "sos", at_ms or centre.clock.now_ms())
    frame = make_frame([said], first_seq=1000 + seq, lane="sos", epoch=1 + seq)
    frame.readings.received_ms[:] = centre.clock.now_ms()
    centre.take(frame)
    until("the case is there", lambda: len(centre.rules.cases.page()[0]) > before, 20)


@contextmanager
def small_region(folder: Path) -> Iterator[FedCentre]:
    """The region an hour after dusk: a ticket for the dark lamp, no case yet."""
    with fed_centre(folder) as centre:
        devices, sites = parse_inventory(DEVICES), parse_inventory(SITES)
        assert not devices.problems, devices.problems
        assert not sites.problems, sites.problems
        centre.inventory.apply(devices.devices, sites.sites, T0 - 60 * MIN_MS, "test")
        centre.ingest.inventory_changed()
        centre.take(make_frame(_readings()))
        centre.settle()
        until("the dark lamp has a ticket", lambda: len(centre.rules.tickets.page()[0]) == 1, 20)
        for session in centre.ingest.sessions.values():
            session.ready.set()
        yield centre
