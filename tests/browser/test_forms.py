"""Each form of the pages is sent as it stands, in a browser, and does what it says."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import uuid4

import pytest
from playwright.sync_api import BrowserContext, Error, Page, expect

from tests.browser.site import PASSWORD, Site
from tests.browser.test_escalation import start

pytestmark = pytest.mark.flow

OpenBrowser = Callable[..., BrowserContext]
ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
FORMS: Final = """
document.querySelectorAll("main details").forEach(each => { each.open = true });
[...document.querySelectorAll("form")].filter(form => form.method === "post")
    .map(form => new URL(form.action).pathname)
"""
INVITED: Final = """
from datetime import timedelta
from accounts.models import Invitation
from accounts.verification import token_of
from config import clock
from tests.factories import ShopFactory
until = clock.now() + timedelta(days=1)
shop = ShopFactory(name="Shop of " + {email!r}, slug={email!r}.partition("@")[0])
print(token_of(Invitation.objects.create(email={email!r}, shop=shop, expires_at=until).pk))
"""
UNCONFIRMED: Final = """
INSERT INTO notifications_contactpoint
       (id, user_id, channel, address, lane, label, is_enabled, secret_version, created_at)
SELECT uuidv7(), uuid, 'webhook', 'https://hooks.example.com/2', 'https://hooks.example.com:443', 'New', true,
       1, now()
  FROM accounts_user WHERE email = %(email)s
