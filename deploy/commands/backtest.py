"""`partheland backtest`: the rules over what is on file, one finding a line; or what another version would change."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

from core.clock import RealClock
from core.inventory import Snapshot
from deploy.backtest_input import (
    history_of,
    inventory_of,
    read_inventory,
    read_rules,
    readings_of_files,
    table_of,
    works_of,
    works_of_files,
)
from deploy.options import add_data_options, read_data_options, read_instant, read_span
from deploy.output import EXIT_OK, BadInput, Parser, say, tell, tell_json
from deploy.whole import whole_file
from ingest.reading_columns import ReadingColumns
from rules.backtest import Table, backtest
from rules.court import values_needed
from rules.repairs import NO_WORKS, Works
from rules.spec import Rule
from rules.told import Comparison, Row, compare, rows_of

EXAMPLES = """
partheland backtest --inventory lamps.csv --readings january.parquet --out tickets.jsonl
partheland backtest --inventory lamps.csv --readings january.csv --rules mine/ --windows works.csv --out found.jsonl
partheland backtest --inventory lamps.csv --readings january.csv --rules new/ --against old/
partheland backtest --store --from 2026-01-01 --overrides what-if.toml --against-built-in
"""
LINES_MAX = 100


def main(argv: Sequence[str]) -> int:
    """Write the findings; whole or not at all. With --against say what differs."""
    arguments = _parser().parse_args(argv)
    _check(arguments)
    clock = RealClock()
    today = datetime.fromtimestamp(clock.now_ms() / 1000, UTC).date()
    rules = read_rules(arguments.rules, arguments.overrides, today)
    before = _before(arguments, today)
    until_ms = read_instant("--until", arguments.until)
    given = works_of_files(arguments.windows, arguments.repairs)
    begun_s = clock.monotonic_s()
    needed = values_needed([*rules.values(), *(before or {}).values()])
    snapshot, readings, own = _read(arguments, needed)
    works = Works(
        own.windows if arguments.windows is None else given.windows,
        own.repairs if arguments.repairs is None else given.repairs,
    )
    table, unknown = table_of(readings, snapshot, say)
    say(f"{len(readings):,} readings of {len(readings.device_ids):,} devices, {clock.monotonic_s() - begun_s:.1f} s")
    if not len(readings):
        raise BadInput("there are no readings; nothing can be found in nothing")
    told = {"readings": len(readings), "devices": len(readings.device_ids), "of_unknown_devices": unknown}
    rows = _found(snapshot, table, rules, works, until_ms)
    if arguments.out is not None:
        with whole_file(arguments.out) as file:
            file.writelines(_line(row) for row in rows)
    say(f"{len(rows):,} findings, {clock.monotonic_s() - begun_s:.1f} s")
    if before is None:
        _tell_counts(rows, arguments, told)
    else:
        _tell_comparison(compare(_found(snapshot, table, before, works, until_ms), rows), arguments.json, told)
    return EXIT_OK


def _parser() -> Parser:
    parser = Parser("backtest", "Runs the rules over readings on file: the same engine as live.", EXAMPLES)
    add = parser.add_argument
    add("--inventory", type=Path, metavar="F.csv", help="the devices; with --store those of the platform")
    add("--sites", type=Path, metavar="F.csv", help="the sites")
    add("--readings", type=Path, action="append", metavar="F.csv|F.parquet", help="device_id,t,received,<values>")
    add("--store", action="store_true", help="the history of a platform instead, running or stopped")
    add("--from", dest="from_", metavar="T", help="with --store: at or after this instant")
    add("--to", metavar="T", help="with --store: before this instant")
    add("--rules", type=Path, action="append", default=[], metavar="DIR", help="rules in place of their namesakes")
    add(
        "--windows",
        type=Path,
        metavar="F.csv",
        help="announced work: scope,from,to,reason; with --store the platform's",
    )
    add("--repairs", type=Path, metavar="F.csv", help="repaired lamps, device_id,at; else the platform's")
    add("--overrides", type=Path, metavar="F.toml", help="other params for some devices, as [[override]]")
    add("--until", metavar="T", help="the clock stops here (with the last reading)")
    add("--out", type=Path, metavar="F.jsonl", help="the findings, one JSON object a line")
    add("--against", type=Path, action="append", metavar="DIR", help="say what these rules found differently")
    add("--against-built-in", action="store_true", help="the same, against the rules that come with the platform")
    add("--skip-bad", action="store_true", help="leave out bad rows of the inventory and the readings")
    add("--json", action="store_true", help="counts, or the comparison, as JSON")
    add_data_options(parser)
    return parser


def _check(arguments: argparse.Namespace) -> None:
    """Raises BadInput when the options do not go together."""
    if arguments.store == bool(arguments.readings):
        raise BadInput("which readings? Give --readings F.csv or --store, one of them")
    if not arguments.store and arguments.inventory is None:
        raise BadInput("--inventory is missing; the rules must know the devices (`partheland inventory export`)")
    if not arguments.store and (arguments.from_ or arguments.to):
        raise BadInput("--from and --to go with --store; a file is read whole")
    if arguments.out is None and not _compares(arguments):
        raise BadInput("--out is missing; name the file for the findings, e.g. --out tickets.jsonl")
    if arguments.out is not None and not arguments.out.absolute().parent.is_dir():
        raise BadInput(f"there is no folder {arguments.out.absolute().parent} for --out; make it, or name another")


def _compares(arguments: argparse.Namespace) -> bool:
    return bool(arguments.against) or bool(arguments.against_built_in)


def _before(arguments: argparse.Namespace, today: date) -> dict[str, Rule] | None:
    return read_rules(arguments.against or [], None, today) if _compares(arguments) else None


def _read(arguments: argparse.Namespace, needed: Collection[str]) -> tuple[Snapshot, ReadingColumns, Works]:
    """Inventory, readings with at least the values `needed`, and what people announced and did; of the latter files
    tell nothing by themselves.
    """
    given = None
    if arguments.inventory is not None:
        given = read_inventory(arguments.inventory, arguments.sites, arguments.skip_bad)
    if not arguments.store:
        assert given is not None, "asked for before"
        return given, readings_of_files(arguments.readings, arguments.skip_bad, needed), NO_WORKS
    from_ms, to_ms = read_span(arguments.from_, arguments.to)
    settings, data = read_data_options(arguments)
    return given or inventory_of(data), history_of(settings, data, from_ms, to_ms), works_of(data)


def _found(snapshot: Snapshot, table: Table, rules: dict[str, Rule], works: Works, until_ms: int | None) -> list[Row]:
    found = backtest(snapshot, table, rules, works.windows, until_ms, repairs=works.repairs)
    return rows_of(found, rules, snapshot.devices)


def _line(row: Row) -> bytes:
    return (json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n").encode()


def _tell_counts(rows: Sequence[Row], arguments: argparse.Namespace, told: Row) -> None:
    by_rule = Counter(row["rule"] for row in rows)
    still_open = Counter(row["rule"] for row in rows if row["closed_at"] is None)
    if arguments.json:
        tell_json({"file": str(arguments.out), "findings": len(rows), **told, "by_rule": dict(sorted(by_rule.items()))})
        return
    for rule, count in sorted(by_rule.items()):
        tell(f"{rule:<24} {count:>8,}   open at the end: {still_open[rule]:,}")
    if not rows:
        tell("nothing was found")


def _tell_comparison(comparison: Comparison, as_json: bool, told: Row) -> None:
    if as_json:
        tell_json({**told, **comparison.as_json()})
        return
    table: dict[str, Counter[str]] = {
        "new": Counter(row["rule"] for row in comparison.new),
        "gone": Counter(row["rule"] for row in comparison.gone),
        "moved": Counter(after["rule"] for _, after in comparison.moved),
    }
    tell(f"{'rule':<24} {'new':>8} {'gone':>8} {'moved':>8}")
    for rule in sorted(set().union(*table.values())):
        tell(f"{rule:<24} {table['new'][rule]:>8,} {table['gone'][rule]:>8,} {table['moved'][rule]:>8,}")
    tell(f"the same: {comparison.same:,}")
    lines = [f"+ {_short(row)}" for row in comparison.new] + [f"- {_short(row)}" for row in comparison.gone]
    lines += [f"~ {_short(before)} → {_times(after)}" for before, after in comparison.moved]
    for line in lines[:LINES_MAX]:
        tell(line)
    if len(lines) > LINES_MAX:
        tell(f"and {len(lines) - LINES_MAX:,} more; --json names all")


def _short(row: Row) -> str:
    return f"{row['rule']} {row['subject']} {_times(row)}"


def _times(row: Row) -> str:
    return f"since {row['since']}, opened {row['opened_at']}, closed {row['closed_at'] or '–'}"
