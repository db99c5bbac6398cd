"""`partheland demo` as a process, for tests that want a region that lives."""

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.deploy.running import command, environment

READY_S_MAX = 90.0
END_S_MAX = 30.0


@contextmanager
def demo(data: Path, *more: object) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any], list[str]]]:
    """A demo in a process group of its own: the process, what it told when it was ready, what it said since."""
    process = subprocess.Popen(
        command("demo", "--data", data, "--http-port", 0, "--mqtt-port", 0, "--json", *more),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None and process.stderr is not None
    in_time = threading.Timer(READY_S_MAX, process.kill)
    in_time.start()
    said: list[str] = []
    errors = process.stderr
    reader = threading.Thread(target=lambda: said.extend(errors))
    reader.start()
    try:
        line = process.stdout.readline()
        in_time.cancel()
        assert line, said
        yield process, json.loads(line), said
    finally:
        in_time.cancel()
        if process.poll() is None:
            process.terminate()
            process.wait(END_S_MAX * 2)
        reader.join()
        process.stdout.close()
        process.stderr.close()
