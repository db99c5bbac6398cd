from fastapi.testclient import TestClient


def test_what_needs_no_sign_in_comes_packed(client: TestClient) -> None:
    answer = client.get("/parken", headers={"Accept-Encoding": "gzip"})
    assert (answer.status_code, answer.headers["content-encoding"]) == (200, "gzip")


def test_a_page_of_a_session_is_not_packed_but_its_style_is(client: TestClient) -> None:
    headers = {"Accept-Encoding": "gzip", "Cookie": "partheland=anything"}
    assert "content-encoding" not in client.get("/parken", headers=headers).headers
    assert client.get("/static/site.css", headers=headers).headers["content-encoding"] == "gzip"


def test_who_can_not_unpack_gets_it_as_it_is(client: TestClient) -> None:
    assert "content-encoding" not in client.get("/parken", headers={"Accept-Encoding": "identity"}).headers
