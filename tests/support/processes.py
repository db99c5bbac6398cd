"""Real server processes for tests: started on a free port, stopped or killed, and started again in the same place."""

import secrets
import signal
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

START_S_MAX = 60.0
STOP_S_MAX = 20.0
LOG_TAIL_CHARS = 2000


class ServerStartError(RuntimeError):
    """A server ended, or did not open its port in time; the message carries the end of its log."""


def free_port() -> int:
    """A TCP port on 127.0.0.1 that nobody listened on a moment ago, and no outgoing connection will take."""
    while True:
        port = 20_000 + secrets.randbelow(12_000)  # not `random`: hypothesis makes that repeat itself
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def port_is_open(port: int) -> bool:
    """True when somebody on 127.0.0.1 takes a connection at this port."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
    except OSError:
        return False
    return True


class ServerProcess:
    """A program that listens on one TCP port of 127.0.0.1; its output goes to a log file, appended over restarts."""

    def __init__(self, command: list[str], port: int, log: Path, environment: dict[str, str] | None = None) -> None:
        self.command = command
        self.host = "127.0.0.1"
        self.port = port
        self.log = log
        self.environment = environment
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts the program and returns when its port is open; does nothing while it runs."""
        if self.running:
            return
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment
            )
        self._wait_until_open(self.process)

    def stop(self) -> None:
        """Asks the program to end and waits; one that does not end in time is killed. Does nothing when it is down."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Ends the program as kill -9 does, without a chance to write anything. Does nothing when it is down."""
        self._end(signal.SIGKILL)

    @property
    def running(self) -> bool:
        """True from start until the program has ended, by itself or by us."""
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self) -> int:
        """The process id; only of a running program."""
        assert self.process is not None, f"{self.command[0]} was never started"
        return self.process.pid

    def log_tail(self) -> str:
        """The end of what the program printed, at most 2,000 characters."""
        return self.log.read_text(errors="replace")[-LOG_TAIL_CHARS:] if self.log.exists() else ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _wait_until_open(self, process: subprocess.Popen[bytes]) -> None:
        deadline_s = time.monotonic() + START_S_MAX
        while not port_is_open(self.port):
            if process.poll() is not None:
                raise ServerStartError(f"{self.command[0]} ended with {process.returncode}:\n{self.log_tail()}")
            if time.monotonic() > deadline_s:
                self.kill()
                raise ServerStartError(f"{self.command[0]}: port {self.port} stayed closed:\n{self.log_tail()}")
            time.sleep(0.05)

    def _end(self, how: signal.Signals) -> None:
        if self.process is None:
            return
        if self.running:
            self.process.send_signal(how)
        try:
            self.process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(STOP_S_MAX)
        self.process = None
