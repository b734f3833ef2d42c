"""What operators come for, done by page alone, in at most half of the clicks and keys that it once took."""

import subprocess
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.browser.hands import Hands
from tests.browser.site import PASSWORD, Site
from tests.browser.test_links import link_in

pytestmark = pytest.mark.flow

#: Mails that failed for good, and one that somebody did not want.
FAILED = """
import json, uuid, random
from datetime import timedelta
from accounts.models import User
from config import clock
from notifications import metrics
from notifications.ids import first_id
from notifications.models import Delivery
from tests.factories import ContactPointFactory, NotificationFactory
from tests.queued import stored
user = User.objects.get(email={email!r})
point = ContactPointFactory(user=user, channel="email", address={email!r})
at = clock.now() - timedelta(minutes=5)
made = stored([
    Delivery(
        id=uuid.UUID(int=first_id(at).int | random.getrandbits(62)),
        notification=NotificationFactory(title=title),
        user=user, contact_point=point, channel="email", address={email!r}, created_at=at, due_at=at,
        expires_at=at + timedelta(days=1), status=status, reason=reason, attempts=attempts,
    )
    for title, status, reason, attempts in [
        ("Theft at noon", "suppressed", "level", 0),
        *((f"Outage {{number}}", "failed", "exhausted", 3) for number in range(3)),
    ]
])
metrics.add("deliveries", "email", "failed", amount=3)
metrics.flush()
print(len(made))
"""
SMS = """
from accounts.models import User
from config import clock
from tests.factories import ContactPointFactory
user = User.objects.get(email={email!r})
for channel, address in (("sms", "+33612345678"), ("email", {email!r})):
    ContactPointFactory(user=user, channel=channel, address=address, confirmed_at=clock.now())
print(user.pk)
"""
SHOP = """
from tests.factories import ShopFactory
print(ShopFactory().slug)
"""
SCHEDULE = """
from datetime import timedelta
from accounts.models import User
from config import clock
from tests.factories import UserFactory, schedule_of
user = User.objects.get(email={email!r})
bo = UserFactory(first_name="Bo", last_name="Stand-in", email="bo-" + {email!r})
begins = (clock.now() - timedelta(days=2)).date()
schedule = schedule_of(user, bo, name={name!r}, shift_h=24, starts_on=begins)
print(schedule.pk)
"""


def test_why_somebody_was_not_told(site: Site, hands: Hands) -> None:
    """Once 7 clicks and 11 keys."""
    site.python(FAILED.format(email=hands.email))
    hands.click(hands.page.get_by_role("link", name="History"))
    hands.type(hands.page.get_by_label("Person"), "Zora")
    hands.press("Enter")
    row = hands.page.locator(".panel-item", has_text="Theft at noon")
    expect(row).to_contain_text("Not told: prefers critical alerts only.")
    assert hands.clicks <= 3
    assert hands.keys <= 5


def test_what_an_outage_kept_back_is_sent_again(site: Site, hands: Hands) -> None:
    """Once 6 clicks for each page of 50."""
    site.python(FAILED.format(email=hands.email))
    row = hands.page.locator("#panel-sending tr", has_text="Email")
    expect(row.get_by_role("link")).to_be_visible()
    hands.click(row.get_by_role("link"))
    expect(hands.page.locator(".panel-item", has_text="Outage").first).to_be_visible()
    hands.click(hands.page.get_by_role("link", name="Replay these"))
    hands.click(hands.page.get_by_role("button", name="Replay"))
    expect(hands.page.locator("#messages")).to_contain_text("will be tried again now")
    assert hands.clicks <= 3


def test_since_when_a_channel_fails_and_whom_that_hit(site: Site, hands: Hands) -> None:
    """Once 14 clicks for the first, and impossible for the second."""
    site.python(FAILED.format(email=hands.email))
    row = hands.page.locator("#panel-sending tr", has_text="Email")
    hands.click(row.get_by_role("link"))
    expect(hands.page.locator(".panel-item", has_text="Outage").first).to_contain_text(hands.email)
    assert hands.clicks <= 7


def test_who_is_on_call_now_and_next_week_and_somebody_else_instead(site: Site, hands: Hands) -> None:
    """Once 2 clicks, impossible, and impossible."""
    name = f"Nights of {hands.email}"
    site.python(SCHEDULE.format(email=hands.email, name=name))
    line = hands.page.locator("#panel-on-call li", has_text=name)
    expect(line).to_contain_text(", until")
    assert hands.clicks == 0
    hands.click(line.get_by_role("link"))
    week = datetime.now(ZoneInfo("UTC")) + timedelta(days=7 - datetime.now(ZoneInfo("UTC")).weekday())
    expect(hands.page.locator("main")).to_contain_text(f"From {week:%-d %b %Y}")
    assert hands.clicks == 1
    hands.page.goto("/on-call/")
    spell = hands.page.locator(".esc-item", has=hands.page.locator("details")).first
    hands.click(spell.get_by_text("Ask somebody to stand in"))
    hands.click(spell.get_by_role("button", name="Ask", exact=True))
    expect(hands.page.locator("#messages")).to_contain_text("Asked. You are on call until somebody accepts.")
    assert hands.clicks <= 4


