"""Fault files: which faults a run gets, read or drawn from the seed, and the truth about them afterwards."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from random import Random

from firmware_sim.faults import FAULT_SORTS, Fault
from firmware_sim.fleet import Fleet
from firmware_sim.moments import iso, parse_time_ms
from firmware_sim.settings import FaultCounts

TRUTH_COLUMNS = ("fault", "subject", "members", "start", "end", "observable_from")

HOUR_MS = 3_600_000
SPAN_MS = 24 * HOUR_MS
"""Faults drawn from the seed begin within the first half of the run or of its first day."""

# How long they last in hours; the others stay until somebody mends them, which nobody does here.
DURATIONS_H = {"silent": (3.0, 10.0), "circuit_down": (2.0, 6.0), "gateway_down": (1.0, 4.0)}


def read_faults(path: Path) -> list[Fault]:
    """The faults of a CSV file with the columns fault, subject, start, end; others are ignored (a truth file fits)."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            missing = {"fault", "subject", "start", "end"} - set(reader.fieldnames or ())
            if missing:
                absent = ", ".join(sorted(missing))
                raise ValueError(f"{path}: column {absent} is missing; expected {','.join(TRUTH_COLUMNS)}")
            return [_fault(path, reader.line_num, row) for row in reader]
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror}); name an existing fault file") from error


def _fault(path: Path, line: int, row: dict[str, str]) -> Fault:
    if row["fault"] not in FAULT_SORTS:
        expected = ", ".join(FAULT_SORTS)
        raise ValueError(f"{path}, line {line}: unknown fault {row['fault']!r}; expected one of {expected}")
    try:
        start_ms = parse_time_ms(row["start"])
        end_ms = parse_time_ms(row["end"]) if row["end"] else None
    except ValueError as error:
        raise ValueError(f"{path}, line {line}: {error}") from error
    if end_ms is not None and end_ms <= start_ms:
        raise ValueError(f"{path}, line {line}: end must be after start")
    return Fault(row["fault"], row["subject"], start_ms, end_ms)


def draw_faults(fleet: Fleet, counts: FaultCounts, rng: Random, start_ms: int, end_ms: int) -> list[Fault]:
    """A handful of faults on distinct subjects; in a small fleet at most a tenth of those who can have one."""
    span_ms = min(end_ms - start_ms, SPAN_MS)
    taken: set[str] = set()
    faults: list[Fault] = []
    for name in ("gateway_down", "circuit_down", "day_burner", "lamp_out", "bay_stuck", "silent", "reboot"):
        wanted = getattr(counts, name)
        candidates = [subject for subject in _candidates(name, fleet) if not taken & _touched(name, fleet, subject)]
        rng.shuffle(candidates)
        for subject in candidates[: min(wanted, max(1, len(candidates) // 10))]:
            taken |= _touched(name, fleet, subject)
            begin_ms = start_ms + int(span_ms * rng.uniform(0.02, 0.5))
            hours = DURATIONS_H.get(name)
            until_ms = begin_ms + int(rng.uniform(*hours) * HOUR_MS) if hours else None
            faults.append(Fault(name, subject, begin_ms, until_ms))
    assert {row.name for row in fields(FaultCounts)} >= {fault.name for fault in faults}
    return faults


def _candidates(name: str, fleet: Fleet) -> list[str]:
    """The subjects that can have this fault, in a fixed order."""
    if name == "gateway_down":
        ranked = sorted(fleet.gateways.values(), key=lambda gateway: -len(fleet.heard_only_by(gateway)))
        return [f"gateway:{gateway.gateway_id}" for gateway in ranked[:2] if fleet.heard_only_by(gateway)]
    if name == "circuit_down":
        circuits = fleet.circuits.items()
        return [circuit for circuit, lamps in circuits if len(lamps) >= 3 and not lamps[0].wiring.switched]
    if name in ("lamp_out", "day_burner"):
        return [lamp.device_id for lamps in fleet.circuits.values() for lamp in lamps if not lamp.wiring.switched]
    kinds = {"bay_stuck": ("parking",), "silent": ("lamp", "parking", "sos"), "reboot": ("lamp", "parking", "counter")}
    return [device.device_id for device in fleet.devices.values() if device.kind in kinds[name]]


def _touched(name: str, fleet: Fleet, subject: str) -> set[str]:
    return {subject, *FAULT_SORTS[name].members(fleet, subject)}


def truth_rows(fleet: Fleet, faults: Sequence[Fault], run_start_ms: int, run_end_ms: int) -> list[tuple[str, ...]]:
    """The truth file's rows, by start: times in ISO 8601 UTC, members joined by `;`.

    `observable_from` is empty when the fault could not be seen before it, or the run, ended.
    """
    rows: list[tuple[str, ...]] = []
    for fault in faults:
        sort = FAULT_SORTS[fault.name]
        over = fault.end_ms is not None and fault.end_ms <= run_start_ms
        if not sort.in_truth or over or fault.start_ms >= run_end_ms:
            continue
        seen_ms = sort.observable_from_ms(fleet, fault)
        if seen_ms is not None and seen_ms >= min(run_end_ms, fault.end_ms or run_end_ms):
            seen_ms = None
        members = ";".join(fault.members)
        rows.append((fault.name, fault.subject, members, iso(fault.start_ms), iso(fault.end_ms), iso(seen_ms)))
    return rows


def write_truth(path: Path, rows: Sequence[tuple[str, ...]]) -> None:
    """Write the truth file."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(TRUTH_COLUMNS)
        writer.writerows(rows)
