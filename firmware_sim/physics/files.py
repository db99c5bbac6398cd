"""A play as files: inventory.csv, sites.csv, readings.csv, readings.npz, windows.csv, truth.csv, events.csv."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from firmware_sim.physics.inventory_rows import DEVICE_COLUMNS, SITE_COLUMNS
from firmware_sim.physics.plan import Doubles
from firmware_sim.physics.played import Played, Text

TRUTH_COLUMNS = ("fault", "subject", "members", "start", "end", "observable_from")
WINDOW_COLUMNS = ("scope", "from", "to", "reason")
ROWS_AT_ONCE = 200_000


def write_played(played: Played, folder: Path) -> int:
    """Write all of it into the folder, which is made if need be; returns the number of readings."""
    folder.mkdir(parents=True, exist_ok=True)
    _write_rows(folder / "inventory.csv", DEVICE_COLUMNS, played.inventory)
    _write_rows(folder / "sites.csv", SITE_COLUMNS, played.sites)
    _write_rows(folder / "windows.csv", WINDOW_COLUMNS, played.windows)
    _write_rows(folder / "truth.csv", TRUTH_COLUMNS, played.truth)
    _write_rows(folder / "events.csv", TRUTH_COLUMNS, played.events)
    write_readings(played, folder / "readings.csv")
    _write_arrays(played, folder / "readings.npz")
    return len(played)


def write_readings(played: Played, path: Path) -> None:
    """One line a reading in order of receipt: device_id, t and received in Unix ms, then values; empty = not told."""
    values = {name: column for name, column in played.values.items() if np.isfinite(column).any()}
    texts = {name: text for name, text in played.texts.items() if (text.codes >= 0).any()}
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(",".join(("device_id", "t", "received", *values, *texts)) + "\n")
        for first in range(0, len(played), ROWS_AT_ONCE):
            part = slice(first, first + ROWS_AT_ONCE)
            columns: list[Iterable[str]] = [
                [played.device_ids[number] for number in played.device[part].tolist()],
                map(str, played.t_ms[part].tolist()),
                map(str, played.received_ms[part].tolist()),
            ]
            columns += [_number_cells(column[part]) for column in values.values()]
            columns += [_word_cells(text, part) for text in texts.values()]
            file.writelines(",".join(cells) + "\n" for cells in zip(*columns, strict=True))


def _number_cells(column: Doubles) -> list[str]:
    """Few different numbers stand in many rows: each is written once."""
    known, which = np.unique(column, return_inverse=True)
    words = ["" if value != value else repr(value).removesuffix(".0") for value in known.tolist()]
    return [words[number] for number in which.tolist()]


def _word_cells(text: Text, part: slice) -> list[str]:
    words = ("", *text.words)
    return [words[code + 1] for code in text.codes[part].tolist()]


def _write_rows(path: Path, columns: Sequence[str], rows: Iterable[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _write_arrays(played: Played, path: Path) -> None:
    """The same columns for numpy: device_ids, device, t_ms, received_ms, value_NAME, text_NAME with words_NAME."""
    arrays: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]] = {
        "device_ids": np.array(played.device_ids), "device": played.device, "t_ms": played.t_ms,
        "received_ms": played.received_ms,
    }  # fmt: skip
    arrays |= {f"value_{name}": column for name, column in played.values.items()}
    arrays |= {f"text_{name}": text.codes for name, text in played.texts.items()}
    arrays |= {f"words_{name}": np.array(text.words) for name, text in played.texts.items()}
    # An open file, so that numpy adds no ending of its own.
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
