"""One centre with some data for a module's tests, and clients that ask it."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from core.settings import Settings
from tests.support.frames import T0, FedCentre, Said, fed_centre, lamps, make_frame, refused

TOKEN = "a-token-for-tests"
MANY = 1_000_000


def client_of(centre: FedCentre, dev: bool = True, token: str = TOKEN) -> TestClient:
    """A client on this machine; mistakes of ours come as answers, not as exceptions."""
    # The clock of tests stands still: no bucket would ever fill again.
    http = replace(centre.settings.http, token=token, guest_burst=MANY, account_burst=MANY)
    settings = replace(centre.settings, http=http)
    app = create_app(centre.parts(settings, dev))
    return TestClient(app, "http://127.0.0.1:8080", raise_server_exceptions=False, client=("127.0.0.1", 50000))


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FedCentre]:
    """Fifty readings of a lamp, some of other kinds, and what could not be taken."""
    with fed_centre(tmp_path_factory.mktemp("centre"), Settings()) as fed:
        fed.import_rows("device_id,kind,town\nNAU-B1,parking,naunhof\nX-1,other,machern\n=NAU,lamp,naunhof\n")
        said = [
            *lamps(50),
            lamps(1)[0],
            Said("NAU-B1", 1, {"occupied": True, "battery_pct": 80.0, "gateway": "=cmd"}, kind="parking"),
            Said("X-1", 1, {"soil": 0.5, "rssi_dbm": -90.0}, kind="other"),
            Said("X-1", 2, {"=wind": 3.0}, kind="other", t_ms=T0 + 1000),
            Said("WHO", 1, {"power_w": 1.0}),
        ]
        fed.take(make_frame(said, [refused(), refused("no_text", b"\xff\xfe", "NAU-L1")]))
        fed.ingest.gateways["gw1"] = {
            "gateway": "gw1",
            "epoch": 1,
            "lag_s": 1.5,
            "waiting_frames": 2,
            "waiting_bytes": "many",
            "hours_left": 10**400,
            "full": False,
            "heard_ms": T0,
        }
        for session in fed.ingest.sessions.values():
            session.ready.set()
        yield fed


@pytest.fixture(scope="module")
def client(centre: FedCentre) -> Iterator[TestClient]:
    """As with --dev."""
    with client_of(centre) as found:
        yield found


@pytest.fixture(scope="module")
def guarded(centre: FedCentre) -> Iterator[TestClient]:
    """As without --dev."""
    with client_of(centre, dev=False) as found:
        yield found
