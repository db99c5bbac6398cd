"""Values aggregated over a town, in both formats."""

from typing import Any

import pytest

from tests.api.datahub.partheland_api.region import JSON, LD_JSON, T0, Region, errors_of, swagger, town_of_sensors

GEOJSON, NGSI = "/geojson/devices", "/ngsi-ld/entities"


def asked(region: Region, path: str = GEOJSON, **parameters: str) -> Any:
    answer = region.client().get(path, params=parameters)
    media = LD_JSON if path == NGSI else JSON
    assert answer.headers["content-type"] == (media if answer.status_code == 200 else JSON)
    assert errors_of(answer.json(), path, answer.status_code, media) == []
    return answer.json()


def stations() -> Region:
    """As the region's example: three stations of which the middle one says 13.7."""
    region = Region()
    for name, value in (("Naunhof_Nr5", 13.2), ("Naunhof_Nr1", 13.7), ("Naunhof_Nr3", 14.5)):
        region.add(name, "other", device_type="sensebox")
        region.say(name, {"temperature": value}, T0 + int(10 * value))
    region.clock.ms = 1_760_211_314_264
    return region


def test_geojson_is_written_as_in_the_regions_example() -> None:
    ours = asked(stations(), location="naunhof", sensor="temperature", aggregation="median")
    theirs = swagger()["paths"][GEOJSON]["get"]["responses"]["200"]["content"][JSON]["examples"]["locationAggregation"]
    expected = theirs["value"]
    expected["features"][0]["properties"]["deviceCount"] = 3  # their example counts 8 and names 3
    assert ours == expected
    assert list(ours["features"][0]["properties"]) == list(expected["features"][0]["properties"])


def test_ngsi_is_written_as_in_the_regions_example() -> None:
    ours = asked(stations(), NGSI, location="naunhof", sensor="temperature")
    theirs = swagger()["paths"][NGSI]["get"]["responses"]["200"]["content"][LD_JSON]["examples"]["locationAggregation"]
    expected = theirs["value"]
    expected["deviceCount"]["value"] = 3
    assert ours == expected
    assert list(ours) == list(expected)


@pytest.mark.parametrize(
    ("aggregation", "value"),
    [("median", 13.7), ("mean", 13.8), ("min", 13.2), ("max", 14.5), ("latest", 14.5), ("", 13.7)],
)
def test_each_aggregation(aggregation: str, value: float) -> None:
    found = asked(stations(), location="naunhof", sensor="temperature", aggregation=aggregation)
    properties = found["features"][0]["properties"]
    assert properties["value"] == value
    assert properties["aggregation"] == aggregation or "median"


def test_a_star_is_every_location_that_has_a_value() -> None:
    region = town_of_sensors()
    found = asked(region, location="*", sensor="temperature")["features"]
    assert [(one["properties"]["location"], one["properties"]["devices"]) for one in found] == [
        ("brandis", ["Oddity"]),
        ("naunhof", ["Naunhof_Nr1", "Naunhof_Nr3", "Parthe_1"]),
    ]
    assert [one["id"] for one in asked(region, NGSI, location="*", sensor="temperature")] == [
        "urn:ngsi-ld:Location:brandis",
        "urn:ngsi-ld:Location:naunhof",
    ]


def test_what_is_silent_has_no_place_or_is_no_measuring_device_does_not_count() -> None:
    region = stations()
    for name, kind in (("silent", "other"), ("nowhere", "other"), ("lamp", "lamp"), ("bay", "parking")):
        region.add(name, kind, **({"lat": None, "lon": None} if name == "nowhere" else {}))
        region.say(
            name,
            {"temperature": 99.0, "temp_c": 99.0, "driver_temp_c": 99.0},
            T0,
            "silent" if name == "silent" else "ok",
        )
    found = asked(region, location="naunhof", sensor="temperature")["features"][0]["properties"]
    assert found["devices"] == ["Naunhof_Nr1", "Naunhof_Nr3", "Naunhof_Nr5"]


@pytest.mark.parametrize("location", ["Naunhof", "NAUNHOF"])
def test_a_town_is_found_in_capitals_too(location: str) -> None:
    found = asked(stations(), location=location, sensor="temperature")["features"]
    assert found[0]["properties"]["location"] == "naunhof"


@pytest.mark.parametrize("path", [GEOJSON, NGSI])
@pytest.mark.parametrize(
    ("parameters", "status", "code"),
    [
        ({"location": "naunhof"}, 400, "MISSING_PARAMETERS"),
        ({"sensor": "temperature"}, 400, "MISSING_PARAMETERS"),
        ({"aggregation": "median"}, 400, "MISSING_PARAMETERS"),
        ({"location": "naunhof", "aggregation": "median"}, 400, "MISSING_PARAMETERS"),
        ({"location": "naunhof", "sensor": "power"}, 400, "INVALID_SENSOR"),
        ({"location": "naunhof", "sensor": "Temperature"}, 400, "INVALID_SENSOR"),
        ({"location": "naunhof", "sensor": "temperature", "aggregation": "sum"}, 400, "INVALID_AGGREGATION"),
        ({"location": "naunhof", "sensor": "temperature", "type": "lamp"}, 400, "INVALID_PARAMETER_COMBINATION"),
        ({"location": "naunhof", "sensor": "temperature", "id": "X"}, 400, "INVALID_PARAMETER_COMBINATION"),
        ({"aggregation": "median", "type": "sensebox"}, 400, "INVALID_PARAMETER_COMBINATION"),
        ({"location": "naunhof", "sensor": "uv"}, 404, "NOT_FOUND"),
        ({"location": "leipzig", "sensor": "temperature"}, 404, "NOT_FOUND"),
        ({"location": "'; DROP TABLE", "sensor": "temperature"}, 404, "NOT_FOUND"),
        ({"location": "x" * 5000, "sensor": "temperature"}, 404, "NOT_FOUND"),
    ],
)
def test_each_refusal_has_the_regions_code(path: str, parameters: dict[str, str], status: int, code: str) -> None:
    region = stations()
    answer = region.client().get(path, params=parameters)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert errors_of(answer.json(), path, status, JSON) == []
    assert len(answer.content) < 1000
