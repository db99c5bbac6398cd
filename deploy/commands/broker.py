"""`partheland broker`."""

from __future__ import annotations

from collections.abc import Sequence

from deploy.broker import run_broker
from deploy.logs import set_up_logging
from deploy.options import add_options, read_options
from deploy.output import Parser

EXAMPLES = """
partheland broker --dev --data var/try
partheland broker --config partheland.toml --data data
"""


def main(argv: Sequence[str]) -> int:
    """Run until SIGTERM."""
    parser = Parser("broker", "Runs the embedded broker; it opens when the gateway's sessions stand.", EXAMPLES)
    add_options(parser, lapse=False)
    arguments = parser.parse_args(argv)
    options = read_options(arguments)
    set_up_logging("broker", options.log_json)
    return run_broker(options)
