"""What a person sees of a form that is refused, of one that takes long, and of a network that is away."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.browser.site import Site
from tests.browser.test_everyone import PHONE

pytestmark = pytest.mark.flow

OpenBrowser = Callable[..., BrowserContext]


def wait_for(window: Page, held: list[Route], count: int) -> None:
    for _ in range(600):
        if len(held) >= count:
            return
        window.wait_for_timeout(100)
    raise AssertionError(f"{len(held)} of {count} requests came within a minute")


@pytest.mark.parametrize("scripts", [True, False])
def test_a_refused_form_has_the_focus_and_leads_to_its_field(
    site: Site, open_browser: OpenBrowser, scripts: bool
) -> None:
    page = open_browser(**PHONE, java_script_enabled=scripts).new_page()
    email = site.register(page)
    site.make_confirmed(email)
    page.goto("/preferences/")
    page.get_by_label("Channel", exact=True).select_option("webhook")
    page.get_by_label("Address").fill("no url")
    page.get_by_role("button", name="Add").click()
    summary = page.locator(".refusal")
    expect(summary).to_be_in_viewport()
    expect(summary).to_be_focused()
    expect(page).to_have_title(re.compile("Error: Preferences"))
    summary.get_by_role("link").first.click()
    expect(page.get_by_label("Address")).to_be_focused()


def test_what_is_typed_in_one_form_outlives_another(site: Site, window: Page) -> None:
    site.register(window)
    window.goto("/account/")
    window.get_by_label("First name").fill("Beatriz")
    window.locator("#password_current_password").fill("not to be kept")
    window.get_by_role("button", name="Send a code").click()
    expect(window.get_by_text("A code is on its way.")).to_be_visible()
    expect(window.get_by_label("First name")).to_have_value("Beatriz")
    expect(window.locator("#password_current_password")).to_have_value("")
    # And what was saved is not typed again.
    window.get_by_label("First name").fill("Bea")
    window.locator("form[action='/account/details/']").get_by_role("button").click()
    expect(window.get_by_text("Your changes are saved.")).to_be_visible()
    expect(window.get_by_label("First name")).to_have_value("Bea")


def test_a_pressed_button_is_busy_and_does_it_once(site: Site, window: Page) -> None:
    email = site.register(window)
    site.wait_until_told(email, 1)
    window.goto("/inbox/")
    held: list[Route] = []
    window.route("**/read/", lambda route: held.append(route))
    mark = window.get_by_role("button", name="Mark read", exact=True)
    mark.dblclick()
    expect(mark).to_have_attribute("aria-busy", "true")
    expect(mark).to_be_disabled()
    expect(mark).to_be_focused()
    assert len(held) == 1
    held.pop().continue_()
    expect(window.get_by_role("button", name="Mark unread")).to_be_enabled()

    # A page that is on its way to the next can't be asked, but it sends nothing twice.
    window.goto("/preferences/")
    sent: list[str] = []
    window.on("request", lambda request: sent.append(request.method))
    window.get_by_role("button", name="Save", exact=True).dblclick(no_wait_after=True)
    expect(window.get_by_text("Saved.")).to_be_visible()
    assert sent.count("POST") == 1


def test_a_network_that_is_away_is_not_live(site: Site, open_browser: OpenBrowser) -> None:
    browser = open_browser()
    window = browser.new_page()
    site.register(window)
    # What comes meanwhile would show that it is live.
    expect(window.locator(".notice")).to_have_count(1)
    live = window.locator("#live")
    expect(live).to_have_text("Live")
    browser.set_offline(True)
    expect(live).to_have_text("Reconnecting…")
    browser.set_offline(False)
    expect(live).to_have_text("Live")


def test_what_was_on_its_way_does_not_call_a_network_live(site: Site, open_browser: OpenBrowser) -> None:
    browser = open_browser()
    window = browser.new_page()
    site.register(window)
    expect(window.locator(".notice")).to_have_count(1)
    live = window.locator("#live")
    expect(live).to_have_text("Live")
    held: list[Route] = []
    window.route("**/inbox/news/**", lambda route: held.append(route))
    name = f"tocsin-inbox-{window.locator('#bell').get_attribute('data-user')}"
    hear = "name => new BroadcastChannel(name).postMessage('changed')"
    window.evaluate(hear, name)
    wait_for(window, held, 1)
    browser.set_offline(True)
    expect(live).to_have_text("Reconnecting…")
    held[0].fulfill(json={"html": "", "last": 0, "unread": 1, "more": False})
    wait_for(window, held, 2)
    expect(live).to_have_text("Reconnecting…")
    # Nor does another tab that heard something before it.
    window.evaluate(hear, name)
    window.wait_for_timeout(300)
    expect(live).to_have_text("Reconnecting…")
    window.unroute("**/inbox/news/**")
    browser.set_offline(False)
    expect(live).to_have_text("Live")


def test_whoever_was_logged_out_comes_back_to_their_page(site: Site, window: Page) -> None:
    email = site.register(window)
    site.wait_until_told(email, 1)
    window.goto("/account/")
    site.sql("DELETE FROM django_session")
    window.get_by_label("First name").fill("Bea")
    window.locator("form[action='/account/details/']").get_by_role("button").click()
    expect(window.get_by_text("nothing was changed")).to_be_visible()
    window.get_by_label("Email address").fill(email)
    window.get_by_label("Password").fill("correct horse battery")
    window.get_by_role("button", name="Log in").click()
    window.wait_for_url("**/account/")


def test_what_is_deleted_comes_back(site: Site, window: Page) -> None:
    email = site.register(window)
    site.wait_until_told(email, 1)
    window.goto("/inbox/")
    window.get_by_role("button", name="Delete").click()
    expect(window.locator(".notice")).to_have_count(0)
    window.get_by_role("button", name="Undo").click()
    expect(window.locator(".notice")).to_have_count(1)
