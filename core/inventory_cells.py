"""How the text of one inventory cell becomes a value, and what is wrong with it when it does not.

One row for each column of Device and Site. An empty cell is None and asks nobody, unless the column must be filled.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from core.device import DEVICE_COLUMNS, PHASES, SITE_COLUMNS, STAGES, SUPPLIES
from core.kinds import KINDS
from core.profile import parse_profile
from core.town import TOWNS, is_id

TEXT_CHARS_MAX = 500
TYPE_CHARS_MAX = 64  # a gateway gets the type with each device, in the small entry of core.registry
SHOWN_CHARS_MAX = 60
POWER_W_MAX = 200_000  # a whole cabinet on three phases, as in core.kinds
INTERVAL_S_MAX = 31 * 24 * 3600
CAPACITY_MAX = 100_000

_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
_EUI_SEPARATORS = re.compile(r"[:.\-\s]")
_EUI = re.compile(r"[0-9A-F]{16}", re.ASCII)
# What a spreadsheet would run as a formula (OWASP, CSV injection), with any marks that already guard it.
_FORMULA = re.compile(r"'*[=+\-@\t\r]")

Cell = str | float | int
CellReader = Callable[[str], Cell]


class CellError(ValueError):
    """This text is no value of its column; says what was found and what was expected."""


@dataclass(frozen=True)
class Column:
    """One column: how it is read, whether it must be filled, and whether people write free text into it."""

    read: CellReader
    required: bool = False
    free_text: bool = False
    number: bool = False


def guarded(text: str) -> str:
    """Free text as it may stand in a file that a spreadsheet opens: what looks like a formula gets a leading mark."""
    return f"'{text}" if _FORMULA.match(text) else text


def unguarded(text: str) -> str:
    """The exact inverse of `guarded`."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def shown(text: str) -> str:
    """A cell's text in quotes for a message, cut where it gets long."""
    return f"'{text}'" if len(text) <= SHOWN_CHARS_MAX else f"'{text[:SHOWN_CHARS_MAX]}…'"


def _free_text(chars_max: int) -> CellReader:
    def read(text: str) -> str:
        if len(text) > chars_max:
            raise CellError(f"{shown(text)} has {len(text)} characters; expected {chars_max} at most")
        for character in text:
            if unicodedata.category(character) in ("Cc", "Cs"):
                raise CellError(f"holds the control character U+{ord(character):04X}; expected one line of plain text")
        return text

    return read


def _id(text: str) -> str:
    if not is_id(text):
        raise CellError(f"{shown(text)} is no id; expected 1 to 64 of the characters A-Z a-z 0-9 _ -")
    return text


def _one_of(words: Iterable[str]) -> CellReader:
    by_folded = {word.casefold(): word for word in words}
    expected = ", ".join(by_folded.values())

    def read(text: str) -> str:
        word = by_folded.get(text.casefold())
        if word is None:
            raise CellError(f"{shown(text)} is not known; expected one of {expected}")
        return word

    return read


def _number(low: float, high: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        number = float(text) if _NUMBER.fullmatch(text) else math.nan
        if math.isnan(number):
            raise CellError(f"{shown(text)} is no number; expected {low:g} … {high:g}, e.g. {min(high, 51.25):g}")
        if not low <= number <= high:
            raise CellError(f"{shown(text)} is out of range; expected {low:g} … {high:g}")
        return number

    return read


def _integer(low: int, high: int) -> CellReader:
    number_of = _number(low, high)

    def read(text: str) -> int:
        number = number_of(text)
        if not number.is_integer():
            raise CellError(f"{shown(text)} is no whole number; expected {low} … {high}")
        return int(number)

    return read


def _dev_eui(text: str) -> str:
    eui = _EUI_SEPARATORS.sub("", text).upper()
    if not _EUI.fullmatch(eui):
        # 1,23457E+15 is what a spreadsheet makes of sixteen digits; the last ones are lost for good.
        hint = "; a spreadsheet has rounded it: format the column as text" if re.search(r"E\+\d\d?$", text) else ""
        raise CellError(f"{shown(text)} is no EUI; expected 16 hexadecimal digits{hint}")
    return eui


def _profile(text: str) -> str:
    try:
        parse_profile(text)
    except ValueError as error:
        raise CellError(str(error)) from None
    return text


_TEXT = Column(_free_text(TEXT_CHARS_MAX), free_text=True)
_ID = Column(_id)
_CAPACITY = Column(_integer(0, CAPACITY_MAX), number=True)
_POWER_W = Column(_number(0, POWER_W_MAX), number=True)
_TOWN = Column(_one_of(town.id for town in TOWNS), required=True)
_LAT = Column(_number(-90, 90), number=True)
_LON = Column(_number(-180, 180), number=True)

_DEVICE = {
    "device_id": Column(_id, required=True),
    "kind": Column(_one_of(KINDS), required=True),
    "device_type": Column(_free_text(TYPE_CHARS_MAX), free_text=True),
    "town": _TOWN,
    "lat": _LAT,
    "lon": _LON,
    "site": _ID,
    "cabinet": _ID,
    "circuit": _ID,
    "phase": Column(_one_of(PHASES)),
    "supply": Column(_one_of(SUPPLIES)),
    "nominal_w": _POWER_W,
    "min_dim_pct": Column(_number(0, 100), number=True),
    "min_w": _POWER_W,
    "interval_s": Column(_integer(1, INTERVAL_S_MAX), number=True),
    "profile": Column(_profile),
    "capacity": _CAPACITY,
    "stage": Column(_one_of(STAGES)),
    "dev_eui": Column(_dev_eui),
}
_SITE = {"site": Column(_id, required=True), "town": _TOWN, "lat": _LAT, "lon": _LON}

DEVICE_CELLS = {name: _DEVICE.get(name, _TEXT) for name in DEVICE_COLUMNS}
SITE_CELLS = {name: _SITE.get(name, _CAPACITY if name.startswith("capacity") else _TEXT) for name in SITE_COLUMNS}


def read_cells(
    columns: Mapping[str, Column], cells: Mapping[str, str], decimal_comma: bool
) -> tuple[dict[str, Cell], list[tuple[str, str]]]:
    """The values of one row by column name, without the empty ones, and what is wrong as (column, reason)."""
    values: dict[str, Cell] = {}
    wrong: list[tuple[str, str]] = []
    for name, column in columns.items():
        text = cells.get(name, "").strip()
        if column.free_text:
            text = unguarded(text)
        elif column.number and decimal_comma and "." not in text:
            text = text.replace(",", ".")
        try:
            if text:
                values[name] = column.read(text)
            elif column.required:
                raise CellError("is empty; this column must be filled")
        except CellError as error:
            wrong.append((name, str(error)))
    if not wrong and ("lat" in values) != ("lon" in values):
        missing = "lon" if "lat" in values else "lat"
        wrong.append((missing, "is empty; expected lat and lon together, or neither"))
    return values, wrong or _contradictions(values)


def _contradictions(values: Mapping[str, Cell]) -> list[tuple[str, str]]:
    """What is wrong with cells that are right each for itself, as (column, reason)."""
    min_w, nominal_w = values.get("min_w"), values.get("nominal_w")
    if isinstance(min_w, float) and isinstance(nominal_w, float) and min_w > nominal_w:
        return [("min_w", f"'{min_w:g}' is more than nominal_w, which is {nominal_w:g}; expected that at most")]
    return []
