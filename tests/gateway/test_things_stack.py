"""The Things Stack v3: the messages of its documentation (Apache-2.0), and its traps."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from core.registry import Registry, RegistryEntry
from gateway.lorawan import Radio
from gateway.sessions import SessionTracker
from gateway.source import Refused, Row
from gateway.things_stack import ThingsStackSource

NOW_MS = 1_581_925_760_000
LINES = (Path(__file__).parents[1] / "payloads" / "network_servers.jsonl").read_text(encoding="utf-8").splitlines()
MESSAGES: dict[str, dict[str, Any]] = {message["name"]: message for message in map(json.loads, LINES)}
UP, JOIN = MESSAGES["tts_v3_up"], MESSAGES["tts_v3_join"]
EUI = "0004A30B001C0530"


def source(kind: str = "other", device_type: str = "", dev_eui: str = EUI.lower()) -> ThingsStackSource:
    entry = RegistryEntry("NAU-1" if dev_eui else "dev1", kind, device_type, dev_eui, "naunhof")
    return ThingsStackSource(Radio(Registry([entry]), SessionTracker()))


def up(**changes: Any) -> bytes:
    """The documented uplink with other fields in `uplink_message`; a change to None takes the field away."""
    message = copy.deepcopy(UP["payload"])
    message["uplink_message"] |= changes
    message["uplink_message"] = {name: one for name, one in message["uplink_message"].items() if one is not None}
    return json.dumps(message).encode()


def only_row(payload: bytes, things_stack: ThingsStackSource | None = None) -> Row:
    decoded = (things_stack or source()).decode(UP["topic"], payload, NOW_MS)
    assert decoded.refused == []
    return decoded.rows[0]


def refusal(payload: bytes, topic: str = UP["topic"], things_stack: ThingsStackSource | None = None) -> Refused:
    with pytest.raises(Refused) as refused:
        (things_stack or source()).decode(topic, payload, NOW_MS)
    return refused.value


def test_the_documented_uplink_has_no_port_and_so_no_values() -> None:
    row = only_row(json.dumps(UP["payload"]).encode())
    assert (row.device_id, row.kind, row.t_ms, row.seq) == ("NAU-1", "other", 1_581_520_545_790, 1)
    assert row.values == {"gateways": 1, "gateway": "gtw1", "rssi_dbm": -35, "snr_db": 5}


def test_an_uplink_on_a_port_has_the_servers_values() -> None:
    values = only_row(up(f_port=1)).values
    assert (values["temperature"], values["luminosity"]) == (1.0, 0.64)


def test_zeros_that_the_server_left_out_are_zeros() -> None:
    row = only_row(up(f_port=1, f_cnt=None, rx_metadata=[{"gateway_ids": {"gateway_id": "gtw1"}, "rssi": -35}]))
    assert (row.seq, row.values["snr_db"]) == (0, 0)


def test_a_reception_without_any_number_is_not_taken_for_zero() -> None:
    row = only_row(up(f_port=1, rx_metadata=[{"gateway_ids": {"gateway_id": "gtw1"}}]))
    assert row.values["gateway"] == "gtw1"
    assert not {"rssi_dbm", "snr_db"} & set(row.values)


def test_values_made_up_from_an_empty_payload_are_not_taken() -> None:
    decoded = {"battery": 2.5, "humidity": 0, "temperature": -32}
    row = only_row(up(f_port=103, f_cnt=964, frm_payload=None, decoded_payload=decoded))
    assert "temperature" not in row.values


def test_our_own_decoder_reads_the_bytes_for_a_known_type() -> None:
    row = only_row(up(f_port=20, frm_payload="AQEFtA=="), source("parking", "partheland-bay-1"))
    assert (row.values["occupied"], row.values["temp_c"], row.values["battery_v"]) == (True, 5, 3.6)
    assert "luminosity" not in row.values


def test_gateways_of_other_networks_are_told_apart() -> None:
    broker = {"gateway_ids": {"gateway_id": "packetbroker"}, "rssi": -110, "snr": -3}
    heard = [broker | {"packet_broker": {"forwarder_gateway_eui": f"00800000A000{n:04X}"}} for n in (1, 2, 2)]
    values = only_row(up(f_port=1, rx_metadata=heard)).values
    assert (values["gateways"], values["gateway"]) == (2, "00800000a0000001")


def test_the_network_servers_time_counts_and_else_the_application_servers() -> None:
    assert only_row(up(received_at=None)).t_ms == 1_581_520_546_015


def test_a_device_may_be_commissioned_under_its_name() -> None:
    assert only_row(up(f_port=1), source(dev_eui="")).device_id == "dev1"


def test_a_join_begins_a_session_and_is_no_reading() -> None:
    things_stack = source()
    join = json.dumps(JOIN["payload"]).encode()
    assert things_stack.decode(JOIN["topic"], join, NOW_MS) == ([], [], False)
    row = only_row(up(session_key_id=JOIN["payload"]["join_accept"]["session_key_id"], f_cnt=None), things_stack)
    assert (row.boot, row.seq) == (1_581_925_749, 0)


def test_a_new_session_key_is_a_new_session() -> None:
    things_stack = source()
    boots = [only_row(up(session_key_id=key), things_stack).boot for key in ("one", "two", "one")]
    assert boots[0] == boots[2] < boots[1]


def test_a_simulated_message_is_no_reading() -> None:
    message = json.dumps(UP["payload"] | {"simulated": True}).encode()
    assert refusal(message).code == "simulated"


def test_an_unknown_device_is_refused_with_its_eui_in_lower_case() -> None:
    refused = refusal(up(), things_stack=source(dev_eui="70b3d57ed0001234"))
    assert (refused.code, refused.device_id, refused.kind) == ("unknown_device", EUI.lower(), "")


def test_an_unknown_device_without_eui_is_refused_with_its_name() -> None:
    message = {"received_at": "2022-04-08T16:14:39.574932888Z", "uplink_message": {"f_port": 103, "f_cnt": 964}}
    refused = refusal(json.dumps(message).encode())
    assert (refused.code, refused.device_id) == ("unknown_device", "dev1")


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"{", "bad_json"),
        (up(f_cnt="1"), "bad_message"),
        (up(f_port=1, frm_payload="gkH"), "bad_base64"),
        (up(f_port=1, frm_payload="50270c048b920a00"), "hex_data"),
        (up(f_port=1, decoded_payload=None), "not_decoded"),
        (json.dumps(JOIN["payload"]).encode(), "bad_message"),
        (json.dumps(UP["payload"] | {"end_device_ids": {"device_id": "dev2"}}).encode(), "wrong_speaker"),
    ],
)
def test_what_cant_be_read_is_refused_with_a_reason(payload: bytes, code: str) -> None:
    refused = refusal(payload)
    assert refused.code == code
    assert len(refused.reason) > 20


def test_a_buttons_broken_frame_is_refused_as_sos() -> None:
    button = source("sos", "partheland-sos-1", dev_eui="")
    for payload in (b"{", up(f_port=30), up(f_port=1)):
        refused = refusal(payload, things_stack=button)
        assert (refused.device_id, refused.kind) == ("dev1", "sos")


def test_other_topics_are_refused() -> None:
    assert refusal(b"{}", "v3/app1@tenant1/devices/dev1/down/ack").code == "bad_topic"
