"""The registry a gateway serves, and its way there in chunks."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.registry import (
    CHUNK_BYTES_MAX,
    ENTRIES_PER_CHUNK,
    ENTRY_BYTES_MAX,
    Registry,
    RegistryCollector,
    RegistryEntry,
    RegistryError,
    encode_chunks,
    normal_eui,
)

LAMP = RegistryEntry("NAU-L1", "lamp", "partheland-lamp-1", "70B3D57ED0001234", "naunhof")
BAY = RegistryEntry("70b3d57ed0005678", "parking", "bosch-tps110", "", "brandis")
BUTTON = RegistryEntry("dev1", "sos", "partheland-sos-1", "", "machern")


@pytest.mark.parametrize("text", ["70B3D57ED0001234", "70:b3:d5:7e:d0:00:12:34", "70-B3-D5-7E-D0-00-12-34"])
def test_an_eui_is_found_in_any_case_and_with_separators(text: str) -> None:
    assert Registry([LAMP, BAY]).find(text) == LAMP


@pytest.mark.parametrize("text", ["", "70B3D57ED000123", "70B3D57ED000123G", "70B3D57ED00012345", "dev1"])
def test_what_is_no_eui_is_none(text: str) -> None:
    assert normal_eui(text) == ""


def test_a_device_may_be_called_by_its_eui_or_by_its_name_on_the_network_server() -> None:
    registry = Registry([LAMP, BAY, BUTTON])
    assert registry.find("70B3D57ED0005678") == BAY
    assert registry.find("0004A30B001C0530", "dev1") == BUTTON
    assert registry.find("0004A30B001C0530", "dev2") is None


def test_a_name_does_not_count_for_a_device_commissioned_with_another_eui() -> None:
    assert Registry([LAMP]).find("0004A30B001C0530", "NAU-L1") is None


def test_replacing_takes_the_old_devices_away() -> None:
    registry = Registry([LAMP], version=1)
    registry.replace([BAY], version=2)
    assert (registry.find(LAMP.dev_eui), registry.by_id(BAY.device_id), registry.version) == (None, BAY, 2)


def many(count: int) -> list[RegistryEntry]:
    digits = random.Random(count).randbytes(16 * count).hex()
    return [
        RegistryEntry(digits[32 * n : 32 * n + 32] * 2, "lamp", digits[32 * n : 32 * n + 30], "0" * 16, "naunhof")
        for n in range(count)
    ]


@pytest.mark.parametrize("count", [0, 1, ENTRIES_PER_CHUNK, 3 * ENTRIES_PER_CHUNK + 1])
def test_chunks_in_any_order_give_the_registry_back(count: int) -> None:
    entries, collector = many(count), RegistryCollector()
    chunks = encode_chunks(entries, version=7)
    assert max(len(chunk) for chunk in chunks) <= CHUNK_BYTES_MAX
    random.Random(1).shuffle(chunks)
    answers = [collector.add(chunk) for chunk in chunks]
    assert answers == [None] * (len(chunks) - 1) + [entries]


def test_two_versions_are_never_mixed_and_left_overs_are_ignored() -> None:
    old, new = encode_chunks(many(2500), version=1), encode_chunks(many(1500), version=2)
    collector = RegistryCollector()
    assert [collector.add(chunk) for chunk in (old[0], old[1], new[0], old[2])] == [None] * 4
    assert collector.add(new[1]) == many(1500)
    assert collector.add(old[0]) is None


def test_a_device_with_overlong_fields_is_named() -> None:
    with pytest.raises(ValueError, match="NAU-L1"):
        encode_chunks([LAMP._replace(device_type="x" * ENTRY_BYTES_MAX)], version=1)


@given(st.binary(max_size=80))
def test_other_bytes_are_no_chunk(data: bytes) -> None:
    with pytest.raises(RegistryError):
        RegistryCollector().add(data)


def test_a_damaged_chunk_is_seen() -> None:
    chunk = encode_chunks([LAMP, BAY, BUTTON], version=1)[0]
    for place in range(len(chunk)):
        damaged = chunk[:place] + bytes([chunk[place] ^ 0x10]) + chunk[place + 1 :]
        with pytest.raises(RegistryError):
            RegistryCollector().add(damaged)
