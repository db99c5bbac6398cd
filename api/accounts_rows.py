"""What accounts and tokens are, what may stand in them, and their rows; and what was found out a moment ago.

AccountError     it can't be done so; the text says what was wrong and what was expected
├── NoAccountError   there is no such account or token
└── SignInError      name or password is wrong, or the account is disabled; it never says which
"""

from __future__ import annotations

import hashlib
import threading
import unicodedata
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select

from api.accounts_tables import account_table, token_table
from api.route import ROLES
from core.clock import Clock
from core.town import TOWN_IDS
from rules.audit import append

TOKEN_BYTES = 32
NAME_CHARS_MAX = 64
REMEMBERED_S = 5.0
FAMILIAR_S = 12 * 3600.0
REMEMBERED_MAX = 10_000
RESERVED = frozenset({"dev", "public", "partheland", "unknown"})


class AccountError(ValueError):
    """It can't be done so; the text says what was wrong and what was expected. Nothing was changed."""


class NoAccountError(AccountError):
    """There is no such account or token."""


class SignInError(AccountError):
    """Name or password is wrong, or the account is disabled."""


@dataclass(frozen=True)
class Account:
    """A person who may sign in; town None = all towns, disabled_ms None = not disabled."""

    id: int
    name: str
    role: str
    town: str | None
    created_ms: int
    disabled_ms: int | None


@dataclass(frozen=True)
class Token:
    """What a program shows to come in; town None = all towns, expires_ms None = never."""

    id: int
    label: str
    role: str
    town: str | None
    created_ms: int
    expires_ms: int | None
    revoked_ms: int | None


ACCOUNT_COLUMNS = [account_table.c[name] for name in ("id", "name", "role", "town", "created_ms", "disabled_ms")]
TOKEN_COLUMNS = [
    token_table.c[name] for name in ("id", "label", "role", "town", "created_ms", "expires_ms", "revoked_ms")
]


def known_name(name: str) -> str:
    """The name as it is kept: one spelling, small letters; phones like to begin with a large one."""
    return unicodedata.normalize("NFC", name).strip().lower()


Credential = type[Account] | type[Token]


class Remembered:
    """Whose session or token it was a few seconds ago, without a question to the database. For several threads.

    A session or token that was good within the last hours is familiar: looking it up again costs nobody a request.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.generation = 0
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[float, Account | Token]] = OrderedDict()
        self._familiar: OrderedDict[tuple[Credential, str], float] = OrderedDict()

    def find(self, digest: str) -> Account | Token | None:
        """What was put in lately; None when it has to be looked up."""
        with self._lock:
            at_s, found = self._kept.get(digest, (0.0, None))
        return found if self.clock.monotonic_s() - at_s < REMEMBERED_S else None

    def put(self, digest: str, found: Account | Token, generation: int) -> None:
        """Keep it; not when something was changed since `generation` was read. It is familiar in any case."""
        with self._lock:
            self._familiar[type(found), digest] = self.clock.monotonic_s()
            self._familiar.move_to_end((type(found), digest))
            while len(self._familiar) > REMEMBERED_MAX:
                self._familiar.popitem(last=False)
            if generation != self.generation:
                return
            self._kept[digest] = (self.clock.monotonic_s(), found)
            self._kept.move_to_end(digest)
            while len(self._kept) > REMEMBERED_MAX:
                self._kept.popitem(last=False)

    def is_familiar(self, kind: Credential, digest: str) -> bool:
        """Whether this session or token was good within the last hours, and not known to have ended since."""
        with self._lock:
            at_s = self._familiar.get((kind, digest))
        return at_s is not None and self.clock.monotonic_s() - at_s < FAMILIAR_S

    def estrange(self, kind: Credential, digest: str) -> None:
        """It was looked up and is none, or has ended."""
        with self._lock:
            self._familiar.pop((kind, digest), None)

    def forget(self, kind: Credential = Account, ended: Iterable[str] = ()) -> None:
        """Something was changed: everything is looked up again. The digests in `ended` are familiar no more."""
        with self._lock:
            self.generation += 1
            self._kept.clear()
            for digest in ended:
                self._familiar.pop((kind, digest), None)


def digest_of(secret: str) -> str:
    """What is kept of a session's or program's token."""
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()


def account_row(connection: Connection, name: str) -> Any:
    """The whole row of an account, with the hash of its password; None when there is none."""
    return connection.execute(select(account_table).where(account_table.c.name == name)).first()


def account_of(connection: Connection, name: str) -> Account:
    """The account of this name. Raises NoAccountError."""
    found = connection.execute(select(*ACCOUNT_COLUMNS).where(account_table.c.name == name)).first()
    if found is None:
        raise NoAccountError(f"there is no account '{name[:NAME_CHARS_MAX]}'; the list of accounts shows their names")
    return Account(*found)


def insert_account(
    connection: Connection, name: str, kept: str, role: str, town: str | None, now_ms: int, by: str
) -> None:
    """Add an account, and its row of the audit."""
    row = {"name": name, "password": kept, "role": role, "town": town, "created_ms": now_ms}
    connection.execute(insert(account_table), row)
    append(connection, now_ms, by, "account created", f"account {name}", rights(role, town))


def checked_name(name: str) -> str:
    """The name as it is kept. Raises AccountError when nobody may have it."""
    name = known_name(name)
    if not 0 < len(name) <= NAME_CHARS_MAX or not all(each.isalnum() or each in "._-@" for each in name):
        raise AccountError(f"the name is '{name[:NAME_CHARS_MAX]}'; expected 1 to 64 letters, digits or . _ - @")
    if name in RESERVED:
        raise AccountError(f"the name '{name}' is the platform's own; expected another one")
    return name


def check_rights(role: str, town: str | None) -> None:
    """Raises AccountError when there is no such role or town."""
    if role not in ROLES:
        raise AccountError(f"role is '{role[:NAME_CHARS_MAX]}'; expected one of {', '.join(ROLES)}")
    if town is not None and town not in TOWN_IDS:
        expected = ", ".join(sorted(TOWN_IDS))
        raise AccountError(f"town is '{town[:NAME_CHARS_MAX]}'; expected one of {expected}, or none for all of them")


def rights(role: str, town: str | None) -> str:
    """A role and its town in words, for the audit."""
    return f"{role} of {town or 'all towns'}"
