"""Keys, refusals, what a browser may read, and what is kept for a moment."""

import gzip
from datetime import datetime
from typing import Any

import pytest

from api.datahub.partheland_api.types import TYPES
from api.route import Policy
from api.routes_datahub import DATAHUB
from core.inventory import Snapshot
from core.relational import DatabaseError
from tests.api.datahub.partheland_api.region import JSON, T0, Region, errors_of, swagger, town_of_sensors

KEY = {"x-api-key": "naunhof-key"}
LISTS = ["/geojson/devices", "/ngsi-ld/entities"]


def test_every_path_of_the_region_is_there_and_open() -> None:
    theirs = {path for path, methods in swagger()["paths"].items() if "get" in methods}
    assert {route.path for route in DATAHUB} == theirs
    assert {route.policy for route in DATAHUB} == {Policy.OPEN}


def test_the_parameters_are_those_of_the_region() -> None:
    described = town_of_sensors().openapi()
    for path, methods in swagger()["paths"].items():
        if "get" in methods:
            ours = {(one["name"], one["in"], one["required"]) for one in described["paths"][path]["get"]["parameters"]}
            theirs = {(one["name"], one["in"], one["required"]) for one in methods["get"]["parameters"]}
            assert ours == theirs, path


@pytest.mark.parametrize("path", LISTS)
def test_a_key_shows_what_is_internal_in_its_own_town_only(path: str) -> None:
    region = town_of_sensors()
    region.add("BRA-L1", "lamp", town="brandis", pole="MAST-9", lat=51.3, lon=12.6)
    region.say("BRA-L1", {"rssi_dbm": -99.0})
    client = region.client()
    public, keyed = client.get(path).text, client.get(path, headers=KEY).text
    for internal in ("LC-1", "P7", "Am Markt", "rssi", "door_open", "wind_7", "gw-1", "temperature_case"):
        assert internal in keyed
        assert internal not in public
    for hidden in ("-99", "MAST-9", "P9", "press", "<b>", "=cmd"):
        assert hidden not in keyed + public
    everything = client.get(path, headers={"x-api-key": "region-key"}).text
    assert "-99" in everything
    assert "P9" not in everything


def test_a_value_that_only_its_device_knows_has_no_unit() -> None:
    answer = town_of_sensors().client().get("/geojson/devices/sensebox", headers=KEY)
    measured = answer.json()["features"][0]["properties"]["measurements"]
    assert measured["wind_7"] == {"value": 3.0, "timestamp": "2025-10-11T19:31:10.538Z"}
    assert measured["rssi"]["unit"] == "DBM"


@pytest.mark.parametrize("path", [*LISTS, *(f"{one}/lamp" for one in LISTS), *(f"{one}/lamp/NAU-L1" for one in LISTS),
    "/geojson/gateways"])  # fmt: skip
@pytest.mark.parametrize("key", ["wrong", "x" * 5000, "NAUNHOF-KEY", "naunhof-key\u00e4", "' OR 1=1"])
def test_a_wrong_key_is_refused_and_not_repeated(path: str, key: str) -> None:
    answer = town_of_sensors().client().get(path, headers={"x-api-key": key.encode("latin-1")})
    assert (answer.status_code, answer.headers["content-type"]) == (401, JSON)
    assert answer.json()["error"]["code"] == "INVALID_API_KEY"
    assert key not in answer.text
    assert "access-control-allow-origin" not in answer.headers
    template = path.replace("/lamp", "/{type}").replace("/NAU-L1", "/{id}")
    assert errors_of(answer.json(), template, 401, JSON) == []


def test_an_empty_key_is_none() -> None:
    assert town_of_sensors().client().get("/geojson/devices", headers={"x-api-key": ""}).status_code == 200


