"""`partheland sim`: the simulator's own command line."""

from __future__ import annotations

from collections.abc import Sequence

from firmware_sim.cli import main as simulate


def main(argv: Sequence[str]) -> int:
    """Hand over; the simulator knows nothing of the platform."""
    return simulate(argv)
