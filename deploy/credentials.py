"""Secrets that are random and made once for each data folder, in `{data}/secrets.toml`, mode 0600.

The embedded broker's two sign-ins, and the first account of the pages.
"""

from __future__ import annotations

import json
import os
import secrets
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from core.sqlite import sync_folder
from deploy.output import BadInput

NAME = "secrets.toml"
PASSWORD_BYTES = 24
USERS = ("platform", "devices")
HEAD = """# The embedded broker's own passwords. `platform` may do everything: gateway and centre sign in with it.
# `devices` may only publish as a device does and listen to what is sent down to devices.
"""
ADMIN = "admin"
ADMIN_HEAD = """
# The first account: sign in as `admin` at /anmelden. `partheland user password admin` sets another password;
# what stands here then opens nothing any more.
"""


@dataclass(frozen=True)
class SignIn:
    """A name and its password."""

    name: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Credentials:
    """Who may sign in at the embedded broker."""

    platform: SignIn
    devices: SignIn


def load_or_create(data: Path) -> Credentials:
    """The sign-ins of this data folder; the first process that asks makes them. Raises BadInput."""
    path = data / NAME
    try:
        if not path.exists():
            _create(path)
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
        found = {name: SignIn(name, str(tables[name]["password"])) for name in USERS}
    except OSError as error:
        raise BadInput(f"{path} can't be used: {error.strerror}; give this user the right to") from None
    except (ValueError, KeyError, TypeError):
        raise BadInput(
            f"{path} is not as we wrote it; correct it, or move it away and new passwords are made"
        ) from None
    return Credentials(**found)


def admin_password(data: Path) -> str | None:
    """The first account's password as it was made; None before the first start. Raises BadInput."""
    path = data / NAME
    try:
        return str(tomllib.loads(path.read_text(encoding="utf-8"))[ADMIN]["password"])
    except (FileNotFoundError, KeyError):
        return None
    except OSError as error:
        raise BadInput(f"{path} can't be read: {error.strerror}; give this user the right to") from None
    except (ValueError, TypeError):
        raise BadInput(f"{path} is not as we wrote it; correct it, or move it away") from None


def make_admin_password(data: Path) -> str:
    """The same, made and kept when there is none; only the centre calls this. Raises BadInput."""
    load_or_create(data)
    found = admin_password(data)
    if found is not None:
        return found
    path, password = data / NAME, secrets.token_urlsafe(PASSWORD_BYTES)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        text = path.read_text(encoding="utf-8") + f"{ADMIN_HEAD}[{ADMIN}]\npassword = {json.dumps(password)}\n"
        _write(draft, text)
        draft.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise BadInput(f"{path} can't be written: {error.strerror}; free some space") from None
    finally:
        draft.unlink(missing_ok=True)
    return password


def _create(path: Path) -> None:
    """All or nothing, and never over another process's file: a link fails where a name is taken."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    lines = [f"[{name}]\npassword = {json.dumps(secrets.token_urlsafe(PASSWORD_BYTES))}\n" for name in USERS]
    try:
        _write(draft, HEAD + "\n".join(lines))
        os.link(draft, path)
        sync_folder(path.parent)
    except FileExistsError:
        return
    finally:
        draft.unlink(missing_ok=True)


def _write(draft: Path, text: str) -> None:
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
