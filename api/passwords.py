"""Passwords: what may be one, how it is kept (argon2id), and how a sign-in is compared with it."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from api.accounts_rows import AccountError
from api.limits import TooManyError

CHARS_MIN, CHARS_MAX = 10, 200
AT_ONCE = 2  # each takes 64 MiB and a core for a moment
WAITING_MAX = 8
WAIT_S_MAX = 5.0
GENERATED_BYTES = 15


def generate() -> str:
    """A password nobody has to think of: 20 letters and digits."""
    return secrets.token_urlsafe(GENERATED_BYTES)


def check_password(password: str) -> None:
    """Raises AccountError when it can't be a password."""
    if not CHARS_MIN <= len(password) <= CHARS_MAX:
        raise AccountError(f"the password has {len(password)} characters; expected {CHARS_MIN} to {CHARS_MAX}")


class Passwords:
    """Makes and compares hashes; an unknown name costs as much time as a known one. May be used by several threads."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._room = threading.BoundedSemaphore(AT_ONCE)
        self._lock = threading.Lock()
        self._waiting = 0
        self._nobodys = ""

    def hash(self, password: str) -> str:
        """What is kept of a password."""
        return self._hasher.hash(password)

    def matches(self, kept: str | None, password: str) -> bool:
        """Whether it is the one; `kept` None = there is no such name. Raises TooManyError when too many ask at once."""
        with self._at_work():
            if kept is None or len(password) > CHARS_MAX:
                self._compare(self._of_nobody(), password[:CHARS_MAX])
                return False
            return self._compare(kept, password)

    def _compare(self, kept: str, password: str) -> bool:
        try:
            return self._hasher.verify(kept, password)
        except (VerificationError, InvalidHashError, UnicodeEncodeError):
            return False

    def _of_nobody(self) -> str:
        with self._lock:
            self._nobodys = self._nobodys or self._hasher.hash(secrets.token_urlsafe())
            return self._nobodys

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        """A place among the few that compare; the threads of the other requests must not all wait here."""
        with self._lock:
            if self._waiting >= WAITING_MAX:
                raise TooManyError(1.0)
            self._waiting += 1
        try:
            if not self._room.acquire(timeout=WAIT_S_MAX):
                raise TooManyError(WAIT_S_MAX)
            try:
                yield
            finally:
                self._room.release()
        finally:
            with self._lock:
                self._waiting -= 1
