"""Looks after the child processes of `partheland up`: start in order, restart what ends, stop in order.

A child that ends is started again: at once the first time, then after a random pause of at most 10 s, and never given
up. Only what a child says about bad input (exit code 1) before it ever was ready stops the whole.
"""

from __future__ import annotations

import logging
import math
import os
import random
import signal
import subprocess
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from core.clock import Clock
from deploy.leash import leashed
from deploy.logs import rotated, sentence_of
from deploy.output import EXIT_BAD_INPUT, BadInput

PAUSE_S_FIRST = 0.2
PAUSE_S_MAX = 10.0
STEADY_S = 30.0
NEXT_AFTER_S = 15.0
LAST_WORDS_S = 2.0
KILL_S_MAX = 5.0
LINE_CHARS_MAX = 10_000
ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Part:
    """One child: its command, how to see that it serves, and how long it may take to stop."""

    name: str
    command: Sequence[str]
    ready: Callable[[], bool]
    stop_s_max: float


@dataclass
class Child:
    """A part with its process."""

    part: Part
    log: logging.Logger
    pass_fds: tuple[int, ...] = ()
    process: subprocess.Popen[str] | None = None
    was_ready: bool = False
    failures: int = 0
    started_at_s: float = 0.0
    due_at_s: float = 0.0
    kill_at_s: float = math.inf
    last_line: str = ""
    reader: threading.Thread | None = field(default=None, repr=False)

    def start(self, now_s: float) -> None:
        """Start the process; in the main thread, whose end it then would notice."""
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))
        self.process = subprocess.Popen(
            leashed(list(self.part.command)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": path},
            pass_fds=self.pass_fds,
            start_new_session=True,  # Ctrl-C in a terminal reaches the supervisor alone, who stops them in order
            text=True,
            errors="replace",
        )
        self.started_at_s = now_s
        self.kill_at_s = math.inf
        self.reader = threading.Thread(target=self._read, args=(self.process,), daemon=True)
        self.reader.start()

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None, "its output is a pipe"
        while line := process.stdout.readline(LINE_CHARS_MAX):
            self.log.info(line.rstrip("\n"))
            self.last_line = line.strip() or self.last_line
        process.stdout.close()

    def ended(self) -> int | None:
        """The exit code of a process that has ended since; None = it runs, or is not started."""
        code = None if self.process is None else self.process.poll()
        if code is not None and self.reader is not None:
            self.reader.join(LAST_WORDS_S)
            self.process = None
        return code

    def stop(self) -> bool:
        """Ask it to end; kill it at its deadline. False when it had to be killed."""
        if self.process is None:
            return True
        self.process.terminate()
        try:
            self.process.wait(self.part.stop_s_max)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(KILL_S_MAX)
            return False
        finally:
            if self.reader is not None:
                self.reader.join(LAST_WORDS_S)
        return True


class Supervisor:
    """The children in the order they start; they stop as `stop_order` names them, those that are not there left out.

    `announce` gets what people read.
    """

    def __init__(
        self,
        parts: Sequence[Part],
        stop_order: Sequence[str],
        logs: Path,
        clock: Clock,
        announce: Callable[[str], None],
        pass_fds: tuple[int, ...] = (),
        rng: random.Random | None = None,
    ) -> None:
        self.logs = logs
        self.pass_fds = pass_fds
        self.children = [self._child_of(part) for part in parts]
        self.stop_order = stop_order
        self.clock = clock
        self.announce = announce
        self.rng = rng or random.Random()

    def run(self, runs: Callable[[], bool], on_ready: Callable[[], None]) -> None:
        """Until `runs` is False; `on_ready` is called once, when all are. Raises BadInput with a child's words."""
        waiting = list(self.children)
        told = False
        try:
            while runs():
                now_s = self.clock.monotonic_s()
                started = [child for child in self.children if child not in waiting]
                for child in started:
                    self._look_after(child, now_s)
                if waiting and all(c.was_ready or now_s - c.started_at_s > NEXT_AFTER_S for c in started):
                    self._start(waiting.pop(0), now_s)
                elif not told and not waiting and all(child.was_ready for child in started):
                    told = True
                    on_ready()
        finally:
            self.stop()

    def add(self, part: Part) -> None:
        """One more child; it starts in the next round."""
        self.children.append(self._child_of(part))

    def _child_of(self, part: Part) -> Child:
        return Child(part, rotated(self.logs / f"{part.name}.log"), self.pass_fds)

    def pid(self, name: str) -> int | None:
        """The process of a child; None while it has none."""
        process = self._child(name).process
        return None if process is None else process.pid

    def restart(self, name: str) -> None:
        """Ask a child to end, and kill it at its deadline; it starts again as each does that ended. Does not wait."""
        child = self._child(name)
        if child.process is not None:
            child.process.terminate()
            child.kill_at_s = self.clock.monotonic_s() + child.part.stop_s_max

    def _child(self, name: str) -> Child:
        return next(child for child in self.children if child.part.name == name)

    def _start(self, child: Child, now_s: float) -> None:
        child.start(now_s)
        assert child.process is not None, "it was started just now"
        self.announce(f"{child.part.name} started (pid {child.process.pid})")

    def _look_after(self, child: Child, now_s: float) -> None:
        """Start it again when it has ended and its pause is over."""
        code = child.ended()
        if code is not None:
            self._mourn(child, code, now_s)
        if child.process is None:
            if now_s >= child.due_at_s:
                self._start(child, now_s)
            return
        if now_s >= child.kill_at_s:
            child.process.kill()
        child.was_ready = child.was_ready or child.part.ready()
        if now_s - child.started_at_s > STEADY_S:
            child.failures = 0

    def _mourn(self, child: Child, code: int, now_s: float) -> None:
        name, words = child.part.name, sentence_of(child.last_line)
        if code == EXIT_BAD_INPUT and not child.was_ready:
            raise BadInput(words or f"{name} ended with 1 and said nothing")
        child.failures += 1
        pause_s = 0.0 if child.failures == 1 else self.rng.uniform(0, ceiling_s(child.failures))
        child.due_at_s = now_s + pause_s
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with {code} ({words})"
        when = f"in {pause_s:.1f} s" if pause_s else "at once"
        self.announce(f"{name} {how}; it starts again {when}")

    def stop(self) -> None:
        """Stop all, in order, each with its deadline."""
        by_name = {child.part.name: child for child in self.children}
        for name in [name for name in self.stop_order if name in by_name]:
            child = by_name[name]
            if child.process is not None:
                in_time = child.stop()
                self.announce(f"{name} stopped" if in_time else f"{name} did not stop in time and was killed")
                child.process = None
            for handler in child.log.handlers:
                handler.close()


def ceiling_s(failures: int) -> float:
    """The longest pause after so many failures in a row."""
    return float(min(PAUSE_S_MAX, PAUSE_S_FIRST * 2.0 ** min(failures, 20)))
