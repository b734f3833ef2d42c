"""People see what is wrong and why they were told or not, and do what their role may, on a phone too."""

import os
import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.site import Site
from tests.browser.test_everyone import expect_to_fit

pytestmark = pytest.mark.flow

OpenBrowser = Callable[..., BrowserContext]
PHONE = {"viewport": {"width": 375, "height": 667}, "has_touch": True, "is_mobile": True}
LINK = "https://grafana.example.com/d/0123456789abcdef0123456789abcdef/disk-usage?orgId=1&var-host=db1"

# An integration whose policy tells this person in their inbox; returns where it is reported to.
SET_UP = """
import uuid
from escalation.policies.definition import Definition
from escalation.policies.parsing import steps_of
from escalation.receiving.setting_up import integration_create
from escalation.services.policies import policy_create
name = uuid.uuid4().hex[:8]
steps = steps_of([dict(after_s=0, targets=[dict(type="user", user_id={user_id!r}, channels=["inbox"])])])
policy, _ = policy_create(name="Night shift " + name, definition=Definition(steps=steps))
mapping = dict(key="key", state="state", title="title", link="link")
made, _ = integration_create(name="Backups " + name, format="generic", policy=policy, mapping=mapping)
print("/integrations/generic/" + made.key + "/")
"""


class Reported:
    """What another system says is wrong, and the person who is told of it."""

    def __init__(self, site: Site, email: str) -> None:
        self.site, self.email = site, email
        self.path = site.python(SET_UP.format(user_id=site.user_id(email)))

    def say(self, key: str, title: str, *, told: int, **fields: Any) -> None:
        """Report it, and wait until so many items are in the person's inbox."""
        body = {"key": key, "title": title, **fields}
        answer = self.site.http.post(self.site.url(self.path), json=body, timeout=30)
        assert answer.status_code == 200, answer.text
        self.site.wait_until_told(self.email, told)


def shot(page: Page, name: str) -> None:
    """Keep a picture, for whoever works on these pages: SHOTS names a folder."""
    if folder := os.environ.get("SHOTS"):
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)


def test_who_is_told_acknowledges_and_resolves_on_a_phone(site: Site, open_browser: OpenBrowser) -> None:
    page = open_browser(**PHONE).new_page()
    reported = Reported(site, site.register(page))
    reported.say("db1/disk", "Disk full on db1: /var/lib/postgresql/18/main", link=LINK, told=2)
    page.reload()  # from now on the bar leads there
    page.get_by_role("link", name="Alert groups").click()
    one = page.get_by_role("listitem").filter(has_text="Disk full")
    expect(one).to_contain_text("Open")
    expect_to_fit(page, "the list")
    shot(page, "list")

    one.get_by_role("link").click()
    expect(page.locator(".esc-told").first).to_have_text(re.compile("People were told at .* “Night shift"))
    why = page.get_by_role("region", name="Why")
    expect(why).to_contain_text("No route matches: the integration's policy is “Night shift")
    expect_to_fit(page, "a group")
    for button in page.locator(".esc-actions").get_by_role("button").all():
        box = button.bounding_box()
        assert box
        assert box["height"] >= 44
        assert box["x"] + box["width"] <= PHONE["viewport"]["width"]
    # Only staff silence.
    expect(page.get_by_role("link", name="Silence")).to_have_count(0)
    shot(page, "open")

    page.get_by_role("button", name="Acknowledge").click()
    expect(page.locator("#messages")).to_contain_text("Acknowledged. Nobody more will be told.")
    expect(page.locator(".esc-summary")).to_contain_text(f"Acknowledged by {reported.email}")
    expect(page.get_by_role("button", name="Acknowledge")).to_have_count(0)
    page.get_by_role("button", name="Resolve").click()
    expect(page.locator(".esc-summary")).to_contain_text(f"Resolved by {reported.email}")
    expect(page.locator(".esc-actions")).to_have_count(0)
    expect_to_fit(page, "a group that is over")
    shot(page, "resolved")
    page.goto("/groups/?state=resolved")
    expect(page.get_by_role("listitem").filter(has_text="Disk full")).to_contain_text("Resolved")


def test_what_is_snoozed_says_until_when(site: Site, open_browser: OpenBrowser) -> None:
    page = open_browser(**PHONE).new_page()
    reported = Reported(site, site.register(page))
    reported.say("web1", "web1 is down", told=2)
    page.goto("/groups/")
    page.get_by_role("link", name="web1 is down").click()
    page.get_by_role("button", name="Snooze for an hour").click()
    expect(page.locator("#messages")).to_contain_text("Snoozed until")
    expect(page.locator(".esc-told").first).to_contain_text("Snoozed. It is looked at again at")
    shot(page, "snoozed")
    # Whoever takes it then is not said to have put it off.
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.locator(".esc-told").first).not_to_contain_text("Snoozed")


def test_an_operator_silences_a_group_and_it_says_why_it_rings_no_more(
    site: Site, open_browser: OpenBrowser
) -> None:
    page = open_browser(viewport={"width": 1280, "height": 900}).new_page()
    email = site.register(page)
    site.make_operator(email)
    reported = Reported(site, email)
    reported.say("db2/disk", "Disk full on db2", told=2)
    reported.say("db3/disk", "Disk full on db3", told=3)
    page.goto("/groups/")
    page.get_by_role("link", name="Disk full on db2").click()
    of_group = page.url
    shot(page, "operator")
    page.get_by_role("link", name="Silence").click()
    page.get_by_label("Reason").fill("The disk is being moved")
    shot(page, "silence")
    page.get_by_role("button", name="Silence it").click()
    expect(page.get_by_text("It is quiet: 1 open group is held back.")).to_be_visible()
    page.goto(of_group)
    expect(page.locator(".esc-told").first).to_contain_text("Silenced: The disk is being moved.")
    shot(page, "silenced")
    # Nothing else is.
    page.goto("/groups/?state=open")
    expect(page.get_by_role("listitem").filter(has_text="Disk full on db2")).to_contain_text("Silenced")
    expect(page.get_by_role("listitem").filter(has_text="Disk full on db3")).not_to_contain_text("Silenced")


def test_a_stranger_sees_none_of_it(site: Site, open_browser: OpenBrowser) -> None:
    told, stranger = open_browser().new_page(), open_browser().new_page()
    reported = Reported(site, site.register(told))
    reported.say("db4/disk", "Disk full on db4", told=2)
    told.goto("/groups/")
    told.get_by_role("link", name="Disk full on db4").click()
    expect(told.get_by_role("heading", level=1)).to_have_text("Disk full on db4")
    site.register(stranger)
    stranger.goto("/groups/")
    expect(stranger.get_by_text("You have not been told of an alert group yet.")).to_be_visible()
    answer = stranger.goto(told.url)
    assert answer
    assert answer.status == 404
