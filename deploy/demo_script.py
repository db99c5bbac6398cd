"""What happens in the demo: the simulated region, and a list of faults that the seed spreads over it.

The evening is the first act: within four simulated hours (two minutes at the usual speed) lamps stay dark, a circuit
goes down, a lamp and a bay fall out, and somebody presses SOS. Then comes the night, with repairs, and the next days.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from firmware_sim.faults import Fault
from firmware_sim.inventory import DeviceRow
from firmware_sim.moments import iso
from firmware_sim.outlines import TOWNS
from firmware_sim.region import Region
from firmware_sim.settings import Life, Radio, Settings, Sizes
from firmware_sim.sky import DAY_MS, dawn_ms, dusk_ms

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
BEFORE_DUSK_MS = 10 * MINUTE_MS
DAYS = 7
CIRCUIT_LAMPS_MIN = 4
NAUNHOF = next(town for town in TOWNS if town.town == "naunhof")
TOWN_NAMES = {town.town: town.name for town in TOWNS}
# Minutes after dusk at which lamps fail, and after how many hours each is mended (None = never). Those before dusk
# are noticed when they should light.
LAMPS_OUT = ((-8, None), (-8, 3.0), (-7, None), (-6, None), (-5, 6.5), (35, None), (95, None), (170, 9.0))
LAMPS_SILENT = ((12, 7.0), (14, None), (150, None))
CIRCUIT_DOWN = (30, 3.5)
BAYS_STUCK = (15, 60)
PRESSES = (100, 260, 900)
GATEWAY_DOWN = (300, 1.5)
RULES = """# In this region hardly a message is lost: six missing ones are silence, whatever another radio may need.

[rule.silent]
title_de = "Meldet sich nicht"
kind = "absence"
select = 'kind != "gateway"'
params = { false_per_year = 0.001, misses_min = 4, misses_max = 6 }
inhibited_by = ["circuit_down", "phase_down", "gateway_down"]
priority = "low"
talq = "communicationFailure"
status = "ok"
sentence_de = "Zuletzt gehört: {since}. Sonst alle {interval_s}; seither fehlen mehr als {misses} Meldungen in Folge."
"""
DAY_BURNERS = (480, 540)


@dataclass(frozen=True)
class Moment:
    """Something people are told beforehand."""

    at_ms: int
    sentence: str


@dataclass
class Script:
    """The faults and what people are told of them."""

    faults: list[Fault] = field(default_factory=list)
    moments: list[Moment] = field(default_factory=list)

    def write_faults(self, path: Path) -> None:
        """As the file that the simulator reads."""
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("fault", "subject", "start", "end"))
            writer.writerows((one.name, one.subject, iso(one.start_ms), iso(one.end_ms)) for one in self.faults)


def region_settings(lamps: int) -> Settings:
    """The region's sizes; losses are rare and short, so that silence tells something soon (see RULES)."""
    radio = Radio(loss=0.002, lorawan_loss=0.01, burst_messages=1.0, dropout=0.0001)
    return replace(Settings(), sizes=Sizes(lamps=lamps), radio=radio, life=Life(presses_per_button_day=0.0))


def write_region(path: Path, settings: Settings) -> None:
    """As the file that the simulator reads."""
    tables = (("sizes", settings.sizes), ("radio", settings.radio), ("life", settings.life))
    lines = [f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in vars(one).items()) for name, one in tables]
    path.write_text("\n".join(lines), encoding="utf-8")


def next_dusk_ms(after_ms: int) -> int:
    """When the street lamps of the region next go on."""
    today = datetime.fromtimestamp(after_ms / 1000, UTC).date()
    dusks = (dusk_ms(today + timedelta(days=day), *NAUNHOF.centre) for day in range(3))
    return next(found for found in dusks if found > after_ms)


def dusk_of_today_ms(now_ms: int) -> int:
    """The dusk of the day of this instant, be it over or not."""
    return dusk_ms(datetime.fromtimestamp(now_ms / 1000, UTC).date(), *NAUNHOF.centre)


