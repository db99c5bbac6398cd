"""Who signs in to the demo: one account for each kind of people, with a fresh password that can be typed."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import Any

from deploy.contact import Centre, why
from deploy.output import BadInput

CONSONANTS, VOWELS = "bdfghklmnprstvwz", "aeiou"
GROUPS, SYLLABLES = 3, 3
# Name, role, page, what one does there.
KINDS = (
    ("bauhof", "yard", "/bauhof", "Tickets annehmen, abarbeiten, abschließen"),
    ("leitstelle", "dispatcher", "/notruf", "Notrufe sehen und annehmen"),
    ("technik", "technician", "/karte", "Geräte, Messwerte, Störungen ansehen"),
    ("admin", "admin", "/", "alles"),
)


@dataclass(frozen=True)
class Person:
    """An account of the demo, and where its holder begins."""

    name: str
    role: str
    password: str
    page: str
    task: str
    town: str | None = None


def people() -> list[Person]:
    """One for each role, with new passwords."""
    return [Person(name, role, new_password(), page, task) for name, role, page, task in KINDS]


def new_password() -> str:
    """Nine random syllables, 56 bits, e.g. `mokeba-tilupo-fanewi`."""
    syllables = ["".join(map(secrets.choice, (CONSONANTS, VOWELS))) for _ in range(GROUPS * SYLLABLES)]
    return "-".join("".join(syllables[at : at + SYLLABLES]) for at in range(0, len(syllables), SYLLABLES))


def create_accounts(centre: Centre, wanted: list[Person]) -> None:
    """Make the accounts; one that is there already (the first admin) gets the new password. Raises BadInput."""
    with centre.ask("/api/v1/accounts") as answer:
        known = {item["name"] for item in json.loads(answer.read())["items"]}
    for person in wanted:
        if person.name in known:
            _post(centre, f"/api/v1/accounts/{person.name}/password", {"password": person.password})
        else:
            account = {"name": person.name, "password": person.password, "role": person.role, "town": person.town}
            _post(centre, "/api/v1/accounts", account)


def _post(centre: Centre, path: str, body: dict[str, Any]) -> None:
    with centre.ask(path, json.dumps(body).encode(), media="application/json") as answer:
        if answer.status >= 300:
            raise BadInput(f"the centre does not make the demo's accounts ({answer.status}): {why(answer)}")
