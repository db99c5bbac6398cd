"""Each page's one task as a stranger does it on a phone, with and without JavaScript; and axe on every page."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from api.app import create_app
from api.server import HttpServer
from tests.api.pages.region import press, small_region
from tests.support.browser import OpenPage, axe
from tests.support.served import Served

PHONE, DESK = 390, 1280
PASSWORD = "gutes-passwort"
ROLES = {"yard": "yard", "dispatcher": "dispatcher", "technician": "technician", "admin": "admin"}
MANY = 1_000_000
PUBLIC = ["/", "/parken", "/parken/naunhof/markt", "/karte", "/anmelden", "/impressum", "/datenschutz"]
PUBLIC += ["/barrierefreiheit", "/hinweise", "/karte?kind=nothing"]
CLOSED = ["/", "/bauhof", "/bauhof/1", "/notruf", "/geraet/NAU-L3", "/geraet/NAU-L4"]
CLOSED += ["/regeln", "/regeln/lamp_out", "/regeln/silent", "/geraet/NAU-L1/warum?rule=lamp_out"]


@contextmanager
def served_region(folder: Path) -> Iterator[Served]:
    """The small region behind a real server, with a person for each role."""
    with small_region(folder) as centre:
        for name, role in ROLES.items():
            centre.accounts.add(name, PASSWORD, role, None, "test")
        # The clock of this centre stands still: no bucket would ever fill again.
        http = replace(centre.settings.http, guest_burst=MANY, account_burst=MANY)
        app = create_app(centre.parts(replace(centre.settings, http=http), dev=False))
        server = HttpServer(app, "127.0.0.1", 0)
        server.start()
        try:
            yield Served(f"http://127.0.0.1:{server.bound_port}", centre)
        finally:
            centre.rules.stop()  # open streams see it and leave
            server.stop()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """For all tests of this module."""
    with served_region(tmp_path_factory.mktemp("site")) as served:
        yield served


def fits(page: Page) -> None:
    """Nothing stands out sideways, and what is to be tapped is large enough."""
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    small = page.evaluate(
        """() => [...document.querySelectorAll('button, .button, select, .doors a, .chips a, .tabs a, summary')]
        .map(one => [one.getBoundingClientRect(), one.textContent.trim()])
        .filter(([box]) => box.width > 1 && box.height > 1 && (box.height < 44 || box.width < 44))
        .map(([box, text]) => `${text} ${box.width}x${box.height}`)"""
    )
    assert small == []


@pytest.mark.parametrize("javascript", [True, False])
def test_a_driver_finds_a_free_bay(open_page: OpenPage, site: Served, javascript: bool) -> None:
    page = open_page("/", base=site.url, width=PHONE, javascript=javascript)
    page.get_by_role("link", name="Parken").first.click()
    page.get_by_role("link", name="Naunhof").click()
    lot = page.locator(".lot", has_text="Am Markt")
    expect(lot).to_contain_text("1 von 3 frei, vor 3 min")
    fits(page)
    lot.get_by_role("link", name="Am Markt", exact=True).click()
    expect(page.get_by_role("link", name="Hinfahren")).to_have_attribute("href", re.compile("^geo:51"))
    expect(page.locator(".bay--free .sr-only").first).to_have_text(re.compile("frei$"))
    assert page.context.cookies() == []
    fits(page)


@pytest.mark.parametrize("javascript", [True, False])
def test_somebody_finds_the_dark_lamp_on_the_map(open_page: OpenPage, site: Served, javascript: bool) -> None:
    page = open_page("/karte", base=site.url, width=PHONE, javascript=javascript)
    page.get_by_label("Zustand").select_option("fault")
    page.get_by_role("button", name="Anzeigen").click()
    expect(page.locator(".row")).to_have_count(1)
    expect(page.locator(".row")).to_contain_text("Lange Straße, Mast 14")
    if javascript:
        expect(page.locator("#karte[data-shown='1'] canvas")).to_be_visible()
        expect(page.locator(".town-name")).to_have_count(7)
    else:
        assert page.locator("#karte .region__fault").get_attribute("d")
    fits(page)


@pytest.mark.parametrize("javascript", [True, False])
def test_the_yard_takes_a_ticket_and_says_it_is_done(open_page: OpenPage, tmp_path: Path, javascript: bool) -> None:
    with served_region(tmp_path) as own:
        page = open_page("/bauhof", base=own.url, width=PHONE, javascript=javascript, sign_in=("yard", PASSWORD))
        fits(page)
        page.get_by_role("link", name=re.compile("Leuchte 3")).click()
        expect(page.locator(".why")).to_contain_text("0,5 W")
        fits(page)
        page.get_by_label("Notiz (freiwillig)").fill("Ich fahre hin")
        page.get_by_role("button", name="Annehmen").click()
        expect(page.locator(".banner")).to_contain_text("Gespeichert: angenommen.")
        expect(page.locator(".timeline")).to_contain_text("Ich fahre hin")
        page.get_by_role("button", name="Erledigt").click()
        page.get_by_role("link", name="Alle Aufträge").click()
        page.get_by_role("link", name=re.compile("^Erledigt")).click()
        expect(page.locator(".column--open .job")).to_have_count(1)


@pytest.mark.parametrize("javascript", [True, False])
def test_a_dispatcher_answers_a_press_to_its_end(open_page: OpenPage, tmp_path: Path, javascript: bool) -> None:
    with served_region(tmp_path) as own:
        press(own.centre, 1)
        page = open_page("/notruf", base=own.url, width=PHONE, javascript=javascript, sign_in=("dispatcher", PASSWORD))
        expect(page.get_by_text("Bei Gefahr 112", exact=True)).to_be_visible()
        fits(page)
        page.get_by_role("button", name="Übernehmen").click()
        page.get_by_role("button", name="Erreicht", exact=True).click()
        page.get_by_role("button", name="Leitstelle (112) ist informiert").click()
        fits(page)
        page.locator(".case summary").click()
        page.get_by_label("Fehlalarm").check()
        page.locator(".case form button", has_text="Abschließen").click()
        expect(page.get_by_text("Kein unbeantworteter Notruf")).to_be_visible()
        (case,) = own.centre.rules.cases.page()[0]
        assert (case.state, case.cause, case.accepted_by) == ("closed", "false", "dispatcher")


def test_a_press_appears_by_itself_and_leaves_what_somebody_types_alone(open_page: OpenPage, tmp_path: Path) -> None:
    with served_region(tmp_path) as own:
        press(own.centre, 1)
        page = open_page("/notruf", base=own.url, width=PHONE, sign_in=("dispatcher", PASSWORD))
        page.get_by_role("button", name="Übernehmen").click()
        expect(page.locator("#verbindung")).to_contain_text("Verbindung ok")
        page.locator(".case summary").click()
        note = page.locator(".case textarea")
        note.fill("Streife ist")
        note.focus()
        own.centre.rules.cases.act(1, "close", "somebody else", cause="test")
        expect(page.get_by_text("Kein unbeantworteter Notruf")).to_be_visible()
        press(own.centre, 2)
        expect(page.locator(".case--waiting")).to_be_visible(timeout=3000)
        expect(page.locator("#ansage")).to_have_text("Neuer Notruf: Notrufsäule Bahnhof")
        expect(page).to_have_title(re.compile(r"^\(1\) Notruf"))


def test_typing_goes_on_while_another_press_arrives(open_page: OpenPage, tmp_path: Path) -> None:
    with served_region(tmp_path) as own:
        press(own.centre, 1)
        page = open_page("/notruf", base=own.url, width=PHONE, sign_in=("dispatcher", PASSWORD))
        page.get_by_role("button", name="Übernehmen").click()
        expect(page.locator("#verbindung")).to_contain_text("Verbindung ok")
        page.locator(".case summary").click()
        page.locator(".case textarea").press_sequentially("Streife")
        own.centre.rules.cases.act(1, "informed", "somebody else")
        expect(page.locator(".case__steps .is-done")).to_have_count(2)
        page.keyboard.type(" ist da")
        expect(page.locator(".case textarea")).to_have_value("Streife ist da")


def test_sound_is_switched_on_with_one_click_and_said(open_page: OpenPage, site: Served) -> None:
    page = open_page("/notruf", base=site.url, width=PHONE, sign_in=("dispatcher", PASSWORD))
    expect(page.locator("#verbindung")).to_contain_text("Ton aus")
    page.get_by_role("button", name="Ton einschalten").click()
    expect(page.locator("#verbindung")).to_contain_text("Ton an")


def test_a_silent_line_turns_the_page_into_a_warning(open_page: OpenPage, site: Served) -> None:
    page = open_page("/anmelden", base=site.url, width=PHONE)
    page.clock.install()
    page.route("**/api/v1/events**", lambda route: route.abort())
    page.locator("input[name=name]").fill("dispatcher")
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("main form button").click()
    page.wait_for_url("**/notruf")
    page.clock.run_for(11_000)
    expect(page.get_by_role("alertdialog")).to_contain_text("Keine Verbindung")
    assert axe(page) == []
    page.unroute("**/api/v1/events**")
    page.clock.run_for(3_000)
    page.clock.resume()
    expect(page.get_by_role("alertdialog")).to_be_hidden()
    open_page.forgive()  # the requests that were cut off


def test_without_javascript_the_queue_says_that_it_stands_still(open_page: OpenPage, site: Served) -> None:
    page = open_page("/notruf", base=site.url, width=PHONE, javascript=False, sign_in=("dispatcher", PASSWORD))
    expect(page.get_by_text("Diese Seite erneuert sich nicht von selbst.")).to_be_visible()
    page.get_by_role("link", name="Alle 10 Sekunden neu laden").click()
    expect(page.get_by_text("Lädt alle 10 Sekunden neu.")).to_be_visible()


@pytest.mark.parametrize("javascript", [True, False])
def test_a_technician_reads_a_curve(open_page: OpenPage, site: Served, javascript: bool) -> None:
    page = open_page("/karte", base=site.url, width=PHONE, javascript=javascript, sign_in=("technician", PASSWORD))
    page.get_by_role("link", name=re.compile("Mast 14")).click()
    expect(page.get_by_role("img", name="Leistung")).to_be_visible()
    page.get_by_text("Messwerte als Tabelle").click()
    expect(page.locator("td.number").first).to_have_text("0,5 W")
    page.get_by_role("link", name="Spannung").click()
    expect(page.get_by_role("heading", name="Verlauf: Spannung")).to_be_visible()
    fits(page)


@pytest.mark.parametrize("javascript", [True, False])
def test_an_administrator_tries_a_threshold_before_it_goes_live(
    open_page: OpenPage, site: Served, javascript: bool
) -> None:
    page = open_page("/bauhof", base=site.url, width=PHONE, javascript=javascript, sign_in=("admin", PASSWORD))
    page.get_by_role("link", name=re.compile("die Regeln")).click()
    page.get_by_role("link", name=re.compile("Lampe dunkel")).click()
    page.get_by_label("Anteil, der zu wenig ist (%)", exact=True).fill("1")
    page.get_by_role("button", name="Ausprobieren").click()
    expect(page.get_by_text("Weggefallen: 1")).to_be_visible()
    expect(page.get_by_text("low_share = 0.01")).to_be_visible()
    assert axe(page) == []
    fits(page)


@pytest.mark.parametrize("javascript", [True, False])
def test_a_yard_worker_asks_why_a_lamp_was_not_told(open_page: OpenPage, site: Served, javascript: bool) -> None:
    page = open_page("/geraet/NAU-L1", base=site.url, width=PHONE, javascript=javascript, sign_in=("yard", PASSWORD))
    page.get_by_label("Regel").select_option(label="Lampe dunkel")
    page.get_by_role("button", name="Erklären").click()
    expect(
        page.get_by_text(re.compile("Nicht ausgelöst: Um .* gemeldet wird erst bei weniger als 10 W."))
    ).to_be_visible()
    fits(page)


def test_the_keyboard_reaches_the_content_and_sees_where_it_is(open_page: OpenPage, site: Served) -> None:
    page = open_page("/parken", base=site.url, width=DESK)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Zum Inhalt springen")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("Tab")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, DESK])
def test_axe_finds_nothing_on_any_public_page(open_page: OpenPage, site: Served, width: int, dark: bool) -> None:
    page = open_page("/", base=site.url, width=width, dark=dark)
    for path in PUBLIC:
        page.goto(site.url + path)
        assert axe(page) == [], path
        fits(page)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, DESK])
def test_axe_finds_nothing_on_any_closed_page(open_page: OpenPage, site: Served, width: int, dark: bool) -> None:
    if not site.centre.rules.cases.page()[0]:
        press(site.centre, 1)
    page = open_page("/", base=site.url, width=width, dark=dark, sign_in=("admin", PASSWORD))
    for path in CLOSED:
        page.goto(site.url + path)
        assert axe(page) == [], path
        fits(page)
