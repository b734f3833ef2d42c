"""Staff mark devices on the pages of tracing, and may think better of it."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.site import Site

pytestmark = pytest.mark.flow


def test_a_mark_whose_question_was_cancelled_can_be_made_all_the_same(site: Site, window: Page) -> None:
    site.make_operator(site.register(window))
    window.goto("/tracing/")
    form = window.locator("form[action='/tracing/marks/']")
    mark = form.get_by_role("button", name="Mark it")
    form.get_by_label("Device").fill("123")
    form.get_by_label("Status").select_option("Infected")
    window.once("dialog", lambda dialog: dialog.dismiss())
    mark.click()
    expect(mark).to_be_enabled()
    form.get_by_label("Device").fill("124")
    window.once("dialog", lambda dialog: dialog.accept())
    mark.click()
    window.wait_for_url("**/tracing/cases/*/")
    expect(window.get_by_text("Device 124 is marked as infected.")).to_be_visible()

    healed = window.get_by_role("button", name="Healed")
    window.once("dialog", lambda dialog: dialog.dismiss())
    healed.click()
    expect(healed).to_be_enabled()
    window.once("dialog", lambda dialog: dialog.accept())
    healed.click()
    expect(window.get_by_text("Device 124 is marked as healed.")).to_be_visible()
    expect(healed).to_be_hidden()
