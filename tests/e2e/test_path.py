"""The whole way on real parts: devices → broker → gateway → centre → InfluxDB and DuckDB."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.fleet import Fleet, lamp_message, shuffled_with_repeats, topic_of
from tests.support.influxd import InfluxServer
from tests.support.platform import Platform, until

T_MS = 1_768_068_000_000
DEVICES = [f"NAU-L{number:04d}" for number in range(200)]


@pytest.fixture
def platform(tmp_path: Path, influxd: InfluxServer) -> Iterator[Platform]:
    found = Platform(tmp_path / "platform", influxd)
    try:
        found.start()
        found.commission(f"{device_id},lamp,naunhof" for device_id in DEVICES)
        yield found
    finally:
        found.stop()


def messages_of(each: int) -> list[tuple[str, str]]:
    return [
        (topic_of(device_id), lamp_message(seq, T_MS + 900_000 * seq)) for seq in range(each) for device_id in DEVICES
    ]


def test_20000_messages_with_repeats_and_reordering_are_in_both_stores_exactly_once(platform: Platform) -> None:
    fleet = Fleet(platform.broker.port)
    sent = shuffled_with_repeats(messages_of(100), share=0.02, reach=400, seed=1)
    assert len(sent) > 20_300
    for topic, payload in sent:
        fleet.publish(topic, payload, (topic, payload))
    fleet.settle()
    until("everything came", lambda: platform.journaled(len(sent)))
    until("everything is stored", platform.drained)
    assert platform.get("/api/v1/readings/count?kind=lamp")["count"] == 20_000
    assert platform.count_in_influx() == (20_000, 20_000)
    report = platform.get("/api/v1/verify")
    assert report["ok"], report["problems"]
    assert report["duplicates"] == len(sent) - 20_000
    assert set(report["stored"].values()) == {20_000}
    fleet.stop()


def test_influxdb_away_for_the_whole_run_costs_nothing_but_time(platform: Platform) -> None:
    assert platform.influxd is not None
    platform.influxd.kill()
    fleet = Fleet(platform.broker.port)
    for topic, payload in messages_of(20):
        fleet.publish(topic, payload)
    fleet.settle()
    until("DuckDB has all", lambda: platform.get("/api/v1/readings/count?kind=lamp")["count"] == 4000)
    assert platform.get("/api/v1/verify")["positions"]["influxdb"] == 0
    assert platform.status("/healthz") == 200
    platform.influxd.start()
    until("the backlog is in InfluxDB", platform.drained, 120)
    assert platform.count_in_influx() == (4000, 4000)
    assert platform.get("/api/v1/verify")["ok"]
    fleet.stop()


def test_after_a_restart_of_everything_it_goes_on_where_it_was(platform: Platform) -> None:
    fleet = Fleet(platform.broker.port)
    for topic, payload in messages_of(5):
        fleet.publish(topic, payload)
    fleet.settle()
    fleet.stop()
    platform.stop()
    platform.start()
    until("everything came", lambda: platform.journaled(1000))
    until("everything is stored", platform.drained)
    assert platform.get("/api/v1/readings/count?kind=lamp")["count"] == 1000
    again = Fleet(platform.broker.port)
    for topic, payload in messages_of(6):
        again.publish(topic, payload)
    again.settle()
    until("everything came", lambda: platform.journaled(2200))
    until("everything is stored", platform.drained)
    assert platform.get("/api/v1/readings/count?kind=lamp")["count"] == 1200
    assert platform.get("/api/v1/verify")["duplicates"] == 1000
    again.stop()
