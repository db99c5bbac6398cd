"""How an answer leaves: packed, with a mark by which a reader sees that nothing is new, readable from any web page.

What everybody may see in whole is kept for a moment, so that many readers cost one building.
"""

from __future__ import annotations

import gzip
import hashlib
import threading
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from fastapi import Request, Response

FRESH_S = 2
PACK_BYTES_MIN = 1024
PACK_LEVEL = 1
MARK_BYTES = 16
PUBLIC = {
    "Access-Control-Allow-Origin": "*",  # no credentials: this is what everybody may read
    "Access-Control-Expose-Headers": "ETag",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Vary": "Accept-Encoding, x-api-key",
}
PRIVATE = {"Vary": "Accept-Encoding, x-api-key"}


@dataclass(frozen=True)
class Answer:
    """A body, the same packed, and its mark."""

    body: bytes
    packed: bytes
    mark: str


def answer_of(body: bytes) -> Answer:
    """The body with what belongs to it; a short one is not packed."""
    mark = hashlib.blake2b(body, digest_size=MARK_BYTES).hexdigest()
    packed = gzip.compress(body, PACK_LEVEL, mtime=0) if len(body) >= PACK_BYTES_MIN else b""
    return Answer(body, packed, f'W/"{mark}"')


class Shelf:
    """Answers that were built in the last moment, for several threads; the caller's keys are few."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[Hashable, tuple[float, Answer]] = {}

    def take(self, key: Hashable, now_s: float, build: Callable[[], bytes]) -> Answer:
        """The answer under this key, built when it is older than FRESH_S; who asks meanwhile waits for it."""
        with self._lock:
            until_s, kept = self._kept.get(key, (0.0, None))
            if kept is None or now_s >= until_s:
                kept = answer_of(build())
                self._kept[key] = (now_s + FRESH_S, kept)
            return kept


def send(request: Request, answer: Answer, media: str, headers: Mapping[str, str], is_public: bool) -> Response:
    """The response: 304 when the reader has it already, packed when the reader can unpack it."""
    kept = f"public, max-age={FRESH_S}" if is_public else "private, no-store"
    more = {**headers, "ETag": answer.mark, "Cache-Control": kept}
    known = [one.strip() for one in request.headers.get("if-none-match", "").split(",")]
    if answer.mark in known or answer.mark.removeprefix("W/") in known or "*" in known:
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=more)
    if answer.packed and _unpacks(request.headers.get("accept-encoding", "")):
        return Response(answer.packed, headers={**more, "Content-Encoding": "gzip"}, media_type=media)
    return Response(answer.body, headers=more, media_type=media)


def _unpacks(accepted: str) -> bool:
    for one in accepted.lower().split(","):
        name, _, weight = one.partition(";")
        if name.strip() == "gzip":
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
