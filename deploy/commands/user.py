"""`partheland user add|list|password|rights|disable|enable`: who may sign in."""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Sequence
from pathlib import Path

from api.passwords import generate
from api.route import ROLES
from core.town import TOWN_IDS
from deploy.options import add_data_options, keep_to_ourselves, read_data_options
from deploy.output import EXIT_OK, BadInput, Parser, say, tell, tell_json
from deploy.people import Item, People

EXAMPLES = """
partheland user add anna --role yard --town naunhof
partheland user add leitstelle --role dispatcher --password-file password.txt
partheland user password anna
partheland user rights anna --role yard
partheland user disable anna
partheland user list --json
"""
ACTIONS = ("add", "list", "password", "rights", "disable", "enable")
PASSWORD_BYTES_MAX = 4096


def main(argv: Sequence[str]) -> int:
    """Add or change an account, or list all."""
    parser = Parser("user", "Who may sign in, as what, and for which town (none = all of them).", EXAMPLES)
    parser.add_argument("action", choices=ACTIONS)
    parser.add_argument("name", nargs="?", metavar="NAME", help="1 to 64 letters, digits or . _ - @")
    parser.add_argument("--role", choices=ROLES, help="what they may do")
    parser.add_argument("--town", choices=sorted(TOWN_IDS), metavar="TOWN", help="only of this town")
    parser.add_argument("--password-file", type=Path, metavar="F", help="its first line; else asked for, or made")
    parser.add_argument("--json", action="store_true", help="the outcome as JSON")
    add_data_options(parser)
    arguments = parser.parse_args(argv)
    if (arguments.name is None) != (arguments.action == "list"):
        parser.error("every action but list needs a NAME")
    if (arguments.role is None) == (arguments.action in ("add", "rights")):
        parser.error("add and rights need --role, the others have none")
    _, data = read_data_options(arguments)
    keep_to_ourselves()
    people = People(data)
    if arguments.action == "list":
        return _list(people.accounts(), arguments.json)
    password, is_ours = _password(arguments) if arguments.action in ("add", "password") else ("", False)
    done = _act(people, arguments, password)
    if arguments.json:
        tell_json({**done, **({"password": password} if is_ours else {})})
        return EXIT_OK
    tell(_sentence(done))
    if is_ours:
        tell(f"password: {password}")
        say("it is shown this once; it is kept nowhere")
    return EXIT_OK


def _act(people: People, arguments: argparse.Namespace, password: str) -> Item:
    name, action = arguments.name, arguments.action
    if action == "add":
        return people.add(name, password, arguments.role, arguments.town)
    if action == "rights":
        return people.set_rights(name, arguments.role, arguments.town)
    if action == "password":
        return people.set_password(name, password)
    return people.disable(name) if action == "disable" else people.enable(name)


def _password(arguments: argparse.Namespace) -> tuple[str, bool]:
    """The password, and whether we made it up: from a file, from the person, or ours when nobody can be asked."""
    path: Path | None = arguments.password_file
    if path is not None:
        try:
            with path.open(encoding="utf-8") as file:
                return file.readline(PASSWORD_BYTES_MAX).rstrip("\r\n"), False
        except OSError as error:
            raise BadInput(f"{path} can't be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise BadInput(f"{path} is not UTF-8; expected a line with the password") from None
    if not sys.stdin.isatty():
        return generate(), True
    first = getpass.getpass(f"Password for {arguments.name} (empty = one is made): ")
    if not first:
        return generate(), True
    if getpass.getpass("The same again: ") != first:
        raise BadInput("the two passwords differ; nothing was changed")
    return first, False


def _list(found: list[Item], as_json: bool) -> int:
    if as_json:
        tell_json({"items": found})
    else:
        tell("\n".join(_sentence(one) for one in found) or "there are no accounts; `partheland user add` makes one")
    return EXIT_OK


def _sentence(one: Item) -> str:
    state = f", disabled {one['disabled']}" if one["disabled"] else ""
    return f"{one['name']}: {one['role']} of {one['town'] or 'all towns'}{state}"
