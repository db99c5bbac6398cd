"""Who may come in: accounts of people with their sessions, and tokens of programs.

Sessions and tokens are random texts that are told once; the database keeps their SHA-256. Every sign-in, good or bad,
every sign-out and every change is a row of the audit, in the same transaction.
"""

from __future__ import annotations

import logging
import secrets
from typing import Any

from sqlalchemy import delete, func, insert, or_, select, update

from api.accounts_rows import (
    ACCOUNT_COLUMNS,
    NAME_CHARS_MAX,
    TOKEN_BYTES,
    Account,
    AccountError,
    Remembered,
    SignInError,
    Token,
    account_of,
    account_row,
    check_rights,
    checked_name,
    digest_of,
    insert_account,
    known_name,
    rights,
)
from api.accounts_tables import account_table, session_table
from api.limits import Attempts
from api.passwords import Passwords, check_password
from api.tokens import Tokens
from core.clock import Clock
from core.relational import DatabaseError, Relational
from rules.audit import SYSTEM, append

log = logging.getLogger(__name__)

HOUR_MS = 3_600_000
SESSION_IDLE_MS = 12 * HOUR_MS
SESSION_MS_MAX = 30 * 24 * HOUR_MS
SEEN_EACH_MS = 5 * 60_000  # how often at most a session's last use is written down
FIRST_NAME = "admin"
UNKNOWN = "unknown"


