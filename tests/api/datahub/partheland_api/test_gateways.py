"""Gateways as GeoJSON."""

import pytest

from tests.api.datahub.partheland_api.region import JSON, Region, errors_of, swagger, town_of_sensors

LIST = "/geojson/gateways"


def test_a_gateway_is_written_as_in_the_regions_example() -> None:
    theirs = swagger()["paths"][LIST]["get"]["responses"]["200"]["content"][JSON]["examples"]["gatewayExample"]["value"]
    region = Region()
    place = theirs["features"][0]["geometry"]["coordinates"]
    name = "db-ware Gateway Dreiskau-Muckern 001"
    region.add("db-ware-gateway-dreimu-001", "gateway", name=name, lon=place[0], lat=place[1])
    region.statuses["db-ware-gateway-dreimu-001"] = {"heard_ms": 1_760_219_181_362, "epoch": 1}
    region.clock.ms = 1_760_219_190_000
    answer = region.client().get(LIST)
    assert answer.json() == theirs
    assert list(answer.json()["features"][0]["properties"]) == list(theirs["features"][0]["properties"])
    assert errors_of(answer.json(), LIST, 200, JSON) == []


def test_the_last_message_it_brought_keeps_a_gateway_online_and_an_sos_button_does_not_count() -> None:
    region = town_of_sensors()
    client = region.client()
    by_id = {one["id"]: one["properties"] for one in client.get(LIST).json()["features"]}
    assert (by_id["gw-1"]["status"], by_id["gw-1"]["last_seen"]) == ("Online", "2025-10-11T19:31:10.538Z")
    assert by_id["gw-2"]["status"] == "Pending"
    assert "last_seen" not in by_id["gw-2"]
    region.clock.advance(3601)
    assert client.get(f"{LIST}/gw-1").json()["features"][0]["properties"]["status"] == "Offline"


@pytest.mark.parametrize("said", [{}, {"heard_ms": "soon"}, {"heard_ms": True}, {"heard_ms": 10**400}])
def test_a_status_that_says_nothing_is_none(said: dict[str, object]) -> None:
    region = Region()
    region.add("gw-1", "gateway")
    region.statuses["gw-1"] = said
    assert region.client().get(LIST).json()["features"][0]["properties"]["status"] == "Pending"


def test_what_is_internal_needs_a_key_of_its_town() -> None:
    region = town_of_sensors()
    region.add("gw-3", "gateway", town="brandis", model="Other")
    client = region.client()
    public = {one["id"]: one["properties"]["attributes"] for one in client.get(LIST).json()["features"]}
    assert public == {"gw-1": {}, "gw-2": {}, "gw-3": {}}
    answer = client.get(LIST, headers={"x-api-key": "naunhof-key"})
    inside = {one["id"]: one["properties"]["attributes"] for one in answer.json()["features"]}
    assert inside["gw-1"]["model"] == "LoRaWAN-Gateway"
    assert inside["gw-3"] == {}


@pytest.mark.parametrize("question", [f"{LIST}?id=gw-2", f"{LIST}/gw-2"])
def test_one_gateway_is_a_collection_of_one(question: str) -> None:
    answer = town_of_sensors().client().get(question)
    assert [one["id"] for one in answer.json()["features"]] == ["gw-2"]
    assert errors_of(answer.json(), "/geojson/gateways/{id}", 200, JSON) == []


@pytest.mark.parametrize("question", [f"{LIST}?id=NAU-L1", f"{LIST}/nobody", f"{LIST}/NAU-S1", f"{LIST}/%00"])
def test_another_device_is_no_gateway(question: str) -> None:
    answer = town_of_sensors().client().get(question)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NOT_FOUND")


def test_the_path_of_one_gateway_takes_no_key_as_in_the_region() -> None:
    answer = town_of_sensors().client().get(f"{LIST}/gw-1", headers={"x-api-key": "wrong"})
    assert answer.json()["features"][0]["properties"]["attributes"] == {}


def test_a_gateway_that_is_planned_is_not_there() -> None:
    region = Region()
    region.add("gw-1", "gateway", stage="planned")
    assert region.client().get(LIST).status_code == 404
