"""`partheland replay`: real files through the real path. Reads a file, publishes its messages, says what was odd."""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from core.device import Device
from core.inventory_csv import export_devices, parse_inventory
from core.kinds import KINDS
from core.town import TOWN_IDS
from deploy.options import add_data_options
from deploy.output import Parser
from deploy.replay_lorawan import FORMS, lorawan_messages
from deploy.replay_source import Outgoing, ReplayError, ReplayOptions, Tally, open_lines
from deploy.replay_tables import occupancy_messages, reading_messages

AS = (*FORMS, "occupancy", "readings")
PROGRESS_EVERY = 10_000
EXAMPLES = """
partheland replay frames.ndjson.gz --as chirpstack4 --data var/try --commission
partheland replay frames.ndjson.gz --as chirpstack3 --data var/try --commission
partheland replay frames.ndjson --as ttn3 --town machern --commission
partheland replay frames.ndjson --as helium --limit 100 --commission
partheland replay parking.csv --as occupancy --timezone Europe/London --commission
partheland replay lamps.csv --as readings
"""

Publish = Callable[[str, bytes], None]


def replay_messages(path: Path, form: str, options: ReplayOptions, tally: Tally) -> Iterator[Outgoing]:
    """The messages of a file, in its order; `tally` is filled on the way. Raises ReplayError, csv.Error."""
    lines = open_lines(path)
    if form == "occupancy":
        return occupancy_messages(lines, options, tally)
    if form == "readings":
        return reading_messages(lines, options, tally)
    return lorawan_messages(lines, form, options, tally)


def devices_of(path: Path, form: str, options: ReplayOptions) -> list[Device]:
    """The devices a file speaks of, as inventory rows, sorted by id. Raises ReplayError, csv.Error."""
    tally = Tally()
    for _ in replay_messages(path, form, options, tally):
        pass
    return sorted(tally.devices.values(), key=lambda device: device.device_id)


def run(
    arguments: argparse.Namespace,
    publish: Publish,
    commission: Callable[[str], None] | None = None,
    inventory: Callable[[], str] | None = None,
) -> int:
    """Replay a file through `publish`; with --commission, `commission` first gets its devices as inventory CSV.

    Without a `commission` the rows are printed. `inventory` gives the platform's devices as CSV; it is asked for the
    kinds of readings when neither --kind nor --inventory tells them. Returns 0 when something was sent and no line was
    left out, else 1. What `publish` raises goes through.
    """
    tally = Tally()
    try:
        options = _options(arguments, inventory)
        if arguments.commission:
            rows = export_devices(devices_of(arguments.file, arguments.form, options))
            print(rows, end="") if commission is None else commission(rows)
        messages = replay_messages(arguments.file, arguments.form, options, tally)
        for count, message in enumerate(islice(messages, arguments.limit), 1):
            publish(message.topic, message.payload)
            if count % PROGRESS_EVERY == 0:
                print(f"{count:,} messages", file=sys.stderr)
    except (ReplayError, csv.Error) as error:
        print(f"{arguments.file}: {error}", file=sys.stderr)
        return 1
    for sentence in tally.sentences():
        print(sentence, file=sys.stderr)
    return 0 if tally.sent and not tally.unusable else 1


def _options(arguments: argparse.Namespace, inventory: Callable[[], str] | None) -> ReplayOptions:
    try:
        ZoneInfo(arguments.timezone)
    except (ZoneInfoNotFoundError, ValueError):
        raise ReplayError(f"'{arguments.timezone}' is no time zone; expected e.g. Europe/Berlin") from None
    rows = ""
    if arguments.inventory is not None:
        rows = "".join(open_lines(arguments.inventory))
    elif inventory is not None and arguments.form == "readings" and not arguments.kind:
        rows = inventory()
    kinds = {device.device_id: device.kind for device in parse_inventory(rows).devices} if rows else {}
    return ReplayOptions(arguments.town, arguments.kind, arguments.timezone, arguments.application, kinds)


def parser() -> Parser:
    """The command line of `partheland replay`."""
    made = Parser("replay", "Sends a file of real messages through the platform; says what was odd.", EXAMPLES)
    made.add_argument("file", type=Path, metavar="FILE", help="the file; may be packed with gzip")
    made.add_argument("--as", dest="form", choices=AS, required=True, help="what the file holds")
    made.add_argument("--town", choices=sorted(TOWN_IDS), default="naunhof", help="town of the devices (naunhof)")
    made.add_argument("--kind", choices=KINDS, default="", help="kind of the devices (else: inventory, or other)")
    made.add_argument("--timezone", default="Europe/Berlin", help="of times without zone in occupancy files")
    made.add_argument("--application", default="replay", help="application in network servers' topics (replay)")
    made.add_argument("--inventory", type=Path, help="inventory CSV to look up kinds in (for readings: the platform's)")
    made.add_argument("--commission", action="store_true", help="import the file's devices into the inventory first")
    made.add_argument("--limit", type=int, help="send at most so many messages")
    add_data_options(made)
    return made
