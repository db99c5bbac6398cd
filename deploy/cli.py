"""The `partheland` command: finds the sub-command, runs it, and turns what went wrong into one sentence.

Exit 0 only when it did what was asked, 1 for bad input, 2 for a fault of ours. A sub-command is imported only when it
is called: most of them need no store and no HTTP server.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import tempfile
import traceback
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from core.settings import SettingsError
from core.sqlite import StorageError
from deploy.output import EXIT_BAD_INPUT, EXIT_OK, EXIT_OUR_FAULT, BadInput, say, tell

COMMANDS = {
    "demo": ("deploy.commands.demo", "the whole platform on a simulated region, a day in twelve minutes"),
    "up": ("deploy.commands.up", "the whole platform on this machine: broker, gateway and centre, looked after"),
    "gateway": ("deploy.commands.gateway", "one gateway"),
    "centre": ("deploy.commands.centre", "the centre: journal, stores, HTTP"),
    "broker": ("deploy.commands.broker", "the embedded broker alone"),
    "sim": ("deploy.commands.sim", "play the hardware of the seven towns"),
    "inventory": ("deploy.commands.inventory", "import or export the inventory as CSV"),
    "user": ("deploy.commands.user", "who may sign in: add, list, password, rights, disable"),
    "token": ("deploy.commands.token", "tokens of programs: create, list, revoke"),
    "replay": ("deploy.commands.replay", "send a file of real messages through the platform"),
    "export": ("deploy.commands.export", "readings as CSV or Parquet"),
    "codec": ("deploy.commands.codec", "decode a LoRaWAN payload"),
    "rules": ("deploy.commands.rules", "check, list and test the rule files"),
    "backtest": ("deploy.commands.backtest", "what the rules find in readings on file, or would find with other rules"),
    "verify": ("deploy.commands.verify", "prove from the ledger that nothing is lost or doubled"),
    "settings": ("deploy.commands.settings", "print all settings with their defaults, as a commented TOML file"),
}
NAMES_CHARS = max(len(name) for name in COMMANDS)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        return _dispatch(arguments)
    except _bad_input() as error:
        say(f"partheland: {error}")
        return EXIT_BAD_INPUT
    except BrokenPipeError:
        _drop_output()
        return EXIT_BAD_INPUT
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        say(f"partheland: {where}{error.strerror or error}")
        return EXIT_BAD_INPUT
    except KeyboardInterrupt:
        say("partheland: stopped by Ctrl-C")
        return EXIT_BAD_INPUT
    except Exception as error:  # noqa: BLE001 - supervising loop: no person should ever read a traceback
        log = _log_fault(error)
        say(f"partheland: a fault of ours ({type(error).__name__}: {error}); the log is {log}")
        return EXIT_OUR_FAULT


def _bad_input() -> tuple[type[Exception], ...]:
    """What is the asker's to mend. The database brings SQLAlchemy: who has not loaded it can't have failed in it."""
    database, inventory = sys.modules.get("core.relational"), sys.modules.get("core.inventory")
    known: list[type[Exception]] = [BadInput, SettingsError, StorageError]
    known += [database.DatabaseError] if database else []
    known += [inventory.InventoryError] if inventory else []
    return tuple(known)


def _dispatch(arguments: list[str]) -> int:
    name = arguments[0] if arguments else ""
    if name in ("-h", "--help", "help"):
        tell(overview())
        return EXIT_OK
    if name == "--version":
        tell(f"partheland {program_version()}")
        return EXIT_OK
    if name not in COMMANDS:
        near = get_close_matches(name, COMMANDS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(COMMANDS)}"
        raise BadInput(f"there is no command '{name}'; {hint}" if name else f"which command? {hint}")
    module = import_module(COMMANDS[name][0])
    try:
        return int(module.main(arguments[1:]))
    except SystemExit as leaving:  # argparse after --help
        return EXIT_OK if leaving.code in (0, None) else EXIT_BAD_INPUT


def overview() -> str:
    """What there is."""
    rows = [f"  {name:<{NAMES_CHARS}}  {sentence}" for name, (_, sentence) in COMMANDS.items()]
    return "\n".join(
        [
            "usage: partheland COMMAND …",
            "",
            "Sensor platform for seven small towns.",
            "",
            *rows,
            "",
            "examples:",
            "  partheland up --dev --data var/try",
            "  partheland COMMAND --help     every command shows examples",
            "  partheland --version",
        ]
    )


def program_version() -> str:
    """The version of the installed package."""
    try:
        return version("partheland")
    except PackageNotFoundError:
        return "(not installed)"


def _log_fault(error: BaseException) -> str:
    """Write the traceback where the person can find it: into the log of a process that has one, or a file."""
    if logging.getLogger().handlers:
        logging.getLogger(__name__).error("a fault of ours", exc_info=error)
        return "the lines before this one"
    path = Path(tempfile.gettempdir()) / f"partheland-{os.getpid()}.log"
    with contextlib.suppress(OSError):
        path.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
    return str(path)


def _drop_output() -> None:
    """Nobody reads on: keep Python from complaining about it at the end."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    raise SystemExit(main())
