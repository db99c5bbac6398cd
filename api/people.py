"""Accounts and tokens over HTTP, for who runs the platform."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

import msgspec
from fastapi import Path, Request, Response
from fastapi.concurrency import run_in_threadpool

from api.accounts_rows import Account, AccountError, NoAccountError, Token
from api.centre import AskCentre, as_json, when
from api.problems import ProblemError
from api.sign_in import json_of
from api.who import AskWho

INT64_MAX = 2**63 - 1

Name = Annotated[str, Path(max_length=100, description="The name of an account.")]
Number = Annotated[int, Path(ge=1, le=INT64_MAX, description="The number of a token.")]


class NewAccount(msgspec.Struct, forbid_unknown_fields=True):
    """What is sent to add an account."""

    name: str
    password: str
    role: str
    town: str | None = None


class NewPassword(msgspec.Struct, forbid_unknown_fields=True):
    """What is sent to set a password."""

    password: str


class NewRights(msgspec.Struct, forbid_unknown_fields=True):
    """What is sent to change what an account may do."""

    role: str
    town: str | None = None


class NewToken(msgspec.Struct, forbid_unknown_fields=True):
    """What is sent to make a token."""

    role: str
    town: str | None = None
    label: str = ""
    days: int | None = None


@dataclass(frozen=True)
class AccountItem:
    """An account; town null = all towns."""

    name: str
    role: str
    town: str | None
    created: str | None
    disabled: str | None


@dataclass(frozen=True)
class AccountsList:
    """All accounts by name."""

    items: list[AccountItem]


@dataclass(frozen=True)
class TokenItem:
    """A token; `token` is the text itself, told only by the answer that made it."""

    id: int
    label: str
    role: str
    town: str | None
    created: str | None
    expires: str | None
    revoked: str | None
    token: str | None = None


@dataclass(frozen=True)
class TokensList:
    """All tokens, the newest first."""

    items: list[TokenItem]


def account_item(account: Account) -> AccountItem:
    """As the API writes it."""
    return AccountItem(account.name, account.role, account.town, when(account.created_ms), when(account.disabled_ms))


def token_item(token: Token, secret: str | None = None) -> TokenItem:
    """As the API writes it."""
    times = when(token.created_ms), when(token.expires_ms), when(token.revoked_ms)
    return TokenItem(token.id, token.label, token.role, token.town, *times, secret)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except AccountError as error:
        status = HTTPStatus.NOT_FOUND if isinstance(error, NoAccountError) else HTTPStatus.BAD_REQUEST
        sentence = str(error)
        raise ProblemError(status, f"{sentence[0].upper()}{sentence[1:]}.") from None


def accounts(centre: AskCentre) -> Response:
    """Who may sign in."""
    return as_json(AccountsList([account_item(one) for one in centre.accounts.accounts()]))


async def add_account(request: Request, centre: AskCentre, who: AskWho) -> Response:
    """Add a person who may sign in."""
    new = await json_of(request, NewAccount)
    with _told():
        made = await run_in_threadpool(centre.accounts.add, new.name, new.password, new.role, new.town, who.name)
    return as_json(account_item(made))


async def set_password(request: Request, centre: AskCentre, who: AskWho, name: Name) -> Response:
    """Set a new password; who was signed in with the account has to sign in again."""
    new = await json_of(request, NewPassword)
    with _told():
        return as_json(
            account_item(await run_in_threadpool(centre.accounts.set_password, name, new.password, who.name))
        )


async def set_rights(request: Request, centre: AskCentre, who: AskWho, name: Name) -> Response:
    """Give an account another role or town."""
    new = await json_of(request, NewRights)
    with _told():
        return as_json(
            account_item(await run_in_threadpool(centre.accounts.change, name, new.role, new.town, who.name))
        )


def disable_account(centre: AskCentre, who: AskWho, name: Name) -> Response:
    """Nobody signs in with it any more, and who was signed in is out."""
    with _told():
        return as_json(account_item(centre.accounts.disable(name, who.name)))


def enable_account(centre: AskCentre, who: AskWho, name: Name) -> Response:
    """Let a disabled account sign in again."""
    with _told():
        return as_json(account_item(centre.accounts.enable(name, who.name)))


def tokens(centre: AskCentre) -> Response:
    """Which tokens there are; the texts themselves are kept nowhere."""
    return as_json(TokensList([token_item(one) for one in centre.accounts.tokens.all()]))


async def create_token(request: Request, centre: AskCentre, who: AskWho) -> Response:
    """Make a token for a program; `token` in the answer is told this once."""
    new = await json_of(request, NewToken)
    with _told():
        secret, made = await run_in_threadpool(
            centre.accounts.tokens.create, new.label, new.role, new.town, new.days, who.name
        )
    return as_json(token_item(made, secret))


def revoke_token(centre: AskCentre, who: AskWho, number: Number) -> Response:
    """Nobody comes in with this token any more."""
    with _told():
        return as_json(token_item(centre.accounts.tokens.revoke(number, who.name)))
