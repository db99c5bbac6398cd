"""kill -9 of the centre while faults come and go and buttons are pressed: each fault one finding, no ticket twice, no
press lost or counted twice.

The platform's clock runs 600 times as fast, so twenty minutes of a dark lamp are two seconds.
"""

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.crashpoint import CRASH_POINTS
from tests.support.fleet import Fleet, topic_of
from tests.support.frames import own_rules
from tests.support.platform import Platform, until
from tests.support.soak import rounds

pytestmark = pytest.mark.slow

LAMPS = [f"NAU-L{number:04d}" for number in range(12)]
BUTTON = "NAU-S0001"
SAMPLE_S = 0.5
PHASE_SAMPLES = 10
OF_THE_RULES = [point for point in CRASH_POINTS if point.split(".")[0] in ("rules", "sos")]
RANDOM_KILLS = 2


class Street:
    """Lamps that are lit and dark in turns, each in its own time, and a button that somebody presses."""

    def __init__(self, port: int) -> None:
        self.fleet = Fleet(port)
        self.dark: Counter[str] = Counter()
        self.is_dark: dict[str, bool] = {}
        self.presses = 0
        self._seq = 0
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._talk, daemon=True)
        self._thread.start()

    def _talk(self) -> None:
        while not self._ending.wait(SAMPLE_S):
            self._seq += 1
            for number, device_id in enumerate(LAMPS):
                self._say(device_id, self._is_dark_now(number))
            if self._seq % 3 == 0:
                self.presses += 1
                values = {"event": "press", "press_id": self.presses}
                self._publish(BUTTON, "sos", values)

    def _is_dark_now(self, number: int) -> bool:
        return (self._seq + number) // PHASE_SAMPLES % 2 == 1

    def _say(self, device_id: str, is_dark: bool) -> None:
        if is_dark and not self.is_dark.get(device_id, False):
            self.dark[device_id] += 1
        self.is_dark[device_id] = is_dark
        self._publish(device_id, "lamp", {"power_w": 0.4 if is_dark else 39.0, "dim_pct": 100})

    def _publish(self, device_id: str, kind: str, values: dict[str, object]) -> None:
        payload = json.dumps({"boot": 1, "seq": self._seq, "values": values})
        self.fleet.publish(topic_of(device_id, kind), payload, (device_id, self._seq))

    def end_lit(self) -> None:
        """Who is dark stays so for the rest of its phase; then all are lit, long enough to be believed."""
        self._ending.set()
        self._thread.join()
        for _ in range(PHASE_SAMPLES + 4):
            time.sleep(SAMPLE_S)
            self._seq += 1
            for number, device_id in enumerate(LAMPS):
                self._say(device_id, self.is_dark[device_id] and self._is_dark_now(number))
        self.fleet.settle()


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    found = Platform(tmp_path / "platform", lapse=("2026-01-10T18:00:00Z", 600.0))
    own_rules(found.data, late="24h")  # a restart takes hours of this clock
    try:
        found.start()
        rows = [f"{device_id},lamp,naunhof,40,300" for device_id in LAMPS]
        found.commission([*rows, f"{BUTTON},sos,naunhof,,3600"], "device_id,kind,town,nominal_w,interval_s")
        yield found
    finally:
        found.stop()


def answer_a_case(platform: Platform) -> None:
    """Somebody takes and closes what is open, if the centre answers."""
    try:
        for case in platform.get("/api/v1/sos?state=open")["items"]:
            platform.post(f"/api/v1/sos/{case['id']}/accept")
            platform.post(f"/api/v1/sos/{case['id']}/close", {"cause": "test"})
    except OSError:
        return  # it was just killed


def test_no_kill_of_the_centre_loses_or_doubles_a_finding_a_ticket_or_a_press(platform: Platform) -> None:
    street = Street(platform.broker.port)
    rng = random.Random(4)
    for point in OF_THE_RULES:
        platform.centre.kill()
        passes = 1 if point == "rules.after_snapshot" else rng.randint(1, 2)
        platform.centre.start(crash_at=f"{point}:{passes}")
        until(f"the centre died at {point}\n{platform.centre.log_tail()}", lambda: not platform.centre.running, 60)
        platform.centre.start()
        until("the centre is back", lambda: platform.status("/readyz") == 200)
        answer_a_case(platform)
    for _ in range(rounds(RANDOM_KILLS)):
        time.sleep(rng.uniform(0.2, 2.0))
        platform.centre.kill()
        platform.centre.start()
        until("the centre is back", lambda: platform.status("/readyz") == 200)
        answer_a_case(platform)
    street.end_lit()
    check(platform, street)


def check(platform: Platform, street: Street) -> None:
    platform.wait_ready()
    sent = street.fleet.acknowledged
    until("everything came", lambda: platform.get("/api/v1/verify")["accepted"] >= len(sent), 60)
    until("everything was judged", platform.drained, 60)
    report = platform.get("/api/v1/verify")
    assert report["ok"], report["problems"]
    assert report["rules_position"] == report["journal_head"]
    findings = platform.get("/api/v1/findings?rule=lamp_out&limit=1000")["items"]
    found = Counter(one["subject"] for one in findings)
    assert found == street.dark, "each time a lamp was dark is one finding"
    assert [one["subject"] for one in findings if one["closed_at"] is None] == []
    tickets = [one for one in platform.get("/api/v1/tickets?limit=1000")["items"] if one["rule"] == "lamp_out"]
    assert Counter(one["subject"] for one in tickets) == Counter(dict.fromkeys(LAMPS, 1)), "repeats continue a ticket"
    assert {one["status"] for one in tickets} == {"closed"}
    until("every press was taken", lambda: presses_in(platform) >= street.presses, 30)
    assert presses_in(platform) == street.presses


def presses_in(platform: Platform) -> int:
    """Presses over all cases."""
    return sum(int(case["presses"]) for case in platform.get("/api/v1/sos?limit=1000")["items"])
