"""The table of device types."""

from core.device_types import DEVICE_TYPES, find_device_type
from core.kinds import KINDS


def test_no_device_type_means_decoded_by_the_network_server() -> None:
    found = find_device_type("")
    assert found is not None
    assert found.name == "object"


def test_an_unknown_name_is_no_device_type() -> None:
    assert find_device_type("partheland-lamp-9") is None


def test_types_with_a_decoder_say_their_kind_ports_and_interval() -> None:
    for row in DEVICE_TYPES.values():
        assert bool(row.decoder) == bool(row.f_ports) == bool(row.kind) == bool(row.interval_s)
        assert row.kind in ("", *KINDS)
        assert row.german


def test_our_own_types_speak_on_the_ports_of_their_firmware() -> None:
    ports = {name: set(row.f_ports) for name, row in DEVICE_TYPES.items() if name.startswith("partheland-")}
    assert ports == {"partheland-lamp-1": {10}, "partheland-bay-1": {20}, "partheland-sos-1": {30}}
