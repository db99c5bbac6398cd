"""kill -9 of every part, at random instants and at named crash points, under load: nothing lost, nothing doubled."""

import logging
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.crashpoint import CRASH_POINTS
from tests.support.fleet import Fleet, lamp_message, topic_of
from tests.support.influxd import InfluxServer
from tests.support.platform import Part, Platform, until
from tests.support.soak import rounds

pytestmark = pytest.mark.slow

log = logging.getLogger(__name__)

DEVICES = [f"NAU-L{number:04d}" for number in range(50)]
T_MS = 1_768_068_000_000
RANDOM_KILLS = 28
# The points of the rules have a test of their own, in which there are faults: tests/e2e/test_tickets.py.
PART_OF = {"gateway": "gateway", "uplink": "gateway", "ingest": "centre", "journal": "centre", "store": "centre"}
SMALL_SEGMENTS = "[ingest]\nsegment_mib = 1\n"


class Load:
    """Devices that never stop talking, each with its own counter, until they are told to."""

    def __init__(self, port: int, per_s: int) -> None:
        self.fleet = Fleet(port)
        self.pause_s = 1.0 / per_s
        self.sent = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._talk, daemon=True)
        self._thread.start()

    def _talk(self) -> None:
        while not self._stopping.is_set():
            if self.fleet.unsettled > 2000:  # the broker is away; devices do not talk into the void for ever
                self._stopping.wait(0.05)
                continue
            device_id, seq = DEVICES[self.sent % len(DEVICES)], self.sent // len(DEVICES)
            name = (device_id, seq)
            self.fleet.publish(topic_of(device_id), lamp_message(seq, T_MS + 60_000 * seq), name)
            self.sent += 1
            self._stopping.wait(self.pause_s)

    def stop(self) -> None:
        """Say the last word and wait until the broker has it all."""
        self._stopping.set()
        self._thread.join()
        self.fleet.settle()


@pytest.fixture
def platform(tmp_path: Path, influxd: InfluxServer) -> Iterator[Platform]:
    found = Platform(tmp_path / "platform", influxd, SMALL_SEGMENTS)
    try:
        found.start()
        found.commission(f"{device_id},lamp,naunhof" for device_id in DEVICES)
        yield found
    finally:
        found.stop()


def kill_at_point(part: Part, point: str) -> None:
    """Let the part die by itself at a named instant, then start it again."""
    part.kill()
    part.start(crash_at=point)
    until(f"{part.name} died at {point}\n{part.log_tail()}", lambda: not part.running, 40)
    part.start()


def kill_at_random(platform: Platform, rng: random.Random) -> str:
    """End one of the four with SIGKILL and start it again; its name."""
    name = rng.choice(["gateway", "gateway", "centre", "centre", "broker", "influxd"])
    time.sleep(rng.uniform(0.05, 0.6))
    if name in ("gateway", "centre"):
        part = platform.gateway if name == "gateway" else platform.centre
        part.kill()
        part.start()
    else:
        server = platform.broker if name == "broker" else platform.influxd
        assert server is not None
        server.kill()
        time.sleep(rng.uniform(0.0, 0.3))
        server.start()
    return name


def test_kills_at_any_instant_lose_nothing_and_double_nothing(platform: Platform) -> None:
    assert platform.influxd is not None
    load = Load(platform.broker.port, per_s=400)
    rng = random.Random(20261122)
    kills = 0
    for point in [one for one in CRASH_POINTS if one.split(".")[0] in PART_OF]:
        part = platform.gateway if PART_OF[point.split(".")[0]] == "gateway" else platform.centre
        kill_at_point(part, point)
        kills += 1
        log.warning("kill %d: %s at %s", kills, part.name, point)
    for _ in range(rounds(RANDOM_KILLS)):
        name = kill_at_random(platform, rng)
        kills += 1
        log.warning("kill %d: %s at a random instant", kills, name)
    assert kills >= 40
    load.stop()
    platform.wait_ready()
    until("everything came", lambda: platform.get("/api/v1/verify")["accepted"] >= load.sent, 120)
    until("everything is stored", platform.drained, 120)
    check_nothing_lost_nothing_doubled(platform, load)


def check_nothing_lost_nothing_doubled(platform: Platform, load: Load) -> None:
    assert len(load.fleet.acknowledged) == load.sent, "after settling, every message was acknowledged"
    report = platform.get("/api/v1/verify")
    assert report["ok"], report["problems"]
    assert report["stored"] == {"duckdb": load.sent, "influxdb": load.sent}
    assert platform.count_in_influx() == (load.sent, load.sent)
    assert platform.get("/api/v1/readings/count?kind=lamp")["count"] == load.sent
    load.fleet.stop()
