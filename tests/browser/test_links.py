"""Each link that a message can hold is clicked, as the person does who gets the message."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

import pytest
from django.urls import resolve
from playwright.sync_api import Page, expect

from notifications.channels.unsubscribe_links import Target, url_of
from notifications.messages import catalogue, links
from notifications.messages.placeholders import LINKS
from tests.browser import test_escalation
from tests.browser.site import PASSWORD, Site
from tests.browser.test_dating import as_organiser

pytestmark = pytest.mark.flow

SAMPLES: Final = "https://tocsin.example.com"
#: Routes that links of messages lead to, and the tests that click them.
CLICKED: dict[str, Callable[..., None]] = {
    "acknowledge/<str:token>/": test_escalation.test_the_link_of_a_mail_acknowledges,
}


def clicks(*routes: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    def note(test: Callable[..., None]) -> Callable[..., None]:
        CLICKED.update(dict.fromkeys(routes, test))
        return test

    return note


def routes_of_messages() -> set[str]:
    """Return the routes of every link: of the texts, of the samples of their variables, and of the code."""
    paths = {url.partition("?")[0] for kind, url in LINKS.items() if uses(kind, "link")}
    paths |= {each.url_of(uuid4()) for each in links._LINKS.values()}
    paths.add(url_of(Target(uuid4(), "stage.created", "email")))  # by the channel for mail
    for kind in catalogue.kinds().values():
        texts = [text for compiled in kind.texts.values() for text in compiled.source]
        paths |= {path for text in texts for path in re.findall(r"public_url ?}}(/[\w/-]+)", text)}
        given = [value for value in kind.sample.values() if isinstance(value, str)]
        paths |= {value for value in given if value.startswith(SAMPLES)}
    return {resolve(re.sub(r"^https?://[^/]+", "", path)).route for path in paths}


def uses(kind: str, variable: str) -> bool:
    texts = [each.source for each in catalogue.kinds()[kind].texts.values()]
    return any(re.search(r"{{ ?" + variable, f"{each.title} {each.body}") for each in texts)


def link_in(text: str, path: str) -> str:
    found = re.search(rf"https?://\S*{path}\S*", text)
    assert found, text
    return found[0]


def test_each_link_has_a_test_that_clicks_it() -> None:
    assert routes_of_messages() == set(CLICKED)


@clicks("verify-email/")
def test_an_address_is_confirmed(site: Site, window: Page) -> None:
    email = site.register(window)
    window.goto("/account/")
    window.get_by_role("button", name=f"Send a code to {email}").click()
    window.goto(link_in(site.mail_to(email, "/verify-email/"), "/verify-email/"))
    window.get_by_role("button", name="Confirm").click()
    expect(window.get_by_text("Thank you, this is confirmed.")).to_be_visible()


@clicks("preferences/")
def test_whose_place_no_longer_works_sees_where_they_are_told(site: Site, window: Page) -> None:
    site.register(window)
    page = catalogue.kinds()["contact_point.gone"].sample["page"]
    window.goto(page.removeprefix(SAMPLES))
    expect(window.get_by_role("heading", level=1, name="Preferences")).to_be_visible()


@clicks("reset-password/", "forgotten-password/")
def test_a_password_is_set_anew_by_who_did_not_change_it(site: Site, window: Page) -> None:
    email = site.register(window)
    window.goto("/account/")
    window.locator("#password_current_password").fill(PASSWORD)
    window.locator("#password_new_password").fill(f"{PASSWORD} 2")
    window.get_by_role("button", name="Change the password").click()
    window.goto(link_in(site.mail_to(email, "/forgotten-password/"), "/forgotten-password/"))
    window.get_by_label("Email address").fill(email)
    window.get_by_role("button", name="Send the link").click()
    window.goto(link_in(site.mail_to(email, "/reset-password/"), "/reset-password/"))
    window.get_by_label("New password").fill(PASSWORD)
    window.get_by_role("button", name="Set the password").click()
    expect(window.get_by_text("Your new password is set.")).to_be_visible()
    site.log_in(window, email)


@clicks("login/")
def test_somebody_who_registers_again_is_led_to_the_log_in(site: Site, window: Page) -> None:
    email = site.register(window)
    site.forget(window)
    window.goto("/register/")
    window.get_by_label("First name").fill("Ana")
    window.get_by_label("Last name").fill("Lima")
    window.get_by_label("Email address").fill(email)
    window.get_by_label("Password").fill("staple full of hay")
    window.get_by_role("button", name="Register").click()
    window.goto(link_in(site.mail_to(email, "/login/"), "/login/"))
    window.get_by_label("Email address").fill(email)
    window.get_by_label("Password").fill(PASSWORD)
    window.get_by_role("button", name="Log in").click()
    window.wait_for_url("**/inbox/")


IS_ASKED: Final = """
from datetime import timedelta
from accounts.models import User
from config import clock
from escalation.services.covers import cover_ask
from tests.factories import schedule_of
asked = User.objects.get(email={email!r})
other = User.objects.create_user("{number}@example.com", first_name="Bo", last_name="Lima")
schedule = schedule_of(other, asked, name="{number}", per_turn=2)
begin = clock.now() + timedelta(hours=1)
cover_ask(schedule=schedule, by=other, starts_at=begin, ends_at=begin + timedelta(hours=1), now=clock.now())
print(schedule.pk)
"""


@clicks("on-call/")
def test_whoever_is_asked_to_stand_in_does_so(site: Site, window: Page) -> None:
    email = site.register(window)
    site.make_confirmed(email)
    site.python(IS_ASKED.format(email=email, number=uuid4().hex))
    window.goto(link_in(site.mail_to(email, "/on-call/"), "/on-call/"))
    window.get_by_role("button", name="Stand in").click()
    expect(window.get_by_text("You stand in.")).to_be_visible()


@clicks("register/")
def test_an_invitation_is_taken_up(site: Site, window: Page) -> None:
    operator = site.register(window)
    site.make_operator(operator)
    token = api(site, "auth/login", email=operator, password=PASSWORD)["access_token"]
    invited = f"{uuid4().hex}@example.com"
    api(site, "invitations/", token=token, email=invited, role="encadrant")
    site.forget(window)
    window.goto(link_in(site.mail_to(invited, "/register/"), "/register/"))
    expect(window.get_by_label("Email address")).to_have_value(invited)
    window.get_by_label("First name").fill("Bo")
    window.get_by_label("Last name").fill("Lima")
    window.get_by_label("Password").fill(PASSWORD)
    window.get_by_role("button", name="Register").click()
    window.wait_for_url("**/inbox/")


def api(site: Site, path: str, *, token: str = "", **body: Any) -> Any:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    answer = site.http.post(site.url(f"/api/v1/{path}"), json=body, headers=headers, timeout=30)
    assert answer.ok, answer.text
    return answer.json()


@clicks("unsubscribe/<str:token>/")
def test_mails_of_a_kind_are_ended_and_begin_again(site: Site, window: Page) -> None:
    email = site.register(window)
    site.make_confirmed(email)
    site.publish(email, "Cardiology")
    site.forget(window)
    window.goto(link_in(site.mail_to(email, "Cardiology"), "/unsubscribe/"))
    window.get_by_role("button", name="Unsubscribe").click()
    expect(window.get_by_role("heading", level=1)).to_have_text("You are unsubscribed")
    window.get_by_role("button", name="Send them again").click()
    expect(window.get_by_role("heading", level=1)).to_have_text("You are subscribed again")


@clicks("escalations/<uuid:run_id>/")
def test_an_escalation_is_looked_at_after_the_log_in(site: Site, window: Page) -> None:
    email = site.register(window)
    key = site.new_key("escalations:write")
    path = test_escalation.start(site, key, f"looked at {uuid4().hex}", email)
    site.wait_until_told(email, 2)
    window.goto("/inbox/")
    told = window.locator(".notice", has_text="looked at")
    link = link_in(told.inner_text(), path)
    site.forget(window)
    window.goto(link)
    window.get_by_label("Email address").fill(email)
    window.get_by_label("Password").fill(PASSWORD)
    window.get_by_role("button", name="Log in").click()
    window.wait_for_url(f"**{path}")
    expect(window.get_by_role("button", name="Acknowledge")).to_be_visible()


@clicks("dating/<uuid:event_id>/", "dating/invitations/<str:token>.ics")
def test_an_evening_is_looked_at_and_put_into_a_calendar(site: Site, window: Page) -> None:
    email = site.register(window)
    site.make_confirmed(email)
    starts_at = datetime.now(UTC) + timedelta(days=3)
    event = as_organiser(site, "events/", title=f"Friday {uuid4().hex}", starts_at=starts_at.isoformat())
    window.goto(f"/dating/{event['id']}/")
    window.get_by_role("button", name="Register").click()
    text = site.mail_to(email, event["title"])
    window.goto(link_in(text, "/dating/[0-9a-f]{8}-"))
    expect(window.get_by_role("heading", name="You are registered")).to_be_visible()
    file = window.request.get(link_in(text, "/dating/invitations/"))
    assert (file.status, "BEGIN:VCALENDAR" in file.text()) == (200, True)


@clicks("dating/join/<str:token>/")
def test_a_call_that_is_not_on_leads_to_its_evening(site: Site, window: Page) -> None:
    furnished = site.furnish(site.register(window))
    window.goto(f"/dating/join/{furnished['join']}/")
    expect(window.get_by_role("heading", level=1)).to_have_text("You have no call now")
    window.get_by_role("link", name="Go to the evening").click()
    window.wait_for_url(f"**/dating/{furnished['dating/event_id']}/")


#: The organiser of an evening leaves.
LEAVE = """
from accounts.models import User
from accounts.services.users import user_delete
from dating.models import Event
organiser = User.objects.create(email="{event_id}@example.com", password="!")
Event.objects.filter(pk="{event_id}").update(organiser=organiser)
user_delete(user=organiser)
print("done")
"""


@clicks("dating/")
def test_the_staff_find_the_evenings_that_are_theirs_to_run_now(site: Site, window: Page) -> None:
    email = site.register(window)
    site.make_confirmed(email)
    site.make_operator(email)
    starts_at = datetime.now(UTC) + timedelta(days=3)
    event = as_organiser(site, "events/", title=f"Friday {uuid4().hex}", starts_at=starts_at.isoformat())
    site.python(LEAVE.format(event_id=event["id"]))
    window.goto(link_in(site.mail_to(email, event["title"]), "/dating/"))
    expect(window.get_by_role("link", name=event["title"], exact=True)).to_be_visible()


#: Somebody closes an alert group.
RESOLVE = """
from config import clock
from escalation.groups.ending import group_resolve
from escalation.models import AlertGroup
group = AlertGroup.objects.get(pk="{group_id}")
AlertGroup.objects.filter(pk=group.pk).update(title="{title}")
print(group_resolve(group=group, by="Bob", via="web", now=clock.now()))
"""


@clicks("groups/<uuid:group_id>/")
def test_whoever_was_told_of_a_group_finds_it_when_it_is_over(site: Site, window: Page) -> None:
    email = site.register(window)
    furnished = site.furnish(email)
    site.make_confirmed(email)
    title = f"Disk full {uuid4().hex}"
    site.python(RESOLVE.format(group_id=furnished["group_id"], title=title))
    window.goto(link_in(site.mail_to(email, f"{title} is over"), "/groups/"))
    expect(window.get_by_role("heading", name=title)).to_be_visible()


#: An escalation began last month, of which the staff are told now.
TELL_MONTH = """
from datetime import timedelta
from config import clock
from escalation.figures.monthly import month_tell
from escalation.services.processes import process_start
from notifications.engine.recipients import Recipient
now = clock.now()
to = [Recipient("email", now + timedelta(days=1), "nobody@example.com")]
process_start(process_id="of last month", notifications=to, now=now.replace(day=1) - timedelta(days=1))
print(month_tell(now))
"""


@clicks("escalations/figures/")
def test_administrators_see_all_figures_behind_those_of_last_month(site: Site, window: Page) -> None:
    email = site.register(window)
    site.make_confirmed(email)
    site.make_operator(email)
    assert site.python(TELL_MONTH) == "True"
    window.goto(link_in(site.mail_to(email, "unanswered"), "/escalations/figures/"))
    expect(window.get_by_role("heading", name="Noisy sources")).to_be_visible()
    expect(window.get_by_role("table").first).to_contain_text("All")


#: Somebody is on call whom nothing reaches, and a drill finds the same.
TELL_OF_NOBODY = """
from datetime import timedelta
from accounts.models import User
from config import clock
from escalation.drills.ending import drill_end
from escalation.drills.starting import drill_start
from escalation.holes.telling import holes_look
from tests.factories import schedule_of
other = User.objects.create_user("{name}@example.com", first_name="Bo", last_name="Lima")
schedule = schedule_of(other, name="{name}")
holes_look(clock.now())
begun = clock.now() - timedelta(minutes=11)
drill, _ = drill_start(schedule=schedule, by=User.objects.get(email={email!r}), now=begun)
print(drill_end(drill.pk, clock.now()))
"""


@clicks("on-call/holes/", "on-call/drills/<uuid:drill_id>/")
def test_administrators_see_who_is_not_reached_behind_the_messages_of_holes_and_drills(
    site: Site, window: Page
) -> None:
    email = site.register(window)
    site.make_confirmed(email)
    site.make_operator(email)
    name = f"n{uuid4().hex}"
    assert site.python(TELL_OF_NOBODY.format(name=name, email=email)) == "True"
    window.goto(link_in(site.mail_to(email, f"By the schedule “{name}”"), "/on-call/holes/"))
    expect(window.get_by_text(f"{name}: Bo Lima has no confirmed contact point")).to_be_visible()
    window.goto(link_in(site.mail_to(email, "The drill of"), "/on-call/drills/"))
    expect(window.get_by_role("row", name="Bo Lima nothing reached them")).to_be_visible()
