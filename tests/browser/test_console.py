"""The console moves by itself, and what rings is taken there with one press."""

import re
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.browser.site import Site

pytestmark = pytest.mark.flow


OpenBrowser = Callable[..., BrowserContext]


@pytest.fixture
def start(site: Site) -> Callable[..., None]:
    """Start an escalation that tells somebody in their inbox now, and again in an hour."""
    key = site.new_key("escalations:write")

    def build(name: str, email: str) -> None:
        notification = {"channel": "user", "user-id": site.user_id(email)}
        body = {
            "process-id": name,
            "action": "start",
            "notifications": [{**notification, "at": time.time() + later} for later in (0, 3600)],
        }
        headers = {"Authorization": f"Bearer {key}"}
        answer = site.http.post(site.url("/escalations/"), json=body, headers=headers, timeout=30)
        assert answer.ok, answer.text

    return build


def as_operator(site: Site, window: Page) -> str:
    email = site.register(window)
    site.make_operator(email)
    window.goto("/console/")
    return email


def item_of(window: Page, name: str) -> Locator:
    return window.locator(".panel-item", has_text=name)


def test_what_rings_appears_by_itself_and_is_taken_with_one_press(
    site: Site, window: Page, start: Callable[..., None]
) -> None:
    told = as_operator(site, window)
    window.evaluate("window.notLoadedAgain = true")
    start("appears", told)
    item = item_of(window, "appears")
    expect(item).to_contain_text("Next: Inbox")
    expect(item.locator("time[data-ago]")).to_have_attribute("data-passed", re.compile(r"^\d+ sec\. ago$"))
    assert window.evaluate("window.notLoadedAgain") is True
    item.get_by_role("button", name="Take it (appears)").click()
    expect(window.locator("#messages")).to_contain_text("Acknowledged")
    window.goto("/console/")
    expect(window.locator("#panel-ringing")).to_be_visible()
    expect(item_of(window, "appears")).to_have_count(0)


def test_the_focus_stays_on_a_button_whose_panel_is_news(
    site: Site, window: Page, start: Callable[..., None]
) -> None:
    told = as_operator(site, window)
    start("first", told)
    button = window.get_by_role("button", name="Take it (first)")
    button.focus()
    start("second", told)
    expect(window.get_by_role("button", name="Take it (second)")).to_be_visible()
    expect(button).to_be_focused()


def test_keys_are_enough_to_take_what_rings_and_to_look_into_it(
    site: Site, window: Page, start: Callable[..., None]
) -> None:
    start("by keys", as_operator(site, window))
    expect(item_of(window, "by keys")).to_be_visible()
    window.locator("body").press("Tab")
    expect(window.get_by_role("link", name="Skip to the content")).to_be_focused()
    window.keyboard.press("Enter")
    seen = press_until(window, "Tab", lambda text: "(by keys)" in text)
    assert "by keys" in seen  # its name leads to it
    window.keyboard.press("Enter")
    expect(window.locator("#messages")).to_contain_text("Acknowledged")
    window.keyboard.press("Control+k")
    window.wait_for_url("**/console/find/")
    window.keyboard.type("by keys")
    expect(window.locator("#hits").get_by_role("link", name="by keys")).to_be_visible()
    press_until(window, "Tab", lambda text: text.startswith("by keys"))
    window.keyboard.press("Enter")
    window.wait_for_url("**/escalations/*/")


def press_until(window: Page, key: str, is_there: Callable[[str], bool]) -> list[str]:
    """Press a key until what has the focus says something; returns what all said that had it."""
    seen: list[str] = []
    for _ in range(60):
        window.keyboard.press(key)
        said = window.evaluate("document.activeElement.innerText.trim()")
        seen.append(said)
        if is_there(said):
            return seen
    raise AssertionError(seen)


def test_one_thumb_takes_it_on_a_phone(
    site: Site, open_browser: OpenBrowser, start: Callable[..., None]
) -> None:
    window = open_browser(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True).new_page()
    start("on a phone", as_operator(site, window))
    button = window.get_by_role("button", name="Take it (on a phone)")
    expect(button).to_be_visible()
    box = button.bounding_box()
    assert box is not None
    assert min(box["width"], box["height"]) >= 44
    assert window.evaluate("document.documentElement.scrollWidth <= innerWidth")
    button.tap()
    expect(window.locator("#messages")).to_contain_text("Acknowledged")


def test_without_scripts_it_is_read_and_acted_on(
    site: Site, open_browser: OpenBrowser, start: Callable[..., None]
) -> None:
    told = as_operator(site, open_browser().new_page())
    window = open_browser(java_script_enabled=False).new_page()
    site.log_in(window, told)
    window.goto("/console/")
    start("without scripts", told)
    window.get_by_role("link", name="Look again").click()
    item_of(window, "without scripts").get_by_role("button", name="Take it").click()
    expect(window.locator("#messages")).to_contain_text("Acknowledged")
    window.goto("/console/find/")
    window.get_by_role("searchbox").fill("without scripts")
    window.keyboard.press("Enter")
    expect(window.locator("#hits").get_by_role("link", name="without scripts")).to_be_visible()


def test_a_lost_connection_loses_nothing(site: Site, window: Page, start: Callable[..., None]) -> None:
    told = as_operator(site, window)
    live = window.locator("#console-live")
    expect(live).to_have_attribute("data-state", "live")
    window.evaluate("window.notLoadedAgain = true")
    start("before", told)
    expect(item_of(window, "before")).to_be_visible()
    window.context.set_offline(True)
    site.stack.kill("web")
    expect(live).to_have_attribute("data-state", "lost")
    site.stack.start("web")
    start("meanwhile", told)
    window.context.set_offline(False)
    expect(item_of(window, "meanwhile")).to_be_visible()
    expect(live).to_have_attribute("data-state", "live")
    assert window.evaluate("window.notLoadedAgain") is True


def test_two_see_at_once_what_the_other_does(
    site: Site, open_browser: OpenBrowser, start: Callable[..., None]
) -> None:
    one, other = open_browser().new_page(), open_browser().new_page()
    told = as_operator(site, one)
    as_operator(site, other)
    start("for both", told)
    for window in (one, other):
        expect(item_of(window, "for both")).to_be_visible()
    one.get_by_role("button", name="Take it (for both)").click()
    expect(one.locator("#messages")).to_contain_text("Acknowledged")
    expect(item_of(other, "for both")).to_have_count(0)
    # Who took it stands beside what was done.
    other.goto("/console/done/")
    expect(other.locator("main")).to_contain_text(told)


def test_anything_is_found_by_keyboard_as_it_is_typed(site: Site, window: Page) -> None:
    told = site.register(window, first_name="Zerlina")
    site.make_operator(told)
    window.goto("/inbox/")
    window.keyboard.press("Control+k")
    window.wait_for_url("**/console/find/")
    expect(window.get_by_role("searchbox")).to_be_focused()
    window.keyboard.type("zerlina")
    hit = window.locator("#hits").get_by_role("link")
    expect(hit).to_have_count(1)
    expect(window.locator("#hits")).to_contain_text(f"Person: {told}")
    window.keyboard.type(" nobody")
    expect(window.locator("#hits")).to_contain_text("Nothing is called that")
