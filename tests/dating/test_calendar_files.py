"""Every calendar file is one that the strictest program takes."""

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from accounts.models import User
from dating import services
from dating.links import calendar_url, invitation_url
from dating.models import Event
from escalation.schedules.links import Target, url_of
from notifications.models import Notification
from tests.calendars import assert_valid
from tests.dating.cast import DAY, EIGHT, HOUR, Evening, event, person
from tests.factories import schedule_of

pytestmark = pytest.mark.django_db
ZONES = ("UTC", "Europe/Paris", "Asia/Kolkata", "Mars/Olympus")


def read(url: str) -> Any:
    answer = Client().get(url.removeprefix(settings.PUBLIC_URL))
    assert answer.status_code == 200
    return answer


def subscribed(user: User) -> list[Any]:
    answer = read(calendar_url(user))
    assert "method" not in answer["Content-Type"]
    return assert_valid(answer.content)


def invited(evening: Evening, user: User, method: str) -> Any:
    answer = read(invitation_url(evening.member(user)))
    assert answer["Content-Type"].endswith(f"; method={method}")
    (entry,) = assert_valid(answer.content, method=method)
    return entry


def living_in(zone: str, name: str = "Ana") -> User:
    user = person(name)
    User.objects.filter(pk=user.pk).update(time_zone=zone)
    return User.objects.get(pk=user.pk)


@pytest.mark.slow
@pytest.mark.parametrize("zone", ZONES)
def test_a_calendar_that_is_subscribed_to_is_valid_with_and_without_evenings(zone: str) -> None:
    ana = living_in(zone)
    assert subscribed(ana) == []
    evening = Evening(event(title="Friday; at, eight\\")).registered(ana)
    (entry,) = subscribed(ana)
    assert (str(entry["STATUS"]), entry.start) == ("TENTATIVE", EIGHT)
    evening.confirmed()
    assert str(subscribed(ana)[0]["STATUS"]) == "CONFIRMED"
    Evening(event(starts_at=EIGHT + 90 * DAY), now=EIGHT - DAY).registered(ana)
    assert len(subscribed(ana)) == 2


@pytest.mark.slow
@pytest.mark.parametrize("zone", ZONES)
def test_the_calendar_of_who_is_on_call_is_valid_with_and_without_turns(zone: str) -> None:
    schedule = schedule_of(person("Nobody"), name="Nights; and, days")
    schedule.layers.update(time_zone=zone)
    schedule.layers.get().places.all().delete()
    link = url_of(Target(schedule.pk, schedule.link_version))
    assert assert_valid(read(link).content) == []
    for position in range(2):
        schedule.layers.get().places.create(user=person(f"P{position}"), position=position)
    assert assert_valid(read(link).content)


@pytest.mark.slow
@pytest.mark.parametrize("zone", ZONES)
def test_an_invitation_and_its_cancelling_are_valid_as_mailed_and_by_their_link(zone: str) -> None:
    ana = living_in(zone, 'Ana "La" Ö; X:Y,')
    evening = Evening(event()).registered(ana)
    first = invited(evening, ana, "REQUEST")
    evening.confirmed()
    services.registration_cancel(event=evening.event, user=ana, now=evening.now)
    last = invited(evening, ana, "CANCEL")
    assert (str(last["STATUS"]), first["UID"]) == ("CANCELLED", last["UID"])
    assert last["SEQUENCE"] > first["SEQUENCE"]
    mailed = Notification.objects.filter(data__has_key="ics").order_by("created_at")
    methods = {each.kind: each.data["ics"] for each in mailed}
    assert_valid(methods["dating.registered"], method="REQUEST")
    assert_valid(methods["dating.cancelled"], method="CANCEL")


def test_whom_the_bot_alone_knows_is_no_attendee_since_no_mail_arrives_there() -> None:
    ana = person("Ana")
    User.objects.filter(pk=ana.pk).update(email="bot-77@bot.invalid")
    ana.refresh_from_db()
    evening = Evening(event()).registered(ana)
    entry = invited(evening, ana, "PUBLISH")
    assert "ATTENDEE" not in entry
    services.registration_cancel(event=evening.event, user=ana, now=evening.now)
    assert "ATTENDEE" not in invited(evening, ana, "CANCEL")


@pytest.mark.slow
def test_the_end_is_the_true_one_once_the_groups_are_made() -> None:
    crowd = [person(name) for name in ("Ana", "Bob", "Eve")]
    ana, bob, eve = crowd
    evening = Evening(event(users_limit=20)).registered(*crowd).confirmed()
    before = invited(evening, ana, "REQUEST")
    assert before.end - before.start == timedelta(minutes=19 * 6)
    evening.at(EIGHT - HOUR)
    after = invited(evening, ana, "REQUEST")
    assert after.end - after.start == timedelta(minutes=3 * 6)
    assert after["SEQUENCE"] > before["SEQUENCE"]
    assert subscribed(bob)[0].end == after.end
    told = Notification.objects.filter(kind="dating.taking_part", deliveries__user=eve).distinct().get()
    (sent,) = assert_valid(told.data["ics"], method="REQUEST")
    assert (sent.end, str(sent["STATUS"]), sent["SEQUENCE"]) == (after.end, "CONFIRMED", after["SEQUENCE"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seeks", "limit"), [(["women"] * 15 + ["men"] * 5, 20), (["women"] + ["men"] * 7, 8)]
)
def test_no_evening_of_two_pools_lasts_longer_than_calendars_said(seeks: list[str], limit: int) -> None:
    crowd = [person(str(number), seeks=each) for number, each in enumerate(seeks)]
    evening = Evening(event(two_pools=True, users_limit=limit)).registered(*crowd).confirmed()
    said = invited(evening, crowd[0], "REQUEST")
    evening.at(EIGHT - HOUR)
    assert Event.objects.get().rounds.count() * 6 <= (said.end - said.start) / timedelta(minutes=1)
