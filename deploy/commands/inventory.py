"""`partheland inventory import|export`: through the running centre, or on the database while it is stopped."""

from __future__ import annotations

import getpass
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.clock import Clock, RealClock
from core.inventory import Inventory
from core.inventory_csv import Parsed, decode_csv, export_devices, export_sites, parse_inventory
from deploy.contact import Centre, find_centre
from deploy.options import add_data_options, keep_to_ourselves, read_data_options
from deploy.output import EXIT_BAD_INPUT, EXIT_OK, BadInput, Parser, say, tell, tell_json
from deploy.parts import make_database

EXAMPLES = """
partheland inventory import lamps.csv --data data
partheland inventory import lamps.csv --accept-valid
partheland inventory export > inventory.csv
partheland inventory export --sites > sites.csv
"""
PROBLEMS_SHOWN_MAX = 50
COUNTS = ("new", "changed", "unchanged", "version")

Outcome = dict[str, Any]


def main(argv: Sequence[str]) -> int:
    """Import a file, or print all devices."""
    parser = Parser("inventory", "Imports or exports devices and sites as CSV.", EXAMPLES)
    parser.add_argument("action", choices=("import", "export"))
    parser.add_argument("file", type=Path, nargs="?", metavar="FILE.csv", help="devices, or sites (a column site)")
    parser.add_argument("--accept-valid", action="store_true", help="import the right rows although others are wrong")
    parser.add_argument("--sites", action="store_true", help="export the sites instead of the devices")
    parser.add_argument("--json", action="store_true", help="the outcome of an import as JSON")
    add_data_options(parser)
    arguments = parser.parse_args(argv)
    if (arguments.file is None) == (arguments.action == "import"):
        parser.error("import needs a FILE.csv, export prints to the standard output")
    _, data = read_data_options(arguments)
    keep_to_ourselves()  # of a platform that never ran, this command makes the database
    if arguments.action == "export":
        tell(export_text(data, arguments.sites).rstrip("\n"))
        return EXIT_OK
    try:
        text = decode_csv(arguments.file.read_bytes())
    except OSError as error:
        raise BadInput(f"{arguments.file} can't be read: {error.strerror}") from None
    except ValueError as error:
        raise BadInput(f"{arguments.file}: {error}") from None
    outcome = import_text(data, text, arguments.accept_valid, RealClock())
    return _tell_outcome(arguments.file, outcome, arguments.json)


def export_text(data: Path, sites: bool) -> str:
    """All devices, or all sites, as CSV."""
    centre = find_centre(data)
    if centre is not None:
        with centre.ask("/api/v1/sites.csv" if sites else "/api/v1/inventory.csv") as answer:
            return answer.read().decode()
    with Inventory(make_database(data)) as inventory:
        return export_sites(inventory.sites().values()) if sites else export_devices(inventory.current().values())


def import_text(data: Path, text: str, accept_valid: bool, clock: Clock) -> Outcome:
    """What came of it: imported, new, changed, unchanged, version, problems [{line, column, reason}]."""
    centre = find_centre(data)
    if centre is not None:
        return _import_over_http(centre, text, accept_valid)
    with Inventory(make_database(data)) as inventory:
        return _import_here(inventory, parse_inventory(text), accept_valid, clock)


def _import_over_http(centre: Centre, text: str, accept_valid: bool) -> Outcome:
    path = f"/api/v1/inventory?accept_valid={'true' if accept_valid else 'false'}"
    with centre.ask(path, text.encode()) as answer:
        told = json.loads(answer.read())
    if "problems" not in told:
        raise BadInput(f"the centre answers {answer.status}: {told.get('detail') or told}")
    counts = {name: told.get(name, 0) for name in COUNTS}
    return {"imported": answer.status < 300, **counts, "problems": told["problems"]}


def _import_here(inventory: Inventory, parsed: Parsed, accept_valid: bool, clock: Clock) -> Outcome:
    checked = inventory.check(parsed)
    problems = [{"line": each.line, "column": each.column, "reason": each.reason} for each in checked.problems]
    outcome: Outcome = {"imported": False, **dict.fromkeys(COUNTS, 0), "version": inventory.version()}
    if (checked.devices or checked.sites) and (accept_valid or not problems):
        result = inventory.apply(checked.devices, checked.sites, clock.now_ms(), f"cli {_user()}")
        outcome = {"imported": True, **vars(result)}
    return {**outcome, "problems": problems}


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


def _tell_outcome(file: Path, outcome: Outcome, as_json: bool) -> int:
    problems = outcome["problems"]
    if as_json:
        tell_json(outcome)
    for problem in problems[:PROBLEMS_SHOWN_MAX]:
        column = f", column {problem['column']}" if problem["column"] else ""
        say(f"{file}: line {problem['line']}{column}: {problem['reason']}")
    if len(problems) > PROBLEMS_SHOWN_MAX:
        say(f"{file}: and {len(problems) - PROBLEMS_SHOWN_MAX} more problems; --json names all")
    if not outcome["imported"]:
        why = f"{len(problems)} problems" if problems else "there are no rows"
        hint = "; --accept-valid imports the right rows" if problems else ""
        say(f"{file}: nothing was imported, {why}{hint}")
        return EXIT_BAD_INPUT
    if not as_json:
        tell(
            f"imported: {outcome['new']} new, {outcome['changed']} changed, {outcome['unchanged']} as before; "
            f"{len(problems)} problems; version {outcome['version']}"
        )
    return EXIT_OK
