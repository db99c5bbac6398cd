"""Chromium for all browser tests, one browser for each visitor, and a running platform to visit.

    def test_…(open_page: OpenPage, live_centre: LiveCentre) -> None:
        page = open_page("/bauhof", width=390, javascript=False, sign_in=live_centre.people["yard"])
        assert axe(page) == []

When a test ends, everything that happened on its pages and must not (console errors, CSP, other hosts) fails it.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.deploy.running import Up
from tests.support.browser import OpenPage, find_browser, launch
from tests.support.require import require
from tests.support.served import LiveCentre, Served, live_platform, served_centre


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test of this folder needs a browser."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """The browser; it ends with this folder's tests, because playwright's event loop stands in others' way."""
    program = require("browser", find_browser(), "no chromium, chromium-browser or google-chrome on the search path")
    with sync_playwright() as playwright:
        browser = launch(playwright.chromium, program)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[OpenPage]:
    """Opens pages; when the test ends, what must not have happened on one of them fails it."""
    opener = OpenPage(chromium, lambda: str(request.getfixturevalue("live_centre").url))
    yield opener
    mishaps = opener.mishaps
    opener.close()
    assert mishaps == []


@pytest.fixture(scope="module")
def live_centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCentre]:
    """The real platform with passwords and an account for each role, for one module."""
    with live_platform(tmp_path_factory.mktemp("live")) as live:
        yield live


@pytest.fixture(scope="module")
def dev_centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """The real platform as with --dev, everyone is admin, for one module."""
    with Up(tmp_path_factory.mktemp("dev")) as up:
        yield up


@pytest.fixture(scope="module")
def quick_centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A centre in this process, without broker and gateway, everyone is admin; the test feeds it with frames."""
    with served_centre(tmp_path_factory.mktemp("quick")) as served:
        yield served
