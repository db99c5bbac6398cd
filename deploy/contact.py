"""How other commands find a running centre: `{data}/centre.json` with its address, pid and a token, mode 0600."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import cast

from deploy.output import BadInput

NAME = "centre.json"
CSV = "text/csv; charset=utf-8"
ANSWER_S_MAX = 120.0
ALIVE_S_MAX = 3.0
# It is on this machine: never through the proxy that the environment may name.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Centre:
    """A centre that runs: `http` is its address without a slash at the end; and where its broker is."""

    http: str
    pid: int
    token: str = field(repr=False)
    mqtt_host: str = ""
    mqtt_port: int = 0

    @contextmanager
    def ask(
        self, path: str, body: bytes | None = None, timeout_s: float = ANSWER_S_MAX, media: str = CSV
    ) -> Iterator[HTTPResponse]:
        """The answer to a GET, or to a POST of a CSV text or another medium; statuses below 500 are the caller's.

        Raises BadInput when nobody answers, refuses us or fails.
        """
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": media}
        request = urllib.request.Request(self.http + path, body, headers, method="GET" if body is None else "POST")
        try:
            answer = _OPENER.open(request, timeout=timeout_s)
        except urllib.error.HTTPError as error:
            if error.code >= 500 or error.code in (401, 403, 404):
                raise BadInput(f"the centre at {self.http} answers {error.code} to {path}: {why(error)}") from None
            answer = error
        except (OSError, HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            raise BadInput(f"the centre at {self.http} does not answer: {reason}") from None
        with answer:
            try:
                yield cast(HTTPResponse, answer)
            except (ConnectionError, TimeoutError, HTTPException) as error:
                raise BadInput(f"the centre at {self.http} stopped within its answer: {error}") from None

    def answers(self) -> bool:
        """Whether it is alive at this address."""
        try:
            with self.ask("/healthz", timeout_s=ALIVE_S_MAX):
                return True
        except BadInput:
            return False

    def ready(self) -> bool:
        """Whether /readyz answers 200."""
        try:
            with self.ask("/readyz", timeout_s=ALIVE_S_MAX) as answer:
                return answer.status == 200
        except BadInput:
            return False


def why(answer: HTTPResponse | urllib.error.HTTPError) -> str:
    """The reason in an answer: the detail of a problem (RFC 9457), or its first characters."""
    text = answer.read(10_000).decode(errors="replace")
    try:
        problem = json.loads(text)
        return str(problem.get("detail") or problem.get("title") or text[:200])
    except (ValueError, AttributeError):
        return text[:200].strip() or str(answer.reason)


def write_contact(data: Path, centre: Centre) -> None:
    """Tell other commands where we are; whole or not at all."""
    draft = data / f"{NAME}.{centre.pid}"
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(asdict(centre), file)
    draft.replace(data / NAME)


def remove_contact(data: Path, pid: int) -> None:
    """Take our own entry away."""
    found = read_contact(data)
    if found is not None and found.pid == pid:
        (data / NAME).unlink(missing_ok=True)


def read_contact(data: Path) -> Centre | None:
    """What the last centre wrote; None when there is nothing readable."""
    try:
        told = json.loads((data / NAME).read_text(encoding="utf-8"))
        pid, mqtt_port = int(told["pid"]), int(told["mqtt_port"])
        return Centre(str(told["http"]), pid, str(told["token"]), str(told["mqtt_host"]), mqtt_port)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadInput(f"{data / NAME} can't be read: {error.strerror}; run this as the platform's user") from None
    except (ValueError, KeyError, TypeError):
        return None


def find_centre(data: Path) -> Centre | None:
    """The running centre of this data folder; None when there is none and its files may be opened."""
    found = read_contact(data)
    if found is None or not _lives(found.pid):
        return None
    # A pid may have been given to another program since.
    return found if found.answers() else None


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