"""


@dataclass(frozen=True)
class Form:
    """Where a form is, what must be typed into it for it to be sent at all, and what is said then."""

    page: str
    says: str
    typed: Mapping[str, str] = field(default_factory=dict)


#: By where they lead; in this order, since some take away what others need.
ALL: Final = {
    "/inbox/<id>/read/": Form("/inbox/", "Mark unread"),
    "/inbox/<id>/unread/": Form("/inbox/", "Mark read"),
    "/inbox/<id>/delete/": Form("/inbox/", "Deleted."),
    "/inbox/<id>/restore/": Form("", "Mark read"),
    "/inbox/<id>/snooze/": Form("/inbox/", "Snoozed until"),
    "/inbox/<id>/wake/": Form("/inbox/?show=snoozed", "It is back in your inbox."),
    "/inbox/read/": Form("/inbox/", "Mark unread"),
    "/settings/telling/": Form("/preferences/", "Saved."),
    "/settings/what-if/": Form("/settings/what-if/?level=STANDARD", "Saved."),
    "/settings/points/": Form(
        "/preferences/", "Added.", {"#new_point_channel": "inbox", "#new_point_label": "Mine"}
    ),
    "/settings/points/<id>/test/": Form("/preferences/", "test message"),
    "/settings/points/<id>/confirm/": Form(
        "/preferences/", "There is no valid code", {"[name=code]": "000000"}
    ),
    "/settings/points/<id>/code/": Form("/preferences/", "A code is on its way."),
    "/settings/points/<id>/switch/": Form("/preferences/", "Switched off."),
    "/settings/points/<id>/secret/": Form("/preferences/", "There is a new secret."),
    "/settings/points/<id>/remove/": Form("/preferences/", "Removed."),
    "/settings/points/<id>/restore/": Form("", "It has been restored."),
    "/settings/rules/remove/": Form("/preferences/", "The rule has been removed."),
    "/settings/rules/restore/": Form("", "The rule has been restored."),
    "/settings/hours/": Form("/preferences/", "Saved. What is held already keeps its time."),
    "/settings/steps/": Form("/preferences/", "Saved. It holds from the next escalation on."),
    "/account/details/": Form("/account/", "Your changes are saved."),
    "/account/links/": Form("/account/", "Your links have been renewed."),
    "/account/phone/code/": Form("/account/", "No channel for phone numbers is set up."),
    "/account/phone/confirm/": Form("/account/", "There is no valid code", {"#phone_code_code": "000000"}),
    "/account/email/code/": Form("/account/", "A code is on its way."),
    "/account/email/confirm/": Form("/account/", "This code is wrong", {"#email_code_code": "000000"}),
    "/verify-email/": Form("/verify-email/?token=x", "This link was used or has expired."),
    "/dating/profile/": Form("/dating/profile/", "Saved."),
    "/dating/<id>/cancel/": Form("/dating/", "You have cancelled."),
    "/dating/<id>/register/": Form("/dating/", "You are registered"),
    "/dating/rules/<id>/": Form("/dating/rules/<rule>/", "Saved. Its evenings follow within minutes."),
    "/dating/new/": Form(
        "/dating/new/",
        "The evening is open: people can register.",
        {"[name=title]": "Once", "[name=day]": f"{datetime.now(UTC) + timedelta(days=30):%Y-%m-%d}"},
    ),
    "/dating/<id>/change/": Form("/dating/<event>/change/", "Saved."),
    "/dating/<id>/run-sheet/end/": Form("/dating/<event>/run-sheet/", "Skipped"),
    "/tracing/filters/new/": Form(
        "/tracing/filters/new/",
        "The filter is there, and not used yet.",
        {"[name=name]": "close", "[name=title_en]": "You were near"},
    ),
    "/tracing/filters/<id>/texts/": Form("/tracing/filters/<filter>/texts/", "Saved."),
    "/tracing/filters/<id>/what-if/": Form(
        "/tracing/filters/<filter>/what-if/?minutes_min=5&minutes_max=&distance_min=0&distance_max="
        "&rounds=1&status=2",
        "Saved as version",
    ),
    "/tracing/filters/<id>/switch/": Form("/tracing/filters/<filter>/", "The filter is used from now on."),
    "/escalations/<id>/notes/": Form("/escalations/<escalation>/", "Noted.", {"#id_text": "Restarted it."}),
    "/escalations/<id>/acknowledge/": Form("/escalations/<escalation>/", "Acknowledged"),
    "/silences/new/": Form(
        "/silences/new/", "What is open now and matches", {"#id_reason": "Moving", "#id_matching": "key = x"}
    ),
    "/silences/<id>/end/": Form("/silences/", "The silence is over."),
    "/escalations/<id>/stop/": Form("/escalations/<second>/stop/", "Stopped"),
    "/console/history/views/": Form("/console/history/", "Saved as “Mine”.", {"#view_name": "Mine"}),
    "/console/history/views/<id>/remove/": Form("/console/history/?channel=sms", "has been removed."),
    "/console/points/<id>/test/": Form("/console/people/<person>/", "test message"),
    "/keys/": Form("/keys/", "This is the key.", {"#id_name": "Cameras"}),
    "/keys/<id>/revoke/": Form("/keys/", "Revoked. Whatever uses it"),
    "/shops/": Form("/shops/", "Nobody works here yet.", {"[name=name]": f"Corner {uuid4().hex}"}),
    "/invite/": Form(
        "/invite/", "1 person gets a mail", {"#id_addresses": "a@example.org", "#id_role": "student"}
    ),
    "/join/": Form("/join/?invitation=<token>", "You are told what happens at"),
    "/shops/<shop>/points/<id>/test/": Form("/shops/<shop>/", "test message"),
    "/shops/<shop>/test/": Form("/shops/<shop>/test/", "on its way"),
    "/shops/<shop>/members/<id>/manager/": Form("/shops/<shop>/", "Saved."),
    "/shops/<shop>/invitations/<id>/again/": Form("/shops/<shop>/", "The link is on its way again."),
    "/shops/<shop>/invitations/<id>/withdraw/": Form(
        "/shops/<shop>/invitations/<invitation>/withdraw/", "Withdrawn: its link no longer works."
    ),
    "/shops/<shop>/members/<id>/remove/": Form(
        "/shops/<shop>/members/<person>/remove/", "They are no longer told what happens here."
    ),
    "/account/email/": Form(
        "/account/", "Your email address has been changed.", {"#email_current_password": PASSWORD}
    ),
    "/account/password/": Form(
        "/account/",
        "Your password has been changed.",
        {"#password_current_password": PASSWORD, "#password_new_password": f"{PASSWORD} 2"},
    ),
    "/account/leave/": Form(
        "/account/leave/", "Your account has been deleted", {"[name=password]": f"{PASSWORD} 2"}
    ),
    "/language/": Form("/login/", "Log in"),
    "/login/": Form(
        "/login/", "No account matches", {"[name=email]": "a@example.com", "[name=password]": "x"}
    ),
    "/register/": Form(
        "/register/",
        "too short",
        {
            "[name=first_name]": "A",
            "[name=last_name]": "B",
            "[name=email]": "a@example.com",
            "[name=password]": "x",
        },
    ),
    "/forgotten-password/": Form(
        "/forgotten-password/", "Check your mail", {"[name=email]": "a@example.com"}
    ),
    "/reset-password/": Form(
        "/reset-password/?token=x", "This link was used or has expired.", {"[name=new_password]": PASSWORD}
    ),
}
#: In the bar of each page, and clicked by other tests.
ELSEWHERE: Final = {"/logout/"}


def person(site: Site, page: Page) -> dict[str, str]:
    """Somebody on the staff who has one of each thing; returns what stands for the ids of pages."""
    email = site.register(page)
    site.wait_until_told(email, 1)
    furnished = site.furnish(email)
    second = start(site, site.new_key("escalations:write"), f"second {email}", email)
    site.make_operator(email)
    site.sql(UNCONFIRMED, email=email)
    site.sql("UPDATE accounts_user SET phone = '+33546000000' WHERE email = %(email)s", email=email)
    event = furnished["dating/event_id"]
    ((told,),) = site.sql("SELECT uuid FROM accounts_user WHERE email = %(email)s", email=email)
    return {
        "<shop>": furnished["shop"],
        "<invitation>": furnished["invitation_id"],
        "<token>": site.python(INVITED.format(email=email)),
        "<person>": str(told),
        "<filter>": furnished["filter_id"],
        "<rule>": furnished["dating/rule_id"],
        "<event>": event,
        "<escalation>": furnished["escalation"],
        "<second>": second.split("/")[2],
    }


def filled(path: str, ids: Mapping[str, str]) -> str:
    for mark, pk in ids.items():
        path = path.replace(mark, pk)
    return path


@pytest.mark.timeout(600)
def test_each_form_is_sent_as_it_stands_and_does_what_it_says(site: Site, open_browser: OpenBrowser) -> None:
    page = open_browser().new_page()
    page.on("dialog", lambda dialog: dialog.accept())
    ids = person(site, page)
    found: set[str] = set()
    faults: dict[str, str] = {}
    for action, form in ALL.items():
        try:
            found |= send(page, action, form, ids)
        except (AssertionError, Error, StopIteration) as error:
            faults[action] = str(error)[:900]
    # All of them at once: the walk takes long.
    assert not faults, "\n".join(map(": ".join, faults.items()))
    assert found == {*ALL, *ELSEWHERE}


def send(page: Page, action: str, form: Form, ids: Mapping[str, str]) -> set[str]:
    """Send the first form that leads there, and expect what it says; returns where those of the page lead."""
    if form.page:
        page.goto(filled(form.page, ids))
    paths = [ID.sub("<id>", path).replace(ids["<shop>"], "<shop>") for path in page.evaluate(FORMS)]
    sent = page.locator("form[method=post]").nth(paths.index(action) if action in paths else len(paths))
    for box, text in form.typed.items():
        typed = sent.locator(box)
        if typed.evaluate("box => box.tagName") == "SELECT":
            typed.select_option(text)
        else:
            typed.fill(text)
    sent.evaluate("form => form.closest('details')?.setAttribute('open', '')", timeout=10_000)
    sent.locator("button[type=submit]").first.click(timeout=10_000)
    expect(page.locator("main")).to_contain_text(form.says, timeout=20_000)
    return set(paths)
