"""`partheland centre`."""

from __future__ import annotations

from collections.abc import Sequence

from deploy.centre import run_centre
from deploy.logs import set_up_logging
from deploy.options import add_options, read_options
from deploy.output import Parser

EXAMPLES = """
partheland centre --dev --data var/try
partheland centre --config partheland.toml --data data
"""


def main(argv: Sequence[str]) -> int:
    """Run until SIGTERM."""
    parser = Parser("centre", "Runs the centre: journal, stores, HTTP; a broker that is away is waited for.", EXAMPLES)
    add_options(parser)
    arguments = parser.parse_args(argv)
    options = read_options(arguments)
    set_up_logging("centre", options.log_json)
    return run_centre(options)
