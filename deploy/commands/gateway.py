"""`partheland gateway`."""

from __future__ import annotations

from collections.abc import Sequence

from deploy.gateway import run_gateway
from deploy.logs import set_up_logging
from deploy.options import add_options, read_options
from deploy.output import Parser

EXAMPLES = """
partheland gateway --dev --data var/try
partheland gateway --config partheland.toml --data data
"""


def main(argv: Sequence[str]) -> int:
    """Run until SIGTERM."""
    parser = Parser("gateway", "Runs one gateway; a broker that is away is waited for.", EXAMPLES)
    add_options(parser)
    arguments = parser.parse_args(argv)
    options = read_options(arguments)
    set_up_logging("gateway", options.log_json)
    return run_gateway(options)
