"""Every page for everybody it is for: German, escaped, complete without a script, refused with a sentence."""

import re
from html.parser import HTMLParser

import pytest
from fastapi.testclient import TestClient

from tests.api.pages.conftest import As
from tests.api.pages.region import HOSTILE

PUBLIC = [
    "/", "/parken", "/parken?town=naunhof", "/parken/naunhof/markt", "/parken/brandis/bahn", "/karte",
    "/karte?kind=lamp",
    "/anmelden", "/impressum", "/datenschutz", "/barrierefreiheit", "/hinweise",
]  # fmt: skip
CLOSED = {
    "/bauhof": {"yard", "technician", "admin"},
    "/bauhof/1": {"yard", "technician", "admin"},
    "/notruf": {"dispatcher", "admin"},
    "/geraet/NAU-L1": {"yard", "technician", "dispatcher", "admin"},
}


class Page(HTMLParser):
    """What a page holds that a rule of ours speaks of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.inline: list[str] = []
        self.loads: list[str] = []
        self.ids: list[str] = []
        self.fields: list[str] = []
        self.labels: set[str] = set()
        self.headings: list[int] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.inline += [f"{tag} {name}" for name in given if name == "style" or name.startswith("on")]
        if tag == "style" or (tag == "script" and not given.get("src")):
            self.inline.append(tag)
        if tag in ("script", "link", "img"):
            self.loads.append(given.get("src") or given.get("href") or "")
        if given.get("id"):
            self.ids.append(given["id"] or "")
        if tag in ("input", "select", "textarea") and given.get("type") not in ("hidden", "radio"):
            self.fields.append(given.get("id") or "without id")
        if tag == "label":
            self.labels.add(given.get("for") or "")
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))


def check(client: TestClient, path: str) -> str:
    """What holds for every page; its text."""
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    page = Page(answer.text)
    assert page.inline == []
    assert all(one.startswith("/static/") for one in page.loads)
    assert len(page.ids) == len(set(page.ids))
    assert [one for one in page.fields if one not in page.labels] == []
    assert page.headings.count(1) == 1
    assert '<html lang="de">' in answer.text
    assert HOSTILE not in answer.text
    assert len(answer.content) < 60_000
    return str(answer.text)


@pytest.mark.parametrize("path", PUBLIC)
def test_a_public_page_is_there_for_everybody_and_sets_no_cookie(public: TestClient, path: str) -> None:
    check(public, path)
    assert "set-cookie" not in public.get(path).headers


@pytest.mark.parametrize("path", CLOSED)
def test_a_page_of_a_role_is_there_for_it_and_for_no_other(public: TestClient, signed_in: As, path: str) -> None:
    away = public.get(path)
    assert (away.status_code, away.headers["location"]) == (303, f"/anmelden?weiter={path}")
    for role in ("yard", "technician", "dispatcher", "admin"):
        if role in CLOSED[path]:
            check(signed_in(role), path)
        else:
            refused = signed_in(role).get(path)
            assert refused.status_code == 403
            assert "Dafür reicht der Zugang nicht" in refused.text


def test_who_is_signed_in_is_named_and_may_leave(signed_in: As) -> None:
    text = check(signed_in("yard"), "/")
    assert "Bauhof, Naunhof" in text
    assert 'action="/abmelden"' in text
    assert re.search(r'<meta name="csrf" content="\w{20,}">', text)
    assert "1 neuer Auftrag" in text


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/parken?town=leipzig", 400, "Einen Ort „leipzig“ gibt es hier nicht"),
        ("/karte?condition=sad", 400, "Einen Zustand „sad“ gibt es hier nicht"),
        ("/karte?kind=cabinet", 400, "Eine Art „cabinet“ gibt es hier nicht"),
        ("/karte?page=minus", 400, "Die Seite muss eine ganze Zahl"),
        ("/parken/naunhof/mond", 404, "Diesen Parkplatz gibt es hier nicht"),
        ("/nirgends", 404, "Diese Seite gibt es nicht"),
    ],
)
def test_a_wrong_address_is_answered_in_german(public: TestClient, path: str, status: int, says: str) -> None:
    answer = public.get(path, headers={"Accept": "text/html"})
    assert answer.status_code == status
    assert says in answer.text
    assert "Zur Startseite" in answer.text


def test_the_first_view_is_light_enough_for_a_phone(public: TestClient) -> None:
    for path in ("/", "/parken"):
        text = public.get(path)
        loaded = [public.get(one).content for one in Page(text.text).loads]
        assert len(text.content) + sum(map(len, loaded)) < 100_000


def test_hostile_names_are_shown_as_text(signed_in: As) -> None:
    text = check(signed_in("admin"), "/geraet/BRA-L2")
    assert "&lt;script&gt;alert" in text
    assert "&lt;script&gt;alert" in check(signed_in("admin"), "/karte?town=brandis")


def test_the_legal_pages_say_what_is_missing(public: TestClient) -> None:
    assert "noch nicht eingetragen" in public.get("/impressum").text
    assert "GeoBasis-DE / BKG 2021 (Daten verändert)" in public.get("/hinweise").text
    assert "http://www.bkg.bund.de" in public.get("/karte").text


def test_static_files_are_kept_for_ever_under_their_fingerprint_only(public: TestClient) -> None:
    (path,) = {one for one in Page(public.get("/parken").text).loads if one.endswith("site.css")}
    assert "immutable" in public.get(path).headers["cache-control"]
    plain = public.get("/static/site.css")
    assert "no-cache" in plain.headers["cache-control"]
    assert public.get("/static/site.css", headers={"If-None-Match": plain.headers["etag"]}).status_code == 304
    assert public.get("/static/vendor/leaflet/leaflet.js").status_code == 200
    assert public.get("/static/..%2f..%2fcentre.py").status_code == 404
