"""`partheland export readings`: from the running centre, or from the store's files while it is stopped."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import IO
from urllib.parse import urlencode

from core.clock import RealClock
from core.kinds import KINDS
from core.settings import Settings
from core.town import is_id
from deploy.contact import Centre, find_centre, why
from deploy.options import add_data_options, read_data_options, read_span
from deploy.output import EXIT_OK, BadInput, Parser, say, tell_json
from deploy.parts import make_stores_of_stopped
from deploy.whole import whole_file
from ingest.parquet import csv_to_parquet
from ingest.readings_csv import csv_chunks, value_names
from ingest.store import Query, StoreError

EXAMPLES = """
partheland export readings --kind lamp --out lamps.csv
partheland export readings --kind lamp --device BOR-0001 --out lamp.csv
partheland export readings --kind parking --from 2026-01-10T00:00:00Z --to 2026-01-11T00:00:00Z --out bays.parquet
"""
CHUNK_BYTES = 1024 * 1024
PROGRESS_BYTES = 64 * CHUNK_BYTES


def main(argv: Sequence[str]) -> int:
    """Write the file; whole or not at all."""
    parser = Parser("export", "Writes readings into a file: device_id, t, received and the kind's values.", EXAMPLES)
    parser.add_argument("what", choices=("readings",))
    parser.add_argument("--kind", choices=KINDS, required=True)
    parser.add_argument("--device", metavar="ID", help="only of this device")
    parser.add_argument("--from", dest="from_", metavar="T", help="at or after this instant (ISO 8601 or Unix ms)")
    parser.add_argument("--to", metavar="T", help="before this instant")
    parser.add_argument("--out", type=Path, required=True, metavar="F.csv|F.parquet", help="the file")
    parser.add_argument("--json", action="store_true", help="say file and size as JSON")
    add_data_options(parser)
    arguments = parser.parse_args(argv)
    if arguments.out.suffix not in (".csv", ".parquet"):
        raise BadInput(f"--out is {arguments.out}; expected a name that ends with .csv or .parquet")
    query = _query(arguments)
    settings, data = read_data_options(arguments)
    with whole_file(arguments.out) as file:
        write_readings(settings, data, query, file)
        if arguments.out.suffix == ".parquet":
            file.flush()
            _to_parquet(Path(file.name), arguments.kind)
    size = arguments.out.stat().st_size
    say(f"{arguments.out}: {size:,} bytes")
    if arguments.json:
        tell_json({"file": str(arguments.out), "bytes": size})
    return EXIT_OK


def _query(arguments: argparse.Namespace) -> Query:
    """Which readings are meant."""
    from_ms, to_ms = read_span(arguments.from_, arguments.to)
    if arguments.device is not None and not is_id(arguments.device):
        raise BadInput(f"--device is {arguments.device!r}; expected an id: A-Z a-z 0-9 _ -, 1 to 64 characters")
    return Query(device_id=arguments.device, kind=arguments.kind, from_ms=from_ms, to_ms=to_ms)


def _to_parquet(draft: Path, kind: str) -> None:
    """Put Parquet in the place of the CSV that was just written."""
    parquet = draft.with_name(f"{draft.name}.parquet")
    try:
        csv_to_parquet(draft, parquet, kind)
        parquet.replace(draft)
    except StoreError as error:
        raise BadInput(str(error)) from None
    finally:
        parquet.unlink(missing_ok=True)


def write_readings(settings: Settings, data: Path, query: Query, file: IO[bytes]) -> None:
    """The readings as CSV into an open file, from the running centre or from the files of a stopped one."""
    centre = find_centre(data)
    if centre is not None:
        _copy(centre, query, file)
    else:
        _write_from_files(settings, data, query, file)


def _copy(centre: Centre, query: Query, file: IO[bytes]) -> None:
    asked = {"kind": query.kind, "device_id": query.device_id, "from": query.from_ms, "to": query.to_ms}
    path = "/api/v1/export?" + urlencode({name: value for name, value in asked.items() if value is not None})
    with centre.ask(path) as answer:
        if answer.status != 200:
            raise BadInput(f"the centre answers {answer.status}: {why(answer)}")
        written = 0
        while chunk := answer.read(CHUNK_BYTES):
            before, written = written, written + file.write(chunk)
            if written // PROGRESS_BYTES > before // PROGRESS_BYTES:
                say(f"{written:,} bytes")


def _write_from_files(settings: Settings, data: Path, query: Query, file: IO[bytes]) -> None:
    store = make_stores_of_stopped(settings, data, RealClock())[0]
    say("the platform is stopped: its files are read")
    try:
        store.open()
        written = 0
        for chunk in csv_chunks(store.scan(query), value_names(store, query)):
            before, written = written, written + file.write(chunk.encode())
            if written // PROGRESS_BYTES > before // PROGRESS_BYTES:
                say(f"{written:,} bytes")
    except (StoreError, ValueError) as error:
        raise BadInput(str(error)) from None
    finally:
        store.close()
