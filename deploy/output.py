"""What a command says to people and programs: results on stdout, everything else on stderr, and how it ends."""

from __future__ import annotations

import argparse
import json
import sys
from typing import NoReturn

EXIT_OK, EXIT_BAD_INPUT, EXIT_OUR_FAULT = 0, 1, 2


class BadInput(Exception):
    """What was asked can't be done as asked: one sentence for the person who asked. The command ends with 1."""


def tell(text: str) -> None:
    """A result, on stdout; for nobody when the reader has gone."""
    print(text, flush=True)


def tell_json(value: object) -> None:
    """A result for programs, on stdout."""
    tell(json.dumps(value, ensure_ascii=False))


def say(sentence: str) -> None:
    """A remark for a person, on stderr."""
    print(sentence, file=sys.stderr, flush=True)


class Parser(argparse.ArgumentParser):
    """A command line whose mistakes are bad input (1) in one sentence, and whose help ends with examples."""

    def __init__(self, name: str, description: str, examples: str) -> None:
        super().__init__(
            f"partheland {name}",
            description=description,
            epilog="examples:\n" + "\n".join(f"  {line}" for line in examples.strip().splitlines()),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    def error(self, message: str) -> NoReturn:
        """Argparse's own way out, as bad input."""
        raise BadInput(f"{self.prog}: {message}; `{self.prog} --help` shows an example")
