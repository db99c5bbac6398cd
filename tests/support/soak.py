"""How long the slow tests go on: `make soak` multiplies their rounds."""

import os


def rounds(in_make_test: int) -> int:
    """The number of rounds a slow test makes: as given in `make test`, times `PARTHELAND_SOAK` in `make soak`."""
    return in_make_test * int(os.environ.get("PARTHELAND_SOAK", "1"))
