"""What a backtest is made from: inventory, readings (a file, or a platform's history), rules, what people did."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Sequence
from datetime import date
from pathlib import Path

import numpy as np

from core.inventory import Snapshot
from core.inventory_csv import Parsed, decode_csv, parse_inventory
from core.kinds import KINDS
from core.settings import Settings
from deploy.commands.export import write_readings
from deploy.commands.inventory import export_text
from deploy.contact import find_centre
from deploy.output import BadInput, say
from deploy.parts import DATABASE_NAME, make_database
from ingest.reading_columns import ReadingColumns, joined
from ingest.readings_file import ReadingsFileError, read_readings, read_store
from ingest.store import Query, StoreError
from rules.backtest import Table
from rules.desk_tickets import repairs_after
from rules.load import Book, in_force
from rules.load_overrides import with_overrides
from rules.repairs import RepairsError, Works, parse_repairs
from rules.restart import WINDOWS_NAME
from rules.spec import Rule
from rules.windows import WindowError, read_windows

SHOWN_MAX = 20


def read_inventory(devices: Path, sites: Path | None, skip_bad: bool) -> Snapshot:
    """The inventory of CSV files. Raises BadInput with the lines that are wrong, unless those may be skipped."""
    parsed = [_parsed(path, skip_bad) for path in (devices, sites) if path is not None]
    if not parsed[0].devices:
        raise BadInput(f"{devices} holds no device; expected the inventory with a column device_id")
    return _snapshot(parsed)


def inventory_of(data: Path) -> Snapshot:
    """The inventory of a platform, running or stopped."""
    parsed = [parse_inventory(export_text(data, sites)) for sites in (False, True)]
    if not parsed[0].devices:
        raise BadInput(f"the inventory of {data} is empty; give one with --inventory")
    return _snapshot(parsed)


def _snapshot(parsed: Sequence[Parsed]) -> Snapshot:
    devices = {device.device_id: device for one in parsed for device in one.devices}
    sites = {(site.town, site.site): site for one in parsed for site in one.sites}
    by_eui = {device.dev_eui: device for device in devices.values() if device.dev_eui and device.in_use}
    return Snapshot(1, devices, by_eui, sites)


def _parsed(path: Path, skip_bad: bool) -> Parsed:
    try:
        parsed = parse_inventory(decode_csv(path.read_bytes()))
    except OSError as error:
        raise BadInput(f"{path} can't be read: {error.strerror}") from None
    except ValueError as error:
        raise BadInput(f"{path}: {error}") from None
    _tell([f"{path}: {problem}" for problem in parsed.problems])
    if parsed.problems and not skip_bad:
        raise BadInput(f"{path}: {len(parsed.problems)} problems; mend them, or leave these rows out with --skip-bad")
    return parsed


def readings_of_files(paths: Sequence[Path], skip_bad: bool, needed: Collection[str] | None = None) -> ReadingColumns:
    """The readings of files; numbers that are not `needed` (None = all are) may be left out.

    Raises BadInput with lines and columns, unless bad rows may be skipped.
    """
    return joined([_readings(path, skip_bad, needed) for path in paths])


def _readings(path: Path, skip_bad: bool, needed: Collection[str] | None) -> ReadingColumns:
    if path.suffix.casefold() not in (".csv", ".parquet"):
        raise BadInput(f"--readings is {path}; expected a name that ends with .csv or .parquet")
    try:
        found = read_readings(path, skip_bad, needed)
    except ReadingsFileError as error:
        if error.count > 1:
            _tell([f"{path}: {problem}" for problem in error.problems])
            raise BadInput(f"{path}: {error.count} bad rows; mend them, or leave them out with --skip-bad") from None
        raise BadInput(str(error)) from None
    except (StoreError, OSError) as error:
        raise BadInput(str(error)) from None
    for remark in found.remarks:
        say(f"{path}: {remark}")
    return found


def history_of(settings: Settings, data: Path, from_ms: int | None, to_ms: int | None) -> ReadingColumns:
    """The readings a platform has, from_ms <= t < to_ms: from the running centre, or out of its files."""
    file = data / settings.store.duckdb_file
    if settings.store.kind != "influxdb" and file.exists() and find_centre(data) is None:
        say("the platform is stopped: its files are read")
        try:
            return joined([read_store(file, kind, from_ms, to_ms) for kind in KINDS])
        except (StoreError, ReadingsFileError) as error:
            raise BadInput(str(error)) from None
    parts = []
    with tempfile.TemporaryDirectory() as folder:
        for kind in KINDS:
            path = Path(folder) / f"{kind}.csv"
            with path.open("wb") as lines:
                write_readings(settings, data, Query(kind=kind, from_ms=from_ms, to_ms=to_ms), lines)
            parts.append(read_readings(path, skip_bad=True))
            say(f"{kind}: {len(parts[-1]):,} readings")
    return joined(parts)


def works_of(data: Path) -> Works:
    """The announced work and the repairs that a platform minds, running or stopped."""
    windows, centre = data / WINDOWS_NAME, find_centre(data)
    try:
        announced = read_windows(windows) if windows.exists() else []
        if centre is not None:
            with centre.ask("/api/v1/repairs.csv") as answer:
                return Works(announced, parse_repairs(answer.read().decode()))
        if not (data / DATABASE_NAME).exists():
            return Works(announced)
        with make_database(data) as database, database.read() as connection:
            return Works(announced, repairs_after(connection, 0, None))
    except WindowError as error:
        raise BadInput(str(error)) from None


def works_of_files(windows: Path | None, repairs: Path | None) -> Works:
    """The announced work and the repairs of CSV files. Raises BadInput with the line that is wrong."""
    try:
        announced = [] if windows is None else read_windows(windows)
        return Works(announced, [] if repairs is None else parse_repairs(repairs.read_text(encoding="utf-8-sig")))
    except WindowError as error:
        raise BadInput(str(error)) from None
    except RepairsError as error:
        raise BadInput(f"{repairs}, {error}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{repairs} can't be read: {error}") from None


def table_of(readings: ReadingColumns, snapshot: Snapshot, tell: Callable[[str], None]) -> tuple[Table, int]:
    """The readings as the rules take them, and how many are of devices that the inventory does not have."""
    strange = np.array([device_id not in snapshot.devices for device_id in readings.device_ids], dtype=np.bool_)
    unknown = 0
    if strange.any():
        unknown = int(np.bincount(readings.device, minlength=len(strange))[strange].sum())
        names = [name for name, is_strange in zip(readings.device_ids, strange.tolist(), strict=True) if is_strange]
        shown = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
        tell(f"left out: {unknown:,} readings of {len(names):,} devices that the inventory does not have: {shown}")
    columns = (readings.device_ids, readings.device, readings.t_ms, readings.received_ms)
    return Table(*columns, readings.values, readings.texts), unknown


def read_rules(paths: Sequence[Path], overrides: Path | None, today: date) -> dict[str, Rule]:
    """The rules that come with the platform, with those of `paths` in place of their namesakes, and overrides.

    Raises BadInput when anything is wrong with them: what a broken rule would have found nobody could tell.
    """
    for path in paths:
        if path.is_dir() and not any(path.glob("*.toml")):
            raise BadInput(f"{path} holds no rule file; expected a folder with *.toml, or a file")
    try:
        book: Book = in_force(paths, today)
        book = book if overrides is None else with_overrides(book, overrides, today)
    except OSError as error:
        raise BadInput(f"{error.filename} can't be read: {error.strerror}; expected a TOML file") from None
    for warning in book.warnings:
        say(f"warning: {warning}")
    _tell([str(problem) for problem in book.problems])
    if book.problems:
        raise BadInput(f"problems in the rules: {len(book.problems)}; mend them first")
    return dict(book.rules)


def _tell(problems: Sequence[str]) -> None:
    for problem in problems[:SHOWN_MAX]:
        say(problem)
    if len(problems) > SHOWN_MAX:
        say(f"and {len(problems) - SHOWN_MAX} more")
