"""The console moves by itself, and what rings is taken there with one press."""

import re
import time

import pytest
from playwright.sync_api import Page, expect

from tests.browser.site import Site

pytestmark = pytest.mark.flow


def test_what_rings_appears_by_itself_and_is_taken_with_one_press(site: Site, window: Page) -> None:
    told = site.register(window)
    site.make_operator(told)
    window.goto("/console/")
    window.evaluate("window.notLoadedAgain = true")
    key = site.new_key("escalations:write")
    notification = {"channel": "user", "user-id": site.user_id(told)}
    body = {
        "process-id": "appears",
        "action": "start",
        "notifications": [{**notification, "at": time.time() + later} for later in (0, 3600)],
    }
    answer = site.http.post(
        site.url("/escalations/"), json=body, headers={"Authorization": f"Bearer {key}"}, timeout=30
    )
    assert answer.ok, answer.text
    item = window.locator(".panel-item", has_text="appears")
    expect(item).to_contain_text("Next: inbox")
    expect(item.locator("time[data-ago]")).to_have_attribute("data-passed", re.compile(r"^\d+ sec\. ago$"))
    assert window.evaluate("window.notLoadedAgain") is True
    item.get_by_role("button", name="Take it (appears)").click()
    expect(window.locator("#messages")).to_contain_text("Acknowledged")
    window.goto("/console/")
    expect(window.locator("#panel-ringing")).to_be_visible()
    expect(window.locator(".panel-item", has_text="appears")).to_have_count(0)


def test_the_focus_stays_on_a_button_whose_panel_is_news(site: Site, window: Page) -> None:
    told = site.register(window)
    site.make_operator(told)
    key = site.new_key("escalations:write")
    person = {"channel": "user", "user-id": site.user_id(told)}

    def start(name: str) -> None:
        notifications = [{**person, "at": time.time() + 3600}]
        body = {"process-id": name, "action": "start", "notifications": notifications}
        headers = {"Authorization": f"Bearer {key}"}
        assert site.http.post(site.url("/escalations/"), json=body, headers=headers, timeout=30).ok

    start("first")
    window.goto("/console/")
    button = window.get_by_role("button", name="Take it (first)")
    button.focus()
    start("second")
    expect(window.get_by_role("button", name="Take it (second)")).to_be_visible()
    expect(button).to_be_focused()


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
