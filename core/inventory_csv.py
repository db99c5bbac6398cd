"""The inventory as CSV: devices (a column `device_id`) or sites (a column `site` and none `device_id`).

Text in, records and problems out; nothing is read or written here. Columns may stand in any order, missing ones count
as empty, and an empty `stage` is `live`: who brings a list of lamps has mostly mounted them. Files of a German
spreadsheet (semicolons, decimal commas, a byte order mark, CRLF, a first line "sep=;") are read as they are.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches

from core.device import Device, Site
from core.inventory_cells import DEVICE_CELLS, SITE_CELLS, Cell, Column, guarded, read_cells, shown

BYTE_ORDER_MARK = "\ufeff"


@dataclass(frozen=True, order=True)
class Problem:
    """What is wrong at one place of a file. `line` counts from 1; `column` is '' when the whole line is meant."""

    line: int
    column: str
    reason: str

    def __str__(self) -> str:
        where = f"line {self.line}, column {self.column}" if self.column else f"line {self.line}"
        return f"{where}: {self.reason}"


@dataclass(frozen=True)
class Parsed:
    """The right rows of a file, and what is wrong with the others. `device_lines` gives each device's line by id."""

    devices: tuple[Device, ...] = ()
    sites: tuple[Site, ...] = ()
    problems: tuple[Problem, ...] = ()
    device_lines: Mapping[str, int] = field(default_factory=dict)


def decode_csv(content: bytes) -> str:
    """The text of a file's bytes. Raises ValueError with the line when they are not UTF-8."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(f"line {line} is not UTF-8; save the file as 'CSV UTF-8'") from None


def parse_inventory(text: str) -> Parsed:
    """Devices or sites of a CSV text. Never raises for what stands in the text: that is what problems are for."""
    text = text.removeprefix(BYTE_ORDER_MARK)
    delimiter, skipped = _delimiter(text)
    rows = _rows(text, delimiter, skipped)
    line, header = next(rows, (1, []))
    if not isinstance(header, list) or not header:
        reason = header or "the file is empty; expected a header line with the column names"
        return Parsed(problems=(Problem(line, "", str(reason)),))
    names = [name.strip().casefold() for name in header]
    while names and not names[-1]:
        names.pop()
    columns = DEVICE_CELLS if "device_id" in names or "site" not in names else SITE_CELLS
    problems = _header_problems(names, line, columns)
    if any(column.required and name not in names for name, column in columns.items()):
        return Parsed(problems=tuple(problems))
    records = _Records(names, columns, decimal_comma=delimiter == ";")
    for line, cells in rows:
        problems += records.take(line, cells)
    if columns is SITE_CELLS:
        return _sites(records.found, problems)
    return _devices(records.found, problems)


def export_devices(devices: Iterable[Device]) -> str:
    """All columns, one line for each device, sorted by id; `parse_inventory` gives exactly these devices back."""
    return _export(DEVICE_CELLS, sorted(devices, key=lambda device: device.device_id))


def export_sites(sites: Iterable[Site]) -> str:
    """All columns, one line for each site, sorted by town and id; `parse_inventory` gives exactly these back."""
    return _export(SITE_CELLS, sorted(sites, key=lambda site: (site.town, site.site)))


def _export(columns: Mapping[str, Column], records: Sequence[Device] | Sequence[Site]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(
        [_written(column, getattr(record, name)) for name, column in columns.items()] for record in records
    )
    return text.getvalue()


def _written(column: Column, value: Cell | None) -> str:
    if value is None:
        return ""
    return guarded(str(value)) if column.free_text else str(value)


def _delimiter(text: str) -> tuple[str, int]:
    """The separator of a file, and how many lines stand before its header."""
    first = text[: 64 * 1024].partition("\n")[0].rstrip("\r")
    if first.casefold() in ("sep=;", "sep=,"):
        return first[-1], 1
    return (";" if first.count(";") > first.count(",") else ","), 0


def _rows(text: str, delimiter: str, skipped: int) -> Iterator[tuple[int, list[str] | str]]:
    """Each row with its first line: its cells, or the reason why it can't be split. Blank rows are left out."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield line, f"can't be split into cells: {error}; expected every quote to be closed"
            continue
        if line > skipped and any(cell.strip() for cell in cells):
            yield line, cells