class Accounts:
    """All accounts and tokens of an open database. May be used by several threads."""

    def __init__(self, database: Relational, clock: Clock, passwords: Passwords | None = None) -> None:
        self.database = database
        self.clock = clock
        self.passwords = passwords or Passwords()
        self.attempts = Attempts(clock)
        self.remembered = Remembered(clock)
        self.tokens = Tokens(database, clock, self.remembered)

    # People

    def add(self, name: str, password: str, role: str, town: str | None, by: str) -> Account:
        """A new account. Raises AccountError."""
        name = checked_name(name)
        check_rights(role, town)
        check_password(password)
        kept, now_ms = self.passwords.hash(password), self.clock.now_ms()
        with self.database.write() as connection:
            if account_row(connection, name) is not None:
                raise AccountError(f"there is an account '{name}' already; expected a new name")
            insert_account(connection, name, kept, role, town, now_ms, by)
            return account_of(connection, name)

    def add_first(self, password: str) -> bool:
        """The account `admin` where there is no account at all; whether it was made."""
        kept, now_ms = self.passwords.hash(password), self.clock.now_ms()
        with self.database.write() as connection:
            if connection.execute(select(func.count()).select_from(account_table)).scalar_one():
                return False
            insert_account(connection, FIRST_NAME, kept, "admin", None, now_ms, SYSTEM)
            return True

    def is_empty(self) -> bool:
        """Whether there is no account at all."""
        with self.database.read() as connection:
            return not connection.execute(select(func.count()).select_from(account_table)).scalar_one()

    def change(self, name: str, role: str, town: str | None, by: str) -> Account:
        """Another role or town; sessions stay and have the new rights at once. Raises AccountError."""
        check_rights(role, town)
        what = {"role": role, "town": town}
        return self._change(name, what, by, "account changed", rights(role, town), ends_sessions=False)

    def set_password(self, name: str, password: str, by: str) -> Account:
        """A new password; who was signed in has to sign in again. Raises AccountError."""
        check_password(password)
        what = {"password": self.passwords.hash(password)}
        return self._change(name, what, by, "password changed", "", ends_sessions=True)

    def disable(self, name: str, by: str) -> Account:
        """Nobody signs in with it any more, and who was signed in is out. Raises NoAccountError."""
        what = {"disabled_ms": self.clock.now_ms()}
        return self._change(name, what, by, "account disabled", "", ends_sessions=True)

    def enable(self, name: str, by: str) -> Account:
        """As before it was disabled. Raises NoAccountError."""
        return self._change(name, {"disabled_ms": None}, by, "account enabled", "", ends_sessions=False)

    def _change(
        self, name: str, what: dict[str, Any], by: str, action: str, detail: str, ends_sessions: bool
    ) -> Account:
        name, own, ended = known_name(name), session_table.c, list[str]()
        with self.database.write() as connection:
            found = account_of(connection, name)
            connection.execute(update(account_table).where(account_table.c.id == found.id).values(what))
            if ends_sessions:
                ended = list(connection.execute(select(own.digest).where(own.account_id == found.id)).scalars())
                connection.execute(delete(session_table).where(own.account_id == found.id))
            append(connection, self.clock.now_ms(), by, action, f"account {name}", detail)
            changed = account_of(connection, name)
        self.remembered.forget(Account, ended)
        return changed

    def accounts(self) -> list[Account]:
        """All of them, by name."""
        with self.database.read() as connection:
            rows = connection.execute(select(*ACCOUNT_COLUMNS).order_by(account_table.c.name))
            return [Account(*row) for row in rows]

    # Sessions

    def sign_in(self, name: str, password: str, address: str, former: str = "") -> str:
        """The token of a new session; `former` is the asker's session so far, which ends.

        Raises SignInError, and TooManyError when name or address has to wait.
        """
        name = known_name(name)[: NAME_CHARS_MAX + 1]
        self.attempts.begin(name, address)
        with self.database.read() as connection:
            row = account_row(connection, name)
        matches = self.passwords.matches(row.password if row is not None else None, password)
        now_ms = self.clock.now_ms()
        if row is None or not matches or row.disabled_ms is not None:
            # A name that is none may be a password in the wrong field: it is not written down.
            who = name if row is not None else UNKNOWN
            with self.database.write() as connection:
                append(connection, now_ms, who, "sign-in refused", f"account {who}", f"from {address}")
            raise SignInError("name or password is wrong, or the account is disabled")
        self.attempts.succeeded(name, address)
        token = secrets.token_urlsafe(TOKEN_BYTES)
        session = {"digest": digest_of(token), "account_id": row.id, "created_ms": now_ms, "seen_ms": now_ms}
        with self.database.write() as connection:
            own = session_table.c
            gone = or_(own.digest == digest_of(former), own.expires_ms <= now_ms)
            connection.execute(delete(session_table).where(gone))
            connection.execute(insert(session_table), {**session, "expires_ms": now_ms + SESSION_IDLE_MS})
            append(connection, now_ms, name, "signed in", f"account {name}", f"from {address}")
        self.remembered.forget(Account, [digest_of(former)])
        return token

    def who_of_session(self, token: str) -> Account | None:
        """Whose session it is; None when it has ended. Its use prolongs it, to 12 hours from now, 30 days at most."""
        digest, now_ms, generation = digest_of(token), self.clock.now_ms(), self.remembered.generation
        own = session_table.c
        query = select(own.created_ms, own.seen_ms, own.expires_ms, *ACCOUNT_COLUMNS).join(account_table)
        with self.database.read() as connection:
            row = connection.execute(query.where(own.digest == digest)).first()
        if row is None or row.expires_ms <= now_ms or row.disabled_ms is not None:
            self.remembered.estrange(Account, digest)
            return None
        if now_ms - row.seen_ms >= SEEN_EACH_MS:
            self._prolong(digest, now_ms, min(now_ms + SESSION_IDLE_MS, row[0] + SESSION_MS_MAX))
        found = Account(*row[3:])
        self.remembered.put(digest, found, generation)
        return found

    def _prolong(self, digest: str, now_ms: int, expires_ms: int) -> None:
        change = update(session_table).where(session_table.c.digest == digest)
        try:
            with self.database.write() as connection:
                connection.execute(change.values(seen_ms=now_ms, expires_ms=expires_ms))
        except DatabaseError as error:  # a full disk must not keep the dispatcher from reading
            log.warning("a session can't be prolonged: %s", error)

    def sign_out(self, token: str) -> None:
        """End this session; nothing happens when it has ended already."""
        digest = digest_of(token)
        own = session_table.c
        with self.database.write() as connection:
            query = select(account_table.c.name).join(session_table).where(own.digest == digest)
            name = connection.execute(query).scalar()
            if name is not None:
                connection.execute(delete(session_table).where(own.digest == digest))
                append(connection, self.clock.now_ms(), name, "signed out", f"account {name}", "")
        self.remembered.forget(Account, [digest])

    def create_token(self, label: str, role: str, town: str | None, days: int | None, by: str) -> tuple[str, Token]:
        """As `tokens.create`."""
        return self.tokens.create(label, role, town, days, by)

    def who_of_token(self, secret: str) -> Token | None:
        """As `tokens.who_of`."""
        return self.tokens.who_of(secret)

    def remembered_as(self, secret: str, kind: type[Account] | type[Token]) -> Account | Token | None:
        """Whose session or token it was a few seconds ago, without a question to the database."""
        found = self.remembered.find(digest_of(secret))
        return found if isinstance(found, kind) else None

    def is_familiar(self, secret: str, kind: type[Account] | type[Token]) -> bool:
        """Whether this session or token was good within the last 12 hours, as far as is known without looking."""
        return self.remembered.is_familiar(kind, digest_of(secret))
