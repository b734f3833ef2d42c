"""A site, and a real browser to look at it with."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.browser.hands import Hands
from tests.browser.site import Site
from tests.servers.smtp import MailServer

NAMES: Final = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
MISSING: Final = "no Chromium on this machine (Debian: apt-get install --no-install-recommends chromium)"
FLAGS: Final = (
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-dev-shm-usage",
    "--disable-sync",
    "--no-first-run",
    # A picture that moves, and beeps; whether a page may have them is still asked.
    "--use-fake-device-for-media-stream",
)
# For a machine that has other things to do, too; what is promised comes in far less.
PATIENCE_MS: Final = 60_000


@pytest.fixture(scope="session")
def program() -> str:
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip(MISSING)
    return path


@pytest.fixture(scope="session")
def site(program: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with MailServer() as mail, Site.at(tmp_path_factory.mktemp("browser"), mail=mail) as running:
        yield running


# Not for the whole session: Playwright's event loop must be gone before other tests run theirs.
@pytest.fixture(scope="package")
def chromium(program: str) -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE_MS)
    # As root there is nothing that its sandbox could be made of.
    flags = [*FLAGS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=flags)
        yield browser
        browser.close()


class Faults:
    """What a page's own console says is wrong with it."""

    # A connection that was cut and an answer with a status of 4xx are none of the page's.
    EXPECTED = re.compile(r"Failed to load resource|net::ERR_")

    def __init__(self) -> None:
        self.seen: list[str] = []

    def watch(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.seen.append(str(error)))
        page.on("console", lambda message: self._note(message.type, message.text))

    def _note(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and not self.EXPECTED.search(text):
            self.seen.append(text)


@pytest.fixture
def open_browser(chromium: Browser, site: Site) -> Iterator[Callable[..., BrowserContext]]:
    """Open a browser with cookies of its own; its windows are the context's pages."""
    contexts: list[BrowserContext] = []
    faults = Faults()

    def build(**options: Any) -> BrowserContext:
        context = chromium.new_context(base_url=site.stack.base_url, **options)
        context.set_default_timeout(PATIENCE_MS)
        context.on("page", faults.watch)
        contexts.append(context)
        return context

    yield build
    for context in contexts:
        context.close()
    assert faults.seen == []


@pytest.fixture
def window(open_browser: Callable[..., BrowserContext]) -> Page:
    return open_browser().new_page()


@pytest.fixture
def hands(site: Site, window: Page) -> Hands:
    """Somebody of the staff who is called Zora and looks at the console."""
    email = site.register(window, first_name="Zora")
    site.make_operator(email)
    window.goto("/console/")
    return Hands(window, email)
