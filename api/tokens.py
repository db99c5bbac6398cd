"""Tokens: what programs show to come in. A token is a random text that is told once; its SHA-256 is kept."""

from __future__ import annotations

import secrets

from sqlalchemy import insert, select, update

from api.accounts_rows import (
    TOKEN_BYTES,
    TOKEN_COLUMNS,
    AccountError,
    NoAccountError,
    Remembered,
    Token,
    check_rights,
    digest_of,
    rights,
)
from api.accounts_tables import token_table
from core.clock import Clock
from core.relational import Relational
from rules.audit import append

DAY_MS = 86_400_000
DAYS_MAX = 3660
LABEL_CHARS_MAX = 100


class Tokens:
    """All tokens of an open database. May be used by several threads."""

    def __init__(self, database: Relational, clock: Clock, remembered: Remembered) -> None:
        self.database = database
        self.clock = clock
        self.remembered = remembered

    def create(self, label: str, role: str, town: str | None, days: int | None, by: str) -> tuple[str, Token]:
        """The token, told this once, and what is known of it. Raises AccountError."""
        check_rights(role, town)
        if len(label) > LABEL_CHARS_MAX or not label.isprintable():
            raise AccountError(f"the label is too long or not printable; expected at most {LABEL_CHARS_MAX} characters")
        now_ms = self.clock.now_ms()
        if days is not None and not 1 <= days <= DAYS_MAX:
            raise AccountError(f"days is {days}; expected 1 … {DAYS_MAX}, or none at all")
        secret = secrets.token_urlsafe(TOKEN_BYTES)
        expires_ms = now_ms + days * DAY_MS if days is not None else None
        row = {"digest": digest_of(secret), "label": label, "role": role, "town": town, "created_ms": now_ms}
        with self.database.write() as connection:
            connection.execute(insert(token_table), {**row, "expires_ms": expires_ms})
            found = connection.execute(select(*TOKEN_COLUMNS).where(token_table.c.digest == row["digest"])).one()
            append(
                connection, now_ms, by, "token created", f"token {found.id}", f"{label} {rights(role, town)}".strip()
            )
            return secret, Token(*found)

    def revoke(self, number: int, by: str) -> Token:
        """Nobody comes in with it any more. Raises NoAccountError."""
        query, now_ms = select(*TOKEN_COLUMNS).where(token_table.c.id == number), self.clock.now_ms()
        with self.database.write() as connection:
            found = connection.execute(query).first()
            if found is None:
                raise NoAccountError(f"there is no token {number}; the list of tokens shows their numbers")
            if found.revoked_ms is None:
                change = update(token_table).where(token_table.c.id == number)
                connection.execute(change.values(revoked_ms=now_ms))
                append(connection, now_ms, by, "token revoked", f"token {number}", found.label)
            token = Token(*connection.execute(query).one())
            digest = connection.execute(select(token_table.c.digest).where(token_table.c.id == number)).scalar_one()
        self.remembered.forget(Token, [digest])
        return token

    def who_of(self, secret: str) -> Token | None:
        """Whose token it is; None when there is none, or it has expired or was revoked."""
        digest, generation = digest_of(secret), self.remembered.generation
        with self.database.read() as connection:
            row = connection.execute(select(*TOKEN_COLUMNS).where(token_table.c.digest == digest)).first()
        has_expired = row is not None and row.expires_ms is not None and row.expires_ms <= self.clock.now_ms()
        if row is None or row.revoked_ms is not None or has_expired:
            self.remembered.estrange(Token, digest)
            return None
        found = Token(*row)
        self.remembered.put(digest, found, generation)
        return found

    def all(self) -> list[Token]:
        """All of them, the newest first."""
        with self.database.read() as connection:
            return [Token(*row) for row in connection.execute(select(*TOKEN_COLUMNS).order_by(token_table.c.id.desc()))]
