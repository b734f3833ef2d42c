"""axe-core finds nothing on any page, by day on a phone and by night on a wide screen; and each page fits."""

from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page

from tests.browser.site import Site
from tests.furnished import Furnished
from tests.strings.asking import routes

pytestmark = pytest.mark.flow

OpenBrowser = Callable[..., BrowserContext]
#: WCAG 2.2 A and AA, and what axe-core's authors hold for good practice.
RULES: Final = {
    "runOnly": {
        "type": "tag",
        "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    }
}
#: Answered to machines.
NOT_PAGES: Final = ("/api/", "/health", "/metrics", "/webhook", "/integrations/", "/v2/", "/ping/", "/voice/")
#: In the paths of files to download, of parts of pages, and of streams, which never end.
NOT_WHOLE: Final = (".ics", ".md", "export", "stream", "signals", "/news/", "/now/")
SCREENS: Final = (
    {"viewport": {"width": 320, "height": 720}, "color_scheme": "light"},
    {"viewport": {"width": 1920, "height": 1080}, "color_scheme": "dark"},
)


def addresses(furnished: Furnished) -> Iterator[str]:
    for route in routes():
        view = getattr(route.view, "view_class", None)
        if view and not ("get" in view.http_method_names and hasattr(view, "get")):
            continue
        if not route.path.startswith(NOT_PAGES) and not any(each in route.path for each in NOT_WHOLE):
            yield route.filled(furnished)


def faults(page: Page, address: str) -> list[str]:
    """Return what is wrong with a page; nothing of what is none."""
    answer = page.goto(address)
    if answer is None or "text/html" not in answer.headers.get("content-type", ""):
        return []
    found: list[dict[str, Any]] = Axe().run(page, options=RULES).response["violations"]
    said = [
        f"{each['id']}: {node['html'][:160]} ({node['failureSummary'].splitlines()[-1].strip()[:120]})"
        for each in found
        for node in each["nodes"][:3]
    ]
    room, wide = page.viewport_size, page.evaluate("document.documentElement.scrollWidth")
    assert room
    return [*said, *([f"is {wide} px wide"] if wide > room["width"] else [])]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("screen", SCREENS, ids=lambda screen: f"{screen['viewport']['width']} px")
def test_axe_finds_nothing_on_any_page(site: Site, open_browser: OpenBrowser, screen: dict[str, Any]) -> None:
    page = open_browser(**screen).new_page()
    email = site.register(page)
    site.wait_until_told(email, 1)
    ids = site.furnish(email)
    site.make_operator(email)
    wrong, seen = {}, 0
    for address in addresses(Furnished(ids, ids)):
        seen += 1
        if found := faults(page, address):
            wrong[address] = found
    assert not wrong, "\n".join(f"{at}\n    " + "\n    ".join(found) for at, found in wrong.items())
    assert seen > 40


@pytest.mark.timeout(600)
def test_axe_finds_nothing_for_whoever_is_not_logged_in(site: Site, open_browser: OpenBrowser) -> None:
    page = open_browser(**SCREENS[0]).new_page()
    for address in ("/", "/login/", "/register/", "/forgotten-password/", "/reset-password/?token=x", "/no/"):
        assert faults(page, address) == [], address


@pytest.mark.timeout(600)
def test_pages_fit_from_right_to_left(site: Site, open_browser: OpenBrowser) -> None:
    page = open_browser(**SCREENS[0]).new_page()
    email = site.register(page, first_name="نور")
    site.furnish(email)
    site.make_operator(email)
    for address in (
        "/inbox/",
        "/preferences/",
        "/console/",
        "/console/history/",
        "/escalations/",
        "/on-call/",
    ):
        page.goto(address)
        page.evaluate("document.documentElement.dir = 'rtl'")
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, address
