"""Devices as NGSI-LD, against the region's description and its own examples."""

from typing import Any

import pytest

from api.datahub.partheland_api.types import TYPES
from tests.api.datahub.partheland_api.region import LD_JSON, Region, errors_of, swagger, town_of_sensors

LIST = "/ngsi-ld/entities"
OWN_MEMBERS = {"id", "type", "@context"}


def examples() -> dict[str, Any]:
    content = swagger()["paths"][LIST]["get"]["responses"]["200"]["content"][LD_JSON]["examples"]
    return {name: one["value"] for name, one in content.items()}


def entities(region: Region, path: str = LIST, key: str = "") -> dict[str, Any]:
    answer = region.client().get(path, headers={"x-api-key": key} if key else {})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == LD_JSON
    assert errors_of(answer.json(), LIST, 200, LD_JSON) == []
    return {one["id"].removeprefix("urn:ngsi-ld:Device:"): one for one in answer.json()}


def test_a_device_is_written_as_in_the_regions_example() -> None:
    region = Region()
    region.add("eui-a84041a17359b296", "other", device_type="waterlevel", lon=12.581094503402712, lat=51.28500540377473)
    values = {"battery": 3.283, "distance": 1640.0, "distance_to_ground": 1820.0, "water_level": 180.0}
    region.say("eui-a84041a17359b296", values, 1_760_217_452_000)
    ours = entities(region)["eui-a84041a17359b296"]
    theirs = examples()["ngsiLdExample"][0]
    del theirs["water_name"]  # a text of that station
    theirs["name"]["value"] = "eui-a84041a17359b296"
    theirs["status"]["observedAt"] = "2025-10-11T21:17:32.250Z"
    ours.pop("displayname"), ours.pop("town")
    assert ours == theirs
    assert list(ours) == list(theirs)


def test_every_attribute_is_a_property_and_no_member_of_the_standard_is_overwritten() -> None:
    for key in ("", "region-key"):
        for device_id, entity in entities(town_of_sensors(), key=key).items():
            assert entity["id"] == f"urn:ngsi-ld:Device:{device_id}"
            assert entity["type"] in TYPES.values()
            assert entity["@context"] == examples()["ngsiLdExample"][0]["@context"]
            for name, one in entity.items():
                if name not in OWN_MEMBERS:
                    assert one["type"] == ("GeoProperty" if name == "location" else "Property")
                    assert set(one) <= {"type", "value", "unitCode", "observedAt"}


def test_our_kinds_are_types_of_the_same_form() -> None:
    lamp = entities(town_of_sensors())["NAU-L1"]
    assert lamp["type"] == "StreetLightDevice"
    assert lamp["deviceType"] == {"type": "Property", "value": "lamp"}
    assert lamp["power"] == {
        "type": "Property",
        "value": 35.2,
        "unitCode": "WTT",
        "observedAt": "2025-10-11T19:31:10.538Z",
    }


def test_a_device_that_nobody_placed_stands_there_without_location() -> None:
    assert "location" not in entities(town_of_sensors())["NAU-L3"]


@pytest.mark.parametrize("key", ["", "naunhof-key"])
def test_an_sos_button_shows_where_it_is_and_that_it_is_online_and_no_more(key: str) -> None:
    button = entities(town_of_sensors(), f"{LIST}/sos", key)["NAU-S1"]
    assert set(button) == {*OWN_MEMBERS, "name", "deviceType", "location", "status", "displayname", "town"}
    assert button["status"] == {"type": "Property", "value": "online"}


@pytest.mark.parametrize("word", list(TYPES))
def test_a_type_filters_in_path_and_parameter(word: str) -> None:
    region = town_of_sensors()
    found = entities(region, f"{LIST}/{word}")
    assert found == entities(region, f"{LIST}?type={word}")
    assert found == {name: one for name, one in entities(region).items() if one["type"] == TYPES[word]}


def test_one_device_is_one_entity_by_path_and_a_list_by_parameter() -> None:
    region = town_of_sensors()
    answer = region.client().get(f"{LIST}/lamp/NAU-L1")
    assert errors_of(answer.json(), "/ngsi-ld/entities/{type}/{id}", 200, LD_JSON) == []
    assert answer.headers["content-type"] == LD_JSON
    assert answer.json() == entities(region)["NAU-L1"]
    assert region.client().get(LIST, params={"id": "NAU-L1"}).json() == [answer.json()]
