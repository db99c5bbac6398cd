"""`partheland rules explain`: why a rule did or did not fire on a device at an instant, asked of the running centre or
worked out from files.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import numpy as np

from core.clock import RealClock, parse_instant_ms
from core.german import moment
from deploy.backtest_input import read_inventory, read_rules, readings_of_files, table_of
from deploy.contact import find_centre, why
from deploy.options import add_data_options, read_data_options, read_instant
from deploy.output import EXIT_OK, BadInput, Parser, say, tell, tell_json
from rules.backtest import Table
from rules.company import company_of, only
from rules.explain import explain
from rules.repairs import Works
from rules.vocabulary import nearest
from rules.windows import WindowError, read_windows

EXAMPLES = """
partheland rules explain --rule lamp_out --device BOR-0001
partheland rules explain --rule lamp_out --device BOR-0001 --at 2026-01-10T18:40:00Z --json
partheland rules explain --rule silent --device BOR-0001 --inventory lamps.csv --readings january.parquet
"""
DAYS, DAY_MS = 21, 86_400_000
COMPANY_MAX = 60
TRUTHS = {"true": "ja", "false": "nein", "unknown": "unbekannt"}


def main(argv: Sequence[str]) -> int:
    """Say why, and show what was looked at."""
    parser = Parser("rules explain", "Says why a rule did or did not fire on a device at an instant.", EXAMPLES)
    add = parser.add_argument
    add("--rule", required=True, metavar="NAME", help="the rule; `partheland rules list` names them")
    add("--device", required=True, metavar="ID", help="the device")
    add("--at", metavar="T", help="the instant, ISO 8601 or Unix ms (now; of files: their last reading)")
    add("--inventory", type=Path, metavar="F.csv", help="with --readings: work on files, not on the running centre")
    add("--sites", type=Path, metavar="F.csv", help="the sites, beside --inventory")
    add("--readings", type=Path, action="append", metavar="F.csv|F.parquet", help="device_id,t,received,<values>")
    add("--rules", type=Path, action="append", default=[], metavar="DIR", help="of files: rules in place of namesakes")
    add("--windows", type=Path, metavar="F.csv", help="of files: announced work: scope,from,to,reason")
    add("--skip-bad", action="store_true", help="leave out bad rows of the files")
    add("--json", action="store_true", help="everything as JSON")
    add_data_options(parser)
    arguments = parser.parse_args(argv)
    if (arguments.inventory is None) != (arguments.readings is None):
        raise BadInput("--inventory and --readings go together; without both the running centre is asked")
    told = _of_files(arguments) if arguments.readings else _of_centre(arguments)
    if arguments.json:
        tell_json(told)
        return EXIT_OK
    tell(str(told["sentence_de"]))
    for line in _lines(told):
        tell(line)
    return EXIT_OK


def _of_centre(arguments: argparse.Namespace) -> dict[str, Any]:
    at_ms = read_instant("--at", arguments.at)
    _, data = read_data_options(arguments)
    centre = find_centre(data)
    if centre is None:
        raise BadInput(f"no centre runs on {data}; start it, or give --inventory and --readings")
    asked = {"device_id": arguments.device} | ({"at": str(at_ms)} if at_ms is not None else {})
    with centre.ask(f"/api/v1/rules/{quote(arguments.rule, safe='')}/explain?{urlencode(asked)}") as answer:
        if answer.status != 200:
            raise BadInput(why(answer))
        found: dict[str, Any] = json.loads(answer.read())
    return found


def _of_files(arguments: argparse.Namespace) -> dict[str, Any]:
    today = datetime.fromtimestamp(RealClock().now_ms() / 1000, UTC).date()
    rules = read_rules(arguments.rules, None, today)
    if arguments.rule not in rules:
        raise BadInput(f"there is no rule '{arguments.rule}'; {nearest(arguments.rule, rules)}")
    snapshot = read_inventory(arguments.inventory, arguments.sites, arguments.skip_bad)
    if arguments.device not in snapshot.devices:
        near = nearest(arguments.device, snapshot.devices)
        raise BadInput(f"there is no device '{arguments.device}' in {arguments.inventory}; {near}")
    try:
        windows = [] if arguments.windows is None else read_windows(arguments.windows)
    except WindowError as error:
        raise BadInput(str(error)) from None
    table, _ = table_of(readings_of_files(arguments.readings, arguments.skip_bad), snapshot, say)
    if not len(table.device):
        raise BadInput("there are no readings; nothing can be explained from nothing")
    at_ms = read_instant("--at", arguments.at)
    at_ms = int(table.received_ms.max()) if at_ms is None else at_ms
    ids = company_of(snapshot, arguments.device, COMPANY_MAX)
    chosen, rule = only(snapshot, ids), rules[arguments.rule]
    return explain(rule, arguments.device, chosen, _part(table, ids, at_ms), at_ms, rules, Works(windows)).as_json()


def _part(table: Table, ids: Sequence[str], at_ms: int) -> Table:
    """The readings of these devices in the weeks before an instant."""
    wanted = np.isin(np.array(table.device_ids, dtype=np.str_), list(ids))
    rows = np.flatnonzero(wanted[table.device] & (table.t_ms <= at_ms) & (table.t_ms >= at_ms - DAYS * DAY_MS))
    return Table(
        table.device_ids,
        table.device[rows],
        table.t_ms[rows],
        table.received_ms[rows],
        {name: column[rows] for name, column in table.values.items()},
        {name: (words, codes[rows]) for name, (words, codes) in table.texts.items()},
    )


def _lines(told: dict[str, Any]) -> Iterator[str]:
    """What was looked at, for people."""
    yield f"  Regel: {told['rule']} ({told['title_de']}), Version {told['version']}"
    yield f"  Gilt für: {told['select']}"
    for one in told["params"]:
        origin = "" if one["origin"] == "rule" else f"  von {one['origin']}"
        yield f"  {one['name']} = {one['words']}{origin}"
    if told["readings"]:
        yield f"  Gesehen: {told['readings']} Meldungen seit {_local(told['from'])}"
    for head, key in (("Neuester Messwert", "sample"), ("Zuletzt beurteilt", "judged")):
        sample = told[key]
        if sample is not None and (key == "sample" or sample["t"] != told["sample"]["t"]):
            yield f"  {head}: {_local(sample['t'])}"
            for condition in sample["conditions"]:
                yield from _term_lines(condition["term"], f"    {condition['german']}", 6)
    for one in told["past"]:
        end = _local(one["closed"]) if one["closed"] else "jetzt"
        yield f"  Störung {_local(one['since'])} bis {end} ({one['subject']})"


def _local(instant: str) -> str:
    """As the sentence says it: on the clock of the towns, with its year."""
    return moment(parse_instant_ms(instant), 0)


def _term_lines(term: dict[str, Any], head: str, indent: int) -> Iterator[str]:
    words = term["text"] if term["parts"] else f"{term['text']}  ({term['german']})"
    yield f"{head}: {TRUTHS[term['truth']]}" if term["parts"] else f"{head}: {TRUTHS[term['truth']]}: {words}"
    for part in term["parts"]:
        head = " " * indent + (part["german"] if part["parts"] else "–")
        yield from _term_lines(part, head, indent + 2)
