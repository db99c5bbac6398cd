"""The browser harness itself: it sees what is wrong with a page, with and without JavaScript."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.support.browser import OpenPage, axe
from tests.support.served import LiveCentre, Served

HEAD = '<!doctype html><html lang="de"><head><meta charset="utf-8"><title>Probe</title></head>'
HEAD += "<body><main><h1>Probe</h1>"
PAGES = {
    "/good": HEAD + "<p>Alles gut.</p></main>",
    "/bad": HEAD + '<img src="/good"><p style="color:#bbb;background:#fff">Kaum zu lesen.</p></main>',
    "/script": HEAD
    + "<p id='p'>ohne</p><noscript><img src='/good'></noscript></main><script src='/script.js'></script>",
    "/inline": HEAD + "</main><script>document.title = 'no'</script>",
    "/thrown": HEAD + "</main><script src='/thrown.js'></script>",
    "/abroad": HEAD + '<img alt="" src="http://example.org/pixel.png"></main>',
    "/favicon.ico": "",
    "/script.js": "document.getElementById('p').textContent = 'mit';",
    "/thrown.js": "throw new Error('gone wrong');",
}


class Pages(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        found = PAGES.get(self.path)
        self.send_response(404 if found is None else 200)
        self.send_header("Content-Type", "text/javascript" if self.path.endswith(".js") else "text/html; charset=utf-8")
        if self.path != "/abroad":
            self.send_header("Content-Security-Policy", "default-src 'self'; style-src 'self' 'unsafe-inline'")
        self.end_headers()
        self.wfile.write((found or "nothing").encode())

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("javascript", [True, False])
def test_axe_finds_what_is_wrong_and_nothing_on_a_good_page(open_page: OpenPage, site: str, javascript: bool) -> None:
    good = open_page("/good", base=site, javascript=javascript)
    assert axe(good) == []
    bad = open_page("/bad", base=site, javascript=javascript)
    assert sorted(one.split(" ")[0] for one in axe(bad)) == ["color-contrast", "image-alt"]


def test_a_page_without_javascript_is_seen_as_it_is(open_page: OpenPage, site: str) -> None:
    assert open_page("/script", base=site).inner_text("#p") == "mit"
    without = open_page("/script", base=site, javascript=False, width=390)
    assert without.inner_text("#p") == "ohne"
    assert [one.split(" ")[0] for one in axe(without)] == ["image-alt"]
    assert without.evaluate("innerWidth") == 390


@pytest.mark.parametrize(
    ("path", "says"),
    [("/inline", "Content Security Policy"), ("/thrown", "gone wrong"), ("/abroad", "example.org/pixel.png")],
)
def test_what_must_not_happen_on_a_page_is_noticed(open_page: OpenPage, site: str, path: str, says: str) -> None:
    open_page(path, base=site)
    assert any(says in mishap for mishap in open_page.forgive())


def test_a_page_that_is_not_there_is_no_mishap_but_a_missing_part_of_a_page_is(open_page: OpenPage, site: str) -> None:
    page = open_page("/nothing", base=site)
    assert open_page.mishaps == []
    page.evaluate("fetch('/also-nothing')")
    assert "404" in open_page.forgive()[0]


def test_dark_is_dark_and_cookies_come_along(open_page: OpenPage, site: str) -> None:
    page = open_page("/good", base=site, dark=True, cookies={"name": "value"})
    assert page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches") is True
    assert page.evaluate("document.cookie") == "name=value"


def test_a_person_signs_in_at_the_real_platform_without_a_script(open_page: OpenPage, live_centre: LiveCentre) -> None:
    page = open_page("/bauhof", width=390, javascript=False, sign_in=live_centre.people["yard"])
    assert page.url == live_centre.url + "/bauhof"
    name, password = live_centre.add_person("naunhof", "yard", "naunhof")
    assert open_page("/bauhof", sign_in=(name, password)).url == live_centre.url + "/bauhof"


def test_a_centre_in_this_process_can_be_visited(open_page: OpenPage, quick_centre: Served) -> None:
    page = open_page("/healthz", base=quick_centre.url)
    assert '"alive":true' in page.inner_text("body").replace(" ", "")
    open_page.forgive()  # JSON brings no icon, and the browser asks for one
