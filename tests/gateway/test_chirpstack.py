"""ChirpStack v4 events as the server writes them, with their traps."""

import base64
import json
from typing import Any

import pytest

from core.registry import Registry, RegistryEntry
from gateway.chirpstack import ChirpStackSource
from gateway.lorawan import Radio
from gateway.sessions import SessionTracker
from gateway.source import Refused, Row

NOW_MS = 1_768_068_010_000
T_MS = 1_768_068_000_123
TIME = "2026-01-10T18:00:00.123456789+00:00"
EUI = "70b3d57ed0001234"
LAMP_HEX = "0101640160090a00a1220012d6870fde"
ENTRIES = [
    RegistryEntry("NAU-L1", "lamp", "partheland-lamp-1", EUI.upper(), "naunhof"),
    RegistryEntry("NAU-S1", "sos", "partheland-sos-1", "70B3D57ED0000501", "naunhof"),
    RegistryEntry("pump", "other", "object", "70b3d57ed0009999", "naunhof"),
    RegistryEntry("bay", "parking", "", "70b3d57ed0007777", "naunhof"),
    RegistryEntry("named", "other", "", "", "naunhof"),
    RegistryEntry("native", "lamp", "native", "70b3d57ed0008888", "naunhof"),
    RegistryEntry("newer", "lamp", "lamp-of-next-year", "70b3d57ed0006666", "naunhof"),
    RegistryEntry("kindless", "hydrant", "", "70b3d57ed0005555", "naunhof"),
]


def source() -> ChirpStackSource:
    return ChirpStackSource(Radio(Registry(ENTRIES), SessionTracker()))


def topic(eui: str = EUI, event: str = "up") -> str:
    return f"application/17c82e96-be03-4f38-aef3-f83d48582d97/device/{eui}/event/{event}"


def up(eui: str = EUI, payload_hex: str = LAMP_HEX, **changes: Any) -> bytes:
    """An up event as ChirpStack 4 writes it; a change to None takes the field away."""
    event = {
        "deduplicationId": "3ac7e3c4-4401-4b8d-9386-a5c902f9202d",
        "time": TIME,
        "deviceInfo": {"deviceName": "Lampe 1", "devEui": eui, "tags": {}},
        "devAddr": "00189440",
        "adr": True,
        "dr": 1,
        "fCnt": 7,
        "fPort": 10,
        "confirmed": False,
        "data": base64.b64encode(bytes.fromhex(payload_hex)).decode(),
        "rxInfo": [
            {"gatewayId": "0016c001f153a14c", "uplinkId": 4217106255, "rssi": -98, "snr": -7.5},
            {"gatewayId": "0016c001f153aaaa", "uplinkId": 4217106256, "rssi": -101},
        ],
        "txInfo": {"frequency": 867100000},
        **changes,
    }
    return json.dumps({name: value for name, value in event.items() if value is not None}).encode()


def only_row(payload: bytes, eui: str = EUI) -> Row:
    decoded = source().decode(topic(eui), payload, NOW_MS)
    assert decoded.refused == []
    return decoded.rows[0]


def refusal(payload: bytes, where: str = "") -> Refused:
    with pytest.raises(Refused) as refused:
        source().decode(where or topic(), payload, NOW_MS)
    return refused.value


