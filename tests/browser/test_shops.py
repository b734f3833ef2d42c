"""Whoever manages a shop does so without scripts and on a phone, and who has an account joins by a link."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.site import PASSWORD, Site
from tests.browser.test_links import link_in

pytestmark = pytest.mark.flow

OpenBrowser = Callable[..., BrowserContext]
#: Somebody manages a shop.
MANAGER = """
from accounts.models import User
from accounts.services.memberships import membership_begin
from tests.factories import ShopFactory
user = User.objects.get(email={email!r})
membership_begin(shop=ShopFactory(name="Shop of " + user.email), user=user, manages=True)
print(user.pk)
"""


def test_a_shop_is_managed_without_scripts(site: Site, window: Page, open_browser: OpenBrowser) -> None:
    boss, invited = site.register(window), site.register(open_browser().new_page())
    site.python(MANAGER.format(email=boss))
    plain = {"java_script_enabled": False, "viewport": {"width": 320, "height": 720}}
    page = open_browser(**plain).new_page()
    site.log_in(page, boss)
    page.get_by_role("link", name="Shops").click()
    page.get_by_role("link", name=f"Shop of {boss}").click()
    page.get_by_label("Email addresses").fill(f"Bo <{invited.upper()}>\n{boss}")
    page.get_by_role("button", name="Show who would be invited").click()
    expect(page.locator("main")).to_contain_text("is a member already")
    page.get_by_role("button", name="Send 1 invitation").click()
    expect(page.locator("#messages")).to_contain_text("1 invited, 1 left out.")
    visitor = open_browser(**plain).new_page()
    visitor.goto(link_in(site.mail_to(invited, "/register/"), "/register/"))
    log_in_there(visitor, invited)
    visitor.get_by_role("button", name="Join").click()
    expect(visitor.locator("#messages")).to_contain_text(f"You are told what happens at Shop of {boss}")
    page.reload()
    member = page.locator("li.panel-item", has_text=invited)
    expect(member).to_contain_text("Email: confirmed")
    member.get_by_role("button", name="Send a test").click()
    site.mail_to(invited, "If you can read this, alerts reach you here.")
    page.locator("li.panel-item", has_text=invited).get_by_role("link", name="Remove").click()
    page.get_by_role("button", name="Remove").click()
    expect(page.locator("#messages")).to_contain_text("They are no longer told what happens here.")
    expect(page.locator("main")).not_to_contain_text(invited)


def log_in_there(page: Page, email: str) -> None:
    """Log in where the link has led, which leads back."""
    page.get_by_label("Email address").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
