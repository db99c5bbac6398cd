"""The tables of who may come in: accounts of people, their sessions, tokens of programs.

Times are Unix ms, UTC. Of a session or a token only its SHA-256 is kept: who reads the database can't come in with it.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, Table, Text

from core.relational import metadata


def _number() -> Column[int]:
    # SQLite counts up only in a column that is INTEGER PRIMARY KEY.
    return Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)


account_table = Table(
    "account",
    metadata,
    _number(),
    Column("name", Text, nullable=False, unique=True),
    Column("password", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("town", Text),
    Column("created_ms", BigInteger, nullable=False),
    Column("disabled_ms", BigInteger),
    sqlite_autoincrement=True,
)

session_table = Table(
    "session",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("account_id", BigInteger, ForeignKey("account.id"), nullable=False, index=True),
    Column("created_ms", BigInteger, nullable=False),
    Column("seen_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger, nullable=False, index=True),
)

token_table = Table(
    "token",
    metadata,
    _number(),
    Column("digest", Text, nullable=False, unique=True),
    Column("label", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("town", Text),
    Column("created_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger),
    Column("revoked_ms", BigInteger),
    sqlite_autoincrement=True,
)