@pytest.mark.parametrize(
    ("question", "status", "code"),
    [
        ("/geojson/devices?type=tram", 400, "INVALID_TYPE"),
        ("/geojson/devices?type=LAMP", 400, "INVALID_TYPE"),
        ("/geojson/devices/gateway", 400, "INVALID_TYPE"),
        ("/geojson/devices/tram/NAU-L1", 400, "INVALID_TYPE"),
        ("/ngsi-ld/entities?type=tram", 400, "INVALID_TYPE"),
        ("/ngsi-ld/entities/StreetLightDevice", 400, "INVALID_TYPE"),
        ("/ngsi-ld/entities/%3Cscript%3E/x", 400, "INVALID_TYPE"),
        ("/geojson/devices?type=lamp&type=sos", 400, "INVALID_PARAMETER_COMBINATION"),
        ("/geojson/devices?id=A&device=B", 400, "INVALID_PARAMETER_COMBINATION"),
        ("/geojson/devices/lamp?location=naunhof&sensor=noise", 400, "INVALID_PARAMETER_COMBINATION"),
        ("/ngsi-ld/entities/lamp/NAU-L1?aggregation=min", 400, "INVALID_PARAMETER_COMBINATION"),
        ("/geojson/devices?id=nobody", 404, "NOT_FOUND"),
        ("/geojson/devices?id=gw-1", 404, "NOT_FOUND"),
        ("/geojson/devices/sos/NAU-L1", 404, "NOT_FOUND"),
        ("/geojson/devices/lamp/NAU-L3", 404, "NOT_FOUND"),
        ("/geojson/devices/lamp/NAU-planned", 404, "NOT_FOUND"),
        ("/geojson/devices/lamp/NAU-retired", 404, "NOT_FOUND"),
        ("/ngsi-ld/entities/lamp/NAU-retired", 404, "NOT_FOUND"),
        ("/ngsi-ld/entities?id=urn:ngsi-ld:Device:NAU-L1", 404, "NOT_FOUND"),
        ("/ngsi-ld/entities/lamp/%F0%9F%92%A9", 404, "NOT_FOUND"),
        ("/ngsi-ld/entities/lamp/%FF%00", 404, "NOT_FOUND"),
        ("/ngsi-ld/entities/lamp/" + "x" * 3000, 404, "NOT_FOUND"),
    ],
)
def test_each_refusal_has_the_regions_form(question: str, status: int, code: str) -> None:
    answer = town_of_sensors().client().get(question)
    assert (answer.status_code, answer.headers["content-type"]) == (status, JSON)
    body = answer.json()
    assert list(body) == ["error", "timestamp"]
    assert list(body["error"]) == ["code", "message", "details"]
    assert body["error"]["code"] == code
    assert body["timestamp"] == "2025-10-11T19:31:10.538Z"
    assert datetime.fromisoformat(body["timestamp"]).timestamp() * 1000 == T0
    assert errors_of(body, "/geojson/devices", status, JSON) == []
    assert len(answer.content) < 1000


@pytest.mark.parametrize("path", [*LISTS, "/geojson/gateways", *(f"{one}/{word}" for one in LISTS for word in TYPES)])
def test_a_platform_without_devices_has_nothing_to_answer_with(path: str) -> None:
    answer = Region().client().get(path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize("path", LISTS)
def test_a_parameter_that_the_region_does_not_know_is_ignored(path: str) -> None:
    client = town_of_sensors().client()
    assert client.get(path, params={"_": "123", "limit": "1"}).json() == client.get(path).json()


def test_an_inventory_that_is_away_is_told_in_the_regions_form() -> None:
    class Away(Region):
        def snapshot(self) -> Snapshot:
            raise DatabaseError("the file /var/secret/platform.db can't be read")

    answer = Away().client().get("/geojson/devices")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "SERVICE_UNAVAILABLE")
    assert "secret" not in answer.text


@pytest.mark.parametrize("path", [*LISTS, "/geojson/gateways", "/geojson/devices/tram"])
def test_any_web_page_may_read_what_everybody_may_see(path: str) -> None:
    client = town_of_sensors().client()
    public = client.get(path, headers={"Origin": "https://datahub.example"}).headers
    assert public["access-control-allow-origin"] == "*"
    assert public["cross-origin-resource-policy"] == "cross-origin"
    assert "access-control-allow-credentials" not in public
    keyed = client.get(path, headers=KEY).headers
    assert "access-control-allow-origin" not in keyed
    assert "no-store" in keyed["cache-control"]
    assert "x-api-key" in keyed["vary"]


@pytest.mark.parametrize("path", LISTS)
def test_an_answer_is_packed_for_who_unpacks_and_marked_so_that_nothing_comes_twice(path: str) -> None:
    client = town_of_sensors().client()
    plain = client.get(path, headers={"Accept-Encoding": "br, gzip;q=0"})
    assert "content-encoding" not in plain.headers
    with client.stream("GET", path, headers={"Accept-Encoding": "gzip"}) as packed:
        assert packed.headers["content-encoding"] == "gzip"
        raw = b"".join(packed.iter_raw())
    assert gzip.decompress(raw) == plain.content
    assert len(raw) < len(plain.content) / 3
    again = client.get(path, headers={"If-None-Match": plain.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize("path", [*LISTS, "/geojson/devices/lamp"])
def test_many_readers_within_a_moment_cost_one_building_and_later_ones_see_what_is_new(path: str) -> None:
    region = town_of_sensors()
    client = region.client()
    first: Any = client.get(path)
    asked = region.snapshots
    region.say("NAU-L1", {"power_w": 77.5})
    assert [client.get(path).content for _ in range(5)] == [first.content] * 5
    assert region.snapshots == asked
    assert "77.5" in client.get(path, headers=KEY).text  # who has a key gets nothing kept
    region.clock.advance(2)
    assert "77.5" in client.get(path).text
    assert client.get(path).headers["etag"] != first.headers["etag"]


@pytest.mark.parametrize("path", [f"{one}/lamp" for one in LISTS])
def test_what_was_kept_does_not_answer_another_question(path: str) -> None:
    client = town_of_sensors().client()
    assert client.get(path).status_code == 200
    assert client.get(path, params={"location": "naunhof", "sensor": "noise"}).status_code == 400
    assert client.get(path.replace("lamp", "tram")).status_code == 400


def test_what_a_key_showed_is_never_kept_for_others() -> None:
    client = town_of_sensors().client()
    client.get("/geojson/devices", headers=KEY)
    assert "LC-1" not in client.get("/geojson/devices").text
