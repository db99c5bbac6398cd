"""`partheland rules check|list|test|explain`: what rule files say, what is wrong in them, whether their tests hold, and
why a rule did or did not fire.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core.clock import Clock, RealClock, iso
from deploy import rules_explain
from deploy.output import EXIT_BAD_INPUT, EXIT_OK, BadInput, Parser, say, tell, tell_json
from rules.load import Book, built_in, load_book
from rules.spec import Rule
from rules.testing import run_tests

EXAMPLES = """
partheland rules check
partheland rules check my-rules/ more.toml
partheland rules list --json
partheland rules test my-rules/
partheland rules explain --rule lamp_out --device BOR-0001      (`rules explain --help` shows more)
"""


def main(argv: Sequence[str]) -> int:
    """Check rule files, list their rules, run the tests in them, or explain what a rule did."""
    if argv[:1] == ["explain"]:
        return rules_explain.main(argv[1:])
    parser = Parser("rules", "Checks, lists, tests rules; without a path those that come with the platform.", EXAMPLES)
    parser.add_argument("action", choices=tuple(ACTIONS))
    parser.add_argument("paths", type=Path, nargs="*", metavar="PATH", help="a rule file, or a folder of *.toml")
    parser.add_argument("--json", action="store_true", help="the result as JSON")
    arguments = parser.parse_intermixed_args(argv)  # --json may stand between the action and the paths
    return ACTIONS[arguments.action](read_book(arguments.paths, RealClock()), arguments)


def read_book(paths: Sequence[Path], clock: Clock) -> Book:
    """The rules of these paths, or those that come with the platform. Raises BadInput."""
    today = datetime.fromtimestamp(clock.now_ms() / 1000, UTC).date()
    if not paths:
        return built_in(today)
    for path in paths:
        if path.is_dir() and not any(path.glob("*.toml")):
            raise BadInput(f"{path} holds no rule file; expected a folder with *.toml, or a file")
    try:
        return load_book(paths, today)
    except OSError as error:
        raise BadInput(f"{error.filename} can't be read: {error.strerror}; expected a TOML file or a folder") from None


def check(book: Book, arguments: argparse.Namespace) -> int:
    """Every problem, one a line; 0 only when there is none."""
    if arguments.json:
        problems, warnings = ([each._asdict() for each in found] for found in (book.problems, book.warnings))
        tell_json({"rules": len(book.rules), "problems": problems, "warnings": warnings})
        return EXIT_BAD_INPUT if book.problems else EXIT_OK
    for warning in book.warnings:
        say(f"warning: {warning}")
    for problem in book.problems:
        tell(str(problem))
    if book.problems:
        say(f"problems: {len(book.problems)}; rules that can be used: {len(book.rules)}")
        return EXIT_BAD_INPUT
    tell(f"rules: {len(book.rules)}, all right")
    return EXIT_OK


def show(book: Book, arguments: argparse.Namespace) -> int:
    """Every rule that can be used; 1 when others can't."""
    rows = [row_of(rule) for rule in book.rules.values()]
    if arguments.json:
        tell_json(rows)
    else:
        for row in rows:
            tell(_text(row))
    if book.problems:
        say(f"problems: {len(book.problems)}; `partheland rules check` names them")
        return EXIT_BAD_INPUT
    return EXIT_OK


def test(book: Book, arguments: argparse.Namespace) -> int:
    """Every expectation that fails, one a line; 0 only when there are tests and all of them hold."""
    count = sum(len(rule.tests) for rule in book.rules.values())
    failures = run_tests(book.rules.values())
    untested = [rule.name for rule in book.rules.values() if not rule.tests]
    if arguments.json:
        told = [{**vars(failure), "at": None if failure.at_ms is None else iso(failure.at_ms)} for failure in failures]
        problems = [problem._asdict() for problem in book.problems]
        tell_json({"tests": count, "failures": told, "untested": untested, "problems": problems})
    else:
        for failure in failures:
            tell(str(failure))
    for problem in book.problems:
        say(str(problem))
    if untested:
        say(f"rules without a test: {', '.join(untested)}")
    if not count:
        say("there is no test; write [[rule.NAME.test]] into a rule file")
    if failures or book.problems or not count:
        say(f"tests: {count}, failures: {len(failures)}, problems in the files: {len(book.problems)}")
        return EXIT_BAD_INPUT
    if not arguments.json:
        tell(f"tests: {count}, all right")
    return EXIT_OK


def row_of(rule: Rule) -> dict[str, Any]:
    """One rule for programs: name, kind, title, priority, params with their origin, hash, file and line."""
    params: list[dict[str, Any]] = [
        {"name": param.name, "value": param.value, "unit": param.unit, "origin": "rule"}
        for param in rule.params.values()
    ]
    for override in rule.overrides:
        until = override.until.isoformat() if override.until else None
        more = {"author": override.author, "reason": override.reason, "until": until}
        for name, value in override.params.items():
            unit, origin = rule.params[name].unit, f"{override.by} {override.of}"
            params.append({"name": name, "value": value, "unit": unit, "origin": origin, **more})
    return {
        "name": rule.name,
        "kind": rule.kind,
        "title_de": rule.title_de,
        "priority": rule.priority,
        "params": params,
        "hash": rule.hash,
        "file": rule.source.file,
        "line": rule.source.line,
    }


def _text(row: dict[str, Any]) -> str:
    head = f"{row['name']:<24} {row['kind']:<9} {row['priority']:<10} {row['hash'][:12]}  {row['title_de']}"
    params = [f"    {_param(param)}" for param in row["params"]]
    return "\n".join([head, f"    {row['file']}:{row['line']}", *params])


def _param(param: dict[str, Any]) -> str:
    unit = f" {param['unit']}" if param["unit"] else ""
    return f"{param['name']} = {param['value']:g}{unit}  ({param['origin']})"


ACTIONS: dict[str, Callable[[Book, argparse.Namespace], int]] = {"check": check, "list": show, "test": test}
