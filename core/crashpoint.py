"""Named instants at which a test may kill a process, so that crash tests are exact instead of lucky.

`PARTHELAND_CRASH_AT=spool.after_commit` kills the process (SIGKILL) when it first passes that point,
`PARTHELAND_CRASH_AT=spool.after_commit:40` at the fortieth pass. Without the variable a point costs one look-up.
"""

from __future__ import annotations

import os
import signal
from collections import Counter

VARIABLE = "PARTHELAND_CRASH_AT"

# Every name that the code passes, in the order of a reading's way; tests kill at each of them.
CRASH_POINTS = (
    "gateway.before_commit",
    "gateway.after_commit",
    "gateway.after_ack",
    "uplink.after_send",
    "uplink.before_release",
    "uplink.after_release",
    "ingest.before_commit",
    "ingest.after_commit",
    "ingest.after_ack",
    "journal.before_rotate",
    "journal.after_rotate",
    "store.before_write",
    "store.after_write",
    "store.after_position",
    "rules.before_commit",
    "rules.within_commit",
    "rules.after_commit",
    "rules.after_snapshot",
    "sos.within_commit",
    "sos.after_commit",
)

_passes: Counter[str] = Counter()


def crashpoint(name: str) -> None:
    """Die here if the environment asks for it."""
    wanted = os.environ.get(VARIABLE)
    if not wanted:
        return
    assert name in CRASH_POINTS, f"unknown crash point {name}"
    point, _, pass_number = wanted.partition(":")
    if point != name:
        return
    _passes[name] += 1
    if _passes[name] >= int(pass_number or "1"):
        os.kill(os.getpid(), signal.SIGKILL)
