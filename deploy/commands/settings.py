"""`partheland settings`."""

from __future__ import annotations

from collections.abc import Sequence

from core.settings import describe
from deploy.output import EXIT_OK, Parser, tell

EXAMPLES = """
partheland settings > partheland.toml
"""


def main(argv: Sequence[str]) -> int:
    """Print the commented sample."""
    Parser("settings", "Prints all settings with their defaults, as a commented TOML file.", EXAMPLES).parse_args(argv)
    tell(describe().rstrip("\n"))
    return EXIT_OK