def test_an_uplink_becomes_a_reading_with_what_the_radio_knows() -> None:
    row = only_row(up())
    assert (row.device_id, row.kind, row.t_ms, row.boot, row.seq) == ("NAU-L1", "lamp", T_MS, T_MS // 1000, 7)
    assert row.values["power_w"] == 35.2
    assert row.values["relay_closed"] is True
    # The second gateway hears less strength but no noise: rssi + min(snr, 0) is -101 against -105.5.
    assert {name: row.values[name] for name in ("gateway", "gateways", "rssi_dbm", "snr_db")} == {
        "gateway": "0016c001f153aaaa",
        "gateways": 2,
        "rssi_dbm": -101,
        "snr_db": 0,
    }


def test_defaults_that_the_server_left_out_are_zero() -> None:
    row = only_row(up(fCnt=None, adr=None, confirmed=None))
    assert row.seq == 0


def test_a_frame_without_port_or_payload_is_a_sign_of_life_without_values() -> None:
    for event in (up(fPort=0, data=None), up(fPort=None, data=None), up(data=""), up(data=None)):
        assert set(only_row(event).values) == {"gateway", "gateways", "rssi_dbm", "snr_db"}


def test_values_a_codec_made_up_from_an_empty_payload_are_not_taken() -> None:
    event = up("70b3d57ed0009999", data="", object={"temperature": -32, "battery": 2.5})
    assert "temperature" not in only_row(event, "70b3d57ed0009999").values


def test_a_gateway_listed_twice_counts_once() -> None:
    twice = [{"gatewayId": "a1", "rssi": -90, "snr": 5}, {"gatewayId": "a1", "rssi": -80, "snr": 5}]
    row = only_row(up(rxInfo=twice))
    assert (row.values["gateways"], row.values["rssi_dbm"]) == (1, -80)


def test_nobody_tells_who_heard_it() -> None:
    assert "gateways" not in only_row(up(rxInfo=None)).values


@pytest.mark.parametrize(
    ("time", "t_ms"),
    [
        ("1980-01-21T23:17:20.234+00:00", 317_344_640_234),
        ("0001-01-01T00:00:00Z", -62_135_596_800_000),
        ("yesterday", None),
        (None, None),
        (1_768_068_000, None),
    ],
)
def test_an_absurd_time_is_handed_on_for_the_check_to_judge(time: Any, t_ms: int | None) -> None:
    row = only_row(up(time=time))
    assert (row.t_ms, row.boot) == (t_ms, NOW_MS // 1000)


def test_object_values_are_taken_for_devices_the_server_decodes() -> None:
    decoded = {"Volt [V]": 3.6, "nested": {"Level": 4, "ok": True}, "list": [1.5], "type": "status", "nan": None}
    row = only_row(up("70b3d57ed0009999", object=decoded), "70b3d57ed0009999")
    values = {name: row.values[name] for name in ("volt_v", "nested_level", "nested_ok", "list_0")}
    assert values == {"volt_v": 3.6, "nested_level": 4, "nested_ok": True, "list_0": 1.5}
    assert not {"type", "nan"} & set(row.values)


def test_a_number_that_became_text_stays_text_for_the_check_to_keep_out() -> None:
    row = only_row(up("70b3d57ed0009999", object={"volt": "2.8(low battery)", "rest": 1}), "70b3d57ed0009999")
    assert (row.values["volt"], row.values["rest"]) == ("2.8(low battery)", 1)


def test_what_our_receivers_measured_is_not_the_devices_to_say() -> None:
    row = only_row(up("70b3d57ed0009999", object={"rssi_dbm": -1}), "70b3d57ed0009999")
    assert row.values["rssi_dbm"] == -101


def test_a_device_without_type_is_decoded_by_the_server() -> None:
    row = only_row(up("70b3d57ed0007777", object={"occupied": True, "level_mm": 3}), "70b3d57ed0007777")
    assert (row.kind, row.values["occupied"], row.values["level_mm"]) == ("parking", True, 3)


def test_a_device_commissioned_under_its_name_on_the_server_is_found() -> None:
    event = up("70b3d57ed0001111", deviceInfo={"deviceName": "named", "devEui": "70b3d57ed0001111"}, object={"a": 1})
    assert only_row(event, "70b3d57ed0001111").device_id == "named"


def test_a_join_begins_a_session_and_is_no_reading() -> None:
    chirpstack = source()
    assert chirpstack.decode(topic(), up(), NOW_MS).rows[0].boot == T_MS // 1000
    join = up(time="2026-01-10T18:05:00Z", devAddr="00189999", data=None, rxInfo=None, fCnt=None, fPort=None)
    assert chirpstack.decode(topic(event="join"), join, NOW_MS) == ([], [], False)
    after = up(time="2026-01-10T18:05:03Z", devAddr="00189999", fCnt=0)
    assert chirpstack.decode(topic(), after, NOW_MS).rows[0][3:5] == (1_768_068_300, 0)


def test_the_same_event_again_has_the_same_identity() -> None:
    chirpstack = source()
    rows = [chirpstack.decode(topic(), up(), NOW_MS + n).rows[0] for n in (0, 60_000)]
    assert rows[0] == rows[1]
    assert chirpstack.radio.sessions.counts.repeats == 1


@pytest.mark.parametrize("event", ["status", "ack", "txack", "log", "location", "integration"])
def test_other_events_are_accepted_and_counted(event: str) -> None:
    chirpstack = source()
    assert chirpstack.decode(topic(event=event), b"{}", NOW_MS) == ([], [], False)
    assert chirpstack.radio.counts == {event: 1}


def test_an_unknown_device_is_refused_with_its_eui() -> None:
    refused = refusal(up("70b3d57ed000abcd"), topic("70B3D57ED000ABCD"))
    assert (refused.code, refused.device_id, refused.kind) == ("unknown_device", "70b3d57ed000abcd", "")


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"not json", "bad_json"),
        (b"\xff\xfe", "bad_json"),
        (b'{"object": ' + b'{"a":' * 10_000, "bad_json"),
        (b'{"fCnt": NaN}', "bad_json"),
        (b"[]", "bad_message"),
        (up(fCnt="7"), "bad_message"),
        (up(fCnt=-1), "bad_message"),
        (up(fPort=256), "bad_message"),
        (up(rxInfo="none"), "bad_message"),
        (up(data="%%%%"), "bad_base64"),
        (up(data="qg="), "bad_base64"),
        (up(data="qgé="), "bad_base64"),
        (up(data=LAMP_HEX), "hex_data"),
        (up(data=LAMP_HEX.upper()), "hex_data"),
        (up(fPort=11), "unknown_f_port"),
        (up(payload_hex="01"), "bad_length"),
        (up("70b3d57ed000abcd"), "wrong_speaker"),
        (b'{"devEUI": "cLPVsCAHMgg=", "fCnt": 3, "data": "AY6y"}', "chirpstack_v3"),
        (b'"' + b"a" * 70_000 + b'"', "too_large"),
    ],
)
def test_what_cant_be_read_is_refused_with_device_and_kind(payload: bytes, code: str) -> None:
    refused = refusal(payload)
    assert (refused.code, refused.device_id, refused.kind) == (code, "NAU-L1", "lamp")
    assert len(refused.reason) > 20


