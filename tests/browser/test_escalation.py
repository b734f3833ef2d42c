"""An escalation's page moves by itself, and is acknowledged there by a keyboard alone."""

import re
import time
import uuid
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

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
    expect(window.locator(".esc-summary")).to_contain_text(f"Acknowledged by {email} at")


def test_the_link_of_a_mail_acknowledges(site: Site, window: Page, key: str) -> None:
    to = f"{uuid.uuid4().hex}@example.com"
    told = [{"channel": "email", "email": to, "at": time.time() + wait} for wait in (0, 3600)]
    process = request(site, key, **{"process-id": "by mail", "action": "start", "notifications": told})
    site.mail.wait_until(lambda: text_to(site, to) != "", 60, lambda: "no mail")
    link = re.search(r"\S+/acknowledge/\S+", text_to(site, to))
    assert link
    window.goto(link[0])
    window.get_by_role("button", name="Acknowledge").click()
    expect(window.get_by_role("heading", level=1)).to_have_text("Acknowledged")
    state = site.sql("SELECT state FROM escalation_escalationprocess WHERE id = %(id)s", id=process["id"])
    assert state == [("acknowledged",)]


def text_to(site: Site, address: str) -> str:
    """Return the text of the mail to an address; "" while there is none."""
    texts = [mail.message.get_content() for mail in list(site.mail.mails) if address in mail.recipients]
    return texts[0] if texts else ""


def test_a_browser_without_cookies_is_told_how_to_acknowledge(
    site: Site, open_browser: Callable[..., BrowserContext], key: str
) -> None:
    to = f"{uuid.uuid4().hex}@example.com"
    told = [{"channel": "email", "email": to, "at": time.time()}]
    process = request(site, key, **{"process-id": "no cookies", "action": "start", "notifications": told})
    site.mail.wait_until(lambda: text_to(site, to) != "", 60, lambda: "no mail")
    link = re.search(r"\S+/acknowledge/\S+", text_to(site, to))
    assert link
    context = open_browser()
    page = context.new_page()
    page.goto(link[0])
    context.clear_cookies()
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.get_by_role("alert")).to_contain_text("nothing was acknowledged")
    page.get_by_role("link", name="Log in and acknowledge it there").click()
    page.wait_for_url(f"**/login/?next=%2Fescalations%2F{process['id']}%2F")
