"""Devices as GeoJSON, against the region's description and its own examples."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.datahub.partheland_api.types import TYPES
from core.device import STAGES
from core.kinds import KINDS
from rules.records import CONDITIONS
from tests.api.datahub.partheland_api.region import JSON, T0, Region, errors_of, swagger, town_of_sensors

LIST = "/geojson/devices"


@pytest.fixture(scope="module")
def features() -> dict[str, Any]:
    answer = town_of_sensors().client().get(LIST)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == JSON
    assert errors_of(answer.json(), LIST, 200, JSON) == []
    return {one["id"]: one for one in answer.json()["features"]}


def examples() -> dict[str, Any]:
    content = swagger()["paths"][LIST]["get"]["responses"]["200"]["content"][JSON]["examples"]
    return {name: one["value"] for name, one in content.items()}


def test_the_regions_description_refuses_what_is_wrong() -> None:
    feature = examples()["senseBox"]["features"][0]
    assert errors_of({"type": "FeatureCollection", "features": [feature]}, f"{LIST}/{{type}}", 200, JSON) == []
    for member, value in (("last_seen", "yesterday"), ("status", "ok"), ("name", None), ("measurements", [])):
        wrong = {**feature, "properties": {**feature["properties"], member: value}}
        assert errors_of({"type": "FeatureCollection", "features": [wrong]}, f"{LIST}/{{type}}", 200, JSON) != []


def test_a_device_is_written_as_in_the_regions_example() -> None:
    region = Region()
    region.add("Naunhof_Nr1", "other", device_type="sensebox", name="Naunhof Nr 1")
    region.say("Naunhof_Nr1", {"temperature": 13.8, "pm2_5": 4.2, "battery_v": 4.13}, 1_760_211_262_000)
    (ours,) = region.client().get(LIST).json()["features"]
    (theirs,) = examples()["senseBox"]["features"]
    for portal in ("osm", "mspl"):  # links to other people's pages, which we have not
        del theirs["properties"]["attributes"][portal]
    assert ours["properties"]["attributes"].pop("town") == "naunhof"
    theirs["id"] = theirs["properties"]["name"] = "Naunhof_Nr1"
    theirs["properties"]["last_seen"] = "2025-10-11T19:34:22.250Z"
    theirs["properties"]["last_seen_de"] = "11.10.2025, 21:34:22"
    assert ours == theirs
    assert list(ours) == list(theirs)
    assert list(ours["properties"]) == list(theirs["properties"])


def test_each_type_has_its_name(features: dict[str, Any]) -> None:
    assert {name: one["properties"]["type"] for name, one in features.items()} == {
        "Naunhof_Nr1": "SenseBoxDevice",
        "Naunhof_Nr3": "TemperatureDevice",
        "Parthe_1": "WaterLevelDevice",
        "Soil_1": "MoistureDevice",
        "Oddity": "OtherDevice",
        "NAU-L1": "StreetLightDevice",
        "NAU-L2": "StreetLightDevice",
        "NAU-C1": "CabinetDevice",
        "NAU-B1": "ParkingSpaceDevice",
        "NAU-B2": "ParkingSpaceDevice",
        "NAU-Z1": "ParkingCounterDevice",
        "NAU-S1": "SosDevice",
    }


def test_a_lamp_tells_its_values_in_the_regions_units_and_nothing_internal(features: dict[str, Any]) -> None:
    lamp = features["NAU-L1"]["properties"]
    assert lamp["attributes"] == {"measurement": "NAU-L1", "displayname": "NAU-L1", "town": "naunhof"}
    assert {name: (one["value"], one["unit"]) for name, one in lamp["measurements"].items()} == {
        "power": (35.2, "WTT"),
        "dimming_level": (100.0, "P1"),
        "lamp_failure": (0, "C62"),
    }
    assert lamp["measurements"]["power"]["timestamp"] == "2025-10-11T19:31:10.538Z"
    assert isinstance(lamp["measurements"]["lamp_failure"]["value"], int)
    assert not isinstance(lamp["measurements"]["lamp_failure"]["value"], bool)


def test_status_is_online_offline_or_pending(features: dict[str, Any]) -> None:
    assert features["NAU-L1"]["properties"]["status"] == "online"  # it has a fault, and says so itself
    assert features["NAU-B2"]["properties"]["status"] == "offline"
    unheard = features["NAU-L2"]["properties"]
    assert unheard["status"] == "pending"
    assert unheard["measurements"] == {}
    assert "last_seen" not in unheard
    assert "last_seen_de" not in unheard


def test_an_sos_button_shows_where_it_is_and_that_it_is_online_and_no_more(features: dict[str, Any]) -> None:
    assert features["NAU-S1"] == {
        "type": "Feature",
        "id": "NAU-S1",
        "geometry": {"type": "Point", "coordinates": [12.586797, 51.283337]},
        "properties": {
            "name": "NAU-S1",
            "type": "SosDevice",
            "status": "online",
            "attributes": {"measurement": "NAU-S1", "displayname": "Notruf Markt", "town": "naunhof"},
            "measurements": {},
        },
    }


def test_a_press_changes_nothing_that_anybody_can_read() -> None:
    region = town_of_sensors()
    client = region.client()
    paths = ("/geojson/devices/sos", "/ngsi-ld/entities/sos", "/geojson/gateways")
    keys: tuple[dict[str, str], ...] = ({}, {"x-api-key": "naunhof-key"})
    before = [(client.get(path, headers=key).content) for path in paths for key in keys]
    region.say("NAU-S1", {"event": "long_press", "press_id": 18.0, "gateway": "gw-2"}, T0 + 5_000)
    region.clock.advance(10)
    assert [client.get(path, headers=key).content for path in paths for key in keys] == before


def test_a_bay_says_only_whether_it_is_taken_and_nothing_when_it_is_silent(features: dict[str, Any]) -> None:
    assert {name: one["value"] for name, one in features["NAU-B1"]["properties"]["measurements"].items()} == {
        "occupied": 1
    }
    assert features["NAU-B1"]["properties"]["attributes"]["audience"] == "disabled"
    assert features["NAU-B2"]["properties"]["measurements"] == {}


def test_a_bay_that_drivers_see_as_unknown_is_not_told_free_here() -> None:
    region = town_of_sensors()
    region.unknown.add("NAU-B1")
    for key in ("", "region-key"):
        answer = region.client().get(f"{LIST}/parking/NAU-B1", headers={"x-api-key": key})
        assert "occupied" not in answer.json()["features"][0]["properties"]["measurements"]


def test_an_open_door_is_nobodys_business(features: dict[str, Any]) -> None:
    assert list(features["NAU-C1"]["properties"]["measurements"]) == ["power_l1"]


def test_names_that_a_device_made_up_never_get_out(features: dict[str, Any]) -> None:
    assert list(features["Oddity"]["properties"]["measurements"]) == ["temperature"]


def test_numbers_that_json_has_no_word_for_stay_out() -> None:
    region = Region()
    region.add("X", "other")
    region.say("X", {"temperature": float("nan"), "humidity": float("inf"), "pressure": 995.2})
    (feature,) = region.client().get(LIST).json()["features"]
    assert list(feature["properties"]["measurements"]) == ["pressure"]


@pytest.mark.parametrize("t_ms", [-1, 2**62, 253_402_300_799_999])
def test_a_time_that_no_calendar_has_stays_out(t_ms: int) -> None:
    region = Region()
    region.add("X", "other")
    region.say("X", {"temperature": 1.0}, t_ms)
    answer = region.client().get(LIST)
    assert answer.status_code == 200
    assert errors_of(answer.json(), LIST, 200, JSON) == []
    assert answer.json()["features"][0]["properties"]["measurements"]["temperature"]["value"] == 1.0


def test_german_time_knows_summer_and_winter() -> None:
    region = Region()
    region.add("X", "other")
    told = []
    for t_ms in (
        1_768_068_000_000,
        1_761_438_600_000,
        1_761_442_200_000,
    ):  # January; before and after the clocks change
        region.say("X", {"temperature": 1.0}, t_ms)
        told.append(region.client().get(LIST).json()["features"][0]["properties"]["last_seen_de"])
    assert told == ["10.01.2026, 19:00:00", "26.10.2025, 02:30:00", "26.10.2025, 02:30:00"]


def test_each_value_has_the_time_it_was_measured() -> None:
    region = Region()
    region.add("X", "lamp")
    region.say("X", {"power_w": 1.0, "voltage_v": 230.0})
    region.said["X"].value_t_ms["voltage_v"] = T0 - 60_000
    measured = region.client().get(LIST).json()["features"][0]["properties"]["measurements"]
    assert measured["power"]["timestamp"] == "2025-10-11T19:31:10.538Z"
    assert measured["voltage"]["timestamp"] == "2025-10-11T19:30:10.538Z"


@pytest.mark.parametrize("word", list(TYPES))
def test_a_type_filters_in_path_and_parameter(features: dict[str, Any], word: str) -> None:
    client = town_of_sensors().client()
    by_path, by_parameter = client.get(f"{LIST}/{word}"), client.get(LIST, params={"type": word})
    assert by_path.json() == by_parameter.json()
    assert errors_of(by_path.json(), "/geojson/devices/{type}", 200, JSON) == []
    expected = [one for one in features.values() if one["properties"]["type"] == TYPES[word]]
    assert by_path.json()["features"] == expected
    assert expected


@pytest.mark.parametrize("question", [f"{LIST}?device=NAU-L1", f"{LIST}?id=NAU-L1", f"{LIST}?id=NAU-L1&device=NAU-L1",
    f"{LIST}?type=lamp&id=NAU-L1", f"{LIST}/lamp?device=NAU-L1", f"{LIST}/lamp/NAU-L1"])  # fmt: skip
def test_one_device_is_a_collection_of_one(features: dict[str, Any], question: str) -> None:
    answer = town_of_sensors().client().get(question)
    assert answer.json() == {"type": "FeatureCollection", "features": [features["NAU-L1"]]}
    assert errors_of(answer.json(), "/geojson/devices/{type}/{id}", 200, JSON) == []


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(KINDS), st.sampled_from(STAGES), st.sampled_from((None, *CONDITIONS)), st.booleans(),
            st.sampled_from(("native", "SENSEBOX", "waterlevel", None)),
            st.dictionaries(st.text(max_size=8) | st.sampled_from(("temperature", "power_w", "occupied")),
                            st.booleans() | st.floats() | st.text(max_size=5), max_size=4),
        ),
        min_size=1, max_size=12,
    )
)  # fmt: skip
def test_every_device_with_coordinates_stands_exactly_once_in_each_format(rows: list[Any]) -> None:
    region = Region()
    for number, (kind, stage, condition, is_placed, device_type, values) in enumerate(rows):
        place = {} if is_placed else {"lat": None, "lon": None}
        region.add(f"D{number}", kind, stage=stage, device_type=device_type, **place)
        if condition is not None:
            region.say(f"D{number}", values, condition=condition)
    there = [one for one in region.devices.values() if one.stage not in ("planned", "retired")]
    placed = sorted(one.device_id for one in there if one.lat is not None)
    client = region.client()
    found = client.get(LIST).json().get("features", []) + client.get("/geojson/gateways").json().get("features", [])
    assert sorted(one["id"] for one in found) == placed
    measurements = [one["properties"]["attributes"].get("measurement", one["id"]) for one in found]
    assert sorted(measurements) == placed  # the region's bridge to Home Assistant stops at a second one of a name
    entities = client.get("/ngsi-ld/entities").json()
    named = sorted(one["id"] for one in entities) if isinstance(entities, list) else []
    assert named == sorted(f"urn:ngsi-ld:Device:{one.device_id}" for one in there if one.kind != "gateway")
    by_type = [one["id"] for word in TYPES for one in client.get(f"{LIST}/{word}").json().get("features", [])]
    assert sorted(by_type) == [one for one in placed if region.devices[one].kind != "gateway"]
