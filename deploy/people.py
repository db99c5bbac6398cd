"""Accounts and tokens for commands: asked of the running centre, or changed on its database while it is stopped."""

from __future__ import annotations

import getpass
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from api.accounts import Accounts
from api.accounts_rows import AccountError
from api.people import account_item, token_item
from core.clock import RealClock
from deploy.contact import find_centre, why
from deploy.output import BadInput
from deploy.parts import make_database

Item = dict[str, Any]
T = TypeVar("T")

JSON = "application/json"
ACCOUNTS, TOKENS = "/api/v1/accounts", "/api/v1/tokens"


class People:
    """Who may come in to the platform of a data folder. Every method raises BadInput."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.by = f"cli {_user()}"

    def add(self, name: str, password: str, role: str, town: str | None) -> Item:
        """A new account."""
        sent = {"name": name, "password": password, "role": role, "town": town}
        return self._do(ACCOUNTS, sent, lambda own: asdict(account_item(own.add(name, password, role, town, self.by))))

    def set_password(self, name: str, password: str) -> Item:
        """A new password."""
        path = f"{ACCOUNTS}/{quote(name, safe='')}/password"
        sent = {"password": password}
        return self._do(path, sent, lambda own: asdict(account_item(own.set_password(name, password, self.by))))

    def set_rights(self, name: str, role: str, town: str | None) -> Item:
        """Another role or town."""
        path, sent = f"{ACCOUNTS}/{quote(name, safe='')}/rights", {"role": role, "town": town}
        return self._do(path, sent, lambda own: asdict(account_item(own.change(name, role, town, self.by))))

    def disable(self, name: str) -> Item:
        """Nobody signs in with it any more."""
        path = f"{ACCOUNTS}/{quote(name, safe='')}/disable"
        return self._do(path, {}, lambda own: asdict(account_item(own.disable(name, self.by))))

    def enable(self, name: str) -> Item:
        """As before it was disabled."""
        path = f"{ACCOUNTS}/{quote(name, safe='')}/enable"
        return self._do(path, {}, lambda own: asdict(account_item(own.enable(name, self.by))))

    def accounts(self) -> list[Item]:
        """All accounts by name."""
        found: Item = self._do(
            ACCOUNTS, None, lambda own: {"items": [asdict(account_item(one)) for one in own.accounts()]}
        )
        return list(found["items"])

    def create_token(self, label: str, role: str, town: str | None, days: int | None) -> Item:
        """A token; `token` is its text, told this once."""
        sent = {"label": label, "role": role, "town": town, "days": days}

        def here(own: Accounts) -> Item:
            secret, made = own.tokens.create(label, role, town, days, self.by)
            return asdict(token_item(made, secret))

        return self._do(TOKENS, sent, here)

    def revoke_token(self, number: int) -> Item:
        """Nobody comes in with it any more."""
        path = f"{TOKENS}/{number}/revoke"
        return self._do(path, {}, lambda own: asdict(token_item(own.tokens.revoke(number, self.by))))

    def tokens(self) -> list[Item]:
        """All tokens, the newest first."""
        found: Item = self._do(
            TOKENS, None, lambda own: {"items": [asdict(token_item(one)) for one in own.tokens.all()]}
        )
        return list(found["items"])

    def _do(self, path: str, sent: Item | None, here: Callable[[Accounts], Item]) -> Item:
        centre = find_centre(self.data)
        if centre is None:
            with make_database(self.data) as database:
                try:
                    return here(Accounts(database, RealClock()))
                except AccountError as error:
                    raise BadInput(str(error)) from None
        body = None if sent is None else json.dumps(sent).encode()
        with centre.ask(path, body, media=JSON) as answer:
            if answer.status >= 300:
                raise BadInput(why(answer))
            told: Item = json.loads(answer.read())
            return told


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"
