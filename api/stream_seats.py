"""How many live streams each may have open at once, so that nobody takes what another needs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable
from http import HTTPStatus

from api.problems import ProblemError
from api.who import DEV, Who

ACCOUNT_MAX = 25
ADDRESS_MAX = 50
PUBLIC_MAX = 300
RETRY_AFTER = {"Retry-After": "30"}


class Seats:
    """The open streams of each account or token, and of guests by their address. Asked in the server's loop only."""

    def __init__(self) -> None:
        self.open: Counter[Hashable] = Counter()

    def take(self, who: Who, address: str) -> Callable[[], None]:
        """Count one more stream; returns what gives the seat back, once. Raises ProblemError when none is free."""
        if who.role != "public":
            return self._seat([((who.by, who.name), ACCOUNT_MAX)]) if who != DEV else _nothing
        return self._seat([(("address", address), ADDRESS_MAX), ("public", PUBLIC_MAX)])

    def _seat(self, keys: list[tuple[Hashable, int]]) -> Callable[[], None]:
        for key, most in keys:
            if self.open[key] >= most:
                raise _refusal(key, most)
        for key, _ in keys:
            self.open[key] += 1

        def leave() -> None:
            for key, _ in keys:
                self.open[key] -= 1
                if not self.open[key]:
                    del self.open[key]

        return leave


def _nothing() -> None:
    """With --dev there is nobody else to take anything from."""


def _refusal(key: Hashable, most: int) -> ProblemError:
    if key == "public":
        detail = f"{most} live streams of guests are open, which is all there are; ask again in a while."
        return ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, detail, RETRY_AFTER)
    whose = "your address" if isinstance(key, tuple) and key[0] == "address" else "your account or token"
    detail = f"{most} live streams of {whose} are open, expected no more; close some, or ask again in a while."
    return ProblemError(HTTPStatus.TOO_MANY_REQUESTS, detail, RETRY_AFTER)