class Author:
    """Writes the script of one region: every fault on a subject of its own, towns in turn."""

    def __init__(self, region: Region, seed: int, dusk: int) -> None:
        self.region = region
        self.rng = Random(f"{seed} demo")
        self.dusk = dusk
        self.script = Script()
        self.taken: set[str] = set()

    def write(self) -> Script:
        """The whole script."""
        self.first_evening()
        self.first_night()
        for day in range(1, DAYS):
            self.another_evening(self.dusk + day * DAY_MS)
        self.script.faults.sort(key=lambda fault: (fault.start_ms, fault.name, fault.subject))
        self.script.moments.sort(key=lambda moment: moment.at_ms)
        return self.script

    def first_evening(self) -> None:
        """What the first two minutes show."""
        circuit = self.a_circuit()
        if circuit:
            minutes, hours = CIRCUIT_DOWN
            self.add("circuit_down", f"circuit:{circuit[0].cabinet}/{circuit[0].circuit}", minutes, hours)
            town = TOWN_NAMES[circuit[0].town]
            self.tell(minutes, f"In {town} fällt ein Strang mit {len(circuit)} Leuchten aus; das wird ein Ticket.")
        lamps = self.lamps()
        out = LAMPS_OUT[: math.ceil(len(lamps) / 10)]
        for minutes, repaired_h in out:
            self.add("lamp_out", self.one_of(lamps), minutes, repaired_h)
        for minutes, repaired_h in LAMPS_SILENT[: math.ceil(len(lamps) / 10)]:
            self.add("silent", self.one_of(lamps), minutes, repaired_h)
        bays = [row for row in self.region.rows if row.kind == "parking"]
        for minutes in BAYS_STUCK[: len(bays) // 10]:
            self.add("bay_stuck", self.one_of(bays), minutes)
        dark = sum(minutes < 0 for minutes, _ in out)
        self.tell(0, f"Es dämmert: die Leuchten gehen an, {dark} bleiben dunkel. Kurz darauf hat der Bauhof Tickets.")
        buttons = [row for row in self.region.rows if row.kind == "sos" and not row.dev_eui]
        for minutes in PRESSES[: len(buttons)]:
            button = self.row_of(self.one_of(buttons))
            self.add("sos_press", button.device_id, minutes)
            self.tell(minutes, f"Jemand drückt SOS: {button.name}. Die Leitstelle sieht es sofort.")

    def first_night(self) -> None:
        """Repairs come with the ends of the evening's faults; a radio gateway fails, and some lamps burn on by day."""
        if self.region.gateways:
            gateway = self.rng.choice(self.region.gateways)
            self.add("gateway_down", f"gateway:{gateway.gateway_id}", *GATEWAY_DOWN)
        lamps = self.lamps()
        for minutes in DAY_BURNERS[: len(lamps) // 20]:
            self.add("day_burner", self.one_of(lamps), minutes)
        dawn = dawn_ms(datetime.fromtimestamp(self.dusk / 1000, UTC).date(), *NAUNHOF.centre)
        self.script.moments.append(Moment(dawn, "Es wird Tag, die Leuchten gehen aus; die Parkplätze füllen sich."))

    def another_evening(self, dusk: int) -> None:
        """A quieter evening: two lamps and a press, mended within a day."""
        minutes = (dusk - self.dusk) // MINUTE_MS
        lamps = self.lamps()
        buttons = [row for row in self.region.rows if row.kind == "sos"]
        for _ in range(2 if len(lamps) > DAYS else 0):
            self.add("lamp_out", self.one_of(lamps), minutes - self.rng.randrange(1, 60), 24.0)
        if buttons:
            self.add("sos_press", self.rng.choice(buttons).device_id, minutes + self.rng.randrange(20, 200))

    def add(self, fault: str, subject: str, minutes: int, mended_h: float | None = None) -> None:
        """One fault, so many minutes after the first dusk, mended so many hours after it began."""
        start_ms = self.dusk + minutes * MINUTE_MS
        end_ms = start_ms + int(mended_h * HOUR_MS) if mended_h is not None else None
        self.script.faults.append(Fault(fault, subject, start_ms, end_ms))

    def tell(self, minutes: int, sentence: str) -> None:
        """Something people read beforehand."""
        self.script.moments.append(Moment(self.dusk + minutes * MINUTE_MS, sentence))

    def lamps(self) -> list[DeviceRow]:
        """Lamps that always have voltage and are in no other fault."""
        return [row for row in self.region.rows if row.kind == "lamp" and row.supply == "permanent"]

    def a_circuit(self) -> list[DeviceRow]:
        """All lamps of one circuit; [] in a region without a large one."""
        circuits: dict[tuple[str, str], list[DeviceRow]] = {}
        for row in self.lamps():
            circuits.setdefault((row.cabinet, row.circuit), []).append(row)
        large = [rows for rows in circuits.values() if len(rows) >= CIRCUIT_LAMPS_MIN]
        found = self.rng.choice(large) if large else []
        self.taken |= {row.device_id for row in found}
        return found

    def one_of(self, rows: Sequence[DeviceRow]) -> str:
        """A device that nothing has happened to yet, in the town that had the least; any one when all have."""
        free = [row for row in rows if row.device_id not in self.taken] or list(rows)
        used = [self.row_of(device_id).town for device_id in self.taken]
        least = min(used.count(row.town) for row in free)
        device_id = self.rng.choice([row for row in free if used.count(row.town) == least]).device_id
        self.taken.add(device_id)
        return device_id

    def row_of(self, device_id: str) -> DeviceRow:
        """The line of the inventory."""
        return next(row for row in self.region.rows if row.device_id == device_id)
