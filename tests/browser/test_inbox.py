"""The inbox tidied up in a browser: by keys, put off, and back by itself."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.browser.site import Site
from tests.browser.test_live import expect_items, expect_live, mark

pytestmark = pytest.mark.flow

OpenBrowser = Callable[..., BrowserContext]
TIME_HAS_COME = """
UPDATE notifications_inboxitem SET snoozed_until = now() - interval '1 second'
  FROM accounts_user WHERE uuid = user_id AND email = %(email)s AND snoozed_until IS NOT NULL
"""
FORBIDDEN = """
for (const name of ["localStorage", "sessionStorage"])
    Object.defineProperty(window, name, {get() { throw new DOMException("no", "SecurityError"); }});
"""


def test_what_is_snoozed_by_a_key_comes_back_by_itself_on_top_of_each_open_list(
    site: Site, open_browser: OpenBrowser
) -> None:
    browser = open_browser()
    window, other = browser.new_page(), browser.new_page()
    email = site.register(window)
    site.publish(email, "Surgery")
    site.wait_until_told(email, 2)
    for page in (window, other):
        page.goto("/inbox/")
        expect_items(page, "Surgery", "Welcome")
        mark(page)
    window.keyboard.press("j")
    window.keyboard.press("j")
    window.keyboard.press("h")
    expect(window.get_by_role("button", name="For an hour")).to_be_focused()
    window.keyboard.press("Enter")
    expect_items(window, "Surgery")
    expect(window.locator("#messages")).to_contain_text("Snoozed until")
    expect_live(window, 1)
    # Another page shows it still, until it comes back: there it moves to the top.
    expect_live(other, 1)
    snoozed = browser.new_page()
    snoozed.goto("/inbox/?show=snoozed")
    expect_items(snoozed, "Welcome")
    mark(snoozed)
    site.sql(TIME_HAS_COME, email=email)
    for page in (window, other):
        expect_live(page, 2)
        expect_items(page, "Welcome", "Surgery")
    expect_items(snoozed)
    expect(snoozed.get_by_text("Nothing is snoozed.")).to_be_visible()


def test_snoozing_is_undone_or_ended_early_without_scripts(site: Site, open_browser: OpenBrowser) -> None:
    page = open_browser(java_script_enabled=False).new_page()
    email = site.register(page)
    site.publish(email, "Surgery")
    site.wait_until_told(email, 2)
    page.goto("/inbox/?show=unread")
    for button in ("Undo", "Bring it back now"):
        page.get_by_text("Snooze", exact=True).last.click()
        page.get_by_role("button", name="Until Monday, 8:00").last.click()
        expect(page.locator(".notice")).to_have_count(1)
        if button != "Undo":
            page.get_by_role("link", name="Snoozed", exact=True).click()
        page.get_by_role("button", name=button).click()
        page.get_by_role("link", name="Unread", exact=True).click()
        expect(page.locator(".notice")).to_have_count(2)
    expect_items(page, "Welcome", "Surgery")


def test_keys_work_where_a_browser_keeps_nothing(site: Site, open_browser: OpenBrowser) -> None:
    browser = open_browser()
    browser.add_init_script(FORBIDDEN)
    page: Page = browser.new_page()
    email = site.register(page)
    site.wait_until_told(email, 1)
    page.goto("/inbox/")
    expect_items(page, "Welcome")
    page.keyboard.press("j")
    page.keyboard.press("e")
    expect(page.locator("#bell")).to_have_accessible_name("Inbox, 0 unread")
    page.keyboard.press("?")
    page.get_by_label("Use these keys").uncheck()
    page.get_by_role("button", name="Close").click()
    page.locator("main").focus()
    page.keyboard.press("u")
    page.keyboard.press("j")
    expect(page.locator(".notice")).not_to_be_focused()
    expect(page.locator("#bell")).to_have_accessible_name("Inbox, 0 unread")


def test_a_key_pressed_before_the_last_one_is_answered_is_done_after_it(site: Site, window: Page) -> None:
    email = site.register(window)
    site.publish(email, "Surgery")
    site.wait_until_told(email, 2)
    window.goto("/inbox/")
    expect_items(window, "Surgery", "Welcome")
    held: list[Route] = []
    window.route("**/read/", lambda route: held.append(route))
    window.keyboard.press("j")
    with window.expect_request("**/read/"):
        window.keyboard.press("e")
    window.keyboard.press("#")
    held.pop().continue_()
    expect_items(window, "Welcome")
    window.reload()
    expect_items(window, "Welcome")


def test_keys_pass_over_what_is_folded_until_it_is_opened(site: Site, window: Page) -> None:
    email = site.register(window)
    site.wait_until_told(email, 1)
    for count, title in enumerate(("Oven hot", "Oven hot", "Oven hot", "Door open"), start=2):
        site.publish(email, title)
        site.wait_until_told(email, count)
    window.goto("/inbox/")
    keys = ("Door open", "Oven hot", "Welcome")
    for title in keys:
        window.keyboard.press("j")
        expect(window.locator(".notice:focus")).to_contain_text(title)
    window.get_by_text("2 more like this").click()
    window.locator(".notice").nth(1).focus()
    for title in ("Oven hot", "Oven hot", "Welcome"):
        window.keyboard.press("j")
        expect(window.locator(".notice:focus")).to_contain_text(title)
    window.get_by_role("button", name="Mark all read").click()
    expect(window.locator("#bell")).to_have_accessible_name("Inbox, 0 unread")
    window.get_by_role("button", name="Undo").click()
    expect(window.locator("#bell")).to_have_accessible_name("Inbox, 5 unread")
