"""Hours of channels on the preferences' page, and what would have been, had somebody preferred otherwise."""

import re
from collections.abc import Callable
from datetime import time, timedelta
from urllib.parse import urlencode

import pytest
from django.test import Client

from accounts.models import User
from config import clock
from notifications.models import ChannelHours, Delivery, Preference, Subscription
from notifications.services import what_if
from notifications.services.preferences import channel_hours_set
from tests.factories import ContactPointFactory, PreferenceFactory
from tests.notifications.preferences.conftest import fan_out, told_of

Browse = Callable[..., Client]
WHAT_IF = "/settings/what-if/"
#: What is critical by text message from 9 to 18, all else in one mail at 18:00: job 7 of the review.
BY_DAY = {
    "sms_critical_told": "hours", "sms_critical_begins": "09:00", "sms_critical_ends": "18:00",
    "sms_standard_told": "never", "email_critical_told": "never",
    "email_standard_told": "digest", "email_standard_begins": "18:00",
}  # fmt: skip


@pytest.fixture
def owner(owner: User) -> User:
    long_ago = clock.now() - timedelta(days=100)
    for channel, address in (("email", "owner@example.com"), ("sms", "+33612345678")):
        ContactPointFactory(user=owner, channel=channel, address=address, confirmed_at=long_ago)
    return owner


def told_at_noon_and_midnight(owner: User) -> None:
    """Yesterday, and each of them critical and not."""
    day = (clock.now() - timedelta(days=1)).replace(minute=0, second=0, microsecond=0)
    for hour in (0, 12):
        for severity in ("critical", "standard"):
            told = told_of(severity=severity, title=f"{severity} at {hour}")
            fan_out(told, owner, now=day.replace(hour=hour))


