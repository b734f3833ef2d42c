"""What moves on the pages by itself."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.site import Site

pytestmark = pytest.mark.flow

OpenBrowser = Callable[..., BrowserContext]
# Browsers allow so many connections to one server, and then some.
TABS = 8


def mark(page: Page) -> None:
    """Leave a mark on a page that loading it again would take away."""
    page.evaluate("window.notLoadedAgain = true")


def expect_live(page: Page, unread: int) -> None:
    """Expect this count at the bell and in the title, without the page having been loaded again."""
    expect(page.locator("#bell")).to_have_accessible_name(f"Inbox, {unread} unread")
    expect(page.locator(".bell-count")).to_have_text(str(unread))
    assert page.title().startswith(f"({unread}) " if unread else "Inbox")
    assert page.evaluate("window.notLoadedAgain") is True


def expect_items(page: Page, *titles: str) -> None:
    """Expect these items, the newest first, each once."""
    items = page.locator(".notice")
    expect(items).to_have_count(len(titles))
    for item, title in zip(items.all(), titles, strict=True):
        expect(item).to_contain_text(title)


def test_a_registration_in_one_window_changes_the_bell_of_another(
    site: Site, open_browser: OpenBrowser
) -> None:
    browser = open_browser()
    one, other = browser.new_page(), browser.new_page()
    with site.without_worker():
        site.register(one)
        other.goto("/preferences/")
        for page in (one, other):
            mark(page)
            expect(page.locator("#bell")).to_have_accessible_name("Inbox, 0 unread")
        expect(one.get_by_text("Nothing here yet")).to_be_visible()
    expect_live(one, 1)
    expect(other.locator("#bell")).to_have_accessible_name("Inbox, 1 unread")
    assert other.title() == "(1) Preferences · Tocsin"
    assert other.evaluate("window.notLoadedAgain") is True
    expect_items(one, "Welcome to Tocsin, Ana!")
    expect(one.get_by_text("Nothing here yet")).to_be_hidden()
    # Said once, politely, to who can't see it.
    expect(one.locator("#said")).to_have_text("1 new, 1 unread")


def test_whoever_registers_is_told_in_their_language_and_time(site: Site, open_browser: OpenBrowser) -> None:
    window = open_browser(locale="fr-FR", timezone_id="Asia/Tokyo").new_page()
    email = site.register(window)
    expect_items(window, "Bienvenue")
    expect(window.locator("html[lang=fr]")).to_contain_text("Boîte de réception")
    chosen = site.sql("SELECT language, time_zone FROM accounts_user WHERE email = %(email)s", email=email)
    assert chosen == [("fr", "Asia/Tokyo")]


def test_what_is_read_in_one_browser_is_read_in_another(site: Site, open_browser: OpenBrowser) -> None:
    laptop, phone = open_browser().new_page(), open_browser().new_page()
    email = site.register(laptop)
    site.wait_until_told(email, 1)
    site.log_in(phone, email)
    expect_items(phone, "Welcome")
    mark(phone), mark(laptop)
    expect_items(laptop, "Welcome")
    laptop.get_by_role("button", name="Mark read", exact=True).click()
    expect(phone.locator("#bell")).to_have_accessible_name("Inbox, 0 unread")
    expect(laptop.locator("#bell")).to_have_accessible_name("Inbox, 0 unread")
    expect(phone.locator(".bell-count")).to_be_hidden()
    assert phone.evaluate("window.notLoadedAgain") is True


def test_a_lost_connection_loses_nothing_and_repeats_nothing(site: Site, window: Page) -> None:
    email = site.register(window)
    expect_items(window, "Welcome")
    mark(window)
    expect(window.locator("#live")).to_have_text("Live")
    site.publish(email, "First")
    expect_items(window, "First", "Welcome")
    with site.without_worker():
        site.publish(email, "Second")
        site.publish(email, "Third")
        site.stack.kill("web")
    # Nobody can hear of them: there is no web process until both are in the inbox.
    site.wait_until_told(email, 4)
    expect(window.locator("#live")).to_have_text("Reconnecting…")
    site.stack.start("web")
    expect(window.locator("#live")).to_have_text("Live")
    expect_live(window, 4)
    site.publish(email, "Fourth")
    expect_live(window, 5)
    assert sorted(_named(window)) == ["First", "Fourth", "Second", "Third"]


def test_a_browser_without_a_network_catches_up(site: Site, open_browser: OpenBrowser) -> None:
    browser = open_browser()
    window = browser.new_page()
    email = site.register(window)
    expect_items(window, "Welcome")
    mark(window)
    browser.set_offline(True)
    site.publish(email, "Meanwhile")
    site.wait_until_told(email, 2)
    browser.set_offline(False)
    expect_live(window, 2)
    expect_items(window, "Meanwhile", "Welcome")


def test_more_than_a_page_of_news_leaves_no_gap(site: Site, open_browser: OpenBrowser) -> None:
    browser = open_browser()
    # Without a stream the page asks once, when the network comes back, and must get all of them by that.
    browser.route("**/api/v1/inbox/stream/**", lambda route: route.abort())
    window = browser.new_page()
    with site.without_worker():
        with window.expect_response("**/inbox/news/*"):
            email = site.register(window)
        mark(window)
        for number in range(25):
            site.publish(email, f"Number {number}")
    site.wait_until_told(email, 26)
    expect(window.locator(".notice")).to_have_count(0)
    window.evaluate("dispatchEvent(new Event('online'))")
    expect_live(window, 26)
    expect(window.locator(".notice")).to_have_count(26)
    assert sorted(_named(window)) == sorted(f"Number {number}" for number in range(25))


def test_many_tabs_share_a_stream_and_go_on_when_one_is_closed(site: Site, open_browser: OpenBrowser) -> None:
    browser = open_browser()
    first = browser.new_page()
    email = site.register(first)
    expect_items(first, "Welcome")
    tabs = [browser.new_page() for _ in range(TABS)]
    for tab in tabs:
        tab.goto("/inbox/")
        mark(tab)
        expect_items(tab, "Welcome")
    site.publish(email, "One")
    for tab in tabs:
        expect_live(tab, 2)
    # The first one held the stream.
    first.close()
    site.publish(email, "Two")
    for tab in tabs:
        expect_live(tab, 3)
        expect_items(tab, "Two", "One", "Welcome")


def test_a_count_that_comes_moves_nothing(site: Site, open_browser: OpenBrowser) -> None:
    browser = open_browser()
    window = browser.new_page()
    email = site.register(window)
    expect_items(window, "Welcome")
    window.get_by_role("button", name="Mark all read").click()
    expect(window.locator("#bell")).to_have_accessible_name("Inbox, 0 unread")
    window.goto("/preferences/")
    mark(window)
    window.evaluate(
        """() => {
            window.shifted = 0;
            new PerformanceObserver((list) => {
                for (const entry of list.getEntries()) window.shifted += entry.value;
            }).observe({ type: "layout-shift", buffered: true });
        }"""
    )
    before = window.locator("#bell").bounding_box()
    site.publish(email, "One")
    expect(window.locator(".bell-count")).to_be_visible()
    assert window.locator("#bell").bounding_box() == before
    assert window.evaluate("window.shifted") == 0


def test_a_tab_of_who_has_logged_out_says_so_and_asks_no_more(site: Site, open_browser: OpenBrowser) -> None:
    browser = open_browser()
    one, other = browser.new_page(), browser.new_page()
    site.register(one)
    other.goto("/inbox/")
    expect(other.locator("#live")).to_have_text("Live")
    one.locator("details.menu summary").click()
    one.get_by_role("button", name="Log out").click()
    one.wait_for_url("**/login/")
    other.evaluate("dispatchEvent(new Event('online'))")
    expect(other.locator("#live")).to_contain_text("Logged out")
    asked = []
    other.on("request", lambda request: asked.append(request.url))
    other.evaluate("dispatchEvent(new Event('online'))")
    other.goto("/inbox/")
    other.wait_for_url("**/login/?next=%2Finbox%2F")
    assert [url for url in asked if "/news/" in url or "/stream/" in url] == []


def test_whoever_logs_in_again_hears_of_news_beside_a_tab_of_before(
    site: Site, open_browser: OpenBrowser
) -> None:
    browser = open_browser()
    old, window = browser.new_page(), browser.new_page()
    email = site.register(old)
    expect_items(old, "Welcome")  # so it holds the stream
    window.goto("/inbox/")
    window.locator("details.menu summary").click()
    window.get_by_role("button", name="Log out").click()
    window.wait_for_url("**/login/")
    expect(old.locator("#live")).to_contain_text("Logged out")
    site.log_in(window, email)
    mark(window)
    expect_items(window, "Welcome")
    site.publish(email, "One")
    expect(window.locator(".bell-count")).to_have_text("2", timeout=20_000)
    expect_live(window, 2)
    expect_items(window, "One", "Welcome")
    expect(old.locator("#live")).to_contain_text("Logged out")


def _named(page: Page) -> list[str]:
    """The titles that this test has given, as the items on the page have them."""
    bodies = page.locator(".notice-body").all_text_contents()
    return [body.partition("“")[2].partition("”")[0] for body in bodies if "“" in body]
