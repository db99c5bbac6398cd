"""`partheland up`."""

from __future__ import annotations

from collections.abc import Sequence

from deploy.options import add_options, read_options
from deploy.output import Parser
from deploy.up import run_up

EXAMPLES = """
partheland up --dev --data var/try
partheland up --dev --http-port 0 --mqtt-port 0 --json
partheland up --dev --start 2026-01-10T15:00:00Z --speed 60
partheland up --config partheland.toml --data data
"""


def main(argv: Sequence[str]) -> int:
    """Run broker, gateway and centre until Ctrl-C or SIGTERM."""
    parser = Parser("up", "Runs broker, gateway and centre on this machine, and restarts what ends.", EXAMPLES)
    add_options(parser)
    parser.add_argument("--json", action="store_true", help="say the addresses as one line of JSON when ready")
    arguments = parser.parse_args(argv)
    return run_up(read_options(arguments), arguments.config, arguments.json)
