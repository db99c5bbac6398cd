"""The same paths in the whole application: its door, its inventory, its tokens."""

from fastapi.testclient import TestClient

from tests.api.datahub.partheland_api.region import JSON, LD_JSON
from tests.support.frames import FedCentre

ROWS = (
    "device_id,kind,town,lat,lon,pole\nNAU-P1,lamp,naunhof,51.28,12.58,MAST-7\nBRA-P1,lamp,brandis,51.33,12.6,MAST-8\n"
)


def test_everybody_reads_and_a_token_of_the_platform_is_the_key(centre: FedCentre, guarded: TestClient) -> None:
    centre.import_rows(ROWS)
    public = guarded.get("/geojson/devices")
    assert (public.status_code, public.headers["content-type"]) == (200, JSON)
    assert {one["id"] for one in public.json()["features"]} >= {"NAU-P1", "BRA-P1"}
    assert "MAST" not in public.text
    assert public.headers["access-control-allow-origin"] == "*"
    assert public.headers["cross-origin-resource-policy"] == "cross-origin"
    assert public.headers["x-content-type-options"] == "nosniff"
    secret, _ = centre.accounts.tokens.create("DataHub", "yard", "naunhof", None, "test")
    keyed = guarded.get("/ngsi-ld/entities", headers={"x-api-key": secret})
    assert keyed.headers["content-type"] == LD_JSON
    assert "MAST-7" in keyed.text
    assert "MAST-8" not in keyed.text


def test_a_wrong_key_is_refused_in_the_regions_form_also_with_dev(client: TestClient, guarded: TestClient) -> None:
    for one in (client, guarded):
        answer = one.get("/geojson/devices", headers={"x-api-key": "wrong"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "INVALID_API_KEY")


def test_with_dev_nobody_sees_the_inside_without_a_key(centre: FedCentre, client: TestClient) -> None:
    centre.import_rows(ROWS)
    assert "MAST" not in client.get("/geojson/devices").text
