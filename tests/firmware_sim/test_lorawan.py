import base64
import json
import re
from random import Random

import pytest

from firmware_sim.lorawan import RadioGateway, Reception, Session, dev_eui, receptions
from firmware_sim.outlines import moved

HERE = (51.278, 12.588)
AT_MS = 1_768_068_000_000
BAY = bytes.fromhex("010115b4")
UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def gateway(number: int, east_m: float) -> RadioGateway:
    return RadioGateway(f"0016c001f100000{number}", "naunhof", moved(HERE, east_m, 0.0))


@pytest.fixture
def session() -> Session:
    heard = [Reception(gateway(1, 500), -95.0), Reception(gateway(2, 3000), -112.0)]
    made = Session("70b3d57ed0000001", "NAU-P001", "naunhof", "parking", "partheland-bay-1", heard, Random(1))
    made.join()
    return made


def test_an_uplink_has_the_form_of_a_chirpstack_4_event(session: Session) -> None:
    event = json.loads(session.up_event(AT_MS, session.next_f_cnt(), BAY, False, session.hearing()))
    assert set(event) == {
        "deduplicationId", "time", "deviceInfo", "devAddr", "adr", "dr", "fCnt", "fPort", "confirmed", "data", "rxInfo",
        "txInfo", "regionConfigId",
    }  # fmt: skip
    info = event["deviceInfo"]
    assert set(info) == {
        "tenantId", "tenantName", "applicationId", "applicationName", "deviceProfileId", "deviceProfileName",
        "deviceName", "devEui", "deviceClassEnabled", "tags",
    }  # fmt: skip
    assert (event["fCnt"], event["fPort"], base64.b64decode(event["data"])) == (0, 20, BAY)
    assert event["time"] == "2026-01-10T18:00:00.000+00:00"
    assert UUID4.fullmatch(event["deduplicationId"])
    assert session.topic("up") == f"application/{info['applicationId']}/device/70b3d57ed0000001/event/up"
    lora = event["txInfo"]["modulation"]["lora"]
    assert lora["spreadingFactor"] == 12 - event["dr"]


def test_one_to_four_gateways_hear_a_frame_best_first_and_zero_snr_is_left_out(session: Session) -> None:
    missing_snr = 0
    for _ in range(3000):
        received = json.loads(session.up_event(AT_MS, 1, BAY, False, session.hearing()))["rxInfo"]
        assert 1 <= len(received) <= 4
        assert [one["rssi"] for one in received] == sorted((one["rssi"] for one in received), reverse=True)
        assert all(one.get("snr") != 0 for one in received)
        missing_snr += sum("snr" not in one for one in received)
    assert missing_snr > 0


def test_a_rejoin_gives_a_new_address_and_counts_from_zero(session: Session) -> None:
    first = session.dev_addr
    assert [session.next_f_cnt() for _ in range(3)] == [0, 1, 2]
    session.join()
    assert session.dev_addr != first
    assert session.next_f_cnt() == 0
    assert json.loads(session.join_event(AT_MS))["devAddr"] == session.dev_addr
    assert set(json.loads(session.join_event(AT_MS))) == {"deduplicationId", "time", "deviceInfo", "devAddr"}


def test_a_gateway_that_is_down_hears_nothing(session: Session) -> None:
    session.receptions[0].gateway.down = True
    assert [one.gateway.gateway_id for one in session.hearing()] == ["0016c001f1000002"]
    session.receptions[1].gateway.down = True
    assert session.hearing() == []


def test_near_gateways_hear_better_far_ones_not_at_all_and_somebody_always_does() -> None:
    gateways = [gateway(1, 300), gateway(2, 2_000), gateway(3, 60_000)]
    heard = receptions(HERE, gateways, Random(1))
    assert [one.gateway.gateway_id[-1] for one in heard] == ["1", "2"]
    assert len(receptions(HERE, [gateways[2]], Random(1))) == 1
    assert len(receptions(HERE, [gateway(number, 100) for number in range(9)], Random(1))) == 4


def test_device_addresses_are_sixteen_hex_digits() -> None:
    assert re.fullmatch(r"[0-9a-f]{16}", dev_eui(Random(1)))
