"""A real browser for tests: the system's Chromium, what must not happen on a page, and what axe finds on it."""

import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from urllib.parse import quote, urljoin, urlsplit

from playwright.sync_api import Browser, BrowserContext, BrowserType, ConsoleMessage, Page, Request, Response

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
HEIGHTS = {390: 844, 1280: 900}
WAIT_MS_MAX = 10_000
AXE_TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")
RUN_AXE = """async tags => {
  const found = await axe.run(document, {runOnly: {type: 'tag', values: tags}, resultTypes: ['violations']});
  return found.violations.flatMap(rule => rule.nodes.map(node =>
    `${rule.id} (${rule.impact}): ${rule.help}; ${node.target.join(' ')}: ${node.html.slice(0, 160)}`));
}"""


def find_browser() -> str | None:
    """The path of this machine's Chromium; None without one. Nothing is ever downloaded."""
    return next((path for name in PROGRAMS if (path := shutil.which(name))), None)


def launch(chromium: BrowserType, program: str) -> Browser:
    """The browser, without a window; it reaches this machine only."""
    arguments = ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"]
    # A container's root has no sandbox to give; everybody else keeps it.
    return chromium.launch(executable_path=program, args=arguments, chromium_sandbox=os.geteuid() != 0)


class Visitor:
    """A person with a browser of their own and no memory from before; `mishaps` is what no page of ours may cause.

    That is: an error on the console (a violated Content-Security-Policy is one), an uncaught error of a script, and
    a request to another host. An error status of the page itself is no mishap: tests ask for such pages.
    """

    def __init__(
        self,
        browser: Browser,
        base: str,
        width: int = 1280,
        javascript: bool = True,
        dark: bool = False,
        cookies: Mapping[str, str] | None = None,
    ) -> None:
        self.base = base
        self.mishaps: list[str] = []
        self._pages: set[str] = set()
        self.context: BrowserContext = browser.new_context(
            viewport={"width": width, "height": HEIGHTS.get(width, 900)},
            java_script_enabled=javascript,
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
            locale="de-DE",
            timezone_id="Europe/Berlin",
            has_touch=width < 600,
        )
        self.context.set_default_timeout(WAIT_MS_MAX)
        self.context.add_cookies([{"name": name, "value": one, "url": base} for name, one in (cookies or {}).items()])
        self.context.on("request", self._asked)
        self.context.on("response", self._answered)
        self.context.on("console", self._said)
        self.context.on("weberror", lambda error: self.mishaps.append(f"error in a script: {error.error}"))

    def go(self, path: str) -> Page:
        """A new page (a tab) at this path of the base, loaded."""
        page = self.context.new_page()
        page.goto(urljoin(self.base, path))
        return page

    def sign_in(self, name: str, password: str, path: str = "/") -> Page:
        """The page at `path`, reached through the form on /anmelden as a person does it, without a script."""
        page = self.go(f"/anmelden?weiter={quote(path)}")
        page.get_by_label("Name", exact=True).fill(name)
        page.get_by_label(re.compile("Passwort|Kennwort")).fill(password)
        page.get_by_role("main").get_by_role("button", name="Anmelden").click()
        page.wait_for_url(lambda url: not urlsplit(url).path.startswith("/anmelden"))
        return page

    def close(self) -> None:
        """Close all pages."""
        self.context.close()

    def _asked(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme in ("http", "https", "ws", "wss") and address.netloc != urlsplit(self.base).netloc:
            self.mishaps.append(f"a request to another host: {request.url}")

    def _answered(self, response: Response) -> None:
        if response.request.is_navigation_request():
            self._pages.add(response.url)

    def _said(self, message: ConsoleMessage) -> None:
        about_the_page = message.location.get("url") in self._pages and "Failed to load resource" in message.text
        if message.type == "error" and not about_the_page:
            self.mishaps.append(f"on the console of {message.page.url if message.page else '?'}: {message.text}")


class OpenPage:
    """Opens a page for a new visitor; `path` is one of `base`, which is the live centre's address unless given."""

    def __init__(self, browser: Browser, live: Callable[[], str]) -> None:
        self.browser = browser
        self.live = live
        self.visitors: list[Visitor] = []

    def __call__(
        self,
        path: str,
        *,
        width: int = 1280,
        javascript: bool = True,
        dark: bool = False,
        cookies: Mapping[str, str] | None = None,
        sign_in: tuple[str, str] | None = None,
        base: str = "",
    ) -> Page:
        """The page, loaded; `sign_in` is a name and a password."""
        visitor = Visitor(self.browser, base or self.live(), width, javascript, dark, cookies)
        self.visitors.append(visitor)
        return visitor.sign_in(*sign_in, path) if sign_in else visitor.go(path)

    @property
    def mishaps(self) -> list[str]:
        """What happened so far to all visitors and must not."""
        return [mishap for visitor in self.visitors for mishap in visitor.mishaps]

    def forgive(self) -> list[str]:
        """The mishaps so far, which then no longer fail the test."""
        found = self.mishaps
        for visitor in self.visitors:
            visitor.mishaps.clear()
        return found

    def close(self) -> None:
        """All visitors leave."""
        for visitor in self.visitors:
            visitor.close()


def axe(page: Page, tags: Sequence[str] = AXE_TAGS) -> list[str]:
    """What axe-core finds against WCAG 2.2 AA, a sentence for each element; [] = nothing.

    axe comes in through the debugger, which a page's CSP does not stop. A page whose visitor has no JavaScript is
    looked at as it stands, in another tab that can run axe.
    """
    if page.evaluate("matchMedia('(scripting: enabled)').matches"):
        return _run_axe(page, tags)
    assert page.context.browser is not None, "a context of ours belongs to a browser"
    context = page.context.browser.new_context(
        viewport=page.viewport_size,
        color_scheme="dark" if page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches") else "light",
        reduced_motion="reduce",
        storage_state=page.context.storage_state(),
    )
    try:
        still = context.new_page()
        # <noscript> is unwrapped: what stands in it is what this visitor sees.
        text = re.sub(r"<script\b.*?</script>|</?noscript\b[^>]*>", "", page.content(), flags=re.DOTALL)
        still.route(page.url, lambda route: route.fulfill(body=text, content_type="text/html; charset=utf-8"))
        still.goto(page.url)
        return _run_axe(still, tags)
    finally:
        context.close()


def _run_axe(page: Page, tags: Sequence[str]) -> list[str]:
    page.evaluate((files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8"))
    found: list[str] = page.evaluate(RUN_AXE, list(tags))
    return found
