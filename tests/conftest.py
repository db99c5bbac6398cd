"""The real servers tests run against: the embedded broker, one for each test, and InfluxDB, one for the whole run."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.broker import find_nats_server, mqtt_broker
from tests.support.influxd import InfluxServer, find_influxd
from tests.support.processes import ServerProcess
from tests.support.require import require

# How long one example takes is the machine's business: a test never times.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[ServerProcess]:
    """A running broker for one test: `host`, `port`, and `stop()`, `kill()`, `start()` on the same port and store."""
    program = require("broker", find_nats_server(), "nats-server is not beside this Python: run `make install`")
    with mqtt_broker(tmp_path / "broker", program) as running:
        yield running


@pytest.fixture(scope="session")
def influxd_of_the_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxServer]:
    """One InfluxDB for the whole run; tests take `influxd`, which gives it back running."""
    program = require(
        "influxd", find_influxd(), "no server was found: run deploy/build-influxd or set PARTHELAND_INFLUXD"
    )
    server = InfluxServer(tmp_path_factory.mktemp("influxd"), program)
    try:
        server.start()
        server.set_up()
        yield server
    finally:
        server.stop()


@pytest.fixture
def influxd(influxd_of_the_run: InfluxServer) -> Iterator[InfluxServer]:
    """A running InfluxDB with `url`, `token`, `org`, `bucket`, `new_bucket()`, and `stop()`, `kill()`, `start()`."""
    yield influxd_of_the_run
    influxd_of_the_run.start()
