"""How far the bucket is filled, in a small file of our own: InfluxDB has no transaction that could hold it."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from ingest.store import StoreError


class Remembered(msgspec.Struct):
    """What stands in the file; the id, because a bucket of the same name may be made anew and be empty."""

    bucket_id: str
    position: int


def recall(path: Path) -> Remembered | None:
    """What `remember` wrote; None when there is no file yet."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Remembered)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        raise StoreError(
            f"{path} can't be read ({error}). Remove it: then all that the journal holds is written to InfluxDB again, "
            "which changes nothing there"
        ) from error


def remember(path: Path, remembered: Remembered) -> None:
    """Old or new content after a power cut, never half of it."""
    new = path.with_name(path.name + ".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with new.open("wb") as file:
            file.write(msgspec.json.encode(remembered))
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise StoreError(f"{path} can't be written: {error}. Is the disk full or the folder not writable?") from error