@pytest.mark.parametrize(
    ("eui", "code", "device_id"),
    [
        ("70b3d57ed0008888", "wrong_device_type", "native"),
        ("70b3d57ed0006666", "unknown_device_type", "newer"),
        ("70b3d57ed0009999", "not_decoded", "pump"),
        ("70b3d57ed0005555", "unknown_kind", "kindless"),
    ],
)
def test_a_wrong_entry_in_the_inventory_is_said(eui: str, code: str, device_id: str) -> None:
    refused = refusal(up(eui), topic(eui))
    assert (refused.code, refused.device_id) == (code, device_id)


@pytest.mark.parametrize("payload", [b"not json", up("70b3d57ed0000501", "01"), up("70b3d57ed0000501", data="%%")])
def test_a_buttons_broken_frame_is_refused_as_sos_so_that_a_person_can_look(payload: bytes) -> None:
    refused = refusal(payload, topic("70b3d57ed0000501"))
    assert (refused.device_id, refused.kind) == ("NAU-S1", "sos")


def test_a_press_is_read_even_with_an_event_number_from_the_future() -> None:
    row = only_row(up("70b3d57ed0000501", "0108001155", fPort=30), "70b3d57ed0000501")
    assert (row.values["event"], row.values["press_id"]) == ("unknown_8", 17)


def test_a_topic_without_an_eui_is_refused() -> None:
    assert refusal(up(), topic("dev1")).code == "bad_topic"
    assert refusal(up(), "application/x/device").code == "bad_topic"
