"""The routes of signing in, and of accounts and tokens, and who may use each."""

from __future__ import annotations

from api import people, sign_in
from api.route import HTML, JSON, Policy, Route

_ONE = "/api/v1/accounts/{name}"
_TOKEN = "/api/v1/tokens/{number}"

ACCOUNTS: tuple[Route, ...] = (
    Route("POST", "/api/v1/session", sign_in.open_session, Policy.OPEN, sign_in.SessionItem, takes=JSON),
    Route("GET", "/api/v1/session", sign_in.session, Policy.SIGNED_IN, sign_in.SessionItem),
    Route("DELETE", "/api/v1/session", sign_in.close_session, Policy.SIGNED_IN, sign_in.SignedOut),
    Route("POST", "/anmelden", sign_in.sign_in_form, Policy.OPEN, media=HTML, shown=False),
    Route("POST", "/abmelden", sign_in.sign_out_form, Policy.SIGNED_IN, media=HTML, shown=False),
    Route("GET", "/api/v1/accounts", people.accounts, Policy.PLATFORM, people.AccountsList),
    Route("POST", "/api/v1/accounts", people.add_account, Policy.PLATFORM, people.AccountItem, takes=JSON),
    Route("POST", f"{_ONE}/password", people.set_password, Policy.PLATFORM, people.AccountItem, takes=JSON),
    Route("POST", f"{_ONE}/rights", people.set_rights, Policy.PLATFORM, people.AccountItem, takes=JSON),
    Route("POST", f"{_ONE}/disable", people.disable_account, Policy.PLATFORM, people.AccountItem),
    Route("POST", f"{_ONE}/enable", people.enable_account, Policy.PLATFORM, people.AccountItem),
    Route("GET", "/api/v1/tokens", people.tokens, Policy.PLATFORM, people.TokensList),
    Route("POST", "/api/v1/tokens", people.create_token, Policy.PLATFORM, people.TokenItem, takes=JSON),
    Route("POST", f"{_TOKEN}/revoke", people.revoke_token, Policy.PLATFORM, people.TokenItem),
)
