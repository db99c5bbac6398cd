"""Starts a program that does not outlive its supervisor: `leash.py SUPERVISOR_PID program argument…`.

Linux tells a process when its parent has died; the request survives the change into the program. Elsewhere this
process stays in between and looks. Only the standard library: it is run by its path, before anything else is there.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from types import FrameType

PR_SET_PDEATHSIG = 1
LOOK_S = 0.5
EXIT_NO_PARENT = 143


def leashed(command: list[str]) -> list[str]:
    """The command line that runs `command` on a leash of this process."""
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), *command]


def hold_on(supervisor: int) -> None:
    """Linux: ask for SIGTERM when the parent dies, and go if it is dead already."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
    if os.getppid() != supervisor:
        raise SystemExit(EXIT_NO_PARENT)


def stay_between(supervisor: int, command: list[str]) -> int:
    """Other systems: run the program as a child, hand signals on, end it when the supervisor is gone."""
    child = subprocess.Popen(command, close_fds=False)

    def hand_on(number: int, _frame: FrameType | None) -> None:
        child.send_signal(number)

    signal.signal(signal.SIGTERM, hand_on)
    signal.signal(signal.SIGINT, hand_on)
    while child.poll() is None:
        if os.getppid() != supervisor:
            child.terminate()
        time.sleep(LOOK_S)
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


def main(arguments: list[str]) -> int:
    """Become the program, or run it."""
    supervisor, command = int(arguments[0]), arguments[1:]
    if not sys.platform.startswith("linux"):
        return stay_between(supervisor, command)
    hold_on(supervisor)
    os.execv(command[0], command)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
