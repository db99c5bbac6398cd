"""Log lines on stderr: time, level, part, message; plain for people or JSON for programs. Secrets never get here."""

from __future__ import annotations

import contextlib
import json
import logging
import re
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path

from core.clock import iso

LOG_BYTES_MAX = 10 * 1024 * 1024
LOG_FILES_KEPT = 3
MS_PER_S = 1000
CHATTY = ("urllib3", "uvicorn.access", "asyncio")
_TIME_AND_LEVEL = re.compile(r"^\S+ +(DEBUG|INFO|WARNING|ERROR|CRITICAL) +\S+ +|^\[\d+\] \S+ \S+ \[\w+\] ")


class LineFormatter(logging.Formatter):
    """One line for each record, `as_json` or plain; a traceback follows indented, or as a field."""

    def __init__(self, part: str, as_json: bool) -> None:
        super().__init__()
        self.part = part
        self.as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        """The record as text."""
        time = iso(int(record.created * MS_PER_S))
        trace = self.formatException(record.exc_info) if record.exc_info else ""
        if self.as_json:
            line = {"time": time, "level": record.levelname, "part": self.part, "message": record.getMessage()}
            return json.dumps({**line, "trace": trace} if trace else line, ensure_ascii=False)
        text = f"{time} {record.levelname:<7} {self.part} {record.getMessage()}"
        return text + "".join(f"\n    {line}" for line in trace.splitlines())


def set_up_logging(part: str, as_json: bool = False) -> None:
    """All loggers of this process to stderr. A log that can't be written is no reason to stop."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter(part, as_json))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.raiseExceptions = False
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)


class PatientFile(RotatingFileHandler):
    """A file that is lost where the disk is full, without a word and without stopping anybody."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name is logging's
        """The line is lost."""

    def close(self) -> None:
        """Close; what can't be written any more is lost."""
        with contextlib.suppress(OSError):
            super().close()


def rotated(path: Path) -> logging.Logger:
    """A logger that writes whole lines as they are into `path`, a new file every 10 MiB."""
    handler = PatientFile(path, maxBytes=LOG_BYTES_MAX, backupCount=LOG_FILES_KEPT, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger = logging.Logger(f"file {path.name}")
    logger.addHandler(handler)
    return logger


def sentence_of(line: str) -> str:
    """What a line of a log says, without its time, level and part."""
    return _TIME_AND_LEVEL.sub("", line.strip()).removeprefix("partheland: ")
