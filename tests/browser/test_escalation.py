"""An escalation's page moves by itself, and is acknowledged there by a keyboard alone."""

import re
import time
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta

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


SCHEDULE = """
from accounts.models import User
from datetime import timedelta
from config import clock
from tests.factories import UserFactory, schedule_of
user = User.objects.get(email={email!r})
begins = (clock.now() - timedelta(days=9)).date()
print(schedule_of(user, UserFactory(first_name="Bo"), name={name!r}, shift_h=24, starts_on=begins).pk)
"""


def test_a_span_drawn_over_the_weeks_is_that_of_who_stands_in(site: Site, window: Page) -> None:
    email = site.register(window)
    site.make_operator(email)
    window.goto(f"/on-call/{site.python(SCHEDULE.format(email=email, name=f'Drawn by {email}'))}/")
    row = window.locator("[data-draws]").nth(1)
    row.scroll_into_view_if_needed()
    box = row.bounding_box()
    assert box is not None
    y, day = box["y"] + box["height"] / 2, box["width"] / 7
    window.mouse.move(box["x"] + day, y)
    window.mouse.down()
    window.mouse.move(box["x"] + 2 * day, y, steps=5)
    expect(row.locator(".cal-drawn")).to_be_visible()
    window.mouse.move(box["x"] + 2.5 * day, y, steps=5)
    window.mouse.up()
    expect(window.get_by_label("Who stands in")).to_be_focused()
    starts, ends = (window.get_by_label(name, exact=True).input_value() for name in ("From", "Until"))
    begin, end = datetime.fromisoformat(starts), datetime.fromisoformat(ends)
    assert (begin.weekday(), begin.hour, begin.minute) == (1, 0, 0)
    assert end - begin == timedelta(days=1, hours=12)
    # A press is no drawing: it leads to the whole block.
    window.locator("[data-draws] a[tabindex]").nth(1).click()
    window.wait_for_url("**starts_at=**")
    starts, ends = (window.get_by_label(name, exact=True).input_value() for name in ("From", "Until"))
    assert datetime.fromisoformat(ends) - datetime.fromisoformat(starts) == timedelta(days=1)
