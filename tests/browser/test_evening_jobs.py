"""What virologists and organisers come for, in at most half of the clicks and keys that it once took."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.browser.hands import Hands
from tests.browser.site import Site

pytestmark = pytest.mark.flow

#: A filter that is used, and a case that met 8 phones for 20 minutes, and 6 for 10 minutes.
OUTBREAK = """
from datetime import timedelta
from config import clock
from tests.tracing.conftest import TEXT
from tests.tracing.storing import store
from tracing.models import Device, Filter
from tracing.reference import Record
from tracing.services.filters import filter_create
from tracing.services.statuses import status_mark
Filter.objects.all().update(is_active=False)
made, _ = filter_create(name="Aa close", is_active=True, time_min_s=900, content={"en": TEXT})
start = int((clock.now() - timedelta(hours=20)).timestamp())
store([
    Record(
        my_id=9_000_001, other_id=9_000_100 + number, start=start, end=start + (1200 if number < 8 else 600),
        distance=1.0,
    )
    for number in range(14)
])
status_mark(device_id=9_000_001, status=1, now=clock.now())
print(made.pk)
"""
RECUR = """
from config import clock
from dating import services
print(services.events_recur(now=clock.now()))
"""


def test_what_a_filter_would_find_with_other_values_and_only_then_saved(site: Site, hands: Hands) -> None:
    """Once 4 clicks, of what was saved already; of a change, impossible."""
    site.python(OUTBREAK)
    page = hands.page
    hands.click(page.get_by_role("link", name="Tracing"))
    hands.click(page.get_by_role("link", name="What if"))
    hands.type(page.get_by_label("Minutes of contact, from"), "")
    hands.press("Control+a")
    hands.type(page.get_by_label("Minutes of contact, from"), "5")
    hands.press("Enter")
    expect(page.locator("main")).to_contain_text("Now 8, then 14 (+6)")
    assert hands.clicks <= 2
    assert hands.keys <= 4
    shared = page.url

    page.once("dialog", lambda dialog: dialog.accept())
    hands.click(page.get_by_role("button", name="Save these values"))
    expect(page.locator("#messages")).to_contain_text("Saved as version 2.")
    expect(page.locator("main")).to_contain_text("from 5 min")
    assert hands.clicks <= 3
    page.goto(shared)
    expect(page.locator("main")).to_contain_text("Version 1: 8, then 14 (+6)")
    page.goto("/console/done/")
    expect(page.locator("main")).to_contain_text("Aa close")


def test_evenings_every_week_and_one_of_them_skipped(site: Site, hands: Hands) -> None:
    """Once 11 clicks and 40 keys, with an RRULE and seconds typed by hand."""
    page = hands.page
    hands.click(page.get_by_role("link", name="Dating"))
    hands.click(page.get_by_role("link", name="Recurring evenings"))
    hands.click(page.get_by_role("link", name="New", exact=True))
    hands.type(page.get_by_label("Title"), "Socials")
    hands.click(page.get_by_label("Thursday"))
    expect(page.locator("#dates")).to_contain_text("Thursday,")
    hands.click(page.get_by_role("button", name="Save"))
    expect(page.locator("#messages")).to_contain_text("Saved. Its evenings follow within minutes.")
    assert hands.clicks <= 5
    assert hands.keys <= 20

    site.python(RECUR)
    page.reload()
    evening = page.locator(".dat-item", has_text="Socials").first
    page.once("dialog", lambda dialog: dialog.accept())
    hands.click(evening.get_by_role("button", name="Skip"))
    expect(page.locator("main")).to_contain_text("Skipped")
    assert hands.clicks <= 6
    page.goto("/dating/")
    over = page.get_by_role("region", name="Evenings you run")
    expect(over.get_by_role("listitem").filter(has_text="Socials").filter(has_text="Skipped")).to_be_visible()


def test_a_rule_is_saved_without_scripts_once_its_dates_were_seen(
    site: Site, open_browser: Callable[..., BrowserContext]
) -> None:
    page = open_browser(java_script_enabled=False).new_page()
    site.make_operator(site.register(page))
    page.goto("/dating/rules/new/")
    page.get_by_label("Title").fill("Quiet ones")
    page.get_by_label("Thursday").check()
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#dates")).to_contain_text("Nothing is saved yet")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#messages")).to_contain_text("Saved.")