def _header_problems(names: Sequence[str], line: int, columns: Mapping[str, Column]) -> list[Problem]:
    problems = []
    for place, name in enumerate(names):
        if not name:
            problems.append(Problem(line, "", f"column number {place + 1} has no name"))
        elif name not in columns:
            near = get_close_matches(name, columns, n=1)
            hint = f"did you mean {near[0]}?" if near else f"expected some of {', '.join(columns)}"
            problems.append(Problem(line, name, f"is no column of the inventory; {hint}"))
        elif name in names[:place]:
            problems.append(Problem(line, name, "stands twice in the header"))
    missing = [name for name, column in columns.items() if column.required and name not in names]
    problems += [Problem(line, name, "is missing; this column must be there and filled") for name in missing]
    return problems


class _Records:
    """Rows on their way to records: `found` gets (line, values) of each row whose cells are all right."""

    def __init__(self, names: Sequence[str], columns: Mapping[str, Column], decimal_comma: bool) -> None:
        self.names = names
        self.columns = columns
        self.decimal_comma = decimal_comma
        self.found: list[tuple[int, dict[str, Cell]]] = []

    def take(self, line: int, cells: list[str] | str) -> list[Problem]:
        """What is wrong with one row; a right one is kept."""
        if isinstance(cells, str):
            return [Problem(line, "", cells)]
        # A row may be shorter: spreadsheets leave out empty cells at its end. A longer one has slipped.
        if any(cell.strip() for cell in cells[len(self.names) :]):
            return [Problem(line, "", f"has {len(cells)} cells; expected {len(self.names)} as in the header")]
        named = dict(zip(self.names, cells, strict=False))
        values, wrong = read_cells(self.columns, named, self.decimal_comma)
        if not wrong:
            self.found.append((line, values))
        return [Problem(line, column, reason) for column, reason in wrong]


def _once(
    rows: Iterable[tuple[int, dict[str, Cell]]],
    column: str,
    key_of: Callable[[dict[str, Cell]], Sequence[Cell]],
    problems: list[Problem],
) -> list[tuple[int, dict[str, Cell]]]:
    """The rows whose key no earlier row has; an empty key is nobody's. The others become problems."""
    lines: dict[Sequence[Cell], int] = {}
    kept = []
    for line, values in rows:
        key = key_of(values)
        if key and key in lines:
            problems.append(Problem(line, column, f"{shown(str(key[-1]))} stands in line {lines[key]} already"))
            continue
        lines[key] = line
        kept.append((line, values))
    return kept


def _radio(values: dict[str, Cell]) -> Sequence[Cell]:
    held = "dev_eui" in values and values.get("stage") != "retired"
    return (values["dev_eui"],) if held else ()


def _devices(rows: list[tuple[int, dict[str, Cell]]], problems: list[Problem]) -> Parsed:
    rows = _once(rows, "device_id", lambda values: (values["device_id"],), problems)
    rows = _once(rows, "dev_eui", _radio, problems)
    lines = {str(values["device_id"]): line for line, values in rows}
    devices = tuple(Device(**values) for _, values in rows)  # type: ignore[arg-type]  # the readers give these types
    return replace(Parsed(devices, (), tuple(sorted(problems))), device_lines=lines)


def _sites(rows: list[tuple[int, dict[str, Cell]]], problems: list[Problem]) -> Parsed:
    rows = _once(rows, "site", lambda values: (values["town"], values["site"]), problems)
    sites = tuple(Site(**values) for _, values in rows)  # type: ignore[arg-type]  # the readers give these types
    return Parsed((), sites, tuple(sorted(problems)))
