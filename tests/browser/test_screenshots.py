"""The pictures of the README, taken from a demo; `make screenshots` copies them to docs/screenshots."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from deploy.contact import Centre, read_contact
from tests.deploy.running import until
from tests.support.browser import OpenPage
from tests.support.demo import demo
from tests.support.project import ROOT

FOLDER = ROOT / "var" / "screenshots"
HEIGHTS = {390: (844, 700), 1280: (800, 720, 640)}
BYTES_MAX = 150_000
START = "2026-11-20T15:00:00Z"  # half an hour before dusk
EVENING_S_MAX = 180.0


@dataclass(frozen=True)
class Evening:
    """A demo some hours after dusk."""

    url: str
    people: dict[str, tuple[str, str]]
    ticket: dict[str, Any]


def items(centre: Centre, path: str) -> list[dict[str, Any]]:
    """The items of one page of the API."""
    with centre.ask(path) as answer:
        found: list[dict[str, Any]] = json.loads(answer.read())["items"]
    return found


@pytest.fixture(scope="module")
def evening(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evening]:
    """A region in which lamps are dark, a circuit is down, and somebody has pressed SOS."""
    data = tmp_path_factory.mktemp("evening") / "demo"
    with demo(data, "--lamps", 1500, "--speed", 360, "--start", START) as (_, told, _):
        centre = read_contact(data)
        assert centre is not None
        rules = {"circuit_down", "lamp_out"}
        until(lambda: {one["rule"] for one in items(centre, "/api/v1/tickets")} >= rules, "tickets", EVENING_S_MAX)
        until(lambda: bool(items(centre, "/api/v1/sos")), "a press", EVENING_S_MAX)
        dark = [one for one in items(centre, "/api/v1/tickets") if one["rule"] == "lamp_out"]
        with centre.ask(f"/api/v1/tickets/{dark[-1]['id']}/accept", b"{}", media="application/json") as answer:
            assert answer.status == 200, answer.read()
        people = {one["role"]: (one["name"], one["password"]) for one in told["people"]}
        yield Evening(told["http"], people, dark[0])


@pytest.mark.slow
@pytest.mark.parametrize("width", HEIGHTS)
@pytest.mark.parametrize(
    ("name", "path", "role"),
    [
        ("notruf", "/notruf", "dispatcher"),
        ("start", "/", None),
        ("karte", "/karte", None),
        ("parken", "/parken", None),
        ("bauhof", "/bauhof", "yard"),
        ("ticket", "/bauhof/{id}", "yard"),
        ("geraet", "/geraet/{device_id}", "technician"),
    ],
)
def test_a_picture_for_the_readme(
    open_page: OpenPage, evening: Evening, name: str, path: str, role: str | None, width: int
) -> None:
    who = evening.people[role] if role else None
    page = open_page(path.format(**evening.ticket), base=evening.url, width=width, sign_in=who)
    picture = take(page, name, width)
    assert 5_000 < picture.stat().st_size <= BYTES_MAX
    assert page.evaluate("document.documentElement.scrollWidth") <= width, "a page never scrolls sideways"


def test_the_pictures_of_the_readme_are_there_and_light() -> None:
    kept = {path.name: path.stat().st_size for path in (ROOT / "docs" / "screenshots").glob("*.png")}
    assert {name for name, size in kept.items() if size > BYTES_MAX} == set()
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"docs/screenshots/([\w-]+\.png)", readme)) == set(kept)


def take(page: Page, name: str, width: int) -> Path:
    """The upper part of the page as PNG, less of it when it would be too heavy for a README."""
    page.wait_for_load_state("load")
    page.evaluate("document.fonts.ready.then(() => true)")
    chart = page.locator(".leaflet-container")
    if chart.count():
        chart.locator("canvas").first.wait_for(state="attached")
        if width < 600:  # on a phone the map is below the fold
            chart.evaluate("map => map.scrollIntoView({block: 'center'})")
    page.wait_for_timeout(1000)  # maps and lists fill themselves after they are there
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{name}-{width}.png"
    for height in HEIGHTS[width]:
        page.screenshot(
            path=path, scale="css", animations="disabled", clip={"x": 0, "y": 0, "width": width, "height": height}
        )
        if path.stat().st_size <= BYTES_MAX:
            break
    return path
