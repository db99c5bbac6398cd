"""`partheland verify`: asks the running centre, or reads the files of a stopped one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from core.clock import RealClock
from core.settings import Settings
from deploy.contact import find_centre
from deploy.options import add_data_options, read_data_options
from deploy.output import EXIT_BAD_INPUT, EXIT_OK, Parser, say, tell, tell_json
from deploy.parts import make_database, make_stores_of_stopped
from ingest.verify import verify_files
from rules.verify import with_rules

EXAMPLES = """
partheland verify --data data
partheland verify --json --deep
"""


def main(argv: Sequence[str]) -> int:
    """Compare; 0 only when nothing is lost and nothing doubled."""
    parser = Parser("verify", "Proves from the ledger that nothing is lost or doubled; exit 0 only if so.", EXAMPLES)
    parser.add_argument("--json", action="store_true", help="the whole report as JSON")
    parser.add_argument("--deep", action="store_true", help="also read every block of the journal again")
    add_data_options(parser)
    arguments = parser.parse_args(argv)
    settings, data = read_data_options(arguments)
    report = _report(settings, data, arguments.deep)
    if arguments.json:
        tell_json(report)
    else:
        tell(_summary(report))
    return EXIT_OK if report["ok"] else EXIT_BAD_INPUT


def _report(settings: Settings, data: Path, deep: bool) -> dict[str, Any]:
    centre = find_centre(data)
    if centre is not None:
        with centre.ask(f"/api/v1/verify?deep={'true' if deep else 'false'}") as answer:
            told: dict[str, Any] = json.loads(answer.read())
        return told
    clock = RealClock()
    stores = make_stores_of_stopped(settings, data, clock)
    say("the platform is stopped: its files are read")
    report = verify_files(data, stores, clock, deep, settings.store.retention_days == 0)
    with make_database(data) as database:
        return asdict(with_rules(report, database))


def _summary(report: dict[str, Any]) -> str:
    lines = [f"problem: {problem}" for problem in report["problems"]]
    lines += [f"note: {note}" for note in report.get("notes", ())]
    stored = ", ".join(f"{name} {count}" for name, count in report["stored"].items()) or "no store"
    lines += [
        f"received {report['received']}, journaled {report['journaled']}, quarantined {report['quarantined']}, "
        f"stored: {stored}",
        "ok: nothing lost, nothing doubled" if report["ok"] else "NOT ok",
    ]
    return "\n".join(lines)