def test_critical_by_text_message_from_9_to_18_and_the_rest_in_one_mail(site: Site, hands: Hands) -> None:
    """Once impossible by form and docs."""
    site.python(SMS.format(email=hands.email))
    hands.page.goto("/preferences/")
    for severity, told, times in (
        ("Text message: Critical", "hours", ("0900a", "1800")),
        ("Text message: Standard", "never", ()),
        ("Email: Standard", "digest", ("1800",)),
    ):
        row = hands.page.get_by_role("group", name=severity)
        row.get_by_label("When").select_option(told)
        hands.clicks += 2
        for label, at in zip(("from, or at", "until"), times, strict=False):
            hands.type(row.get_by_label(label), at)
    hands.click(hands.page.get_by_role("button", name="Save the hours"))
    expect(hands.page.locator("#messages")).to_contain_text("Saved.")
    hands.page.get_by_label("Severity", exact=True).select_option("standard")
    hands.click(hands.page.get_by_role("button", name="Show"))
    answer = hands.page.get_by_role("region", name="How you would be told")
    expect(answer).to_contain_text("wants nothing of this severity by this channel")
    expect(answer).to_contain_text("then told with others in one message")
    assert hands.clicks <= 12
    assert hands.keys <= 14


def test_a_policy_is_made_simulated_started_and_stopped(site: Site, hands: Hands) -> None:
    """Once about 12 clicks and 400 keys of JSON, and a start by curl."""
    name = f"Ovens of {hands.email}"
    site.python(SCHEDULE.format(email=hands.email, name=name))
    page = hands.page
    page.goto("/escalations/")
    hands.click(page.get_by_role("link", name="Policies"))
    hands.click(page.get_by_role("link", name="Make a policy"))
    hands.type(page.get_by_label("Name", exact=True), "Ovens")
    first = page.get_by_role("group", name="Row 1")
    first.get_by_label("Tell").select_option(label=f"{name}: who is on call")
    hands.clicks += 2
    expect(page.locator("#simulation")).to_contain_text("by schedule")
    hands.click(page.get_by_role("button", name="Add a row"))
    second = page.get_by_role("group", name="Row 2")
    hands.type(second.get_by_label("After minutes"), "5")
    second.get_by_label("Tell").select_option(label=f"{name}: everyone")
    hands.clicks += 2
    expect(page.locator("#simulation")).to_contain_text("+300 s")
    hands.click(page.get_by_role("button", name="Save"))
    expect(page.locator("#messages")).to_contain_text("Saved.")
    hands.click(page.get_by_role("link", name="Start an escalation by it"))
    hands.type(page.get_by_label("Title"), "Fire")
    hands.click(page.get_by_role("button", name="Show who would be told"))
    hands.click(page.get_by_role("button", name="Start it now"))
    expect(page.locator("#messages")).to_contain_text("Started.")
    hands.click(page.get_by_role("link", name="Stop"))
    hands.click(page.get_by_role("button", name="Stop"))
    expect(page.locator("main")).to_contain_text("Stopped")
    assert hands.clicks <= 18
    assert hands.keys <= 12


def test_a_first_alert_is_sent_and_seen_and_its_webhook_verified(site: Site, hands: Hands) -> None:
    """Once 5 clicks and 3 keys, with a line of one's own to put the key into, and nothing to verify by."""
    site.python(SHOP)
    hands.page.goto("/console/setup/")
    hands.click(hands.page.get_by_role("link", name="A key for your services"))
    if not hands.page.get_by_label("Name").input_value():
        hands.type(hands.page.get_by_label("Name"), "A")
    hands.click(hands.page.get_by_role("button", name="Make the key"))
    expect(hands.page.get_by_text("Waiting for it…")).to_be_visible()
    line = hands.page.locator("#the-line").inner_text()
    sent = subprocess.run(["sh", "-c", line], capture_output=True, timeout=60, check=True)
    assert b"alert_uuid" in sent.stdout
    expect(hands.page.locator("#arrival")).to_contain_text("It has arrived.")
    hands.click(hands.page.get_by_role("link", name="How to verify our webhooks"))
    expect(hands.page.get_by_role("heading", name="Shell")).to_be_visible()
    assert hands.clicks + hands.keys <= 5


def test_a_shop_gets_its_five_people_who_are_told_and_tested(
    site: Site, hands: Hands, open_browser: Callable[..., BrowserContext]
) -> None:
    """Once an estimated 110 clicks and 700 keys, and no test."""
    page, word = hands.page, uuid4().hex[:8]
    hands.click(page.locator(".menu > summary"))
    hands.click(page.get_by_role("link", name="Shops"))
    hands.type(page.get_by_label("Name"), f"Shop {word}")
    hands.click(page.get_by_role("button", name="Add"))
    expect(page.locator("h1")).to_have_text(f"Shop {word}")
    people = [f"{name}-{word}@example.com" for name in ("ana", "bo", "cy", "di", "ed")]
    hands.type(page.get_by_label("Email addresses"), ", ".join(people))
    hands.click(page.get_by_role("button", name="Show who would be invited"))
    hands.click(page.get_by_role("button", name="Send 5 invitations"))
    expect(page.locator("#messages")).to_contain_text("5 invited.")
    # What each of the five does is theirs: here one, with the link of their mail.
    visitor = open_browser().new_page()
    visitor.goto(link_in(site.mail_to(people[0], "/register/"), "/register/"))
    visitor.get_by_label("First name").fill("Ana")
    visitor.get_by_label("Last name").fill("Lima")
    visitor.get_by_label("Password").fill(PASSWORD)
    visitor.get_by_role("button", name="Register").click()
    visitor.wait_for_url("**/inbox/")
    page.reload()
    expect(page.locator("#members")).to_be_visible()
    expect(page.locator(".point-what")).to_contain_text("Email: confirmed")
    hands.click(page.get_by_role("link", name="Test who is told"))
    hands.click(page.get_by_role("button", name="Send 1 test message"))
    expect(page.locator(".point-tried.good")).to_have_text("The test message was sent.", timeout=30_000)
    site.mail_to(people[0], "If you can read this, alerts reach you here.")
    assert hands.clicks <= 55
    assert hands.keys <= 350
