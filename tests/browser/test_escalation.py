"""An escalation's page moves by itself, and is acknowledged there by a keyboard alone."""

import time

import pytest
from playwright.sync_api import Page, expect

from tests.browser.site import Site

pytestmark = pytest.mark.flow


@pytest.fixture(scope="module")
def key(site: Site) -> str:
    return site.new_key("escalations:write")


def request(site: Site, key: str, **body: object) -> dict:
    headers = {"Authorization": f"Bearer {key}"}
    answer = site.http.post(site.url("/escalations/"), json=body, headers=headers, timeout=30)
    assert answer.ok, answer.text
    return answer.json()["process"]


def start(site: Site, key: str, process_id: str, email: str) -> str:
    """Tell somebody now and in an hour; returns the path of its page."""
    told = {"channel": "user", "user-id": site.user_id(email)}
    notifications = [{**told, "at": time.time()}, {**told, "at": time.time() + 3600}]
    process = request(
        site, key, **{"process-id": process_id, "action": "start", "notifications": notifications}
    )
    return f"/escalations/{process['id']}/"


def test_the_page_follows_a_process_until_it_is_over(site: Site, window: Page, key: str) -> None:
    email = site.register(window)
    window.goto(start(site, key, "followed", email))
    window.evaluate("window.notLoadedAgain = true")
    words = window.locator(".esc-word")
    expect(words).to_have_text(["Sent", "Due"])
    request(site, key, **{"process-id": "followed", "action": "stop"})
    expect(words).to_have_text(["Sent", "Cancelled"])
    expect(window.locator(".esc-summary")).to_contain_text("Stopped by")
    expect(window.get_by_role("button", name="Acknowledge")).to_be_hidden()
    assert window.evaluate("window.notLoadedAgain") is True


def test_it_is_acknowledged_by_keyboard(site: Site, window: Page, key: str) -> None:
    email = site.register(window)
    window.goto(start(site, key, "by keyboard", email))
    button = window.get_by_role("button", name="Acknowledge")
    button.focus()
    # The page asks again, and the focus stays where it was, on what is new.
    button.evaluate("button => button.setAttribute('data-old', '')")
    expect(window.locator("[data-old]")).to_have_count(0)
    expect(button).to_be_focused()
    window.keyboard.press("Enter")
    expect(window.locator("#messages")).to_contain_text("Acknowledged")
    expect(window.locator(".esc-summary")).to_contain_text(f"Acknowledged by {email} (web)")
