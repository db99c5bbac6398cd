"""The embedded broker's two sign-ins, random and made once for each data folder: `{data}/secrets.toml`, mode 0600."""

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


def _create(path: Path) -> None:
    """All or nothing, and never over another process's file: a link fails where a name is taken."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    lines = [f"[{name}]\npassword = {json.dumps(secrets.token_urlsafe(PASSWORD_BYTES))}\n" for name in USERS]
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(HEAD + "\n".join(lines))
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
        sync_folder(path.parent)
    except FileExistsError:
        return
    finally:
        draft.unlink(missing_ok=True)