def text_of(page: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", page).split())


def test_hours_are_set_by_form_and_shown(browse: Browse, owner: User) -> None:
    client = browse(owner)
    assert client.post("/settings/hours/", BY_DAY)["Location"] == "/preferences/"
    found = ChannelHours.objects.values_list("channel", "severity", "told", "begins", "ends")
    assert list(found) == [
        ("email", "critical", "never", None, None),
        ("email", "standard", "digest", time(18), time(18)),
        ("sms", "critical", "hours", time(9), time(18)),
        ("sms", "standard", "never", None, None),
    ]
    page = client.get("/preferences/").content.decode()
    assert re.search(r'name="sms_critical_begins" value="09:00"', page)
    client.post("/settings/hours/", {})
    assert not ChannelHours.objects.exists()


def test_hours_without_their_times_are_refused_at_their_field(browse: Browse, owner: User) -> None:
    answer = browse(owner).post("/settings/hours/", BY_DAY | {"sms_critical_ends": ""})
    assert answer.status_code == 422
    assert answer.context["hours"].errors == {
        "sms_critical_begins": ["Hours need a beginning and an end that are not the same."]
    }
    assert 'href="#hours_sms_critical_begins"' in answer.content.decode()
    assert not ChannelHours.objects.exists()


def test_those_of_a_channel_that_is_gone_stay(browse: Browse, owner: User) -> None:
    channel_hours_set(user=owner, hours=[{"channel": "phone", "severity": "critical", "told": "never"}])
    answer = browse(owner).post("/settings/hours/", {"phone_critical_told": "never"})
    assert answer.status_code == 302
    assert ChannelHours.objects.get().channel == "phone"


def test_the_page_says_how_something_critical_would_be_told_now(browse: Browse, owner: User) -> None:
    client = browse(owner)
    client.post("/settings/hours/", {"sms_critical_told": "never"})
    page = text_of(client.get("/preferences/").content.decode())
    assert "Not told: wants nothing of this severity by this channel." in page
    assert "Told by email, at once." in page
    asked = {"kind": "stage.accepted", "severity": "standard"}
    page = text_of(client.get(f"/preferences/?{urlencode(asked)}").content.decode())
    assert "Told by sms, at once." in page


def test_the_last_weeks_are_decided_once_more(owner: User) -> None:
    told_at_noon_and_midnight(owner)
    hours = [ChannelHours(user=owner, channel="sms", severity="critical", told="hours")]
    hours[0].begins, hours[0].ends = time(9), time(18)
    wish = what_if.Wish(Preference(user=owner, level="CRITICAL"), hours)
    found = what_if.what_if(user=owner, wish=wish, since=clock.now() - timedelta(days=30))
    assert (found.looked_at, found.changed, found.is_all) == (8, 5, True)
    assert {channel: (dict(now), dict(then)) for channel, (now, then) in found.counts.items()} == {
        "email": ({"at_once": 4}, {"at_once": 2, "not_told": 2}),
        "sms": ({"at_once": 4}, {"at_once": 1, "later": 1, "not_told": 2}),
    }
    night = next(each for each in found.changes if each.then.is_told)
    assert night.delivery.notification.title == "critical at 0"
    assert night.then.due_at == night.delivery.created_at + timedelta(hours=9)


def test_what_is_as_it_is_changes_nothing(owner: User) -> None:
    PreferenceFactory(user=owner, quiet_from=time(22), quiet_until=time(7))
    told_at_noon_and_midnight(owner)
    wish = what_if.Wish(Preference.objects.get(), [])
    found = what_if.what_if(user=owner, wish=wish, since=clock.now() - timedelta(days=30))
    assert (found.looked_at, found.changed) == (8, 0)
    assert found.counts["email"][0] == {"at_once": 3, "later": 1}


def test_what_was_sent_on_request_or_is_longer_ago_is_left_out(owner: User) -> None:
    fan_out(told_of("account.taken"), owner, now=clock.now())
    fan_out(told_of(), owner, now=clock.now() - timedelta(days=31))
    assert Delivery.objects.count() == 4
    wish = what_if.Wish(Preference(user=owner), [])
    found = what_if.what_if(user=owner, wish=wish, since=clock.now() - timedelta(days=30))
    assert found.looked_at == 0


def test_the_page_compares_and_saves_nothing_until_asked(browse: Browse, owner: User) -> None:
    told_at_noon_and_midnight(owner)
    client, wish = browse(owner), {"level": "STANDARD", **BY_DAY, "rule_kind": "", "rule_says": "no"}
    page = client.get(f"{WHAT_IF}?{urlencode(wish)}").content.decode()
    assert "7 of 8 messages would have been told otherwise." in text_of(page)
    assert "now 4, then 1 (−3)" in text_of(page)
    assert not ChannelHours.objects.exists()
    assert client.post(WHAT_IF, wish)["Location"] == "/preferences/"
    assert ChannelHours.objects.count() == 4
    assert Preference.objects.get().level == "STANDARD"


def test_a_rule_is_tried_and_saved(browse: Browse, owner: User) -> None:
    told_at_noon_and_midnight(owner)
    client = browse(owner)
    wish = {"level": "STANDARD", "rule_kind": "stage.*", "rule_channel": "email", "rule_says": "no"}
    assert "2 of 8 messages" in text_of(client.get(f"{WHAT_IF}?{urlencode(wish)}").content.decode())
    assert not Subscription.objects.exists()
    client.post(WHAT_IF, wish)
    rule = Subscription.objects.get()
    assert (rule.channel, rule.kind, rule.is_enabled) == ("email", "stage.*", False)


@pytest.mark.parametrize(
    "wrong", [{"level": "LOUD"}, {"quiet_from": "22:00"}, {"sms_critical_told": "hours"}, {"rule_kind": "x"}]
)
def test_a_wish_that_means_nothing_is_refused(browse: Browse, owner: User, wrong: dict[str, str]) -> None:
    client, wish = browse(owner), {"level": "STANDARD", **wrong}
    assert client.get(f"{WHAT_IF}?{urlencode(wish)}").status_code == 422
    assert client.post(WHAT_IF, wish).status_code == 422
    assert not Preference.objects.exists()


def test_staff_see_it_of_others_and_can_save_nothing(
    browse: Browse, operator: User, stranger: User, owner: User
) -> None:
    told_at_noon_and_midnight(owner)
    path = f"/console/people/{owner.pk}/what-if/"
    page = text_of(browse(operator).get(f"{path}?level=CRITICAL").content.decode())
    assert "4 of 8 messages" in page
    assert "Save these" not in page
    assert browse(operator).post(path, {"level": "CRITICAL"}).status_code == 405
    assert browse(stranger).get(path).status_code == 403
