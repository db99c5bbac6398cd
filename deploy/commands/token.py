"""`partheland token create|list|revoke`: what programs show to come in."""

from __future__ import annotations

from collections.abc import Sequence

from api.route import ROLES
from core.town import TOWN_IDS
from deploy.options import add_data_options, keep_to_ourselves, read_data_options
from deploy.output import EXIT_OK, Parser, say, tell, tell_json
from deploy.people import Item, People

EXAMPLES = """
partheland token create --role yard --town naunhof --label "work orders" --days 365
partheland token create --role admin > admin.token
partheland token list
partheland token revoke 3
"""


def main(argv: Sequence[str]) -> int:
    """Make or revoke a token, or list all."""
    parser = Parser("token", "Tokens of programs: what they may do, and for which town (none = all).", EXAMPLES)
    parser.add_argument("action", choices=("create", "list", "revoke"))
    parser.add_argument("number", type=int, nargs="?", metavar="NUMBER", help="of the token that is revoked")
    parser.add_argument("--role", choices=ROLES, help="what it may do")
    parser.add_argument("--town", choices=sorted(TOWN_IDS), metavar="TOWN", help="only of this town")
    parser.add_argument("--label", default="", metavar="L", help="what it is for")
    parser.add_argument("--days", type=int, metavar="N", help="it ends after so many days (never)")
    parser.add_argument("--json", action="store_true", help="the outcome as JSON")
    add_data_options(parser)
    arguments = parser.parse_args(argv)
    if (arguments.number is None) == (arguments.action == "revoke"):
        parser.error("revoke needs the NUMBER of the token, the others have none")
    if (arguments.role is None) == (arguments.action == "create"):
        parser.error("create needs --role, the others have none")
    _, data = read_data_options(arguments)
    keep_to_ourselves()
    people = People(data)
    if arguments.action == "list":
        return _list(people.tokens(), arguments.json)
    if arguments.action == "revoke":
        done = people.revoke_token(arguments.number)
    else:
        done = people.create_token(arguments.label, arguments.role, arguments.town, arguments.days)
    if arguments.json:
        tell_json(done)
    elif arguments.action == "create":
        say(f"{_sentence(done)}; the token is shown this once")
        tell(done["token"])
    else:
        tell(_sentence(done))
    return EXIT_OK


def _list(found: list[Item], as_json: bool) -> int:
    if as_json:
        tell_json({"items": found})
    else:
        tell("\n".join(_sentence(one) for one in found) or "there are no tokens; `partheland token create` makes one")
    return EXIT_OK


def _sentence(one: Item) -> str:
    label = f" ({one['label']})" if one["label"] else ""
    until = f", until {one['expires']}" if one["expires"] else ""
    state = f", revoked {one['revoked']}" if one["revoked"] else ""
    return f"token {one['id']}{label}: {one['role']} of {one['town'] or 'all towns'}{until}{state}"
