"""A centre in this process behind a real HTTP server, for tests that need a browser or a second client."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from api.app import create_app
from api.server import HttpServer
from deploy.contact import Centre as Contact
from deploy.contact import read_contact
from deploy.demo_people import Person, create_accounts, new_password, people
from tests.deploy.running import Up
from tests.support.frames import FedCentre, fed_centre


@dataclass(frozen=True)
class Served:
    """The address, without a slash at the end, and what is behind it: `centre.take(frame)` feeds it."""

    url: str
    centre: FedCentre


@dataclass(frozen=True)
class LiveCentre:
    """The real platform with passwords, and an account of all towns for each role: `people["yard"]` is its name and
    password."""

    url: str
    up: Up
    people: dict[str, tuple[str, str]]

    def add_person(self, name: str, role: str, town: str | None) -> tuple[str, str]:
        """One more account; its name and password."""
        person = Person(name, role, new_password(), "/", "", town)
        create_accounts(contact_of(self.up), [person])
        return person.name, person.password


def contact_of(up: Up) -> Contact:
    """How programs on this machine reach its centre."""
    contact = read_contact(up.data)
    assert contact is not None, "a centre that runs has told where it is"
    return contact


@contextmanager
def live_platform(data: Path) -> Iterator[LiveCentre]:
    """The platform while the block runs."""
    with Up(data, closed=True) as up:
        persons = people()
        create_accounts(contact_of(up), persons)
        yield LiveCentre(up.addresses["http"], up, {one.role: (one.name, one.password) for one in persons})


@contextmanager
def served_centre(folder: Path, dev: bool = True) -> Iterator[Served]:
    """A centre with two commissioned lamps and a clock that tests move; everyone is admin with `dev`."""
    with fed_centre(folder) as centre:
        server = HttpServer(create_app(centre.parts(centre.settings, dev)), "127.0.0.1", 0)
        server.start()
        try:
            for session in centre.ingest.sessions.values():
                session.ready.set()
            yield Served(f"http://127.0.0.1:{server.bound_port}", centre)
        finally:
            server.stop()
